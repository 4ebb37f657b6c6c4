#include "fixture.h"
#include <dirent.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int fixture_setup(void **state)
{
    char *dir = strdup("/tmp/softlabel-test-XXXXXX");
    if (!dir || !mkdtemp(dir))
        return -1;
    *state = dir;
    return 0;
}

static int remove_entry(const char *path, const struct stat *s, int flag, struct FTW *ftw)
{
    (void)s, (void)flag, (void)ftw;
    return remove(path);
}

int fixture_teardown(void **state)
{
    const int failed = nftw(*state, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
    free(*state);
    return failed;
}

const char *fixture_path(const char *dir, const char *format, ...)
{
    static char buffers[16][512];
    static unsigned next;
    char *out = buffers[next++ % 16];
    int n = snprintf(out, sizeof buffers[0], "%s/", dir);
    va_list args;
    va_start(args, format);
    vsnprintf(out + n, sizeof buffers[0] - (size_t)n, format, args);
    va_end(args);
    return out;
}

uint8_t fixture_pixel(size_t i, size_t k)
{
    return (uint8_t)(i * 31 + k * 7 + k / 97);
}

uint8_t fixture_label(size_t i)
{
    return (uint8_t)((i * 3 + i / 10) % 10);
}

void fixture_write(const char *path, const void *bytes, size_t n)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, n, file), n);
    assert_int_equal(fclose(file), 0);
}

void fixture_make_dir(const char *path)
{
    assert_int_equal(mkdir(path, 0777), 0);
}

void fixture_write_cifar(const char *path, size_t first, size_t n, long extra)
{
    const size_t size = n * 3073;
    uint8_t *bytes = calloc(size + 4096, 1);
    assert_non_null(bytes);
    for (size_t i = 0; i < n; i++) {
        bytes[i * 3073] = fixture_label(first + i);
        for (size_t k = 0; k < 3072; k++)
            bytes[i * 3073 + 1 + k] = fixture_pixel(first + i, k);
    }
    fixture_write(path, bytes, (size_t)((long)size + extra));
    free(bytes);
}

sl_dataset *fixture_dataset(const char *dir, size_t n)
{
    sl_error err;
    sl_dataset *set;
    const char *path = fixture_path(dir, "fixture-%zu.bin", n);
    fixture_write_cifar(path, 0, n, 0);
    expect_ok(sl_cifar_read(&set, "fixture", &path, 1, &err), &err);
    return set;
}

int fixture_exists(const char *path)
{
    return access(path, F_OK) == 0;
}

size_t fixture_count_files(const char *dir)
{
    DIR *d = opendir(dir);
    assert_non_null(d);
    size_t n = 0;
    for (struct dirent *e; (e = readdir(d));)
        n += strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0;
    closedir(d);
    return n;
}

void expect_error(sl_status st, sl_status code, const sl_error *err, const char *part)
{
    char line[700] = "no error";
    if (st)
        sl_error_text(err, line, sizeof line);
    if (st != code || !strstr(line, part))
        fail_msg("got status %d (%s), expected %d (...%s...)", st, line, code, part);
}

void expect_ok(sl_status st, const sl_error *err)
{
    char line[700];
    if (st)
        fail_msg("unexpected failure: %s", sl_error_text(err, line, sizeof line));
}
