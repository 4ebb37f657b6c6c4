/* A participant's way through the HTTP interface, and what else the server shows. */
#include "base/file.h"
#include "fixture.h"
#include "study/study.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static json_int_t whole(const json_t *object, const char *key)
{
    return json_integer_value(json_object_get(object, key));
}

static bool is(const json_t *object, const char *key, const char *text)
{
    const char *value = json_string_value(json_object_get(object, key));
    return value && strcmp(value, text) == 0;
}

static json_t *post_trial(int port, const char *token, int n, int choice, int *status)
{
    char body[120];
    snprintf(body, sizeof body, "{\"n\":%d,\"choice\":%d,\"rt_ms\":400.5,\"elapsed_ms\":%d}", n,
             choice, 1000 * n);
    return fixture_json(port, "/api/trial", token, body, status);
}

static bool has_header(const fixture_reply *reply, const char *line)
{
    return strstr(reply->head, line) != NULL;
}

static void expect_get(int port, const char *path, int status)
{
    fixture_reply reply = fixture_request(port, path, NULL, NULL);
    if (reply.status != status)
        fail_msg("GET %s: %d, expected %d", path, reply.status, status);
    fixture_reply_release(&reply);
}

/* Goes through everything by the answers that practice feedback teaches; a restart in between. */
static void test_whole_way(void **state)
{
    (void)state;
    char *folder = fixture_folder();
    fixture_study(folder, "{\"practice\":{\"pass\":0},\"attention\":{\"pass\":0}}");
    fixture_server server = fixture_serve(folder, 0, NULL);
    int status;
    json_t *state_json =
        fixture_json(server.port, "/api/join", NULL, "{\"consent\":true,\"query\":{}}", &status);
    assert_int_equal(status, 200);
    char *token = strdup(json_string_value(json_object_get(state_json, "token")));
    json_t *ring = json_incref(json_object_get(state_json, "ring"));
    assert_int_equal(json_array_size(ring), 10);
    assert_true(is(state_json, "phase", "practice"));
    json_decref(state_json);
    for (int n = 0; n < 34; n++) { /* 10 of practice, 20 images, 4 checks */
        char path[40], bearer[120];
        snprintf(path, sizeof path, "/api/image/%d", n);
        snprintf(bearer, sizeof bearer, "Bearer %s", token);
        fixture_reply image = fixture_request(server.port, path, bearer, NULL);
        assert_int_equal(image.status, 200);
        assert_true(has_header(&image, "Content-Type: image/png\r\n"));
        assert_memory_equal(image.body, "\x89PNG\r\n\x1a\n", 8);
        fixture_reply_release(&image);
        json_t *answer = post_trial(server.port, token, n, n % 10, &status);
        assert_int_equal(status, 200);
        assert_int_equal(whole(answer, "stored"), n);
        assert_int_equal(whole(answer, "next"), n + 1);
        assert_int_equal(json_object_get(answer, "truth") != NULL, n < 10); /* practice only */
        json_decref(answer);
        if (n == 15) { /* in the middle of the task */
            fixture_stop(server);
            server = fixture_serve(folder, server.port, NULL);
            json_t *again = fixture_json(server.port, "/api/state", token, NULL, &status);
            assert_int_equal(whole(again, "next"), 16);
            assert_true(json_equal(json_object_get(again, "ring"), ring));
            assert_null(json_object_get(again, "code")); /* not before the end */
            json_decref(again);
        }
    }
    json_t *end = fixture_json(server.port, "/api/state", token, NULL, &status);
    assert_true(is(end, "phase", "done"));
    assert_int_equal(strlen(json_string_value(json_object_get(end, "code"))), 11);
    json_decref(end);
    json_decref(ring);
    free(token);
    fixture_stop(server);
    fixture_remove(folder);
}

static void test_headers(void **state)
{
    (void)state;
    char *folder = fixture_folder();
    fixture_study(folder, NULL);
    fixture_server server = fixture_serve(folder, 0, NULL);
    fixture_reply page = fixture_request(server.port, "/", NULL, NULL);
    assert_int_equal(page.status, 200);
    assert_true(has_header(&page, "Content-Type: text/html; charset=utf-8\r\n"));
    assert_true(has_header(&page, "X-Content-Type-Options: nosniff\r\n"));
    assert_true(has_header(&page, "X-Frame-Options: DENY\r\n"));
    assert_true(has_header(&page, "default-src 'none'; script-src 'self'"));
    assert_true(has_header(&page, "frame-ancestors 'none'"));
    assert_true(has_header(&page, "Referrer-Policy: no-referrer\r\n"));
    fixture_reply_release(&page);
    expect_get(server.port, "/page.js", 200);
    expect_get(server.port, "/page.css", 200);
    expect_get(server.port, "/healthz", 200);
    expect_get(server.port, "/nothing", 404);
    fixture_stop(server);
    fixture_remove(folder);

    folder = fixture_folder();
    fixture_study(folder, "{\"recruitment\":{\"kind\":\"mturk\",\"submit_to\":"
                          "[\"https://www.mturk.com\"]}}");
    server = fixture_serve(folder, 0, NULL);
    page = fixture_request(server.port, "/", NULL, NULL);
    assert_true(has_header(&page, "frame-ancestors https://*.mturk.com;"));
    assert_true(
        has_header(&page, "form-action 'self' https://*.mturk.com https://www.mturk.com\r\n"));
    assert_false(has_header(&page, "X-Frame-Options"));
    fixture_reply_release(&page);
    fixture_stop(server);
    fixture_remove(folder);
}

static void test_recruiting(void **state)
{
    (void)state;
    static const struct {
        const char *why, *query;
        int status;
    } cases[] = {
        { "as Prolific sends it",
          "{\"PROLIFIC_PID\":\"5f1worker\",\"STUDY_ID\":\"s1\",\"SESSION_ID\":\"x1\"}", 200 },
        { "reloaded", "{\"PROLIFIC_PID\":\"5f1worker\",\"STUDY_ID\":\"s1\",\"SESSION_ID\":\"x1\"}",
          200 },
        { "no session", "{\"PROLIFIC_PID\":\"5f2\",\"STUDY_ID\":\"s1\"}", 400 },
        { "nothing", "{}", 400 },
        { "no text", "{\"PROLIFIC_PID\":7,\"STUDY_ID\":\"s1\",\"SESSION_ID\":\"x1\"}", 400 },
        { "SQL", "{\"PROLIFIC_PID\":\"' OR 1=1 --\",\"STUDY_ID\":\"s1\",\"SESSION_ID\":\"x1\"}",
          400 },
        { "markup", "{\"PROLIFIC_PID\":\"<b>\",\"STUDY_ID\":\"s1\",\"SESSION_ID\":\"x1\"}", 400 },
    };
    char *folder = fixture_folder();
    fixture_study(folder, "{\"recruitment\":{\"kind\":\"prolific\",\"completion_url\":"
                          "\"https://app.prolific.com/submissions/complete?cc=C1\"}}");
    fixture_server server = fixture_serve(folder, 0, NULL);
    json_int_t first = 0;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char body[300];
        int status;
        snprintf(body, sizeof body, "{\"consent\":true,\"query\":%s}", cases[i].query);
        json_t *answer = fixture_json(server.port, "/api/join", NULL, body, &status);
        if (status != cases[i].status)
            fail_msg("%s: %d, expected %d", cases[i].why, status, cases[i].status);
        if (i == 0)
            first = whole(answer, "participant");
        if (i == 1)
            assert_int_equal(whole(answer, "participant"), first);
        json_decref(answer);
    }
    fixture_stop(server);

    /* Whoever opens the database finds no id of anybody's. */
    char path[300];
    unsigned char *bytes;
    size_t n;
    sl_error err;
    snprintf(path, sizeof path, "%s/study.db", folder);
    assert_int_equal(sl_file_read(path, (size_t)1 << 24, &bytes, &n, &err), SL_OK);
    assert_null(memmem(bytes, n, "5f1worker", 9));
    free(bytes);
    fixture_remove(folder);
}

static void test_dashboard_needs_the_password(void **state)
{
    (void)state;
    char *folder = fixture_folder(), password[33];
    fixture_study(folder, NULL);
    sl_study *study = fixture_open(folder);
    sl_study_admin_password(study, password);
    sl_study_close(study);
    fixture_server server = fixture_serve(folder, 0, NULL);
    static const char *const paths[] = { "/admin", "/admin.js", "/admin/status.json",
                                         "/admin/image/7" };
    for (size_t i = 0; i < 4; i++)
        expect_get(server.port, paths[i], 401);

    /* base64 of "admin:" and 32 hexadecimal digits */
    static const char letters[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    char login[48], packed[80] = "Basic ";
    size_t n = (size_t)snprintf(login, sizeof login, "admin:%s", password), used = 6;
    for (size_t i = 0; i < n; i += 3) {
        const uint32_t three = (uint32_t)(unsigned char)login[i] << 16 |
                               (uint32_t)(unsigned char)(i + 1 < n ? login[i + 1] : 0) << 8 |
                               (uint32_t)(unsigned char)(i + 2 < n ? login[i + 2] : 0);
        packed[used++] = letters[three >> 18];
        packed[used++] = letters[three >> 12 & 63];
        packed[used++] = i + 1 < n ? letters[three >> 6 & 63] : '=';
        packed[used++] = i + 2 < n ? letters[three & 63] : '=';
    }
    packed[used] = '\0';
    for (size_t i = 0; i < 4; i++) {
        fixture_reply reply = { 0 };
        for (int tries = 0; tries < 50 && reply.status != 200; tries++) { /* the first count */
            fixture_reply_release(&reply);
            reply = fixture_request(server.port, paths[i], packed, NULL);
            usleep(20000);
        }
        assert_int_equal(reply.status, 200);
        fixture_reply_release(&reply);
    }
    fixture_reply none = fixture_request(server.port, "/admin/image/60", packed, NULL);
    assert_int_equal(none.status, 404); /* the study has 60 */
    fixture_reply_release(&none);
    int refused = 0;
    for (int i = 0; i < 30; i++) { /* guessing gets slow */
        fixture_reply reply = fixture_request(server.port, "/admin", "Basic YWRtaW46eA==", NULL);
        assert_true(reply.status == 401 || reply.status == 429);
        refused += reply.status == 429;
        fixture_reply_release(&reply);
    }
    assert_in_range(refused, 14, 30);
    fixture_reply right = fixture_request(server.port, "/admin", packed, NULL);
    assert_int_equal(right.status, 429); /* or one could guess as fast as ever */
    fixture_reply_release(&right);
    fixture_stop(server);
    fixture_remove(folder);
}

static void test_rate_limit(void **state)
{
    (void)state;
    char *folder = fixture_folder();
    sl_study_serve_options options = sl_study_serve_options_default();
    options.rate = 1; /* and 20 at once */
    fixture_study(folder, NULL);
    fixture_server server = fixture_serve(folder, 0, &options);
    int served = 0;
    for (int i = 0; i < 60; i++) {
        fixture_reply reply = fixture_request(server.port, "/api/study", NULL, NULL);
        served += reply.status == 200;
        if (reply.status != 200) {
            assert_int_equal(reply.status, 429);
            assert_true(has_header(&reply, "Retry-After: 1\r\n"));
        }
        fixture_reply_release(&reply);
    }
    assert_in_range(served, 20, 40);
    expect_get(server.port, "/", 200); /* the page itself isn't limited */
    fixture_stop(server);
    fixture_remove(folder);
}

/* Behind a proxy each visitor has a limit; what a visitor claims about itself changes nothing. */
static void test_rate_limit_behind_a_proxy(void **state)
{
    (void)state;
    static const struct {
        const char *why, *lines; /* %d: counts */
        bool limited;
    } cases[] = {
        { "visitors apart", "X-Forwarded-For: 10.0.0.%d\r\n", false },
        { "one visitor", "X-Forwarded-For: 10.1.0.1\r\n", true },
        { "a chain of its own", "X-Forwarded-For: 9.9.9.%d, 10.1.0.2\r\n", true },
        { "a line of its own", "X-Forwarded-For: 9.9.9.%d\r\nX-Forwarded-For: 10.1.0.3\r\n", true },
        { "a household's addresses", "X-Forwarded-For: 2001:db8:0:1::%d\r\n", true },
    };
    char *folder = fixture_folder();
    sl_study_serve_options options = sl_study_serve_options_default();
    options.rate = 1; /* and 20 at once */
    options.behind_proxy = true;
    fixture_study(folder, NULL);
    fixture_server server = fixture_serve(folder, 0, &options);
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        int refused = 0;
        for (int i = 0; i < 40; i++) {
            char lines[160], request[300];
            snprintf(lines, sizeof lines, cases[c].lines, i);
            const int n = snprintf(request, sizeof request,
                                   "GET /api/study HTTP/1.1\r\nHost: a\r\n%s"
                                   "Connection: close\r\n\r\n",
                                   lines);
            fixture_reply reply = fixture_exchange(server.port, request, (size_t)n);
            refused += reply.status == 429;
            fixture_reply_release(&reply);
        }
        if (cases[c].limited != (refused > 10))
            fail_msg("%s: %d of 40 refused", cases[c].why, refused);
    }
    fixture_stop(server);
    fixture_remove(folder);
}

static void test_one_server_a_study(void **state)
{
    (void)state;
    char *folder = fixture_folder();
    fixture_study(folder, NULL);
    fixture_server server = fixture_serve(folder, 0, NULL);
    sl_study *study = fixture_open(folder);
    const sl_study_serve_options options = sl_study_serve_options_default();
    sl_error err;
    assert_int_equal(sl_study_serve(study, &options, &err), SL_EINVAL);
    assert_non_null(strstr(err.message, "another process serves"));
    sl_study_close(study);
    fixture_stop(server);
    fixture_remove(folder);
}

static json_t *status_of(const char *folder)
{
    sl_study *study = fixture_open(folder);
    char *text = NULL;
    sl_error err;
    assert_int_equal(sl_study_status(study, &text, &err), SL_OK);
    sl_study_close(study);
    json_t *status = json_loads(text, 0, NULL);
    free(text);
    assert_non_null(status);
    return status;
}

/* From every way of recruiting: who was planted to fail fails, who was to leave has left, all
 * others count; and the same bots again are the same people. */
static void test_bots(void **state)
{
    (void)state;
    enum { BOTS = 40 };
    static const char *const changes[] = {
        "{\"task\":{\"target_judgments\":100}}",
        "{\"task\":{\"target_judgments\":100},\"recruitment\":{\"kind\":\"mturk\",\"submit_to\":"
        "[\"https://www.mturk.com\"]}}",
        "{\"task\":{\"target_judgments\":100},\"recruitment\":{\"kind\":\"prolific\","
        "\"completion_url\":\"https://app.prolific.com/submissions/complete?cc=C1\"}}",
    };
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        char *folder = fixture_folder(), url[60];
        fixture_study(folder, changes[i]);
        fixture_server server = fixture_serve(folder, 0, NULL);
        snprintf(url, sizeof url, "http://127.0.0.1:%d", server.port);
        sl_study_bots_options options = sl_study_bots_options_default();
        options.url = url;
        options.n = BOTS;
        options.spam = 0.2;
        options.drop_out = 0.2;
        sl_study_bots_result r;
        sl_error err;
        sl_study *study = fixture_open(folder);
        assert_int_equal(sl_study_bots(study, &options, &r, NULL, NULL, &err), SL_OK);
        assert_int_equal(r.joined, BOTS);
        assert_int_equal(r.failed, 0);
        assert_int_equal(r.finished + r.dropped + r.excluded, BOTS);
        assert_true(r.spammers > 0 && r.dropped > 0);
        json_t *status = status_of(folder);
        const json_t *people = json_object_get(status, "participants");
        const int passed = r.finished - r.spammers;
        assert_int_equal(whole(people, "failed"), r.spammers);
        assert_int_equal(whole(people, "task"), r.dropped);
        assert_int_equal(whole(people, "excluded"), r.excluded);
        assert_int_equal(whole(people, "passed"), passed);
        assert_int_equal(whole(json_object_get(status, "judgments"), "usable"), 20 * passed);
        json_decref(status);
        if (i > 0) { /* somebody in particular */
            options.drop_out = 0;
            assert_int_equal(sl_study_bots(study, &options, &r, NULL, NULL, &err), SL_OK);
            status = status_of(folder);
            assert_int_equal(json_array_size(json_object_get(status, "people")), BOTS);
            assert_int_equal(whole(json_object_get(status, "participants"), "task"), 0);
            json_decref(status);
        }
        sl_study_close(study);
        fixture_stop(server);
        fixture_remove(folder);
    }
}

/* A study of 20 pictures, which are its only files; the one of number damaged is cut short. */
static char *picture_study(int damaged)
{
    char *folder = fixture_folder(), path[300];
    sl_error err;
    snprintf(path, sizeof path, "%s/pictures", folder);
    assert_int_equal(sl_make_directories(path, &err), SL_OK);
    for (int i = 0; i < 20; i++) {
        snprintf(path, sizeof path, "%s/pictures/%02d.gif", folder, i);
        assert_int_equal(
            sl_file_write(path, FIXTURE_GIF, sizeof FIXTURE_GIF - 1 - (i == damaged), &err), SL_OK);
    }
    fixture_study(folder, "{\"images\":{\"source\":\"folder\",\"folder\":\"pictures\"},"
                          "\"practice\":{\"blocks\":0},\"attention\":{\"every\":0}}");
    return folder;
}

/* An image's file that is gone is that participant's trouble, and nobody else's: no transaction is
 * given up for it. */
static void test_a_lost_image(void **state)
{
    (void)state;
    char *folder = picture_study(-1), path[300];
    fixture_server server = fixture_serve(folder, 0, NULL);
    char *token = fixture_join(server.port), bearer[120];
    snprintf(bearer, sizeof bearer, "Bearer %s", token);
    fixture_reply image = fixture_request(server.port, "/api/image/0", bearer, NULL);
    assert_int_equal(image.status, 200);
    assert_true(has_header(&image, "Content-Type: image/gif\r\n"));
    fixture_reply_release(&image);
    for (int i = 0; i < 20; i++) {
        snprintf(path, sizeof path, "%s/pictures/%02d.gif", folder, i);
        assert_int_equal(unlink(path), 0);
    }
    int status;
    json_t *refusal = fixture_json(server.port, "/api/image/0", token, NULL, &status);
    assert_int_equal(status, 404);
    assert_true(is(refusal, "code", "image"));
    assert_null(strstr(json_string_value(json_object_get(refusal, "error")), folder));
    json_decref(refusal);
    json_decref(post_trial(server.port, token, 0, 1, &status));
    assert_int_equal(status, 200);
    free(token);
    fixture_stop(server);
    fixture_remove(folder);
}

/* Nobody comes to a study with an image that can't be shown. */
static void test_a_damaged_image(void **state)
{
    (void)state;
    char *folder = picture_study(7);
    sl_error err;
    sl_study *study = fixture_open(folder); /* what people answered can still be exported */
    const sl_study_serve_options options = sl_study_serve_options_default();
    assert_int_equal(sl_study_serve(study, &options, &err), SL_EFORMAT);
    assert_non_null(strstr(err.message, "pictures/07.gif: is cut short"));
    sl_study_close(study);
    fixture_remove(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_whole_way),
        cmocka_unit_test(test_headers),
        cmocka_unit_test(test_recruiting),
        cmocka_unit_test(test_dashboard_needs_the_password),
        cmocka_unit_test(test_rate_limit),
        cmocka_unit_test(test_one_server_a_study),
        cmocka_unit_test(test_rate_limit_behind_a_proxy),
        cmocka_unit_test(test_a_lost_image),
        cmocka_unit_test(test_a_damaged_image),
        cmocka_unit_test(test_bots),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
