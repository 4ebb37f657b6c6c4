#include "base/hash.h"
#include "base/file.h"
#include "base/memory.h"
#include <errno.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>

struct sl_hash {
    EVP_MD_CTX *context;
};

static sl_status library_failed(sl_error *err)
{
    return sl_error_set(err, SL_EUNSUPPORTED, "libcrypto can't compute this hash on this machine");
}

sl_status sl_hash_create(sl_hash **out, sl_hash_kind kind, sl_error *err)
{
    sl_status st = sl_alloc(out, 1, sizeof **out, err);
    if (st)
        return st;
    (*out)->context = EVP_MD_CTX_new();
    const EVP_MD *digest = kind == SL_HASH_SHA256 ? EVP_sha256() : EVP_md5();
    if (!(*out)->context || EVP_DigestInit_ex((*out)->context, digest, NULL) != 1) {
        sl_hash_destroy(*out);
        *out = NULL;
        return library_failed(err); /* a FIPS build has no MD5 */
    }
    return SL_OK;
}

sl_status sl_hash_update(sl_hash *hash, const void *bytes, size_t n, sl_error *err)
{
    return EVP_DigestUpdate(hash->context, bytes, n) == 1 ? SL_OK : library_failed(err);
}

sl_status sl_hash_finish(sl_hash *hash, char hex[65], sl_error *err)
{
    static const char digits[] = "0123456789abcdef";
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned n = 0;
    if (EVP_DigestFinal_ex(hash->context, digest, &n) != 1)
        return library_failed(err);
    for (unsigned i = 0; i < n; i++) {
        hex[2 * i] = digits[digest[i] >> 4];
        hex[2 * i + 1] = digits[digest[i] & 15];
    }
    hex[2 * n] = '\0';
    return SL_OK;
}

void sl_hash_destroy(sl_hash *hash)
{
    if (!hash)
        return;
    EVP_MD_CTX_free(hash->context);
    free(hash);
}

sl_status sl_sha256(const void *bytes, size_t n, char hex[65], sl_error *err)
{
    sl_hash *hash;
    sl_status st = sl_hash_create(&hash, SL_HASH_SHA256, err);
    if (st)
        return st;
    st = sl_hash_update(hash, bytes, n, err);
    if (!st)
        st = sl_hash_finish(hash, hex, err);
    sl_hash_destroy(hash);
    return st;
}

sl_status sl_hash_file(const char *path, sl_hash_kind kind, char hex[65], sl_error *err)
{
    unsigned char buffer[64 * 1024];
    sl_hash *hash = NULL;
    FILE *file = fopen(path, "rb");
    if (!file)
        return sl_io_error(err, path, "opened", errno);
    sl_status st = sl_hash_create(&hash, kind, err);
    while (!st) {
        size_t n = fread(buffer, 1, sizeof buffer, file);
        if (n == 0)
            break;
        st = sl_hash_update(hash, buffer, n, err);
    }
    if (!st && ferror(file))
        st = sl_io_error(err, path, "read", errno);
    if (!st)
        st = sl_hash_finish(hash, hex, err);
    sl_hash_destroy(hash);
    fclose(file);
    return st;
}
