/* What people might try: each attempt is refused, and the server goes on for everybody else. */
#include "fixture.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

typedef struct {
    char *folder;
    fixture_server server;
} site;

static site open_site(const char *changes, const sl_study_serve_options *options)
{
    site s = { .folder = fixture_folder() };
    fixture_study(s.folder, changes);
    s.server = fixture_serve(s.folder, 0, options);
    return s;
}

static void close_site(site *s)
{
    fixture_reply alive = fixture_request(s->server.port, "/healthz", NULL, NULL);
    assert_int_equal(alive.status, 200);
    fixture_reply_release(&alive);
    fixture_stop(s->server);
    fixture_remove(s->folder);
}

static int status_of(int port, const char *path, const char *token, const char *body)
{
    int status;
    json_decref(fixture_json(port, path, token, body, &status));
    return status;
}

static const char trial_0[] = "{\"n\":0,\"choice\":1,\"rt_ms\":1,\"elapsed_ms\":1}";

static void test_forged_tokens(void **state)
{
    (void)state;
    site s = open_site(NULL, NULL), other = open_site(NULL, NULL);
    char *token = fixture_join(s.server.port), *foreign = fixture_join(other.server.port);
    char forged[100];
    const char *mac = strchr(token, '.');
    assert_int_equal(status_of(s.server.port, "/api/state", token, NULL), 200);
    assert_int_equal(status_of(s.server.port, "/api/state", foreign, NULL), 401);
    snprintf(forged, sizeof forged, "2%s", mac); /* another's number with one's own seal */
    assert_int_equal(status_of(s.server.port, "/api/state", forged, NULL), 401);
    assert_int_equal(status_of(s.server.port, "/api/trial", forged, trial_0), 401);
    assert_int_equal(status_of(s.server.port, "/api/image/0", forged, NULL), 401);
    snprintf(forged, sizeof forged, "%s0", token);
    assert_int_equal(status_of(s.server.port, "/api/state", forged, NULL), 401);
    assert_int_equal(status_of(s.server.port, "/api/state", "", NULL), 401);
    assert_int_equal(status_of(s.server.port, "/api/state", NULL, NULL), 401);
    free(token);
    free(foreign);
    close_site(&s);
    close_site(&other);
}

static void test_trials_out_of_order_and_twice(void **state)
{
    (void)state;
    site s = open_site(NULL, NULL);
    const int port = s.server.port;
    char *token = fixture_join(port), *second = fixture_join(port);
    assert_int_equal(
        status_of(port, "/api/trial", token, "{\"n\":1,\"choice\":1,\"rt_ms\":1,\"elapsed_ms\":1}"),
        409);
    assert_int_equal(status_of(port, "/api/trial", token, trial_0), 200);
    assert_int_equal(status_of(port, "/api/trial", token, trial_0), 200); /* a lost answer */
    assert_int_equal(
        status_of(port, "/api/trial", token, "{\"n\":0,\"choice\":2,\"rt_ms\":1,\"elapsed_ms\":1}"),
        409);
    /* A body can't speak for somebody else, and images are one's own. */
    assert_int_equal(status_of(port, "/api/trial", token,
                               "{\"n\":1,\"choice\":1,\"rt_ms\":1,\"elapsed_ms\":1,"
                               "\"participant\":2}"),
                     200);
    int status;
    json_t *untouched = fixture_json(port, "/api/state", second, NULL, &status);
    assert_int_equal(json_integer_value(json_object_get(untouched, "next")), 0);
    json_decref(untouched);
    assert_int_equal(status_of(port, "/api/image/10", token, NULL), 404); /* not planned yet */
    free(token);
    free(second);
    close_site(&s);
}

static void test_malformed_bodies(void **state)
{
    (void)state;
    static const char *const bodies[] = {
        "",
        "{",
        "[]",
        "null",
        "\"n\"",
        "{}",
        "{\"n\":0}",
        "\xff\xfe",
        "{\"n\":0,\"n\":0}",
        "{\"n\":\"0\",\"choice\":1,\"rt_ms\":1,\"elapsed_ms\":1}",
        "{\"n\":0.5,\"choice\":1,\"rt_ms\":1,\"elapsed_ms\":1}",
        "{\"n\":-1,\"choice\":1,\"rt_ms\":1,\"elapsed_ms\":1}",
        "{\"n\":0,\"choice\":10,\"rt_ms\":1,\"elapsed_ms\":1}",
        "{\"n\":0,\"choice\":-1,\"rt_ms\":1,\"elapsed_ms\":1}",
        "{\"n\":0,\"choice\":1,\"rt_ms\":-1,\"elapsed_ms\":1}",
        "{\"n\":0,\"choice\":1,\"rt_ms\":1e308,\"elapsed_ms\":1}",
        "{\"n\":0,\"choice\":1,\"rt_ms\":NaN,\"elapsed_ms\":1}",
        "{\"n\":0,\"choice\":1,\"rt_ms\":null,\"elapsed_ms\":1}",
        "{\"n\":99999999999999999999,\"choice\":1,\"rt_ms\":1,\"elapsed_ms\":1}",
        "{\"n\":0,\"choice\":\"1; DROP TABLE trial\",\"rt_ms\":1,\"elapsed_ms\":1}",
    };
    site s = open_site(NULL, NULL);
    char *token = fixture_join(s.server.port);
    for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
        const int status = status_of(s.server.port, "/api/trial", token, bodies[i]);
        if (status != 400)
            fail_msg("body '%s': %d", bodies[i], status);
    }
    char deep[8000]; /* brackets in brackets */
    memset(deep, '[', sizeof deep - 1);
    deep[sizeof deep - 1] = '\0';
    assert_int_equal(status_of(s.server.port, "/api/trial", token, deep), 400);
    assert_int_equal(status_of(s.server.port, "/api/join", NULL, "{\"consent\":false}"), 400);
    assert_int_equal(status_of(s.server.port, "/api/join", NULL, "{\"consent\":1}"), 400);
    assert_int_equal(status_of(s.server.port, "/api/trial", token, trial_0), 200);
    free(token);
    close_site(&s);
}

static void test_paths_lead_nowhere(void **state)
{
    (void)state;
    static const char *const paths[] = {
        "/study.json",
        "/study.key",
        "/study.db",
        "/../study.key",
        "/./study.key",
        "/%2e%2e/study.key",
        "/..%2fstudy.key",
        "/page.js/../study.key",
        "//study.key",

        "/page.js/",
        "/api/image/../../study.key",
        "/api/image/1;DROP%20TABLE%20x",
        "/api/image/",
        "/api/image/-1",
        "/api/image/+1",
        "/api/image/0x1",
        "/api/image/1/",
        "/api/image/99999999999999999999",
        "/api/image/0'--",
        "/admin/../study.key",
        "/api/",
    };
    site s = open_site(NULL, NULL);
    char *token = fixture_join(s.server.port);
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        const int status = status_of(s.server.port, paths[i], token, NULL);
        if (status != 404 && status != 400)
            fail_msg("GET %s: %d", paths[i], status);
    }
    assert_int_equal(status_of(s.server.port, "/page.js", token, "{}"), 404);
    fixture_reply reply = fixture_exchange(
        s.server.port, "DELETE / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", 49);
    assert_int_equal(reply.status, 405);
    fixture_reply_release(&reply);
    free(token);
    close_site(&s);
}

/* A body of 100 MB: announced, it's refused unread; unannounced, after what fits. */
static void test_huge_bodies(void **state)
{
    (void)state;
    site s = open_site(NULL, NULL);
    static const char announced[] = "POST /api/trial HTTP/1.1\r\nHost: a\r\n"
                                    "Content-Length: 104857600\r\n\r\n";
    fixture_reply reply = fixture_exchange(s.server.port, announced, sizeof announced - 1);
    assert_int_equal(reply.status, 413);
    fixture_reply_release(&reply);

    static const char chunked[] = "POST /api/trial HTTP/1.1\r\nHost: a\r\n"
                                  "Transfer-Encoding: chunked\r\n\r\n";
    static char chunk[65536 + 16];
    memcpy(chunk, "10000\r\n", 7);
    memset(chunk + 7, '[', 65536);
    memcpy(chunk + 7 + 65536, "\r\n", 2);
    int fd = fixture_connect(s.server.port);
    assert_true(send(fd, chunked, sizeof chunked - 1, MSG_NOSIGNAL) > 0);
    size_t sent = 0;
    while (sent < ((size_t)100 << 20)) {
        const ssize_t n = send(fd, chunk, 7 + 65536 + 2, MSG_NOSIGNAL);
        if (n <= 0)
            break;
        sent += (size_t)n;
    }
    close(fd);
    assert_true(sent < ((size_t)20 << 20)); /* what sockets hold; the server stopped long before */

    char *head = malloc(200000); /* a head that doesn't end */
    assert_non_null(head);
    memset(head, 'a', 200000);
    memcpy(head, "GET / HTTP/1.1\r\nX: ", 19);
    reply = fixture_exchange(s.server.port, head, 200000);
    assert_true(reply.status == 0 || reply.status == 431 || reply.status == 414 ||
                reply.status == 400 || reply.status == 413);
    fixture_reply_release(&reply);
    free(head);
    close_site(&s);
}

static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* A hundred clients that send a byte now and then: others are served, and they are cut off. */
static void test_slow_clients(void **state)
{
    (void)state;
    enum { SLOW = 100 };
    sl_study_serve_options options = sl_study_serve_options_default();
    options.rate = 0;
    options.request_seconds = 2;
    site s = open_site(NULL, &options);
    int slow[SLOW], open = SLOW;
    const double start = seconds();
    for (int i = 0; i < SLOW; i++)
        assert_true((slow[i] = fixture_connect(s.server.port)) >= 0);
    while (open > 0 && seconds() - start < 20) {
        open = 0;
        for (int i = 0; i < SLOW; i++) { /* a byte a round: never idle, never done */
            char byte;
            if (slow[i] < 0)
                continue;
            send(slow[i], "G", 1, MSG_NOSIGNAL);
            const ssize_t n = recv(slow[i], &byte, 1, MSG_DONTWAIT);
            if (n == 0 || n == 1) {
                close(slow[i]);
                slow[i] = -1;
            } else {
                open++;
            }
        }
        const double asked = seconds();
        fixture_reply reply = fixture_request(s.server.port, "/healthz", NULL, NULL);
        assert_int_equal(reply.status, 200);
        fixture_reply_release(&reply);
        assert_true(seconds() - asked < 2);
        usleep(200000);
    }
    assert_int_equal(open, 0);
    close_site(&s);
}

/* Whether a new connection from an address is served. */
static bool is_served(const char *source, int port)
{
    static const char request[] = "GET /healthz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    char byte;
    const int fd = fixture_connect_from(source, port);
    assert_true(fd >= 0);
    (void)send(fd, request, sizeof request - 1, MSG_NOSIGNAL);
    const bool served = recv(fd, &byte, 1, 0) == 1;
    close(fd);
    return served;
}

/* One address holds as many connections as it may: others are served, and it is again when one of
 * its own has ended. Behind a proxy everybody has the proxy's address. */
static void test_all_connections(void **state)
{
    (void)state;
    enum { MAY = 8 };
    for (int proxy = 0; proxy < 2; proxy++) {
        sl_study_serve_options options = sl_study_serve_options_default();
        options.address = "0.0.0.0";
        options.connections = MAY;
        options.behind_proxy = proxy;
        site s = open_site(NULL, &options);
        int held[MAY];
        for (int i = 0; i < MAY; i++) {
            assert_true((held[i] = fixture_connect_from("127.0.0.2", s.server.port)) >= 0);
            assert_true(is_served("127.0.0.3", s.server.port)); /* and the one above is counted */
        }
        assert_int_equal(is_served("127.0.0.2", s.server.port), proxy);
        close(held[0]);
        bool served = false;
        for (int tries = 0; tries < 100 && !served; tries++) {
            served = is_served("127.0.0.2", s.server.port);
            usleep(20000); /* until the server has seen it go */
        }
        assert_true(served);
        for (int i = 1; i < MAY; i++)
            close(held[i]);
        close_site(&s);
    }
}

/* Names that would be markup, SQL or CSV in the wrong place come out as text everywhere. */
static void test_names_that_bite(void **state)
{
    (void)state;
    site s = open_site("{\"classes\":[\"<script>x</script>\",\"a,b\",\"\\\"q\\\"\",\"'; DROP--\","
                       "\"=1+1\",\"f\",\"g\",\"h\",\"i\",\"\\u00e4\"],"
                       "\"practice\":{\"pass\":0},\"attention\":{\"pass\":0}}",
                       NULL);
    fixture_reply reply = fixture_request(s.server.port, "/api/study", NULL, NULL);
    assert_non_null(strstr(reply.head, "Content-Type: application/json\r\n"));
    assert_non_null(
        strstr(reply.body, "<script>x</script>")); /* JSON's text; nosniff keeps it so */
    fixture_reply_release(&reply);
    char *token = fixture_join(s.server.port);
    for (int n = 0; n < 34; n++) {
        char body[100];
        snprintf(body, sizeof body, "{\"n\":%d,\"choice\":%d,\"rt_ms\":1,\"elapsed_ms\":1}", n,
                 n % 10);
        assert_int_equal(status_of(s.server.port, "/api/trial", token, body), 200);
    }
    free(token);
    sl_study *study = fixture_open(s.folder);
    char *text = NULL;
    size_t size = 0, rows = 0;
    sl_error err;
    FILE *stream = open_memstream(&text, &size);
    assert_int_equal(sl_study_export(study, SL_STUDY_RAW, SL_STUDY_PASSED, stream, &err), SL_OK);
    fclose(stream);
    for (size_t i = 0; i < size; i++)
        rows += text[i] == '\n';
    assert_int_equal(rows, 25);
    assert_non_null(strstr(text, ",\"a,b\","));
    assert_non_null(strstr(text, ",\"\"\"q\"\"\","));
    free(text);
    sl_study_close(study);
    close_site(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_forged_tokens),
        cmocka_unit_test(test_trials_out_of_order_and_twice),
        cmocka_unit_test(test_malformed_bodies),
        cmocka_unit_test(test_paths_lead_nowhere),
        cmocka_unit_test(test_huge_bodies),
        cmocka_unit_test(test_slow_clients),
        cmocka_unit_test(test_all_connections),
        cmocka_unit_test(test_names_that_bite),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
