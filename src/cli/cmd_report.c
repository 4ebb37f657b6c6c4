/* softlabel report: tables from finished runs, figures, and a page with all of it. */
#include "cli/report.h"

int cmd_report(const cli_command *self, int argc, char **argv)
{
    static const cli_command commands[] = {
        { "table", "the paper's tables, or every setting, of models before and after fine-tuning",
          "softlabel report table runs --table 1 --format latex", cli_report_table },
        { "changes", "how the loss changed by fine-tuning, model by model (figure 2)",
          "softlabel report changes runs --out figures/changes", cli_report_changes },
        { "curves", "scores after each epoch of one or two runs (figure 3)",
          "softlabel report curves runs/human-0 runs/control-0 --out figures/curves",
          cli_report_curves },
        { "html", "everything about finished runs in one page that needs no network",
          "softlabel report html runs --out report.html", cli_report_html },
        { "examples", "images beside what people chose for them (figure 1b)",
          "softlabel report examples --images 3,14,15 --out figures/examples",
          cli_report_examples },
        { "confusion", "people's confusion matrix as a heat map",
          "softlabel report confusion labels --out figures/confusion", cli_report_confusion },
        { 0 },
    };
    return cli_dispatch(commands, self->summary, argc, argv);
}
