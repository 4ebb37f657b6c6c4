#include "study/address.h"
#include "base/hash.h"
#include <arpa/inet.h>
#include <string.h>

bool sl_address_read(const char *text, int port, struct sockaddr_storage *out)
{
    struct sockaddr_in *v4 = (struct sockaddr_in *)out;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)out;
    memset(out, 0, sizeof *out);
    if (inet_pton(AF_INET, text, &v4->sin_addr) == 1) {
        v4->sin_family = AF_INET;
        v4->sin_port = htons((uint16_t)port);
        return true;
    }
    if (inet_pton(AF_INET6, text, &v6->sin6_addr) == 1) {
        v6->sin6_family = AF_INET6;
        v6->sin6_port = htons((uint16_t)port);
        return true;
    }
    return false;
}

bool sl_address_is_loopback(const struct sockaddr_storage *address)
{
    const struct sockaddr_in *v4 = (const struct sockaddr_in *)address;
    const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)address;
    return address->ss_family == AF_INET6 ? IN6_IS_ADDR_LOOPBACK(&v6->sin6_addr)
                                          : ntohl(v4->sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
}

uint64_t sl_address_hash(const struct sockaddr *address)
{
    if (address->sa_family == AF_INET6)
        return sl_fnv1a(SL_FNV1A_OFFSET, &((const struct sockaddr_in6 *)address)->sin6_addr, 8);
    return sl_fnv1a(SL_FNV1A_OFFSET, &((const struct sockaddr_in *)address)->sin_addr, 4);
}

uint64_t sl_address_hash_forwarded(const char *line)
{
    struct sockaddr_storage address;
    const char *comma = strrchr(line, ',');
    const char *last = comma ? comma + 1 : line;
    last += strspn(last, " ");
    return sl_address_read(last, 0, &address) ? sl_address_hash((const struct sockaddr *)&address)
                                              : sl_fnv1a(SL_FNV1A_OFFSET, last, strlen(last));
}
