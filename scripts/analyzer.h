/* For clang-tidy only (scripts/lint includes it first): the analyzer looks at one file at a time and
 * can't see that these return the code they are given. Without that, every failure might be SL_OK,
 * and everything behind it a null pointer. */
#include <softlabel/error.h>

#define sl_error_set(err, code, ...) (sl_error_set(err, code, __VA_ARGS__), (code))
#define sl_error_at(err, code, ...) (sl_error_at(err, code, __VA_ARGS__), (code))
