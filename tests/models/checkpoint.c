#include "base/file.h"
#include "base/memory.h"
#include "base/support.h"
#include "models/model.h"
#include "nn/safetensors.h"
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#define SMALL "{\"arch\":\"resnet\",\"base_channels\":4,\"block_type\":\"basic\",\"depth\":8}"

static sl_model *small_model(int classes)
{
    sl_error err;
    sl_model *model;
    check_ok(sl_model_create(&model, SMALL, classes, &err), &err);
    sl_model_init(model, 7);
    return model;
}

static void check_same_numbers(sl_model *a, sl_model *b)
{
    const sl_graph *g = sl_model_graph(a);
    for (int i = 0; i < sl_graph_tensors(g); i++) {
        const sl_tensor *t = sl_graph_tensor(g, i);
        assert_memory_equal(sl_params_tensor(sl_model_params(a), t),
                            sl_params_tensor(sl_model_params(b), t), t->count * sizeof(float));
    }
}

static void a_model_comes_back_whole(void **state)
{
    static const char *const names[] = { "caf\xc3\xa9", "\"dog\"", "c" };
    static const float mean[3] = { 0.1f, 0.2f, 1 / 3.0f }, std[3] = { 0.3f, 1e-3f, 7 };
    float got_mean[3], got_std[3];
    sl_error err;
    const char *path = scratch_path(*state, "m.safetensors");
    sl_model *model = small_model(3), *back;
    sl_model_params(model)->buffers[0] = -0.25f;
    sl_model_set_normalization(model, mean, std);
    check_ok(sl_model_set_class_names(model, names, &err), &err);
    check_ok(sl_model_add_history(model, "{\"stage\": \"pretrain\", \"loss\": 0.1}", &err), &err);
    check_ok(sl_model_add_history(model, "{\"stage\": \"finetune\"}", &err), &err);
    check_fails(sl_model_add_history(model, "[1]", &err), SL_EINVAL, "object", &err);
    check_ok(sl_model_save(model, path, &err), &err);

    check_ok(sl_model_load(&back, path, &err), &err);
    assert_string_equal(sl_model_name(back), "resnet_basic_8+base_channels=4");
    assert_string_equal(sl_model_arch_json(back), SMALL);
    assert_string_equal(sl_model_class_name(back, 0), names[0]);
    assert_string_equal(sl_model_class_name(back, 1), names[1]);
    assert_string_equal(sl_model_history_json(back), sl_model_history_json(model));
    assert_string_equal(sl_model_history_json(back),
                        "[{\"stage\":\"pretrain\",\"loss\":0.10000000000000001},"
                        "{\"stage\":\"finetune\"}]");
    sl_model_normalization(back, got_mean, got_std);
    assert_memory_equal(got_mean, mean, sizeof mean);
    assert_memory_equal(got_std, std, sizeof std);
    check_same_numbers(model, back);

    /* the same model is the same bytes */
    unsigned char *first, *second;
    size_t n_first, n_second;
    const char *again = scratch_path(*state, "again.safetensors");
    check_ok(sl_model_save(back, again, &err), &err);
    check_ok(sl_file_read(path, 1 << 20, &first, &n_first, &err), &err);
    check_ok(sl_file_read(again, 1 << 20, &second, &n_second, &err), &err);
    assert_int_equal(n_first, n_second);
    assert_memory_equal(first, second, n_first);
    free(first);
    free(second);
    sl_model_destroy(model);
    sl_model_destroy(back);
}

/* The file's tensors and metadata, to be changed and written again. */
typedef struct {
    sl_tensor_view views[100];
    size_t n;
    json_t *metadata;
} parts;

static parts take_apart(sl_model *model, const char *path)
{
    sl_error err;
    sl_safetensors *file;
    parts p = { .metadata = json_object() };
    static const char *const keys[] = { "softlabel.name",        "softlabel.architecture",
                                        "softlabel.class_names", "softlabel.normalization",
                                        "softlabel.history",     "softlabel.version" };
    const sl_graph *g = sl_model_graph(model);
    check_ok(sl_model_save(model, path, &err), &err);
    check_ok(sl_safetensors_read(&file, path, &err), &err);
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        json_object_set_new(p.metadata, keys[i],
                            json_string(sl_safetensors_metadata(file, keys[i])));
    sl_safetensors_close(file);
    for (int i = 0; i < sl_graph_tensors(g); i++) {
        const sl_tensor *t = sl_graph_tensor(g, i);
        sl_tensor_view *v = &p.views[p.n++];
        *v = (sl_tensor_view){ .name = t->name,
                               .n_dims = t->n_dims,
                               .data = sl_params_tensor(sl_model_params(model), t) };
        for (int d = 0; d < t->n_dims; d++)
            v->dims[d] = (size_t)t->dims[d];
    }
    return p;
}

static void check_refused(const parts *p, const char *path, sl_status status, const char *holds)
{
    sl_error err;
    sl_model *model;
    check_ok(sl_safetensors_write(path, p->views, p->n, p->metadata, &err), &err);
    check_fails(sl_model_load(&model, path, &err), status, holds, &err);
    assert_null(model);
    assert_non_null(strstr(err.place, path));
}

static void tensors_that_do_not_fit_are_refused(void **state)
{
    const char *path = scratch_path(*state, "t.safetensors");
    sl_model *model = small_model(10);
    const parts whole = take_apart(model, path);
    parts p = whole;
    p.n--;
    check_refused(&p, path, SL_EMISMATCH, "tensor 'fc.bias' is missing");
    p = whole;
    p.views[p.n++] = sl_tensor_view_vector("extra", whole.views[1].data, 4);
    check_refused(&p, path, SL_EMISMATCH, "tensor 'extra' isn't one of resnet_basic_8");
    p = whole;
    p.views[0].dims[1] = 9;
    p.views[0].dims[3] = 1;
    check_refused(&p, path, SL_EMISMATCH, "'conv.weight' has the shape [4, 9, 3, 1], expected");
    json_decref(whole.metadata);
    sl_model_destroy(model);
}

static void unusable_metadata_is_refused(void **state)
{
    static const struct {
        const char *key, *value;
        sl_status status;
        const char *holds;
    } cases[] = {
        { "softlabel.architecture", NULL, SL_EFORMAT, "softlabel model import" },
        { "softlabel.architecture", "{}", SL_EFORMAT, "'arch'" },
        { "softlabel.architecture", "{\"arch\":\"gpt\"}", SL_EUNSUPPORTED, "'gpt'" },
        { "softlabel.architecture",
          "{\"arch\":\"resnet\",\"base_channels\":4,\"block_type\":\"basic\",\"depth\":9}",
          SL_EFORMAT, "depth 9" },
        { "softlabel.architecture",
          "{\"arch\":\"resnet\",\"base_channels\":4,\"block_type\":\"basic\",\"depth\":14}",
          SL_EMISMATCH, "'stage1.block2.conv1.weight' is missing" },
        { "softlabel.architecture",
          "{\"arch\":\"wrn\",\"base_channels\":4,\"depth\":10,\"widening_factor\":1}", SL_EMISMATCH,
          "isn't one of wrn_10_1" },
        { "softlabel.class_names", NULL, SL_EFORMAT, "class_names" },
        { "softlabel.class_names", "[]", SL_EFORMAT, "0 classes" },
        { "softlabel.class_names", "[\"a\",\"b\",3]", SL_EFORMAT, "class name 2" },
        { "softlabel.class_names", "[\"a\",\"b\",\"c\"]", SL_EMISMATCH, "'fc.weight'" },
        { "softlabel.class_names", "{\"a\":1}", SL_EFORMAT, "class_names" },
        { "softlabel.normalization", NULL, SL_EFORMAT, "normalization" },
        { "softlabel.normalization", "{\"mean\":[0,0,0]}", SL_EFORMAT, "3 numbers" },
        { "softlabel.normalization", "{\"mean\":[0,0,0],\"std\":[1,1]}", SL_EFORMAT, "2 numbers" },
        { "softlabel.normalization", "{\"mean\":[0,0,0],\"std\":[1,0,1]}", SL_EFORMAT, "usable" },
        { "softlabel.normalization", "{\"mean\":[0,0,1e300],\"std\":[1,1,1]}", SL_EFORMAT,
          "usable" },
        { "softlabel.history", "[1]", SL_EFORMAT, "history" },
        { "softlabel.history", "{", SL_EFORMAT, "history" },
    };
    const char *path = scratch_path(*state, "u.safetensors");
    sl_model *model = small_model(10);
    const parts whole = take_apart(model, path);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        parts p = whole;
        p.metadata = json_copy(whole.metadata);
        if (cases[i].value)
            json_object_set_new(p.metadata, cases[i].key, json_string(cases[i].value));
        else
            json_object_del(p.metadata, cases[i].key);
        check_refused(&p, path, cases[i].status, cases[i].holds);
        json_decref(p.metadata);
    }
    json_decref(whole.metadata);
    sl_model_destroy(model);
}

/* As PyTorch saves it: no metadata, batch counters of batch norm besides. The classes are counted.
 */
static void a_file_of_pytorch_can_be_taken_over(void **state)
{
    sl_error err;
    const char *path = scratch_path(*state, "p.safetensors");
    const float count = 12;
    sl_model *model = small_model(7), *loaded;
    parts p = take_apart(model, path);
    p.views[p.n++] =
        (sl_tensor_view){ .name = "bn.num_batches_tracked", .n_dims = 0, .data = &count };
    check_ok(sl_safetensors_write(path, p.views, p.n, NULL, &err), &err);
    check_fails(sl_model_load(&loaded, path, &err), SL_EFORMAT, "isn't from softlabel", &err);
    check_ok(sl_model_import(&loaded, SMALL, path, &err), &err);
    assert_int_equal(sl_model_classes(loaded), 7);
    check_same_numbers(model, loaded);
    sl_model_destroy(loaded);

    check_fails(sl_model_import(&loaded, "wrn_16_2", path, &err), SL_EMISMATCH,
                "isn't one of wrn_16_2", &err);
    check_fails(sl_model_import(&loaded, "resnet_basic_8", path, &err), SL_EMISMATCH,
                "'conv.weight' has the shape [4, 3, 3, 3], expected [16, 3, 3, 3]", &err);
    check_fails(sl_model_import(&loaded, "lenet", path, &err), SL_EINVAL, "unknown model", &err);
    p.n -= 3; /* fc.weight, fc.bias and the counter */
    check_ok(sl_safetensors_write(path, p.views, p.n, NULL, &err), &err);
    check_fails(sl_model_import(&loaded, SMALL, path, &err), SL_EMISMATCH, "'fc.weight' is missing",
                &err);
    assert_null(loaded);
    json_decref(p.metadata);
    sl_model_destroy(model);
}

/* A name may say another cutout, or the same in other words, but not another network. */
static void a_model_takes_another_name_of_its_own(void **state)
{
    (void)state;
    sl_error err;
    sl_model *model = small_model(10);
    check_ok(sl_model_rename(model, "resnet_basic_8_cutout16+base_channels=4", &err), &err);
    assert_string_equal(sl_model_name(model), "resnet_basic_8_cutout16+base_channels=4");
    check_ok(sl_model_rename(model, "resnet_basic_14+depth=8+base_channels=4", &err), &err);
    assert_string_equal(sl_model_name(model), "resnet_basic_8+base_channels=4");
    check_ok(sl_model_rename(model, SMALL, &err), &err);
    check_fails(sl_model_rename(model, "resnet_basic_8", &err), SL_EMISMATCH,
                "expected the architecture of 'resnet_basic_8'", &err);
    check_fails(sl_model_rename(model, "wrn_10_1", &err), SL_EMISMATCH, "'wrn_10_1'", &err);
    check_fails(sl_model_rename(model, "lenet", &err), SL_EINVAL, "unknown model", &err);
    assert_string_equal(sl_model_name(model), "resnet_basic_8+base_channels=4");
    sl_model_destroy(model);
}

static void damage_is_found(void **state)
{
    sl_error err;
    size_t n;
    unsigned char *bytes;
    const char *path = scratch_path(*state, "d.safetensors");
    sl_model *model = small_model(10), *loaded;
    check_ok(sl_model_save(model, path, &err), &err);
    check_ok(sl_file_read(path, 1 << 20, &bytes, &n, &err), &err);
    for (size_t i = 0; i < n; i += n / 50) {
        bytes[i] ^= 0x10;
        scratch_write(path, bytes, n);
        check_fails(sl_model_load(&loaded, path, &err), SL_EFORMAT, "d.safetensors", &err);
        bytes[i] ^= 0x10;
        scratch_write(path, bytes, i);
        check_fails(sl_model_load(&loaded, path, &err), SL_EFORMAT, "d.safetensors", &err);
    }
    free(bytes);
    sl_model_destroy(model);
}

static void an_unwritable_place_is_an_error(void **state)
{
    sl_error err;
    sl_model *model = small_model(10);
    size_t before = scratch_count(*state);
    check_fails(sl_model_save(model, scratch_path(*state, "none/m.safetensors"), &err),
                SL_ENOTFOUND, "m.safetensors", &err);
    check_fails(sl_model_save(model, *state, &err), SL_EINVAL, "regular file", &err);
    assert_int_equal(scratch_count(*state), before);
    sl_model_destroy(model);
}

/* Whichever of our allocations fails, the status says so, nothing leaks (asan) and no file appears.
 */
static void memory_shortage_is_an_ordinary_failure(void **state)
{
    sl_error err;
    const char *path = scratch_path(*state, "oom.safetensors");
    sl_model *model = small_model(10), *loaded;
    sl_status st;
    unsigned long n = 0;
    do {
        sl_alloc_fail_at(++n);
        st = sl_model_save(model, path, &err);
        sl_alloc_fail_at(0);
        check_status_at(st, st ? SL_ENOMEM : SL_OK, NULL, &err, __FILE__, __LINE__);
        assert_true(st == SL_OK || !sl_file_exists(path));
    } while (st);
    assert_true(n > 3);
    n = 0;
    do {
        sl_alloc_fail_at(++n);
        st = sl_model_load(&loaded, path, &err);
        sl_alloc_fail_at(0);
        check_status_at(st, st ? SL_ENOMEM : SL_OK, NULL, &err, __FILE__, __LINE__);
        assert_true((st == SL_OK) == (loaded != NULL));
    } while (st);
    assert_true(n > 10);
    check_same_numbers(model, loaded);
    sl_model_destroy(loaded);
    sl_model_destroy(model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_model_comes_back_whole),
        cmocka_unit_test(tensors_that_do_not_fit_are_refused),
        cmocka_unit_test(unusable_metadata_is_refused),
        cmocka_unit_test(a_file_of_pytorch_can_be_taken_over),
        cmocka_unit_test(a_model_takes_another_name_of_its_own),
        cmocka_unit_test(damage_is_found),
        cmocka_unit_test(an_unwritable_place_is_an_error),
        cmocka_unit_test(memory_shortage_is_an_ordinary_failure),
    };
    return cmocka_run_group_tests(tests, scratch_setup, scratch_teardown);
}
