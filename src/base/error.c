#include <softlabel/error.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Names and file contents quoted in a message may hold anything; the message stays one line. */
static void keep_printable(char *text)
{
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;
        if (c < 0x20 || c == 0x7f)
            *text = '?';
    }
}

sl_status sl_error_set(sl_error *err, sl_status code, const char *format, ...)
{
    if (!err)
        return code;
    char message[sizeof err->message]; /* the arguments may point into err */
    va_list args;
    va_start(args, format);
    if (vsnprintf(message, sizeof message, format, args) < 0)
        message[0] = '\0';
    va_end(args);
    keep_printable(message);
    memcpy(err->message, message, sizeof message);
    err->code = code;
    err->place[0] = '\0';
    return code;
}

sl_status sl_error_at(sl_error *err, sl_status code, const char *format, ...)
{
    if (!err)
        return code;
    char place[sizeof err->place];
    va_list args;
    va_start(args, format);
    int n = vsnprintf(place, sizeof place, format, args);
    va_end(args);
    if (n < 0)
        return code;
    size_t used = strlen(place);
    size_t inner = strlen(err->place);
    if (inner > 0) {
        const char *parts[] = { ": ", err->place };
        for (size_t i = 0; i < 2; i++) {
            size_t want = strlen(parts[i]);
            size_t room = sizeof place - 1 - used;
            size_t take = want < room ? want : room;
            memcpy(place + used, parts[i], take);
            used += take;
        }
        place[used] = '\0';
    }
    keep_printable(place);
    memcpy(err->place, place, used + 1);
    return code;
}

const char *sl_error_text(const sl_error *err, char *buffer, unsigned long size)
{
    const char *separator = err->place[0] ? ": " : "";
    if (snprintf(buffer, size, "%s%s%s", err->place, separator, err->message) < 0)
        buffer[0] = '\0';
    return buffer;
}
