/* A web server on a loopback port, for tests: it serves what it's told to, in the ways servers can
 * misbehave. One connection a request, one at a time; no client can hold it for more than 5 s. */
#ifndef TESTS_DATA_SERVER_H
#define TESTS_DATA_SERVER_H

#include <stdbool.h>
#include <stddef.h>

typedef struct {
    const char *path; /* "/name" */
    const void *bytes;
    size_t n;

    int breaks;           /* so many answers end early, */
    size_t break_after;   /* after this many bytes */
    int errors;           /* so many answers before that are status 503 */
    const char *location; /* not NULL: a redirect to there */
    bool no_ranges;       /* answers 200 and everything, whatever was asked for */
    bool wrong_range;     /* answers 206 with other bytes than asked for */
    bool no_length;       /* says not how much will come */

    int requests; /* counted */
    size_t start; /* the last one's Range, 0 if it had none */
} served_file;

typedef struct {
    served_file *files;
    int n_files;
    int requests; /* of whatever path */
    char url[64]; /* "http://127.0.0.1:port" */
    int listener;
    unsigned long thread;
} server;

/* files must live until stop; look at their counts after it only. */
void server_start(server *s, served_file *files, int n_files);
void server_stop(server *s);

#endif
