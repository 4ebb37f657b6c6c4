/* What these tests share: statuses with their message, and a folder of their own on disk. */
#ifndef TESTS_BASE_SUPPORT_H
#define TESTS_BASE_SUPPORT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <softlabel/error.h>

/* The call succeeds; if not, its message is shown. */
#define check_ok(status, err) check_status_at(status, SL_OK, NULL, err, __FILE__, __LINE__)

/* The call fails with this code, its line of text holds this. */
#define check_fails(status, code, holds, err) \
    check_status_at(status, code, holds, err, __FILE__, __LINE__)

void check_status_at(sl_status got, sl_status expected, const char *holds, const sl_error *err,
                     const char *file, int line);

/* cmocka set-up and tear-down: *state is an empty folder's path; it goes with all that is in it. */
int scratch_setup(void **state);
int scratch_teardown(void **state);

/* folder/name, in a buffer that the next call but three overwrites. */
const char *scratch_path(const char *folder, const char *name);
void scratch_write(const char *path, const void *bytes, size_t n);
size_t scratch_count(const char *folder); /* how many files there are */

#endif
