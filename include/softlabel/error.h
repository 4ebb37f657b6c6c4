/* How a function of this library fails: it returns a status and, if the caller wants to know why,
 * writes one line into the caller's sl_error. Any thread; an sl_error belongs to one thread. */
#ifndef SOFTLABEL_ERROR_H
#define SOFTLABEL_ERROR_H

#if defined(__GNUC__)
#define SL_API __attribute__((visibility("default")))
#define SL_CHECK __attribute__((warn_unused_result))
#define SL_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#else
#define SL_API
#define SL_CHECK
#define SL_PRINTF(fmt, args)
#endif

typedef enum {
    SL_OK = 0,
    SL_EINVAL,       /* an argument has an impossible value */
    SL_EFORMAT,      /* a file's or a peer's bytes are not what they claim to be */
    SL_ENOTFOUND,    /* a file, name or tensor isn't there */
    SL_EIO,          /* reading, writing or the network failed */
    SL_ENOMEM,       /* memory is short, or a size overflows */
    SL_EUNSUPPORTED, /* valid, but not in this build or on this machine */
    SL_EDEVICE,      /* the compute library or the device failed */
    SL_EINTERRUPTED, /* the caller asked to stop */
    SL_EMISMATCH,    /* two valid things don't belong together */
    SL_EDIVERGED,    /* a computation's numbers are no longer finite */
} sl_status;

/* code and message are written by the first failure; place is where it happened as far as callers
 * know it ("data_batch_1.bin", "line 12"), outermost first. */
typedef struct {
    sl_status code;
    char message[400];
    char place[200];
} sl_error;

/* Writes code and the formatted message, clears place, returns code. err may be NULL. Messages are
 * lower case without a full stop: what is wrong, what was expected, what to do. */
SL_API sl_status sl_error_set(sl_error *err, sl_status code, const char *format, ...)
    SL_PRINTF(3, 4);

/* Puts "place: " in front of what err already says of the place; leaves code and message. Returns
 * code, so that "return sl_error_at(err, st, path)" passes a failure on. err may be NULL. */
SL_API sl_status sl_error_at(sl_error *err, sl_status code, const char *format, ...)
    SL_PRINTF(3, 4);

/* The line a person reads: "place: message", in buffer (size >= 1), always ended. Returns buffer.
 */
SL_API const char *sl_error_text(const sl_error *err, char *buffer, unsigned long size);

#endif
