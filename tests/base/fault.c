/* Each allocation, and each system call that makes a file durable, fails in its turn: the operation
 * reports it, leaks nothing (the address sanitizer looks) and leaves no half of a file. */
#include "base/csv.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/npy.h"
#include "support.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zip.h>

static const char *folder;

static sl_status write_file(sl_error *err)
{
    return sl_file_write(scratch_path(folder, "f"), "new", 3, err);
}

static sl_status read_file(sl_error *err)
{
    unsigned char *bytes;
    size_t n;
    sl_status st = sl_file_read(scratch_path(folder, "a.csv"), 1 << 20, &bytes, &n, err);
    free(bytes);
    return st;
}

static sl_status make_folders(sl_error *err)
{
    return sl_make_directories(scratch_path(folder, "x/y"), err);
}

static sl_status hash_file(sl_error *err)
{
    char hex[65];
    return sl_hash_file(scratch_path(folder, "a.csv"), SL_HASH_SHA256, hex, err);
}

static sl_status read_csv(sl_error *err)
{
    sl_csv *csv;
    const sl_text *fields;
    size_t n;
    sl_status st = sl_csv_open(&csv, scratch_path(folder, "a.csv"), err);
    do
        st = st ? st : sl_csv_next(csv, &fields, &n, err);
    while (!st && n > 0);
    sl_csv_close(csv);
    return st;
}

static sl_status write_npy(sl_error *err)
{
    return sl_npy_write(scratch_path(folder, "f"), SL_NPY_U8, 1, (size_t[]){ 3 }, "new", err);
}

static sl_status read_npz(sl_error *err)
{
    sl_npz *npz;
    sl_npy array = { 0 };
    double *values = NULL;
    sl_status st = sl_npz_open(&npz, scratch_path(folder, "a.npz"), err);
    st = st ? st : sl_npz_read(npz, "a", &array, err);
    st = st ? st : sl_npy_to_f64(&array, &values, err);
    free(values);
    sl_npy_release(&array);
    sl_npz_close(npz);
    return st;
}

static sl_status read_json(sl_error *err)
{
    json_t *json;
    sl_status st = sl_json_read(&json, scratch_path(folder, "a.json"), 1000, err);
    json_decref(json);
    return st;
}

static sl_status write_json(sl_error *err)
{
    json_t *json = json_pack("{s: i}", "new", 1);
    sl_status st = sl_json_write(scratch_path(folder, "f"), json, err);
    json_decref(json);
    return st;
}

static const struct {
    const char *name;
    sl_status (*run)(sl_error *err);
    bool writes;
} operations[] = {
    { "write a file", write_file, true },    { "read a file", read_file, false },
    { "make folders", make_folders, false }, { "hash a file", hash_file, false },
    { "read csv", read_csv, false },         { "write npy", write_npy, true },
    { "read npz", read_npz, false },         { "read json", read_json, false },
    { "write json", write_json, true },
};
enum { N_OPERATIONS = sizeof operations / sizeof *operations };

static void prepare(void)
{
    sl_error err;
    char csv[2000];
    memset(csv, ',', sizeof csv); /* more fields than the first allocation holds */
    scratch_write(scratch_path(folder, "a.csv"), csv, sizeof csv);
    scratch_write(scratch_path(folder, "a.json"), "{\"a\": [1, 2]}", 13);
    const char *npy = scratch_path(folder, "a.npy");
    check_ok(sl_npy_write(npy, SL_NPY_F32, 1, (size_t[]){ 2 }, (float[]){ 1, 2 }, &err), &err);
    zip_t *zip = zip_open(scratch_path(folder, "a.npz"), ZIP_CREATE | ZIP_TRUNCATE, NULL);
    zip_file_add(zip, "a.npy", zip_source_file(zip, npy, 0, 0), 0);
    assert_int_equal(zip_close(zip), 0);
}

static void check_old_file_only(size_t files)
{
    sl_error err;
    unsigned char *bytes;
    size_t n;
    check_ok(sl_file_read(scratch_path(folder, "f"), 100, &bytes, &n, &err), &err);
    assert_string_equal((char *)bytes, "old");
    free(bytes);
    assert_int_equal(scratch_count(folder), files);
}

static void every_allocation_may_fail(void **state)
{
    folder = *state;
    prepare();
    for (int o = 0; o < N_OPERATIONS; o++) {
        scratch_write(scratch_path(folder, "f"), "old", 3);
        size_t files = scratch_count(folder);
        unsigned long n = 1;
        for (;; n++) {
            sl_error err;
            sl_alloc_fail_at(n);
            sl_status st = operations[o].run(&err);
            sl_alloc_fail_at(0);
            if (!st)
                break;
            check_fails(st, SL_ENOMEM, "not enough memory", &err);
            check_old_file_only(files);
        }
        print_message("%s: %lu allocations\n", operations[o].name, n - 1);
        assert_in_range(n, 2, 20);
    }
}

/* The n-th call of one function fails; the linker sends calls from the library here (--wrap). */
static const char *failing;
static int calls_left;

static bool fails(const char *call)
{
    if (!failing || strcmp(call, failing) != 0 || --calls_left != 0)
        return false;
    errno = EIO;
    return true;
}

int __real_fsync(int fd);
int __wrap_fsync(int fd);
int __wrap_fsync(int fd)
{
    return fails("fsync") ? -1 : __real_fsync(fd);
}

int __real_rename(const char *from, const char *to);
int __wrap_rename(const char *from, const char *to);
int __wrap_rename(const char *from, const char *to)
{
    return fails("rename") ? -1 : __real_rename(from, to);
}

size_t __real_fwrite(const void *p, size_t size, size_t n, FILE *stream);
size_t __wrap_fwrite(const void *p, size_t size, size_t n, FILE *stream);
size_t __wrap_fwrite(const void *p, size_t size, size_t n, FILE *stream)
{
    return fails("fwrite") ? 0 : __real_fwrite(p, size, n, stream);
}

int __real_fflush(FILE *stream);
int __wrap_fflush(FILE *stream);
int __wrap_fflush(FILE *stream)
{
    return fails("fflush") ? EOF : __real_fflush(stream);
}

static void a_failing_disk_leaves_the_old_file(void **state)
{
    static const char *const calls[] = { "fwrite", "fflush", "fsync", "rename" };
    folder = *state;
    for (int o = 0; o < N_OPERATIONS; o++) {
        if (!operations[o].writes)
            continue;
        scratch_write(scratch_path(folder, "f"), "old", 3);
        size_t files = scratch_count(folder);
        for (size_t c = 0; c < sizeof calls / sizeof *calls; c++) {
            sl_error err;
            if (operations[o].run == write_json && strcmp(calls[c], "fwrite") == 0)
                continue; /* that one is jansson's */
            failing = calls[c];
            calls_left = 1;
            sl_status st = operations[o].run(&err);
            failing = NULL;
            check_fails(st, SL_EIO, "f: can't be written (Input/output error)", &err);
            check_old_file_only(files);
        }
    }
}

static void an_unsynced_folder_is_reported_with_the_new_file_in_place(void **state)
{
    sl_error err;
    unsigned char *bytes;
    size_t n;
    folder = *state;
    scratch_write(scratch_path(folder, "f"), "old", 3);
    failing = "fsync";
    calls_left = 2;
    sl_status st = write_file(&err);
    failing = NULL;
    check_fails(st, SL_EIO, "made durable", &err);
    check_ok(sl_file_read(scratch_path(folder, "f"), 100, &bytes, &n, &err), &err);
    assert_string_equal((char *)bytes, "new");
    free(bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_allocation_may_fail),
        cmocka_unit_test(a_failing_disk_leaves_the_old_file),
        cmocka_unit_test(an_unsynced_folder_is_reported_with_the_new_file_in_place),
    };
    return cmocka_run_group_tests(tests, scratch_setup, scratch_teardown);
}
