#include "notifier/access_log/access_log_import.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/log.h"
#include "notifier/access_log/access_log.h"
#include "notifier/access_log/access_log_url.h"
#include "notifier/backlog.h"
#include "notifier/envelope.h"
#include "notifier/pattern.h"
#include "notifier/personal.h"

enum {
    BATCH_EVENTS = 500,
    BATCH_BYTES = 8 * 1024 * 1024, /* of content in which no event was found */
    BACKLOG_EVERY = 8,             /* batches between two looks at the queues */
    FAILURES_MOST = 8,             /* in a row without getting on */
    PAUSE_MOST_MS = 10000,
    /*
     * Ids of events are remembered only so long that a repeated batch is noticed at once: years of logs would fill
     * the memory with them, and documents have the same ids later, too.
     */
    WINDOW_MS = 30000,
};

struct import {
    struct import_options options;
    struct settings settings; /* as configured, but for the window of the queues */
    struct queue_settings *queues;
    struct redis *redis;
    struct intake *intake;
    struct access_form *form;
    struct access_urls *urls;
    struct digest *digest;
    struct arena *arena;
    struct import_counts settled, open; /* open: since the last batch */
    size_t open_lines[BATCH_EVENTS];    /* where the events of the batch stand */
    size_t batches;
    bool reached; /* Redis, at least once */
    struct access_log log;
    int64_t shown; /* of the log, as the next one */
    bool looked;   /* whether what was imported before is known by now */
};

/* ---------------------------------------------------------------------------------------------- made at the start */

/* An event that no queue wants would be lost, and its lines done. */
static bool sections_check(const struct settings *s, struct error *err)
{
    struct event e = event_none;

    if (s->url_count == 0)
        return error_set(err, ERROR_CONFIG, "there is no [url] section that says which requests are events");
    for (size_t i = 0; i < s->url_count; i++) {
        e.type = span_of(s->urls[i].event);
        if (!envelope_admitted(&e, err))
            return error_in(err, "[url %s]", s->urls[i].name);
        if (!patterns_queue(s, s->urls[i].event))
            return error_set(err, ERROR_CONFIG, "[url %s]: no queue wants events of type %s", s->urls[i].name,
                             s->urls[i].event);
    }
    return true;
}

static void copy_settings(struct import *im, const struct settings *s)
{
    im->settings = *s;
    im->queues = xcalloc(s->queue_count + 1, sizeof *im->queues);
    for (size_t i = 0; i < s->queue_count; i++) {
        im->queues[i] = s->queues[i];
        if (im->queues[i].window_ms > WINDOW_MS)
            im->queues[i].window_ms = WINDOW_MS;
    }
    im->settings.queues = im->queues;
}

struct import *import_new(const struct import_options *o, struct error *err)
{
    struct import *im = xcalloc(1, sizeof *im);

    im->options = *o;
    copy_settings(im, o->settings);
    im->redis = settings_redis(o->settings);
    im->digest = digest_new();
    im->arena = arena_new();
    if (sections_check(o->settings, err) && (im->form = access_form_new(o->settings->access_log.pattern, err)) &&
        (im->urls = access_urls_new(o->settings, err)) &&
        (im->intake = o->dry_run ? intake_new_checking(&im->settings, err) : intake_new(&im->settings, err))) {
        intake_start(im->intake);
        return im;
    }
    import_free(im);
    return NULL;
}

void import_free(struct import *im)
{
    if (!im)
        return;
    intake_free(im->intake);
    access_urls_free(im->urls);
    access_form_free(im->form);
    redis_free(im->redis);
    digest_free(im->digest);
    arena_free(im->arena);
    free(im->queues);
    free(im);
}

const struct import_counts *import_counts(const struct import *im)
{
    return &im->settled;
}

/* ------------------------------------------------------------------------------------------------------- a batch */

static void name_line(struct import *im, int64_t line, const char *reason)
{
    struct import_named *named;

    if (im->settled.named_count + im->open.named_count >= IMPORT_NAMED_MOST)
        return;
    named = &im->open.named[im->open.named_count++];
    *named = (struct import_named){.path = im->log.path, .line = line};
    snprintf(named->reason, sizeof named->reason, "%s", reason);
}

static void settle(struct import *im)
{
    struct import_counts *all = &im->settled, *open = &im->open;

    all->lines += open->lines;
    all->events += open->events;
    all->unreadable += open->unreadable;
    for (size_t i = 0; i < ARRAY_LENGTH(all->outcomes); i++)
        all->outcomes[i] += open->outcomes[i];
    memcpy(all->named + all->named_count, open->named, open->named_count * sizeof *open->named);
    all->named_count += open->named_count;
    *open = (struct import_counts){0};
}

static void show(struct import *im)
{
    int64_t taken = access_file_taken(im->log.file);

    if (taken > im->shown)
        progress_add(im->options.progress, taken - im->shown);
    im->shown = taken > im->shown ? taken : im->shown;
}

static bool note_results(struct import *im, struct error *err)
{
    const struct intake_result *results = intake_send(im->intake);
    size_t count = intake_count(im->intake);

    for (size_t i = 0; i < count; i++) {
        if (results[i].outcome == INTAKE_UNAVAILABLE)
            return error_set(err, ERROR_AGAIN, "%s", results[i].reason);
        im->open.outcomes[results[i].outcome]++;
        if (results[i].outcome == INTAKE_REFUSED)
            name_line(im, (int64_t)im->open_lines[i], results[i].reason);
    }
    return true;
}

/* Events may come in faster than they are indexed: Redis holds no more of them than it should. */
static bool wait_for_room(struct import *im, struct error *err)
{
    return im->options.dry_run || im->batches++ % BACKLOG_EVERY != 0 ||
           backlog_wait(&im->settings, im->redis, im->options.backlog_most, err);
}

/* What is open goes to Redis, and then how far that is. */
static bool finish_batch(struct import *im, struct error *err)
{
    char whole[RAW_HASH_TEXT_BYTES];
    struct past now = {.offset = access_file_offset(im->log.file)};

    if (intake_count(im->intake) > 0 && (!wait_for_room(im, err) || !note_results(im, err)))
        return false;
    intake_start(im->intake);
    if (now.offset > im->log.past.offset && !im->options.dry_run) {
        access_file_digest(im->log.file, whole);
        past_digest(whole, now.offset, now.digest);
        if (!past_advance(im->redis, im->log.first_us, &im->log.past, &now, err))
            return false;
    }
    im->log.past = now;
    settle(im);
    show(im);
    return true;
}

/* ---------------------------------------------------------------------------------------------------------- lines */

/* Of where the line stands and what was asked for, never of who did: it is kept in Redis. */
static void line_id(struct import *im, const struct access_line *line, const char *type, char out[ID_TEXT_BYTES])
{
    int64_t place[3] = {im->log.first_us, access_file_offset(im->log.file), line->time_us};

    digest_start(im->digest);
    for (size_t i = 0; i < ARRAY_LENGTH(place); i++) {
        char text[24];

        digest_part(im->digest, text, (size_t)snprintf(text, sizeof text, "%lld", (long long)place[i]));
    }
    digest_part(im->digest, type, strlen(type));
    digest_part(im->digest, line->path.text, line->path.length);
    digest_end_id(im->digest, out);
}

static void add_event(struct import *im, const struct access_url *url, const struct access_line *line)
{
    struct arena *arena = intake_arena(im->intake);
    const char *type = access_url_event(url);
    struct event e = event_none;
    char id[ID_TEXT_BYTES], time[TIME_TEXT_BYTES];

    line_id(im, line, type, id);
    e.id = span_of(arena_text(arena, id));
    e.source = span_of("access-log");
    e.type = span_of(type);
    e.time_us = line->time_us;
    e.time = span_of(arena_text(arena, time_text(e.time_us, time)));
    im->open_lines[intake_count(im->intake)] = (size_t)access_file_line(im->log.file);
    im->open.events++;
    intake_add_event(im->intake, &e, access_urls_data(im->urls, url, line, personal_prepared(&im->settings, type)));
}

static void take_line(struct import *im, enum line_kind kind, struct span text)
{
    const struct access_url *url;
    struct access_line line;

    im->open.lines++;
    if (kind == LINE_TOO_LONG || !access_line_read(im->form, text, &line)) {
        im->open.unreadable++;
        name_line(im, access_file_line(im->log.file),
                  kind == LINE_TOO_LONG ? "too long" : "not as [access-log] pattern has it");
    } else if ((url = access_urls_find(im->urls, &line))) {
        add_event(im, url, &line);
    }
}

static bool take_lines(struct import *im, struct error *err)
{
    enum line_kind kind;
    struct span text;

    while ((kind = access_file_next(im->log.file, &text, err)) != LINE_END) {
        if (kind == LINE_FAILED)
            return error_in(err, "%s", im->log.path);
        take_line(im, kind, text);
        if ((intake_count(im->intake) == BATCH_EVENTS ||
             access_file_offset(im->log.file) - im->log.past.offset >= BATCH_BYTES) &&
            !finish_batch(im, err))
            return false;
    }
    if (!finish_batch(im, err))
        return false;
    im->settled.unfinished += access_file_cut(im->log.file);
    return true;
}

/* ---------------------------------------------------------------------------------------------------------- files */

static bool import_once(struct import *im, struct error *err)
{
    struct past *pasts = NULL;
    size_t count = 0;

    intake_start(im->intake);
    im->open = (struct import_counts){0};
    arena_reset(im->arena);
    if (!access_log_open(&im->log, im->form, err) ||
        !past_read(im->redis, im->log.first_us, im->arena, &pasts, &count, err))
        return false;
    im->reached = true;
    if (!access_log_resume(&im->log, im->form, pasts, im->options.again ? 0 : count, err))
        return false;
    if (!im->looked)
        im->settled.known_bytes += im->log.past.offset;
    im->looked = true;
    show(im);
    return take_lines(im, err);
}

bool import_first_time(struct import *im, const char *path, int64_t *us, struct error *err)
{
    bool ok;

    im->log.path = path;
    ok = access_log_open(&im->log, im->form, err);
    *us = im->log.first_us;
    access_log_close(&im->log);
    return ok;
}

bool import_file(struct import *im, const char *path, struct error *err)
{
    int64_t before;
    int failures = 0;
    bool ok;

    im->log.path = path;
    im->shown = 0;
    im->looked = false;
    for (;;) {
        before = im->settled.lines;
        ok = import_once(im, err);
        failures = im->settled.lines > before ? 0 : failures + 1;
        if (ok || err->kind != ERROR_AGAIN || !im->reached || access_log_is_standard_input(&im->log) ||
            im->options.again || failures > FAILURES_MOST)
            break;
        log_warn("%s; trying again", err->text);
        usleep((unsigned)(failures < 5 ? 500 << failures : PAUSE_MOST_MS) * 1000);
    }
    access_log_close(&im->log);
    return ok;
}
