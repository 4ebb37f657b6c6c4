/* From a command's name to its function; help for tables of commands. */
#include "cli/cli.h"
#include <stdio.h>
#include <string.h>

#define NAME_MAX_BYTES 24 /* no command's name is longer */

static const cli_command *find(const cli_command *commands, const char *name)
{
    for (const cli_command *c = commands; c->name; c++)
        if (strcmp(c->name, name) == 0)
            return c;
    return NULL;
}

/* Levenshtein distance, of names up to NAME_MAX_BYTES; longer ones are infinitely far. */
static size_t distance(const char *a, const char *b)
{
    size_t na = strlen(a), nb = strlen(b);
    if (na > NAME_MAX_BYTES || nb > NAME_MAX_BYTES)
        return SIZE_MAX;
    size_t row[NAME_MAX_BYTES + 1]; /* row[j]: from a[0..i) to b[0..j) */
    for (size_t j = 0; j <= nb; j++)
        row[j] = j;
    for (size_t i = 1; i <= na; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= nb; j++) {
            size_t best = diagonal + (a[i - 1] != b[j - 1]);
            diagonal = row[j];
            if (row[j] + 1 < best)
                best = row[j] + 1;
            if (row[j - 1] + 1 < best)
                best = row[j - 1] + 1;
            row[j] = best;
        }
    }
    return row[nb];
}

static const cli_command *nearest(const cli_command *commands, const char *name)
{
    const cli_command *best = NULL;
    size_t best_distance = 3; /* farther ones are no typing mistakes */
    for (const cli_command *c = commands; c->name; c++) {
        size_t d = distance(name, c->name);
        if (d < best_distance) {
            best = c;
            best_distance = d;
        }
    }
    return best;
}

static int print_help(const cli_command *commands, const char *intro, const char *self)
{
    printf("%s\n\nUsage: %s COMMAND [OPTION...]\n\nCommands:\n", intro, self);
    for (const cli_command *c = commands; c->name; c++)
        printf("  %-10s %s\n", c->name, c->summary);
    printf("\nExamples:\n");
    for (const cli_command *c = commands; c->name; c++)
        printf("  %s\n", c->example);
    printf("\n'%s COMMAND --help' says more of one.\n", self);
    return fflush(stdout) ? CLI_FAILED : CLI_DONE;
}

/* argv[0] becomes the command's whole name, which argp and getopt put before their messages. */
static int run(const cli_command *command, const char *self, int argc, char **argv)
{
    char name[80];
    snprintf(name, sizeof name, "%s %s", self, command->name);
    char *const given = argv[0];
    argv[0] = name;
    int code = command->run(command, argc, argv);
    argv[0] = given;
    return code;
}

int cli_dispatch(const cli_command *commands, const char *intro, int argc, char **argv)
{
    const char *self = argv[0];
    if (argc < 2) {
        fprintf(stderr, "%s: no command given; see '%s --help'\n", self, self);
        return CLI_USAGE;
    }
    const char *name = argv[1];
    bool help = strcmp(name, "help") == 0;
    if (strcmp(name, "--help") == 0 || strcmp(name, "-?") == 0 || (help && argc == 2))
        return print_help(commands, intro, self);
    if (help)
        name = argv[2];

    const cli_command *command = find(commands, name);
    if (!command) {
        const cli_command *near = nearest(commands, name);
        const char *what = name[0] == '-' ? "option" : "command";
        if (near)
            fprintf(stderr, "%s: unknown %s '%s'; did you mean '%s'?\n", self, what, name,
                    near->name);
        else
            fprintf(stderr, "%s: unknown %s '%s'; see '%s --help'\n", self, what, name, self);
        return CLI_USAGE;
    }
    if (help) {
        char option[] = "--help", *words[] = { argv[0], option, NULL };
        return run(command, self, 2, words);
    }
    return run(command, self, argc - 1, argv + 1);
}
