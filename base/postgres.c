#include "base/postgres.h"

#include <libpq-fe.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"

enum {
    STATEMENTS_MOST = 128, /* prepared per link; what comes beyond is sent unprepared */
    NAME_BYTES = 32,
    SERVER_GIVES_UP_MS = 50 /* so much before us, so that its own words are heard */
};

struct postgres {
    char *url, *password, *channel;
    int connect_ms, timeout_ms;
    PGconn *link;                 /* NULL: not connected */
    char *known[STATEMENTS_MOST]; /* texts prepared on this link; the number is the name */
    size_t known_count;
    bool missed; /* a new link listens: what was said before it is unknown */
};

struct postgres *postgres_new(const struct postgres_options *o)
{
    struct postgres *p = xcalloc(1, sizeof *p);

    p->url = xstrdup(o->url);
    p->password = o->password && o->password[0] ? xstrdup(o->password) : NULL;
    p->connect_ms = o->connect_ms;
    p->timeout_ms = o->timeout_ms;
    return p;
}

void postgres_drop(struct postgres *p)
{
    PQfinish(p->link);
    p->link = NULL;
    while (p->known_count > 0)
        free(p->known[--p->known_count]);
}

void postgres_free(struct postgres *p)
{
    if (!p)
        return;
    postgres_drop(p);
    free(p->url);
    free(p->password);
    free(p->channel);
    free(p);
}

bool postgres_is_open(const struct postgres *p)
{
    return p->link != NULL;
}

/* --------------------------------------------------------------------------------------------- what went wrong */

/* libpq's messages are lines; an error is one. */
static void one_line(const char *message, char *out, size_t size)
{
    size_t length = 0;

    for (const char *c = message; *c && length + 1 < size; c++)
        out[length++] = *c == '\n' || *c == '\t' ? ' ' : *c;
    while (length > 0 && out[length - 1] == ' ')
        length--;
    out[length] = '\0';
}

static bool link_failed(struct postgres *p, struct error *err)
{
    char said[400];

    one_line(p->link ? PQerrorMessage(p->link) : "out of memory", said, sizeof said);
    postgres_drop(p);
    return error_set(err, ERROR_AGAIN, "PostgreSQL: %s", said[0] ? said : "the link was lost");
}

static bool link_silent(struct postgres *p, const char *doing, int limit_ms, struct error *err)
{
    postgres_drop(p);
    return error_set(err, ERROR_AGAIN, "PostgreSQL: %s took longer than %d ms", doing, limit_ms);
}

static bool state_is_in(const char *state, const char *const *beginnings, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (text_starts(state, beginnings[i]))
            return true;
    return false;
}

static enum error_kind kind_of(const char *state)
{
    static const char *const passing[] = {"08", "25006", "26000", "40", "53", "55", "57", "58", "XX"};
    static const char *const to_mend[] = {"28", "3D", "3F", "42"};

    if (state_is_in(state, passing, ARRAY_LENGTH(passing)))
        return ERROR_AGAIN;
    return state_is_in(state, to_mend, ARRAY_LENGTH(to_mend)) ? ERROR_CONFIG : ERROR_INPUT;
}

/* A plan that a changed table has made useless stays so for the life of the link. */
static bool plan_is_stale(const PGresult *result)
{
    const char *function = PQresultErrorField(result, PG_DIAG_SOURCE_FUNCTION);

    return function && text_same(function, "RevalidateCachedQuery");
}

/* The link stays, unless its statements are lost or it leads to a standby, whose successor may have its address. */
static bool statement_failed(struct postgres *p, const PGresult *result, struct error *err)
{
    const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    const char *message = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    enum error_kind kind;
    char said[400];

    if (!state || PQstatus(p->link) != CONNECTION_OK)
        return link_failed(p, err);
    one_line(message ? message : "", said, sizeof said);
    kind = plan_is_stale(result) ? ERROR_AGAIN : kind_of(state);
    error_set(err, kind, "PostgreSQL says: %s (SQLSTATE %s)", said, state);
    if (plan_is_stale(result) || text_same(state, "26000") || text_same(state, "25006"))
        postgres_drop(p);
    return false;
}

/* ---------------------------------------------------------------------------------------------------- waiting */

/* False: the time is up. An interrupted poll is a shorter one. */
static bool socket_ready(const struct postgres *p, short events, int64_t deadline_ms)
{
    struct pollfd socket = {.fd = PQsocket(p->link), .events = events};
    int64_t left_ms = deadline_ms - clock_monotonic_ms();

    if (left_ms <= 0)
        return false;
    return poll(&socket, 1, (int)left_ms) != 0;
}

static bool flushed(struct postgres *p, int64_t deadline_ms, struct error *err)
{
    int left;

    while ((left = PQflush(p->link)) > 0) {
        if (!socket_ready(p, POLLIN | POLLOUT, deadline_ms))
            return link_silent(p, "sending a statement", p->timeout_ms, err);
        if (!PQconsumeInput(p->link))
            return link_failed(p, err);
    }
    return left == 0 || link_failed(p, err);
}

/* The next result; NULL in *out: there are no more of this statement. */
static bool next_result(struct postgres *p, int64_t deadline_ms, PGresult **out, struct error *err)
{
    while (PQisBusy(p->link)) {
        if (!socket_ready(p, POLLIN, deadline_ms))
            return link_silent(p, "a reply", p->timeout_ms, err);
        if (!PQconsumeInput(p->link))
            return link_failed(p, err);
    }
    *out = PQgetResult(p->link);
    return true;
}

/* After the sending: the last result; with an error among them, that. */
static bool result_of_statement(struct postgres *p, int sent, PGresult **out, struct error *err)
{
    int64_t deadline_ms = clock_monotonic_ms() + p->timeout_ms;
    PGresult *result = NULL, *more = NULL;
    bool ok;

    if (!sent)
        return link_failed(p, err);
    ok = flushed(p, deadline_ms, err);
    while (ok && (ok = next_result(p, deadline_ms, &more, err)) && more) {
        PQclear(result);
        result = more;
        if (PQresultStatus(result) == PGRES_COPY_IN || PQresultStatus(result) == PGRES_COPY_OUT) {
            postgres_drop(p); /* it would wait for data that nobody has */
            ok = error_set(err, ERROR_CONFIG, "PostgreSQL: COPY is no statement for here");
        }
    }
    if (ok && !result)
        ok = link_failed(p, err);
    else if (ok && PQresultStatus(result) != PGRES_COMMAND_OK && PQresultStatus(result) != PGRES_TUPLES_OK &&
             PQresultStatus(result) != PGRES_EMPTY_QUERY)
        ok = statement_failed(p, result, err);
    if (ok && out)
        *out = result;
    else
        PQclear(result);
    return ok;
}

/* ------------------------------------------------------------------------------------------------- connecting */

static void stay_silent(void *nothing, const PGresult *notice)
{
    (void)nothing;
    (void)notice;
}

/* libpq's own limit knows seconds only, and at least two. */
static bool connect_within(struct postgres *p, struct error *err)
{
    int64_t deadline_ms = clock_monotonic_ms() + p->connect_ms;
    PostgresPollingStatusType state = PGRES_POLLING_WRITING;

    while (state != PGRES_POLLING_OK) {
        if (state == PGRES_POLLING_FAILED || PQstatus(p->link) == CONNECTION_BAD)
            return link_failed(p, err);
        if (!socket_ready(p, state == PGRES_POLLING_READING ? POLLIN : POLLOUT, deadline_ms))
            return link_silent(p, "connecting", p->connect_ms, err);
        state = PQconnectPoll(p->link);
    }
    return true;
}

static bool listen_on_link(struct postgres *p, struct error *err)
{
    char sql[300];
    char *name = PQescapeIdentifier(p->link, p->channel, strlen(p->channel));
    bool fits = name && (size_t)snprintf(sql, sizeof sql, "LISTEN %s", name) < sizeof sql;

    PQfreemem(name);
    if (!fits)
        return error_set(err, ERROR_CONFIG, "PostgreSQL: the channel's name is too long");
    if (!result_of_statement(p, PQsendQuery(p->link, sql), NULL, err))
        return false;
    p->missed = true;
    return true;
}

static bool greet(struct postgres *p, struct error *err)
{
    char sql[80];
    int give_up_ms = p->timeout_ms > 2 * SERVER_GIVES_UP_MS ? p->timeout_ms - SERVER_GIVES_UP_MS : p->timeout_ms;

    snprintf(sql, sizeof sql, "SET statement_timeout = %d", give_up_ms);
    if (result_of_statement(p, PQsendQuery(p->link, sql), NULL, err) && (!p->channel || listen_on_link(p, err)))
        return true;
    postgres_drop(p);
    return false;
}

static bool connected(struct postgres *p, struct error *err)
{
    const char *names[] = {"fallback_application_name", "dbname", "client_encoding", "password", NULL};
    const char *values[] = {"crier", p->url, "UTF8", p->password, NULL};

    if (p->link)
        return true;
    if (!p->password)
        names[3] = NULL;
    p->link = PQconnectStartParams(names, values, 1);
    if (!p->link)
        return link_failed(p, err);
    PQsetNoticeReceiver(p->link, stay_silent, NULL);
    if (!connect_within(p, err))
        return false;
    PQsetnonblocking(p->link, 1);
    return greet(p, err);
}

/* -------------------------------------------------------------------------------------------------- statements */

/* The name under which this link knows the text, prepared now where it did not; "" where there are too many. */
static bool prepared(struct postgres *p, const char *sql, char name[NAME_BYTES], struct error *err)
{
    name[0] = '\0';
    for (size_t i = 0; i < p->known_count; i++)
        if (text_same(p->known[i], sql)) {
            snprintf(name, NAME_BYTES, "crier_%zu", i);
            return true;
        }
    if (p->known_count == STATEMENTS_MOST)
        return true;
    snprintf(name, NAME_BYTES, "crier_%zu", p->known_count);
    if (!result_of_statement(p, PQsendPrepare(p->link, name, sql, 0, NULL), NULL, err))
        return false;
    p->known[p->known_count++] = xstrdup(sql);
    return true;
}

bool postgres_query(struct postgres *p, const char *sql, const struct span *parameters, size_t count,
                    struct postgres_rows **rows, struct error *err)
{
    const char **values;
    PGresult *result = NULL;
    char name[NAME_BYTES];
    int sent;
    bool ok;

    if (!connected(p, err) || !prepared(p, sql, name, err))
        return false;
    values = xcalloc(count + 1, sizeof *values);
    for (size_t i = 0; i < count; i++)
        values[i] = parameters[i].text ? xstrndup(parameters[i].text, parameters[i].length) : NULL;
    if (name[0])
        sent = PQsendQueryPrepared(p->link, name, (int)count, values, NULL, NULL, 0);
    else
        sent = PQsendQueryParams(p->link, sql, (int)count, NULL, values, NULL, NULL, 0);
    for (size_t i = 0; i < count; i++)
        free((char *)(uintptr_t)values[i]);
    free(values);
    ok = result_of_statement(p, sent, &result, err);
    if (ok && rows)
        *rows = (struct postgres_rows *)result;
    else
        PQclear(result);
    return ok;
}

bool postgres_script(struct postgres *p, const char *sql, struct error *err)
{
    return connected(p, err) && result_of_statement(p, PQsendQuery(p->link, sql), NULL, err);
}

/* ----------------------------------------------------------------------------------------------- notifications */

bool postgres_listen(struct postgres *p, const char *channel, struct error *err)
{
    free(p->channel);
    p->channel = xstrdup(channel);
    return p->link ? listen_on_link(p, err) : connected(p, err);
}

/* All that lies there: they wake, and say nothing else. */
static bool take_notifications(struct postgres *p)
{
    bool any = p->missed;
    PGnotify *one;

    p->missed = false;
    while ((one = PQnotifies(p->link)) != NULL) {
        any = true;
        PQfreemem(one);
    }
    return any;
}

bool postgres_wait(struct postgres *p, int wait_ms, bool *notified, struct error *err)
{
    int64_t deadline_ms = clock_monotonic_ms() + wait_ms;

    *notified = false;
    if (!connected(p, err))
        return false;
    while (!(*notified = take_notifications(p)) && socket_ready(p, POLLIN, deadline_ms))
        if (!PQconsumeInput(p->link))
            return link_failed(p, err);
    return true;
}
