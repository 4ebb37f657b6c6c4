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

/* Images, dealt to the end before they are shuffled anew. */
typedef struct {
    uint32_t *cards; /* (n) */
    size_t n, dealt;
    uint32_t rounds;
} deck;

typedef struct {
    const sl_simulation *o;
    FILE *out;
    const double *p;
    size_t n_images;
    int n_classes;
    const char *const *names;
    int16_t *truth;  /* (n_images) */
    uint32_t *cards; /* (n_images) by deck: the images of a class, or all */
    deck decks[255];
    int n_decks;
    uint8_t *turns;    /* (trials) the decks a person's images come from */
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

/* The next image of the deck that the person hasn't seen. */
static uint32_t deal(simulation *s, int number, uint32_t person)
{
    deck *d = &s->decks[number];
    if (d->dealt == d->n) {
        /* a stream of its own: no person has such a number */
        sl_random r = sl_random_stream(s->o->seed, SL_RANDOM_JUDGE, UINT32_MAX - (uint32_t)number,
                                       d->rounds++);
        sl_random_shuffle(&r, d->cards, d->n);
        d->dealt = 0;
    }
    size_t at = d->dealt;
    while (at + 1 < d->n && s->seen_by[d->cards[at]] == person + 1)
        at++;
    const uint32_t image = d->cards[at];
    d->cards[at] = d->cards[d->dealt];
    d->cards[d->dealt++] = image;
    s->seen_by[image] = person + 1;
    return image;
}

/* A deck a class, if everybody can then see equally many of each, as in the paper; else one. */
static void make_decks(simulation *s)
{
    size_t of_class[255] = { 0 };
    bool balanced = s->o->trials % (size_t)s->n_classes == 0;
    for (size_t i = 0; i < s->n_images; i++)
        of_class[s->truth[i]]++;
    for (int k = 0; k < s->n_classes; k++)
        balanced = balanced && of_class[k] >= s->o->trials / (size_t)s->n_classes;
    s->n_decks = balanced ? s->n_classes : 1;
    size_t first = 0;
    for (int k = 0; k < s->n_decks; k++) {
        deck *d = &s->decks[k];
        d->cards = s->cards + first;
        for (size_t i = 0; i < s->n_images; i++)
            if (!balanced || s->truth[i] == k)
                d->cards[d->n++] = (uint32_t)i;
        d->dealt = d->n;
        first += d->n;
    }
}

/* Shuffles what comes when. */
static void take_turns(simulation *s, sl_random *r)
{
    const size_t n = s->o->trials;
    for (size_t i = 0; i < n; i++)
        s->turns[i] = (uint8_t)(i % (size_t)s->n_decks);
    for (size_t i = n; i > 1; i--) {
        const size_t j = sl_random_below(r, (uint32_t)i);
        const uint8_t turn = s->turns[i - 1];
        s->turns[i - 1] = s->turns[j];
        s->turns[j] = turn;
    }
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

/* What a person answers in one trial; judged counts their images so far. */
static void answer(simulation *s, sl_raw_trial *t, uint32_t person, bool lapses, double skill,
                   size_t *judged, sl_random *r)
{
    t->choice = (int)sl_random_below(r, (uint32_t)s->n_classes);
    if (t->check) {
        t->image = SL_RAW_NO_IMAGE;
        t->truth = (int)sl_random_below(r, (uint32_t)s->n_classes);
        if (!lapses)
            t->choice = t->truth;
        return;
    }
    t->image = deal(s, s->turns[(*judged)++], person);
    t->truth = s->truth[t->image];
    if (!lapses)
        t->choice = draw(r, s->p + (size_t)t->image * (size_t)s->n_classes, s->n_classes, skill);
}

static void take_part(simulation *s, uint32_t person, uint32_t time)
{
    const sl_simulation *o = s->o;
    const bool spams = s->roles[person] == SPAMMER;
    sl_random r = sl_random_stream(o->seed, SL_RANDOM_JUDGE, person, time);
    const double skill = exp(o->skill_sd * sl_random_normal(&r));
    const size_t n = o->trials + o->checks;
    const size_t stops = s->roles[person] == DROP_OUT ? n / 2 : n;
    size_t judged = 0;
    char id[16], file[64];
    const int length = snprintf(id, sizeof id, "%" PRIu32, person);
    sl_raw_trial t = { .annotator = { id, (size_t)length } };
    take_turns(s, &r);
    for (size_t i = 0; i < stops; i++) {
        /* Checks are spread evenly: one after every trials/checks images. */
        t.index = (int64_t)i;
        t.check = (i + 1) * o->checks / n > i * o->checks / n;
        const bool lapses = spams || sl_random_unit(&r) < o->lapse;
        answer(s, &t, person, lapses, skill, &judged, &r);
        t.reaction_ms = floor((spams ? SPAM_MS : MEDIAN_MS) * exp(SPREAD * sl_random_normal(&r)));
        t.elapsed_ms += t.reaction_ms + BETWEEN_TRIALS_MS;
        if (t.check)
            snprintf(file, sizeof file, "check_%.40s.png", s->names[t.truth]);
        else
            snprintf(file, sizeof file, "%.40s_%05lld.png", s->names[t.truth], (long long)t.image);
        sl_raw_put(s->out, &t, s->names, file);
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
    for (int what = SPAMMER; what <= REPEATER; what++)
        for (size_t i = 0; i < n[what]; i++)
            s->roles[order[next++]] = (uint8_t)what;
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

static void find_truth(simulation *s, const int16_t *truth)
{
    for (size_t i = 0; i < s->n_images; i++)
        s->truth[i] = truth ? truth[i]
                            : (int16_t)most_probable(s->p + i * (size_t)s->n_classes, s->n_classes);
}

sl_status sl_simulate(FILE *out, FILE *planted, const double *p, const int16_t *truth,
                      size_t n_images, int n_classes, const char *const *class_names,
                      const sl_simulation *o, sl_error *err)
{
    simulation s = { .o = o,
                     .out = out,
                     .p = p,
                     .n_images = n_images,
                     .n_classes = n_classes,
                     .names = class_names };
    sl_status st = check(o, n_images, n_classes, err);
    if (!st)
        st = sl_alloc(&s.truth, n_images, sizeof *s.truth, err);
    if (!st)
        st = sl_alloc(&s.cards, n_images, sizeof *s.cards, err);
    if (!st)
        st = sl_alloc(&s.turns, o->trials, 1, err);
    if (!st)
        st = sl_alloc(&s.seen_by, n_images, sizeof *s.seen_by, err);
    if (!st)
        st = sl_alloc(&s.roles, o->people, 1, err);
    if (!st)
        st = plant(&s, err);
    if (st)
        goto done;
    find_truth(&s, truth);
    make_decks(&s);
    sl_raw_put_header(out);
    for (uint32_t person = 0; person < o->people && !ferror(out); person++)
        for (uint32_t time = 0; time <= (s.roles[person] == REPEATER); time++)
            take_part(&s, person, time);
    if (planted)
        tell_planted(&s, planted);
    if (ferror(out) || (planted && ferror(planted)))
        st = sl_error_set(err, SL_EIO, "the trials can't be written");
done:
    free(s.truth);
    free(s.cards);
    free(s.turns);
    free(s.seen_by);
    free(s.roles);
    return st;
}
