/* Fetching from a server on this machine that behaves, breaks off, lies, or is gone. */
#include "data/fetch.h"
#include "base/hash.h"
#include "base/npy.h"
#include "fixture.h"
#include "server.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SIZE = 300000 };

static unsigned char body[SIZE];
static char body_sha256[65];

/* One file without a published hash but ours, so that what is there counts as whole. */
#define NAME "cifar10.1_v4_data.npy"
#define PATH "cifar10.1/" NAME

static sl_publication publication(void)
{
    return (sl_publication){ .name = NAME,
                             .sha256 = body_sha256,
                             .size = SIZE,
                             .max_bytes = SIZE,
                             .first = SL_FILE_V4_DATA,
                             .n_files = 1 };
}

static served_file good_file(void)
{
    return (served_file){ .path = "/" NAME, .bytes = body, .n = SIZE };
}

/* Fetches p from a server of files into the test's folder; stops the server. */
static sl_status fetch_with(void **state, const sl_publication *p, served_file *files, int n_files,
                            int retries, sl_progress_fn *progress, sl_error *err)
{
    server s;
    server_start(&s, files, n_files);
    const sl_fetch_options options = { s.url, retries, 1 };
    sl_status st = sl_data_fetch_list(*state, p, 1, &options, progress, NULL, err);
    server_stop(&s);
    return st;
}

static sl_status fetch(void **state, served_file *file, int retries, sl_error *err)
{
    const sl_publication p = publication();
    return fetch_with(state, &p, file, 1, retries, NULL, err);
}

static void expect_whole(void **state)
{
    sl_error err;
    char hex[65];
    expect_ok(sl_hash_file(fixture_path(*state, PATH), SL_HASH_SHA256, hex, &err), &err);
    assert_string_equal(hex, body_sha256);
    assert_int_equal(fixture_count_files(fixture_path(*state, "cifar10.1")), 1);
}

static void expect_nothing(void **state)
{
    assert_int_equal(fixture_count_files(fixture_path(*state, "cifar10.1")), 0);
}

static void expect_part(void **state, long size)
{
    struct stat s;
    assert_int_equal(fixture_count_files(fixture_path(*state, "cifar10.1")), 1);
    assert_int_equal(stat(fixture_path(*state, PATH ".part"), &s), 0);
    assert_int_equal(s.st_size, size);
}

static void test_whole(void **state)
{
    sl_error err;
    served_file f = good_file();
    expect_ok(fetch(state, &f, 0, &err), &err);
    expect_whole(state);
    assert_int_equal(f.requests, 1);
    expect_ok(fetch(state, &f, 0, &err), &err);
    assert_int_equal(f.requests, 1); /* it was there */
}

static void test_goes_on_in_the_same_run(void **state)
{
    sl_error err;
    served_file f = good_file();
    f.breaks = 2;
    f.break_after = 100000;
    expect_ok(fetch(state, &f, 2, &err), &err);
    expect_whole(state);
    assert_int_equal(f.requests, 3);
    assert_int_equal(f.start, 200000);
}

static void test_goes_on_in_the_next_run(void **state)
{
    sl_error err;
    served_file f = good_file();
    f.breaks = 1;
    f.break_after = 123456;
    expect_error(fetch(state, &f, 0, &err), SL_EIO, &err, "/" NAME);
    expect_part(state, 123456);
    expect_ok(fetch(state, &f, 0, &err), &err);
    expect_whole(state);
    assert_int_equal(f.start, 123456);
}

static void test_server_without_ranges(void **state)
{
    sl_error err;
    served_file f = good_file();
    f.breaks = 1;
    f.break_after = 5000;
    f.no_ranges = true;
    expect_ok(fetch(state, &f, 1, &err), &err);
    expect_whole(state);
    assert_int_equal(f.requests, 2);
}

static void test_server_with_other_ranges(void **state)
{
    sl_error err;
    served_file f = good_file();
    f.breaks = 1;
    f.break_after = 5000;
    f.wrong_range = true;
    expect_error(fetch(state, &f, 1, &err), SL_EIO, &err, "another part of the file");
}

static void test_wrong_checksum(void **state)
{
    sl_error err;
    served_file f = good_file();
    unsigned char *other = malloc(SIZE);
    char hex[65], message[300];
    memcpy(other, body, SIZE);
    other[SIZE / 2] ^= 1;
    expect_ok(sl_sha256(other, SIZE, hex, &err), &err);
    snprintf(message, sizeof message, "sha256 is %s, expected %s", hex, body_sha256);
    f.bytes = other;
    expect_error(fetch(state, &f, 3, &err), SL_EFORMAT, &err, message);
    expect_nothing(state);
    assert_int_equal(f.requests, 1);
    free(other);
}

static void test_wrong_length(void **state)
{
    sl_error err;
    served_file f = good_file();
    f.n = SIZE - 1;
    expect_error(fetch(state, &f, 0, &err), SL_EFORMAT, &err,
                 "size is 299999 bytes, expected 300000");
    expect_nothing(state);
    sl_publication small = publication();
    small.size = 0;
    small.max_bytes = 1000;
    f = good_file();
    expect_error(fetch_with(state, &small, &f, 1, 0, NULL, &err), SL_EFORMAT, &err,
                 "more than 1000 bytes");
}

static void test_stale_part(void **state)
{
    sl_error err;
    served_file f = good_file();
    unsigned char *longer = calloc(SIZE + 10, 1);
    fixture_make_dir(fixture_path(*state, "cifar10.1"));
    fixture_write(fixture_path(*state, PATH ".part"), longer, SIZE + 10); /* can't be ours */
    expect_ok(fetch(state, &f, 0, &err), &err);
    expect_whole(state);
    assert_int_equal(unlink(fixture_path(*state, PATH)), 0);

    sl_publication p = publication(); /* of unknown size, the server has to say it: 416 */
    p.size = 0;
    p.max_bytes = 2 * SIZE;
    fixture_write(fixture_path(*state, PATH ".part"), longer, SIZE + 10);
    expect_ok(fetch_with(state, &p, &f, 1, 0, NULL, &err), &err);
    expect_whole(state);
    assert_int_equal(unlink(fixture_path(*state, PATH)), 0);

    fixture_write(fixture_path(*state, PATH ".part"), longer, 1000); /* of another file */
    expect_error(fetch(state, &f, 0, &err), SL_EFORMAT, &err, "sha256 is");
    expect_nothing(state);
    fixture_write(fixture_path(*state, PATH ".part"), body, SIZE); /* killed before the check */
    f.requests = 0;
    expect_ok(fetch(state, &f, 0, &err), &err);
    expect_whole(state);
    assert_int_equal(f.requests, 0);
    free(longer);
}

static void test_server_errors(void **state)
{
    sl_error err;
    served_file f = good_file(), other = good_file();
    other.path = "/other";
    expect_error(fetch(state, &other, 3, &err), SL_ENOTFOUND, &err, "status 404");
    expect_nothing(state);
    f.errors = 2;
    expect_error(fetch(state, &f, 1, &err), SL_EIO, &err, "status 503");
    expect_nothing(state);
    f.errors = 2;
    f.requests = 0;
    expect_ok(fetch(state, &f, 2, &err), &err);
    expect_whole(state);
    assert_int_equal(f.requests, 3);
}

static void test_redirects(void **state)
{
    sl_error err;
    served_file files[] = { good_file(), good_file() };
    const sl_publication p = publication();
    files[0].location = "/elsewhere";
    files[1].path = "/elsewhere";
    expect_ok(fetch_with(state, &p, files, 2, 0, NULL, &err), &err);
    expect_whole(state);
    assert_int_equal(unlink(fixture_path(*state, PATH)), 0);
    files[0].location = "file:///etc/passwd";
    expect_error(fetch_with(state, &p, files, 2, 0, NULL, &err), SL_EIO, &err, "rotocol");
    files[0].location = "/" NAME; /* for ever */
    expect_error(fetch_with(state, &p, files, 2, 0, NULL, &err), SL_EIO, &err, "redirect");
    expect_nothing(state);
}

static void test_nobody_answers(void **state)
{
    sl_error err;
    served_file f = good_file();
    server s;
    server_start(&s, &f, 1);
    server_stop(&s);
    const sl_publication p = publication();
    const sl_fetch_options options = { s.url, 3, 1 };
    expect_error(sl_data_fetch_list(*state, &p, 1, &options, NULL, NULL, &err), SL_EIO, &err,
                 "127.0.0.1");
    expect_nothing(state);
}

static bool stop_halfway(void *user, const sl_progress *progress)
{
    (void)user;
    assert_string_equal(progress->task, NAME);
    assert_string_equal(progress->unit, "bytes");
    return progress->done > 0;
}

static void test_interrupted(void **state)
{
    sl_error err;
    served_file f = good_file();
    const sl_publication p = publication();
    f.breaks = 1;
    f.break_after = 1000;
    expect_error(fetch_with(state, &p, &f, 1, 3, stop_halfway, &err), SL_EINTERRUPTED, &err,
                 "interrupted");
    expect_part(state, 1000);
}

static void test_damaged_file_is_replaced(void **state)
{
    sl_error err;
    served_file f = good_file();
    sl_publication p = publication();
    p.name = "cifar10h-counts.npy"; /* the publisher's hash of it is known, so "x" is damaged */
    p.first = SL_FILE_COUNTS;
    f.path = "/cifar10h-counts.npy";
    fixture_make_dir(fixture_path(*state, "cifar10h"));
    fixture_write(fixture_path(*state, "cifar10h/cifar10h-counts.npy"), "x", 1);
    expect_ok(fetch_with(state, &p, &f, 1, 0, NULL, &err), &err);
    assert_int_equal(f.requests, 1);
    struct stat s;
    assert_int_equal(stat(fixture_path(*state, "cifar10h/cifar10h-counts.npy"), &s), 0);
    assert_int_equal(s.st_size, SIZE);
}

/* CIFAR-10.1's images have no known hash: then the format decides. */
static void test_unknown_hash(void **state)
{
    const sl_publication *p = &sl_publications[4];
    assert_string_equal(p->name, NAME);
    assert_null(p->sha256);
    sl_error err;
    const char *path = fixture_path(*state, "images.npy");
    const size_t shape[] = { 2, 32, 32, 3 };
    expect_ok(sl_npy_write(path, SL_NPY_U8, 4, shape, body, &err), &err);
    unsigned char bytes[8192];
    FILE *file = fopen(path, "rb");
    served_file f = good_file();
    f.bytes = bytes;
    f.n = fread(bytes, 1, sizeof bytes, file) - 1;
    f.no_length = true;
    fclose(file);
    expect_error(fetch_with(state, p, &f, 1, 0, NULL, &err), SL_EFORMAT, &err, NAME);
    expect_nothing(state);
    f.n++;
    expect_ok(fetch_with(state, p, &f, 1, 0, NULL, &err), &err);
    assert_true(fixture_exists(fixture_path(*state, PATH)));
}

static void test_refuses(void **state)
{
    sl_error err;
    sl_fetch_options options = sl_fetch_options_default();
    options.base_url = "ftp://example.org";
    expect_error(sl_data_fetch(*state, &options, NULL, NULL, &err), SL_EINVAL, &err,
                 "neither http:// nor https://");
    options = sl_fetch_options_default();
    options.retries = -1;
    expect_error(sl_data_fetch(*state, &options, NULL, NULL, &err), SL_EINVAL, &err, "-1");
    options = sl_fetch_options_default();
    const char synth[] = "{\"format\": \"softlabel-synth-1\", \"train\": 5, \"test\": 1}";
    fixture_write(fixture_path(*state, "synth.json"), synth, strlen(synth));
    fixture_write(fixture_path(*state, "test_batch.bin"), "", 0);
    expect_error(sl_data_fetch(*state, &options, NULL, NULL, &err), SL_EINVAL, &err,
                 "holds a synthetic set");
}

/* The real list asks a mirror for the publishers' names. */
static void test_mirror_of_the_real_list(void **state)
{
    sl_error err;
    served_file f = good_file(); /* as long as an error page may be, and not what was asked for */
    f.path = "/mirror/cifar-10-binary.tar.gz";
    server s;
    server_start(&s, &f, 1);
    char url[100];
    snprintf(url, sizeof url, "%s/mirror/", s.url);
    const sl_fetch_options options = { url, 0, 1 };
    sl_status st = sl_data_fetch(*state, &options, NULL, NULL, &err);
    server_stop(&s);
    expect_error(st, SL_EFORMAT, &err, "expected 170052171");
    assert_int_equal(f.requests, 1);
    assert_int_equal(fixture_count_files(*state), 0);
}

static int group_setup(void **state)
{
    (void)state;
    for (size_t i = 0; i < SIZE; i++)
        body[i] = (unsigned char)(i * 2654435761u >> 13);
    return sl_sha256(body, SIZE, body_sha256, NULL) != SL_OK;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_whole),
        TEST(test_goes_on_in_the_same_run),
        TEST(test_goes_on_in_the_next_run),
        TEST(test_server_without_ranges),
        TEST(test_server_with_other_ranges),
        TEST(test_wrong_checksum),
        TEST(test_wrong_length),
        TEST(test_stale_part),
        TEST(test_server_errors),
        TEST(test_redirects),
        TEST(test_nobody_answers),
        TEST(test_interrupted),
        TEST(test_damaged_file_is_replaced),
        TEST(test_unknown_hash),
        TEST(test_refuses),
        TEST(test_mirror_of_the_real_list),
    };
    return cmocka_run_group_tests(tests, group_setup, NULL);
}
