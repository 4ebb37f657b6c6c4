/* How much one address may ask for: a bucket of requests for each, that fills again with time. A
 * fixed table, so that no number of addresses takes more memory. One thread. */
#ifndef STUDY_LIMITS_H
#define STUDY_LIMITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SL_LIMITS_BUCKETS 4096

typedef struct {
    double rate, burst; /* requests a second; how many may come at once */
    struct {
        uint64_t address; /* hash; 0: free */
        double left, at;  /* requests left, at that second */
    } bucket[SL_LIMITS_BUCKETS];
} sl_limits;

void sl_limits_init(sl_limits *limits, double rate, double burst);

/* Whether address has a request left, without taking it. */
bool sl_limits_left(sl_limits *limits, uint64_t address, double now);
/* Takes one request of address (a hash) at a time in seconds; false if there's none left. Rate 0:
 * always true. */
bool sl_limits_take(sl_limits *limits, uint64_t address, double now);

#endif
