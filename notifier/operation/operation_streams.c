#include "notifier/operation/operation_streams.h"

#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/arena.h"
#include "base/clock.h"
#include "notifier/pattern.h"

enum { BLOCK_BYTES = 4096, PART_OF_ONE = 4, LOOK_EVERY_MS = 500 };

struct listener {
    struct operation_streams *all;
    struct MHD_Connection *connection;
    struct caller caller;
    char *operation, *events; /* NULL: of all */
    char at[RESULT_ID_BYTES]; /* the entry it was given last; "": the feed's own, once it is known */
    struct buf out;
    size_t sent; /* of out */
    bool behind; /* entries after `at` are in Redis */
    bool anew;   /* it has not been given anything yet, nor does it come back */
    bool asleep; /* the connection */
    bool ended;
    int64_t began_ms, told_ms;
    struct listener *next;
};

struct operation_streams {
    pthread_mutex_t mutex;
    struct listener *first;
    size_t count, most;
    int64_t looked_ms;
    char last[RESULT_ID_BYTES]; /* the entry that was taken last; "": not known yet */
    bool closing;
};

/* ---------------------------------------------------------------------------------------------------- entries */

static bool is_for(const struct listener *l, const struct reply *entry)
{
    const char *operation = reply_field_text(&entry->items[1], "o");
    struct span type = span_of(reply_field_text(&entry->items[1], "t"));

    return type.length > 0 && (!l->operation || strcmp(operation, l->operation) == 0) &&
           (!l->events || patterns_match(l->events, type)) && caller_may_see(&l->caller, type);
}

static void wake(struct listener *l)
{
    if (!l->asleep)
        return;
    l->asleep = false;
    MHD_resume_connection(l->connection);
}

/* JSON as it is written has no line ends, so that it is one line of data. */
static void give(struct listener *l, const struct reply *entry)
{
    snprintf(l->at, sizeof l->at, "%s", entry->items[0].text);
    l->anew = false;
    if (!is_for(l, entry))
        return;
    buf_printf(&l->out, "id: %s\ndata: ", l->at);
    result_add_json(entry, &l->out);
    buf_add_text(&l->out, "\n\n");
    l->told_ms = clock_monotonic_ms();
    wake(l);
}

/* Without an id: who comes back before the next result is told again. */
static void tell_gap(struct listener *l, const char *to)
{
    if (l->anew)
        return;
    buf_printf(&l->out, "event: gap\ndata: {\"from\":\"%s\",\"to\":\"%s\"}\n\n", l->at, to);
    l->told_ms = clock_monotonic_ms();
    wake(l);
}

static bool has_room(const struct listener *l)
{
    return l->out.length - l->sent < LISTENER_BYTES / 2;
}

/* -------------------------------------------------------------------------------------------------- a listener */

/* What was sent makes room; also for one that reads on and on and never comes to the end. */
static void make_room(struct listener *l)
{
    size_t left = l->out.length - l->sent;

    if (left == 0) {
        buf_reset(&l->out);
    } else if (l->sent >= LISTENER_BYTES / 4) {
        memmove(l->out.data, l->out.data + l->sent, left + 1); /* with its NUL */
        l->out.length = left;
    } else {
        return;
    }
    l->sent = 0;
}

static ssize_t read_out(void *context, uint64_t position, char *bytes, size_t most)
{
    struct listener *l = context;
    size_t length;
    bool ends;

    (void)position;
    pthread_mutex_lock(&l->all->mutex);
    length = l->out.length - l->sent;
    length = length < most ? length : most;
    if (length > 0)
        memcpy(bytes, l->out.data + l->sent, length);
    l->sent += length;
    make_room(l);
    ends = length == 0 && l->ended;
    if (length == 0 && !ends) {
        l->asleep = true;
        MHD_suspend_connection(l->connection); /* before anybody can wake it */
    }
    pthread_mutex_unlock(&l->all->mutex);
    return ends ? MHD_CONTENT_READER_END_OF_STREAM : (ssize_t)length;
}

static void forget(void *context)
{
    struct listener *l = context;
    struct operation_streams *all = l->all;

    pthread_mutex_lock(&all->mutex);
    for (struct listener **at = &all->first; *at; at = &(*at)->next)
        if (*at == l) {
            *at = l->next;
            all->count--;
            break;
        }
    pthread_mutex_unlock(&all->mutex);
    buf_release(&l->out);
    free(l->operation);
    free(l->events);
    free(l);
}

static bool has_place(const struct operation_streams *all, const struct caller *caller, struct error *err)
{
    size_t own = 0, most_of_one = (all->most + PART_OF_ONE - 1) / PART_OF_ONE;

    for (const struct listener *l = all->first; l; l = l->next)
        own += strcmp(l->caller.id, caller->id) == 0;
    if (all->closing)
        return error_set(err, ERROR_AGAIN, "the service is about to stop");
    if (all->count >= all->most)
        return error_set(err, ERROR_AGAIN, "%zu listen already, as many as [http] streams lets", all->count);
    return !*caller->id || own < most_of_one ||
           error_set(err, ERROR_AGAIN, "%zu listen with this token already, a quarter of [http] streams", own);
}

static struct listener *listener_new(struct operation_streams *all, const struct listen *what)
{
    struct listener *l = xcalloc(1, sizeof *l);

    l->all = all;
    l->connection = what->connection;
    l->caller = *what->caller;
    l->operation = what->operation ? xstrdup(what->operation) : NULL;
    l->events = what->events && *what->events ? xstrdup(what->events) : NULL;
    snprintf(l->at, sizeof l->at, "%s", what->after ? what->after : what->operation ? "0-0" : "");
    l->behind = true;
    l->anew = !what->after;
    l->began_ms = l->told_ms = clock_monotonic_ms();
    buf_init(&l->out);
    return l;
}

/* What comes after that is for who begins anew: with a place to come back to, also before the first result. */
static void place_at(struct listener *l, const char *last)
{
    snprintf(l->at, sizeof l->at, "%s", last);
    buf_printf(&l->out, "retry: 1000\nid: %s\n\n", l->at);
}

/* Who begins anew has its place before its answer begins: it misses nothing. False: there are too many. */
static bool let_in(struct operation_streams *all, struct listener *l, struct error *err)
{
    bool ok;

    pthread_mutex_lock(&all->mutex);
    ok = has_place(all, &l->caller, err);
    if (ok) {
        if (!*l->at && *all->last) {
            place_at(l, all->last);
            l->behind = false;
        }
        l->next = all->first;
        all->first = l;
        all->count++;
    }
    pthread_mutex_unlock(&all->mutex);
    return ok;
}

struct MHD_Response *operation_streams_open(struct operation_streams *all, const struct listen *what, unsigned *status,
                                            struct error *err)
{
    struct MHD_Response *response;
    struct listener *l;

    *status = MHD_HTTP_BAD_REQUEST;
    if (what->after && !result_id_check(what->after)) {
        error_set(err, ERROR_INPUT, "Last-Event-ID is none of ours");
        return NULL;
    }
    if (what->events && *what->events && !patterns_check(what->events, err))
        return NULL;
    *status = MHD_HTTP_SERVICE_UNAVAILABLE;
    l = listener_new(all, what);
    response = MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, BLOCK_BYTES, read_out, l, forget);
    if (!response) {
        forget(l);
        error_set(err, ERROR_AGAIN, "no memory for one more that listens");
    } else if (!let_in(all, l, err)) {
        MHD_destroy_response(response); /* and the listener with it */
        response = NULL;
    }
    return response;
}

/* ---------------------------------------------------------------------------------------------- all listeners */

struct operation_streams *operation_streams_new(size_t most)
{
    struct operation_streams *all = xcalloc(1, sizeof *all);

    pthread_mutex_init(&all->mutex, NULL);
    all->most = most;
    return all;
}

void operation_streams_free(struct operation_streams *all)
{
    pthread_mutex_destroy(&all->mutex);
    free(all);
}

void operation_streams_take(struct operation_streams *all, const struct reply *entry)
{
    pthread_mutex_lock(&all->mutex);
    snprintf(all->last, sizeof all->last, "%s", entry->items[0].text);
    for (struct listener *l = all->first; l; l = l->next) {
        l->behind = l->behind || !has_room(l);
        if (!l->behind && result_is_later(entry->items[0].text, l->at))
            give(l, entry);
    }
    pthread_mutex_unlock(&all->mutex);
}

void operation_streams_begin(struct operation_streams *all, const char *last)
{
    pthread_mutex_lock(&all->mutex);
    snprintf(all->last, sizeof all->last, "%s", last);
    for (struct listener *l = all->first; l; l = l->next)
        if (!*l->at) {
            place_at(l, last);
            wake(l);
        }
    pthread_mutex_unlock(&all->mutex);
}

static bool next_behind(struct operation_streams *all, char at[RESULT_ID_BYTES])
{
    bool some = false;

    pthread_mutex_lock(&all->mutex);
    for (struct listener *l = all->first; l && !some; l = l->next) {
        some = l->behind && *l->at && has_room(l) && !l->ended;
        if (some)
            memcpy(at, l->at, RESULT_ID_BYTES);
    }
    pthread_mutex_unlock(&all->mutex);
    return some;
}

/* To all who were given nothing after that: after a read of less than was asked for they are not behind any more. */
static void catch_up(struct operation_streams *all, const char *at, const struct results *read)
{
    pthread_mutex_lock(&all->mutex);
    for (struct listener *l = all->first; l; l = l->next) {
        if (!l->behind || strcmp(l->at, at) != 0)
            continue;
        if (read->gap_to)
            tell_gap(l, read->gap_to);
        for (size_t i = 0; i < read->entries->count && has_room(l); i++)
            give(l, &read->entries->items[i]);
        l->behind = read->entries->count == RESULTS_READ_MOST || !has_room(l);
    }
    pthread_mutex_unlock(&all->mutex);
}

/*
 * libmicrohttpd does not look at a connection that sleeps. The socket is there as long as the listener is in the list:
 * it is closed after the response is let go of.
 */
static bool is_gone(const struct listener *l)
{
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(l->connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    struct pollfd end = {.fd = info ? info->connect_fd : -1, .events = POLLRDHUP};

    return poll(&end, 1, 0) > 0;
}

/* Ends those that are gone, or were there long enough, and says to the others that somebody is there. */
static void keep_alive(struct operation_streams *all)
{
    int64_t now_ms = clock_monotonic_ms();

    pthread_mutex_lock(&all->mutex);
    for (struct listener *l = now_ms - all->looked_ms < LOOK_EVERY_MS ? NULL : all->first; l; l = l->next) {
        all->looked_ms = now_ms;
        if (!l->ended && is_gone(l)) {
            l->ended = true;
        } else if (now_ms - l->began_ms > LISTENER_LIFE_MS) {
            l->ended = true;
        } else if (now_ms - l->told_ms > LISTENER_KEEPALIVE_MS) {
            l->told_ms = now_ms;
            if (has_room(l))
                buf_add_text(&l->out, ": alive\n\n");
        } else {
            continue;
        }
        wake(l);
    }
    pthread_mutex_unlock(&all->mutex);
}

bool operation_streams_look(struct operation_streams *all, struct redis *r)
{
    struct arena *arena;
    struct results read;
    char at[RESULT_ID_BYTES];
    struct error err;
    bool more;

    keep_alive(all);
    if (!next_behind(all, at))
        return false;
    arena = arena_new();
    more = results_read(r, arena, at, &read, &err);
    if (more)
        catch_up(all, at, &read);
    arena_free(arena);
    return more && next_behind(all, at);
}

void operation_streams_close(struct operation_streams *all)
{
    pthread_mutex_lock(&all->mutex);
    all->closing = true;
    for (struct listener *l = all->first; l; l = l->next) {
        l->ended = true;
        wake(l);
    }
    pthread_mutex_unlock(&all->mutex);
}
