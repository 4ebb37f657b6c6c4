#include "nn/safetensors.h"

#include "base/file.h"
#include "base/support.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* A file as another program writes it: this header, then n bytes of data. malloc'ed to the byte, so
 * that asan sees a read behind its end. */
static unsigned char *make_file(const char *header, const void *data, size_t n, size_t *size)
{
    const uint64_t length = strlen(header);
    *size = 8 + length + n;
    unsigned char *bytes = malloc(*size);
    assert_non_null(bytes);
    memcpy(bytes, &length, 8);
    memcpy(bytes + 8, header, length);
    if (n)
        memcpy(bytes + 8 + length, data, n);
    return bytes;
}

static sl_status parse_copy(const unsigned char *bytes, size_t n, sl_error *err)
{
    sl_safetensors *file;
    unsigned char *copy = malloc(n ? n : 1);
    assert_non_null(copy);
    memcpy(copy, bytes, n);
    sl_status st = sl_safetensors_parse(&file, copy, n, err);
    assert_true((st == SL_OK) == (file != NULL));
    sl_safetensors_close(file);
    free(copy);
    return st;
}

static const float weight[2 * 3] = { 1, -2, 0.1f, 3e38f, 1e-40f, -0.0f };
static const float bias[3] = { 0.5f, INFINITY, 7 };
static const float step = 12;

/* Three tensors and two texts, written to path. */
static void write_sample(const char *path)
{
    sl_error err;
    const sl_tensor_view views[] = {
        { .name = "conv.weight", .n_dims = 2, .dims = { 2, 3 }, .data = weight },
        sl_tensor_view_vector("conv.bias", bias, 3),
        { .name = "step", .n_dims = 0, .data = &step },
        sl_tensor_view_vector("nothing", NULL, 0),
    };
    json_t *metadata = json_pack("{s:s, s:s}", "name", "caf\xc3\xa9 \"x\"", "softlabel.note", "1");
    check_ok(sl_safetensors_write(path, views, 4, metadata, &err), &err);
    json_decref(metadata);
}

static unsigned char *read_sample(const char *folder, size_t *size)
{
    sl_error err;
    unsigned char *bytes;
    const char *path = scratch_path(folder, "sample.safetensors");
    write_sample(path);
    check_ok(sl_file_read(path, 10000, &bytes, size, &err), &err);
    return bytes;
}

static void what_is_written_is_read_back(void **state)
{
    sl_error err;
    sl_safetensors *file;
    const char *path = scratch_path(*state, "a.safetensors");
    float got[6];
    write_sample(path);
    check_ok(sl_safetensors_read(&file, path, &err), &err);
    assert_int_equal(sl_safetensors_count(file), 4);
    assert_string_equal(sl_safetensors_at(file, 0)->name, "conv.weight");
    assert_string_equal(sl_safetensors_find(file, "step")->dtype, "F32");
    assert_int_equal(sl_safetensors_find(file, "step")->count, 1);
    assert_null(sl_safetensors_find(file, "__metadata__"));
    check_ok(sl_safetensors_get(file, "conv.weight", 2, (size_t[]){ 2, 3 }, got, &err), &err);
    assert_memory_equal(got, weight, sizeof weight); /* -0 and subnormals, too */
    check_ok(sl_safetensors_get_vector(file, "conv.bias", 3, got, &err), &err);
    assert_memory_equal(got, bias, sizeof bias);
    check_ok(sl_safetensors_get(file, "step", 0, NULL, got, &err), &err);
    assert_true(got[0] == step);
    assert_string_equal(sl_safetensors_metadata(file, "name"), "caf\xc3\xa9 \"x\"");
    assert_null(sl_safetensors_metadata(file, "other"));

    check_fails(sl_safetensors_get_vector(file, "gone", 1, got, &err), SL_EMISMATCH,
                "tensor 'gone' is missing", &err);
    check_fails(sl_safetensors_get_vector(file, "conv.bias", 2, got, &err), SL_EMISMATCH,
                "has the shape [3], expected [2]", &err);
    check_fails(sl_safetensors_get_vector(file, "conv.weight", 6, got, &err), SL_EMISMATCH,
                "has the shape [2, 3], expected [6]", &err);
    sl_safetensors_close(file);
}

/* By the format's own description, so that others can read it. */
static void the_layout_is_the_formats(void **state)
{
    size_t size;
    uint64_t length;
    unsigned char *bytes = read_sample(*state, &size);
    memcpy(&length, bytes, 8);
    assert_int_equal(length % 8, 0);
    assert_int_equal(bytes[8], '{');
    json_t *header = json_loadb((const char *)bytes + 8, length, 0, NULL);
    assert_non_null(header);
    const char *dtype;
    json_int_t rows, columns, begin, end;
    assert_int_equal(json_unpack(header, "{s:{s:s, s:[I,I], s:[I,I]}}", "conv.weight", "dtype",
                                 &dtype, "shape", &rows, &columns, "data_offsets", &begin, &end),
                     0);
    assert_string_equal(dtype, "F32");
    assert_true(rows == 2 && columns == 3 && begin == 0 && end == 24);
    assert_memory_equal(bytes + 8 + length, weight, sizeof weight);
    assert_memory_equal(bytes + 8 + length + 24, bias, sizeof bias);
    assert_int_equal(size, 8 + length + 24 + 12 + 4);
    json_decref(header);
    free(bytes);
}

static void a_cut_or_longer_file_is_refused(void **state)
{
    sl_error err;
    size_t size;
    unsigned char *bytes = read_sample(*state, &size);
    for (size_t n = 0; n < size; n++)
        check_fails(parse_copy(bytes, n, &err), SL_EFORMAT, NULL, &err);
    check_ok(parse_copy(bytes, size, &err), &err);
    unsigned char *longer = calloc(1, size + 1);
    memcpy(longer, bytes, size);
    check_fails(parse_copy(longer, size + 1, &err), SL_EFORMAT, "damaged", &err);
    free(longer);
    free(bytes);
}

static void any_flipped_bit_is_refused(void **state)
{
    sl_error err;
    size_t size;
    unsigned char *bytes = read_sample(*state, &size);
    for (size_t i = 0; i < 8 * size; i++) {
        bytes[i / 8] ^= (unsigned char)(1 << i % 8);
        sl_status st = parse_copy(bytes, size, &err);
        if (st != SL_EFORMAT)
            print_error("bit %zu of byte %zu\n", i % 8, i / 8);
        check_fails(st, SL_EFORMAT, NULL, &err);
        bytes[i / 8] ^= (unsigned char)(1 << i % 8);
    }
    free(bytes);
}

static void damage_is_named_with_the_file(void **state)
{
    sl_error err;
    size_t size;
    sl_safetensors *file;
    unsigned char *bytes = read_sample(*state, &size);
    const char *path = scratch_path(*state, "bad.safetensors");
    bytes[size - 1] ^= 1;
    scratch_write(path, bytes, size);
    check_fails(sl_safetensors_read(&file, path, &err), SL_EFORMAT,
                "bad.safetensors: the file is damaged", &err);
    scratch_write(path, "", 0);
    check_fails(sl_safetensors_read(&file, path, &err), SL_EFORMAT, "too few", &err);
    check_fails(sl_safetensors_read(&file, "/none/x", &err), SL_ENOTFOUND, "/none/x", &err);
    free(bytes);
}

static void impossible_headers_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *why, *header, *holds;
    } cases[] = {
        /* 8 bytes of data */
        { "empty object, but data", "{}", "8 bytes of data where the tensors take 0" },
        { "no JSON", "{\"a\"", "valid JSON" },
        { "not an object", "[]", "no safetensors file" },
        { "text behind it", "{} x", "valid JSON" },
        { "two of a name",
          "{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]},"
          "\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}",
          "duplicate" },
        { "overlap",
          "{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]},"
          "\"b\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,8]}}",
          "overlap" },
        { "hole", "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,8]}}", "hole" },
        { "unused end", "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}",
          "take 4" },
        { "behind the end", "{\"a\":{\"dtype\":\"F32\",\"shape\":[3],\"data_offsets\":[0,12]}}",
          "truncated" },
        { "backwards", "{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[8,0]}}",
          "tensor 'a': its data_offsets" },
        { "negative", "{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[-8,0]}}",
          "sizes" },
        { "shape too small", "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,8]}}",
          "hold 8 bytes" },
        { "shape overflows",
          "{\"a\":{\"dtype\":\"F32\",\"shape\":[4611686018427387904,4],\"data_offsets\":[0,8]}}",
          "impossibly large" },
        { "bytes overflow",
          "{\"a\":{\"dtype\":\"F32\",\"shape\":[4611686018427387906],\"data_offsets\":[0,8]}}",
          "hold 8 bytes" },
        { "shape of text", "{\"a\":{\"dtype\":\"F32\",\"shape\":[\"2\"],\"data_offsets\":[0,8]}}",
          "sizes" },
        { "nine dimensions",
          "{\"a\":{\"dtype\":\"F32\",\"shape\":[2,1,1,1,1,1,1,1,1],\"data_offsets\":[0,8]}}",
          "at most 8" },
        { "three offsets", "{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,4,8]}}",
          "at most 2" },
        { "one offset", "{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0]}}",
          "data_offsets" },
        { "unknown dtype", "{\"a\":{\"dtype\":\"F33\",\"shape\":[2],\"data_offsets\":[0,8]}}",
          "unknown dtype 'F33'" },
        { "no shape", "{\"a\":{\"dtype\":\"F32\",\"data_offsets\":[0,8]}}", "'shape' is missing" },
        { "no tensor", "{\"a\":8}", "tensor 'a'" },
        { "metadata of numbers",
          "{\"__metadata__\":{\"n\":1},"
          "\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}",
          "'n'" },
        { "metadata of another kind",
          "{\"__metadata__\":[],"
          "\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}",
          "isn't an object" },
        { "our format without its digest",
          "{\"__metadata__\":{\"softlabel.format\":\"1\"},"
          "\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}",
          "damaged" },
        { "a digest that isn't one",
          "{\"__metadata__\":{\"softlabel.sha256\":\"0\"},"
          "\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}",
          "damaged" },
    };
    const float data[2] = { 1, 2 };
    sl_error err;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        size_t size;
        unsigned char *bytes = make_file(cases[i].header, data, sizeof data, &size);
        sl_status st = parse_copy(bytes, size, &err);
        if (st != SL_EFORMAT)
            print_error("%s\n", cases[i].why);
        check_fails(st, SL_EFORMAT, cases[i].holds, &err);
        free(bytes);
    }
}

static void a_huge_header_length_is_refused(void **state)
{
    (void)state;
    static const uint64_t lengths[] = {
        UINT64_MAX, UINT64_MAX - 7, (uint64_t)1 << 63, (uint64_t)1 << 32, 13, 11
    };
    unsigned char bytes[20] = { 0 };
    sl_error err;
    memcpy(bytes + 8, "{}          ", 12);
    check_ok((memcpy(bytes, &(uint64_t){ 12 }, 8), parse_copy(bytes, 20, &err)), &err);
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        memcpy(bytes, &lengths[i], 8);
        check_fails(parse_copy(bytes, 20, &err), SL_EFORMAT, NULL, &err);
    }
}

/* One tensor "a" of n numbers of dtype, as float32. */
static void check_conversion(const char *dtype, const void *data, size_t bytes, size_t n,
                             const float *want)
{
    char header[200];
    size_t size;
    float got[8];
    sl_error err;
    sl_safetensors *file;
    snprintf(header, sizeof header,
             "{\"a\":{\"dtype\":\"%s\",\"shape\":[%zu],\"data_offsets\":[0,%zu]}}", dtype, n,
             bytes);
    unsigned char *file_bytes = make_file(header, data, bytes, &size);
    check_ok(sl_safetensors_parse(&file, file_bytes, size, &err), &err);
    check_ok(sl_safetensors_get_vector(file, "a", n, got, &err), &err);
    assert_memory_equal(got, want, n * sizeof *want);
    sl_safetensors_close(file);
    free(file_bytes);
}

static void other_floats_are_converted(void **state)
{
    (void)state;
    /* 1, -2, largest, smallest normal, smallest subnormal, -0, infinity */
    const uint16_t half[] = { 0x3c00, 0xc000, 0x7bff, 0x0400, 0x0001, 0x8000, 0x7c00 };
    const float half_want[] = { 1, -2, 65504, 0x1p-14f, 0x1p-24f, -0.0f, INFINITY };
    check_conversion("F16", half, sizeof half, 7, half_want);
    const uint16_t brain[] = { 0x3f80, 0xc000, 0x7f80, 0x4049 };
    const float brain_want[] = { 1, -2, INFINITY, 3.140625f };
    check_conversion("BF16", brain, sizeof brain, 4, brain_want);
    const double wide[] = { 0.1, -1e300 };
    const float wide_want[] = { 0.1f, -INFINITY };
    check_conversion("F64", wide, sizeof wide, 2, wide_want);

    /* numbers that aren't floats may be there, but can't be weights */
    const int64_t count = 7;
    size_t size;
    float got;
    sl_error err;
    sl_safetensors *file;
    unsigned char *bytes = make_file(
        "{\"n\":{\"dtype\":\"I64\",\"shape\":[],\"data_offsets\":[0,8]}}", &count, 8, &size);
    check_ok(sl_safetensors_parse(&file, bytes, size, &err), &err);
    check_fails(sl_safetensors_get(file, "n", 0, NULL, &got, &err), SL_EFORMAT, "I64", &err);
    sl_safetensors_close(file);
    free(bytes);
}

static void what_cannot_be_stored_leaves_no_file(void **state)
{
    sl_error err;
    const char *path = scratch_path(*state, "none/x.safetensors");
    const sl_tensor_view twice[] = { sl_tensor_view_vector("a", bias, 3),
                                     sl_tensor_view_vector("a", bias, 3) };
    const sl_tensor_view reserved = sl_tensor_view_vector("__metadata__", bias, 3);
    const sl_tensor_view no_text = sl_tensor_view_vector("\xff", bias, 3);
    check_fails(sl_safetensors_write(path, twice, 1, NULL, &err), SL_ENOTFOUND, "x.safetensors",
                &err);
    path = scratch_path(*state, "refused.safetensors");
    check_fails(sl_safetensors_write(path, twice, 2, NULL, &err), SL_EINVAL, "'a'", &err);
    check_fails(sl_safetensors_write(path, &reserved, 1, NULL, &err), SL_EINVAL, "__metadata__",
                &err);
    check_fails(sl_safetensors_write(path, &no_text, 1, NULL, &err), SL_EINVAL, "named in JSON",
                &err);
    assert_false(sl_file_exists(path));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_is_read_back),
        cmocka_unit_test(the_layout_is_the_formats),
        cmocka_unit_test(a_cut_or_longer_file_is_refused),
        cmocka_unit_test(any_flipped_bit_is_refused),
        cmocka_unit_test(damage_is_named_with_the_file),
        cmocka_unit_test(impossible_headers_are_refused),
        cmocka_unit_test(a_huge_header_length_is_refused),
        cmocka_unit_test(other_floats_are_converted),
        cmocka_unit_test(what_cannot_be_stored_leaves_no_file),
    };
    return cmocka_run_group_tests(tests, scratch_setup, scratch_teardown);
}
