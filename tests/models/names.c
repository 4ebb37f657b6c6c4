#include "base/support.h"
#include "models/model.h"

static void names_give_their_architecture(void **state)
{
    (void)state;
    static const struct {
        const char *name, *arch;
        size_t parameters; /* counted by hand or in the conformance data */
    } cases[] = {
        { "resnet_basic_8",
          "{\"arch\":\"resnet\",\"base_channels\":16,\"block_type\":\"basic\",\"depth\":8}",
          3 * 16 * 9 + 32 + 2 * (16 * 16 * 9 + 32) +                         /* conv, stage 1 */
              16 * 32 * 9 + 64 + 32 * 32 * 9 + 64 + 16 * 32 + 64 +           /* stage 2 */
              32 * 64 * 9 + 128 + 64 * 64 * 9 + 128 + 32 * 64 + 128 + 650 }, /* stage 3, fc */
        { "resnet_basic_20",
          "{\"arch\":\"resnet\",\"base_channels\":16,\"block_type\":\"basic\",\"depth\":20}",
          272474 },
        { "resnet_bottleneck_11",
          "{\"arch\":\"resnet\",\"base_channels\":16,\"block_type\":\"bottleneck\",\"depth\":11}",
          3 * 16 * 9 + 32 +                                                       /* conv */
              16 * 4 + 8 + 4 * 4 * 9 + 8 + 4 * 16 + 32 +                          /* stage 1 */
              16 * 32 + 64 + 32 * 32 * 9 + 64 + 32 * 128 + 256 + 16 * 128 + 256 + /* stage 2 */
              128 * 64 + 128 + 64 * 64 * 9 + 128 + 64 * 256 + 512 + 128 * 256 + 512 + 2570 },
        { "wrn_16_2",
          "{\"arch\":\"wrn\",\"base_channels\":16,\"depth\":16,\"widening_factor\":2,"
          "\"drop_rate\":0}",
          691674 },
    };
    sl_error err;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        sl_model *model, *again;
        check_ok(sl_model_create(&model, cases[i].name, 10, &err), &err);
        assert_string_equal(sl_model_name(model), cases[i].name);
        assert_string_equal(sl_model_arch_json(model), cases[i].arch);
        assert_int_equal(sl_model_parameters(model), cases[i].parameters);
        check_ok(sl_model_create_arch(&again, cases[i].arch, 10, &err), &err);
        assert_string_equal(sl_model_name(again), cases[i].name);
        assert_int_equal(sl_model_parameters(again), cases[i].parameters);
        sl_model_destroy(model);
        sl_model_destroy(again);
    }
}

static void wrong_names_say_what_is_expected(void **state)
{
    (void)state;
    static const struct {
        const char *name, *holds;
    } cases[] = {
        { "", "resnet_basic_<depth>" },
        { "resnet", "wrn_<depth>_<widening>" },
        { "resnet_basic_", "unknown model 'resnet_basic_'" },
        { "resnet_basic_20x", "unknown model" },
        { "resnet_basic_020", "unknown model" },
        { "resnet_basic_-4", "unknown model" },
        { "resnet_basic_20_", "unknown model" },
        { "resnet_basic_21", "depth 21 isn't 6n+2, as resnet_basic needs: try 20" },
        { "resnet_basic_2", "depth 2, expected 8" },
        { "resnet_bottleneck_21", "isn't 9n+2, as resnet_bottleneck needs: try 20" },
        { "resnet_bottleneck_8", "try 11" },
        { "resnet_basic_999999999", "depth 999999999" },
        { "resnet_basic_9999999999", "unknown model" },
        { "wrn_16", "unknown model" },
        { "wrn_16_", "unknown model" },
        { "wrn_16_2_", "unknown model" },
        { "wrn_15_2", "depth 15 isn't 6n+4, as wrn needs: try 16" },
        { "wrn_4_2", "depth 4, expected 10" },
        { "wrn_16_0", "widening_factor 0, expected 1" },
        { "wrn_16_101", "widening_factor 101" },
    };
    sl_error err;
    sl_model *model;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        check_fails(sl_model_create(&model, cases[i].name, 10, &err), SL_EINVAL, cases[i].holds,
                    &err);
        assert_null(model);
    }
    check_fails(sl_model_create(&model, "wrn_16_2", 1, &err), SL_EINVAL, "1 classes", &err);
    check_fails(sl_model_create(&model, "wrn_16_2", 1001, &err), SL_EINVAL, "1001 classes", &err);
}

static void wrong_architectures_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *arch;
        sl_status status;
        const char *holds;
    } cases[] = {
        { "", SL_EFORMAT, "JSON object" },
        { "[]", SL_EFORMAT, "JSON object" },
        { "{\"depth\":20}", SL_EFORMAT, "'arch'" },
        { "{\"arch\":7}", SL_EFORMAT, "'arch'" },
        { "{\"arch\":\"transformer\"}", SL_EUNSUPPORTED, "'transformer' isn't in this build" },
        { "{\"arch\":\"wrn\",\"depth\":16}", SL_EFORMAT, "'base_channels'" },
        { "{\"arch\":\"wrn\",\"depth\":16.0,\"base_channels\":16,\"widening_factor\":2}",
          SL_EFORMAT, "whole number 'depth'" },
        { "{\"arch\":\"wrn\",\"depth\":17,\"base_channels\":16,\"widening_factor\":2}", SL_EFORMAT,
          "depth 17" },
        { "{\"arch\":\"wrn\",\"depth\":16,\"base_channels\":16,\"widening_factor\":2,"
          "\"drop_rate\":0.3}",
          SL_EUNSUPPORTED, "drop_rate" },
        { "{\"arch\":\"wrn\",\"depth\":16,\"base_channels\":16,\"widening_factor\":2,"
          "\"drop_rate\":\"0\"}",
          SL_EUNSUPPORTED, "drop_rate" },
        { "{\"arch\":\"wrn\",\"depth\":16,\"base_channels\":16,\"widening_factor\":2,\"se\":true}",
          SL_EFORMAT, "unknown member 'se'" },
        { "{\"arch\":\"resnet\",\"depth\":20,\"base_channels\":16,\"block_type\":\"wide\"}",
          SL_EFORMAT, "'basic' or 'bottleneck'" },
        { "{\"arch\":\"resnet\",\"depth\":20,\"base_channels\":16}", SL_EFORMAT, "block_type" },
        { "{\"arch\":\"resnet\",\"depth\":11,\"base_channels\":18,\"block_type\":\"bottleneck\"}",
          SL_EFORMAT, "multiple of 4" },
    };
    sl_error err;
    sl_model *model;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        check_fails(sl_model_create_arch(&model, cases[i].arch, 10, &err), cases[i].status,
                    cases[i].holds, &err);
        assert_null(model);
    }
}

static void other_widths_and_classes_are_built(void **state)
{
    (void)state;
    sl_error err;
    sl_model *model;
    check_ok(sl_model_create_arch(
                 &model,
                 "{\"arch\":\"resnet\",\"base_channels\":5,\"block_type\":\"basic\",\"depth\":14}",
                 7, &err),
             &err);
    assert_string_equal(sl_model_name(model), "resnet_basic_14 (base 5)");
    assert_int_equal(sl_model_classes(model), 7);
    const sl_tensor *fc = sl_graph_find_tensor(sl_model_graph(model), "fc.weight");
    assert_non_null(fc);
    assert_true(fc->dims[0] == 7 && fc->dims[1] == 20);
    assert_string_equal(sl_model_class_name(model, 6), "class 6");
    sl_model_destroy(model);
}

/* Of wrn only k = 1 keeps the first stage's channels: no shortcut there. */
static void shortcuts_are_where_channels_change(void **state)
{
    (void)state;
    sl_error err;
    sl_model *model;
    check_ok(sl_model_create(&model, "wrn_16_1", 10, &err), &err);
    const sl_graph *graph = sl_model_graph(model);
    assert_null(sl_graph_find_tensor(graph, "stage1.block1.shortcut.conv.weight"));
    assert_non_null(sl_graph_find_tensor(graph, "stage2.block1.shortcut.conv.weight"));
    assert_null(sl_graph_find_tensor(graph, "stage2.block2.shortcut.conv.weight"));
    sl_model_destroy(model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_give_their_architecture),
        cmocka_unit_test(wrong_names_say_what_is_expected),
        cmocka_unit_test(wrong_architectures_are_refused),
        cmocka_unit_test(other_widths_and_classes_are_built),
        cmocka_unit_test(shortcuts_are_where_channels_change),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
