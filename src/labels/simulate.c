/* People who draw from known distributions, so that what is estimated has a truth to be held to. */
#include "base/memory.h"
#include "base/random.h"
#include "labels/raw_write.h"
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

/* Reaction times in ms: log-normal about a median; spammers don't look. */
#define MEDIAN_MS 1200.0
#define SPREAD 0.5
#define SPAM_MS 180.0
#define BETWEEN_TRIALS_MS 500.0

typedef enum { ORDINARY, SPAMMER, DROP_OUT, REPEATER } role;
static const char *const role_names[] = { "ordinary", "spammer", "drop_out", "repeater" };

typedef struct {
    const sl_simulation *o;
    FILE *out;
    const double *p;
    size_t n_images;
    int n_classes;
    const char *const *names;
    uint32_t *deck; /* (n_images) */
    size_t dealt;   /* of the deck */
    uint32_t deck_number;
    uint32_t *seen_by; /* (n_images) number + 1 of the person who saw it last */
    uint8_t *roles;    /* (people) */
} simulation;

sl_simulation sl_simulation_default(void)
{
    return (sl_simulation){ .people = 2571, .trials = 200, .checks = 10, .spammers = 14 };
}

static sl_status check(const sl_simulation *o, size_t n_images, int n_classes, sl_error *err)
{
    if (n_classes < 2 || n_classes > 255 || n_images < 1 || n_images > UINT32_MAX)
        return sl_error_set(err, SL_EINVAL, "%zu images of %d classes can't be judged", n_images,
                            n_classes);
    if (o->people < 1 || o->people > 10000000 || o->trials < 1 || o->trials > n_images)
        return sl_error_set(err, SL_EINVAL,
                            "%zu people with %zu images each, expected at least 1 of both and no "
                            "more images than there are (%zu)",
                            o->people, o->trials, n_images);
    if (o->checks > o->trials || 2 * (o->trials + o->checks) > SL_RAW_MAX_INDEX)
        return sl_error_set(err, SL_EINVAL, "%zu attention checks among %zu trials", o->checks,
                            o->trials);
    if (o->spammers > o->people || o->drop_outs > o->people || o->repeaters > o->people ||
        o->spammers + o->drop_outs + o->repeaters > o->people)
        return sl_error_set(err, SL_EINVAL, "more people planted than there are (%zu)", o->people);
    if (!(o->skill_sd >= 0 && o->skill_sd <= 10) || !(o->lapse >= 0 && o->lapse <= 1))
        return sl_error_set(err, SL_EINVAL, "skill sd %g or lapse %g out of range", o->skill_sd,
                            o->lapse);
    return SL_OK;
}

/* The next image that the person hasn't seen; a deck is dealt to its end before the next one. */
static uint32_t deal(simulation *s, uint32_t person)
{
    if (s->dealt == s->n_images) {
        sl_random r = sl_random_stream(s->o->seed, SL_RANDOM_JUDGE, UINT32_MAX, s->deck_number++);
        sl_random_shuffle(&r, s->deck, s->n_images);
        s->dealt = 0;
    }
    size_t at = s->dealt;
    while (at + 1 < s->n_images && s->seen_by[s->deck[at]] == person + 1)
        at++;
    const uint32_t image = s->deck[at];
    s->deck[at] = s->deck[s->dealt];
    s->deck[s->dealt++] = image;
    s->seen_by[image] = person + 1;
    return image;
}

static int most_probable(const double *row, int n)
{
    int best = 0;
    for (int k = 1; k < n; k++)
        if (row[k] > row[best])
            best = k;
    return best;
}

/* A class in proportion to p^skill. */
static int draw(sl_random *r, const double *row, int n, double skill)
{
    double w[255], sum = 0;
    int last = 0;
    for (int k = 0; k < n; k++) {
        w[k] = !(row[k] > 0) ? 0 : skill == 1 ? row[k] : pow(row[k], skill);
        sum += w[k];
        if (w[k] > 0)
            last = k;
    }
    double u = sl_random_unit(r) * sum;
    for (int k = 0; k < last; k++) {
        u -= w[k];
        if (u < 0)
            return k;
    }
    return last;
}

static void take_part(simulation *s, uint32_t person, uint32_t time)
{
    const sl_simulation *o = s->o;
    const bool spams = s->roles[person] == SPAMMER;
    sl_random r = sl_random_stream(o->seed, SL_RANDOM_JUDGE, person, time);
    const double skill = exp(o->skill_sd * sl_random_normal(&r));
    const size_t n = o->trials + o->checks;
    const size_t stops = s->roles[person] == DROP_OUT ? n / 2 : n;
    char id[16];
    const int length = snprintf(id, sizeof id, "%" PRIu32, person);
    sl_raw_trial t = { .annotator = { id, (size_t)length } };
    for (size_t i = 0; i < stops; i++) {
        /* Checks are spread evenly: one after every trials/checks images. */
        t.index = (int64_t)i;
        t.check = (i + 1) * o->checks / n > i * o->checks / n;
        const bool lapses = spams || sl_random_unit(&r) < o->lapse;
        t.choice = (int)sl_random_below(&r, (uint32_t)s->n_classes);
        if (t.check) {
            t.image = SL_RAW_NO_IMAGE;
            t.truth = (int)sl_random_below(&r, (uint32_t)s->n_classes);
            if (!lapses)
                t.choice = t.truth;
        } else {
            t.image = deal(s, person);
            const double *row = s->p + (size_t)t.image * (size_t)s->n_classes;
            t.truth = most_probable(row, s->n_classes);
            if (!lapses)
                t.choice = draw(&r, row, s->n_classes, skill);
        }
        t.reaction_ms = floor((spams ? SPAM_MS : MEDIAN_MS) * exp(SPREAD * sl_random_normal(&r)));
        t.elapsed_ms += t.reaction_ms + BETWEEN_TRIALS_MS;
        sl_raw_put(s->out, &t, s->names, "");
    }
}

/* Who is what: the planted come first in a shuffled list. */
static sl_status plant(simulation *s, sl_error *err)
{
    const sl_simulation *o = s->o;
    uint32_t *order;
    sl_random r = sl_random_stream(o->seed, SL_RANDOM_JUDGE, UINT32_MAX, UINT32_MAX);
    sl_status st = sl_alloc(&order, o->people, sizeof *order, err);
    if (st)
        return st;
    for (size_t i = 0; i < o->people; i++)
        order[i] = (uint32_t)i;
    sl_random_shuffle(&r, order, o->people);
    const size_t n[] = {
        [SPAMMER] = o->spammers, [DROP_OUT] = o->drop_outs, [REPEATER] = o->repeaters
    };
    size_t next = 0;
    for (uint8_t what = SPAMMER; what <= REPEATER; what++)
        for (size_t i = 0; i < n[what]; i++)
            s->roles[order[next++]] = what;
    free(order);
    return SL_OK;
}

static void tell_planted(const simulation *s, FILE *out)
{
    fputs("annotator_id,what\n", out);
    for (size_t i = 0; i < s->o->people; i++)
        if (s->roles[i] != ORDINARY)
            fprintf(out, "%zu,%s\n", i, role_names[s->roles[i]]);
}

sl_status sl_simulate(FILE *out, FILE *planted, const double *p, size_t n_images, int n_classes,
                      const char *const *class_names, const sl_simulation *o, sl_error *err)
{
    simulation s = { .o = o,
                     .out = out,
                     .p = p,
                     .n_images = n_images,
                     .n_classes = n_classes,
                     .names = class_names,
                     .dealt = n_images };
    sl_status st = check(o, n_images, n_classes, err);
    if (!st)
        st = sl_alloc(&s.deck, n_images, sizeof *s.deck, err);
    if (!st)
        st = sl_alloc(&s.seen_by, n_images, sizeof *s.seen_by, err);
    if (!st)
        st = sl_alloc(&s.roles, o->people, 1, err);
    if (!st)
        st = plant(&s, err);
    if (st)
        goto done;
    for (size_t i = 0; i < n_images; i++)
        s.deck[i] = (uint32_t)i;
    sl_raw_put_header(out);
    for (uint32_t person = 0; person < o->people && !ferror(out); person++)
        for (uint32_t time = 0; time <= (s.roles[person] == REPEATER); time++)
            take_part(&s, person, time);
    if (planted)
        tell_planted(&s, planted);
    if (ferror(out) || (planted && ferror(planted)))
        st = sl_error_set(err, SL_EIO, "the trials can't be written");
done:
    free(s.deck);
    free(s.seen_by);
    free(s.roles);
    return st;
}
