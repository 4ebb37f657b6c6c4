/* A data folder may bring its images in a compact form and a script that unpacks them. */
#ifndef DATA_UNPACK_H
#define DATA_UNPACK_H

#include <softlabel/error.h>

/* Runs "script dest": CIFAR's six binary files in folder dest, whole or not at all. Does nothing if
 * dest is there; processes that want the same dest wait for each other. */
SL_CHECK sl_status sl_unpack(const char *script, const char *dest, sl_error *err);

#endif
