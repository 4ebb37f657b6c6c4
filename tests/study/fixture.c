#include "fixture.h"
#include "base/file.h"
#include "base/memory.h"
#include <arpa/inet.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- folders ---- */

char *fixture_folder(void)
{
    char *folder = strdup("/tmp/softlabel-study-XXXXXX");
    assert_non_null(folder);
    assert_non_null(mkdtemp(folder));
    return folder;
}

static int remove_one(const char *path, const struct stat *info, int type, struct FTW *at)
{
    (void)info;
    (void)type;
    (void)at;
    return remove(path);
}

void fixture_remove(char *folder)
{
    nftw(folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    free(folder);
}

static void assert_ok(sl_status st, const sl_error *err)
{
    char text[700];
    if (st)
        fail_msg("%s", sl_error_text(err, text, sizeof text));
}

void fixture_study(const char *folder, const char *changes)
{
    static const char small[] =
        "{\"images\":{\"count\":60},\"practice_images\":{\"count\":40},"
        "\"attention_images\":{\"count\":20},"
        "\"task\":{\"images_per_participant\":20,\"target_judgments\":4,\"pause_every\":8},"
        "\"practice\":{\"blocks\":1,\"images_per_block\":10,\"max_attempts\":3},"
        "\"attention\":{\"every\":5}}";
    const sl_study_new_options options = { .synthetic = true };
    const sl_study_data data = { 0 };
    const char *what;
    char path[300];
    json_t *study = NULL;
    sl_error err;
    assert_ok(sl_study_new(folder, &options, &data, &what, &err), &err);
    snprintf(path, sizeof path, "%s/study.json", folder);
    assert_ok(sl_json_read(&study, path, 1 << 20, &err), &err);
    const char *const texts[] = { small, changes };
    for (int i = 0; i < 2 && texts[i]; i++) {
        json_t *change = json_loads(texts[i], 0, NULL), *member;
        const char *key;
        assert_non_null(change);
        json_object_foreach(change, key, member) /* another source has other members */
            if (json_object_get(member, "source")) json_object_clear(json_object_get(study, key));
        assert_int_equal(json_object_update_recursive(study, change), 0);
        json_decref(change);
    }
    assert_ok(sl_json_write(path, study, &err), &err);
    json_decref(study);
}

sl_study *fixture_open(const char *folder)
{
    const sl_study_data data = { 0 };
    sl_study *study = NULL;
    sl_error err;
    assert_ok(sl_study_open(&study, folder, &data, &err), &err);
    return study;
}

/* ---- the server's process ---- */

static volatile sig_atomic_t stopping;

static void on_term(int number)
{
    (void)number;
    stopping = 1;
}

static bool stop(void)
{
    return stopping != 0;
}

static void tell_port(void *user, const char *url)
{
    const int *pipe_end = user;
    const char *colon = strrchr(url, ':');
    int port = (int)strtol(colon + 1, NULL, 10);
    if (write(*pipe_end, &port, sizeof port) != (ssize_t)sizeof port)
        stopping = 1;
}

static void run_server(const char *folder, sl_study_serve_options options)
{
    const sl_study_data data = { 0 };
    sl_study *study = NULL;
    sl_error err;
    char text[700];
    struct sigaction term = { .sa_handler = on_term };
    sigaction(SIGTERM, &term, NULL);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN);
    sl_status st = sl_study_open(&study, folder, &data, &err);
    if (!st)
        st = sl_study_serve(study, &options, &err);
    if (st)
        fprintf(stderr, "server: %s\n", sl_error_text(&err, text, sizeof text));
    sl_study_close(study);
    exit(st ? 1 : 0);
}

fixture_server fixture_serve(const char *folder, int port, const sl_study_serve_options *given)
{
    sl_study_serve_options options = given ? *given : sl_study_serve_options_default();
    fixture_server server = { 0 };
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    if (!given)
        options.rate = 0;
    options.port = port;
    options.stop = stop;
    options.ready = tell_port;
    options.user = &ends[1];
    server.pid = fork();
    assert_true(server.pid >= 0);
    if (server.pid == 0) {
        close(ends[0]);
        prctl(PR_SET_PDEATHSIG, SIGKILL); /* a failed test leaves no server behind */
        run_server(folder, options);
    }
    close(ends[1]);
    if (read(ends[0], &server.port, sizeof server.port) != (ssize_t)sizeof server.port)
        fail_msg("the server of '%s' didn't start", folder);
    close(ends[0]);
    return server;
}

void fixture_stop(fixture_server server)
{
    int status = 0;
    kill(server.pid, SIGTERM);
    assert_int_equal(waitpid(server.pid, &status, 0), server.pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

/* ---- HTTP by hand ---- */

int fixture_connect_from(const char *source, int port)
{
    struct sockaddr_in own = { .sin_family = AF_INET };
    const struct sockaddr_in address = { .sin_family = AF_INET,
                                         .sin_port = htons((uint16_t)port),
                                         .sin_addr = { htonl(INADDR_LOOPBACK) } };
    const struct timeval patience = { 60, 0 };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    assert_int_equal(inet_pton(AF_INET, source, &own.sin_addr), 1);
    assert_int_equal(bind(fd, (const struct sockaddr *)&own, sizeof own), 0);
    if (connect(fd, (const struct sockaddr *)&address, sizeof address) == 0)
        return fd;
    close(fd);
    return -1;
}

int fixture_connect(int port)
{
    return fixture_connect_from("127.0.0.1", port);
}

/* How long an answer with this head is, -1 if it goes on to the end of the connection. */
static long body_length(const char *head)
{
    const char *at = strcasestr(head, "\r\ncontent-length:");
    return at ? strtol(at + 17, NULL, 10) : -1;
}

static fixture_reply parse(char *bytes, size_t n)
{
    fixture_reply reply = { 0 };
    char *end = strstr(bytes, "\r\n\r\n");
    if (!end || strncmp(bytes, "HTTP/1.", 7) != 0)
        return reply;
    const size_t head = (size_t)(end + 4 - bytes);
    assert_true(head < sizeof reply.head);
    memcpy(reply.head, bytes, head);
    reply.status = (int)strtol(bytes + 9, NULL, 10);
    reply.size = n - head;
    reply.body = malloc(reply.size + 1);
    assert_non_null(reply.body);
    memcpy(reply.body, end + 4, reply.size);
    reply.body[reply.size] = '\0';
    return reply;
}

fixture_reply fixture_exchange(int port, const char *bytes, size_t n)
{
    fixture_reply reply = { 0 };
    char *heard = NULL;
    size_t used = 0, capacity = 0;
    ssize_t got;
    int fd = fixture_connect(port);
    if (fd < 0)
        return reply;
    for (size_t sent = 0; sent < n; sent += (size_t)got) {
        got = send(fd, bytes + sent, n - sent, MSG_NOSIGNAL);
        if (got <= 0)
            break; /* the server may answer before it has read everything */
    }
    do {
        assert_int_equal(sl_grow(&heard, &capacity, used + 65536, 1, NULL), SL_OK);
        got = recv(fd, heard + used, capacity - used - 1, 0);
        used += got > 0 ? (size_t)got : 0;
        heard[used] = '\0';
        const char *end = strstr(heard, "\r\n\r\n");
        const long length = end ? body_length(heard) : -1;
        if (length >= 0 && used >= (size_t)(end + 4 - heard) + (size_t)length)
            break;
    } while (got > 0);
    close(fd);
    reply = parse(heard, used);
    free(heard);
    return reply;
}

fixture_reply fixture_request(int port, const char *path, const char *token, const char *body)
{
    char *text = NULL;
    int n =
        asprintf(&text,
                 "%s %s HTTP/1.1\r\nHost: 127.0.0.1\r\n%s%s%sContent-Length: %zu\r\n"
                 "Connection: close\r\n\r\n%s",
                 body ? "POST" : "GET", path, token ? "Authorization: " : "", token ? token : "",
                 token ? "\r\n" : "", body ? strlen(body) : 0, body ? body : "");
    assert_true(n > 0);
    fixture_reply reply = fixture_exchange(port, text, (size_t)n);
    free(text);
    return reply;
}

void fixture_reply_release(fixture_reply *reply)
{
    free(reply->body);
    reply->body = NULL;
}

json_t *fixture_json(int port, const char *path, const char *token, const char *body, int *status)
{
    char bearer[200];
    if (token)
        snprintf(bearer, sizeof bearer, "Bearer %s", token);
    fixture_reply reply = fixture_request(port, path, token ? bearer : NULL, body);
    json_t *json = reply.body ? json_loadb(reply.body, reply.size, 0, NULL) : NULL;
    if (status)
        *status = reply.status;
    fixture_reply_release(&reply);
    return json;
}

char *fixture_join(int port)
{
    int status;
    json_t *state =
        fixture_json(port, "/api/join", NULL, "{\"consent\":true,\"query\":{}}", &status);
    assert_int_equal(status, 200);
    char *token = strdup(json_string_value(json_object_get(state, "token")));
    json_decref(state);
    return token;
}
