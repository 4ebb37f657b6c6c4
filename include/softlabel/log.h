/* What the library says while it works. Nothing is printed unless a sink is set; only the program
 * (src/cli) sets one. Any thread may log; the sink is called under a lock. */
#ifndef SOFTLABEL_LOG_H
#define SOFTLABEL_LOG_H

#include <softlabel/error.h>
#include <stdbool.h>

typedef enum { SL_LOG_DEBUG, SL_LOG_INFO, SL_LOG_WARNING } sl_log_level;

typedef void sl_log_sink(void *user, sl_log_level level, const char *line);

/* Sets the sink for the whole process; NULL silences. Not to be called while other threads log. */
SL_API void sl_log_set_sink(sl_log_sink *sink, void *user);
SL_API void sl_log(sl_log_level level, const char *format, ...) SL_PRINTF(2, 3);

/* A long job's progress, for a bar: done of total units (total 0: unknown), what it is doing. The
 * job calls it as often as it likes; the receiver thins. Return true from it to ask the job to
 * stop: it then ends with SL_EINTERRUPTED at the next safe point. */
typedef struct {
    const char *task;   /* "epoch 3/30" */
    const char *unit;   /* "images", "bytes" */
    const char *detail; /* "loss 0.412", may be "" */
    unsigned long long done, total;
} sl_progress;
typedef bool sl_progress_fn(void *user, const sl_progress *progress);

#endif
