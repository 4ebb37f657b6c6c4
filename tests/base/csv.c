#include "base/csv.h"
#include "support.h"
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zip.h>
#include <zlib.h>

/* Reads all rows of the file as "a|b;c|d;", a failure's status in *st. */
static char *rows_of(const char *path, sl_status *st, sl_error *err)
{
    char *text = NULL;
    size_t size, n;
    const sl_text *fields;
    sl_csv *csv;
    FILE *out = open_memstream(&text, &size);
    assert_non_null(out);
    *st = sl_csv_open(&csv, path, err);
    while (!*st && !(*st = sl_csv_next(csv, &fields, &n, err)) && n > 0)
        for (size_t i = 0; i < n; i++)
            fprintf(out, "%.*s%s", (int)fields[i].length, fields[i].text, i + 1 < n ? "|" : ";");
    sl_csv_close(csv);
    fclose(out);
    return text;
}

static void rows_are_split_as_rfc_4180_says(void **state)
{
    static const struct {
        const char *why, *text, *expected;
    } cases[] = {
        { "plain", "a,b\nc,d\n", "a|b;c|d;" },
        { "no last line end", "a,b\nc,d", "a|b;c|d;" },
        { "CRLF", "a,b\r\nc,d\r\n", "a|b;c|d;" },
        { "CRLF, the last cut", "a,b\r\nc,d\r", "a|b;c|d;" },
        { "byte-order mark",
          "\xef\xbb\xbf"
          "a,b\n",
          "a|b;" },
        { "byte-order mark only", "\xef\xbb\xbf", "" },
        { "nothing", "", "" },
        { "empty lines", "\n\r\na\n\n\nb\n\n", "a;b;" },
        { "empty fields", ",\n,,x\n", "|;||x;" },
        { "rows of different length", "a\nb,c,d\n", "a;b|c|d;" },
        { "spaces count", " a , b \n", " a | b ;" },
        { "quotes", "\"a\",\"b c\"\n", "a|b c;" },
        { "comma in quotes", "\"a,b\",c\n", "a,b|c;" },
        { "line ends in quotes", "\"a\nb\r\nc\",d\ne\n", "a\nb\r\nc|d;e;" },
        { "doubled quotes", "\"say \"\"hi\"\"\",\"\"\"\"\n", "say \"hi\"|\";" },
        { "empty quotes", "\"\",\"\"\n\"\"\n", "|;;" },
        { "quotes at the end of the file", "a,\"b\"", "a|b;" },
        { "quotes, CRLF", "\"a\"\r\n\"b\"\r\n", "a;b;" },
        { "quoted, then plain", "\"a\"\"\"\nb\n\"c\",\n", "a\";b;c|;" },
        { "UTF-8", "\xc3\xa9,\xe2\x82\xac\n", "\xc3\xa9|\xe2\x82\xac;" },
    };
    const char *path = scratch_path(*state, "t.csv");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        sl_error err;
        sl_status st;
        scratch_write(path, cases[i].text, strlen(cases[i].text));
        print_message("%s\n", cases[i].why);
        char *got = rows_of(path, &st, &err);
        check_ok(st, &err);
        assert_string_equal(got, cases[i].expected);
        free(got);
    }
}

static void bad_rows_are_named_with_their_line(void **state)
{
    static const struct {
        const char *text, *holds;
        size_t length;
    } cases[] = {
        { "a\nb\"c\n", "t.csv: line 2: a quote isn't closed", 6 },
        { "a\n\nb\"c\"\n", "t.csv: line 3: a quote within an unquoted field", 8 },
        { "\"a\nb\"\n\"c\" ,d\n", "t.csv: line 3: a closing quote isn't followed by a comma", 14 },
        { "x,y\n\"a,b\n", "t.csv: line 2: a quote isn't closed", 9 },
        { "\"", "t.csv: line 1: a quote isn't closed", 1 },
        { "a\nb\0c\n", "t.csv: line 2: a NUL byte", 6 },
        { "\"b\0c\"\n", "t.csv: line 1: a NUL byte", 6 },
        { "\xff\xfe"
          "a\0,\0",
          "t.csv: line 1: a NUL byte", 6 },
    };
    const char *path = scratch_path(*state, "t.csv");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        sl_error err;
        sl_status st;
        scratch_write(path, cases[i].text, cases[i].length);
        free(rows_of(path, &st, &err));
        check_fails(st, SL_EFORMAT, cases[i].holds, &err);
    }
}

static void rows_up_to_the_limit_and_no_longer(void **state)
{
    sl_error err;
    sl_status st;
    size_t n = 10 * SL_CSV_MAX_ROW;
    char *big = malloc(n);
    const char *path = scratch_path(*state, "t.csv");
    memset(big, 'x', n);
    memcpy(big, "a\nb\n", 4);
    scratch_write(path, big, n);
    free(rows_of(path, &st, &err));
    check_fails(st, SL_EFORMAT, "t.csv: line 3: a row of more than 1048576 bytes", &err);

    big[4 + SL_CSV_MAX_ROW - 1] = '\n';
    scratch_write(path, big, 4 + SL_CSV_MAX_ROW);
    char *got = rows_of(path, &st, &err);
    check_ok(st, &err);
    assert_int_equal(strlen(got), 4 + SL_CSV_MAX_ROW);
    free(got);

    memset(big, ',', SL_CSV_MAX_ROW); /* as many fields as fit */
    scratch_write(path, big, SL_CSV_MAX_ROW - 1);
    got = rows_of(path, &st, &err);
    check_ok(st, &err);
    assert_int_equal(strlen(got), SL_CSV_MAX_ROW);
    free(got);

    big[0] = '"'; /* never closed, over many lines */
    memset(big + 1, '\n', n - 1);
    scratch_write(path, big, n);
    free(rows_of(path, &st, &err));
    check_fails(st, SL_EFORMAT, "line 1: a row of more than 1048576 bytes; is a quote", &err);
    free(big);
}

enum { ROWS = 100000 };

/* About 4 MB of rows of all kinds, so that rows lie across the ends of buffers. */
static char *make_many(size_t *size)
{
    char *text;
    FILE *out = open_memstream(&text, size);
    for (int i = 0; i < ROWS; i++)
        fprintf(out, i % 7 ? "%d,row %d,%.*s\r\n" : "%d,\"row\n%d\",\"%.*s\"\r\n", i, i, i % 50,
                "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz");
    fclose(out);
    return text;
}

static void check_many(sl_csv *csv)
{
    sl_error err;
    const sl_text *fields;
    size_t n;
    for (int i = 0; i < ROWS; i++) {
        int64_t number;
        check_ok(sl_csv_next(csv, &fields, &n, &err), &err);
        assert_int_equal(n, 3);
        if (!sl_parse_i64(fields[0].text, fields[0].length, &number) || number != i ||
            fields[2].length != (size_t)(i % 50))
            fail_msg("row %d is '%.*s'", i, (int)fields[0].length, fields[0].text);
        char expected[32];
        snprintf(expected, sizeof expected, i % 7 ? "row %d" : "row\n%d", i);
        assert_true(sl_text_is(fields[1], expected));
    }
    sl_error_set(&err, SL_EMISMATCH, "found by the caller");
    check_fails(sl_csv_error_at(csv, &err, SL_EMISMATCH), SL_EMISMATCH,
                ": line 114286: found by the caller", &err);
    check_ok(sl_csv_next(csv, &fields, &n, &err), &err);
    assert_int_equal(n, 0);
    assert_null(fields);
    check_ok(sl_csv_next(csv, &fields, &n, &err), &err); /* the end stays the end */
    assert_int_equal(n, 0);
}

/* The reading end of a pipe that another process fills with the text. */
static FILE *pipe_of(const char *text, size_t size, pid_t *writer)
{
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    *writer = fork();
    if (*writer == 0) {
        FILE *out = fdopen(ends[1], "w");
        close(ends[0]);
        fwrite(text, 1, size, out);
        fclose(out);
        _exit(0);
    }
    close(ends[1]);
    return fdopen(ends[0], "r");
}

static void plain_gzip_zip_and_streams_give_the_same_rows(void **state)
{
    sl_error err;
    sl_csv *csv;
    size_t size;
    char *text = make_many(&size);
    const char *plain = scratch_path(*state, "many.csv"), *zipped = scratch_path(*state, "m.zip");
    scratch_write(plain, text, size);
    check_ok(sl_csv_open(&csv, plain, &err), &err);
    check_many(csv);
    sl_csv_close(csv);

    pid_t writer;
    FILE *stream = pipe_of(text, size, &writer);
    check_ok(sl_csv_open_stream(&csv, stream, "stdin", &err), &err);
    check_many(csv);
    sl_csv_close(csv);
    fclose(stream);
    assert_int_equal(waitpid(writer, NULL, 0), writer);

    const char *packed = scratch_path(*state, "called.csv"); /* by content, not by name */
    gzFile gz = gzopen(packed, "wb");
    assert_int_equal(gzwrite(gz, text, (unsigned)size), size);
    assert_int_equal(gzclose(gz), Z_OK);
    check_ok(sl_csv_open(&csv, packed, &err), &err);
    check_many(csv);
    sl_csv_close(csv);

    zip_t *zip = zip_open(zipped, ZIP_CREATE | ZIP_TRUNCATE, NULL);
    zip_dir_add(zip, "folder", 0);
    zip_file_add(zip, "__MACOSX/._many.csv", zip_source_buffer(zip, "x", 1, 0), 0);
    zip_file_add(zip, "folder/many.csv", zip_source_buffer(zip, text, size, 0), 0);
    assert_int_equal(zip_close(zip), 0);
    check_ok(sl_csv_open(&csv, zipped, &err), &err);
    check_many(csv);
    sl_csv_close(csv);

    zip = zip_open(zipped, 0, NULL);
    zip_file_add(zip, "other.csv", zip_source_buffer(zip, "x", 1, 0), 0);
    assert_int_equal(zip_close(zip), 0);
    check_fails(sl_csv_open(&csv, zipped, &err), SL_EFORMAT, "m.zip: a zip archive of 2 files",
                &err);
    assert_null(csv);
    free(text);
}

static void damaged_packed_files_are_refused(void **state)
{
    sl_error err;
    sl_status st;
    unsigned char bytes[1000];
    const char *path = scratch_path(*state, "t.csv.gz");
    gzFile gz = gzopen(path, "wb");
    gzprintf(gz, "a,b\nc,d\ne,f\n");
    gzclose(gz);
    FILE *file = fopen(path, "rb");
    size_t n = fread(bytes, 1, sizeof bytes, file);
    fclose(file);
    for (size_t k = 2; k < n; k++) { /* from the magic on, every truncation */
        scratch_write(path, bytes, k);
        free(rows_of(path, &st, &err));
        check_fails(st, SL_EFORMAT, "t.csv.gz: line 1: the gzip data is cut off", &err);
    }
    bytes[n - 6] ^= 1; /* in the checksum */
    scratch_write(path, bytes, n);
    free(rows_of(path, &st, &err));
    check_fails(st, SL_EFORMAT, "the gzip data is damaged", &err);
    free(rows_of(*state, &st, &err));
    check_fails(st, SL_EIO, "can't be read (Is a directory)", &err);
    free(rows_of("/none.csv", &st, &err));
    check_fails(st, SL_ENOTFOUND, "/none.csv: can't be opened", &err);
}

static void columns_are_found_by_name(void **state)
{
    (void)state;
    sl_error err;
    size_t column;
    const sl_text header[] = { { "id", 2 }, { "label", 5 }, { "id", 2 } };
    check_ok(sl_csv_column(header, 3, "label", &column, &err), &err);
    assert_int_equal(column, 1);
    check_fails(sl_csv_column(header, 3, "id", &column, &err), SL_EFORMAT, "'id' is there twice",
                &err);
    check_fails(sl_csv_column(header, 3, "lab", &column, &err), SL_EFORMAT, "'lab' is missing",
                &err);
}

/* The same rows plain, which are split in one pass, and with all fields quoted, which aren't. */
static void plain_and_quoted_rows_are_read_alike(void **state)
{
    sl_error err;
    sl_status st;
    char *texts[2], *got[2];
    size_t sizes[2];
    for (int quoted = 0; quoted < 2; quoted++) {
        const char *path = scratch_path(*state, quoted ? "quoted.csv" : "plain.csv");
        const char *mark = quoted ? "\"" : "";
        FILE *out = open_memstream(&texts[quoted], &sizes[quoted]);
        assert_non_null(out);
        for (int row = 0; row < 20000; row++) {
            const int n = 1 + row % 40;
            for (int i = 0; i < n; i++)
                fprintf(out, "%s%s%.*s%s", i ? "," : "", mark, 1 + i * row % 23,
                        "abcdefghijklmnopqrstuvwxyz", mark);
            fputs(row % 3 ? "\n" : "\r\n", out);
        }
        fclose(out);
        scratch_write(path, texts[quoted], sizes[quoted]);
        got[quoted] = rows_of(path, &st, &err);
        check_ok(st, &err);
        free(texts[quoted]);
    }
    assert_true(strlen(got[0]) > 100000);
    assert_int_equal(strlen(got[0]) - strlen(got[1]), 0);
    assert_true(strcmp(got[0], got[1]) == 0);
    free(got[0]);
    free(got[1]);
}

/* The hash is of the text: packing changes nothing. */
static void text_is_hashed_as_it_is_read(void **state)
{
    static const char text[] = "\xef\xbb\xbf"
                               "a,b\r\n\"c\",d\n\ne,f";
    char expected[65], got[65];
    sl_error err;
    const char *path = scratch_path(*state, "t.csv");
    check_ok(sl_sha256(text, sizeof text - 1, expected, &err), &err);
    for (int packed = 0; packed < 2; packed++) {
        sl_hash *hash;
        sl_csv *csv;
        const sl_text *fields;
        size_t n;
        gzFile gz = gzopen(path, packed ? "wb" : "wbT");
        assert_int_equal(gzwrite(gz, text, sizeof text - 1), sizeof text - 1);
        gzclose(gz);
        check_ok(sl_hash_create(&hash, SL_HASH_SHA256, &err), &err);
        check_ok(sl_csv_open(&csv, path, &err), &err);
        sl_csv_set_hash(csv, hash);
        do
            check_ok(sl_csv_next(csv, &fields, &n, &err), &err);
        while (n > 0);
        sl_csv_close(csv);
        check_ok(sl_hash_finish(hash, got, &err), &err);
        sl_hash_destroy(hash);
        assert_string_equal(got, expected);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_are_split_as_rfc_4180_says),
        cmocka_unit_test(bad_rows_are_named_with_their_line),
        cmocka_unit_test(rows_up_to_the_limit_and_no_longer),
        cmocka_unit_test(plain_gzip_zip_and_streams_give_the_same_rows),
        cmocka_unit_test(damaged_packed_files_are_refused),
        cmocka_unit_test(columns_are_found_by_name),
        cmocka_unit_test(plain_and_quoted_rows_are_read_alike),
        cmocka_unit_test(text_is_hashed_as_it_is_read),
    };
    return cmocka_run_group_tests(tests, scratch_setup, scratch_teardown);
}
