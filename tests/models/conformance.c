/* Names, order and shapes of the tensors against the reference's state dicts. The numbers they
 * compute are for `softlabel verify` (tests/eval). */
#include "base/json.h"
#include "base/support.h"
#include "models/model.h"
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *folder(void)
{
    const char *folder = getenv("SOFTLABEL_CONFORMANCE");
    return folder ? folder : CONFORMANCE;
}

static int compare(const char *path)
{
    json_t *file, *tensors, *shape;
    sl_error err;
    sl_model *model, *by_name;
    check_ok(sl_json_read(&file, path, 1 << 24, &err), &err);
    if (!json_object_get(file, "tensors")) {
        json_decref(file);
        return 0;
    }
    print_message("%s\n", path);
    char *arch = json_dumps(json_object_get(file, "arch"), JSON_COMPACT);
    check_ok(sl_model_create(&model, arch, 10, &err), &err);
    assert_string_equal(sl_model_arch_json(model), arch);
    free(arch);
    const char *name = json_string_value(json_object_get(file, "name"));
    check_ok(sl_model_create(&by_name, name, 10, &err), &err);
    assert_string_equal(sl_model_name(by_name), name);
    assert_string_equal(sl_model_arch_json(by_name), sl_model_arch_json(model));
    sl_model_destroy(by_name);
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
    return 1;
}

/* Every network's file in the folder; protocol.json is of another kind. */
static void every_file_s_names_and_shapes(void **state)
{
    (void)state;
    glob_t files;
    char pattern[600];
    int networks = 0;
    snprintf(pattern, sizeof pattern, "%s/*.json", folder());
    if (glob(pattern, 0, NULL, &files) == GLOB_NOMATCH) {
        print_message("no conformance data in '%s'\n", folder());
        skip();
    }
    for (size_t i = 0; i < files.gl_pathc; i++)
        networks += compare(files.gl_pathv[i]);
    globfree(&files);
    assert_true(networks > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(every_file_s_names_and_shapes) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
