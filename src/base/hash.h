/* Hashes: SHA-256 and MD5 through libcrypto, FNV-1a by hand (conformance/README: the filling rule).
 */
#ifndef BASE_HASH_H
#define BASE_HASH_H

#include <softlabel/error.h>
#include <stddef.h>
#include <stdint.h>

typedef enum { SL_HASH_SHA256, SL_HASH_MD5 } sl_hash_kind;
typedef struct sl_hash sl_hash; /* a running hash */

SL_CHECK sl_status sl_hash_create(sl_hash **out, sl_hash_kind kind, sl_error *err);
SL_CHECK sl_status sl_hash_update(sl_hash *hash, const void *bytes, size_t n, sl_error *err);
/* Ends the hash as lower-case hex: 64 digits (SHA-256) or 32 (MD5) and a NUL. */
SL_CHECK sl_status sl_hash_finish(sl_hash *hash, char hex[65], sl_error *err);
void sl_hash_destroy(sl_hash *hash);

SL_CHECK sl_status sl_sha256(const void *bytes, size_t n, char hex[65], sl_error *err);
SL_CHECK sl_status sl_hash_file(const char *path, sl_hash_kind kind, char hex[65], sl_error *err);

#define SL_FNV1A_OFFSET 0xcbf29ce484222325u
static inline uint64_t sl_fnv1a(uint64_t h, const void *bytes, size_t n)
{
    const unsigned char *p = bytes;
    for (size_t i = 0; i < n; i++)
        h = (h ^ p[i]) * 0x100000001b3u;
    return h;
}

#endif
