#include "study/store.h"
#include "base/memory.h"
#include <inttypes.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

#define BUSY_MS 10000 /* how long another process may hold the file */

static const char schema[] =
    "CREATE TABLE IF NOT EXISTS meta(key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS participant("
    " id INTEGER PRIMARY KEY AUTOINCREMENT, worker BLOB UNIQUE, session BLOB,"
    " state INTEGER NOT NULL, joined_ms INTEGER NOT NULL, last_ms INTEGER NOT NULL,"
    " ended_ms INTEGER NOT NULL, next INTEGER NOT NULL, planned INTEGER NOT NULL,"
    " block INTEGER NOT NULL, attempt INTEGER NOT NULL, first INTEGER NOT NULL);"
    "CREATE INDEX IF NOT EXISTS participant_state ON participant(state, last_ms);"
    "CREATE TABLE IF NOT EXISTS trial("
    " participant INTEGER NOT NULL REFERENCES participant(id), n INTEGER NOT NULL,"
    " kind INTEGER NOT NULL, image INTEGER NOT NULL, truth INTEGER NOT NULL,"
    " choice INTEGER, rt_ms REAL, elapsed_ms REAL, PRIMARY KEY(participant, n)) WITHOUT ROWID;";

typedef enum {
    BEGIN,
    BEGIN_READING,
    COMMIT,
    ADD,
    FIND,
    FIND_WORKER,
    SET_SESSION,
    UPDATE,
    PLAN,
    TRIAL,
    ANSWER,
    SCORE,
    EACH_TRIAL,
    EACH_PARTICIPANT,
    EACH_SILENT,
    COUNT_PLACES,
    STATEMENTS
} statement_id;

#define PARTICIPANT "id, state, joined_ms, last_ms, ended_ms, next, planned, block, attempt, first"
#define TRIAL_COLUMNS "n, kind, image, truth, choice, rt_ms, elapsed_ms"

static const char *const statements[STATEMENTS] = {
    [BEGIN] = "BEGIN IMMEDIATE",
    [BEGIN_READING] = "BEGIN",
    [COMMIT] = "COMMIT",
    [ADD] = "INSERT INTO participant(worker, session, state, joined_ms, last_ms, ended_ms, next,"
            " planned, block, attempt, first) VALUES(?,?,?,?,?,?,?,?,?,?,?)",
    [FIND] = "SELECT " PARTICIPANT " FROM participant WHERE id=?",
    [FIND_WORKER] = "SELECT " PARTICIPANT ", session IS ? FROM participant WHERE worker=?",
    [SET_SESSION] = "UPDATE participant SET session=? WHERE id=?",
    [UPDATE] = "UPDATE participant SET state=?, joined_ms=?, last_ms=?, ended_ms=?, next=?,"
               " planned=?, block=?, attempt=?, first=? WHERE id=?",
    [PLAN] = "INSERT INTO trial(participant, n, kind, image, truth) VALUES(?,?,?,?,?)",
    [TRIAL] = "SELECT " TRIAL_COLUMNS " FROM trial WHERE participant=? AND n=?",
    [ANSWER] = "UPDATE trial SET choice=?, rt_ms=?, elapsed_ms=?"
               " WHERE participant=? AND n=? AND choice IS NULL",
    [SCORE] = "SELECT count(*), coalesce(sum(choice=truth), 0) FROM trial"
              " WHERE participant=? AND n>=? AND n<? AND kind=?",
    [EACH_TRIAL] = "SELECT " TRIAL_COLUMNS " FROM trial WHERE participant=? ORDER BY n",
    [EACH_PARTICIPANT] = "SELECT " PARTICIPANT " FROM participant ORDER BY id",
    [EACH_SILENT] = "SELECT " PARTICIPANT " FROM participant"
                    " WHERE state IN (0,1) AND last_ms<? ORDER BY id",
    [COUNT_PLACES] = "SELECT t.image, count(*) FROM participant p JOIN trial t"
                     " ON t.participant=p.id WHERE p.state IN (1,2) AND t.kind=1 GROUP BY t.image",
};

struct sl_store {
    sqlite3 *db;
    sqlite3_stmt *statement[STATEMENTS];
};

static sl_status sql_error(const sl_store *store, sl_error *err)
{
    int code = store->db ? sqlite3_errcode(store->db) : SQLITE_NOMEM;
    sl_status st = code == SQLITE_NOMEM                              ? SL_ENOMEM
                   : code == SQLITE_CORRUPT || code == SQLITE_NOTADB ? SL_EFORMAT
                                                                     : SL_EIO;
    return sl_error_set(err, st, "the study's database: %s",
                        store->db ? sqlite3_errmsg(store->db) : "out of memory");
}

/* ---- opening ---- */

static sl_status check_owner(sl_store *store, const char *images_sha256, bool read_only,
                             sl_error *err)
{
    sqlite3_stmt *get = NULL, *put = NULL;
    sl_status st = SL_OK;
    if (sqlite3_prepare_v2(store->db, "SELECT value FROM meta WHERE key='images'", -1, &get, NULL))
        return sql_error(store, err);
    int step = sqlite3_step(get);
    if (step == SQLITE_ROW) {
        const char *had = (const char *)sqlite3_column_text(get, 0);
        if (!had || strcmp(had, images_sha256) != 0)
            st = sl_error_set(err, SL_EMISMATCH,
                              "the images or classes aren't those that its participants saw: "
                              "undo what was changed, or begin a new study");
    } else if (step != SQLITE_DONE) {
        st = sql_error(store, err);
    } else if (!read_only) {
        if (sqlite3_prepare_v2(store->db, "INSERT INTO meta VALUES('images', ?)", -1, &put, NULL) ||
            sqlite3_bind_text(put, 1, images_sha256, -1, SQLITE_STATIC) ||
            sqlite3_step(put) != SQLITE_DONE)
            st = sql_error(store, err);
    }
    sqlite3_finalize(get);
    sqlite3_finalize(put);
    return st;
}

static sl_status prepare_all(sl_store *store, sl_error *err)
{
    for (int i = 0; i < STATEMENTS; i++)
        if (sqlite3_prepare_v3(store->db, statements[i], -1, SQLITE_PREPARE_PERSISTENT,
                               &store->statement[i], NULL))
            return sql_error(store, err);
    return SL_OK;
}

sl_status sl_store_open(sl_store **out, const char *path, const char *images_sha256, bool read_only,
                        sl_error *err)
{
    const int flags = read_only ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE;
    sl_store *store;
    *out = NULL;
    sl_status st = sl_alloc(&store, 1, sizeof *store, err);
    if (st)
        return st;
    int code = sqlite3_open_v2(path, &store->db, flags | SQLITE_OPEN_NOMUTEX, NULL);
    if (code == SQLITE_CANTOPEN && read_only) {
        st = sl_error_set(err, SL_ENOTFOUND, "nobody has taken part yet");
        goto done;
    }
    if (code || sqlite3_busy_timeout(store->db, BUSY_MS) ||
        sqlite3_db_config(store->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL))
        st = sql_error(store, err);
    if (!st && !read_only &&
        (sqlite3_exec(store->db, "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;", NULL, NULL,
                      NULL) ||
         sqlite3_exec(store->db, schema, NULL, NULL, NULL)))
        st = sql_error(store, err);
    if (!st)
        st = check_owner(store, images_sha256, read_only, err);
    if (!st)
        st = prepare_all(store, err);
    if (st)
        goto done;
    *out = store;
    store = NULL;
done:
    sl_store_close(store);
    return st ? sl_error_at(err, st, "%s", path) : SL_OK;
}

void sl_store_close(sl_store *store)
{
    if (!store)
        return;
    for (int i = 0; i < STATEMENTS; i++)
        sqlite3_finalize(store->statement[i]);
    sqlite3_close(store->db);
    free(store);
}

/* ---- running statements ---- */

/* Binds integers, in order; types: 'i' int, 'l' int64_t, 'd' double, 'h' hash or NULL. */
static sl_status bind(sl_store *store, sqlite3_stmt *s, const char *types, va_list args,
                      sl_error *err)
{
    for (int i = 0; types[i]; i++) {
        int code = SQLITE_MISUSE;
        const void *hash;
        switch (types[i]) {
        case 'i':
            code = sqlite3_bind_int(s, i + 1, va_arg(args, int));
            break;
        case 'l':
            code = sqlite3_bind_int64(s, i + 1, va_arg(args, int64_t));
            break;
        case 'd':
            code = sqlite3_bind_double(s, i + 1, va_arg(args, double));
            break;
        case 'h':
            hash = va_arg(args, const void *);
            code = hash ? sqlite3_bind_blob(s, i + 1, hash, SL_MAC_BYTES, SQLITE_STATIC)
                        : sqlite3_bind_null(s, i + 1);
            break;
        }
        if (code)
            return sql_error(store, err);
    }
    return SL_OK;
}

/* Resets and binds a statement, ready to be stepped. */
static sl_status start(sl_store *store, statement_id id, sqlite3_stmt **out, sl_error *err,
                       const char *types, ...)
{
    va_list args;
    *out = store->statement[id];
    sqlite3_reset(*out);
    va_start(args, types);
    sl_status st = bind(store, *out, types, args, err);
    va_end(args);
    return st;
}

/* The next row; *row false at the end. The statement is reset when it has no more rows, so that no
 * read transaction is left open. */
static sl_status step(sl_store *store, sqlite3_stmt *s, bool *row, sl_error *err)
{
    int code = sqlite3_step(s);
    *row = code == SQLITE_ROW;
    if (*row)
        return SL_OK;
    sl_status st = code == SQLITE_DONE ? SL_OK : sql_error(store, err);
    sqlite3_reset(s);
    return st;
}

/* Steps a statement that returns nothing. */
static sl_status finish(sl_store *store, sqlite3_stmt *s, sl_error *err)
{
    bool row;
    sl_status st = step(store, s, &row, err);
    if (row)
        sqlite3_reset(s);
    return st;
}

static sl_status run(sl_store *store, statement_id id, sl_error *err)
{
    sqlite3_stmt *s;
    sl_status st = start(store, id, &s, err, "");
    return st ? st : finish(store, s, err);
}

sl_status sl_store_begin(sl_store *store, sl_error *err)
{
    return run(store, BEGIN, err);
}

sl_status sl_store_begin_reading(sl_store *store, sl_error *err)
{
    return run(store, BEGIN_READING, err);
}

sl_status sl_store_commit(sl_store *store, sl_error *err)
{
    return run(store, COMMIT, err);
}

void sl_store_rollback(sl_store *store)
{
    for (int i = 0; i < STATEMENTS; i++)
        sqlite3_reset(store->statement[i]);
    /* SQLite may have rolled back itself (disk full); then this fails, and that's fine. */
    if (!sqlite3_get_autocommit(store->db))
        sqlite3_exec(store->db, "ROLLBACK", NULL, NULL, NULL);
}

/* ---- participants ---- */

static void read_participant(sqlite3_stmt *s, sl_participant *p)
{
    *p = (sl_participant){
        .id = sqlite3_column_int64(s, 0),
        .state = (sl_state)sqlite3_column_int(s, 1),
        .joined_ms = sqlite3_column_int64(s, 2),
        .last_ms = sqlite3_column_int64(s, 3),
        .ended_ms = sqlite3_column_int64(s, 4),
        .next = sqlite3_column_int(s, 5),
        .planned = sqlite3_column_int(s, 6),
        .block = sqlite3_column_int(s, 7),
        .attempt = sqlite3_column_int(s, 8),
        .first = sqlite3_column_int(s, 9),
    };
}

sl_status sl_store_add(sl_store *store, const unsigned char *worker, const unsigned char *session,
                       sl_participant *p, sl_error *err)
{
    sqlite3_stmt *s;
    sl_status st =
        start(store, ADD, &s, err, "hhillliiiii", worker, session, (int)p->state, p->joined_ms,
              p->last_ms, p->ended_ms, p->next, p->planned, p->block, p->attempt, p->first);
    if (!st)
        st = finish(store, s, err);
    if (!st)
        p->id = sqlite3_last_insert_rowid(store->db);
    return st;
}

sl_status sl_store_find(sl_store *store, int64_t id, sl_participant *p, bool *found, sl_error *err)
{
    sqlite3_stmt *s;
    sl_status st = start(store, FIND, &s, err, "l", id);
    if (!st)
        st = step(store, s, found, err);
    if (!st && *found) {
        read_participant(s, p);
        sqlite3_reset(s);
    }
    return st;
}

sl_status sl_store_find_worker(sl_store *store, const unsigned char worker[SL_MAC_BYTES],
                               const unsigned char session[SL_MAC_BYTES], sl_participant *p,
                               bool *found, bool *same_session, sl_error *err)
{
    sqlite3_stmt *s;
    sl_status st = start(store, FIND_WORKER, &s, err, "hh", session, worker);
    if (!st)
        st = step(store, s, found, err);
    if (!st && *found) {
        read_participant(s, p);
        *same_session = sqlite3_column_int(s, 10) != 0;
        sqlite3_reset(s);
    }
    return st;
}

sl_status sl_store_set_session(sl_store *store, int64_t id,
                               const unsigned char session[SL_MAC_BYTES], sl_error *err)
{
    sqlite3_stmt *s;
    sl_status st = start(store, SET_SESSION, &s, err, "hl", session, id);
    return st ? st : finish(store, s, err);
}

sl_status sl_store_update(sl_store *store, const sl_participant *p, sl_error *err)
{
    sqlite3_stmt *s;
    sl_status st =
        start(store, UPDATE, &s, err, "illliiiiil", (int)p->state, p->joined_ms, p->last_ms,
              p->ended_ms, p->next, p->planned, p->block, p->attempt, p->first, p->id);
    return st ? st : finish(store, s, err);
}

/* ---- trials ---- */

static void read_trial(sqlite3_stmt *s, sl_trial *t)
{
    *t = (sl_trial){
        .n = sqlite3_column_int(s, 0),
        .kind = (sl_trial_kind)sqlite3_column_int(s, 1),
        .image = sqlite3_column_int64(s, 2),
        .truth = sqlite3_column_int(s, 3),
        .choice = sqlite3_column_type(s, 4) == SQLITE_NULL ? -1 : sqlite3_column_int(s, 4),
        .rt_ms = sqlite3_column_double(s, 5),
        .elapsed_ms = sqlite3_column_double(s, 6),
    };
}

sl_status sl_store_plan(sl_store *store, int64_t participant, const sl_trial *t, sl_error *err)
{
    sqlite3_stmt *s;
    sl_status st =
        start(store, PLAN, &s, err, "liili", participant, t->n, (int)t->kind, t->image, t->truth);
    return st ? st : finish(store, s, err);
}

sl_status sl_store_trial(sl_store *store, int64_t participant, int n, sl_trial *t, bool *found,
                         sl_error *err)
{
    sqlite3_stmt *s;
    sl_status st = start(store, TRIAL, &s, err, "li", participant, n);
    if (!st)
        st = step(store, s, found, err);
    if (!st && *found) {
        read_trial(s, t);
        sqlite3_reset(s);
    }
    return st;
}

sl_status sl_store_answer(sl_store *store, int64_t participant, const sl_trial *t, sl_error *err)
{
    sqlite3_stmt *s;
    sl_status st = start(store, ANSWER, &s, err, "iddli", t->choice, t->rt_ms, t->elapsed_ms,
                         participant, t->n);
    if (!st)
        st = finish(store, s, err);
    if (!st && sqlite3_changes(store->db) != 1)
        st =
            sl_error_set(err, SL_EMISMATCH, "trial %d of participant %" PRId64 " can't be answered",
                         t->n, participant);
    return st;
}

sl_status sl_store_score(sl_store *store, int64_t participant, int first, int end,
                         sl_trial_kind kind, int *right, int *total, sl_error *err)
{
    sqlite3_stmt *s;
    bool row;
    sl_status st = start(store, SCORE, &s, err, "liii", participant, first, end, (int)kind);
    if (!st)
        st = step(store, s, &row, err);
    if (st || !row)
        return st ? st : sl_error_set(err, SL_EIO, "the study's database: a sum has no row");
    *total = sqlite3_column_int(s, 0);
    *right = sqlite3_column_int(s, 1);
    sqlite3_reset(s);
    return SL_OK;
}

/* ---- walks ---- */

sl_status sl_store_each_trial(sl_store *store, int64_t participant, sl_trial_fn *each, void *user,
                              sl_error *err)
{
    sqlite3_stmt *s;
    bool row = false;
    sl_status st = start(store, EACH_TRIAL, &s, err, "l", participant);
    while (!st && !(st = step(store, s, &row, err)) && row) {
        sl_trial t;
        read_trial(s, &t);
        st = each(user, &t, err);
    }
    sqlite3_reset(s);
    return st;
}

static sl_status each_participant(sl_store *store, sqlite3_stmt *s, sl_participant_fn *each,
                                  void *user, sl_error *err)
{
    sl_status st = SL_OK;
    bool row = false;
    while (!st && !(st = step(store, s, &row, err)) && row) {
        sl_participant p;
        read_participant(s, &p);
        st = each(user, &p, err);
    }
    sqlite3_reset(s);
    return st;
}

sl_status sl_store_each_participant(sl_store *store, sl_participant_fn *each, void *user,
                                    sl_error *err)
{
    sqlite3_stmt *s;
    sl_status st = start(store, EACH_PARTICIPANT, &s, err, "");
    return st ? st : each_participant(store, s, each, user, err);
}

sl_status sl_store_each_silent(sl_store *store, int64_t before_ms, sl_participant_fn *each,
                               void *user, sl_error *err)
{
    sqlite3_stmt *s;
    sl_status st = start(store, EACH_SILENT, &s, err, "l", before_ms);
    return st ? st : each_participant(store, s, each, user, err);
}

sl_status sl_store_count_places(sl_store *store, uint32_t *counts, size_t n, sl_error *err)
{
    sqlite3_stmt *s;
    bool row = false;
    sl_status st = start(store, COUNT_PLACES, &s, err, "");
    while (!st && !(st = step(store, s, &row, err)) && row) {
        int64_t image = sqlite3_column_int64(s, 0);
        if (image < 0 || (uint64_t)image >= n)
            st = sl_error_set(err, SL_EFORMAT,
                              "the study's database names image %" PRId64 " of %zu", image, n);
        else
            counts[image] += (uint32_t)sqlite3_column_int64(s, 1);
    }
    sqlite3_reset(s);
    return st;
}
