/* What a program's steps cost: time by kind and by operation, with the rate of arithmetic or of
 * memory that it comes to, and what the arena holds where it is fullest. */
#include "nn/program.h"

#include <stdio.h>
#include <string.h>

typedef struct {
    void (*emit)(void *user, const char *line);
    void *user;
} output;

/* Operations are counted together that are alike in this. */
typedef bool alike(const sl_op *a, const sl_op *b);

static bool same_kind(const sl_op *a, const sl_op *b)
{
    return a->kind == b->kind && a->kernel == b->kernel;
}

static bool same_shape(const sl_op *a, const sl_op *b)
{
    return same_kind(a, b) && a->stride == b->stride && a->relu == b->relu && a->x.c == b->x.c &&
           a->x.h == b->x.h && a->x.w == b->x.w && a->y.c == b->y.c;
}

/* Of convolutions and the linear layer, a multiply-add being two; else 0. */
static double flops_of(const sl_op *op)
{
    double images = op->y.n, filters = op->y.c, inputs = op->x.c;
    switch (op->kind) {
    case SL_OP_CONV:
    case SL_OP_CONV_BWD_DATA:
    case SL_OP_CONV_BWD_WEIGHTS:
        return 2 * images * op->y.h * op->y.w * filters * inputs * op->kernel * op->kernel;
    case SL_OP_LINEAR:
        return 2 * images * filters * inputs;
    case SL_OP_LINEAR_BWD:
        return 4 * images * filters * inputs;
    default:
        return 0;
    }
}

static double bytes_without_others(sl_desc d)
{
    d.stored = 0; /* of a wider activation, only what is used */
    return (double)sl_desc_bytes(&d);
}

/* Of the activations that a step reads and writes, each once. */
static double bytes_of(const sl_program *p, const sl_step *step)
{
    const sl_op *op = &step->op;
    double x = bytes_without_others(op->x), y = bytes_without_others(op->y), sum = 0;
    bool part = op->kind == SL_OP_CONCAT || op->kind == SL_OP_CONCAT_BWD;
    double most = part || x > y ? x : y;
    for (int i = 0; i < SL_OP_MAX_IN + SL_OP_MAX_OUT; i++) {
        int b = i < SL_OP_MAX_IN ? step->in[i] : step->out[i - SL_OP_MAX_IN];
        if (b < 0 || p->buffers[b].place != SL_PLACE_ARENA)
            continue;
        double bytes = (double)p->buffers[b].bytes;
        sum += bytes < most ? bytes : most;
    }
    return sum;
}

typedef struct {
    int steps;
    double seconds, flops, bytes;
} sums;

static sums sum_alike(const sl_program *p, const sl_op *op, alike *are_alike)
{
    sums s = { 0 };
    for (size_t i = 0; i < p->n_steps; i++) {
        if (!are_alike(&p->steps[i].op, op))
            continue;
        s.steps++;
        s.seconds += p->steps[i].seconds;
        s.flops += flops_of(&p->steps[i].op);
        s.bytes += bytes_of(p, &p->steps[i]);
    }
    return s;
}

static bool is_first(const sl_program *p, size_t step, alike *are_alike)
{
    for (size_t i = 0; i < step; i++) {
        if (are_alike(&p->steps[i].op, &p->steps[step].op))
            return false;
    }
    return true;
}

/* Of all that was timed. */
static double total_seconds(const sl_program *p)
{
    double total = p->load_seconds;
    for (size_t i = 0; i < p->n_steps; i++)
        total += p->steps[i].seconds;
    return total;
}

/* One line for each group of operations, in the order in which they come first. */
static void show_times(const sl_program *p, double total, alike *are_alike, const output *to)
{
    for (size_t i = 0; i < p->n_steps && total > 0; i++) {
        const sl_op *op = &p->steps[i].op;
        if (!is_first(p, i, are_alike))
            continue;
        sums s = sum_alike(p, op, are_alike);
        double seconds = s.seconds / (double)p->timed_runs;
        bool counted = s.flops > 0;
        char text[96], line[200];
        sl_op_text(op, text, sizeof text);
        if (are_alike == same_kind)
            text[strcspn(text, op->kernel ? "/" : " +")] = 0; /* the first two words, or one */
        snprintf(line, sizeof line, "%9.3f ms %5.1f %% %4d x %7.1f %-7s  %s", 1e3 * seconds,
                 100 * s.seconds / total, s.steps,
                 (counted ? s.flops : s.bytes) / (seconds > 0 ? seconds : 1) * 1e-9,
                 counted ? "GFLOP/s" : "GB/s", text);
        to->emit(to->user, line);
    }
}

/* Bytes of the arena's buffers that hold something in a step; with op, of those that an operation
 * of its kind is the first to write. */
static size_t held_bytes(const sl_program *p, int step, const sl_op *op)
{
    size_t bytes = 0;
    for (size_t b = 0; b < p->n_buffers; b++) {
        const sl_buffer *buffer = &p->buffers[b];
        bool held = buffer->place == SL_PLACE_ARENA && buffer->alias_of < 0 &&
                    buffer->first <= step && step <= buffer->last;
        if (held && (!op || (buffer->first >= 0 && same_kind(&p->steps[buffer->first].op, op))))
            bytes += buffer->bytes;
    }
    return bytes;
}

static double mib(size_t bytes)
{
    return (double)bytes / (1 << 20);
}

static void show_memory(const sl_program *p, const output *to)
{
    size_t most = 0;
    int fullest = 0;
    for (int s = 0; s < (int)p->n_steps; s++) {
        size_t held = held_bytes(p, s, NULL);
        if (held > most) {
            most = held;
            fullest = s;
        }
    }
    char text[96], line[200];
    snprintf(line, sizeof line,
             "%9.1f MiB of activations at most, in %s; arena %.1f MiB, written by", mib(most),
             sl_op_text(&p->steps[fullest].op, text, sizeof text), mib(p->arena_bytes));
    to->emit(to->user, line);
    for (size_t i = 0; i < p->n_steps; i++) {
        size_t held = held_bytes(p, fullest, &p->steps[i].op);
        if (held == 0 || !is_first(p, i, same_kind))
            continue;
        sl_op_text(&p->steps[i].op, text, sizeof text);
        text[strcspn(text, p->steps[i].op.kernel ? "/" : " +")] = 0;
        snprintf(line, sizeof line, "%9.1f MiB  %s", mib(held), text);
        to->emit(to->user, line);
    }
}

/* Where it counts: on devices that pack each weight by itself. */
static void show_loading(const sl_program *p, double total, const output *to)
{
    char line[200];
    snprintf(line, sizeof line, "%9.3f ms %5.1f %%  packing weights",
             1e3 * p->load_seconds / (double)p->timed_runs, 100 * p->load_seconds / total);
    if (p->load_seconds > 1e-3 * total)
        to->emit(to->user, line);
}

void sl_program_profile(const sl_program *p, void (*emit)(void *, const char *), void *user)
{
    const output to = { emit, user };
    const double total = total_seconds(p);
    char line[200];
    snprintf(line, sizeof line,
             "by kind, of one pass (%.3f ms):", 1e3 * total / (double)p->timed_runs);
    emit(user, line);
    show_times(p, total, same_kind, &to);
    show_loading(p, total, &to);
    emit(user, "by operation:");
    show_times(p, total, same_shape, &to);
    show_memory(p, &to);
}
