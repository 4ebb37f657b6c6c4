/* softlabel study new | check | serve | status | export | bots. */
#include "base/file.h"
#include "cli/cli.h"
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <softlabel/study.h>
#include <stdlib.h>
#include <string.h>

enum {
    KEY_TITLE = 0x100,
    KEY_RECRUIT,
    KEY_FOLDER,
    KEY_SYNTHETIC,
    KEY_IMAGES,
    KEY_TARGET,
    KEY_ADDRESS,
    KEY_PORT,
    KEY_RATE,
    KEY_CONNECTIONS,
    KEY_PROXY,
    KEY_FORMAT,
    KEY_WHO,
    KEY_OUT,
    KEY_URL,
    KEY_N,
    KEY_AT_ONCE,
    KEY_SKILL,
    KEY_SKILL_SD,
    KEY_DROP_OUT,
    KEY_SPAM,
    KEY_THINK,
    KEY_RETRY,
    KEY_LEDGER,
};

#define SHOWN 10 /* images and people that `study status` lists; --json has more */

/* What every command of a study has. */
typedef struct {
    cli_options common; /* first */
    const char *dir;
    sl_study_new_options create;
    sl_study_serve_options serve;
    sl_study_bots_options bots;
    int format, who;
    const char *out;
} args;

static const char *const recruitments[] = { "open", "mturk", "prolific", NULL };
static const char *const formats[] = { "raw", "jspsych", NULL };
static const char *const whos[] = { "passed", "completed", "all", NULL };

static error_t parse_whole(struct argp_state *state, const char *name, const char *text,
                           int64_t min, int64_t max, int *out)
{
    int64_t n = 0;
    error_t e = cli_integer(state, name, text, min, max, &n);
    if (!e)
        *out = (int)n;
    return e;
}

/* The folder of the study, which all commands take. */
static error_t parse_dir(int key, char *text, struct argp_state *state)
{
    args *a = state->input;
    switch (key) {
    case ARGP_KEY_ARG:
        if (a->dir)
            return cli_usage(state, "unexpected argument '%s'", text);
        a->dir = text;
        return 0;
    case ARGP_KEY_END:
        return a->dir ? 0 : cli_usage(state, "DIR is missing: the folder of the study");
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static sl_study_data data_of(const args *a, char folder[PATH_MAX])
{
    cli_unpack_folder(folder, PATH_MAX);
    return (sl_study_data){ .dir = a->common.data, .unpack_dir = folder };
}

static sl_status open_study(sl_study **study, const args *a, sl_error *err)
{
    char folder[PATH_MAX];
    const sl_study_data data = data_of(a, folder);
    return sl_study_open(study, a->dir, &data, err);
}

/* ---- new ---- */

static error_t parse_new(int key, char *text, struct argp_state *state)
{
    args *a = state->input;
    int i = 0;
    error_t e;
    switch (key) {
    case KEY_TITLE:
        a->create.title = text;
        return 0;
    case KEY_FOLDER:
        a->create.folder = text;
        return 0;
    case KEY_SYNTHETIC:
        a->create.synthetic = true;
        return 0;
    case KEY_RECRUIT:
        e = cli_choice(state, "--recruit", text, recruitments, &i);
        a->create.recruitment = recruitments[i];
        return e;
    case KEY_IMAGES:
        return parse_whole(state, "--images", text, 1, 5000, &a->create.images_per_participant);
    case KEY_TARGET:
        return parse_whole(state, "--target", text, 1, 100000, &a->create.target);
    default:
        return parse_dir(key, text, state);
    }
}

static int run_new(const cli_command *self, int argc, char **argv)
{
    static const struct argp_option options[] = {
        { "title", KEY_TITLE, "TEXT", 0, "what participants see above the study", 0 },
        { "recruit", KEY_RECRUIT, "HOW", 0, "open, mturk, prolific (open)", 0 },
        { "folder", KEY_FOLDER, "DIR", 0,
          "own images: DIR/images, DIR/practice and DIR/attention with a folder for each class",
          0 },
        { "synthetic", KEY_SYNTHETIC, NULL, 0, "drawings, even if CIFAR-10 is there", 0 },
        { "images", KEY_IMAGES, "N", 0, "images that a participant judges (200)", 0 },
        { "target", KEY_TARGET, "N", 0, "judgments wanted of each image (50)", 0 },
        { 0 },
    };
    const struct argp argp = { options,
                               parse_new,
                               "DIR",
                               "Writes DIR/study.json, which can be served as it is and edited "
                               "before that; docs/study.md explains it.",
                               NULL,
                               NULL,
                               NULL };
    args a = { 0 };
    sl_error err;
    const int code = cli_parse(self, &argp, argc, argv, &a);
    if (code)
        return code;
    char folder[PATH_MAX];
    const sl_study_data data = data_of(&a, folder);
    const char *what = "";
    a.create.seed = a.common.seed;
    sl_status st = sl_study_new(a.dir, &a.create, &data, &what, &err);
    cli_console_stop(&a.common.console);
    if (!st && a.common.json)
        cli_print_json(json_pack("{s:s, s:s}", "folder", a.dir, "images", what));
    else if (!st)
        printf("%s/study.json: %s\n", a.dir, what);
    return cli_end(&a.common, st, &err);
}

/* ---- check ---- */

static void keep_line(void *list, const char *line)
{
    json_array_append_new(list, json_string(line));
}

static int run_check(const cli_command *self, int argc, char **argv)
{
    const struct argp argp = { NULL, parse_dir, "DIR", NULL, NULL, NULL, NULL };
    args a = { 0 };
    sl_error err;
    size_t n = 0, i;
    const int code = cli_parse(self, &argp, argc, argv, &a);
    if (code)
        return code;
    char folder[PATH_MAX];
    const sl_study_data data = data_of(&a, folder);
    json_t *lines = json_array(), *line;
    sl_status st = sl_study_check(a.dir, &data, keep_line, lines, &n, &err);
    cli_console_stop(&a.common.console);
    if (a.common.json) {
        cli_print_json(json_pack("{s:s, s:O}", "folder", a.dir, "mistakes", lines));
    } else {
        json_array_foreach(lines, i, line) printf("%s\n", json_string_value(line));
        if (!st)
            printf("%s: in order\n", a.dir);
    }
    json_decref(lines);
    return cli_end(&a.common, st, &err);
}

/* ---- serve ---- */

static error_t parse_serve(int key, char *text, struct argp_state *state)
{
    args *a = state->input;
    switch (key) {
    case KEY_ADDRESS:
        a->serve.address = text;
        return 0;
    case KEY_PORT:
        return parse_whole(state, "--port", text, 0, 65535, &a->serve.port);
    case KEY_RATE:
        return cli_number(state, "--rate", text, 0, 1e6, &a->serve.rate);
    case KEY_CONNECTIONS:
        return parse_whole(state, "--connections", text, 0, 1000, &a->serve.connections);
    case KEY_PROXY:
        a->serve.behind_proxy = true;
        return 0;
    default:
        return parse_dir(key, text, state);
    }
}

typedef struct {
    const args *args;
    char password[33];
} host;

static void announce(void *user, const char *url)
{
    const host *h = user;
    if (h->args->common.json) {
        cli_print_json(json_pack("{s:s, s:s}", "url", url, "password", h->password));
    } else {
        printf("study      %s\n", url);
        printf("dashboard  %sadmin   user admin, password %s\n", url, h->password);
    }
    fflush(stdout);
}

/* A service manager's way to say Ctrl-C. */
static void end_serving(int number)
{
    (void)number;
    raise(SIGINT);
}

static int run_serve(const cli_command *self, int argc, char **argv)
{
    static const struct argp_option options[] = {
        { "address", KEY_ADDRESS, "IP", 0, "where to listen (127.0.0.1)", 0 },
        { "port", KEY_PORT, "N", 0, "0: any free one (8080)", 0 },
        { "rate", KEY_RATE, "X", 0, "requests a second from one address, 0: no limit (100)", 0 },
        { "connections", KEY_CONNECTIONS, "N", 0,
          "that one address may hold at once, 0: no limit (200); not counted on loopback or with "
          "--proxy",
          0 },
        { "proxy", KEY_PROXY, NULL, 0, "the visitor's address is the last of X-Forwarded-For", 0 },
        { 0 },
    };
    const struct argp argp = { options,
                               parse_serve,
                               "DIR",
                               "Until Ctrl-C. Put a proxy with TLS in front before people come; "
                               "docs/study.md has one for nginx.",
                               NULL,
                               NULL,
                               NULL };
    args a = { .serve = sl_study_serve_options_default() };
    sl_error err;
    const int code = cli_parse(self, &argp, argc, argv, &a);
    if (code)
        return code;
    sl_study *study = NULL;
    host h = { .args = &a };
    signal(SIGPIPE, SIG_IGN); /* a visitor who went */
    signal(SIGTERM, end_serving);
    signal(SIGXFSZ, SIG_IGN); /* a limit on file sizes is an error like a full disk */
    sl_status st = SL_OK;
    if (!sl_study_has_page())
        st = sl_error_set(&err, SL_EUNSUPPORTED,
                          "this build has no page for participants: build it again where npm "
                          "reaches its registry");
    if (!st)
        st = open_study(&study, &a, &err);
    if (!st) {
        sl_study_admin_password(study, h.password);
        a.serve.stop = cli_interrupted;
        a.serve.ready = announce;
        a.serve.user = &h;
        st = sl_study_serve(study, &a.serve, &err);
    }
    sl_study_close(study);
    return cli_end(&a.common, st, &err);
}

/* ---- status ---- */

static long long whole_at(const json_t *object, const char *key)
{
    return (long long)json_integer_value(json_object_get(object, key));
}

static double number_at(const json_t *object, const char *key)
{
    return json_number_value(json_object_get(object, key));
}

static const char *text_at(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text ? text : "";
}

/* The images that people disagree about most. */
static void print_ambiguous(const json_t *images)
{
    const json_t *image, *n;
    const char *class_name;
    size_t i;
    if (json_array_size(images) > 0)
        printf("\n%-24s %9s  %5s  %s\n", "ambiguous image", "judgments", "bits", "choices");
    json_array_foreach((json_t *)(uintptr_t)images, i, image)
    {
        json_t *choices = json_object_get(image, "choices");
        if (i == SHOWN)
            return;
        printf("%-24s %9lld  %5.2f ", text_at(image, "image"), whole_at(image, "judgments"),
               number_at(image, "bits"));
        json_object_foreach(choices, class_name, n)
            printf(" %s %lld", class_name, (long long)json_integer_value(n));
        printf("\n");
    }
}

static void print_people(const json_t *people)
{
    const json_t *person;
    size_t i;
    if (json_array_size(people) > 0)
        printf("\n%-12s %-9s %-9s %8s  %-9s %7s\n", "participant", "state", "answered", "accuracy",
               "attention", "minutes");
    json_array_foreach((json_t *)(uintptr_t)people, i, person)
    {
        char answered[40], accuracy[40] = "", checks[40];
        const json_t *share = json_object_get(person, "accuracy");
        if (i == SHOWN)
            return;
        snprintf(answered, sizeof answered, "%lld/%lld", whole_at(person, "answered"),
                 whole_at(person, "of"));
        snprintf(checks, sizeof checks, "%lld/%lld", whole_at(person, "checks_right"),
                 whole_at(person, "checks"));
        if (share)
            snprintf(accuracy, sizeof accuracy, "%.1f %%", 100 * json_number_value(share));
        printf("%-12lld %-9s %-9s %8s  %-9s %7.1f\n", whole_at(person, "participant"),
               text_at(person, "state"), answered, accuracy, checks, number_at(person, "minutes"));
    }
}

static void print_status(const json_t *status)
{
    const json_t *people = json_object_get(status, "participants");
    const json_t *judgments = json_object_get(status, "judgments");
    const json_t *estimate = json_object_get(status, "estimate");
    const json_t *accuracy = json_object_get(status, "accuracy");
    const char *currency = text_at(estimate, "currency");
    printf("participants  %lld passed, %lld failed the checks, %lld excluded, %lld left, "
           "%lld under way\n",
           whole_at(people, "passed"), whole_at(people, "failed"), whole_at(people, "excluded"),
           whole_at(people, "left"), whole_at(people, "practice") + whole_at(people, "task"));
    printf("judgments     %lld usable of %lld images: %lld to %lld each, mean %.1f, target %lld, "
           "reached by %lld\n",
           whole_at(judgments, "usable"), whole_at(judgments, "images"),
           whole_at(judgments, "least"), whole_at(judgments, "most"), number_at(judgments, "mean"),
           whole_at(judgments, "target"), whole_at(judgments, "at_target"));
    if (accuracy)
        printf("accuracy      mean %.1f %%, from %.1f to %.1f %%; half of the people took up to "
               "%.1f minutes\n",
               100 * number_at(accuracy, "mean"), 100 * number_at(accuracy, "least"),
               100 * number_at(accuracy, "most"), number_at(status, "median_minutes"));
    printf("cost          %.2f %s so far, about %.2f in all\n", number_at(estimate, "paid"),
           currency, number_at(estimate, "cost"));
    if (json_object_get(estimate, "hours_left"))
        printf("finish        in about %.1f hours at the last hour's rate\n",
               number_at(estimate, "hours_left"));
    print_ambiguous(json_object_get(status, "ambiguous"));
    print_people(json_object_get(status, "people"));
}

static int run_status(const cli_command *self, int argc, char **argv)
{
    const struct argp argp = { NULL,
                               parse_dir,
                               "DIR",
                               "May be asked while the study is served. --json has everything that "
                               "the dashboard shows.",
                               NULL,
                               NULL,
                               NULL };
    args a = { 0 };
    sl_error err;
    sl_study *study = NULL;
    char *text = NULL;
    const int code = cli_parse(self, &argp, argc, argv, &a);
    if (code)
        return code;
    sl_status st = open_study(&study, &a, &err);
    if (!st)
        st = sl_study_status(study, &text, &err);
    cli_console_stop(&a.common.console);
    if (!st) {
        json_t *status = json_loads(text, 0, NULL);
        if (a.common.json)
            cli_print_json(json_incref(status));
        else
            print_status(status);
        json_decref(status);
    }
    free(text);
    sl_study_close(study);
    return cli_end(&a.common, st, &err);
}

/* ---- export ---- */

static error_t parse_export(int key, char *text, struct argp_state *state)
{
    args *a = state->input;
    switch (key) {
    case KEY_FORMAT:
        return cli_choice(state, "--format", text, formats, &a->format);
    case KEY_WHO:
        return cli_choice(state, "--who", text, whos, &a->who);
    case KEY_OUT:
        a->out = text;
        return 0;
    default:
        return parse_dir(key, text, state);
    }
}

static sl_status export_to_file(sl_study *study, const args *a, sl_error *err)
{
    sl_file_writer *writer;
    sl_status st = sl_file_writer_open(&writer, a->out, err);
    if (st)
        return st;
    st = sl_study_export(study, (sl_study_format)a->format, (sl_study_who)a->who,
                         sl_file_writer_stream(writer), err);
    if (st) {
        sl_file_writer_abort(writer);
        return st;
    }
    return sl_file_writer_commit(writer, err);
}

static int run_export(const cli_command *self, int argc, char **argv)
{
    static const struct argp_option options[] = {
        { "out", KEY_OUT, "FILE", 0, "where to write (standard output)", 0 },
        { "format", KEY_FORMAT, "NAME", 0,
          "raw: the columns of cifar10h-raw.csv; jspsych: JSON (raw)", 0 },
        { "who", KEY_WHO, "WHO", 0,
          "passed, completed (also who failed the attention checks), all (passed)", 0 },
        { 0 },
    };
    const struct argp argp = {
        options, parse_export,
        "DIR",   "Nothing in it tells who somebody is. Practice is in jspsych only.",
        NULL,    NULL,
        NULL
    };
    args a = { 0 };
    sl_error err;
    sl_study *study = NULL;
    const int code = cli_parse(self, &argp, argc, argv, &a);
    if (code)
        return code;
    sl_status st = open_study(&study, &a, &err);
    cli_console_stop(&a.common.console);
    if (!st && a.out)
        st = export_to_file(study, &a, &err);
    else if (!st)
        st = sl_study_export(study, (sl_study_format)a.format, (sl_study_who)a.who, stdout, &err);
    if (!st && a.out && a.common.json)
        cli_print_json(json_pack("{s:s}", "file", a.out));
    sl_study_close(study);
    return cli_end(&a.common, st, &err);
}

/* ---- bots ---- */

static error_t parse_bots(int key, char *text, struct argp_state *state)
{
    args *a = state->input;
    sl_study_bots_options *o = &a->bots;
    switch (key) {
    case KEY_URL:
        o->url = text;
        return 0;
    case KEY_LEDGER:
        o->ledger = text;
        return 0;
    case KEY_N:
        return parse_whole(state, "--n", text, 1, 1000000, &o->n);
    case KEY_AT_ONCE:
        return parse_whole(state, "--at-once", text, 1, 1000, &o->at_once);
    case KEY_SKILL:
        return cli_number(state, "--skill", text, 0, 1, &o->skill);
    case KEY_SKILL_SD:
        return cli_number(state, "--skill-sd", text, 0, 1, &o->skill_sd);
    case KEY_DROP_OUT:
        return cli_number(state, "--drop-out", text, 0, 1, &o->drop_out);
    case KEY_SPAM:
        return cli_number(state, "--spam", text, 0, 1, &o->spam);
    case KEY_THINK:
        return cli_number(state, "--think-ms", text, 0, 1e6, &o->think_ms);
    case KEY_RETRY:
        return cli_number(state, "--retry", text, 0, 1e6, &o->retry_seconds);
    default:
        return parse_dir(key, text, state);
    }
}

static json_t *bots_json(const sl_study_bots_result *r)
{
    return json_pack(
        "{s:i, s:i, s:i, s:i, s:i, s:i, s:i, s:I, s:I, s:I, s:I, s:f, s:f, s:f, s:f, s:f}",
        "joined", r->joined, "finished", r->finished, "dropped", r->dropped, "spammers",
        r->spammers, "excluded", r->excluded, "turned_away", r->turned_away, "failed", r->failed,
        "trials", (json_int_t)r->trials, "repeats", (json_int_t)r->repeats, "requests",
        (json_int_t)r->requests, "retries", (json_int_t)r->retries, "seconds", r->seconds,
        "trials_per_second", r->trials_per_second, "p50_ms", r->p50_ms, "p99_ms", r->p99_ms,
        "max_ms", r->max_ms);
}

static void print_bots(const sl_study_bots_result *r)
{
    printf("bots     %d joined: %d finished (%d of them spammers), %d dropped out, %d excluded; "
           "%d turned away, %d failed\n",
           r->joined, r->finished, r->spammers, r->dropped, r->excluded, r->turned_away, r->failed);
    printf("trials   %" PRIu64 " acknowledged, %" PRIu64 " of them sent again; %" PRIu64
           " requests, %" PRIu64 " retries\n",
           r->trials, r->repeats, r->requests, r->retries);
    printf("speed    %.0f trials/s for %.1f s; acknowledged in %.1f ms (median), %.1f ms (99 %%), "
           "%.1f ms (longest)\n",
           r->trials_per_second, r->seconds, r->p50_ms, r->p99_ms, r->max_ms);
}

static int run_bots(const cli_command *self, int argc, char **argv)
{
    static const struct argp_option options[] = {
        { "url", KEY_URL, "URL", 0, "of the served study (http://127.0.0.1:8080)", 0 },
        { "n", KEY_N, "N", 0, "bots (20)", 0 },
        { "at-once", KEY_AT_ONCE, "N", 0, "of them at the same time (20)", 0 },
        { "skill", KEY_SKILL, "X", 0, "mean share of right answers (0.95)", 0 },
        { "skill-sd", KEY_SKILL_SD, "X", 0, "its spread over bots (0.03)", 0 },
        { "drop-out", KEY_DROP_OUT, "X", 0, "share who leave within the task (0)", 0 },
        { "spam", KEY_SPAM, "X", 0, "share who answer at random after the practice (0)", 0 },
        { "think-ms", KEY_THINK, "X", 0, "mean pause before an answer (0)", 0 },
        { "retry", KEY_RETRY, "X", 0, "seconds to wait for a server that is away (60)", 0 },
        { "ledger", KEY_LEDGER, "FILE", 0, "CSV of every acknowledged trial", 0 },
        { 0 },
    };
    const struct argp argp = {
        options,
        parse_bots,
        "DIR",
        "They talk to a served study as the page does, each image and answer "
        "over HTTP; serve it with --rate 0. DIR tells them which answers are "
        "right.",
        NULL,
        NULL,
        NULL
    };
    args a = { .bots = sl_study_bots_options_default() };
    sl_study_bots_result result;
    sl_error err;
    sl_study *study = NULL;
    const int code = cli_parse(self, &argp, argc, argv, &a);
    if (code)
        return code;
    a.bots.seed = a.common.seed;
    if (a.bots.at_once > a.bots.n)
        a.bots.at_once = a.bots.n;
    sl_status st = open_study(&study, &a, &err);
    if (!st)
        st = sl_study_bots(study, &a.bots, &result, cli_progress, &a.common.console, &err);
    cli_console_stop(&a.common.console);
    if (!st && a.common.json)
        cli_print_json(bots_json(&result));
    else if (!st)
        print_bots(&result);
    if (!st && result.failed)
        st = sl_error_set(&err, SL_EIO, "%d bots met answers that make no sense, or none",
                          result.failed);
    sl_study_close(study);
    return cli_end(&a.common, st, &err);
}

int cmd_study(const cli_command *self, int argc, char **argv)
{
    static const cli_command commands[] = {
        { "new", "write the study file of a new study", "softlabel study new pilot", run_new },
        { "check", "find every mistake in a study", "softlabel study check pilot", run_check },
        { "serve", "put a study online", "softlabel study serve pilot --port 8080", run_serve },
        { "status", "say how a study stands", "softlabel study status pilot", run_status },
        { "export", "write out what people answered", "softlabel study export pilot --out raw.csv",
          run_export },
        { "bots", "send simulated participants",
          "softlabel study bots pilot --n 50 --drop-out 0.1 --spam 0.05", run_bots },
        { 0 },
    };
    return cli_dispatch(commands, self->summary, argc, argv);
}
