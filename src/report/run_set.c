#include "report/run_set.h"

#include "base/file.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { MAX_DEPTH = 2 };

/* ---- order ---- */

static int compare_numbers(double a, double b)
{
    return (a > b) - (a < b);
}

static int first_difference(const int *parts, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (parts[i])
            return parts[i];
    return 0;
}

/* The paper's order of models; others come behind. "wrn" is there twice over, with cutout last. */
static int place_of_model(const char *name)
{
    static const char *const families[] = { "vgg", "densenet",      "pyramidnet", "resnet_basic",
                                            "wrn", "resnet_preact", "shake" };
    const int n = (int)(sizeof families / sizeof *families);

    for (int i = 0; i < n; i++)
        if (strncmp(name, families[i], strlen(families[i])) == 0)
            return i;
    return n;
}

static int compare_models(const sl_tuning_run *a, const sl_tuning_run *b)
{
    const int parts[] = {
        place_of_model(a->model) - place_of_model(b->model),
        strcmp(a->model, b->model),
        strcmp(a->checkpoint, b->checkpoint),
    };

    return first_difference(parts, sizeof parts / sizeof *parts);
}

static int compare_groups(const sl_tuning_run *a, const sl_tuning_run *b)
{
    const int parts[] = { compare_models(a, b), compare_numbers(a->mixup, b->mixup),
                          (int)a->kind - (int)b->kind };

    return first_difference(parts, sizeof parts / sizeof *parts);
}

static int compare_settings(const sl_tuning_run *a, const sl_tuning_run *b)
{
    const int parts[] = {
        compare_groups(a, b),
        compare_numbers(b->lr, a->lr),
        compare_numbers((double)a->epochs, (double)b->epochs),
        compare_numbers((double)a->batch_size, (double)b->batch_size),
        compare_numbers(a->weight_decay, b->weight_decay),
        strcmp(a->augment, b->augment),
        compare_numbers((double)a->cutout, (double)b->cutout),
        compare_numbers(a->smoothing, b->smoothing),
        strcmp(b->precision, a->precision),
    };

    return first_difference(parts, sizeof parts / sizeof *parts);
}

static int compare_runs(const void *left, const void *right)
{
    const sl_tuning_run *a = left, *b = right;
    const int parts[] = { compare_settings(a, b),
                          compare_numbers((double)a->split_seed, (double)b->split_seed),
                          compare_numbers((double)a->seed, (double)b->seed) };

    return first_difference(parts, sizeof parts / sizeof *parts);
}

bool sl_run_same_model(const sl_tuning_run *a, const sl_tuning_run *b)
{
    return compare_models(a, b) == 0;
}

bool sl_run_same_group(const sl_tuning_run *a, const sl_tuning_run *b)
{
    return compare_groups(a, b) == 0;
}

bool sl_run_same_settings(const sl_tuning_run *a, const sl_tuning_run *b)
{
    return compare_settings(a, b) == 0;
}

bool sl_run_same_seeds(const sl_tuning_run *a, const sl_tuning_run *b)
{
    return a->split_seed == b->split_seed && a->seed == b->seed;
}

sl_run_span sl_run_span_first(sl_run_span all, sl_run_relation *same)
{
    size_t n = all.n > 0;

    while (n < all.n && same(&all.runs[0], &all.runs[n]))
        n++;
    return (sl_run_span){ all.runs, n };
}

sl_run_span sl_run_span_after(sl_run_span all, sl_run_span first)
{
    return (sl_run_span){ all.runs + first.n, all.n - first.n };
}

/* ---- reading ---- */

typedef struct {
    sl_run_set set;
    size_t capacity;
} reader;

/* Another kind of run, found by searching, is none of ours. */
static sl_status add_run(reader *r, const char *folder, bool searched, sl_error *err)
{
    const char *kept;
    sl_status st = sl_grow(&r->set.runs, &r->capacity, r->set.n + 1, sizeof *r->set.runs, err);

    if (!st)
        st = sl_arena_strdup(&r->set.memory, &kept, folder, err);
    if (!st)
        st = sl_tuning_run_read(&r->set.runs[r->set.n], kept, err);
    if (st == SL_EMISMATCH && searched)
        return SL_OK;
    r->set.n += !st;
    return st;
}

static int no_hidden(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

static sl_status search(reader *r, const char *folder, int depth, sl_error *err)
{
    struct dirent **names = NULL;
    struct stat info;
    const char *inside;
    sl_status st = sl_arena_printf(&r->set.memory, &inside, err, "%s/result.json", folder);

    if (st)
        return st;
    if (sl_file_exists(inside))
        return add_run(r, folder, depth > 0, err);
    if (depth == MAX_DEPTH)
        return SL_OK;
    const int n = scandir(folder, &names, no_hidden, alphasort);
    if (n < 0)
        return sl_io_error(err, folder, "read", errno);
    for (int i = 0; i < n; i++) {
        if (!st)
            st = sl_arena_printf(&r->set.memory, &inside, err, "%s/%s", folder, names[i]->d_name);
        if (!st && stat(inside, &info) == 0 && S_ISDIR(info.st_mode))
            st = search(r, inside, depth + 1, err);
        free(names[i]);
    }
    free(names);
    return st;
}

static sl_status read_path(reader *r, const char *path, sl_error *err)
{
    const size_t before = r->set.n;
    sl_status st = search(r, path, 0, err);

    if (st || r->set.n > before)
        return st;
    st = sl_error_set(err, SL_ENOTFOUND,
                      "no result.json here, so this isn't the folder of a finished run");
    return sl_error_at(err, st, "%s", path);
}

/* Neighbours, once sorted, must be different runs on the same data. */
static sl_status check_neighbours(const sl_tuning_run *a, const sl_tuning_run *b, sl_error *err)
{
    if (compare_runs(a, b) == 0)
        return sl_error_set(err, SL_EINVAL,
                            "'%s' and '%s' are runs of the same settings and seeds; give one",
                            a->folder, b->folder);
    if (sl_run_same_model(a, b) &&
        (strcmp(a->test, b->test) != 0 || strcmp(a->human, b->human) != 0))
        return sl_error_set(err, SL_EMISMATCH,
                            "'%s' and '%s' were scored on different data, so they can't stand in "
                            "one table",
                            a->folder, b->folder);
    return SL_OK;
}

sl_status sl_run_set_read(sl_run_set *out, const char *const *paths, size_t n, sl_error *err)
{
    reader r = { 0 };
    sl_status st = SL_OK;

    *out = (sl_run_set){ 0 };
    for (size_t i = 0; i < n && !st; i++)
        st = read_path(&r, paths[i], err);
    if (!st)
        qsort(r.set.runs, r.set.n, sizeof *r.set.runs, compare_runs);
    for (size_t i = 1; i < r.set.n && !st; i++)
        st = check_neighbours(&r.set.runs[i - 1], &r.set.runs[i], err);
    if (st)
        sl_run_set_release(&r.set);
    else
        *out = r.set;
    return st;
}

void sl_run_set_release(sl_run_set *set)
{
    for (size_t i = 0; i < set->n; i++)
        sl_tuning_run_release(&set->runs[i]);
    free(set->runs);
    sl_arena_release(&set->memory);
    *set = (sl_run_set){ 0 };
}
