#include "train/tfevents.h"

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>

uint32_t sl_crc32c(uint32_t crc, const void *bytes, size_t n)
{
    const unsigned char *p = bytes;

    crc = ~crc;
    for (size_t i = 0; i < n; i++) {
        crc ^= p[i];
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78u : 0);
    }
    return ~crc;
}

static uint32_t masked(uint32_t crc)
{
    return (crc >> 15 | crc << 17) + 0xa282ead8u;
}

/* A protobuf message being built. What is written here is small and of known size: the capacity is
 * a ceiling, not a limit that input can reach. */
typedef struct {
    unsigned char bytes[8192];
    size_t n;
} message;

static void put_byte(message *m, unsigned byte)
{
    assert(m->n < sizeof m->bytes);
    m->bytes[m->n++] = (unsigned char)byte;
}

static void put_little_endian(message *m, uint64_t value, int n_bytes)
{
    for (int i = 0; i < n_bytes; i++)
        put_byte(m, (unsigned)(value >> (8 * i)) & 0xff);
}

static void put_varint(message *m, uint64_t value)
{
    for (; value >= 0x80; value >>= 7)
        put_byte(m, (unsigned)(value & 0x7f) | 0x80);
    put_byte(m, (unsigned)value);
}

/* Wire types: 0 varint, 1 eight bytes, 2 length and bytes, 5 four bytes. */
static void put_key(message *m, unsigned field, unsigned wire_type)
{
    put_varint(m, field << 3 | wire_type);
}

static void put_double(message *m, unsigned field, double value)
{
    uint64_t bits;

    memcpy(&bits, &value, sizeof bits);
    put_key(m, field, 1);
    put_little_endian(m, bits, 8);
}

static void put_float(message *m, unsigned field, float value)
{
    uint32_t bits;

    memcpy(&bits, &value, sizeof bits);
    put_key(m, field, 5);
    put_little_endian(m, bits, 4);
}

static void put_bytes(message *m, unsigned field, const void *bytes, size_t n)
{
    put_key(m, field, 2);
    put_varint(m, n);
    assert(n <= sizeof m->bytes - m->n);
    memcpy(m->bytes + m->n, bytes, n);
    m->n += n;
}

static sl_status write_record(FILE *file, const message *event, sl_error *err)
{
    message head = { .n = 0 }, tail = { .n = 0 };
    bool good;

    put_little_endian(&head, event->n, 8);
    put_little_endian(&head, masked(sl_crc32c(0, head.bytes, 8)), 4);
    put_little_endian(&tail, masked(sl_crc32c(0, event->bytes, event->n)), 4);
    good = fwrite(head.bytes, 1, head.n, file) == head.n &&
           fwrite(event->bytes, 1, event->n, file) == event->n &&
           fwrite(tail.bytes, 1, tail.n, file) == tail.n;
    if (!good)
        return sl_error_set(err, SL_EIO, "can't be written: %s", strerror(errno));
    return SL_OK;
}

/* event.proto: wall_time = 1, step = 2, file_version = 3, summary = 5. */
sl_status sl_tfevents_start(FILE *file, double wall_time, sl_error *err)
{
    static const char version[] = "brain.Event:2";
    message event = { .n = 0 };

    put_double(&event, 1, wall_time);
    put_bytes(&event, 3, version, sizeof version - 1);
    return write_record(file, &event, err);
}

/* summary.proto: Summary.value = 1 (repeated); Value.tag = 1, Value.simple_value = 2. */
sl_status sl_tfevents_add(FILE *file, double wall_time, int64_t step, const sl_tf_scalar *scalars,
                          int n, sl_error *err)
{
    message event = { .n = 0 }, summary = { .n = 0 };

    for (int i = 0; i < n; i++) {
        message value = { .n = 0 };

        put_bytes(&value, 1, scalars[i].tag, strlen(scalars[i].tag));
        put_float(&value, 2, (float)scalars[i].value);
        put_bytes(&summary, 1, value.bytes, value.n);
    }
    put_double(&event, 1, wall_time);
    put_key(&event, 2, 0);
    put_varint(&event, (uint64_t)step);
    put_bytes(&event, 5, summary.bytes, summary.n);
    return write_record(file, &event, err);
}
