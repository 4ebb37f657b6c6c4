/* Talk and progress on stderr. */
#include "cli/cli.h"
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#define BAR_CELLS 20
#define BAR_INTERVAL_S 0.1
#define LINE_INTERVAL_S 10.0 /* off a terminal */

/* The one thing a signal handler can reach. */
static volatile sig_atomic_t interrupted;

static void on_interrupt(int number)
{
    (void)number;
    interrupted = 1;
}

bool cli_interrupted(void)
{
    return interrupted;
}

static double now_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int terminal_columns(void)
{
    struct winsize size;
    if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 20)
        return size.ws_col;
    return 80;
}

/* stderr's own lock keeps lines of loader threads and the bar apart. */
static void remove_bar(cli_console *console)
{
    if (console->bar)
        fputs("\r\033[K", stderr);
    console->bar = false;
}

static void log_line(void *user, sl_log_level level, const char *line)
{
    cli_console *console = user;
    if (level == SL_LOG_DEBUG || (console->quiet && level < SL_LOG_WARNING))
        return;
    flockfile(stderr);
    remove_bar(console);
    fprintf(stderr, level == SL_LOG_WARNING ? "softlabel: warning: %s\n" : "%s\n", line);
    funlockfile(stderr);
}

static const char *duration_text(double seconds, char buffer[24])
{
    if (!(seconds < 360000)) /* 100 hours */
        snprintf(buffer, 24, "?");
    else if (seconds >= 3600)
        snprintf(buffer, 24, "%d:%02d:%02d", (int)seconds / 3600, (int)seconds / 60 % 60,
                 (int)seconds % 60);
    else
        snprintf(buffer, 24, "%d:%02d", (int)seconds / 60, (int)seconds % 60);
    return buffer;
}

static const char *amount_text(double amount, char buffer[24])
{
    const char *prefix = "";
    if (amount >= 1e9) {
        amount /= 1e9;
        prefix = "G";
    } else if (amount >= 1e6) {
        amount /= 1e6;
        prefix = "M";
    }
    snprintf(buffer, 24, "%.*f%s", amount < 10 || *prefix ? 2 : 0, amount, prefix);
    return buffer;
}

/* "epoch 3/30  [#####...............]  25%  1234 images/s  0:31 left  loss 0.412" */
static void show(cli_console *console, const sl_progress *p, double now)
{
    char line[512], bar[BAR_CELLS + 1] = "", rate_part[64], left_part[40] = "", number[24];
    char share_part[40] = "";
    double elapsed = now - console->started;
    double rate = elapsed > 0 ? (double)(p->done - console->first) / elapsed : 0;

    if (p->total) {
        double share = p->done >= p->total ? 1 : (double)p->done / (double)p->total;
        int cells = (int)(share * BAR_CELLS);
        for (int i = 0; i < BAR_CELLS; i++)
            bar[i] = i < cells ? '#' : '.';
        bar[BAR_CELLS] = 0;
        if (console->terminal)
            snprintf(share_part, sizeof share_part, "  [%s] %3.0f%%", bar, 100 * share);
        else
            snprintf(share_part, sizeof share_part, "  %.0f%%", 100 * share);
        double left = p->done >= p->total ? 0 : (double)(p->total - p->done) / rate;
        if (rate > 0)
            snprintf(left_part, sizeof left_part, "  %s left", duration_text(left, number));
    }
    snprintf(rate_part, sizeof rate_part, "  %s %.20s/s", amount_text(rate, number), p->unit);
    snprintf(line, sizeof line, "%s%s%s%s%s%s", p->task, share_part, rate_part, left_part,
             *p->detail ? "  " : "", p->detail);
    if (console->terminal)
        fprintf(stderr, "\r%.*s\033[K", terminal_columns() - 1, line);
    else
        fprintf(stderr, "%s\n", line);
    fflush(stderr);
    console->bar = console->terminal;
}

bool cli_progress(void *user, const sl_progress *progress)
{
    cli_console *console = user;
    if (console->quiet)
        return interrupted;
    double now = now_s();
    flockfile(stderr);
    if (strncmp(console->task, progress->task, sizeof console->task - 1) != 0 ||
        progress->done < console->first) {
        snprintf(console->task, sizeof console->task, "%s", progress->task);
        console->started = now;
        console->first = progress->done;
        if (console->shown == 0) /* the first line off a terminal comes after an interval */
            console->shown = now;
    }
    if (now - console->shown >= (console->terminal ? BAR_INTERVAL_S : LINE_INTERVAL_S)) {
        console->shown = now;
        show(console, progress, now);
    }
    funlockfile(stderr);
    return interrupted;
}

void cli_console_start(cli_console *console, bool quiet)
{
    *console = (cli_console){ .quiet = quiet, .terminal = isatty(STDERR_FILENO) == 1 };
    sl_log_set_sink(log_line, console);
    /* SA_RESETHAND: the second Ctrl-C ends the process whatever it is doing. */
    struct sigaction action = { .sa_handler = on_interrupt, .sa_flags = (int)SA_RESETHAND };
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

void cli_console_stop(cli_console *console)
{
    sl_log_set_sink(NULL, NULL);
    flockfile(stderr);
    remove_bar(console);
    funlockfile(stderr);
}
