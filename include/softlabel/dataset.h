/* Image sets, the human labels that go with them, splits, and where they are found.
 *
 * A dataset is immutable once opened and may be read by any number of threads. */
#ifndef SOFTLABEL_DATASET_H
#define SOFTLABEL_DATASET_H

#include <softlabel/error.h>
#include <softlabel/log.h>
#include <stddef.h>
#include <stdint.h>

/* n labelled images in memory. Open one with the functions below; release with sl_dataset_destroy.
 * The fields are for reading. */
typedef struct sl_dataset {
    const char *name; /* "cifar10-test" */
    size_t n;
    int channels, height, width; /* 3, 32, 32 */
    int classes;                 /* 10 */
    const char *const *class_names;
    const uint8_t *pixels; /* (n, channels, height, width), 0..255 */
    const uint8_t *labels; /* (n), 0..classes-1 */
    char sha256[65];       /* of the pixels and labels as stored here, hex */
} sl_dataset;

SL_API void sl_dataset_destroy(sl_dataset *set); /* NULL is fine */

/* Distributions over classes, one row an image: rows >= 0 summing to 1 within 1e-4, so checked when
 * read. Source: CIFAR10H's cifar10h-counts.npy and -probs.npy, or one-hot. */
typedef struct sl_targets {
    const char *name; /* "human", "hard", "smoothed" */
    size_t n;
    int classes;
    const float *p;    /* (n, classes): counts / sum, rounded once to float32 (paper/NOTES) */
    const double *p64; /* (n, classes): the same before rounding */
    char sha256[65];   /* of p64's bytes */
} sl_targets;

/* Rows from a file: npy of shape (n, classes), integer counts (each row sums to >= 1) or float
 * probabilities. SL_EFORMAT names the first bad row: NaN, negative, zero sum, sum not 1. n and
 * classes are what the data set has; another shape is SL_EMISMATCH. */
SL_API SL_CHECK sl_status sl_targets_read(sl_targets **out, const char *name, const char *path,
                                          size_t n, int classes, sl_error *err);
SL_API SL_CHECK sl_status sl_targets_from_labels(sl_targets **out, const sl_dataset *set,
                                                 sl_error *err);
/* From n*classes probabilities in memory (copied), checked in the same way. */
SL_API SL_CHECK sl_status sl_targets_from_rows(sl_targets **out, const char *name, const double *p,
                                               size_t n, int classes, sl_error *err);
/* Label smoothing: rows (1 - epsilon) p + epsilon / classes, 0 <= epsilon < 1.
 * Source: Szegedy et al. 2016, section 7. */
SL_API SL_CHECK sl_status sl_targets_smooth(sl_targets **out, const sl_targets *from,
                                            double epsilon, sl_error *err);
SL_API void sl_targets_destroy(sl_targets *targets);

/* Which sets a data folder can hold. */
typedef enum {
    SL_SET_TRAIN, /* CIFAR-10's 50,000 training images, in file order */
    SL_SET_TEST,  /* CIFAR-10's 10,000 test images, in the official order */
    SL_SET_V4,    /* CIFAR-10.1 v4 */
    SL_SET_V6,    /* CIFAR-10.1 v6 */
    SL_SET_COUNT
} sl_set_id;

/* A data folder: either CIFAR ("cifar10") or the synthetic set ("synth"), with human judgments of
 * its test images. Opening looks at what is there; images are read when asked for. */
typedef struct sl_data sl_data;

/* Opens dir; with dir NULL looks, in this order, at $SOFTLABEL_DATA, ./data, and ../shared/data
 * (whose `unpack` is run once, into unpack_dir). If none has anything, SL_ENOTFOUND says where was
 * looked and names `softlabel data fetch` and `softlabel data synth`. A dir that is named but not
 * usable is an error, not passed over. */
SL_API SL_CHECK sl_status sl_data_open(sl_data **out, const char *dir, const char *unpack_dir,
                                       sl_error *err);
SL_API void sl_data_close(sl_data *data);

SL_API const char *sl_data_kind(const sl_data *data);   /* "cifar10" or "synth" */
SL_API const char *sl_data_folder(const sl_data *data); /* where it was found */
SL_API const char *sl_data_note(
    const sl_data *data); /* "" or what limits results on it: "pixels from a JPEG copy" */
SL_API int sl_data_has(const sl_data *data, sl_set_id id); /* whether the set's images are there */
SL_API int sl_data_has_human(const sl_data *data);
SL_API const char *sl_data_counts_path(const sl_data *data); /* of people's choices; or NULL */
SL_API const char *sl_set_name(sl_set_id id);                /* "train", "test", "v4", "v6" */

/* Reads a set, whole and checked. SL_ENOTFOUND when it isn't there, SL_EFORMAT when it is damaged.
 */
SL_API SL_CHECK sl_status sl_data_read(sl_data *data, sl_set_id id, sl_dataset **out,
                                       sl_error *err);
/* The human distributions of SL_SET_TEST (from the counts where they are, else from the probs). */
SL_API SL_CHECK sl_status sl_data_read_human(sl_data *data, sl_targets **out, sl_error *err);

/* What one file of a data folder is worth. */
typedef enum {
    SL_FILE_OK,      /* its hash is the publisher's, or that of the SHA256SUMS beside it */
    SL_FILE_UNKNOWN, /* no hash of it is known; its size is right as far as that is known */
    SL_FILE_DAMAGED, /* another hash or size */
} sl_file_state;
typedef struct {
    const char *path; /* the data's */
    uint64_t size;
    char sha256[65];
    sl_file_state state;
} sl_file_report;

/* Hashes every file of the folder that we know of; *reports (*n) is malloc'ed and the caller's. */
SL_API SL_CHECK sl_status sl_data_check(const sl_data *data, sl_file_report **reports, size_t *n,
                                        sl_error *err);

/* Single files, for tools and tests. */
SL_API SL_CHECK sl_status sl_cifar_read(sl_dataset **out, const char *name,
                                        const char *const *paths, int n_paths, sl_error *err);
SL_API SL_CHECK sl_status sl_cifar101_read(sl_dataset **out, const char *name, const char *data_npy,
                                           const char *labels_npy, sl_error *err);

/* The paper's split for seed s (NOTES, protocol): np.random.seed(s); shuffle(arange(n)); the first
 * n_train are for training, the rest validate. *train and *val are malloc'ed and the caller's. */
typedef struct {
    size_t n_train, n_val;
    int64_t *train, *val; /* in the permutation's order */
} sl_split;
SL_API SL_CHECK sl_status sl_split_create(sl_split *out, size_t n, size_t n_train, uint32_t seed,
                                          sl_error *err);
SL_API void sl_split_release(sl_split *split);

#endif
