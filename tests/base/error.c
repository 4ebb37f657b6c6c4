#include "support.h"
#include <softlabel/log.h>
#include <string.h>

static void a_message_is_one_line_with_its_places_outermost_first(void **state)
{
    (void)state;
    sl_error err;
    char line[700];
    assert_int_equal(sl_error_set(&err, SL_EFORMAT, "field %d is '%s'", 3, "a\nb\033"), SL_EFORMAT);
    assert_string_equal(sl_error_text(&err, line, sizeof line), "field 3 is 'a?b?'");
    sl_error_at(&err, SL_EFORMAT, "line %d", 12);
    assert_int_equal(sl_error_at(&err, SL_EFORMAT, "%s", "trials.csv"), SL_EFORMAT);
    assert_string_equal(sl_error_text(&err, line, sizeof line),
                        "trials.csv: line 12: field 3 is 'a?b?'");
    sl_error_set(&err, SL_EIO, "again: %s", err.message); /* reads what it writes */
    assert_string_equal(sl_error_text(&err, line, sizeof line), "again: field 3 is 'a?b?'");
}

static void long_messages_are_cut_and_no_error_is_fine(void **state)
{
    (void)state;
    sl_error err;
    char longer[1000], line[8];
    memset(longer, 'x', sizeof longer);
    longer[sizeof longer - 1] = '\0';
    sl_error_set(&err, SL_EINVAL, "%s", longer);
    sl_error_at(&err, SL_EINVAL, "inner");
    sl_error_at(&err, SL_EINVAL, "%.195s", longer);
    assert_int_equal(strlen(err.message), sizeof err.message - 1);
    assert_int_equal(strlen(err.place), sizeof err.place - 1);
    assert_string_equal(err.place + 195, ": in");
    assert_string_equal(sl_error_text(&err, line, sizeof line), "xxxxxxx");
    assert_int_equal(sl_error_set(NULL, SL_EINVAL, "nobody asks"), SL_EINVAL);
    assert_int_equal(sl_error_at(NULL, SL_EINVAL, "nowhere"), SL_EINVAL);
}

static void keep_line(void *user, sl_log_level level, const char *line)
{
    char *kept = user;
    kept[0] = (char)('0' + level);
    strncpy(kept + 1, line, 30);
}

static void log_lines_go_to_the_sink_only(void **state)
{
    (void)state;
    char kept[32] = "";
    sl_log(SL_LOG_INFO, "nobody listens");
    sl_log_set_sink(keep_line, kept);
    sl_log(SL_LOG_WARNING, "%d images", 7);
    assert_string_equal(kept, "27 images");
    sl_log_set_sink(NULL, NULL);
    sl_log(SL_LOG_WARNING, "unheard");
    assert_string_equal(kept, "27 images");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_message_is_one_line_with_its_places_outermost_first),
        cmocka_unit_test(long_messages_are_cut_and_no_error_is_fine),
        cmocka_unit_test(log_lines_go_to_the_sink_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
