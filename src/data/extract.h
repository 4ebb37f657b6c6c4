/* CIFAR-10's published archive to the folder it holds. */
#ifndef DATA_EXTRACT_H
#define DATA_EXTRACT_H

#include <softlabel/error.h>

/* Extracts the six record files and the class names of archive (tar.gz) into dir, which appears
 * whole or not at all, with a SHA256SUMS. Other entries are passed over. SL_EFORMAT if one of the
 * seven is missing, there twice, or of a wrong size. */
SL_CHECK sl_status sl_cifar_extract(const char *archive, const char *dir, sl_error *err);

#endif
