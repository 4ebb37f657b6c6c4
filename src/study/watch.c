#include "study/watch.h"
#include <sys/socket.h>

void sl_watch_init(sl_watch *watch)
{
    pthread_mutex_init(&watch->lock, NULL);
    watch->first = NULL;
}

void sl_watch_release(sl_watch *watch)
{
    pthread_mutex_destroy(&watch->lock);
}

void sl_watch_add(sl_watch *watch, sl_watched *connection, int socket, uint64_t address, double now)
{
    pthread_mutex_lock(&watch->lock);
    *connection =
        (sl_watched){ .socket = socket, .address = address, .since = now, .next = watch->first };
    connection->at = &watch->first;
    if (watch->first)
        watch->first->at = &connection->next;
    watch->first = connection;
    pthread_mutex_unlock(&watch->lock);
}

void sl_watch_remove(sl_watch *watch, sl_watched *connection)
{
    pthread_mutex_lock(&watch->lock);
    *connection->at = connection->next;
    if (connection->next)
        connection->next->at = connection->at;
    pthread_mutex_unlock(&watch->lock);
}

void sl_watch_busy(sl_watch *watch, sl_watched *connection, bool busy, double now)
{
    pthread_mutex_lock(&watch->lock);
    connection->busy = busy;
    connection->since = now;
    pthread_mutex_unlock(&watch->lock);
}

int sl_watch_count(sl_watch *watch, uint64_t address)
{
    int n = 0;
    pthread_mutex_lock(&watch->lock);
    for (const sl_watched *c = watch->first; c; c = c->next)
        n += c->address == address;
    pthread_mutex_unlock(&watch->lock);
    return n;
}

void sl_watch_end_slow(sl_watch *watch, double seconds, double now)
{
    pthread_mutex_lock(&watch->lock); /* a socket in the list isn't closed yet */
    for (sl_watched *c = watch->first; c; c = c->next)
        if (!c->busy && now - c->since > seconds)
            shutdown(c->socket, SHUT_RDWR);
    pthread_mutex_unlock(&watch->lock);
}
