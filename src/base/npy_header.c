#include "base/npy_header.h"
#include "base/memory.h"
#include <stdio.h>
#include <string.h>

static const struct {
    const char *name;  /* what NumPy calls it */
    const char *descr; /* behind the byte order */
    size_t size;
} types[] = {
    [SL_NPY_U8] = { "uint8", "u1", 1 },    [SL_NPY_I8] = { "int8", "i1", 1 },
    [SL_NPY_U16] = { "uint16", "u2", 2 },  [SL_NPY_I16] = { "int16", "i2", 2 },
    [SL_NPY_U32] = { "uint32", "u4", 4 },  [SL_NPY_I32] = { "int32", "i4", 4 },
    [SL_NPY_U64] = { "uint64", "u8", 8 },  [SL_NPY_I64] = { "int64", "i8", 8 },
    [SL_NPY_F32] = { "float32", "f4", 4 }, [SL_NPY_F64] = { "float64", "f8", 8 },
    [SL_NPY_BOOL] = { "bool", "b1", 1 },
};
enum { N_TYPES = sizeof types / sizeof *types };

size_t sl_npy_item_size(sl_npy_type type)
{
    return types[type].size;
}

const char *sl_npy_type_name(sl_npy_type type)
{
    return types[type].name;
}

/* The header is a Python dictionary; these take one token each after any white space, and leave the
 * cursor where it was if it isn't there. */
typedef struct {
    const char *p, *end;
} cursor;

static void skip_space(cursor *c)
{
    while (c->p < c->end && (*c->p == ' ' || *c->p == '\t' || *c->p == '\n' || *c->p == '\r'))
        c->p++;
}

static bool take(cursor *c, const char *token)
{
    skip_space(c);
    size_t n = strlen(token);
    if ((size_t)(c->end - c->p) < n || memcmp(c->p, token, n) != 0)
        return false;
    c->p += n;
    return true;
}

/* A quoted string without escapes, of less than size bytes. */
static bool take_string(cursor *c, char *out, size_t size)
{
    skip_space(c);
    if (c->p == c->end || (*c->p != '\'' && *c->p != '"'))
        return false;
    const char *text = c->p + 1;
    const char *quote = memchr(text, *c->p, (size_t)(c->end - text));
    if (!quote || (size_t)(quote - text) >= size)
        return false;
    size_t n = (size_t)(quote - text);
    memcpy(out, text, n);
    out[n] = '\0';
    c->p = quote + 1;
    return true;
}

static bool take_size(cursor *c, size_t *out)
{
    skip_space(c);
    const char *start = c->p;
    size_t value = 0;
    for (; c->p < c->end && *c->p >= '0' && *c->p <= '9'; c->p++)
        if (!sl_size_mul(value, 10, &value) || !sl_size_add(value, (size_t)(*c->p - '0'), &value))
            return false;
    *out = value;
    return c->p > start;
}

static sl_status malformed(sl_error *err)
{
    return sl_error_set(err, SL_EFORMAT,
                        "not an npy file: its header isn't {'descr': ..., 'fortran_order': ..., "
                        "'shape': (...)}");
}

static sl_status parse_descr(sl_npy *out, cursor *c, sl_error *err)
{
    char descr[32];
    if (!take_string(c, descr, sizeof descr))
        return sl_error_set(err, SL_EUNSUPPORTED,
                            "the array's dtype isn't a plain number: records can't be read; save "
                            "each field as an array of its own");
    char order = descr[0];
    if (order == 'O' || (order != '\0' && descr[1] == 'O'))
        return sl_error_set(err, SL_EUNSUPPORTED,
                            "the array holds Python objects, which are never unpickled; save it "
                            "as numbers");
    if (order == '\0' || !strchr("<>|=", order))
        return sl_error_set(err, SL_EFORMAT, "dtype '%s' has no byte order", descr);
    int type = 0;
    while (type < N_TYPES && strcmp(types[type].descr, descr + 1) != 0)
        type++;
    if (type == N_TYPES)
        return sl_error_set(err, SL_EUNSUPPORTED,
                            "dtype '%s' can't be read; expected integers, float32, float64 or bool",
                            descr);
    out->type = (sl_npy_type)type;
    if (order == '>' && types[type].size > 1)
        return sl_error_set(err, SL_EUNSUPPORTED, "dtype '%s' is big-endian; save it as '<%s'",
                            descr, descr + 1);
    return SL_OK;
}

static sl_status parse_shape(sl_npy *out, cursor *c, sl_error *err)
{
    if (!take(c, "("))
        return malformed(err);
    bool comma = true;
    while (!take(c, ")")) {
        size_t dim;
        if (!comma || !take_size(c, &dim))
            return malformed(err);
        if (out->n_dims == SL_NPY_MAX_DIMS)
            return sl_error_set(err, SL_EUNSUPPORTED, "the array has more than %d dimensions",
                                SL_NPY_MAX_DIMS);
        out->shape[out->n_dims++] = dim;
        take(c, "L"); /* Python 2 wrote its long integers so */
        comma = take(c, ",");
    }
    return out->n_dims == 1 && !comma ? malformed(err) : SL_OK; /* (3) is no tuple */
}

static sl_status parse_dictionary(sl_npy *out, cursor *c, sl_error *err)
{
    enum { DESCR = 1, ORDER = 2, SHAPE = 4, ALL = 7 };
    int seen = 0;
    bool comma = true;
    if (!take(c, "{"))
        return malformed(err);
    while (!take(c, "}")) {
        char key[16];
        if (!comma || !take_string(c, key, sizeof key) || !take(c, ":"))
            return malformed(err);
        sl_status st = SL_OK;
        int this = 0;
        if (strcmp(key, "descr") == 0) {
            this = DESCR;
            st = parse_descr(out, c, err);
        } else if (strcmp(key, "fortran_order") == 0) {
            this = ORDER;
            if (take(c, "True"))
                return sl_error_set(err, SL_EUNSUPPORTED,
                                    "the array is in Fortran order; save "
                                    "np.ascontiguousarray(array) instead");
            if (!take(c, "False"))
                return malformed(err);
        } else if (strcmp(key, "shape") == 0) {
            this = SHAPE;
            out->n_dims = 0;
            st = parse_shape(out, c, err);
        }
        if (st)
            return st;
        if (this == 0 || (seen & this) != 0)
            return malformed(err);
        seen |= this;
        comma = take(c, ",");
    }
    skip_space(c);
    return seen == ALL && c->p == c->end ? SL_OK : malformed(err);
}

sl_status sl_npy_header_parse(sl_npy *out, size_t *data_offset, const unsigned char *bytes,
                              size_t n, sl_error *err)
{
    static const unsigned char magic[6] = { 0x93, 'N', 'U', 'M', 'P', 'Y' };
    if (n < 10 || memcmp(bytes, magic, sizeof magic) != 0)
        return sl_error_set(err, SL_EFORMAT, "not an npy file: it doesn't begin with \\x93NUMPY");
    if (bytes[6] < 1 || bytes[6] > 3 || bytes[7] != 0)
        return sl_error_set(err, SL_EUNSUPPORTED,
                            "npy format version %d.%d, expected 1.0, 2.0 or 3.0", bytes[6],
                            bytes[7]);
    size_t begin = bytes[6] == 1 ? 10 : 12;
    if (n < begin)
        return sl_error_set(err, SL_EFORMAT, "the npy header is cut off after %zu bytes", n);
    size_t length = bytes[8] | (size_t)bytes[9] << 8;
    if (bytes[6] > 1)
        length |= (size_t)bytes[10] << 16 | (size_t)bytes[11] << 24;
    if (length > n - begin)
        return sl_error_set(err, SL_EFORMAT,
                            "the npy header is cut off: it says %zu bytes and %zu are there",
                            length, n - begin);
    cursor c = { (const char *)bytes + begin, (const char *)bytes + begin + length };
    sl_status st = parse_dictionary(out, &c, err);
    if (st)
        return st;
    out->count = 1;
    bool fits = true;
    for (int i = 0; i < out->n_dims; i++)
        fits = fits && sl_size_mul(out->count, out->shape[i], &out->count);
    if (!fits) {
        char shape[SL_NPY_HEADER_MAX];
        sl_npy_shape_text(shape, out->n_dims, out->shape);
        return sl_error_set(err, SL_EFORMAT, "shape %s is more than any memory", shape);
    }
    *data_offset = begin + length;
    return SL_OK;
}

void sl_npy_shape_text(char out[SL_NPY_HEADER_MAX], int n_dims, const size_t *shape)
{
    int used = snprintf(out, SL_NPY_HEADER_MAX, "(");
    for (int i = 0; i < n_dims; i++) {
        const char *behind = n_dims == 1 ? "," : i + 1 < n_dims ? ", " : "";
        used += snprintf(out + used, (size_t)(SL_NPY_HEADER_MAX - used), "%zu%s", shape[i], behind);
    }
    snprintf(out + used, (size_t)(SL_NPY_HEADER_MAX - used), ")");
}

size_t sl_npy_header_format(char out[SL_NPY_HEADER_MAX], sl_npy_type type, int n_dims,
                            const size_t *shape)
{
    char tuple[SL_NPY_HEADER_MAX];
    sl_npy_shape_text(tuple, n_dims, shape);
    char order = sl_npy_item_size(type) == 1 ? '|' : '<';
    memset(out, ' ', SL_NPY_HEADER_MAX);
    memcpy(out, "\x93NUMPY\1\0", 8);
    int n = snprintf(out + 10, SL_NPY_HEADER_MAX - 10,
                     "{'descr': '%c%s', 'fortran_order': False, 'shape': %s, }", order,
                     types[type].descr, tuple);
    size_t used = 10 + (size_t)n;
    size_t total = (used + 1 + 63) / 64 * 64; /* the data behind it is aligned */
    out[used] = ' ';
    out[total - 1] = '\n';
    out[8] = (char)((total - 10) & 0xff);
    out[9] = (char)((total - 10) >> 8);
    return total;
}
