/* The page about finished runs: all of it is there, and nothing comes from elsewhere. */
#include "planted.h"

#include "base/file.h"
#include "report/html.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The page of planted runs and their attack. */
static char *write_page(const char *dir, const char *name)
{
    sl_run_set set;
    sl_attack_set attacks = { 0 };
    sl_error err;
    unsigned char *text;
    size_t n;
    char page[300], figures[300];
    snprintf(page, sizeof page, "%s/%s.html", dir, name);
    snprintf(figures, sizeof figures, "%s/%s-figures", dir, name);
    expect_ok(sl_attack_set_add(&attacks, planted_attack(dir), &err), &err);
    expect_ok(sl_run_set_read(&set, &dir, 1, &err), &err);
    const sl_html_report report = { .set = &set, .attacks = &attacks, .folder = figures };
    expect_ok(sl_html_report_write(page, &report, &err), &err);
    expect_ok(sl_file_read(page, 1 << 26, &text, &n, &err), &err);
    sl_attack_set_release(&attacks);
    sl_run_set_release(&set);
    return (char *)text;
}

static int count(const char *text, const char *part)
{
    int n = 0;
    for (; (text = strstr(text, part)); text += strlen(part))
        n++;
    return n;
}

static void page_is_whole_and_alone(void **state)
{
    const char *dir = *state;
    planted_runs(dir, 0);
    char *page = write_page(dir, "page");
    assert_int_equal(count(page, "<svg"), 3); /* changes, curves, attack */
    assert_int_equal(count(page, "</svg>"), 3);
    assert_int_equal(count(page, "<details>"), PLANTED_RUNS);
    assert_non_null(strstr(page, "Does the attack land on classes that people confuse?"));
    assert_non_null(strstr(page, "m_1 at \u03b5 8/255: the correlation of its confusion with "
                                 "people's is 0.50 [0.40, 0.60] pretrained, 0.50 [0.40, 0.60] "
                                 "tuned on CIFAR10, 0.50 [0.40, 0.60] tuned on CIFAR10H. Of these "
                                 "3 networks 3 confuse what people confuse more than by chance"));
    assert_int_equal(count(page, "<td>0.500 [0.400, 0.600]</td>"), 6);

    /* Namespaces are the only addresses; what is referred to is in the page. */
    assert_int_equal(count(page, "://"), count(page, "xmlns=\"http://www.w3.org/2000/svg\"") +
                                             count(page, "\"http://www.w3.org/1999/xlink\""));
    assert_int_equal(count(page, "href="), count(page, "href='#") + count(page, "href=\"#"));
    assert_int_equal(count(page, "src=") + count(page, "url(") + count(page, "<script"), 0);
    free(page);
}

static void same_runs_make_the_same_page(void **state)
{
    const char *dir = *state;
    planted_runs(dir, 0);
    char *one = write_page(dir, "one"), *two = write_page(dir, "two");
    assert_string_equal(one, two);
    free(one);
    free(two);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(page_is_whole_and_alone, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(same_runs_make_the_same_page, fixture_setup,
                                        fixture_teardown),
    };
    if (access("/usr/bin/gnuplot", X_OK)) {
        print_message("skipped: no gnuplot here\n");
        return 77;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
