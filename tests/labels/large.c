/* A study of CIFAR10H's size, simulated: counts against a recount, who is excluded against who was
 * planted, agreement and ceiling against what follows from the distributions that people drew from.
 */
#include "base/file.h"
#include "base/random.h"
#include "base/support.h"
#include <math.h>
#include <softlabel/labels.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { IMAGES = 10000, K = 10, SPAMMERS = 14, DROP_OUTS = 9, REPEATERS = 6 };

typedef struct {
    double *p; /* (IMAGES, K) */
    sl_labels *labels;
    sl_judgments *judgments;
    char *folder, raw[300], planted[300];
} study;

/* Most images are clear; of every tenth, people hold two classes for about as likely. */
static double *draw_distributions(void)
{
    double *p = test_calloc(IMAGES * K, sizeof *p);
    sl_random r = sl_random_stream(7, SL_RANDOM_TEST, 0, 0);
    for (size_t i = 0; i < IMAGES; i++) {
        size_t one = i % K, other = (one + 1 + sl_random_below(&r, K - 1)) % K;
        double share = i % 10 == 3 ? sl_random_unit(&r) : 0.1 * sl_random_unit(&r);
        p[i * K + one] = 1 - share;
        p[i * K + other] = share;
    }
    return p;
}

static void simulate(study *s)
{
    const char *const names[K] = { "a", "b", "c", "d", "e", "f", "g", "h", "i", "j" };
    int16_t *truth = test_calloc(IMAGES, sizeof *truth);
    sl_simulation simulation = sl_simulation_default();
    simulation.spammers = SPAMMERS;
    simulation.drop_outs = DROP_OUTS;
    simulation.repeaters = REPEATERS;
    sl_error err;
    for (int i = 0; i < IMAGES; i++)
        truth[i] = (int16_t)(i % K);
    FILE *raw = fopen(s->raw, "w"), *planted = fopen(s->planted, "w");
    assert_non_null(raw);
    assert_non_null(planted);
    check_ok(sl_simulate(raw, planted, s->p, truth, IMAGES, K, names, &simulation, &err), &err);
    assert_int_equal(fclose(raw), 0);
    assert_int_equal(fclose(planted), 0);
    test_free(truth);
}

static int set_up(void **state)
{
    study *s = test_calloc(1, sizeof *s);
    void *folder;
    sl_error err;
    scratch_setup(&folder);
    s->folder = folder;
    snprintf(s->raw, sizeof s->raw, "%s/raw.csv", s->folder);
    snprintf(s->planted, sizeof s->planted, "%s/planted.csv", s->folder);
    s->p = draw_distributions();
    simulate(s);
    const char *const raw = s->raw;
    sl_labels_rules rules = sl_labels_rules_default();
    rules.min_trials = 210;
    const sl_labels_source source = {
        .raw = &raw, .n_raw = 1, .n_images = IMAGES, .n_classes = K, .rules = &rules
    };
    check_ok(sl_judgments_read(&s->judgments, &s->labels, &source, &err), &err);
    *state = s;
    return 0;
}

static int tear_down(void **state)
{
    study *s = *state;
    void *folder = s->folder;
    sl_judgments_destroy(s->judgments);
    sl_labels_destroy(s->labels);
    test_free(s->p);
    test_free(s);
    return scratch_teardown(&folder);
}

/* What planted.csv says of a person: a word, or "" for the honest. */
static const char *what_is_planted(const char *planted, const char *id)
{
    static char word[40];
    char line[300];
    snprintf(line, sizeof line, "\n%s,", id);
    const char *at = strstr(planted, line);
    word[0] = '\0';
    if (at)
        sscanf(at + strlen(line), "%39[a-z_-]", word);
    return word;
}

static void the_planted_are_excluded_and_nobody_else(void **state)
{
    const study *s = *state;
    const char *expected[SL_EXCLUSION_COUNT] = { [SL_KEPT] = "",
                                                 [SL_EXCLUDED_CHECKS] = "spammer",
                                                 [SL_EXCLUDED_INCOMPLETE] = "drop_out",
                                                 [SL_EXCLUDED_DUPLICATE] = "repeater" };
    size_t by_verdict[SL_EXCLUSION_COUNT] = { 0 }, n;
    unsigned char *bytes;
    sl_error err;
    check_ok(sl_file_read(s->planted, 1 << 20, &bytes, &n, &err), &err);
    const char *planted = (const char *)bytes; /* ended by a NUL */
    for (size_t i = 0; i < s->labels->n_people; i++) {
        const sl_labels_person *person = &s->labels->people[i];
        by_verdict[person->why]++;
        assert_non_null(expected[person->why]);
        assert_string_equal(what_is_planted(planted, person->id), expected[person->why]);
    }
    free(bytes);
    assert_int_equal(s->labels->n_people, 2571);
    assert_int_equal(by_verdict[SL_EXCLUDED_CHECKS], SPAMMERS);
    assert_int_equal(by_verdict[SL_EXCLUDED_INCOMPLETE], DROP_OUTS);
    assert_int_equal(by_verdict[SL_EXCLUDED_DUPLICATE], REPEATERS);
    assert_int_equal(s->labels->n_judgments, 200 * (2571 - SPAMMERS - DROP_OUTS - REPEATERS));
}

/* Field number at, from 0, of a line. */
static const char *field(const char *line, int at)
{
    while (at-- > 0)
        line = strchr(line, ',') + 1;
    return line;
}

static bool is_kept(const sl_labels *labels, const char *line)
{
    const size_t length = strcspn(line, ",");
    for (size_t i = 0; i < labels->n_people; i++) {
        const char *id = labels->people[i].id;
        if (strlen(id) == length && memcmp(id, line, length) == 0)
            return labels->people[i].why == SL_KEPT;
    }
    return false;
}

/* In the simplest way, column by column as the file's header has them. */
static void counts_are_those_of_a_recount(void **state)
{
    const study *s = *state;
    int64_t *counts = test_calloc(IMAGES * K, sizeof *counts);
    FILE *raw = fopen(s->raw, "r");
    char line[1000], last[200] = "";
    bool kept = false;
    assert_non_null(raw);
    assert_non_null(fgets(line, sizeof line, raw));
    assert_memory_equal(field(line, 0), "annotator_id,", 13);
    assert_memory_equal(field(line, 2), "is_attn_check,", 14);
    assert_memory_equal(field(line, 6), "chosen_label,", 13);
    assert_memory_equal(field(line, 8), "cifar10_test_set_idx,", 21);
    while (fgets(line, sizeof line, raw)) {
        size_t length = strcspn(line, ",");
        if (strlen(last) != length || memcmp(last, line, length) != 0) {
            snprintf(last, sizeof last, "%.*s", (int)length, line);
            kept = is_kept(s->labels, line);
        }
        if (kept && *field(line, 2) == '0')
            counts[K * strtol(field(line, 8), NULL, 10) + strtol(field(line, 6), NULL, 10)]++;
    }
    fclose(raw);
    assert_memory_equal(counts, s->labels->counts, IMAGES * K * sizeof *counts);
    test_free(counts);
}

static double sum_of_powers(const double *p, int power)
{
    double sum = 0;
    for (int k = 0; k < K; k++)
        sum += pow(p[k], power);
    return sum;
}

/* Two people agree about image i with probability sum_k p_ik^2. The share of agreeing pairs among
 * n judgments is a U-statistic (Hoeffding 1948), of variance
 *     4 (n - 2) / (n (n - 1)) (sum p^3 - (sum p^2)^2) + 2 / (n (n - 1)) (sum p^2 - (sum p^2)^2). */
static void agreement_follows_from_the_distributions(void **state)
{
    const study *s = *state;
    double agree = 0, variance = 0, mean[K] = { 0 };
    for (size_t i = 0; i < IMAGES; i++) {
        const double *p = s->p + i * K;
        double n = 0, two = sum_of_powers(p, 2), three = sum_of_powers(p, 3);
        for (int k = 0; k < K; k++) {
            n += (double)s->labels->counts[i * K + (size_t)k];
            mean[k] += p[k] / IMAGES;
        }
        agree += two / IMAGES;
        variance += (4 * (n - 2) * (three - two * two) + 2 * (two - two * two)) / (n * (n - 1));
    }
    const double sd = sqrt(variance) / IMAGES, chance = sum_of_powers(mean, 2);
    const double expected = (agree - chance) / (1 - chance);
    const double allowed = 4 * sd / (1 - chance);
    const int64_t *counts = s->labels->counts;
    assert_true(allowed < 0.005); /* the check says something */
    assert_true(fabs(sl_disagreement(counts, IMAGES, K) - (1 - agree)) <= 4 * sd);
    assert_true(fabs(sl_fleiss_kappa(counts, IMAGES, K) - expected) <= allowed);
    assert_true(fabs(sl_krippendorff_alpha(counts, IMAGES, K) - expected) <= allowed);
}

/* The expected -sum_k p_k log((c_k + a) / (m + K a)) over c_k ~ binomial(m, p_k). */
static double expected_cross_entropy(const double *p, int m, double a)
{
    double sum = 0;
    for (int k = 0; k < K; k++) {
        if (!(p[k] > 0))
            continue;
        const double log_odds = log(p[k]) - log1p(-p[k]), none = m * log1p(-p[k]);
        for (int c = 0; c <= m; c++) {
            double chance =
                exp(lgamma(m + 1) - lgamma(c + 1) - lgamma(m - c + 1) + c * log_odds + none);
            sum -= p[k] * chance * log((c + a) / (m + K * a));
        }
    }
    return sum;
}

/* Halves of half the judgments each; that they are of unequal sizes adds some 1e-3. */
static void the_ceiling_follows_from_the_distributions(void **state)
{
    const study *s = *state;
    const sl_ceiling_options options = { .splits = 4, .resamples = 2, .prior = 0.1, .seed = 1 };
    double sum = 0, squares = 0;
    sl_ceiling ceiling;
    sl_error err;
    check_ok(sl_ceiling_estimate(&ceiling, s->judgments, &options, &err), &err);
    for (size_t i = 0; i < IMAGES; i++) {
        int n = 0;
        for (size_t k = 0; k < K; k++)
            n += (int)s->labels->counts[i * K + k];
        double e = expected_cross_entropy(s->p + i * K, n / 2, options.prior);
        sum += e;
        squares += e * e;
    }
    const double mean = sum / IMAGES, spread = sqrt(squares / IMAGES - mean * mean);
    assert_true(fabs(ceiling.entropy_images.value - mean) <= 4 * spread / sqrt(IMAGES) + 1e-3);
    assert_int_equal(ceiling.n_images, IMAGES);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_planted_are_excluded_and_nobody_else),
        cmocka_unit_test(counts_are_those_of_a_recount),
        cmocka_unit_test(agreement_follows_from_the_distributions),
        cmocka_unit_test(the_ceiling_follows_from_the_distributions),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
