#include "study/secret.h"
#include "base/file.h"
#include "base/text.h"
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#define KEY_HEX (2 * sizeof((sl_secret *)0)->key)

static void to_hex(const unsigned char *bytes, size_t n, char *out)
{
    for (size_t i = 0; i < n; i++)
        snprintf(out + 2 * i, 3, "%02x", bytes[i]);
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool from_hex(const char *text, size_t n_bytes, unsigned char *out)
{
    for (size_t i = 0; i < n_bytes; i++) {
        int high = hex_digit(text[2 * i]), low = high < 0 ? -1 : hex_digit(text[2 * i + 1]);
        if (low < 0)
            return false;
        out[i] = (unsigned char)(high << 4 | low);
    }
    return true;
}

/* Written with O_EXCL, so that two processes can't each keep a key of their own. */
static sl_status make_key(const char *path, sl_error *err)
{
    sl_secret fresh;
    char hex[KEY_HEX + 2];
    if (getrandom(fresh.key, sizeof fresh.key, 0) != (ssize_t)sizeof fresh.key)
        return sl_io_error(err, path, "made", errno);
    to_hex(fresh.key, sizeof fresh.key, hex);
    hex[KEY_HEX] = '\n';
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0 && errno == EEXIST)
        return SL_OK;
    if (fd < 0)
        return sl_io_error(err, path, "written", errno);
    bool written = write(fd, hex, KEY_HEX + 1) == (ssize_t)(KEY_HEX + 1) && fsync(fd) == 0;
    int why = errno;
    close(fd);
    if (written)
        return SL_OK;
    unlink(path);
    return sl_io_error(err, path, "written", why);
}

sl_status sl_secret_open(sl_secret *secret, const char *path, sl_error *err)
{
    unsigned char *text = NULL;
    size_t n = 0;
    sl_status st = sl_file_exists(path) ? SL_OK : make_key(path, err);
    if (!st)
        st = sl_file_read(path, 1024, &text, &n, err);
    if (st)
        return st;
    bool fine = n == KEY_HEX + 1 && text[KEY_HEX] == '\n' &&
                from_hex((const char *)text, sizeof secret->key, secret->key);
    OPENSSL_cleanse(text, n);
    free(text);
    if (fine)
        return SL_OK;
    sl_error_set(err, SL_EFORMAT,
                 "isn't a study's key: expected %zu hexadecimal digits and a line end", KEY_HEX);
    return sl_error_at(err, SL_EFORMAT, "%s", path);
}

sl_status sl_secret_mac(const sl_secret *secret, const char *purpose, const void *data, size_t n,
                        unsigned char out[SL_MAC_BYTES], sl_error *err)
{
    unsigned char text[576];
    const size_t front = strlen(purpose) + 1; /* its NUL parts it from the data */
    if (front > 64 || n > 512)
        return sl_error_set(err, SL_EINVAL, "%zu bytes are too long to be hashed", n);
    memcpy(text, purpose, front);
    memcpy(text + front, data, n);
    unsigned length = 0;
    if (!HMAC(EVP_sha256(), secret->key, (int)sizeof secret->key, text, front + n, out, &length) ||
        length != SL_MAC_BYTES)
        return sl_error_set(err, SL_EDEVICE, "libcrypto can't compute an HMAC");
    return SL_OK;
}

/* The MAC of a participant's number for a purpose, in hex. */
static sl_status mac_number(const sl_secret *secret, const char *purpose, int64_t number,
                            unsigned char mac[SL_MAC_BYTES], sl_error *err)
{
    char text[24];
    int n = snprintf(text, sizeof text, "%" PRId64, number);
    return sl_secret_mac(secret, purpose, text, (size_t)n, mac, err);
}

sl_status sl_token_make(const sl_secret *secret, int64_t participant, char out[SL_TOKEN_SIZE],
                        sl_error *err)
{
    unsigned char mac[SL_MAC_BYTES];
    char hex[2 * SL_MAC_BYTES + 1];
    sl_status st = mac_number(secret, "token", participant, mac, err);
    if (st)
        return st;
    to_hex(mac, sizeof mac, hex);
    snprintf(out, SL_TOKEN_SIZE, "%" PRId64 ".%s", participant, hex);
    return SL_OK;
}

bool sl_token_read(const sl_secret *secret, const char *token, int64_t *participant)
{
    const char *dot = strchr(token, '.');
    int64_t number;
    char wanted[SL_TOKEN_SIZE];
    if (!dot || !sl_parse_i64(token, (size_t)(dot - token), &number) || number < 1)
        return false;
    if (sl_token_make(secret, number, wanted, NULL) || !sl_secret_equal(token, wanted))
        return false;
    *participant = number;
    return true;
}

sl_status sl_code_make(const sl_secret *secret, int64_t participant, char out[SL_CODE_SIZE],
                       sl_error *err)
{
    static const char letters[] = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"; /* none looks like another */
    unsigned char mac[SL_MAC_BYTES];
    sl_status st = mac_number(secret, "code", participant, mac, err);
    if (st)
        return st;
    for (size_t i = 0, j = 0; i < SL_CODE_SIZE - 1; i++)
        out[i] = i == 5 ? '-' : letters[mac[j++] & 31];
    out[SL_CODE_SIZE - 1] = '\0';
    return SL_OK;
}

sl_status sl_admin_password(const sl_secret *secret, char out[33], sl_error *err)
{
    unsigned char mac[SL_MAC_BYTES];
    sl_status st = mac_number(secret, "admin", 0, mac, err);
    if (!st)
        to_hex(mac, 16, out);
    return st;
}

bool sl_secret_equal(const char *given, const char *wanted)
{
    size_t n = strlen(wanted);
    return strlen(given) == n && CRYPTO_memcmp(given, wanted, n) == 0;
}
