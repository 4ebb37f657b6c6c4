/* softlabel, the program: the table of its commands. */
#include "cli/cli.h"
#include <stdio.h>
#include <string.h>

/* name, summary, example, run */
static const cli_command commands[] = {
    { "data", "fetch, check or make data sets", "softlabel data info", cmd_data },
    { "train", "pretrain a classifier",
      "softlabel train --model wrn_16_2 --recipe fast --out runs/wrn_16_2", cmd_train },
    { "finetune", "go on training with human distributions, or the control",
      "softlabel finetune model.safetensors --targets human --out runs/human", cmd_finetune },
    { "evaluate", "score a model on every data set at hand",
      "softlabel evaluate model.safetensors --json", cmd_evaluate },
    { "attack", "score a model on images moved against it",
      "softlabel attack runs/human-0 --epsilon 2/255,8/255", cmd_attack },
    { "reproduce", "all of the paper by one command, as large as the machine allows",
      "softlabel reproduce --scale smoke --out smoke", cmd_reproduce },
    { "study", "collect people's judgments in the browser", "softlabel study new pilot",
      cmd_study },
    { "labels", "turn raw trials into distributions",
      "softlabel labels aggregate raw.csv --out labels", cmd_labels },
    { "report", "tables from finished runs", "softlabel report table runs/human-* runs/control-*",
      cmd_report },
    { "model", "list architectures, look into model files, import them",
      "softlabel model info wrn_16_2", cmd_model },
    { "verify", "check this build against the reference's numbers",
      "softlabel verify ../shared/conformance/wrn_16_2.json", cmd_verify },
    { "bench", "how fast a network trains or is evaluated here",
      "softlabel bench --model resnet_basic_20 --mode train", cmd_bench },
    { 0 },
};

static const char intro[] =
    "softlabel: what people see in images, and what their disagreement is worth to a classifier.";

int main(int argc, char **argv)
{
    if (argc == 2 && (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "-V") == 0)) {
        printf("softlabel %s\n", SL_VERSION);
        return fflush(stdout) ? CLI_FAILED : CLI_DONE;
    }
    char name[] = "softlabel"; /* whatever path it was called by */
    char *const called = argv[0];
    argv[0] = name;
    int code = cli_dispatch(commands, intro, argc, argv);
    argv[0] = called;
    return code;
}
