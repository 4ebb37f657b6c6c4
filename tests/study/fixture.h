/* A small study in a folder of its own, a server for it in a process of its own, and HTTP by hand,
 * so that tests can also say what no client library would. */
#ifndef TESTS_STUDY_FIXTURE_H
#define TESTS_STUDY_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h> /* after the three above */

#include "base/json.h"
#include <softlabel/study.h>
#include <sys/types.h>

/* A GIF of one pixel. */
#define FIXTURE_GIF                                                    \
    "\x47\x49\x46\x38\x39\x61\x01\x00\x01\x00\x80\x00\x00\x00\x00\x00" \
    "\xff\xff\xff\x21\xf9\x04\x01\x00\x00\x00\x00\x2c\x00\x00\x00\x00" \
    "\x01\x00\x01\x00\x00\x02\x02\x44\x01\x00\x3b"

/* A new folder; free() ends the name. */
char *fixture_folder(void);
void fixture_remove(char *folder); /* with all that is in it; frees the name */

/* A study on synthetic images: 60 images, 20 a participant, one practice block of 10, a check every
 * 5, target 4, changed by the members of changes (JSON, may be NULL). */
void fixture_study(const char *folder, const char *changes);
sl_study *fixture_open(const char *folder);

typedef struct {
    pid_t pid;
    int port;
} fixture_server;

/* port 0: any. options: NULL for no rate limit and the rest as by default. */
fixture_server fixture_serve(const char *folder, int port, const sl_study_serve_options *options);
/* SIGTERM; the process must end well, which under the sanitizers says that nothing leaked. */
void fixture_stop(fixture_server server);

typedef struct {
    int status;      /* 0: no answer */
    char head[4096]; /* status line and headers */
    char *body;
    size_t size;
} fixture_reply;

int fixture_connect(int port);                          /* -1: nobody answers */
int fixture_connect_from(const char *source, int port); /* as another address of this machine */
/* Sends exactly these bytes over a new connection and reads to the end of the answer. */
fixture_reply fixture_exchange(int port, const char *bytes, size_t n);
/* A GET, or with a body a POST; token may be NULL. */
fixture_reply fixture_request(int port, const char *path, const char *token, const char *body);
void fixture_reply_release(fixture_reply *reply);
/* As fixture_request, and the answer as JSON, NULL if it isn't any. */
json_t *fixture_json(int port, const char *path, const char *token, const char *body, int *status);

/* Joins by an open link. */
char *fixture_join(int port); /* the token; free() ends it */

#endif
