#include "base/zip.h"
#include "base/file.h"

sl_status sl_zip_open(zip_t **out, const char *path, sl_error *err)
{
    int code = 0;
    *out = zip_open(path, ZIP_RDONLY, &code);
    if (*out)
        return SL_OK;
    zip_error_t why;
    zip_error_init_with_code(&why, code);
    sl_status st;
    if (zip_error_system_type(&why) == ZIP_ET_SYS) {
        st = sl_io_error(err, path, "opened", zip_error_code_system(&why));
    } else if (code == ZIP_ER_NOENT) {
        st = sl_error_set(err, SL_ENOTFOUND, "can't be opened (No such file or directory)");
        sl_error_at(err, st, "%s", path);
    } else {
        st = code == ZIP_ER_MEMORY ? SL_ENOMEM : SL_EFORMAT;
        sl_error_set(err, st, "not a whole zip archive (%s)", zip_error_strerror(&why));
        sl_error_at(err, st, "%s", path);
    }
    zip_error_fini(&why);
    return st;
}

sl_status sl_zip_open_entry(zip_file_t **out, zip_t *zip, zip_uint64_t index, zip_stat_t *info,
                            sl_error *err)
{
    const zip_uint64_t needed =
        ZIP_STAT_SIZE | ZIP_STAT_COMP_SIZE | ZIP_STAT_COMP_METHOD | ZIP_STAT_ENCRYPTION_METHOD;
    *out = NULL;
    if (zip_stat_index(zip, index, 0, info) != 0 || (info->valid & needed) != needed)
        return sl_error_set(err, SL_EFORMAT, "damaged zip entry");
    if (info->encryption_method != ZIP_EM_NONE)
        return sl_error_set(err, SL_EUNSUPPORTED, "encrypted zip entry");
    if (info->comp_method != ZIP_CM_STORE && info->comp_method != ZIP_CM_DEFLATE)
        return sl_error_set(err, SL_EUNSUPPORTED,
                            "zip compression method %d, expected stored or deflated",
                            info->comp_method);
    *out = zip_fopen_index(zip, index, 0);
    if (!*out)
        return sl_error_set(err, SL_EFORMAT, "damaged zip entry (%s)", zip_strerror(zip));
    return SL_OK;
}

sl_status sl_zip_read(zip_file_t *entry, void *out, size_t n, size_t *got, sl_error *err)
{
    *got = 0;
    while (*got < n) {
        zip_int64_t r = zip_fread(entry, (char *)out + *got, n - *got);
        if (r < 0)
            return sl_error_set(err, SL_EFORMAT, "damaged zip entry (%s)",
                                zip_file_strerror(entry));
        if (r == 0)
            break;
        *got += (size_t)r;
    }
    return SL_OK;
}
