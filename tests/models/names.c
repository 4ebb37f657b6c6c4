#include "base/support.h"
#include "models/family.h"
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
        { "vgg_10_4",
          "{\"arch\":\"vgg\",\"n_channels\":[4,8,16,32,32],\"n_layers\":[1,1,2,2,2],"
          "\"use_bn\":false}",
          9 * (3 * 4 + 4 * 8 + 8 * 16 + 16 * 16 + 16 * 32 + 32 * 32 + 2 * 32 * 32) + 4 + 8 +
              2 * 16 + 4 * 32 + 330 },
        { "densenet_7_4",
          "{\"arch\":\"densenet\",\"depth\":7,\"block_type\":\"basic\",\"growth_rate\":4,"
          "\"drop_rate\":0,\"compression_rate\":1}",
          3 * 8 * 9 + (16 + 8 * 4 * 9) + (24 + 12 * 12) + /* conv, stage 1, transition */
              (24 + 12 * 4 * 9) + (32 + 16 * 16) +        /* stage 2, transition */
              (32 + 16 * 4 * 9) + 40 + 210 },             /* stage 3, bn, fc */
        { "shake_shake_8_2x4d_ESB",
          "{\"arch\":\"shake_shake\",\"base_channels\":4,\"depth\":8,\"shake_forward\":false,"
          "\"shake_backward\":true,\"shake_image\":false}",
          3 * 4 * 9 + 8 + 2 * (2 * 4 * 4 * 9 + 16) +                 /* conv, stage 1 */
              2 * ((4 + 8) * 8 * 9 + 32) + 2 * 4 * 4 + 16 +          /* stage 2 */
              2 * ((8 + 16) * 16 * 9 + 64) + 2 * 8 * 8 + 32 + 170 }, /* stage 3, fc */
    };
    sl_error err;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        sl_model *model, *again;
        check_ok(sl_model_create(&model, cases[i].name, 10, &err), &err);
        assert_string_equal(sl_model_name(model), cases[i].name);
        assert_string_equal(sl_model_arch_json(model), cases[i].arch);
        assert_int_equal(sl_model_parameters(model), cases[i].parameters);
        check_ok(sl_model_create(&again, cases[i].arch, 10, &err), &err);
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
        { "vgg", "shake_shake_<depth>_2x<channels>d_SSI" },
        { "resnet_basic_", "unknown model 'resnet_basic_'" },
        { "resnet_basic_20x", "unknown model" },
        { "resnet_basic_020", "unknown model" },
        { "resnet_basic_-4", "unknown model" },
        { "resnet_basic_20_", "unknown model" },
        { "resnet_basic_21", "depth 21 isn't 6n+2, as resnet_basic needs: try 20" },
        { "resnet_basic_2", "depth 2, expected 8" },
        { "vgg_16_BN_64", "unknown model" },
        { "vgg_15_BN_0", "'n_channels' has something else than 1 to 4096" },
        { "vgg_15_BN_64_32", "unknown model" },
        { "densenet_BC_100", "unknown model" },
        { "densenet_CB_100_12", "unknown model" },
        { "densenet_BC_101_12",
          "depth 101 isn't 6n+4, as densenet with bottlenecks needs: try 100" },
        { "densenet_41_12", "depth 41 isn't 3n+4" },
        { "pyramidnet_basic_110", "unknown model" },
        { "pyramidnet_basic_110_10001", "pyramid_alpha 10001, expected 0 to 10000" },
        { "shake_shake_26_2x64d", "unknown model" },
        { "shake_shake_26_2x64d_SKI", "unknown model" },
        { "shake_shake_26_3x64d_SSI", "unknown model" },
        { "wrn_28_10_cutout", "unknown model" },
        { "wrn_28_10_cutout0", "unknown model" },
        { "wrn_28_10_cutout16_cutout8", "unknown model" },
        { "wrn_28_10_cutout16x", "unknown model" },
        { "wrn_16_2+", "'' isn't a member as in +drop_rate=0.3" },
        { "wrn_16_2+drop_rate", "'drop_rate' isn't a member as in +drop_rate=0.3" },
        { "wrn_16_2+drop_rate=", "'drop_rate' isn't a number" },
        { "wrn_16_2+drop_rate=1", "drop_rate 1, expected 0 to 0.95" },
        { "wrn_16_2+drop_rate=x", "'drop_rate' isn't a number" },
        { "wrn_16_2+depth=22+arch=vgg", "unknown member 'arch'" },
        { "wrn_16_2+se=true", "unknown member 'se'" },
        { "resnet_bottleneck_21", "isn't 9n+2, as resnet_bottleneck needs: try 20" },
        { "resnet_bottleneck_8", "depth 8, expected 11" },
        { "resnet_basic_999999999", "depth 999999999" },
        { "resnet_basic_9999999999", "unknown model" },
        { "wrn_16", "unknown model" },
        { "wrn_16_", "unknown model" },
        { "wrn_16_2_", "unknown model" },
        { "wrn_15_2", "depth 15 isn't 6n+4, as wrn needs: try 16" },
        { "wrn_4_2", "depth 4, expected 10" },
        { "wrn_16_0", "widening_factor 0, expected 1" },
        { "wrn_16_101", "widening_factor 101" },
        { "wrn_1000000_9", "depth 1000000, expected 10 to 9999" },
        { "wrn_1000_100", "parameters, expected at most 1000000000" },
        { "densenet_7_1+compression_rate=0.05", "would have the shape 0 x 32 x 32" },
        { "wrn_16_2+base_channels=-16", "base_channels -16, expected 1" },
        { "wrn_16_2+base_channels=99999999999999999999", "base_channels" },
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
        { "{", SL_EINVAL, "isn't JSON" },
        { "{}", SL_EINVAL, "'arch'" },
        { "{\"depth\":20}", SL_EINVAL, "'arch'" },
        { "{\"arch\":7}", SL_EINVAL, "'arch'" },
        { "{\"arch\":\"wrn\",\"arch\":\"vgg\"}", SL_EINVAL, "duplicate" },
        { "{\"arch\":\"transformer\"}", SL_EUNSUPPORTED, "'transformer' isn't in this build" },
        { "{\"arch\":\"wrn\",\"depth\":16}", SL_EINVAL, "'widening_factor' is missing" },
        { "{\"arch\":\"wrn\",\"depth\":16.0,\"widening_factor\":2}", SL_EINVAL,
          "'depth' isn't a whole number" },
        { "{\"arch\":\"wrn\",\"depth\":17,\"widening_factor\":2}", SL_EINVAL, "depth 17" },
        { "{\"arch\":\"wrn\",\"depth\":16,\"widening_factor\":2,\"drop_rate\":\"0\"}", SL_EINVAL,
          "drop_rate" },
        { "{\"arch\":\"wrn\",\"depth\":16,\"widening_factor\":2,\"se\":true}", SL_EINVAL,
          "unknown member 'se'" },
        { "{\"arch\":\"resnet\",\"depth\":20,\"block_type\":\"wide\"}", SL_EINVAL,
          "'basic' or 'bottleneck'" },
        { "{\"arch\":\"resnet\",\"depth\":20}", SL_EINVAL, "'block_type' is missing" },
        { "{\"arch\":\"resnet\",\"depth\":11,\"base_channels\":18,\"block_type\":\"bottleneck\"}",
          SL_EINVAL, "multiple of 4" },
        { "{\"arch\":\"vgg\",\"n_channels\":[8,8,8,8]}", SL_EINVAL, "list of 5 whole numbers" },
        { "{\"arch\":\"vgg\",\"n_channels\":[8,8,8,8,8.5]}", SL_EINVAL, "something else" },
        { "{\"arch\":\"vgg\",\"n_channels\":[8,8,8,8,8],\"use_bn\":1}", SL_EINVAL,
          "true or false" },
        { "{\"arch\":\"resnet_preact\",\"block_type\":\"basic\",\"depth\":8,\"preact_stage\":[true]"
          "}",
          SL_EINVAL, "list of three" },
        { "{\"arch\":\"densenet\",\"block_type\":\"basic\",\"depth\":7,\"growth_rate\":4,"
          "\"compression_rate\":1.5}",
          SL_EINVAL, "compression_rate 1.5" },
    };
    sl_error err;
    sl_model *model;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        check_fails(sl_model_create(&model, cases[i].arch, 10, &err), cases[i].status,
                    cases[i].holds, &err);
        assert_null(model);
    }
}

static void other_widths_and_classes_are_built(void **state)
{
    (void)state;
    sl_error err;
    sl_model *model;
    check_ok(sl_model_create(
                 &model,
                 "{\"arch\":\"resnet\",\"base_channels\":5,\"block_type\":\"basic\",\"depth\":14}",
                 7, &err),
             &err);
    assert_string_equal(sl_model_name(model), "resnet_basic_14+base_channels=5");
    assert_int_equal(sl_model_classes(model), 7);
    const sl_tensor *fc = sl_graph_find_tensor(sl_model_graph(model), "fc.weight");
    assert_non_null(fc);
    assert_true(fc->dims[0] == 7 && fc->dims[1] == 20);
    assert_string_equal(sl_model_class_name(model, 6), "class 6");
    sl_model_destroy(model);
}

/* A name has all that the object has: it gives the same object again. */
static void every_name_gives_its_own_model_back(void **state)
{
    (void)state;
    static const struct {
        const char *given, *name; /* NULL: the same */
    } cases[] = {
        { "vgg_15_BN_64", NULL },
        { "vgg_18_8", NULL },
        { "vgg_15_BN_8+n_layers=[1,1,1,1,1]", NULL },
        { "vgg_15_BN_8+n_layers=[2,2,4,4,4]", "vgg_18_BN_8" },
        { "resnet_basic_20+depth=8", "resnet_basic_8" },
        { "resnet_basic_8+block_type=bottleneck+depth=11", "resnet_bottleneck_11" },
        { "resnet_preact_bottleneck_164", NULL },
        { "resnet_preact_basic_8+remove_first_relu=true+preact_stage=[true,false,true]", NULL },
        { "wrn_28_10_cutout16", NULL },
        { "wrn_10_1_cutout8+base_channels=4+drop_rate=0.3", NULL },
        { "wrn_10_1+drop_rate=0.0", "wrn_10_1" },
        { "densenet_BC_100_12", NULL },
        { "densenet_B_10_4", NULL },
        { "densenet_C_7_4+drop_rate=0.2+compression_rate=0.25", NULL },
        { "pyramidnet_basic_110_270", NULL },
        { "pyramidnet_bottleneck_11_12_cutout16", NULL },
        { "shake_shake_26_2x64d_SSI_cutout16", NULL },
        { "shake_shake_8_2x4d_EEI", NULL },
        { "{\"arch\":\"wrn\",\"depth\":10,\"widening_factor\":2,\"drop_rate\":0.1}",
          "wrn_10_2+drop_rate=0.1" },
        { "{\"arch\":\"vgg\",\"n_channels\":[4,5,6,7,8]}", "vgg_15_BN_4+n_channels=[4,5,6,7,8]" },
    };
    sl_error err;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        sl_model *model, *again;
        const char *name = cases[i].name ? cases[i].name : cases[i].given;
        check_ok(sl_model_create(&model, cases[i].given, 10, &err), &err);
        assert_string_equal(sl_model_name(model), name);
        check_ok(sl_model_create(&again, name, 10, &err), &err);
        assert_string_equal(sl_model_name(again), name);
        assert_string_equal(sl_model_arch_json(again), sl_model_arch_json(model));
        sl_model_destroy(model);
        sl_model_destroy(again);
    }
}

static void every_listed_name_is_a_model_s(void **state)
{
    (void)state;
    sl_error err;
    for (size_t f = 0; sl_families()[f]; f++)
        for (size_t i = 0; sl_families()[f]->known[i]; i++) {
            sl_model *model;
            check_ok(sl_model_create(&model, sl_families()[f]->known[i], 10, &err), &err);
            assert_string_equal(sl_model_name(model), sl_families()[f]->known[i]);
            sl_model_destroy(model);
        }
}

/* The paper's networks take images of other sizes where their wiring allows it. */
static void other_images_are_taken_or_refused(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        sl_image_shape image;
        const char *refused; /* NULL: taken */
    } cases[] = {
        { "resnet_basic_8", { 3, 64, 48 }, NULL },
        { "resnet_bottleneck_11", { 1, 28, 28 }, NULL },
        { "resnet_preact_basic_8", { 3, 33, 17 }, NULL },
        { "wrn_10_1", { 3, 5, 5 }, NULL },
        { "densenet_BC_10_4", { 3, 30, 30 }, NULL },
        { "densenet_BC_10_4", { 3, 3, 3 }, "2 x 2 pooling" },
        { "pyramidnet_basic_8_12", { 3, 64, 64 }, NULL },
        { "pyramidnet_basic_8_12", { 3, 30, 30 }, "multiples of 4" },
        { "shake_shake_8_2x4d_SSI", { 3, 29, 29 }, NULL },
        { "vgg_15_BN_4", { 3, 48, 63 }, NULL },
        { "vgg_15_BN_4", { 3, 64, 64 }, "sides of 32 to 63" },
        { "vgg_15_BN_4", { 3, 31, 32 }, "images of 31 x 32" },
        { "wrn_10_1", { 4, 32, 32 }, "4 x 32 x 32" },
        { "wrn_10_1", { 3, 0, 32 }, "3 x 0 x 32" },
        { "wrn_10_1", { 3, 32, 2000 }, "3 x 32 x 2000" },
    };
    sl_error err;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        sl_model *model;
        const sl_image_shape image = cases[i].image;
        sl_status st = sl_model_create_for(&model, cases[i].name, image, 10, &err);
        if (cases[i].refused) {
            check_fails(st, SL_EINVAL, cases[i].refused, &err);
            assert_null(model);
            continue;
        }
        check_ok(st, &err);
        const sl_graph *graph = sl_model_graph(model);
        const sl_shape input = sl_graph_shape(graph, sl_graph_node(graph, 0)->output);
        assert_true(input.c == image.channels && input.h == image.height && input.w == image.width);
        sl_model_destroy(model);
    }
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
        cmocka_unit_test(every_name_gives_its_own_model_back),
        cmocka_unit_test(every_listed_name_is_a_model_s),
        cmocka_unit_test(other_images_are_taken_or_refused),
        cmocka_unit_test(shortcuts_are_where_channels_change),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
