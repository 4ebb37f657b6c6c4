/* That a wrong figure is found: the files beside this one pass as they are (CTest's verify_small),
 * here each kind of figure is changed. */
#include "eval/verify.h"
#include "base/support.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

static sl_device *device;

static int open_device(void **state)
{
    sl_error err;
    check_ok(sl_device_open(&device, "ref", 1, &err), &err);
    return scratch_setup(state);
}

static int close_device(void **state)
{
    sl_device_close(device);
    return scratch_teardown(state);
}

static json_t *read_sample(void)
{
    sl_error err;
    json_t *json;
    check_ok(sl_json_read(&json, FOLDER "/resnet_8.json", 1 << 20, &err), &err);
    return json;
}

static sl_status verify(const char *folder, const json_t *json, sl_verify_report *report,
                        sl_error *err)
{
    sl_error why;
    const char *path = scratch_path(folder, "sample.json");
    const sl_verify_options options = { .device = device, .threads = 1 };
    check_ok(sl_json_write(path, json, &why), &why);
    return sl_verify_file(report, path, &options, err);
}

/* The member at a path like "train.grads.fc/weight.0": '/' stands for the dots within a name. */
static json_t *find(json_t *json, const char *path, json_t **parent, char last[64])
{
    char word[64];
    int used;
    while (sscanf(path, "%63[^.]%n", word, &used) == 1) {
        for (char *c = word; *c; c++)
            if (*c == '/')
                *c = '.';
        *parent = json;
        memcpy(last, word, sizeof word);
        unsigned index;
        if (json_is_array(json) && sscanf(word, "%u", &index) == 1)
            json = json_array_get(json, index);
        else
            json = json_object_get(json, word);
        path += used + (path[used] == '.');
    }
    return json;
}

static void a_changed_figure_fails_alone(void **state)
{
    static const struct {
        const char *path;
        double factor;
        int n_bad;
        const char *group;
    } cases[] = {
        { "eval.logits.3", 1.01, 2, "eval logits" }, /* folded, and not */
        { "eval.loss", 1.0002, 1, "eval loss" },
        { "eval.input_grad.0", 1.03, 1, "eval input_grad" },
        { "eval.input_grad.1", 1.5, 1, "eval input_grad" },
        { "train.logits.29", 1.05, 1, "train logits" },
        { "train.loss", 0.9997, 1, "train loss" },
        { "train.grads.fc/weight.0", 1.02, 2, "train gradients" }, /* the probe's scale, too */
        { "train.grads.conv/weight.1", -1, 1, "train gradients" },
        { "train.buffers.bn/running_var.0", 1.001, 1, "train buffers" },
        { "train.buffers.stage3/block1/bn2/running_mean.1", 1.1, 1, "train buffers" },
    };
    sl_error err;
    sl_verify_report report;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char last[64];
        json_t *parent = NULL, *json = read_sample();
        json_t *number = find(json, cases[i].path, &parent, last);
        assert_true(json_is_real(number));
        json_real_set(number, json_real_value(number) * cases[i].factor);
        check_ok(verify(*state, json, &report, &err), &err);
        if (report.n_bad < 1 || report.n_bad > (size_t)cases[i].n_bad) {
            print_error("%s: %zu failures\n", cases[i].path, report.n_bad);
            fail();
        }
        for (size_t k = 0; k < report.n; k++)
            if (report.figures[k].outcome == SL_VERIFY_BAD)
                assert_ptr_equal(strstr(report.figures[k].group, cases[i].group),
                                 report.figures[k].group);
        sl_verify_report_release(&report);
        json_decref(json);
    }
}

static void another_network_is_told_apart(void **state)
{
    sl_error err;
    sl_verify_report report;
    json_t *json = read_sample();
    json_object_set_new(json, "salt", json_string("other"));
    check_ok(verify(*state, json, &report, &err), &err);
    assert_true(report.n_bad > report.n / 2);
    sl_verify_report_release(&report);
    json_decref(json);

    json = read_sample();
    json_array_set_new(json_object_get(json_object_get(json, "tensors"), "fc.bias"), 0,
                       json_integer(11));
    json_object_set_new(json, "parameters", json_integer(1));
    check_ok(verify(*state, json, &report, &err), &err);
    assert_int_equal(report.n, 2);
    assert_int_equal(report.n_bad, 2);
    assert_string_equal(report.figures[0].why,
                        "tensor 47 is 'fc.bias' in the file, here 'fc.bias' of another shape");
    sl_verify_report_release(&report);
    json_decref(json);
}

static void files_of_another_form_are_errors(void **state)
{
    static const struct {
        const char *path, *value; /* NULL: taken out */
        sl_status status;
        const char *holds;
    } cases[] = {
        { "format", "\"softlabel-conformance-2\"", SL_EFORMAT, "softlabel-protocol-1" },
        { "format", NULL, SL_EFORMAT, "'format' is missing" },
        { "name", "7", SL_EFORMAT, "'name' isn't a string" },
        { "salt", NULL, SL_EFORMAT, "'salt'" },
        { "batch", "0", SL_EFORMAT, "'batch' is 0" },
        { "batch", "1e3", SL_EFORMAT, "'batch' isn't a whole number" },
        { "batch", "7", SL_EFORMAT, "30 eval logits don't fit a batch of 7" },
        { "arch", "[]", SL_EFORMAT, "'arch'" },
        { "arch", "{\"arch\": \"lenet\"}", SL_EUNSUPPORTED, "'lenet' isn't in this build" },
        { "arch.depth", "9", SL_EFORMAT, "depth 9" },
        { "eval", NULL, SL_EFORMAT, "'eval'" },
        { "eval.loss", "\"0\"", SL_EFORMAT, "'loss'" },
        { "eval.logits.0", "null", SL_EFORMAT, "30 numbers" },
        { "eval.input_grad", "[1]", SL_EFORMAT, "1 numbers where 2" },
        { "train", "{}", SL_EFORMAT, "'logits'" },
        { "train.grads.fc/bias", NULL, SL_EFORMAT, "'fc.bias' is missing" },
        { "train.grads.fc/bias", "[1, 2, 3]", SL_EFORMAT, "3 numbers where 2" },
        { "train.grads.extra", "[1, 2]", SL_EMISMATCH, "train gradients: 30 tensors" },
        { "train.buffers.bn/running_var", NULL, SL_EFORMAT, "'bn.running_var' is missing" },
    };
    sl_error err;
    sl_verify_report report;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char last[64];
        json_t *parent = NULL, *json = read_sample();
        find(json, cases[i].path, &parent, last);
        json_t *value = cases[i].value ? json_loads(cases[i].value, JSON_DECODE_ANY, NULL) : NULL;
        if (json_is_array(parent))
            json_array_set_new(parent, 0, value);
        else if (value)
            json_object_set_new(parent, last, value);
        else
            json_object_del(parent, last);
        sl_status st = verify(*state, json, &report, &err);
        check_fails(st, cases[i].status, cases[i].holds, &err);
        assert_non_null(strstr(err.place, "sample.json"));
        sl_verify_report_release(&report);
        json_decref(json);
    }
    const sl_verify_options options = { .device = device, .threads = 1 };
    check_fails(sl_verify_file(&report, "/none.json", &options, &err), SL_ENOTFOUND, "/none.json",
                &err);
    sl_verify_report_release(&report);
}

static void what_is_not_a_number_never_passes(void **state)
{
    (void)state;
    sl_error err;
    sl_verify_report report = { 0 };
    check_ok(sl_verify_add(&report, "g", "max|d|", NAN, 1, &err, "nan"), &err);
    check_ok(sl_verify_add(&report, "g", "max|d|", INFINITY, 1, &err, "inf"), &err);
    check_ok(sl_verify_add(&report, "g", "max|d|", 1, 1, &err, "at its bound"), &err);
    assert_int_equal(report.n_bad, 2);
    assert_int_equal(report.figures[2].outcome, SL_VERIFY_OK);
    sl_verify_report_release(&report);

    const double want[] = { 1, 2, 3 };
    assert_true(isnan(sl_verify_max_difference((float[]){ NAN, 2, 9 }, want, 3)));
    assert_true(isnan(sl_verify_max_difference((float[]){ 9, 2, NAN }, want, 3)));
    assert_true(sl_verify_max_difference((float[]){ 1, 4, 3 }, want, 3) == 2);
    assert_true(isnan(sl_verify_relative(NAN, 1, 1)));
    assert_true(isinf(sl_verify_relative(1, 0, 0)));
    assert_true(sl_verify_relative(0, 0, 0) == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_changed_figure_fails_alone),
        cmocka_unit_test(another_network_is_told_apart),
        cmocka_unit_test(files_of_another_form_are_errors),
        cmocka_unit_test(what_is_not_a_number_never_passes),
    };
    return cmocka_run_group_tests(tests, open_device, close_device);
}
