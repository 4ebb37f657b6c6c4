/* kill -9, a full disk: what was acknowledged is there, once, and everybody gets to the end. */
#include "fixture.h"
#include "study/store.h"
#include "study/study.h"
#include <arpa/inet.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static int free_port(void)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
    socklen_t size = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, size), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size), 0);
    close(fd);
    return ntohs(address.sin_port);
}

typedef struct {
    sl_store *store;
    int64_t participant;
    int answered;
} checker;

static sl_status count_answered(void *user, const sl_trial *t, sl_error *err)
{
    checker *c = user;
    (void)err;
    c->answered += t->choice >= 0;
    return SL_OK;
}

static sl_status count_all(void *user, const sl_participant *p, sl_error *err)
{
    checker *c = user;
    /* No hole: the trials up to next are answered, none after it. */
    const int before = c->answered;
    sl_status st = sl_store_each_trial(c->store, p->id, count_answered, c, err);
    assert_int_equal(c->answered - before, p->next);
    return st;
}

/* Every line of the ledger, "participant,n,choice", is in the database, and nothing else is. */
static void compare(const char *folder, const char *ledger, uint64_t acknowledged)
{
    sl_study *study = fixture_open(folder);
    checker c = { 0 };
    uint64_t lines = 0;
    char line[100];
    sl_error err;
    assert_int_equal(sl_store_open(&c.store, study->database, study->images.sha256, true, &err),
                     SL_OK);
    FILE *file = fopen(ledger, "r");
    assert_non_null(file);
    assert_non_null(fgets(line, sizeof line, file));
    while (fgets(line, sizeof line, file)) {
        int64_t participant;
        int n, choice;
        bool found;
        sl_trial t;
        assert_int_equal(sscanf(line, "%" SCNd64 ",%d,%d", &participant, &n, &choice), 3);
        assert_int_equal(sl_store_trial(c.store, participant, n, &t, &found, &err), SL_OK);
        assert_true(found);
        assert_int_equal(t.choice, choice);
        lines++;
    }
    fclose(file);
    assert_int_equal(lines, acknowledged);
    assert_int_equal(sl_store_each_participant(c.store, count_all, &c, &err), SL_OK);
    assert_int_equal(c.answered, acknowledged);
    sl_store_close(c.store);
    sl_study_close(study);
}

/* Waits until a process has worked for so long, or for 10 seconds. */
static void let_work(pid_t pid, double seconds)
{
    clockid_t clock;
    struct timespec t = { 0 };
    double start = -1;
    assert_int_equal(clock_getcpuclockid(pid, &clock), 0);
    for (int i = 0; i < 5000; i++) {
        if (clock_gettime(clock, &t))
            return;
        const double used = (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
        if (start < 0)
            start = used;
        if (used - start >= seconds)
            return;
        usleep(2000);
    }
}

/* A process that keeps a server running and kills it at random moments of its work (on a busy
 * machine it may do nothing for long), until it is told to stop. */
static pid_t start_killer(const char *folder, int port)
{
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid > 0)
        return pid;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    unsigned seed = 12345;
    for (;;) {
        const fixture_server server = fixture_serve(folder, port, NULL);
        let_work(server.pid, 0.005 + rand_r(&seed) % 1000 * 5e-5);
        kill(server.pid, SIGKILL);
        waitpid(server.pid, NULL, 0);
    }
}

static void test_killed_again_and_again(void **state)
{
    (void)state;
    char *folder = fixture_folder(), url[60], ledger[300];
    const int port = free_port();
    fixture_study(folder, "{\"task\":{\"target_judgments\":100}}");
    const pid_t killer = start_killer(folder, port);
    snprintf(url, sizeof url, "http://127.0.0.1:%d", port);
    snprintf(ledger, sizeof ledger, "%s/ledger.csv", folder);

    sl_study_bots_options options = sl_study_bots_options_default();
    options.url = url;
    options.n = 24;
    options.at_once = 8;
    options.think_ms = 5;
    options.retry_seconds = 600;
    options.ledger = ledger;
    sl_study_bots_result result;
    sl_error err;
    sl_study *study = fixture_open(folder);
    assert_int_equal(sl_study_bots(study, &options, &result, NULL, NULL, &err), SL_OK);
    sl_study_close(study);
    kill(killer, SIGKILL);
    waitpid(killer, NULL, 0);

    assert_int_equal(result.failed, 0);
    assert_int_equal(result.finished + result.excluded, 24);
    assert_true(result.retries > 0); /* it was killed while they were at work */

    compare(folder, ledger, result.trials);
    fixture_remove(folder);
}

static int post(int port, const char *token, int n)
{
    char body[100];
    int status;
    snprintf(body, sizeof body, "{\"n\":%d,\"choice\":1,\"rt_ms\":1,\"elapsed_ms\":1}", n);
    json_decref(fixture_json(port, "/api/trial", token, body, &status));
    return status;
}

/* The server may write no more: it says so, keeps nothing half done, and goes on when it may. */
static void test_disk_full(void **state)
{
    (void)state;
    char *folder = fixture_folder(), path[300];
    fixture_study(folder, NULL);
    fixture_server server = fixture_serve(folder, 0, NULL);
    char *token = fixture_join(server.port);
    assert_int_equal(post(server.port, token, 0), 200);

    struct rlimit before, full;
    struct stat info;
    snprintf(path, sizeof path, "%s/study.db-wal", folder);
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(prlimit(server.pid, RLIMIT_FSIZE, NULL, &before), 0);
    full = before;
    full.rlim_cur = (rlim_t)info.st_size; /* the log can't grow */
    assert_int_equal(prlimit(server.pid, RLIMIT_FSIZE, &full, NULL), 0);
    for (int i = 0; i < 3; i++)
        assert_int_equal(post(server.port, token, 1), 503);
    int status;
    json_t *refusal =
        fixture_json(server.port, "/api/join", NULL, "{\"consent\":true,\"query\":{}}", &status);
    assert_int_equal(status, 503);
    assert_string_equal(json_string_value(json_object_get(refusal, "code")), "storage");
    json_decref(refusal);

    assert_int_equal(prlimit(server.pid, RLIMIT_FSIZE, &before, NULL), 0);
    assert_int_equal(post(server.port, token, 1), 200);
    assert_int_equal(post(server.port, token, 2), 200);
    json_t *json = fixture_json(server.port, "/api/state", token, NULL, &status);
    assert_int_equal(json_integer_value(json_object_get(json, "next")), 3);
    json_decref(json);
    free(token);
    fixture_stop(server);
    fixture_remove(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_killed_again_and_again),
        cmocka_unit_test(test_disk_full),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
