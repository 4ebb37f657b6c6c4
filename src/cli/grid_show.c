/* A grid's progress. On a terminal a table in place: a line for each model and setting, a cell for
 * each split seed. Elsewhere a line for each point that ends. */
#include "cli/grid.h"
#include <math.h>
#include <stdio.h>

static void cell_text(const grid *g, const grid_point *p, char *text, size_t size)
{
    switch (p->state) {
    case GRID_RUNNING:
        if (g->epochs > 0)
            snprintf(text, size, "%d/%d", p->epochs, g->epochs);
        else
            snprintf(text, size, "epoch %d", p->epochs);
        break;
    case GRID_DONE:
        snprintf(text, size, "%.4f", p->loss);
        break;
    case GRID_FAILED:
        snprintf(text, size, "failed");
        break;
    case GRID_ELSEWHERE:
        snprintf(text, size, "elsewhere");
        break;
    default:
        snprintf(text, size, "-");
    }
}

static void setting_text(const grid *g, const grid_point *p, char *text, size_t size)
{
    bool mixes = grid_mixes(g, p);
    snprintf(text, size, "%.28s  %s%s%s  lr %s", p->model, grid_word(g, p, GRID_TARGETS),
             mixes ? " mixup " : "", mixes ? grid_word(g, p, GRID_MIXUP) : "",
             grid_word(g, p, GRID_LR));
}

/* Same line of the table, that is, equal but for the split. */
static bool same_line(const grid_point *a, const grid_point *b)
{
    for (int k = 0; k < GRID_SPLIT; k++)
        if (a->at[k] != b->at[k])
            return false;
    return true;
}

static void print_table(grid_console *console, const grid *g)
{
    size_t per_split = g->n / g->axes[GRID_SPLIT].n, done = 0, lines = 0;
    for (size_t i = 0; i < g->n; i++)
        done += g->points[i].state == GRID_DONE;
    if (console->lines > 0)
        fprintf(stderr, "\033[%zuA", console->lines);
    fprintf(stderr, "\033[K%-58s", "validation loss by split seed");
    for (size_t s = 0; s < g->axes[GRID_SPLIT].n; s++)
        fprintf(stderr, " %10s", g->axes[GRID_SPLIT].words[s]);
    fprintf(stderr, "\n");
    for (size_t i = 0; i < per_split; i++) {
        char text[120];
        setting_text(g, &g->points[i], text, sizeof text);
        fprintf(stderr, "\033[K%-58s", text);
        for (size_t j = i; j < g->n; j++) {
            if (!same_line(&g->points[i], &g->points[j]))
                continue;
            cell_text(g, &g->points[j], text, sizeof text);
            fprintf(stderr, " %10s", text);
        }
        fprintf(stderr, "\n");
        lines++;
    }
    fprintf(stderr, "\033[K%zu of %zu done\n", done, g->n);
    console->lines = lines + 2;
}

static void print_news(grid_console *console, const grid *g)
{
    size_t ended = 0, mine = 0;
    for (size_t i = 0; i < g->n; i++) {
        ended += console->told[i];
        mine += g->points[i].state != GRID_ELSEWHERE;
    }
    for (size_t i = 0; i < g->n; i++) {
        const grid_point *p = &g->points[i];
        if (console->told[i] || (p->state != GRID_DONE && p->state != GRID_FAILED))
            continue;
        console->told[i] = true;
        char text[40];
        cell_text(g, p, text, sizeof text);
        fprintf(stderr, "%zu/%zu  %s  %s%s%s\n", ++ended, mine, p->folder, text,
                p->state == GRID_FAILED ? ", see " : "", p->state == GRID_FAILED ? p->log : "");
    }
}

void grid_show(void *console_, const grid *g)
{
    grid_console *console = console_;
    if (console->quiet)
        return;
    if (console->terminal)
        print_table(console, g);
    else
        print_news(console, g);
}
