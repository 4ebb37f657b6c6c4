/* Which models an attack is about. */
#include "cli/attack.h"

#include "base/file.h"
#include "report/pick.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static sl_status add(cli_attack_models *models, const char *path, sl_error *err)
{
    for (size_t i = 0; i < models->n; i++)
        if (strcmp(models->paths[i], path) == 0)
            return SL_OK;
    sl_status st =
        sl_grow(&models->paths, &models->capacity, models->n + 1, sizeof *models->paths, err);

    if (!st)
        models->paths[models->n++] = path;
    return st;
}

static sl_status add_best(cli_attack_models *models, const char *folder, sl_error *err)
{
    const char *path;
    sl_status st = sl_arena_printf(&models->memory, &path, err, "%s/best.safetensors", folder);

    return st ? st : add(models, path, err);
}

/* The runs of a group that table 3 shows: the paper's pick, and of each seed that of the learning
 * rate chosen on the others. */
static sl_status add_group(cli_attack_models *models, sl_run_span group, sl_error *err)
{
    sl_pick *picks;
    size_t n = 0;
    sl_status st = sl_alloc(&picks, group.n, sizeof *picks, err);

    if (!st)
        st = sl_pick_on_other_seeds(group, SL_PICK_LR, picks, &n, err);
    if (!st)
        st = add_best(models, sl_pick_lowest(group)->folder, err);
    for (size_t i = 0; i < n && !st; i++)
        st = add_best(models, picks[i].run->folder, err);
    free(picks);
    return st;
}

static sl_status add_selected(cli_attack_models *models, const char *folder, sl_error *err)
{
    sl_run_set set;
    sl_status st = sl_run_set_read(&set, &folder, 1, err);
    sl_run_span rest = { set.runs, set.n }, group;

    for (; rest.n && !st; rest = sl_run_span_after(rest, group)) {
        group = sl_run_span_first(rest, sl_run_same_group);
        if (!(group.runs->mixup > 0))
            st = add_group(models, group, err);
    }
    sl_run_set_release(&set);
    return st;
}

static sl_status add_given(cli_attack_models *models, const char *given, sl_error *err)
{
    const char *best;
    struct stat info;

    if (stat(given, &info) != 0 || !S_ISDIR(info.st_mode))
        return add(models, given, err);
    sl_status st = sl_arena_printf(&models->memory, &best, err, "%s/best.safetensors", given);
    if (st)
        return st;
    return sl_file_exists(best) ? add(models, best, err) : add_selected(models, given, err);
}

sl_status cli_attack_models_find(cli_attack_models *out, char *const *given, size_t n,
                                 sl_error *err)
{
    sl_status st = SL_OK;

    *out = (cli_attack_models){ 0 };
    for (size_t i = 0; i < n && !st; i++)
        st = add_given(out, given[i], err);
    if (st)
        cli_attack_models_release(out);
    return st;
}

void cli_attack_models_release(cli_attack_models *models)
{
    free(models->paths);
    sl_arena_release(&models->memory);
    *models = (cli_attack_models){ 0 };
}
