/* What the reader and the writer of safetensors agree on beyond the format itself. */
#ifndef NN_SAFETENSORS_FORMAT_H
#define NN_SAFETENSORS_FORMAT_H

#include <stddef.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
               "tensors are stored as they lie in memory");

#define LENGTH_BYTES 8 /* of the header's length */
#define MAX_HEADER_BYTES ((size_t)16 << 20)
#define METADATA "__metadata__"

/* Our checksum: the SHA-256 of the whole file in which the digest's own digits are zeros. Its key
 * is guarded by a second one, so that a damaged key isn't taken for a file without a checksum. */
#define FORMAT_KEY "softlabel.format"
#define SHA256_KEY "softlabel.sha256"
/* Inside JSON texts quotes are escaped, so that this is unique in a header. */
#define SHA256_MARK "\"" SHA256_KEY "\":\""
#define DIGEST_CHARS 64
static const char no_digest[] = "0000000000000000000000000000000000000000000000000000000000000000";

#endif
