/* Names, order and shapes of the tensors against the reference's state dicts. The numbers they
 * compute are for `softlabel verify` (tests/eval). */
#include "base/file.h"
#include "base/json.h"
#include "base/support.h"
#include "models/model.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void compare(const char *name)
{
    char path[600];
    json_t *file, *tensors, *shape;
    sl_error err;
    sl_model *model;
    snprintf(path, sizeof path, "%s/%s.json", CONFORMANCE, name);
    check_ok(sl_json_read(&file, path, 1 << 24, &err), &err);
    check_ok(sl_model_create(&model, name, 10, &err), &err);

    char *arch = json_dumps(json_object_get(file, "arch"), JSON_COMPACT);
    assert_string_equal(sl_model_arch_json(model), arch);
    free(arch);
    assert_int_equal(json_integer_value(json_object_get(file, "parameters")),
                     sl_model_parameters(model));

    const sl_graph *graph = sl_model_graph(model);
    const char *tensor;
    int i = 0;
    tensors = json_object_get(file, "tensors");
    assert_int_equal(json_object_size(tensors), sl_graph_tensors(graph));
    json_object_foreach(tensors, tensor, shape)
    {
        const sl_tensor *t = sl_graph_tensor(graph, i++);
        assert_string_equal(t->name, tensor);
        assert_int_equal(t->n_dims, json_array_size(shape));
        for (int d = 0; d < t->n_dims; d++)
            assert_int_equal(t->dims[d], json_integer_value(json_array_get(shape, (size_t)d)));
    }
    sl_model_destroy(model);
    json_decref(file);
}

static void resnet_basic_20(void **state)
{
    (void)state;
    compare("resnet_basic_20");
}

static void resnet_basic_110(void **state)
{
    (void)state;
    compare("resnet_basic_110");
}

static void wrn_16_2(void **state)
{
    (void)state;
    compare("wrn_16_2");
}

static void wrn_28_10(void **state)
{
    (void)state;
    compare("wrn_28_10");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(resnet_basic_20),
        cmocka_unit_test(resnet_basic_110),
        cmocka_unit_test(wrn_16_2),
        cmocka_unit_test(wrn_28_10),
    };
    if (!sl_file_exists(CONFORMANCE "/wrn_28_10.json")) {
        fprintf(stderr, "skipped: no conformance data in %s\n", CONFORMANCE);
        return 77;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
