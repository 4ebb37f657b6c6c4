#include "report/figure.h"

#include "base/file.h"
#include "base/memory.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define MAX_FILES 24
#define LOG "gnuplot.log"

extern char **environ;

struct sl_figure {
    sl_arena memory;
    const char *folder, *name, *aside; /* aside: the folder where it is made */
    FILE *script, *data;
    const char *files[MAX_FILES]; /* of aside, in the order they are moved */
    int n_files;
};

static const char *const formats[] = { "svg", "pdf", "png" };

/* ---- files ---- */

static sl_status in_folder(sl_figure *f, const char **out, const char *folder, const char *file,
                           sl_error *err)
{
    return sl_arena_printf(&f->memory, out, err, "%s/%s", folder, file);
}

/* Notes aside/name.suffix, and opens it if stream isn't NULL. */
static sl_status add_file(sl_figure *f, const char *suffix, FILE **stream, sl_error *err)
{
    const char *path;
    if (f->n_files == MAX_FILES)
        return sl_error_set(err, SL_EINVAL, "a figure has at most %d files", MAX_FILES);
    sl_status st =
        sl_arena_printf(&f->memory, &f->files[f->n_files], err, "%s.%s", f->name, suffix);
    if (st)
        return st;
    st = in_folder(f, &path, f->aside, f->files[f->n_files++], err);
    if (st || !stream)
        return st;
    *stream = fopen(path, "wbe");
    return *stream ? SL_OK : sl_io_error(err, path, "made", errno);
}

static sl_status close_file(FILE **stream, sl_error *err)
{
    FILE *file = *stream;
    *stream = NULL;
    if (!file)
        return SL_OK;
    const int bad = ferror(file);
    return fclose(file) || bad ? sl_io_error(err, "a figure's file", "written", errno) : SL_OK;
}

static sl_status split_path(sl_figure *f, const char *path, sl_error *err)
{
    const char *slash = strrchr(path, '/');
    const char *name = slash ? slash + 1 : path;
    for (const char *c = name; *c; c++)
        if (!isalnum((unsigned char)*c) && !strchr("_-.", *c))
            return sl_error_set(err, SL_EINVAL,
                                "'%s' can't be a figure's name; use letters, digits, '_', '-', '.'",
                                name);
    if (!*name || *name == '.')
        return sl_error_set(err, SL_EINVAL, "'%s' doesn't end in a figure's name", path);
    sl_status st = sl_arena_strdup(&f->memory, &f->name, name, err);
    if (!st && slash)
        st = sl_arena_printf(&f->memory, &f->folder, err, "%.*s",
                             slash == path ? 1 : (int)(slash - path), path);
    else if (!st)
        f->folder = ".";
    return st;
}

/* Terminals, then whatever comes; the script loads itself once for each format. */
static void begin_script(sl_figure *f, double width_cm, double height_cm)
{
    const double pt = 72 / 2.54; /* points a cm */
    fprintf(f->script,
            "# Drawn again by:  gnuplot %s.gp\n"
            "name = \"%s\"\n"
            "if (!exists(\"format\")) {\n"
            "    do for [format in \"svg pdf png\"] { load name.\".gp\" }\n"
            "    exit\n"
            "}\n"
            "reset\n"
            "set encoding utf8\n"
            "if (format eq \"svg\") { set terminal svg noenhanced size %.0f,%.0f "
            "font \"Helvetica,9\" background \"white\" }\n"
            "if (format eq \"pdf\") { set terminal pdfcairo noenhanced size %gcm,%gcm "
            "font \"Helvetica,9\" }\n"
            "if (format eq \"png\") { set terminal pngcairo noenhanced size %.0f,%.0f fontscale 2 "
            "linewidth 2 pointscale 2 font \"Helvetica,9\" background \"white\" }\n"
            "set output name.\".\".format\n\n",
            f->name, f->name, width_cm * pt, height_cm * pt, width_cm, height_cm, 2 * width_cm * pt,
            2 * height_cm * pt);
}

sl_status sl_figure_create(sl_figure **out, const char *path, double width_cm, double height_cm,
                           sl_error *err)
{
    sl_figure *f;
    char *aside;
    *out = NULL;
    sl_status st = sl_alloc(&f, 1, sizeof *f, err);
    if (st)
        return st;
    st = split_path(f, path, err);
    if (!st)
        st = sl_make_directories(f->folder, err);
    if (!st)
        st = sl_arena_printf(&f->memory, (const char **)&aside, err, "%s/.%s-XXXXXX", f->folder,
                             f->name);
    if (!st && !mkdtemp(aside))
        st = sl_io_error(err, f->folder, "written to", errno);
    else if (!st)
        f->aside = aside;
    if (!st)
        st = add_file(f, "gp", &f->script, err);
    if (st) {
        sl_figure_destroy(f);
        return st;
    }
    begin_script(f, width_cm, height_cm);
    *out = f;
    return SL_OK;
}

void sl_figure_destroy(sl_figure *f)
{
    const char *path;
    if (!f)
        return;
    if (f->script)
        fclose(f->script);
    if (f->data)
        fclose(f->data);
    for (int i = 0; i < f->n_files && f->aside; i++)
        if (!in_folder(f, &path, f->aside, f->files[i], NULL))
            unlink(path);
    if (f->aside) {
        if (!in_folder(f, &path, f->aside, LOG, NULL))
            unlink(path);
        rmdir(f->aside);
    }
    sl_arena_release(&f->memory);
    free(f);
}

FILE *sl_figure_script(sl_figure *f)
{
    return f->script;
}

sl_status sl_figure_data(sl_figure *f, const char *suffix, FILE **out, sl_error *err)
{
    *out = NULL;
    sl_status st = close_file(&f->data, err);
    if (!st)
        st = add_file(f, suffix, &f->data, err);
    *out = f->data;
    return st;
}

/* Backquotes would run a command. */
static bool can_be_shown(char c)
{
    return (unsigned char)c >= ' ' && c != 127 && c != '`';
}

void sl_figure_put_text(FILE *script, const char *text)
{
    fputc('\'', script);
    for (; *text; text++) {
        if (*text == '\'')
            fputs("''", script);
        else if (can_be_shown(*text))
            fputc(*text, script);
    }
    fputc('\'', script);
}

void sl_figure_put_data_text(FILE *data, const char *text)
{
    fputc('"', data);
    for (; *text; text++)
        if (can_be_shown(*text) && *text != '"' && *text != '\\')
            fputc(*text, data);
    fputc('"', data);
}

/* ---- drawing ---- */

/* The first line that gnuplot had to say, of interest where it names a place in the script. */
static void read_log(const char *path, char line[200])
{
    FILE *file = fopen(path, "rbe");
    line[0] = 0;
    while (file && fgets(line, 200, file) && line[strspn(line, " \t^\n")] == 0)
        ;
    if (file)
        fclose(file);
    line[strcspn(line, "\n")] = 0;
}

static sl_status run_gnuplot(sl_figure *f, sl_error *err)
{
    char gnuplot[] = "gnuplot", line[200];
    const char *script, *log;
    posix_spawn_file_actions_t actions;
    pid_t pid;
    int status = 0;
    sl_status st = sl_arena_printf(&f->memory, &script, err, "%s.gp", f->name);
    if (!st)
        st = in_folder(f, &log, f->aside, LOG, err);
    if (st)
        return st;
    char *const words[] = { gnuplot, (char *)script, NULL };
    if (posix_spawn_file_actions_init(&actions))
        return sl_error_set(err, SL_ENOMEM, "not enough memory to start gnuplot");
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, log, O_WRONLY | O_CREAT, 0666);
    posix_spawn_file_actions_adddup2(&actions, STDOUT_FILENO, STDERR_FILENO);
    posix_spawn_file_actions_addchdir_np(&actions, f->aside);
    const int failed = posix_spawnp(&pid, gnuplot, &actions, NULL, words, environ);
    posix_spawn_file_actions_destroy(&actions);
    if (failed == ENOENT)
        return sl_error_set(err, SL_ENOTFOUND,
                            "gnuplot isn't here; install it (Debian: gnuplot-nox)");
    if (failed)
        return sl_error_set(err, SL_EIO, "gnuplot can't be started (%s)", strerror(failed));
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return SL_OK;
    read_log(log, line);
    return sl_error_set(err, SL_EIO, "gnuplot failed%s%s", *line ? ": " : "", line);
}

sl_status sl_figure_draw(sl_figure *f, sl_error *err)
{
    const char *from, *to;
    struct stat info;
    sl_status st = close_file(&f->script, err);
    if (!st)
        st = close_file(&f->data, err);
    for (size_t i = 0; i < sizeof formats / sizeof *formats && !st; i++)
        st = add_file(f, formats[i], NULL, err);
    if (!st)
        st = run_gnuplot(f, err);
    for (int i = 0; i < f->n_files && !st; i++) {
        st = in_folder(f, &from, f->aside, f->files[i], err);
        if (!st && (stat(from, &info) || info.st_size == 0))
            st = sl_error_set(err, SL_EIO, "gnuplot didn't write '%s'", f->files[i]);
    }
    for (int i = 0; i < f->n_files && !st; i++) {
        st = in_folder(f, &from, f->aside, f->files[i], err);
        if (!st)
            st = in_folder(f, &to, f->folder, f->files[i], err);
        if (!st && rename(from, to))
            st = sl_io_error(err, to, "put into place", errno);
    }
    return st;
}
