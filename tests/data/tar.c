/* The tar reader on archives made here, whole and spoilt. */
#include "data/tar.h"
#include "fixture.h"
#include "tar_maker.h"
#include <string.h>

typedef struct {
    const unsigned char *bytes;
    size_t n, at;
} memory;

static sl_status read_memory(void *user, void *out, size_t n, size_t *got, sl_error *err)
{
    memory *m = user;
    (void)err;
    *got = n < m->n - m->at ? n : m->n - m->at;
    memcpy(out, m->bytes + m->at, *got);
    m->at += *got;
    return SL_OK;
}

/* a.txt ("hello"), a folder, b.bin (600 bytes), the end. */
static size_t make_archive(unsigned char *out)
{
    unsigned char body[600], *at = out;
    for (size_t i = 0; i < sizeof body; i++)
        body[i] = (unsigned char)(i * 7);
    at += tar_add(at, "a.txt", '0', "hello", 5);
    at += tar_add(at, "folder/", '5', NULL, 0);
    at += tar_add(at, "folder/b.bin", '0', body, sizeof body);
    memset(at, 0, 1024);
    return (size_t)(at - out) + 1024;
}

/* Walks to the end; the names it met, each followed by a space. */
static sl_status walk(const unsigned char *bytes, size_t n, uint64_t max_bytes, char names[600],
                      sl_error *err)
{
    memory m = { bytes, n, 0 };
    sl_tar tar;
    sl_tar_entry entry;
    bool end = false;
    sl_status st = SL_OK;
    names[0] = '\0';
    sl_tar_init(&tar, read_memory, &m, max_bytes);
    while (!st && !end) {
        st = sl_tar_next(&tar, &entry, &end, err);
        if (!st && !end) {
            strncat(names, entry.name, 280);
            strncat(names, entry.regular ? " " : "? ", 3);
        }
    }
    return st;
}

static void test_names_and_contents(void **state)
{
    (void)state;
    unsigned char archive[8192];
    char names[600];
    sl_error err;
    const size_t n = make_archive(archive);
    expect_ok(walk(archive, n, n, names, &err), &err);
    assert_string_equal(names, "a.txt folder/? folder/b.bin ");

    memory m = { archive, n, 0 };
    sl_tar tar;
    sl_tar_entry entry;
    bool end;
    unsigned char bytes[700];
    size_t got;
    sl_tar_init(&tar, read_memory, &m, n);
    expect_ok(sl_tar_next(&tar, &entry, &end, &err), &err);
    assert_int_equal(entry.size, 5);
    expect_ok(sl_tar_read(&tar, bytes, 2, &got, &err), &err); /* the rest is passed over */
    assert_memory_equal(bytes, "he", 2);
    expect_ok(sl_tar_next(&tar, &entry, &end, &err), &err);
    expect_ok(sl_tar_next(&tar, &entry, &end, &err), &err);
    expect_ok(sl_tar_read(&tar, bytes, sizeof bytes, &got, &err), &err);
    assert_int_equal(got, 600);
    for (size_t i = 0; i < 600; i++)
        assert_int_equal(bytes[i], (unsigned char)(i * 7));
    expect_ok(sl_tar_read(&tar, bytes, sizeof bytes, &got, &err), &err);
    assert_int_equal(got, 0);
    expect_ok(sl_tar_next(&tar, &entry, &end, &err), &err);
    assert_true(end);
}

static void test_long_names(void **state)
{
    (void)state;
    unsigned char archive[2048] = { 0 };
    char names[600], full[300];
    sl_error err;
    tar_add(archive, "", '0', NULL, 0);
    memset(archive, 'n', 100);       /* fills its field, without a NUL */
    memset(archive + 345, 'p', 155); /* so does the prefix */
    tar_sum(archive);
    expect_ok(walk(archive, sizeof archive, sizeof archive, names, &err), &err);
    memset(full, 'p', 155);
    full[155] = '/';
    memset(full + 156, 'n', 100);
    memcpy(full + 256, " ", 2);
    assert_string_equal(names, full);
}

static void test_every_truncation_is_found(void **state)
{
    (void)state;
    unsigned char archive[8192];
    char names[600];
    sl_error err;
    const size_t n = make_archive(archive);
    for (size_t cut = 0; cut < n - 512; cut++) /* one of the two zero blocks is enough */
        expect_error(walk(archive, cut, n, names, &err), SL_EFORMAT, &err, "the archive ends at");
    expect_error(walk(archive, n, 1000, names, &err), SL_EFORMAT, &err, "longer than 1000 bytes");
}

static void test_every_flipped_header_byte_is_found(void **state)
{
    (void)state;
    unsigned char archive[8192];
    char names[600];
    const size_t n = make_archive(archive);
    for (size_t i = 0; i < 512; i++) {
        sl_error err;
        archive[i] ^= 0x04;
        sl_status st = walk(archive, n, n, names, &err);
        if (st != SL_EFORMAT && i != 148 + 7) /* the sum's field ends in a space or a NUL */
            fail_msg("byte %zu: status %d", i, st);
        archive[i] ^= 0x04;
    }
}

static void test_impossible_sizes(void **state)
{
    (void)state;
    static const char *const sizes[] = { "           ", "12x        ", "-1         " };
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        unsigned char archive[2048] = { 0 };
        char names[600];
        sl_error err;
        tar_add(archive, "a", '0', NULL, 0);
        memcpy(archive + 124, sizes[i], 11);
        tar_sum(archive);
        expect_error(walk(archive, sizeof archive, sizeof archive, names, &err), SL_EFORMAT, &err,
                     "unreadable size");
    }
    unsigned char archive[2048] = { 0 };
    char names[600];
    sl_error err;
    tar_add(archive, "a", '0', NULL, 0);
    memcpy(archive + 124, "777777777777", 12); /* 64 GiB of nothing */
    tar_sum(archive);
    expect_error(walk(archive, sizeof archive, UINT64_MAX, names, &err), SL_EFORMAT, &err,
                 "the archive ends at byte 2048");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names_and_contents),
        cmocka_unit_test(test_long_names),
        cmocka_unit_test(test_every_truncation_is_found),
        cmocka_unit_test(test_every_flipped_header_byte_is_found),
        cmocka_unit_test(test_impossible_sizes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
