#include "server.h"
#include "fixture.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Reads up to the empty line; false if none comes. */
static bool read_request(int client, char *text, size_t size)
{
    size_t n = 0;
    while (n + 1 < size) {
        const ssize_t got = recv(client, text + n, size - 1 - n, 0);
        if (got <= 0)
            return false;
        n += (size_t)got;
        text[n] = '\0';
        if (strstr(text, "\r\n\r\n"))
            return true;
    }
    return false;
}

static void send_all(int client, const void *bytes, size_t n)
{
    const char *at = bytes;
    while (n > 0) {
        const ssize_t sent = send(client, at, n, MSG_NOSIGNAL);
        if (sent <= 0)
            return; /* the client hung up, as it may */
        at += sent;
        n -= (size_t)sent;
    }
}

static void send_head(int client, const char *status, const char *more)
{
    char head[512];
    const int n =
        snprintf(head, sizeof head, "HTTP/1.1 %s\r\nConnection: close\r\n%s\r\n", status, more);
    send_all(client, head, (size_t)n);
}

static void send_file(int client, served_file *f, size_t start)
{
    char more[200] = "", length[64] = "";
    size_t n = f->n - start;
    if (!f->no_length)
        snprintf(length, sizeof length, "Content-Length: %zu\r\n", n);
    if (start > 0)
        snprintf(more, sizeof more, "Content-Range: bytes %zu-%zu/%zu\r\n%s",
                 start - f->wrong_range, f->n - 1, f->n, length);
    send_head(client, start > 0 ? "206 Partial Content" : "200 OK", start > 0 ? more : length);
    if (f->breaks > 0) {
        f->breaks--;
        n = f->break_after < n ? f->break_after : n;
    }
    send_all(client, (const char *)f->bytes + start, n);
}

static served_file *find(server *s, const char *request)
{
    for (int i = 0; i < s->n_files; i++) {
        const size_t n = strlen(s->files[i].path);
        if (strncmp(request, "GET ", 4) == 0 && strncmp(request + 4, s->files[i].path, n) == 0 &&
            request[4 + n] == ' ')
            return &s->files[i];
    }
    return NULL;
}

static void answer(server *s, int client)
{
    char request[4096], more[300];
    const char nothing[] = "Content-Length: 0\r\n";
    if (!read_request(client, request, sizeof request))
        return;
    s->requests++;
    served_file *f = find(s, request);
    if (!f) {
        send_head(client, "404 Not Found", nothing);
        return;
    }
    const char *range = strcasestr(request, "\r\nRange: bytes=");
    f->requests++;
    f->start = range ? strtoull(range + 15, NULL, 10) : 0;
    if (f->errors > 0) {
        f->errors--;
        send_head(client, "503 Service Unavailable", nothing);
    } else if (f->location) {
        snprintf(more, sizeof more, "Location: %s\r\n%s", f->location, nothing);
        send_head(client, "302 Found", more);
    } else if (f->no_ranges) {
        send_file(client, f, 0);
    } else if (f->start > 0 && f->start >= f->n) {
        send_head(client, "416 Range Not Satisfiable", nothing);
    } else {
        send_file(client, f, f->start);
    }
}

static void *serve(void *user)
{
    server *s = user;
    for (int client; (client = accept(s->listener, NULL, NULL)) >= 0; close(client)) {
        const struct timeval limit = { .tv_sec = 5 };
        setsockopt(client, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
        setsockopt(client, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
        answer(s, client);
        shutdown(client, SHUT_WR);
    }
    return NULL;
}

void server_start(server *s, served_file *files, int n_files)
{
    struct sockaddr_in address = { .sin_family = AF_INET };
    socklen_t size = sizeof address;
    *s = (server){ .files = files, .n_files = n_files };
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    s->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(s->listener >= 0);
    assert_int_equal(bind(s->listener, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(s->listener, 16), 0);
    assert_int_equal(getsockname(s->listener, (struct sockaddr *)&address, &size), 0);
    snprintf(s->url, sizeof s->url, "http://127.0.0.1:%d", ntohs(address.sin_port));
    setenv("no_proxy", "127.0.0.1", 1);
    assert_int_equal(pthread_create(&s->thread, NULL, serve, s), 0);
}

void server_stop(server *s)
{
    shutdown(s->listener, SHUT_RDWR); /* ends accept() */
    pthread_join(s->thread, NULL);
    close(s->listener);
}
