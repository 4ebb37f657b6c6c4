/* TensorBoard's event files: TFRecords, each an Event protobuf with scalar values.
 *
 * A record is, little-endian: length (u64), masked CRC-32C of those 8 bytes (u32), the bytes,
 * masked CRC-32C of the bytes (u32). Source: tensorflow/core/lib/io/record_writer.h and
 * tensorflow/core/util/event.proto, tensorflow/core/framework/summary.proto. */
#ifndef TRAIN_TFEVENTS_H
#define TRAIN_TFEVENTS_H

#include <softlabel/error.h>
#include <stdint.h>
#include <stdio.h>

typedef struct {
    const char *tag; /* "c10h_val_loss" */
    double value;    /* stored as float32 */
} sl_tf_scalar;

/* CRC-32C (Castagnoli) of n bytes; crc is 0 or that of the bytes before. */
uint32_t sl_crc32c(uint32_t crc, const void *bytes, size_t n);

/* Appends to file the record that every event file starts with. wall_time: seconds since 1970. */
SL_CHECK sl_status sl_tfevents_start(FILE *file, double wall_time, sl_error *err);
/* Appends n scalars of one step as one record. Tags are at most 200 bytes long. */
SL_CHECK sl_status sl_tfevents_add(FILE *file, double wall_time, int64_t step,
                                   const sl_tf_scalar *scalars, int n, sl_error *err);

#endif
