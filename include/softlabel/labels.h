/* From raw trials to distributions over classes, and what the data is worth.
 *
 * Raw trials are CSV in the columns of CIFAR10H's released raw table, in any order, other columns
 * passed over: annotator_id, trial_index, is_attn_check, true_label, chosen_label,
 * cifar10_test_set_idx (or cifar10_test_test_idx, the released file's own spelling), reaction_time,
 * time_elapsed; correct_guess, true_category and chosen_category are held against the labels where
 * they are. Files may be plain, .gz or alone in a .zip.
 * A broken row is SL_EFORMAT with file and line. One thread at a time for each handle. */
#ifndef SOFTLABEL_LABELS_H
#define SOFTLABEL_LABELS_H

#include <softlabel/error.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* ---- whose judgments count ---- */

/* Why a person's judgments don't count; the first that holds, in this order. */
typedef enum {
    SL_KEPT,
    SL_EXCLUDED_LISTED,
    SL_EXCLUDED_DUPLICATE,  /* the same trial_index twice, or more trials than max_trials */
    SL_EXCLUDED_INCOMPLETE, /* fewer trials than min_trials */
    SL_EXCLUDED_CHECKS,
    SL_EXCLUDED_ACCURACY,
    SL_EXCLUDED_FAST,
    SL_EXCLUDED_SLOW,
    SL_EXCLUSION_COUNT
} sl_exclusion;
SL_API const char *sl_exclusion_name(sl_exclusion why); /* "kept", "listed", "duplicate" … */

typedef struct {
    double min_check_accuracy; /* 0.75: share of attention checks that must be right */
    double min_accuracy;       /* 0: share of judgments that must be the true label */
    double min_reaction_ms;    /* -INFINITY: a faster judgment isn't counted */
    double max_reaction_ms;    /* INFINITY: neither is a slower one */
    double max_fast_share;     /* 1: of a person's judgments, before the person is excluded */
    double max_slow_share;     /* 1 */
    int64_t min_trials;        /* 0; attention checks are trials too */
    int64_t max_trials;        /* INT64_MAX */
    bool exclude_duplicates;   /* true */
    char **exclude;            /* (n_exclude) annotator ids */
    size_t n_exclude;
} sl_labels_rules;
SL_API sl_labels_rules sl_labels_rules_default(void);
/* A JSON object whose members are named as the fields; what is absent has its default. An unknown
 * member is SL_EFORMAT. */
SL_API SL_CHECK sl_status sl_labels_rules_read(sl_labels_rules *out, const char *path,
                                               sl_error *err);
SL_API void sl_labels_rules_release(sl_labels_rules *rules);

/* ---- counting ---- */

typedef struct {
    const char *const *raw; /* (n_raw) files, each read once; "-" is stream */
    size_t n_raw;
    FILE *stream; /* what "-" stands for; NULL: nothing */
    size_t n_images;
    int n_classes; /* 2..255 */
    const sl_labels_rules *rules;
} sl_labels_source;

typedef struct {
    const char *id;
    uint64_t n_trials;  /* attention checks and judgments */
    uint64_t n_judged;  /* judgments */
    uint64_t n_dropped; /* of them too fast or too slow to count */
    uint64_t n_fast, n_slow;
    uint64_t n_known, n_right; /* judgments of images with a true label; those that chose it */
    uint64_t n_checks, n_checks_right;
    double reaction_ms; /* sum over judgments */
    double elapsed_ms;  /* the largest time_elapsed */
    bool duplicate;
    sl_exclusion why;
} sl_labels_person;

typedef struct {
    const char *path;
    char sha256[65]; /* of its text, unpacked */
    uint64_t rows;
} sl_labels_file;

/* Judgments counted. The fields are for reading. */
typedef struct sl_labels {
    size_t n_images;
    int n_classes;
    const int64_t *counts; /* (n_images, n_classes), of the people who are kept */
    const int16_t *truth;  /* (n_images): true labels as the trials say, -1 where none does */
    const sl_labels_person *people;
    size_t n_people;
    const sl_labels_file *files;
    size_t n_files;
    uint64_t n_judgments; /* the sum of counts */
} sl_labels;

/* Counts the source's judgments. With add, a folder that sl_labels_write filled, onto the counts
 * there: the result is what counting all files together gives, byte for byte. For that the rules
 * must be the same and nobody may be in both (SL_EMISMATCH otherwise). Memory grows with images
 * times classes and with people, not with trials, which go through a temporary file. */
SL_API SL_CHECK sl_status sl_labels_count(sl_labels **out, const sl_labels_source *source,
                                          const char *add, sl_error *err);
SL_API void sl_labels_destroy(sl_labels *labels); /* NULL is fine */

/* Writes into dir, made if need be: counts.npy (int64) and probs.npy (float64; a row of NaN for an
 * image nobody judged) as CIFAR10H has them, truth.npy (int64), people.csv, and last labels.json
 * with the rules and the SHA-256 of rules, raw files and results. */
SL_API SL_CHECK sl_status sl_labels_write(const sl_labels *labels, const char *dir, sl_error *err);

/* What sl_labels_write left in dir. SL_EMISMATCH when a file doesn't have its recorded hash. */
SL_API SL_CHECK sl_status sl_labels_read(sl_labels **out, const char *dir, sl_error *err);

/* Counts again what dir/labels.json says and compares every hash. raw replaces the recorded paths,
 * in their order; n_raw 0 takes them. SL_EMISMATCH names the first thing that differs. */
SL_API SL_CHECK sl_status sl_labels_replay(const char *dir, const char *const *raw, size_t n_raw,
                                           sl_error *err);

/* ---- trials in memory, for what counts don't say ---- */

typedef struct {
    uint32_t person, image;
    uint8_t choice;
} sl_judgment;

/* The judgments that count, by image and within it in the files' order; people are 0..n_people-1
 * as kept. */
typedef struct sl_judgments {
    size_t n, n_images, n_people;
    int n_classes;
    const sl_judgment *items;
    const size_t *first;  /* (n_images+1): where an image's items begin */
    const int16_t *truth; /* (n_images): its true label, -1 if no trial says */
} sl_judgments;
SL_API SL_CHECK sl_status sl_judgments_read(sl_judgments **out, sl_labels **labels,
                                            const sl_labels_source *source, sl_error *err);
/* The judgments behind the labels in dir, from their raw files again (given and checked as for
 * sl_labels_replay). */
SL_API SL_CHECK sl_status sl_labels_reread(sl_judgments **out, const char *dir,
                                           const char *const *raw, size_t n_raw, sl_error *err);
/* From counts alone: every judgment is of a person of its own. truth may be NULL. */
SL_API SL_CHECK sl_status sl_judgments_from_counts(sl_judgments **out, const int64_t *counts,
                                                   size_t n_images, int n_classes,
                                                   const int16_t *truth, sl_error *err);
SL_API void sl_judgments_destroy(sl_judgments *judgments); /* NULL is fine */

/* ---- agreement ---- */

/* Chance-corrected agreement from counts (n_images, n_classes); images with fewer than two
 * judgments don't enter; NaN where everybody always chose the same class.
 * Source: Fleiss 1971, each image's pairs in equal weight, for unequal numbers of judgments too;
 * Krippendorff 2004, nominal. */
SL_API double sl_fleiss_kappa(const int64_t *counts, size_t n_images, int n_classes);
SL_API double sl_krippendorff_alpha(const int64_t *counts, size_t n_images, int n_classes);

/* Mean over images of the chance that two judgments of one differ, 1 - sum_k p_k^2 without bias.
 * An image's proportions from n judgments miss its distribution by a mean square (over people) of
 * this / n, summed over classes. NaN without an image of two judgments. */
SL_API double sl_disagreement(const int64_t *counts, size_t n_images, int n_classes);

typedef struct {
    double value, low, high; /* 95 % percentile interval */
} sl_interval;

/* People are dealt into halves at random. What one half's smoothed proportions (pseudo-count prior
 * a class) are worth against the other's, in both directions. Intervals over people are as wide as
 * resamples of them spread, put around the value. */
typedef struct {
    sl_interval entropy_people,
        entropy_images; /* cross-entropy in nats; resampling people, images */
    sl_interval accuracy_people, accuracy_images; /* the halves' most chosen class is the same */
    double correlation;    /* Pearson, of the proportions over all images and classes */
    double spearman_brown; /* that, for all the people instead of half: 2r / (1 + r) */
    size_t n_images;       /* with judgments in both halves in every split */
} sl_ceiling;
typedef struct {
    int splits, resamples; /* 20, 200 */
    double prior;          /* 0.1 */
    uint64_t seed;
} sl_ceiling_options;
SL_API sl_ceiling_options sl_ceiling_options_default(void);
SL_API SL_CHECK sl_status sl_ceiling_estimate(sl_ceiling *out, const sl_judgments *judgments,
                                              const sl_ceiling_options *options, sl_error *err);

/* What proportions from m judgments of an image miss its distribution by: the root of the mean,
 * over images, of the squared distance, summed over classes. */
typedef struct {
    size_t m;        /* given, >= 1 */
    double expected; /* sqrt(disagreement / m), if judgments of an image are independent */
    double measured; /* from pairs of disjoint sets of m; NaN where no image has 2 m judgments */
    size_t n_images; /* that have */
} sl_precision;
/* disagreement is sl_disagreement's; draws >= 1 pairs an image. For an error e wanted on average,
 * disagreement / e^2 judgments are needed. */
SL_API SL_CHECK sl_status sl_precision_measure(sl_precision *rows, size_t n_rows,
                                               double disagreement, const sl_judgments *judgments,
                                               int draws, uint64_t seed, sl_error *err);

/* ---- what there is to say of labels ---- */

typedef struct {
    size_t n;
    double mean, median, min, max; /* NaN of none */
} sl_spread;

typedef struct {
    size_t n_people, by_verdict[SL_EXCLUSION_COUNT];
    sl_spread person_accuracy; /* of those kept: share of true labels */
    sl_spread minutes;         /* of those kept: their largest time_elapsed */
    size_t n_images, n_judged; /* n_judged: by anybody */
    int n_classes;
    uint64_t n_judgments;
    sl_spread per_image;      /* judgments; images without any are 0 */
    sl_spread image_accuracy; /* share of an image's judgments that are its true label */
    sl_spread entropy;        /* of an image's proportions, in nats */
    int64_t *confusion;       /* (n_classes, n_classes): true label by choice */
    double *entropies;        /* (n_images); NaN: not judged */
    size_t *ambiguous;        /* (n_judged): the images, most entropy first */
    double kappa, alpha, disagreement;
} sl_labels_description;
/* labels may have no people, and truth NULL: then only counts, images and classes matter. */
SL_API SL_CHECK sl_status sl_labels_describe(sl_labels_description *out, const sl_labels *labels,
                                             sl_error *err);
SL_API void sl_labels_description_release(sl_labels_description *description);

/* ---- distributions; each writes p (n_images, n_classes), an unjudged image's as said ---- */

/* Counts over their sum. Unjudged: NaN. */
SL_API void sl_labels_divide(double *p, const int64_t *counts, size_t n_images, int n_classes);

/* The posterior mean under a symmetric Dirichlet prior of `prior` a class, > 0. Unjudged: uniform.
 */
SL_API void sl_labels_smooth(double *p, const int64_t *counts, size_t n_images, int n_classes,
                             double prior);

/* The prior under which the counts are most probable (Dirichlet-multinomial likelihood), between
 * 1e-4 and 1e3. */
SL_API double sl_labels_fit_prior(const int64_t *counts, size_t n_images, int n_classes);

/* Each person's confusion matrix and each image's class by EM, from the proportions as start, until
 * no entry moves by more than 1e-6 or max_steps. confusion (n_people, K, K), rows true class, and
 * marginal (K) may be NULL. *steps is how many were done. Unjudged: the marginal.
 * Source: Dawid and Skene 1979. */
SL_API SL_CHECK sl_status sl_dawid_skene(double *p, double *confusion, double *marginal,
                                         const sl_judgments *judgments, int max_steps, int *steps,
                                         sl_error *err);

/* Proportions in which a person weighs what they agree with the others: the mean share, over their
 * images, of the others' judgments that are theirs; repeated with these weights, ten times.
 * weights (n_people) may be NULL. Unjudged: NaN. */
SL_API SL_CHECK sl_status sl_labels_weigh(double *p, double *weights, const sl_judgments *judgments,
                                          sl_error *err);

/* ---- for images that nobody judged: by their labels alone ----
 * Tables are (n_classes, n_classes), row t for the images of label t. */

/* 1 - 2 d(t,c) / (d(t) + d(c)): d the depth of a noun in WordNet, from "entity" at 1, d(t,c) that
 * of the lowest one above both. Known for CIFAR-10's classes; SL_ENOTFOUND names another one.
 * Source: Wu and Palmer 1994; WordNet 3.0. */
SL_API SL_CHECK sl_status sl_wordnet_distances(double *distances, const char *const *class_names,
                                               int n_classes, sl_error *err);

#define SL_CLASS_NAME_SIZE 64
/* Distances from a CSV: a header, whose first field doesn't matter, with the classes' names; a row
 * for each, in the same order, of name and distances: numbers >= 0, to itself 0. *out and *names
 * are malloc'ed. SL_EFORMAT, with the line, for anything else. */
SL_API SL_CHECK sl_status sl_distances_read(double **out, char (**names)[SL_CLASS_NAME_SIZE],
                                            int *n_classes, const char *path, sl_error *err);

/* What people answer to images of each label on average: the mean of the rows of p (any number of
 * images, n_classes) that images (n) names, and of `prior` >= 0 rows more that are uniform. labels
 * are those of all images. SL_EINVAL when a label has neither images nor a prior. */
SL_API SL_CHECK sl_status sl_labels_average(double *table, const double *p, const int16_t *labels,
                                            const int64_t *images, size_t n, int n_classes,
                                            double prior, sl_error *err);

/* ---- simulated people ---- */

typedef struct {
    size_t people, trials, checks; /* 2571, 200 judgments and 10 attention checks each */
    double skill_sd;  /* 0: of the log of a person's skill s; they choose in proportion to p^s */
    double lapse;     /* 0: share of judgments by chance */
    size_t spammers;  /* 14: answer by chance, fast, also on checks */
    size_t drop_outs; /* 0: leave half way */
    size_t repeaters; /* 0: take part twice under one id */
    uint64_t seed;
} sl_simulation;
SL_API sl_simulation sl_simulation_default(void);
/* Raw trials of people who draw from p (n_images, n_classes), rows as sl_targets'. truth (n_images)
 * are the images' true labels; NULL: the most probable classes. Images are dealt so that they are
 * judged equally often, everybody sees equally many of each class where that is possible, and
 * nobody sees one twice. Who was planted goes to planted, if not NULL, as CSV: annotator_id,what.
 */
SL_API SL_CHECK sl_status sl_simulate(FILE *out, FILE *planted, const double *p,
                                      const int16_t *truth, size_t n_images, int n_classes,
                                      const char *const *class_names,
                                      const sl_simulation *simulation, sl_error *err);

#endif
