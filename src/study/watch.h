/* The open connections: how many an address holds, and an end to those that keep the server
 * waiting. Whatever a client sends or doesn't, a request has to be there within a time limit.
 * (libmicrohttpd's own time-out starts again with each byte.) */
#ifndef STUDY_WATCH_H
#define STUDY_WATCH_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct sl_watched {
    int socket;
    uint64_t address; /* hash of whose it is */
    double since;     /* seconds: when the wait for its present request began */
    bool busy;        /* its request is here and being answered */
    struct sl_watched *next, **at;
} sl_watched;

typedef struct {
    pthread_mutex_t lock;
    sl_watched *first;
} sl_watch;

void sl_watch_init(sl_watch *watch);
void sl_watch_release(sl_watch *watch); /* with no connection left */
void sl_watch_add(sl_watch *watch, sl_watched *connection, int socket, uint64_t address,
                  double now);
void sl_watch_remove(sl_watch *watch, sl_watched *connection);
void sl_watch_busy(sl_watch *watch, sl_watched *connection, bool busy, double now);
int sl_watch_count(sl_watch *watch, uint64_t address); /* connections of that address */
/* Shuts the sockets of connections that have waited for longer than seconds. Any thread. */
void sl_watch_end_slow(sl_watch *watch, double seconds, double now);

#endif
