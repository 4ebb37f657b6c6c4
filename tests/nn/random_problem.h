/* A small random network, and a batch for it. */
#ifndef NN_RANDOM_PROBLEM_H
#define NN_RANDOM_PROBLEM_H

#include "nn/graph.h"
#include "nn/params.h"
#include <softlabel/error.h>

typedef struct {
    sl_graph *graph;
    sl_params *params;
    size_t batch;                          /* images */
    size_t input, logits, values, buffers; /* numbers in the arrays of a batch and of params */
    float *images, *targets;               /* two classes share each image */
} random_problem;

/* The network of seed, of that many blocks, with its draw-th batch. Fails the test on errors. */
random_problem random_problem_create(uint64_t seed, int blocks, size_t batch, uint32_t draw);
void random_problem_release(random_problem *p);

/* Fails the test with the message if st is an error. */
void must(sl_status st, const sl_error *err);
/* n zeros; test_free frees them. */
float *floats(size_t n);

#endif
