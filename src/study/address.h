/* Network addresses: where the server listens, and whose a request is. */
#ifndef STUDY_ADDRESS_H
#define STUDY_ADDRESS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

/* Reads a numeric IPv4 or IPv6 address; false: text is none. */
bool sl_address_read(const char *text, int port, struct sockaddr_storage *out);
bool sl_address_is_loopback(const struct sockaddr_storage *address);

/* One number for whoever has the address: in IPv6 for its /64, which is one household's. */
uint64_t sl_address_hash(const struct sockaddr *address);
/* Likewise of the visitor that a proxy saw: the last in a line of X-Forwarded-For. Whatever stands
 * before it, the visitor may have sent. */
uint64_t sl_address_hash_forwarded(const char *line);

#endif
