/* Tokens that can't be forged, hashes that can't be passed off as another's. */
#include "study/secret.h"
#include "fixture.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static sl_secret secret_of(unsigned char seed)
{
    sl_secret secret;
    memset(secret.key, seed, sizeof secret.key);
    return secret;
}

static void test_token_comes_back(void **state)
{
    (void)state;
    const sl_secret secret = secret_of(1);
    const int64_t numbers[] = { 1, 42, INT64_MAX };
    for (size_t i = 0; i < 3; i++) {
        char token[SL_TOKEN_SIZE];
        int64_t back = 0;
        assert_int_equal(sl_token_make(&secret, numbers[i], token, NULL), SL_OK);
        assert_true(sl_token_read(&secret, token, &back));
        assert_int_equal(back, numbers[i]);
    }
}

/* RFC 2104 over "token\0" "7", computed by Python's hmac: what a token is must not change, or
 * people under way lose their place with an update. */
static void test_token_is_known(void **state)
{
    (void)state;
    const sl_secret secret = secret_of(1);
    char token[SL_TOKEN_SIZE];
    assert_int_equal(sl_token_make(&secret, 7, token, NULL), SL_OK);
    assert_string_equal(token,
                        "7.454843b23fb81c1b1c714deee9a118fb3de9120ac84a7882c35960b31f74c757");
}

static void test_any_change_is_noticed(void **state)
{
    (void)state;
    const sl_secret secret = secret_of(1), other = secret_of(2);
    char token[SL_TOKEN_SIZE], changed[SL_TOKEN_SIZE];
    int64_t id;
    assert_int_equal(sl_token_make(&secret, 12, token, NULL), SL_OK);
    assert_false(sl_token_read(&other, token, &id));
    for (size_t i = 0; i < strlen(token); i++) {
        memcpy(changed, token, sizeof changed);
        changed[i] = changed[i] == '1' ? '2' : '1';
        if (strcmp(changed, token) != 0)
            assert_false(sl_token_read(&secret, changed, &id));
        memcpy(changed, token, sizeof changed);
        changed[i] = '\0';
        assert_false(sl_token_read(&secret, changed, &id));
    }
    static const char *const nonsense[] = { "",    ".",    "12",   "12.", "-1.00", "0.00",
                                            "+1.", "1e3.", "0x1.", " 12", "12 .ab" };
    for (size_t i = 0; i < sizeof nonsense / sizeof *nonsense; i++)
        assert_false(sl_token_read(&secret, nonsense[i], &id));
}

static void test_purposes_are_apart(void **state)
{
    (void)state;
    const sl_secret secret = secret_of(1);
    unsigned char a[SL_MAC_BYTES], b[SL_MAC_BYTES];
    assert_int_equal(sl_secret_mac(&secret, "worker", "A1", 2, a, NULL), SL_OK);
    assert_int_equal(sl_secret_mac(&secret, "session", "A1", 2, b, NULL), SL_OK);
    assert_memory_not_equal(a, b, sizeof a);
    assert_int_equal(sl_secret_mac(&secret, "w", "orker", 5, a, NULL), SL_OK);
    assert_int_equal(sl_secret_mac(&secret, "wo", "rker", 4, b, NULL), SL_OK);
    assert_memory_not_equal(a, b, sizeof a);
    char long_text[600] = { 0 };
    assert_int_equal(sl_secret_mac(&secret, "w", long_text, sizeof long_text, a, NULL), SL_EINVAL);
}

static void test_key_is_kept_and_private(void **state)
{
    (void)state;
    char *folder = fixture_folder(), path[300];
    sl_secret first, second;
    sl_error err;
    struct stat info;
    snprintf(path, sizeof path, "%s/study.key", folder);
    assert_int_equal(sl_secret_open(&first, path, &err), SL_OK);
    assert_int_equal(sl_secret_open(&second, path, &err), SL_OK);
    assert_memory_equal(first.key, second.key, sizeof first.key);
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0600);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs("not a key\n", file);
    fclose(file);
    assert_int_equal(sl_secret_open(&second, path, &err), SL_EFORMAT);
    fixture_remove(folder);
}

static void test_codes_differ(void **state)
{
    (void)state;
    const sl_secret secret = secret_of(1);
    char a[SL_CODE_SIZE], b[SL_CODE_SIZE];
    assert_int_equal(sl_code_make(&secret, 1, a, NULL), SL_OK);
    assert_int_equal(sl_code_make(&secret, 2, b, NULL), SL_OK);
    assert_int_equal(strlen(a), SL_CODE_SIZE - 1);
    assert_string_not_equal(a, b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_token_comes_back),        cmocka_unit_test(test_token_is_known),
        cmocka_unit_test(test_any_change_is_noticed),   cmocka_unit_test(test_purposes_are_apart),
        cmocka_unit_test(test_key_is_kept_and_private), cmocka_unit_test(test_codes_differ),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
