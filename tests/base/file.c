#include "base/file.h"
#include "support.h"
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static void check_content(const char *path, const char *expected)
{
    sl_error err;
    unsigned char *bytes;
    size_t n;
    check_ok(sl_file_read(path, 1000, &bytes, &n, &err), &err);
    assert_string_equal((char *)bytes, expected);
    assert_int_equal(n, strlen(expected));
    free(bytes);
}

static void reading_stops_at_its_ceiling(void **state)
{
    sl_error err;
    unsigned char *bytes;
    size_t n;
    const char *path = scratch_path(*state, "f");
    scratch_write(path, "0123456789", 10);
    check_ok(sl_file_read(path, 10, &bytes, &n, &err), &err);
    assert_int_equal(n, 10);
    assert_int_equal(bytes[10], 0);
    free(bytes);
    check_fails(sl_file_read(path, 9, &bytes, &n, &err), SL_EFORMAT, "f: longer than the 9 bytes",
                &err);
    assert_null(bytes);
    check_fails(sl_file_read("/dev/zero", 1 << 20, &bytes, &n, &err), SL_EFORMAT, "longer", &err);
    check_fails(sl_file_read(*state, 10, &bytes, &n, &err), SL_EIO, "can't be read", &err);
    check_fails(sl_file_read(scratch_path(*state, "g"), 9, &bytes, &n, &err), SL_ENOTFOUND,
                "g: can't be opened", &err);
    scratch_write(path, "", 0);
    check_content(path, "");
}

static void sizes_and_existence_are_of_regular_files(void **state)
{
    sl_error err;
    uint64_t size;
    const char *path = scratch_path(*state, "f");
    scratch_write(path, "abc", 3);
    check_ok(sl_file_size(path, &size, &err), &err);
    assert_int_equal(size, 3);
    assert_true(sl_file_exists(path));
    assert_false(sl_file_exists(*state));
    check_fails(sl_file_size(*state, &size, &err), SL_EINVAL, "not a regular file", &err);
    check_fails(sl_file_size("/none", &size, &err), SL_ENOTFOUND, "/none", &err);
}

static void folders_are_made_with_their_parents(void **state)
{
    sl_error err;
    char *joined;
    const char *deep = scratch_path(*state, "a//b/c/");
    check_ok(sl_make_directories(deep, &err), &err);
    check_ok(sl_make_directories(deep, &err), &err); /* there already */
    check_ok(sl_path_join(&joined, deep, "f", &err), &err);
    scratch_write(joined, "x", 1);
    check_content(scratch_path(*state, "a/b/c/f"), "x");
    check_fails(sl_make_directories(joined, &err), SL_EIO, "f: can't be made", &err);
    free(joined);
    check_fails(sl_make_directories(scratch_path(*state, "a/b/c/f/g"), &err), SL_EIO,
                "f: can't be made", &err);
    check_fails(sl_make_directories("", &err), SL_ENOTFOUND, "", &err);
}

static void a_file_appears_at_commit_and_as_the_umask_says(void **state)
{
    sl_error err;
    sl_file_writer *w;
    struct stat info;
    const char *path = scratch_path(*state, "f");
    check_ok(sl_file_write(path, "old", 3, &err), &err);
    check_ok(sl_file_writer_open(&w, path, &err), &err);
    check_ok(sl_file_writer_write(w, "new ", 4, &err), &err);
    fprintf(sl_file_writer_stream(w), "%d", 42);
    check_content(path, "old");
    check_ok(sl_file_writer_commit(w, &err), &err);
    check_content(path, "new 42");
    assert_int_equal(scratch_count(*state), 1);
    mode_t mask = umask(027);
    check_ok(sl_file_write(path, "", 0, &err), &err);
    umask(mask);
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0640);
}

static void two_writers_of_one_path_do_not_mix(void **state)
{
    sl_error err;
    sl_file_writer *a, *b;
    const char *path = scratch_path(*state, "f");
    check_ok(sl_file_writer_open(&a, path, &err), &err);
    check_ok(sl_file_writer_open(&b, path, &err), &err);
    check_ok(sl_file_writer_write(a, "aaaa", 4, &err), &err);
    check_ok(sl_file_writer_write(b, "b", 1, &err), &err);
    check_ok(sl_file_writer_commit(a, &err), &err);
    check_content(path, "aaaa");
    check_ok(sl_file_writer_commit(b, &err), &err);
    check_content(path, "b");
    assert_int_equal(scratch_count(*state), 1);
}

static void an_abort_leaves_no_trace(void **state)
{
    sl_error err;
    sl_file_writer *w;
    const char *path = scratch_path(*state, "f");
    check_ok(sl_file_writer_open(&w, path, &err), &err);
    check_ok(sl_file_writer_write(w, "half", 4, &err), &err);
    sl_file_writer_abort(w);
    assert_int_equal(scratch_count(*state), 0);
    sl_file_writer_abort(NULL);
}

static void unwritable_places_are_named(void **state)
{
    sl_error err;
    sl_file_writer *w;
    check_fails(sl_file_writer_open(&w, scratch_path(*state, "no/f"), &err), SL_ENOTFOUND,
                "no/f: can't be written", &err);
    check_fails(sl_file_writer_open(&w, *state, &err), SL_EINVAL, "not a regular file", &err);
    check_fails(sl_file_writer_open(&w, "/dev/null", &err), SL_EINVAL, "not a regular file", &err);
    assert_null(w);
    assert_int_equal(chmod(*state, 0555), 0);
    if (geteuid() == 0)
        assert_int_equal(seteuid(65534), 0); /* root may write anywhere */
    sl_status st = sl_file_writer_open(&w, scratch_path(*state, "f"), &err);
    if (getuid() == 0)
        assert_int_equal(seteuid(0), 0);
    assert_int_equal(chmod(*state, 0755), 0);
    check_fails(st, SL_EIO, "f: can't be written (Permission denied)", &err);
}

/* A limit on file sizes fails writes as a full disk does. */
static void a_full_disk_leaves_the_old_file(void **state)
{
    sl_error err;
    sl_file_writer *w;
    struct rlimit before, small = { 8192, 0 };
    static char bytes[100000];
    const char *path = scratch_path(*state, "f");
    check_ok(sl_file_write(path, "old", 3, &err), &err);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    small.rlim_max = before.rlim_max;
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    sl_status whole = sl_file_write(path, bytes, sizeof bytes, &err);
    sl_error stream_err;
    sl_status opened = sl_file_writer_open(&w, path, &stream_err);
    for (int i = 0; !opened && i < 3000; i++)
        fprintf(sl_file_writer_stream(w), "%d\n", i);
    sl_status streamed = opened ? opened : sl_file_writer_commit(w, &stream_err);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    check_fails(whole, SL_EIO, "f: can't be written", &err);
    check_fails(streamed, SL_EIO, "f: can't be written", &stream_err);
    check_content(path, "old");
    assert_int_equal(scratch_count(*state), 1);
}

static void a_killed_writer_leaves_the_old_file(void **state)
{
    sl_error err;
    const char *path = scratch_path(*state, "f");
    check_ok(sl_file_write(path, "old", 3, &err), &err);
    pid_t child = fork();
    if (child == 0) {
        sl_file_writer *w;
        if (!sl_file_writer_open(&w, path, &err) && !sl_file_writer_write(w, "half", 4, &err))
            fflush(sl_file_writer_stream(w));
        raise(SIGKILL);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));
    check_content(path, "old");
    check_ok(sl_file_write(path, "new", 3, &err), &err); /* past the dead one's temporary */
    check_content(path, "new");
}

#define IN_SCRATCH(test) cmocka_unit_test_setup_teardown(test, scratch_setup, scratch_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_SCRATCH(reading_stops_at_its_ceiling),
        IN_SCRATCH(sizes_and_existence_are_of_regular_files),
        IN_SCRATCH(folders_are_made_with_their_parents),
        IN_SCRATCH(a_file_appears_at_commit_and_as_the_umask_says),
        IN_SCRATCH(two_writers_of_one_path_do_not_mix),
        IN_SCRATCH(an_abort_leaves_no_trace),
        IN_SCRATCH(unwritable_places_are_named),
        IN_SCRATCH(a_full_disk_leaves_the_old_file),
        IN_SCRATCH(a_killed_writer_leaves_the_old_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
