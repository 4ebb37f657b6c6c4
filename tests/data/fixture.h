/* Files and folders that the data tests make, and how they look at failures. */
#ifndef TESTS_DATA_FIXTURE_H
#define TESTS_DATA_FIXTURE_H

#include <setjmp.h> /* cmocka wants these four before it */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <softlabel/dataset.h>

/* cmocka's setup and teardown: *state is the path of an empty folder of the test's own, which is
 * removed with all that is in it. */
int fixture_setup(void **state);
int fixture_teardown(void **state);

/* "dir/name" formatted, in one of a few rotating buffers: good until some calls later. */
const char *fixture_path(const char *dir, const char *format, ...) SL_PRINTF(2, 3);

/* What the tests' images hold, so that any byte can be predicted: pixel k of image i, its label. */
uint8_t fixture_pixel(size_t i, size_t k);
uint8_t fixture_label(size_t i);

void fixture_write(const char *path, const void *bytes, size_t n);
void fixture_make_dir(const char *path);
/* n CIFAR records of images first.. ; extra bytes are added (or, negative, cut off) at the end. */
void fixture_write_cifar(const char *path, size_t first, size_t n, long extra);
/* That set in memory. */
sl_dataset *fixture_dataset(const char *dir, size_t n);

int fixture_exists(const char *path);
size_t fixture_count_files(const char *dir); /* entries, not . and .. */

/* That st is code and the error's line has part in it. */
void expect_error(sl_status st, sl_status code, const sl_error *err, const char *part);
void expect_ok(sl_status st, const sl_error *err);

#endif
