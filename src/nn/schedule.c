#include "nn/schedule.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Where one-cycle starts, as a share of its highest rate: PyTorch's div_factor. */
static const double ONE_CYCLE_START = 1.0 / 25;

static double multistep(const sl_schedule *s, uint64_t epoch)
{
    double lr = s->lr;

    for (int i = 0; i < s->n_milestones; i++)
        if (epoch >= (uint64_t)s->milestones[i])
            lr *= s->decay;
    return lr;
}

static double cosine(double lr, double share)
{
    return 0.5 * lr * (1 + cos(M_PI * share));
}

static double one_cycle(const sl_schedule *s, double step, double steps, double steps_per_epoch)
{
    double warmup = s->warmup * steps_per_epoch;
    double share;

    if (step < warmup)
        return s->lr * (ONE_CYCLE_START + (1 - ONE_CYCLE_START) * step / warmup);
    share = steps > warmup ? (step - warmup) / (steps - warmup) : 1;
    return s->linear ? s->lr * (1 - share) : cosine(s->lr, share);
}

double sl_schedule_lr_at(const sl_schedule *schedule, uint64_t step, uint64_t steps_per_epoch)
{
    double steps = (double)schedule->epochs * (double)steps_per_epoch;

    switch (schedule->kind) {
    case SL_SCHEDULE_CONSTANT:
        return schedule->lr;
    case SL_SCHEDULE_MULTISTEP:
        return multistep(schedule, step / steps_per_epoch);
    case SL_SCHEDULE_COSINE:
        return cosine(schedule->lr, (double)step / steps);
    case SL_SCHEDULE_ONE_CYCLE:
        return one_cycle(schedule, (double)step, steps, (double)steps_per_epoch);
    }
    return schedule->lr;
}

/* A finite number at *text, of which *text is then behind; false if there is none. */
static bool take_number(const char **text, double *out)
{
    char *end;

    if (**text != '.' && (**text < '0' || **text > '9'))
        return false;
    *out = strtod(*text, &end);
    *text = end;
    return isfinite(*out);
}

static bool take_text(const char **text, const char *expected)
{
    size_t n = strlen(expected);

    if (strncmp(*text, expected, n) != 0)
        return false;
    *text += n;
    return true;
}

/* ":80,120:0.1" */
static bool take_multistep(sl_schedule *s, const char **text)
{
    if (!take_text(text, ":"))
        return false;
    do {
        double epoch;
        int before = s->n_milestones ? s->milestones[s->n_milestones - 1] : 0;

        if (s->n_milestones == SL_SCHEDULE_MAX_MILESTONES || !take_number(text, &epoch) ||
            !(epoch > before && epoch <= 1e6) || epoch != floor(epoch))
            return false;
        s->milestones[s->n_milestones++] = (int)epoch;
    } while (take_text(text, ","));
    return take_text(text, ":") && take_number(text, &s->decay) && s->decay > 0;
}

/* ":5:cosine" */
static bool take_one_cycle(sl_schedule *s, const char **text)
{
    if (!take_text(text, ":") || !take_number(text, &s->warmup) || s->warmup > s->epochs)
        return false;
    s->linear = take_text(text, ":linear");
    return s->linear || take_text(text, ":cosine");
}

sl_status sl_schedule_parse(sl_schedule *out, const char *text, double lr, int epochs,
                            sl_error *err)
{
    sl_schedule s = { .lr = lr, .epochs = epochs };
    const char *rest = text;
    bool good = false;

    if (!(lr >= 0 && isfinite(lr)))
        return sl_error_set(err, SL_EINVAL, "learning rate %g, expected a number >= 0", lr);
    if (epochs < 1)
        return sl_error_set(err, SL_EINVAL, "%d epochs, expected at least 1", epochs);

    if (take_text(&rest, "constant")) {
        s.kind = SL_SCHEDULE_CONSTANT;
        good = true;
    } else if (take_text(&rest, "cosine")) {
        s.kind = SL_SCHEDULE_COSINE;
        good = true;
    } else if (take_text(&rest, "multistep")) {
        s.kind = SL_SCHEDULE_MULTISTEP;
        good = take_multistep(&s, &rest);
    } else if (take_text(&rest, "onecycle")) {
        s.kind = SL_SCHEDULE_ONE_CYCLE;
        good = take_one_cycle(&s, &rest);
    }
    if (!good || *rest)
        return sl_error_set(err, SL_EINVAL,
                            "schedule '%s', expected 'constant', 'multistep:80,120:0.1' (rising "
                            "epochs, factor), 'cosine' or 'onecycle:5:cosine' (warm-up within the "
                            "%d epochs; cosine or linear)",
                            text, epochs);
    *out = s;
    return SL_OK;
}

const char *sl_schedule_text(const sl_schedule *schedule, char *buffer, size_t size)
{
    const sl_schedule *s = schedule;
    size_t used;

    switch (s->kind) {
    case SL_SCHEDULE_CONSTANT:
        snprintf(buffer, size, "constant");
        break;
    case SL_SCHEDULE_COSINE:
        snprintf(buffer, size, "cosine");
        break;
    case SL_SCHEDULE_ONE_CYCLE:
        snprintf(buffer, size, "onecycle:%.15g:%s", s->warmup, s->linear ? "linear" : "cosine");
        break;
    case SL_SCHEDULE_MULTISTEP:
        snprintf(buffer, size, "multistep");
        for (int i = 0; i < s->n_milestones; i++) {
            used = strlen(buffer);
            snprintf(buffer + used, size - used, "%c%d", i ? ',' : ':', s->milestones[i]);
        }
        used = strlen(buffer);
        snprintf(buffer + used, size - used, ":%.15g", s->decay);
        break;
    }
    return buffer;
}
