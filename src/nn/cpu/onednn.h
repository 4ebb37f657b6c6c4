/* The little of oneDNN that the cpu backend uses, the same for its versions 2.6 and 3.x: only
 * onednn.c includes the library's header. */
#ifndef NN_CPU_ONEDNN_H
#define NN_CPU_ONEDNN_H

#include "nn/backend.h"

typedef struct sl_onednn sl_onednn; /* an engine and a stream */
SL_CHECK sl_status sl_onednn_create(sl_onednn **out, sl_error *err);
void sl_onednn_destroy(sl_onednn *onednn);

/* Of the library that is loaded: "2.6.3". */
void sl_onednn_version(char *out, size_t size);

/* Does it multiply bfloat16 on this processor? */
bool sl_onednn_has_bf16(void);

/* One convolution pass of a step (SL_OP_CONV, SL_OP_CONV_BWD_DATA or SL_OP_CONV_BWD_WEIGHTS) with
 * its weights in the form that the library likes best, rounded to the activations' type: packed
 * once, or in each run if they vary. A residual (SL_OP_CONV) is added to what y holds. */
typedef struct sl_onednn_conv sl_onednn_conv;
SL_CHECK sl_status sl_onednn_conv_create(sl_onednn_conv **out, sl_onednn *onednn, const sl_op *op,
                                         sl_error *err);
void sl_onednn_conv_destroy(sl_onednn_conv *conv);
size_t sl_onednn_conv_scratch_bytes(const sl_onednn_conv *conv);
/* The library's name for the code that it chose: "jit:avx512_core"; "ref:any" is plain loops. */
const char *sl_onednn_conv_implementation(const sl_onednn_conv *conv);

/* weight: float32 [K][C][R][R]. Packs weights that don't vary for the runs to come. */
SL_CHECK sl_status sl_onednn_conv_load(sl_onednn_conv *conv, const float *weight, sl_error *err);

/* forward: x, bias (or NULL) -> y. backward data: y is dy, x is written with dx. Both read weight
 * if weights vary. backward weights: x and y = dy are read, weight [K][C][R][R] and bias (or NULL)
 * are written. */
SL_CHECK sl_status sl_onednn_conv_run(sl_onednn_conv *conv, void *x, void *y, float *weight,
                                      float *bias, void *scratch, sl_error *err);

/* c = a^T b: a is k x m, b is k x n, both of dtype, c is m x n float32, all row-major. */
typedef struct sl_onednn_product sl_onednn_product;
SL_CHECK sl_status sl_onednn_product_create(sl_onednn_product **out, sl_onednn *onednn,
                                            sl_dtype dtype, size_t m, size_t n, size_t k,
                                            sl_error *err);
void sl_onednn_product_destroy(sl_onednn_product *product); /* NULL is fine */
SL_CHECK sl_status sl_onednn_product_run(sl_onednn_product *product, void *a, void *b, float *c,
                                         sl_error *err);

/* c = a b (+ c if add): row-major, m x k times k x n; a or b transposed in memory if so said. */
SL_CHECK sl_status sl_onednn_matmul(bool a_transposed, bool b_transposed, size_t m, size_t n,
                                    size_t k, const float *a, const float *b, bool add, float *c,
                                    sl_error *err);

#endif
