/* softlabel report: its commands, and what they share. */
#ifndef CLI_REPORT_H
#define CLI_REPORT_H

#include "cli/cli.h"
#include "report/attack_result.h"

int cli_report_table(const cli_command *self, int argc, char **argv);
int cli_report_changes(const cli_command *self, int argc, char **argv);
int cli_report_curves(const cli_command *self, int argc, char **argv);
int cli_report_html(const cli_command *self, int argc, char **argv);
int cli_report_examples(const cli_command *self, int argc, char **argv);
int cli_report_confusion(const cli_command *self, int argc, char **argv);

/* --attack FILE, as often as given. */
#define CLI_MAX_ATTACK_FILES 1000
typedef struct {
    const char *paths[CLI_MAX_ATTACK_FILES];
    size_t n;
} cli_attack_files;
error_t cli_attack_files_add(cli_attack_files *files, const char *path, struct argp_state *state);
SL_CHECK sl_status cli_attack_files_read(const cli_attack_files *files, sl_attack_set *out,
                                         sl_error *err);

/* The files of a figure, on stdout. */
void cli_show_figure_files(const char *path, bool as_json);

/* Four images of the test set (see 'report examples') and what people chose for them. */
SL_CHECK sl_status cli_draw_examples(const char *path, sl_data *data, const sl_dataset *test,
                                     sl_error *err);

#endif
