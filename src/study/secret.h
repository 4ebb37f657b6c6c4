/* The study's secret, and what is made with it: session tokens, worker ids' hashes, completion
 * codes, the dashboard's password. All are HMAC-SHA256 with a purpose in front, so that one kind
 * can't be passed off as another. */
#ifndef STUDY_SECRET_H
#define STUDY_SECRET_H

#include <softlabel/error.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SL_MAC_BYTES 32
#define SL_TOKEN_SIZE 88 /* 19 digits, ".", 64 hex digits, NUL */
#define SL_CODE_SIZE 12  /* "XXXXX-XXXXX" */

typedef struct {
    unsigned char key[32];
} sl_secret;

/* Reads the key from path; makes one, readable by the owner only, if it isn't there. */
SL_CHECK sl_status sl_secret_open(sl_secret *secret, const char *path, sl_error *err);

/* purpose: a short literal. n at most 512. */
SL_CHECK sl_status sl_secret_mac(const sl_secret *secret, const char *purpose, const void *data,
                                 size_t n, unsigned char out[SL_MAC_BYTES], sl_error *err);

/* "<participant>.<mac>" */
SL_CHECK sl_status sl_token_make(const sl_secret *secret, int64_t participant,
                                 char out[SL_TOKEN_SIZE], sl_error *err);
/* False for anything that sl_token_make didn't make with this secret. */
SL_CHECK bool sl_token_read(const sl_secret *secret, const char *token, int64_t *participant);

/* A participant's completion code. */
SL_CHECK sl_status sl_code_make(const sl_secret *secret, int64_t participant,
                                char out[SL_CODE_SIZE], sl_error *err);

SL_CHECK sl_status sl_admin_password(const sl_secret *secret, char out[33], sl_error *err);

/* Whether two texts are equal, in a time that doesn't tell where they differ. */
SL_CHECK bool sl_secret_equal(const char *given, const char *wanted);

#endif
