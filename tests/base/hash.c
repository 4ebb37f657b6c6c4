#include "base/hash.h"
#include "support.h"
#include <string.h>

/* FIPS 180-4's and RFC 1321's examples. */
static void hashes_are_the_published_ones(void **state)
{
    sl_error err;
    char hex[65];
    check_ok(sl_sha256("abc", 3, hex, &err), &err);
    assert_string_equal(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    check_ok(sl_sha256("", 0, hex, &err), &err);
    assert_string_equal(hex, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");

    const char *path = scratch_path(*state, "letters");
    static char million[1000000];
    memset(million, 'a', sizeof million);
    scratch_write(path, million, sizeof million); /* more than one buffer of reading */
    check_ok(sl_hash_file(path, SL_HASH_SHA256, hex, &err), &err);
    assert_string_equal(hex, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
    scratch_write(path, "message digest", 14);
    check_ok(sl_hash_file(path, SL_HASH_MD5, hex, &err), &err);
    assert_string_equal(hex, "f96b697d7cb7938d525a2f31aaf161d0");

    check_fails(sl_hash_file(scratch_path(*state, "none"), SL_HASH_MD5, hex, &err), SL_ENOTFOUND,
                "none: can't be opened", &err);
    check_fails(sl_hash_file(*state, SL_HASH_MD5, hex, &err), SL_EIO, "can't be read", &err);
}

/* The FNV test suite's values. */
static void fnv1a_is_the_published_one(void **state)
{
    (void)state;
    assert_true(sl_fnv1a(SL_FNV1A_OFFSET, "", 0) == 0xcbf29ce484222325u);
    assert_true(sl_fnv1a(SL_FNV1A_OFFSET, "foobar", 6) == 0x85944171f73967e8u);
    assert_true(sl_fnv1a(sl_fnv1a(SL_FNV1A_OFFSET, "foo", 3), "bar", 3) == 0x85944171f73967e8u);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(hashes_are_the_published_ones, scratch_setup,
                                        scratch_teardown),
        cmocka_unit_test(fnv1a_is_the_published_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
