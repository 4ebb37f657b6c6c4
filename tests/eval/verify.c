/* That a wrong figure is found: the files beside this one pass as they are (verify_files.sh),
 * here each kind of figure is changed. */
#include "eval/verify.h"
#include "base/support.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

static sl_device *plain, *cpu; /* ref computes in float32 alone */

static int open_devices(void **state)
{
    sl_error err;
    check_ok(sl_device_open(&plain, "ref", 1, &err), &err);
    check_ok(sl_device_open(&cpu, "cpu", 1, &err), &err);
    return scratch_setup(state);
}

static int close_devices(void **state)
{
    sl_device_close(plain);
    sl_device_close(cpu);
    return scratch_teardown(state);
}

static json_t *read_file(const char *name)
{
    sl_error err;
    json_t *json;
    char path[600];
    snprintf(path, sizeof path, "%s/%s.json", FOLDER, name);
    check_ok(sl_json_read(&json, path, 1 << 20, &err), &err);
    return json;
}

static json_t *read_sample(void)
{
    return read_file("resnet_8");
}

static sl_status verify_in(sl_dtype dtype, const char *folder, const json_t *json,
                           sl_verify_report *report, sl_error *err)
{
    sl_error why;
    const char *path = scratch_path(folder, "sample.json");
    const sl_verify_options options = { .device = dtype == SL_DTYPE_BF16 ? cpu : plain,
                                        .dtype = dtype,
                                        .threads = 1 };
    check_ok(sl_json_write(path, json, &why), &why);
    return sl_verify_file(report, path, &options, err);
}

static sl_status verify(const char *folder, const json_t *json, sl_verify_report *report,
                        sl_error *err)
{
    return verify_in(SL_DTYPE_F32, folder, json, report, err);
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
    const sl_verify_options options = { .device = plain, .threads = 1 };
    check_fails(sl_verify_file(&report, "/none.json", &options, &err), SL_ENOTFOUND, "/none.json",
                &err);
    sl_verify_report_release(&report);
}

/* The nearest figure of a group to its bound, or beyond it. */
static double worst_ratio(const sl_verify_report *report, const char *group)
{
    double worst = 0;
    for (size_t i = 0; i < report->n; i++)
        if (strncmp(report->figures[i].group, group, strlen(group)) == 0 &&
            report->figures[i].bound > 0)
            worst = fmax(worst, report->figures[i].deviation / report->figures[i].bound);
    return worst;
}

static const sl_verify_figure *find_figure(const sl_verify_report *report, const char *group)
{
    for (size_t i = 0; i < report->n; i++)
        if (strcmp(report->figures[i].group, group) == 0)
            return &report->figures[i];
    fail_msg("no figure '%s'", group);
    return NULL;
}

/* One network of each sort passes in bfloat16, and that isn't float32: its rounding shows. */
static void bfloat16_has_bounds_of_its_own(void **state)
{
    static const char *const names[] = { "resnet_8",      "preact_14_options",
                                         "densenet_B_10", "pyramidnet_bottleneck_11",
                                         "shake_8_ESI",   "vgg_plain" };
    sl_error err;
    sl_verify_report report;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        json_t *json = read_file(names[i]);
        check_ok(verify_in(SL_DTYPE_BF16, *state, json, &report, &err), &err);
        print_message("%s: eval %.2f, train %.2f of the bounds\n", names[i],
                      worst_ratio(&report, "eval"), worst_ratio(&report, "train"));
        assert_int_equal(report.n_bad, 0);
        assert_true(find_figure(&report, "eval logits")->deviation > 1e-4);
        sl_verify_report_release(&report);
        json_decref(json);
    }
}

/* Networks with the same tensors that compute something else: what a fault in the wiring does. The
 * bounds of either precision tell them apart. */
static void faults_in_the_wiring_are_found(void **state)
{
    static const struct {
        const char *file, *members, *group; /* members: changed ones of the architecture */
    } cases[] = {
        { "resnet_8_faulty", "{}", "eval logits" }, /* one residual dropped */
        { "preact_14_options", "{\"remove_first_relu\": false}", "eval logits" },
        { "preact_14_options", "{\"preact_stage\": [false, false, false]}", "eval logits" },
        { "preact_8", "{\"preact_stage\": [false, false, true]}", "eval logits" },
        { "shake_8_ESI", "{\"shake_forward\": true}", "train logits" },
        { "shake_8_ESI", "{\"shake_backward\": false}", "train gradients, all" },
        { "shake_8_SSB", "{\"shake_image\": true}", "train logits" },
    };
    sl_error err;
    sl_verify_report report;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (int bf16 = 0; bf16 < 2; bf16++) {
            const char *group = cases[i].group;
            json_t *json = read_file(cases[i].file);
            json_t *members = json_loads(cases[i].members, 0, NULL);
            assert_int_equal(json_object_update(json_object_get(json, "arch"), members), 0);
            if (!bf16 && strcmp(group, "train gradients, all") == 0)
                group = "train gradients";
            check_ok(verify_in(bf16 ? SL_DTYPE_BF16 : SL_DTYPE_F32, *state, json, &report, &err),
                     &err);
            print_message("%s, %s: '%s' at %.1f of its bound\n", cases[i].file,
                          bf16 ? "bf16" : "f32", group, worst_ratio(&report, group));
            assert_true(worst_ratio(&report, group) > 1);
            sl_verify_report_release(&report);
            json_decref(members);
            json_decref(json);
        }
}

/* With dropout, evaluation is the same and training isn't. */
static void dropout_is_for_training_alone(void **state)
{
    static const char *const names[] = { "wrn_10_1", "densenet_10" };
    sl_error err;
    sl_verify_report report;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        json_t *json = read_file(names[i]);
        json_object_set_new(json_object_get(json, "arch"), "drop_rate", json_real(0.3));
        check_ok(verify(*state, json, &report, &err), &err);
        assert_true(worst_ratio(&report, "eval") <= 1);
        assert_true(worst_ratio(&report, "train logits") > 1);
        sl_verify_report_release(&report);
        json_decref(json);
    }
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
        cmocka_unit_test(bfloat16_has_bounds_of_its_own),
        cmocka_unit_test(faults_in_the_wiring_are_found),
        cmocka_unit_test(dropout_is_for_training_alone),
        cmocka_unit_test(what_is_not_a_number_never_passes),
    };
    return cmocka_run_group_tests(tests, open_devices, close_devices);
}
