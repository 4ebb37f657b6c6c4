/* Figures appear whole, with script and data beside, or not at all. */
#include "report/figure.h"
#include "base/file.h"
#include "base/support.h"
#include "report/confusion.h"
#include "report/examples.h"
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool begins_with(const char *path, const char *magic)
{
    sl_error err;
    unsigned char *bytes;
    size_t n;
    check_ok(sl_file_read(path, 1 << 24, &bytes, &n, &err), &err);
    const bool same = n > 100 && memcmp(bytes, magic, strlen(magic)) == 0;
    free(bytes);
    return same;
}

static void check_formats(const char *folder, const char *name)
{
    static const struct {
        const char *ending, *magic;
    } formats[] = { { "svg", "<?xml" }, { "pdf", "%PDF-" }, { "png", "\x89PNG" } };
    char file[100];
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++) {
        snprintf(file, sizeof file, "%s.%s", name, formats[i].ending);
        assert_true(begins_with(scratch_path(folder, file), formats[i].magic));
    }
}

/* Names are shown as they are, and never run. */
static void a_heat_map_is_drawn(void **state)
{
    static const int64_t counts[] = { 90, 10, 0, 5, 95, 0, 0, 0, 0 };
    static const char *const names[] = { "it's", "`touch x` \"$(touch y)\\", "_{sub}^2" };
    sl_error err;
    char path[4200];
    snprintf(path, sizeof path, "%s/figures/map", (const char *)*state);
    check_ok(sl_confusion_draw(path, counts, 3, names, "a 'caption' with 100 %", &err), &err);
    snprintf(path, sizeof path, "%s/figures", (const char *)*state);
    check_formats(path, "map");
    assert_int_equal(scratch_count(path), 5); /* script and data, too */
    assert_false(sl_file_exists(scratch_path(path, "x")) ||
                 sl_file_exists(scratch_path(path, "y")));
    const int64_t nothing[4] = { 0 };
    check_fails(sl_confusion_draw(scratch_path(path, "none"), nothing, 2, names, "", &err),
                SL_EINVAL, "no judgment of an image whose true label is known", &err);
    assert_int_equal(scratch_count(path), 5);
}

static void examples_are_drawn(void **state)
{
    static const char *const names[] = { "cat", "dog" };
    static uint8_t pixels[3 * 4 * 5];
    static const double p[] = { 0.25, 0.75 };
    sl_error err;
    for (size_t i = 0; i < sizeof pixels; i++)
        pixels[i] = (uint8_t)(4 * i);
    const sl_example examples[] = { { pixels, p, 7 }, { pixels, p, 8 } };
    check_ok(sl_examples_draw(scratch_path(*state, "ex"), examples, 2, 4, 5, 2, names, "", &err),
             &err);
    check_formats(*state, "ex");
    check_fails(sl_examples_draw(scratch_path(*state, "ex"), examples, 0, 4, 5, 2, names, "", &err),
                SL_EINVAL, "0 examples, expected 1 to 20", &err);
}

static void what_fails_leaves_nothing(void **state)
{
    sl_error err;
    sl_figure *figure;
    const size_t before = scratch_count(*state);
    check_fails(sl_figure_create(&figure, scratch_path(*state, "a b"), 5, 5, &err), SL_EINVAL,
                "'a b' can't be a figure's name", &err);
    check_fails(sl_figure_create(&figure, scratch_path(*state, ".hidden"), 5, 5, &err), SL_EINVAL,
                "doesn't end in a figure's name", &err);
    check_ok(sl_figure_create(&figure, scratch_path(*state, "bad"), 5, 5, &err), &err);
    fputs("plot nonsense(\n", sl_figure_script(figure));
    check_fails(sl_figure_draw(figure, &err), SL_EIO, "gnuplot failed: ", &err);
    sl_figure_destroy(figure);

    char *path = strdup(getenv("PATH"));
    assert_non_null(path);
    setenv("PATH", *state, 1);
    check_ok(sl_figure_create(&figure, scratch_path(*state, "bad"), 5, 5, &err), &err);
    check_fails(sl_figure_draw(figure, &err), SL_ENOTFOUND, "gnuplot isn't here", &err);
    sl_figure_destroy(figure);
    setenv("PATH", path, 1);
    free(path);
    assert_int_equal(scratch_count(*state), before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_heat_map_is_drawn, scratch_setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(examples_are_drawn, scratch_setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(what_fails_leaves_nothing, scratch_setup, scratch_teardown),
    };
    if (access("/usr/bin/gnuplot", X_OK)) {
        print_message("skipped: no gnuplot here\n");
        return 77;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
