/* What this processor's multiply-adds reach when nothing else limits them: the yardstick of
 * `softlabel bench`. */
#ifndef NN_CPU_PEAK_H
#define NN_CPU_PEAK_H

#include "nn/backend.h"

typedef struct {
    const char *instruction; /* "vfmadd, 512 bits"; NULL: this processor has none for the type */
    double flops;            /* operations a second of all threads; a multiply-add counts as two */
} sl_cpu_peak;

/* The best of many short rounds within so many seconds, by threads that only multiply and add what
 * is in their registers, and of all instructions that this processor has for the type. bf16 means
 * products of bfloat16 added to float32. */
sl_cpu_peak sl_cpu_peak_measure(sl_dtype dtype, int threads, double seconds);

#endif
