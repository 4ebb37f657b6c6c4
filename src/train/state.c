#include "train/state.h"

#include "base/json.h"
#include "nn/safetensors.h"

#include <limits.h>
#include <math.h>
#include <stdlib.h>

enum { MAX_ARRAYS = 6 };

typedef struct {
    const char *name;
    float *data;
    size_t n;
} array;

static int list_arrays(const sl_train_state *s, array out[MAX_ARRAYS])
{
    size_t n_values = sl_graph_value_floats(s->params->graph);
    size_t n_buffers = sl_graph_buffer_floats(s->params->graph);
    int n = 0;

    out[n++] = (array){ "values", s->params->values, n_values };
    out[n++] = (array){ "buffers", s->params->buffers, n_buffers };
    out[n++] = (array){ "optimizer.0", s->optimizer->state[0], n_values };
    if (s->optimizer->n_state > 1)
        out[n++] = (array){ "optimizer.1", s->optimizer->state[1], n_values };
    if (s->best) {
        out[n++] = (array){ "best.values", s->best->values, n_values };
        out[n++] = (array){ "best.buffers", s->best->buffers, n_buffers };
    }
    return n;
}

/* The log's cells row by row, null where nothing was measured. */
static json_t *cells_to_json(const sl_metrics_log *log)
{
    json_t *cells = json_array();
    size_t n = log->n_rows * (size_t)log->n_columns;

    for (size_t i = 0; i < n; i++) {
        double v = log->cells[i];

        if (json_array_append_new(cells, isnan(v) ? json_null() : json_real(v))) {
            json_decref(cells);
            return NULL;
        }
    }
    return cells;
}

static sl_status cells_from_json(sl_metrics_log *log, const json_t *cells, sl_error *err)
{
    size_t width = (size_t)log->n_columns;
    double row[SL_METRICS_MAX_COLUMNS];

    sl_metrics_log_release(log);
    if (json_array_size(cells) % width)
        return sl_error_set(err, SL_EFORMAT, "metrics aren't whole rows of %zu", width);
    for (size_t i = 0; i < json_array_size(cells); i++) {
        const json_t *cell = json_array_get(cells, i);

        row[i % width] = json_is_number(cell) ? json_number_value(cell) : NAN;
        if (i % width == width - 1) {
            sl_status st = sl_metrics_log_add(log, row, err);

            if (st)
                return st;
        }
    }
    return SL_OK;
}

/* The tallies of the processes behind the first: [loss, hits, ...]. */
static json_t *tallies_to_json(const sl_train_state *s)
{
    json_t *list = json_array();

    for (int i = 1; i < s->processes; i++)
        if (json_array_append_new(list, json_real(s->tallies[i].loss)) ||
            json_array_append_new(list, json_integer((json_int_t)s->tallies[i].hits))) {
            json_decref(list);
            return NULL;
        }
    return list;
}

static sl_status tallies_from_json(sl_train_state *s, const json_t *list, sl_error *err)
{
    if (json_array_size(list) != 2 * (size_t)(s->processes - 1))
        return sl_error_set(err, SL_EFORMAT, "tallies of %zu processes, expected %d",
                            1 + json_array_size(list) / 2, s->processes);
    s->tallies[0] = s->sums.tally;
    for (int i = 1; i < s->processes; i++) {
        const json_t *loss = json_array_get(list, 2 * (size_t)i - 2);
        const json_t *hits = json_array_get(list, 2 * (size_t)i - 1);

        if (!json_is_number(loss) || !json_is_integer(hits) || json_integer_value(hits) < 0)
            return sl_error_set(err, SL_EFORMAT, "the tally of process %d isn't two numbers", i);
        s->tallies[i] = (sl_tally){ json_number_value(loss), (uint64_t)json_integer_value(hits) };
    }
    return SL_OK;
}

/* The state's numbers as JSON text, to be freed; NULL when memory is short. */
static char *numbers_text(const sl_train_state *s)
{
    json_t *cells = cells_to_json(s->log);
    json_t *json =
        cells ? json_pack("{s:i, s:I, s:f, s:I, s:I, s:i, s:f, s:I, s:o}", "epoch", s->epoch,
                          "batch", (json_int_t)s->batch, "loss_sum", s->sums.tally.loss, "hits",
                          (json_int_t)s->sums.tally.hits, "seen", (json_int_t)s->sums.seen,
                          "best_epoch", s->best_epoch, "seconds", s->seconds, "optimizer_steps",
                          (json_int_t)s->optimizer->steps, "metrics", cells)
              : NULL;
    json_t *tallies = json && s->processes > 1 ? tallies_to_json(s) : NULL;
    bool whole = json && (s->processes == 1 ||
                          (tallies && !json_object_set_new(json, "other_tallies", tallies)));
    char *text = whole ? json_dumps(json, JSON_COMPACT | JSON_REAL_PRECISION(17)) : NULL;

    json_decref(json);
    return text;
}

static sl_status numbers_from_json(sl_train_state *s, const json_t *json, sl_error *err)
{
    int64_t epoch = 0, batch = 0, hits = 0, seen = 0, best = 0, steps = 0;
    json_t *cells = NULL;
    struct {
        const char *key;
        int64_t min, max, *value;
    } const integers[] = {
        { "epoch", 0, INT_MAX, &epoch },      { "batch", 0, INT64_MAX, &batch },
        { "hits", 0, INT64_MAX, &hits },      { "seen", 0, INT64_MAX, &seen },
        { "best_epoch", -1, INT_MAX, &best }, { "optimizer_steps", 0, INT64_MAX, &steps },
    };
    sl_status st = SL_OK;

    for (size_t i = 0; i < sizeof integers / sizeof integers[0] && !st; i++)
        st = sl_json_get_int(json, integers[i].key, integers[i].min, integers[i].max,
                             integers[i].value, err);
    if (!st)
        st = sl_json_get_number(json, "loss_sum", &s->sums.tally.loss, err);
    if (!st)
        st = sl_json_get_number(json, "seconds", &s->seconds, err);
    if (!st)
        st = sl_json_get(json, "metrics", &cells, err);
    if (!st)
        st = cells_from_json(s->log, cells, err);
    if (st)
        return st;
    s->epoch = (int)epoch;
    s->batch = (uint64_t)batch;
    s->sums.tally.hits = (uint64_t)hits;
    s->sums.seen = (uint64_t)seen;
    s->best_epoch = (int)best;
    s->optimizer->steps = (uint64_t)steps;
    return tallies_from_json(s, json_object_get(json, "other_tallies"), err);
}

sl_status sl_train_state_write(const sl_train_state *state, const char *path, sl_error *err)
{
    array arrays[MAX_ARRAYS];
    sl_tensor_view views[MAX_ARRAYS];
    int n = list_arrays(state, arrays);
    char *text = numbers_text(state);
    json_t *metadata = text ? json_pack("{s:s}", "state", text) : NULL;
    sl_status st;

    if (!metadata) {
        st = sl_error_set(err, SL_ENOMEM, "not enough memory for the state of the run");
        goto done;
    }
    for (int i = 0; i < n; i++)
        views[i] = sl_tensor_view_vector(arrays[i].name, arrays[i].data, arrays[i].n);
    st = sl_safetensors_write(path, views, (size_t)n, metadata, err);
done:
    json_decref(metadata);
    free(text);
    return st;
}

static sl_status read_numbers(sl_train_state *state, const sl_safetensors *file, sl_error *err)
{
    const char *text = sl_safetensors_metadata(file, "state");
    json_t *json = text ? json_loads(text, JSON_REJECT_DUPLICATES, NULL) : NULL;
    sl_status st;

    if (!json)
        return sl_error_set(err, SL_EFORMAT, "holds no state of a run");
    st = numbers_from_json(state, json, err);
    json_decref(json);
    return st;
}

sl_status sl_train_state_read(sl_train_state *state, const char *path, sl_error *err)
{
    array arrays[MAX_ARRAYS];
    int n = list_arrays(state, arrays);
    sl_safetensors *file;
    sl_status st = sl_safetensors_read(&file, path, err); /* its errors say where */

    if (!st) {
        st = read_numbers(state, file, err);
        for (int i = 0; i < n && !st; i++)
            st = sl_safetensors_get_vector(file, arrays[i].name, arrays[i].n, arrays[i].data, err);
        sl_safetensors_close(file);
        if (st)
            sl_error_at(err, st, "%s", path);
    }
    if (st == SL_EFORMAT || st == SL_EMISMATCH)
        sl_error_at(err, st, "state of the run (remove it to start over)");
    return st;
}
