#include "data/download.h"
#include "base/hash.h"
#include <curl/curl.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define CONNECT_TIMEOUT_S 30L
#define STALL_TIMEOUT_S 60L /* without a byte */
#define MAX_REDIRECTS 5L

typedef struct {
    const sl_download *what;
    const sl_fetch_options *options;
    sl_progress_fn *progress;
    void *user;

    char *part_path;
    int part;          /* the open part file */
    uint64_t received; /* bytes in it */
    bool any;          /* whether this call has received anything */

    CURL *curl;
    char curl_error[CURL_ERROR_SIZE];
    long status;          /* of the answer whose body is coming; 0 before its first byte */
    uint64_t range_start; /* as the answer's Content-Range has it */
    bool has_range;
    sl_status failure; /* what a callback found; then it has filled err */
    sl_error *err;
} transfer;

/* ---- the part file ---- */

static sl_status disk_error(const transfer *t, const char *what, sl_error *err)
{
    return sl_error_at(err, sl_error_set(err, SL_EIO, "%s failed: %s", what, strerror(errno)), "%s",
                       t->part_path);
}

static sl_status truncate_part(transfer *t, sl_error *err)
{
    t->received = 0;
    if (ftruncate(t->part, 0) || lseek(t->part, 0, SEEK_SET) < 0)
        return disk_error(t, "starting over", err);
    return SL_OK;
}

static sl_status open_part(transfer *t, sl_error *err)
{
    struct stat s;
    t->part = open(t->part_path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (t->part < 0)
        return disk_error(t, "opening", err);
    if (flock(t->part, LOCK_EX | LOCK_NB)) {
        close(t->part);
        t->part = -1; /* it's not ours to remove */
        return sl_error_at(err,
                           sl_error_set(err, SL_EIO, "another process is downloading this file"),
                           "%s", t->part_path);
    }
    if (fstat(t->part, &s) || lseek(t->part, 0, SEEK_END) < 0)
        return disk_error(t, "reading its size", err);
    t->received = (uint64_t)s.st_size;
    if (t->received > t->what->max_bytes)
        return truncate_part(t, err); /* it can't be the start of ours */
    return SL_OK;
}

static sl_status append(transfer *t, const char *bytes, size_t n, sl_error *err)
{
    while (n > 0) {
        const ssize_t written = write(t->part, bytes, n);
        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0)
            return disk_error(t, "writing", err);
        bytes += written;
        n -= (size_t)written;
        t->received += (uint64_t)written;
        t->any = true;
    }
    return SL_OK;
}

/* ---- libcurl's callbacks ---- */

static size_t on_header(char *line, size_t size, size_t n, void *user)
{
    transfer *t = user;
    static const char range[] = "content-range: bytes ";
    char text[128];
    const size_t length = size * n;
    const size_t kept = length < sizeof text ? length : sizeof text - 1;
    memcpy(text, line, kept);
    text[kept] = '\0';
    if (strncasecmp(text, "HTTP/", 5) == 0) { /* an answer begins: forget the one before it */
        t->status = 0;
        t->has_range = false;
    } else if (strncasecmp(text, range, sizeof range - 1) == 0) {
        char *end;
        t->range_start = strtoull(text + sizeof range - 1, &end, 10);
        t->has_range = *end == '-';
    }
    return length;
}

/* Before an answer's first byte: where in the part file its body belongs. */
static sl_status place_body(transfer *t, sl_error *err)
{
    curl_easy_getinfo(t->curl, CURLINFO_RESPONSE_CODE, &t->status);
    if (t->status == 206 && t->has_range && t->range_start == t->received)
        return SL_OK;
    if (t->status == 206)
        return sl_error_set(err, SL_EIO, "the server sent another part of the file than asked for");
    return t->received > 0 ? truncate_part(t, err) : SL_OK; /* it knows no ranges: all again */
}

static size_t on_body(char *bytes, size_t size, size_t n, void *user)
{
    transfer *t = user;
    const size_t length = size * n;
    if (t->status == 0)
        t->failure = place_body(t, t->err);
    if (!t->failure && length > t->what->max_bytes - t->received)
        t->failure = sl_error_set(t->err, SL_EFORMAT,
                                  "the server sends more than %" PRIu64 " bytes: it's another file",
                                  t->what->max_bytes);
    if (!t->failure)
        t->failure = append(t, bytes, length, t->err);
    return t->failure ? 0 : length; /* 0 ends the transfer */
}

static bool wants_stop(transfer *t, uint64_t total)
{
    const char *slash = strrchr(t->what->path, '/');
    const sl_progress p = { .task = slash ? slash + 1 : t->what->path,
                            .unit = "bytes",
                            .detail = "",
                            .done = t->received,
                            .total = total };
    if (!t->progress || !t->progress(t->user, &p))
        return false;
    t->failure = sl_error_set(t->err, SL_EINTERRUPTED, "interrupted");
    return true;
}

static int on_progress(void *user, curl_off_t total, curl_off_t now, curl_off_t up_total,
                       curl_off_t up_now)
{
    transfer *t = user;
    (void)up_total, (void)up_now;
    uint64_t all = t->what->size;
    if (all == 0 && total > 0)
        all = t->received + (uint64_t)(total - now);
    return wants_stop(t, all);
}

/* ---- one transfer, and the next ---- */

static bool set_options(transfer *t)
{
    CURL *c = t->curl;
    char range[32];
    CURLcode e = CURLE_OK;
#define SET(option, value) (e = e ? e : curl_easy_setopt(c, option, value))
    curl_easy_reset(c);
    SET(CURLOPT_URL, t->what->url);
#if CURL_AT_LEAST_VERSION(7, 85, 0)
    SET(CURLOPT_PROTOCOLS_STR, "http,https");
    SET(CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
#else
    SET(CURLOPT_PROTOCOLS, (long)(CURLPROTO_HTTP | CURLPROTO_HTTPS));
    SET(CURLOPT_REDIR_PROTOCOLS, (long)(CURLPROTO_HTTP | CURLPROTO_HTTPS));
#endif
    SET(CURLOPT_FOLLOWLOCATION, 1L);
    SET(CURLOPT_MAXREDIRS, MAX_REDIRECTS);
    SET(CURLOPT_FAILONERROR, 1L);
    SET(CURLOPT_NOSIGNAL, 1L);
    SET(CURLOPT_CONNECTTIMEOUT, CONNECT_TIMEOUT_S);
    SET(CURLOPT_LOW_SPEED_LIMIT, 1L);
    SET(CURLOPT_LOW_SPEED_TIME, STALL_TIMEOUT_S);
    SET(CURLOPT_USERAGENT, "softlabel/" SL_VERSION);
    SET(CURLOPT_ERRORBUFFER, t->curl_error);
    SET(CURLOPT_HEADERFUNCTION, on_header);
    SET(CURLOPT_HEADERDATA, t);
    SET(CURLOPT_WRITEFUNCTION, on_body);
    SET(CURLOPT_WRITEDATA, t);
    SET(CURLOPT_NOPROGRESS, 0L);
    SET(CURLOPT_XFERINFOFUNCTION, on_progress);
    SET(CURLOPT_XFERINFODATA, t);
    if (t->received > 0) {
        snprintf(range, sizeof range, "%" PRIu64 "-", t->received);
        SET(CURLOPT_RANGE, range); /* copied */
    }
#undef SET
    return e == CURLE_OK;
}

typedef enum { DONE, BROKEN, REFUSED_RANGE, FAILED } outcome;

/* One request. BROKEN is worth another try. err (not NULL) is filled if BROKEN or FAILED. */
static outcome perform(transfer *t, sl_error *err)
{
    t->curl_error[0] = '\0';
    t->status = 0;
    t->has_range = false;
    t->failure = SL_OK;
    t->err = err;
    if (!set_options(t)) {
        sl_error_set(err, SL_ENOMEM, "libcurl can't be set up");
        return FAILED;
    }
    const bool had_any = t->any, resumed = t->received > 0;
    const CURLcode code = curl_easy_perform(t->curl);
    long status = 0;
    curl_easy_getinfo(t->curl, CURLINFO_RESPONSE_CODE, &status);
    if (t->failure)
        return FAILED;
    if (code == CURLE_OK)
        return DONE;
    if (code == CURLE_HTTP_RETURNED_ERROR) {
        if (status == 416 && resumed)
            return REFUSED_RANGE;
        sl_error_set(err, status == 404 || status == 410 ? SL_ENOTFOUND : SL_EIO,
                     "the server answers with status %ld", status);
        return status >= 500 || status == 429 ? BROKEN : FAILED;
    }
    sl_error_set(err, SL_EIO, "%s", t->curl_error[0] ? t->curl_error : curl_easy_strerror(code));
    switch (code) {
    case CURLE_PARTIAL_FILE:
    case CURLE_RECV_ERROR:
    case CURLE_SEND_ERROR:
    case CURLE_GOT_NOTHING:
    case CURLE_OPERATION_TIMEDOUT:
    case CURLE_HTTP2:
    case CURLE_HTTP2_STREAM:
        return BROKEN;
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_CONNECT:
    case CURLE_SSL_CONNECT_ERROR:
        return had_any ? BROKEN : FAILED; /* a server that answered before may do so again */
    default:
        return FAILED;
    }
}

/* Waits, listening to the wish to stop. */
static bool wait_ms(transfer *t, long ms)
{
    for (long left = ms; left > 0; left -= 100) {
        const long now = left < 100 ? left : 100;
        const struct timespec pause = { 0, now * 1000000 };
        nanosleep(&pause, NULL);
        if (wants_stop(t, t->what->size))
            return false;
    }
    return true;
}

static sl_status receive(transfer *t, sl_error *err)
{
    long wait = t->options->retry_wait_ms;
    bool started_over = false;
    for (int left = t->options->retries;;) {
        if (t->what->size > 0 && t->received == t->what->size)
            return SL_OK; /* an earlier run was stopped just before the check */
        switch (perform(t, err)) {
        case DONE:
            return SL_OK;
        case REFUSED_RANGE: { /* what we have isn't the start of the server's file */
            if (started_over)
                return sl_error_set(err, SL_EIO, "the server answers with status 416");
            started_over = true;
            sl_status st = truncate_part(t, err);
            if (st)
                return st;
            break;
        }
        case BROKEN:
            if (left-- == 0)
                return err->code;
            sl_log(SL_LOG_INFO, "'%s' broke off at byte %" PRIu64 ", going on in %ld ms",
                   t->what->url, t->received, wait);
            if (!wait_ms(t, wait))
                return err->code;
            wait *= 2;
            break;
        case FAILED:
            return err->code;
        }
    }
}

static sl_status check_part(transfer *t, sl_error *err)
{
    char hex[65] = "";
    sl_status st = SL_OK;
    if (t->what->size > 0 && t->received != t->what->size)
        st = sl_error_set(err, SL_EFORMAT,
                          "size is %" PRIu64 " bytes, expected %" PRIu64 ": nothing was kept",
                          t->received, t->what->size);
    if (!st && t->what->sha256)
        st = sl_hash_file(t->part_path, SL_HASH_SHA256, hex, err);
    if (!st && t->what->sha256 && strcmp(hex, t->what->sha256) != 0)
        st = sl_error_set(err, SL_EFORMAT,
                          "sha256 is %s, expected %s: nothing was kept; try again or elsewhere "
                          "(--base-url)",
                          hex, t->what->sha256);
    if (!st && t->what->check)
        st = t->what->check(t->part_path, err);
    if (st == SL_EFORMAT)
        unlink(t->part_path);
    return st;
}

/* Gives the checked part file its name, for good. */
static sl_status keep_part(transfer *t, sl_error *err)
{
    if (fsync(t->part))
        return disk_error(t, "writing", err);
    if (rename(t->part_path, t->what->path))
        return disk_error(t, "renaming", err);
    return SL_OK;
}

sl_status sl_download_file(const sl_download *download, const sl_fetch_options *options,
                           sl_progress_fn *progress, void *user, sl_error *err)
{
    sl_error ours; /* what goes on inside needs one */
    if (!err)
        err = &ours;
    transfer t = {
        .what = download, .options = options, .progress = progress, .user = user, .part = -1
    };
    if (asprintf(&t.part_path, "%s.part", download->path) < 0)
        return sl_error_set(err, SL_ENOMEM, "no memory for a path");
    sl_status st = open_part(&t, err);
    if (st)
        goto done;
    t.curl = curl_easy_init();
    st = t.curl ? receive(&t, err) : sl_error_set(err, SL_ENOMEM, "libcurl can't start");
    if (!st)
        st = check_part(&t, err);
    if (st) {
        sl_error_at(err, st, "%s", download->url);
        goto done;
    }
    st = keep_part(&t, err);
done:
    if (t.curl)
        curl_easy_cleanup(t.curl);
    if (st && t.part >= 0 && t.received == 0)
        unlink(t.part_path); /* nothing to go on from */
    if (t.part >= 0)
        close(t.part);
    free(t.part_path);
    return st;
}
