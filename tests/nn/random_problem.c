#include "nn/random_problem.h"

#include "base/random.h"
#include "nn/random_graph.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

void must(sl_status st, const sl_error *err)
{
    char text[700];
    if (st)
        fail_msg("%s", sl_error_text(err, text, sizeof text));
}

float *floats(size_t n)
{
    return test_calloc(n, sizeof(float));
}

random_problem random_problem_create(uint64_t seed, int blocks, size_t batch, uint32_t draw)
{
    random_problem p = { .batch = batch };
    sl_error err;
    must(random_graph_create(&p.graph, seed, blocks, &err), &err);
    must(random_params_create(&p.params, p.graph, seed, &err), &err);
    sl_shape s = sl_graph_shape(p.graph, 0);
    size_t classes = (size_t)sl_graph_classes(p.graph);
    p.input = batch * (size_t)s.c * (size_t)s.h * (size_t)s.w;
    p.logits = batch * classes;
    p.values = sl_graph_value_floats(p.graph);
    p.buffers = sl_graph_buffer_floats(p.graph);
    p.images = floats(p.input);
    p.targets = floats(p.logits);
    sl_random r = sl_random_stream(seed, SL_RANDOM_TEST, 2, draw);
    for (size_t i = 0; i < p.input; i++)
        p.images[i] = (float)(2 * sl_random_unit(&r) - 1);
    for (size_t n = 0; n < batch; n++) {
        double share = sl_random_unit(&r);
        p.targets[n * classes + n % classes] = (float)share;
        p.targets[n * classes + (n + 1) % classes] = (float)(1 - share);
    }
    return p;
}

void random_problem_release(random_problem *p)
{
    sl_params_destroy(p->params);
    sl_graph_destroy(p->graph);
    test_free(p->images);
    test_free(p->targets);
}
