/* HTTP: which request goes where, within which limits, under which headers. The network thread
 * hands requests that touch the database to the worker and lets their connections rest until it
 * has answered. */
#include "base/memory.h"
#include "base/text.h"
#include "study/address.h"
#include "study/limits.h"
#include "study/page.h"
#include "study/status_cache.h"
#include "study/study.h"
#include "study/watch.h"
#include "study/worker.h"
#include <errno.h>
#include <fcntl.h>
#include <microhttpd.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#define BODY_MAX_BYTES 16384
#define HEADER_MAX_BYTES 32768
#define CONNECTIONS 1000
#define IDLE_SECONDS 20 /* a connection without a byte */
#define MTURK "https://*.mturk.com"
#define LOGIN_RATE 0.2 /* wrong passwords a second and address */

typedef struct {
    sl_study *study;
    sl_study_serve_options options;
    struct MHD_Daemon *daemon;
    sl_worker *worker;
    sl_status_cache *status;
    sl_watch watch;
    sl_limits requests, logins;
    int connections;   /* that one address may hold; 0: any number */
    char *description; /* of /api/study */
    char csp[1200];
} server;

/* A request on its way. */
typedef struct {
    sl_job job; /* first */
    server *server;
    struct MHD_Connection *connection;
    sl_watched *watched;
    char token[SL_TOKEN_SIZE];
    char body[BODY_MAX_BYTES];
    bool for_worker, pushed, too_large;
} exchange;

static double clock_seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* ---- answers ---- */

static void add_headers(const server *s, struct MHD_Response *response, const char *type)
{
    const bool framed = s->study->config.recruitment == SL_RECRUIT_MTURK;
    const struct {
        const char *name, *value;
    } headers[] = {
        { "Content-Type", type },
        { "Content-Security-Policy", s->csp },
        { "X-Content-Type-Options", "nosniff" },
        { "Referrer-Policy", "no-referrer" }, /* the address holds a worker's ids */
        { "Cache-Control", "no-store" },
        { "Cross-Origin-Resource-Policy", "same-origin" },
        { "Permissions-Policy", "camera=(), microphone=(), geolocation=()" },
        { "X-Frame-Options", framed ? NULL : "DENY" },
    };
    for (size_t i = 0; i < sizeof headers / sizeof *headers; i++)
        if (headers[i].value)
            MHD_add_response_header(response, headers[i].name, headers[i].value);
}

/* bytes: malloc'ed and handed over, or, with keep, lasting. */
static enum MHD_Result reply(const server *s, struct MHD_Connection *connection, int status,
                             const void *bytes, size_t size, bool keep, const char *type)
{
    struct MHD_Response *response = MHD_create_response_from_buffer(
        size, (void *)(uintptr_t)bytes, keep ? MHD_RESPMEM_PERSISTENT : MHD_RESPMEM_MUST_FREE);
    if (!response) {
        if (!keep)
            free((void *)(uintptr_t)bytes);
        return MHD_NO;
    }
    add_headers(s, response, type);
    if (status == 429 || status == 503)
        MHD_add_response_header(response, "Retry-After", "1");
    if (status == 401 && strncmp(type, "text/plain", 10) == 0)
        MHD_add_response_header(response, "WWW-Authenticate",
                                "Basic realm=\"study\", charset=\"UTF-8\"");
    if (status == 405)
        MHD_add_response_header(response, "Allow", "GET, HEAD, POST");
    enum MHD_Result result = MHD_queue_response(connection, (unsigned)status, response);
    MHD_destroy_response(response);
    return result;
}

static enum MHD_Result say(const server *s, struct MHD_Connection *connection, int status,
                           const char *text)
{
    return reply(s, connection, status, text, strlen(text), true, "text/plain; charset=utf-8");
}

static enum MHD_Result refuse(const server *s, struct MHD_Connection *connection, int status,
                              const char *json)
{
    return reply(s, connection, status, json, strlen(json), true, "application/json");
}

/* ---- who asks ---- */

static enum MHD_Result last_forwarded(void *last, enum MHD_ValueKind kind, const char *name,
                                      const char *value)
{
    (void)kind;
    if (strcasecmp(name, "X-Forwarded-For") == 0)
        *(const char **)last = value;
    return MHD_YES;
}

/* Who is at the other end: a visitor, or the proxy. */
static uint64_t peer_of(struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    return info ? sl_address_hash(info->client_addr) : 0;
}

static uint64_t client_of(const server *s, struct MHD_Connection *connection)
{
    const char *last = NULL;
    if (s->options.behind_proxy)
        MHD_get_connection_values(connection, MHD_HEADER_KIND, last_forwarded, (void *)&last);
    return last ? sl_address_hash_forwarded(last) : peer_of(connection);
}

static sl_watched *watched_of(struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    return info ? info->socket_context : NULL;
}

/* Whether the request carries the dashboard's password. */
static bool is_admin(const server *s, struct MHD_Connection *connection)
{
    char *password = NULL, *user = MHD_basic_auth_get_username_password(connection, &password);
    bool admin = user && password && strcmp(user, "admin") == 0 &&
                 sl_secret_equal(password, s->study->password);
    MHD_free(user);
    MHD_free(password);
    return admin;
}

/* ---- requests that need no database ---- */

/* Whether the dashboard may be shown; if not, *refusal is the answer. */
static bool may_look(server *s, struct MHD_Connection *connection, enum MHD_Result *refusal)
{
    const uint64_t client = client_of(s, connection);
    const double now = clock_seconds();
    if (!sl_limits_left(&s->logins, client, now)) { /* whatever it is, or guessing would go on */
        *refusal = say(s, connection, 429, "too many wrong passwords; try again in a minute\n");
        return false;
    }
    if (is_admin(s, connection))
        return true;
    if (MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "Authorization"))
        (void)sl_limits_take(&s->logins, client, now);
    *refusal = say(s, connection, 401, "the dashboard needs the user admin and its password\n");
    return false;
}

static enum MHD_Result serve_status(server *s, struct MHD_Connection *connection)
{
    char *json = sl_status_cache_get(s->status);
    return json ? reply(s, connection, 200, json, strlen(json), false, "application/json")
                : refuse(s, connection, 503, "{\"error\":\"no status yet\",\"code\":\"storage\"}");
}

/* One of the images to be judged. */
static enum MHD_Result serve_image(server *s, struct MHD_Connection *connection, int number)
{
    unsigned char *bytes;
    size_t size;
    const char *type;
    if (sl_images_read(&s->study->images, SL_POOL_IMAGES, (size_t)number, &bytes, &size, &type,
                       NULL))
        return say(s, connection, 404, "there is no such image\n");
    return reply(s, connection, 200, bytes, size, false, type);
}

/* front and a number, with nothing around its digits. */
static bool number_behind(const char *url, const char *front, int *out)
{
    const size_t n = strlen(front);
    int64_t number;
    if (strncmp(url, front, n) != 0 || !sl_parse_i64(url + n, strlen(url + n), &number) ||
        number < 0 || number > INT32_MAX)
        return false;
    *out = (int)number;
    return true;
}

static enum MHD_Result serve_get(server *s, struct MHD_Connection *connection, const char *url)
{
    sl_page_file file;
    int number = 0;
    enum MHD_Result refusal;
    const bool page = sl_page_find(url, &file), status = strcmp(url, "/admin/status.json") == 0;
    const bool image = number_behind(url, "/admin/image/", &number);
    if ((status || image || (page && file.admin)) && !may_look(s, connection, &refusal))
        return refusal;
    if (page)
        return reply(s, connection, 200, file.bytes, file.size, true, file.type);
    if (status)
        return serve_status(s, connection);
    if (image)
        return serve_image(s, connection, number);
    if (strcmp(url, "/api/study") == 0)
        return reply(s, connection, 200, s->description, strlen(s->description), true,
                     "application/json");
    if (strcmp(url, "/healthz") == 0)
        return say(s, connection, 200, "ok\n");
    return say(s, connection, 404, "there is no such page\n");
}

/* ---- requests for the worker ---- */

/* Which call of the API a request is; false: none. */
static bool call_of(const char *method, const char *url, sl_request *request)
{
    const bool get = strcmp(method, "GET") == 0, post = strcmp(method, "POST") == 0;
    if (post && strcmp(url, "/api/join") == 0)
        request->call = SL_CALL_JOIN;
    else if (post && strcmp(url, "/api/trial") == 0)
        request->call = SL_CALL_TRIAL;
    else if (get && strcmp(url, "/api/state") == 0)
        request->call = SL_CALL_STATE;
    else if (get && number_behind(url, "/api/image/", &request->number))
        request->call = SL_CALL_IMAGE;
    else
        return false;
    return true;
}

static void read_token(exchange *e)
{
    static const char scheme[] = "Bearer ";
    const char *header =
        MHD_lookup_connection_value(e->connection, MHD_HEADER_KIND, "Authorization");
    if (header && strncmp(header, scheme, sizeof scheme - 1) == 0 &&
        strlen(header) - (sizeof scheme - 1) < sizeof e->token)
        snprintf(e->token, sizeof e->token, "%s", header + sizeof scheme - 1);
    e->job.request.token = e->token;
}

static void job_done(sl_job *job)
{
    MHD_resume_connection(((exchange *)job)->connection);
}

/* The request's headers are here. */
static enum MHD_Result begin_exchange(server *s, struct MHD_Connection *connection, const char *url,
                                      const char *method, void **context)
{
    exchange *e;
    if (sl_alloc(&e, 1, sizeof *e, NULL))
        return MHD_NO;
    *context = e;
    e->server = s;
    e->connection = connection;
    e->watched = watched_of(connection);
    if (strncmp(url, "/api/", 5) == 0 &&
        !sl_limits_take(&s->requests, client_of(s, connection), clock_seconds()))
        return refuse(s, connection, 429, "{\"error\":\"too many requests\",\"code\":\"rate\"}");
    e->for_worker = call_of(method, url, &e->job.request);
    const bool post = strcmp(method, "POST") == 0;
    if (!e->for_worker) {
        if (post)
            return say(s, connection, 404, "there is no such page\n");
        if (strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0)
            return say(s, connection, 405, "only GET and POST are understood\n");
        return MHD_YES;
    }
    const char *length = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "Content-Length");
    int64_t bytes = 0;
    if (length && (!sl_parse_i64(length, strlen(length), &bytes) || bytes > BODY_MAX_BYTES))
        return refuse(s, connection, 413, "{\"error\":\"too large\",\"code\":\"size\"}");
    read_token(e);
    return MHD_YES;
}

static enum MHD_Result take_body(exchange *e, const char *bytes, size_t *n)
{
    sl_request *r = &e->job.request;
    if (*n > BODY_MAX_BYTES - r->body_size)
        e->too_large = true; /* of unannounced length; read on, keep nothing */
    else if (!e->too_large) {
        memcpy(e->body + r->body_size, bytes, *n);
        r->body_size += *n;
    }
    *n = 0;
    return e->too_large ? MHD_NO : MHD_YES;
}

static enum MHD_Result end_exchange(server *s, exchange *e, const char *url)
{
    sl_request *r = &e->job.request;
    if (!e->for_worker)
        return serve_get(s, e->connection, url);
    if (!e->pushed) {
        e->pushed = true;
        r->body = e->body;
        if (e->watched)
            sl_watch_busy(&s->watch, e->watched, true, 0);
        MHD_suspend_connection(e->connection);
        sl_worker_push(s->worker, &e->job);
        return MHD_YES;
    }
    unsigned char *bytes = r->reply;
    r->reply = NULL;
    return reply(s, e->connection, r->status, bytes ? bytes : (unsigned char *)"", r->reply_size,
                 bytes == NULL, r->type ? r->type : "application/json");
}

static enum MHD_Result handle(void *user, struct MHD_Connection *connection, const char *url,
                              const char *method, const char *version, const char *upload,
                              size_t *upload_size, void **context)
{
    server *s = user;
    exchange *e = *context;
    (void)version;
    if (!e)
        return begin_exchange(s, connection, url, method, context);
    if (*upload_size > 0)
        return take_body(e, upload, upload_size);
    return end_exchange(s, e, url);
}

static void completed(void *user, struct MHD_Connection *connection, void **context,
                      enum MHD_RequestTerminationCode code)
{
    server *s = user;
    exchange *e = *context;
    (void)connection;
    (void)code;
    if (!e)
        return;
    if (e->watched)
        sl_watch_busy(&s->watch, e->watched, false, clock_seconds());
    free(e->job.request.reply);
    free(e);
    *context = NULL;
}

/* Nobody may hold all the connections there are. */
static enum MHD_Result admit(void *user, const struct sockaddr *address, socklen_t n)
{
    server *s = user;
    (void)n;
    return s->connections == 0 ||
                   sl_watch_count(&s->watch, sl_address_hash(address)) < s->connections
               ? MHD_YES
               : MHD_NO;
}

static void connection_changed(void *user, struct MHD_Connection *connection, void **context,
                               enum MHD_ConnectionNotificationCode code)
{
    server *s = user;
    if (code == MHD_CONNECTION_NOTIFY_CLOSED) {
        if (*context)
            sl_watch_remove(&s->watch, *context);
        free(*context);
        *context = NULL;
        return;
    }
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    sl_watched *watched;
    if (!info || sl_alloc(&watched, 1, sizeof *watched, NULL))
        return;                          /* it goes unwatched */
    const int socket = info->connect_fd; /* libmicrohttpd 1.0 uses *info again for every question */
    sl_watch_add(&s->watch, watched, socket, peer_of(connection), clock_seconds());
    *context = watched;
}

/* ---- the server's life ---- */

static void log_line(void *user, const char *format, va_list args)
{
    char line[300];
    (void)user;
    if (vsnprintf(line, sizeof line, format, args) > 0)
        sl_log(SL_LOG_DEBUG, "%.*s", (int)strcspn(line, "\n"), line);
}

/* Who may frame the page, and where it may send a form: MTurk passes its form on from one of its
 * hosts to another, which some browsers count too. */
static sl_status write_csp(server *s, sl_error *err)
{
    const json_t *item;
    size_t i, used;
    const bool mturk = s->study->config.recruitment == SL_RECRUIT_MTURK;
    used = (size_t)snprintf(s->csp, sizeof s->csp,
                            "default-src 'none'; script-src 'self'; style-src 'self'; "
                            "img-src 'self' blob: data:; connect-src 'self'; base-uri 'none'; "
                            "frame-ancestors %s; form-action 'self'%s",
                            mturk ? MTURK : "'none'", mturk ? " " MTURK : "");
    json_array_foreach((json_t *)(uintptr_t)s->study->config.submit_to, i, item)
    {
        if (used < sizeof s->csp)
            used += (size_t)snprintf(s->csp + used, sizeof s->csp - used, " %s",
                                     json_string_value(item));
    }
    return used < sizeof s->csp
               ? SL_OK
               : sl_error_set(err, SL_EINVAL, "'submit_to' has too many addresses");
}

static sl_status listen_at(server *s, sl_error *err)
{
    struct sockaddr_storage address;
    if (!sl_address_read(s->options.address, s->options.port, &address))
        return sl_error_set(err, SL_EINVAL, "'%s' isn't an IPv4 or IPv6 address",
                            s->options.address);
    if (!s->options.behind_proxy && !sl_address_is_loopback(&address)) /* or all have one address */
        s->connections = s->options.connections;
    /* Not epoll: libmicrohttpd 0.9.75 has it edge-triggered, and once in a while a resumed
     * connection wasn't looked at until another had timed out. */
    const unsigned flags = MHD_USE_POLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ITC |
                           MHD_USE_ERROR_LOG | (address.ss_family == AF_INET6 ? MHD_USE_IPv6 : 0u);
    s->daemon = MHD_start_daemon(
        flags, (uint16_t)s->options.port, admit, s, handle, s, MHD_OPTION_EXTERNAL_LOGGER, log_line,
        NULL, MHD_OPTION_SOCK_ADDR, (struct sockaddr *)&address, MHD_OPTION_CONNECTION_LIMIT,
        (unsigned)CONNECTIONS, MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)IDLE_SECONDS,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)HEADER_MAX_BYTES, MHD_OPTION_NOTIFY_COMPLETED,
        completed, s, MHD_OPTION_NOTIFY_CONNECTION, connection_changed, s,
        MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_LISTENING_ADDRESS_REUSE, 1u,
        MHD_OPTION_SIGPIPE_HANDLED_BY_APP, 1, MHD_OPTION_END);
    if (!s->daemon)
        return sl_error_set(err, SL_EIO, "can't listen at %s port %d (%s)", s->options.address,
                            s->options.port, strerror(errno));
    return SL_OK;
}

static void announce(const server *s)
{
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(s->daemon, MHD_DAEMON_INFO_BIND_PORT);
    const bool v6 = strchr(s->options.address, ':') != NULL;
    char url[120];
    snprintf(url, sizeof url, v6 ? "http://[%s]:%d/" : "http://%s:%d/", s->options.address,
             info ? info->port : s->options.port);
    if (s->options.ready)
        s->options.ready(s->options.user, url);
}

/* Two servers would each give the same places away. */
static sl_status lock_study(const sl_study *study, int *lock, sl_error *err)
{
    char path[4096];
    snprintf(path, sizeof path, "%sstudy.key", study->dir);
    *lock = open(path, O_RDONLY | O_CLOEXEC);
    if (*lock >= 0 && flock(*lock, LOCK_EX | LOCK_NB) == 0)
        return SL_OK;
    return sl_error_set(err, SL_EINVAL, "another process serves the study '%s'", study->dir);
}

static void run_until_stopped(server *s)
{
    while (!s->options.stop()) {
        const struct timespec quarter = { 0, 250000000 };
        nanosleep(&quarter, NULL);
        sl_watch_end_slow(&s->watch, s->options.request_seconds, clock_seconds());
    }
}

sl_study_serve_options sl_study_serve_options_default(void)
{
    return (sl_study_serve_options){
        .address = "127.0.0.1", .port = 8080, .rate = 100, .connections = 200, .request_seconds = 30
    };
}

sl_status sl_study_serve(sl_study *study, const sl_study_serve_options *options, sl_error *err)
{
    server *s = NULL;
    int lock = -1;
    sl_status st = sl_alloc(&s, 1, sizeof *s, err);
    if (st)
        return st;
    s->study = study;
    s->options = *options;
    sl_watch_init(&s->watch);
    sl_limits_init(&s->requests, options->rate, options->rate * 20);
    sl_limits_init(&s->logins, LOGIN_RATE, 10);
    st = lock_study(study, &lock, err);
    if (!st)
        st = sl_study_check_files(study, err);
    if (!st)
        st = sl_api_describe(&study->config, &s->description, err);
    if (!st)
        st = write_csp(s, err);
    if (!st)
        st = sl_worker_start(&s->worker, study, job_done, err);
    if (!st)
        st = sl_status_cache_start(&s->status, study, err);
    if (!st)
        st = listen_at(s, err);
    if (!st) {
        announce(s);
        run_until_stopped(s);
        close(MHD_quiesce_daemon(s->daemon));
    }
    if (s->worker)
        sl_worker_end(s->worker); /* resumes every connection that rests */
    if (s->daemon)
        MHD_stop_daemon(s->daemon);
    sl_worker_destroy(s->worker);
    sl_status_cache_stop(s->status);
    sl_watch_release(&s->watch);
    free(s->description);
    free(s);
    if (lock >= 0)
        close(lock);
    return st;
}
