/* Finding a data folder, and what of it is there. */
#include "base/file.h"
#include "base/hash.h"
#include "base/json.h"
#include "data/folder.h"
#include "data/synth.h"
#include "data/unpack.h"
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define SHARED_FOLDER "../shared/data"
#define MANIFEST_MAX_BYTES 65536
#define JPEG_NOTE "pixels from a JPEG copy (quality 75) of CIFAR-10"

/* The test set's first record as the JPEG copy has it, by which the copy is known anywhere. */
static const char jpeg_first_record[] =
    "805a0346700b3f11e132ae99ab7e4c4aad9451c16ad22d1c7a87491609e30284";

static bool folder_exists(const char *path)
{
    struct stat s;
    return stat(path, &s) == 0 && S_ISDIR(s.st_mode);
}

/* ---- looking at one folder ---- */

/* Notes where file lies in dir or its subfolder, unless it was found before. */
static sl_status find_file(sl_data *data, const char *dir, sl_file_id file, sl_error *err)
{
    const sl_known_file *known = &sl_known_files[file];
    const char *path = NULL;
    sl_status st = sl_arena_printf(&data->memory, &path, err, "%s/%s", dir, known->name);
    if (!st && !sl_file_exists(path))
        st = sl_arena_printf(&data->memory, &path, err, "%s/%s/%s", dir, known->subfolder,
                             known->name);
    if (!st && !data->path[file] && sl_file_exists(path))
        data->path[file] = path;
    return st;
}

static sl_status find_files(sl_data *data, const char *dir, sl_error *err)
{
    sl_status st = SL_OK;
    for (int file = 0; !st && file < SL_FILE_COUNT; file++)
        st = find_file(data, dir, (sl_file_id)file, err);
    return st;
}

/* A folder that has only a compact form of the images: unpacks it, and looks there too. */
static sl_status find_packed(sl_data *data, const char *unpack_dir, sl_error *err)
{
    if (data->path[SL_FILE_TEST] || !unpack_dir)
        return SL_OK;
    const char *script = NULL;
    sl_status st = sl_arena_printf(&data->memory, &script, err, "%s/unpack", data->folder);
    if (st || !sl_file_exists(script))
        return st;
    st = sl_unpack(script, unpack_dir, err);
    return st ? st : find_files(data, unpack_dir, err);
}

/* Says when the pixels are the JPEG copy's. What can't be read is for sl_data_read to report. */
static sl_status note_jpeg(sl_data *data, sl_error *err)
{
    unsigned char record[SL_CIFAR_RECORD];
    char hex[65];
    FILE *file = data->path[SL_FILE_TEST] ? fopen(data->path[SL_FILE_TEST], "rb") : NULL;
    if (!file)
        return SL_OK;
    const bool whole = fread(record, sizeof record, 1, file) == 1;
    fclose(file);
    sl_status st = whole ? sl_sha256(record, sizeof record, hex, err) : SL_OK;
    if (!st && whole && strcmp(hex, jpeg_first_record) == 0)
        data->note = JPEG_NOTE;
    return st;
}

static sl_status describe_cifar10(sl_data *data, sl_error *err)
{
    data->kind = "cifar10";
    data->class_names = sl_cifar10_class_names;
    for (int f = 0; f < SL_RECORD_FILES; f++)
        data->records[f] = 10000;
    return note_jpeg(data, err);
}

static sl_status describe_synth(sl_data *data, const char *manifest, sl_error *err)
{
    json_t *json = NULL;
    const char *format;
    int64_t train, test;
    sl_status st = sl_json_read(&json, manifest, MANIFEST_MAX_BYTES, err);
    if (st)
        return st;
    st = sl_json_get_string(json, "format", &format, err);
    if (!st && strcmp(format, SL_SYNTH_FORMAT) != 0)
        st = sl_error_set(err, SL_EUNSUPPORTED, "format is '%s', expected '%s'", format,
                          SL_SYNTH_FORMAT);
    if (!st)
        st = sl_json_get_int(json, "train", 1, UINT32_MAX, &train, err);
    if (!st)
        st = sl_json_get_int(json, "test", 1, UINT32_MAX, &test, err);
    json_decref(json);
    if (st)
        return sl_error_at(err, st, "%s", manifest);
    data->kind = "synth";
    data->class_names = sl_synth_class_names;
    for (int f = 0; f < SL_TRAIN_FILES; f++)
        data->records[f] = sl_synth_records((size_t)train, f);
    data->records[SL_FILE_TEST] = (size_t)test;
    return SL_OK;
}

static bool has_anything(const sl_data *data)
{
    for (int file = 0; file < SL_FILE_COUNT; file++)
        if (data->path[file])
            return true;
    return false;
}

/* *out = NULL, without an error, when dir has nothing of what we know. */
static sl_status open_folder(sl_data **out, const char *dir, const char *unpack_dir, sl_error *err)
{
    *out = NULL;
    sl_data *data = NULL;
    const char *manifest = NULL;
    sl_status st = sl_alloc(&data, 1, sizeof *data, err);
    if (st)
        return st;
    data->note = "";
    st = sl_arena_strdup(&data->memory, &data->folder, dir, err);
    if (!st)
        st = find_files(data, dir, err);
    if (!st)
        st = sl_arena_printf(&data->memory, &manifest, err, "%s/%s", dir, SL_SYNTH_MANIFEST);
    if (st)
        goto done;
    if (sl_file_exists(manifest)) {
        st = describe_synth(data, manifest, err);
    } else {
        st = find_packed(data, unpack_dir, err);
        if (!st)
            st = describe_cifar10(data, err);
    }
    if (st || !has_anything(data))
        goto done;
    *out = data;
    data = NULL;
done:
    sl_data_close(data);
    return st;
}

/* ---- looking for a folder ---- */

/* A folder that somebody named must have something. */
static sl_status open_named(sl_data **out, const char *dir, const char *unpack_dir, sl_error *err)
{
    *out = NULL;
    if (!folder_exists(dir))
        return sl_error_set(err, SL_ENOTFOUND, "there is no data folder '%s'", dir);
    sl_status st = open_folder(out, dir, unpack_dir, err);
    if (!st && !*out)
        st = sl_error_set(err, SL_ENOTFOUND,
                          "the folder '%s' has no file of a data set: expected 'test_batch.bin' "
                          "or '" SL_CIFAR_SUBFOLDER "', as 'softlabel data fetch' makes it",
                          dir);
    return st;
}

sl_status sl_data_open(sl_data **out, const char *dir, const char *unpack_dir, sl_error *err)
{
    *out = NULL;
    if (dir)
        return open_named(out, dir, unpack_dir, err);
    const char *env = getenv("SOFTLABEL_DATA");
    if (env && *env) {
        sl_status st = open_named(out, env, unpack_dir, err);
        return st ? sl_error_at(err, st, "$SOFTLABEL_DATA") : SL_OK;
    }
    static const char *const usual[] = { "data", SHARED_FOLDER };
    for (size_t i = 0; i < sizeof usual / sizeof *usual; i++) {
        if (!folder_exists(usual[i]))
            continue;
        sl_status st = open_folder(out, usual[i], unpack_dir, err);
        if (st || *out)
            return st;
    }
    return sl_error_set(err, SL_ENOTFOUND,
                        "no data in $SOFTLABEL_DATA (not set), './data' or '" SHARED_FOLDER
                        "': get CIFAR with 'softlabel data fetch', make a set with "
                        "'softlabel data synth', or name a folder with --data");
}

void sl_data_close(sl_data *data)
{
    if (!data)
        return;
    sl_arena_release(&data->memory);
    free(data);
}

/* ---- what was found ---- */

const char *sl_data_kind(const sl_data *data)
{
    return data->kind;
}

const char *sl_data_folder(const sl_data *data)
{
    return data->folder;
}

const char *sl_data_note(const sl_data *data)
{
    return data->note;
}

int sl_data_has(const sl_data *data, sl_set_id id)
{
    sl_file_id first;
    int n;
    sl_set_files(id, &first, &n);
    for (int i = 0; i < n; i++)
        if (!data->path[(int)first + i])
            return 0;
    return 1;
}

int sl_data_has_human(const sl_data *data)
{
    return data->path[SL_FILE_COUNTS] || data->path[SL_FILE_PROBS];
}

const char *sl_data_counts_path(const sl_data *data)
{
    return data->path[SL_FILE_COUNTS];
}
