/* A run that is killed, anywhere and as often as one likes, and started again ends with the same
 * bits as one that is left alone; also after a full disk. */
#include "data/fixture.h"
#include "worker.h"

#include <jansson.h>
#include <signal.h>
#include <softlabel/synth.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* Sanitizers make starting a process ten times slower. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { SINGLE_KILLS = 5, CHAIN_KILLS = 4, TIMED_KILLS = 2 };
#else
enum { SINGLE_KILLS = 20, CHAIN_KILLS = 8, TIMED_KILLS = 3 };
#endif

/* What all tests share: the data, and undisturbed runs. */
typedef struct {
    char *folder;
    worker_job train, finetune, mix, shake;
    char data[300], trained[300], tuned[300], mixed[300], shaken[300], model[400];
    double finetune_seconds;
} shared_runs;

static const char *const train_files[] = { "metrics.csv", "model.safetensors", "config.json",
                                           NULL };
static const char *const finetune_files[] = { "metrics.csv", "best.safetensors", "last.safetensors",
                                              "config.json", NULL };

static double now_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void make_undisturbed(shared_runs *s)
{
    sl_synth_options o = sl_synth_options_default();
    sl_error err;
    o.n_train = 100;
    o.n_test = 100;
    snprintf(s->data, sizeof s->data, "%s/data", s->folder);
    snprintf(s->trained, sizeof s->trained, "%s/trained", s->folder);
    snprintf(s->tuned, sizeof s->tuned, "%s/tuned", s->folder);
    snprintf(s->mixed, sizeof s->mixed, "%s/mixed", s->folder);
    snprintf(s->shaken, sizeof s->shaken, "%s/shaken", s->folder);
    snprintf(s->model, sizeof s->model, "%s/model.safetensors", s->trained);
    expect_ok(sl_synth_write(s->data, &o, NULL, NULL, &err), &err);
    s->train = (worker_job){ "train", s->data, s->trained, "resnet_basic_8", "1", 0, 0 };
    assert_int_equal(worker_wait(worker_start(&s->train)), WORKER_DONE);
    double started = now_s();
    s->finetune = (worker_job){ "finetune", s->data, s->tuned, s->model, "2", 0, 0 };
    assert_int_equal(worker_wait(worker_start(&s->finetune)), WORKER_DONE);
    s->finetune_seconds = now_s() - started;
    s->mix = (worker_job){ "mix", s->data, s->mixed, s->model, "2", 0, 0 };
    assert_int_equal(worker_wait(worker_start(&s->mix)), WORKER_DONE);
    s->shake = (worker_job){ "train", s->data, s->shaken, "shake_shake_8_2x16d_SSI+base_channels=4",
                             "1",     0,       0 };
    assert_int_equal(worker_wait(worker_start(&s->shake)), WORKER_DONE);
}

static int group_setup(void **state)
{
    static shared_runs shared;
    shared_runs *s = &shared;
    void *folder = NULL;
    if (fixture_setup(&folder))
        return -1;
    s->folder = folder;
    make_undisturbed(s);
    *state = s;
    return 0;
}

static int group_teardown(void **state)
{
    shared_runs *s = *state;
    void *folder = s->folder;
    return fixture_teardown(&folder);
}

static char *read_whole(const char *folder, const char *name, size_t *n)
{
    FILE *file = fopen(fixture_path(folder, "%s", name), "rb");
    if (!file)
        fail_msg("%s/%s isn't there", folder, name);
    char *bytes = malloc(1 << 22);
    assert_non_null(bytes);
    *n = fread(bytes, 1, 1 << 22, file);
    assert_true(*n < 1 << 22);
    fclose(file);
    return bytes;
}

static json_t *result_without_time(const char *folder)
{
    json_t *json = json_load_file(fixture_path(folder, "result.json"), 0, NULL);
    assert_non_null(json);
    assert_int_equal(json_object_del(json, "seconds"), 0);
    return json;
}

static void expect_same_run(const char *a, const char *b, const char *const *files)
{
    for (; *files; files++) {
        size_t n_a, n_b;
        char *bytes_a = read_whole(a, *files, &n_a), *bytes_b = read_whole(b, *files, &n_b);
        if (n_a != n_b || memcmp(bytes_a, bytes_b, n_a) != 0)
            fail_msg("%s of %s and %s differ", *files, a, b);
        free(bytes_a);
        free(bytes_b);
    }
    json_t *result_a = result_without_time(a), *result_b = result_without_time(b);
    assert_true(json_equal(result_a, result_b));
    json_decref(result_a);
    json_decref(result_b);
    /* Nothing half-written, and no state, is left. */
    assert_int_equal(fixture_count_files(fixture_path(b, "checkpoints")), 0);
    assert_int_equal(fixture_count_files(a), fixture_count_files(b));
}

/* Lets the job, killed so far, end. */
static void finish(worker_job job, const char *undisturbed, const char *const *files)
{
    job.kill_at = 0;
    assert_int_equal(worker_wait(worker_start(&job)), WORKER_DONE);
    expect_same_run(undisturbed, job.out, files);
}

/* Each moment of a whole run by itself, or as many as there is time for, evenly spread. */
static void one_kill_at_any_moment(void **state)
{
    shared_runs *s = *state;
    long moments = worker_moments(s->trained);
    long stride = moments / SINGLE_KILLS + 1;
    assert_true(moments > 20);
    for (long at = 1; at <= moments; at += stride) {
        worker_job job = s->train;
        job.out = fixture_path(s->folder, "killed-at-%ld", at);
        job.kill_at = at;
        assert_int_equal(worker_wait(worker_start(&job)), WORKER_KILLED);
        finish(job, s->trained, train_files);
    }
}

/* The same run killed again and again. */
static void kill_often(const shared_runs *s, worker_job job, const char *const *files)
{
    const char *undisturbed = job.out;
    long moments = worker_moments(undisturbed);
    unsigned seed = (unsigned)time(NULL);
    job.out = fixture_path(s->folder, "often-killed-%s", job.command);
    print_message("seed %u\n", seed);
    srand(seed);
    for (int life = 0; life < CHAIN_KILLS; life++) {
        job.kill_at = 1 + rand() % moments;
        assert_int_not_equal(worker_wait(worker_start(&job)), WORKER_FAILED);
    }
    finish(job, undisturbed, files);
}

static void many_kills(void **state)
{
    const shared_runs *s = *state;
    kill_often(s, s->finetune, finetune_files);
}

/* With mixup, cutout and sampled labels; and a network that draws numbers itself. */
static void many_kills_of_random_runs(void **state)
{
    const shared_runs *s = *state;
    kill_often(s, s->mix, finetune_files);
    kill_often(s, s->shake, train_files);
}

/* From outside, at whatever it is doing then: within steps and writes too. */
static void kills_by_the_clock(void **state)
{
    shared_runs *s = *state;
    worker_job job = s->finetune;
    job.out = fixture_path(s->folder, "killed-by-clock");
    for (int life = 0; life < TIMED_KILLS; life++) {
        pid_t pid = worker_start(&job);
        usleep((useconds_t)(1e6 * s->finetune_seconds * (0.3 + 0.7 * rand() / RAND_MAX)));
        kill(pid, SIGKILL);
        assert_int_not_equal(worker_wait(pid), WORKER_FAILED);
    }
    finish(job, s->tuned, finetune_files);
}

/* No file may grow beyond 40,000 bytes, so the state can't be written: it fails, and leaves nothing
 * half-written. With room again it goes on. */
static void a_full_disk(void **state)
{
    shared_runs *s = *state;
    worker_job job = s->train;
    job.out = fixture_path(s->folder, "full-disk");
    job.max_file_bytes = 40000;
    assert_int_equal(worker_wait(worker_start(&job)), WORKER_FAILED);
    assert_int_equal(fixture_count_files(fixture_path(job.out, "checkpoints")), 0);
    assert_false(fixture_exists(fixture_path(job.out, "model.safetensors")));
    assert_false(fixture_exists(fixture_path(job.out, "result.json")));
    job.max_file_bytes = 0;
    finish(job, s->trained, train_files);
}

/* Started once more, a finished run stays as it is. */
static void a_finished_run_is_left_alone(void **state)
{
    shared_runs *s = *state;
    assert_int_equal(worker_wait(worker_start(&s->train)), WORKER_DONE);
    assert_true(worker_moments(s->trained) < 5); /* nothing was trained */
}

int main(int argc, char **argv)
{
    worker_main(argc, argv);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_kill_at_any_moment),
        cmocka_unit_test(many_kills),
        cmocka_unit_test(many_kills_of_random_runs),
        cmocka_unit_test(kills_by_the_clock),
        cmocka_unit_test(a_full_disk),
        cmocka_unit_test(a_finished_run_is_left_alone),
    };
    return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
