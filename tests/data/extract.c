/* CIFAR-10's archive: extracted and then checked file by file, or refused without a trace. */
#include "data/extract.h"
#include "fixture.h"
#include "tar_maker.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

enum { BATCH_BYTES = 30730000 };

/* n zero bytes as an entry: right in size and in label. */
static void add_zeros(gzFile gz, const char *name, size_t n)
{
    static const unsigned char zeros[1 << 16];
    unsigned char header[512];
    size_t left = (n + 511) / 512 * 512;
    tar_header(header, name, '0', n);
    assert_int_equal(gzwrite(gz, header, 512), 512);
    while (left > 0) {
        const unsigned now = left < sizeof zeros ? (unsigned)left : (unsigned)sizeof zeros;
        assert_int_equal(gzwrite(gz, zeros, now), (int)now);
        left -= now;
    }
}

static gzFile create(const char *path)
{
    gzFile gz = gzopen(path, "wb1");
    assert_non_null(gz);
    return gz;
}

static void finish(gzFile gz)
{
    static const unsigned char end[1024];
    assert_int_equal(gzwrite(gz, end, sizeof end), (int)sizeof end);
    assert_int_equal(gzclose_w(gz), Z_OK);
}

static void add_all(gzFile gz)
{
    char name[64];
    for (int b = 1; b <= 5; b++) {
        snprintf(name, sizeof name, "cifar-10-batches-bin/data_batch_%d.bin", b);
        add_zeros(gz, name, BATCH_BYTES);
    }
    add_zeros(gz, "cifar-10-batches-bin/readme.html", 88);
    add_zeros(gz, "../../escape", 10);
    add_zeros(gz, "/tmp/softlabel-escape", 10);
    add_zeros(gz, "cifar-10-batches-bin/batches.meta.txt", 61);
    add_zeros(gz, "cifar-10-batches-bin/test_batch.bin", BATCH_BYTES);
}

static void test_whole_archive(void **state)
{
    sl_error err;
    const char *archive = fixture_path(*state, "c.tar.gz");
    const char *dir = fixture_path(*state, "deep/cifar-10-batches-bin");
    gzFile gz = create(archive);
    add_all(gz);
    finish(gz);
    expect_ok(sl_cifar_extract(archive, dir, &err), &err);
    assert_int_equal(fixture_count_files(dir), 8); /* seven and SHA256SUMS */
    assert_int_equal(fixture_count_files(fixture_path(*state, "deep")), 1);
    assert_int_equal(fixture_count_files(*state), 2);
    assert_false(fixture_exists("/tmp/softlabel-escape"));

    sl_data *data;
    sl_file_report *reports;
    size_t n;
    expect_ok(sl_data_open(&data, fixture_path(*state, "deep"), NULL, &err), &err);
    expect_ok(sl_data_check(data, &reports, &n, &err), &err);
    assert_int_equal(n, 6);
    for (size_t i = 0; i < n; i++)
        assert_int_equal(reports[i].state, SL_FILE_OK);
    free(reports);
    FILE *file = fopen(fixture_path(dir, "data_batch_3.bin"), "r+b");
    assert_int_equal(fputc(7, file), 7); /* a valid label, but not the one that was there */
    fclose(file);
    expect_ok(sl_data_check(data, &reports, &n, &err), &err);
    for (size_t i = 0; i < n; i++)
        assert_int_equal(reports[i].state, i == 2 ? SL_FILE_DAMAGED : SL_FILE_OK);
    free(reports);
    sl_data_close(data);
    expect_error(sl_cifar_extract(archive, dir, &err), SL_EIO, &err, "is there already");
}

static void test_cut_off(void **state)
{
    const char *archive = fixture_path(*state, "c.tar.gz");
    gzFile gz = create(archive);
    struct stat s;
    add_all(gz);
    finish(gz);
    assert_int_equal(stat(archive, &s), 0);
    static const long cuts[] = { 8, 100000 }; /* all of gzip's trailer; far inside */
    for (size_t i = 0; i < sizeof cuts / sizeof *cuts; i++) {
        sl_error err;
        assert_int_equal(truncate(archive, s.st_size - cuts[i]), 0);
        expect_error(sl_cifar_extract(archive, fixture_path(*state, "out"), &err), SL_EFORMAT, &err,
                     "c.tar.gz: ");
        assert_int_equal(fixture_count_files(*state), 1);
    }
}

static void test_wrong_entries(void **state)
{
    static const struct {
        const char *names[2];
        size_t size;
        const char *message;
    } cases[] = {
        { { "cifar-10-batches-bin/readme.html", "x" }, 9, "there is no" },
        { { "cifar-10-batches-bin/data_batch_1.bin", "x" }, 30729999, "expected 30730000" },
        { { "cifar-10-batches-bin/batches.meta.txt", "x" }, 4097, "has 4097 bytes" },
        { { "cifar-10-batches-bin/batches.meta.txt", "./cifar-10-batches-bin/batches.meta.txt" },
          61,
          "is there twice" },
        { { "elsewhere/data_batch_1.bin", "data_batch_1.bin" }, 9, "there is no" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        sl_error err;
        const char *archive = fixture_path(*state, "c.tar.gz");
        gzFile gz = create(archive);
        add_zeros(gz, cases[i].names[0], cases[i].size);
        add_zeros(gz, cases[i].names[1], 61);
        finish(gz);
        expect_error(sl_cifar_extract(archive, fixture_path(*state, "out"), &err), SL_EFORMAT, &err,
                     cases[i].message);
        assert_int_equal(fixture_count_files(*state), 1);
    }
}

static void test_not_an_archive(void **state)
{
    sl_error err;
    const char *page = fixture_path(*state, "page.html");
    char text[2000];
    memset(text, 'a', sizeof text);
    fixture_write(page, text, sizeof text);
    expect_error(sl_cifar_extract(page, fixture_path(*state, "out"), &err), SL_EFORMAT, &err,
                 "page.html: there is no tar header at byte 0");
    fixture_write(page, "", 0);
    expect_error(sl_cifar_extract(page, fixture_path(*state, "out"), &err), SL_EFORMAT, &err,
                 "ends at byte 0");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_whole_archive),
        TEST(test_cut_off),
        TEST(test_wrong_entries),
        TEST(test_not_an_archive),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
