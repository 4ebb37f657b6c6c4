#include <pthread.h>
#include <softlabel/log.h>
#include <stdarg.h>
#include <stdio.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static sl_log_sink *current_sink;
static void *current_user;

void sl_log_set_sink(sl_log_sink *sink, void *user)
{
    pthread_mutex_lock(&lock);
    current_sink = sink;
    current_user = user;
    pthread_mutex_unlock(&lock);
}

void sl_log(sl_log_level level, const char *format, ...)
{
    char line[1024];
    va_list args;
    va_start(args, format);
    int n = vsnprintf(line, sizeof line, format, args);
    va_end(args);
    if (n < 0)
        return;
    pthread_mutex_lock(&lock);
    if (current_sink)
        current_sink(current_user, level, line);
    pthread_mutex_unlock(&lock);
}
