/* softlabel report: its commands that have files of their own. */
#ifndef CLI_REPORT_H
#define CLI_REPORT_H

#include "cli/cli.h"

int cli_report_examples(const cli_command *self, int argc, char **argv);
int cli_report_confusion(const cli_command *self, int argc, char **argv);

#endif
