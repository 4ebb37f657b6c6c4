/* Small random networks, made of the patterns that the planner treats in special ways. */
#ifndef NN_RANDOM_GRAPH_H
#define NN_RANDOM_GRAPH_H

#include "nn/graph.h"
#include "nn/params.h"

/* blocks random blocks between a first convolution and the classifier. */
SL_CHECK sl_status random_graph_create(sl_graph **out, uint64_t seed, int blocks, sl_error *err);

/* Every tensor at random, such that no two channels behave alike: no zeros, no ones. */
SL_CHECK sl_status random_params_create(sl_params **out, const sl_graph *graph, uint64_t seed,
                                        sl_error *err);

#endif
