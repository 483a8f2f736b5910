#include "handlers/replay/replay.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/json.h"
#include "handlers/archive.h"
#include "handlers/archive/archive_files.h"
#include "handlers/archive/archive_lines.h"
#include "handlers/history.h"
#include "handlers/registry.h"
#include "handlers/replay/replay_history.h"
#include "handlers/replay/replay_position.h"
#include "handlers/replay/replay_select.h"
#include "handlers/replay/replay_send.h"
#include "notifier/archived.h"
#include "notifier/personal.h"
#include "notifier/unique.h"

enum {
    BATCH_EVENTS = 500,
    BATCH_BYTES = 4 * 1024 * 1024,
    BATCH_LINES = 20000, /* read for a batch, also where hardly any is asked for: then the position is noted */
    BACKLOG_EVERY = 10,  /* batches */
    SLICE_MS = 100,
};

struct replay {
    struct replay_options options;
    struct archive_files files; /* none: of a history */
    int64_t total;              /* of a history */
    char id[ID_TEXT_BYTES];
    struct replay_counts counts;
    struct unique *plain; /* the id of an event that needs no preparation */
    struct arena *arena;  /* of the batch */

    struct event *events; /* the batch */
    size_t event_count, event_bytes;
    int64_t lines_read, batches, handed; /* handed: events, since started_ms */
    int64_t started_ms;
};

bool replay_takes(const struct handler_settings *hs, struct error *err)
{
    const struct handler_type *type = handler_type_find(hs->type);

    if (type && !type->handle)
        return error_set(err, ERROR_INPUT, "handler %s (%s) runs by the clock, and takes no events", hs->name,
                         hs->type);
    if (type == &archive_handler)
        return error_set(err, ERROR_INPUT, "handler %s is an archive: it would hold the events twice", hs->name);
    return true;
}

struct replay *replay_new(const struct replay_options *o, struct error *err)
{
    struct replay *r = xcalloc(1, sizeof *r);

    r->options = *o;
    r->arena = arena_new();
    r->events = xcalloc(BATCH_EVENTS, sizeof *r->events);
    replay_choice_id(o, r->id);
    r->plain = unique_new(&(struct unique_options){"", "", ID_DIGEST}, err);
    if (r->plain && (o->history ? replay_history_count(o, &r->total, err)
                                : archive_files_find(o->names, o->name_count, &r->files, err)))
        return r;
    replay_free(r);
    return NULL;
}

void replay_free(struct replay *r)
{
    if (!r)
        return;
    archive_files_release(&r->files);
    unique_free(r->plain);
    arena_free(r->arena);
    free(r->events);
    free(r);
}

const char *replay_id(const struct replay *r)
{
    return r->id;
}

const struct replay_counts *replay_counts(const struct replay *r)
{
    return &r->counts;
}

int64_t replay_total(const struct replay *r)
{
    int64_t total = r->total;

    for (size_t i = 0; i < r->files.count; i++) {
        const struct archive_file *f = &r->files.items[i];

        if (!f->sealed)
            return 0;
        if (archive_file_covers(f, r->options.range))
            total += f->seal.events;
    }
    return total;
}

bool replay_check(struct replay *r, struct clock_run *run, struct error *err)
{
    for (size_t i = 0; i < r->files.count; i++)
        if (!run->may_go_on(run, err) || !archive_file_check(&r->files.items[i], err))
            return false;
    return true;
}

/* ------------------------------------------------------------------------------------------------------- a line */

/*
 * An event of no archive has not been through the door: what its section would do about it cannot be left out. Who it
 * was is taken out of what people are counted by, also where an older archive has it.
 */
static bool complete(struct replay *r, struct event *e, json_t *data, struct error *err)
{
    const struct settings *s = r->options.settings;
    char id[UNIQUE_TEXT_BYTES];

    if (data && personal_counted(s, e->type))
        personal_strip(data);
    if (e->unique.length > 0)
        return true;
    for (size_t i = 0; i < s->event_count; i++)
        if (span_is(e->type, s->events[i].type))
            return error_set(err, ERROR_INPUT,
                             "it is from no archive, and [event %s] says how such events are prepared: send it with "
                             "`crier emit`",
                             s->events[i].type);
    if (!unique_id(r->plain, e, data, id, err))
        return false;
    e->unique = span_of(arena_text(r->arena, id));
    return true;
}

static void name_line(struct replay *r, const char *path, int64_t line, const char *reason)
{
    struct replay_named *n;

    if (r->counts.unreadable++ >= REPLAY_NAMED_MOST)
        return;
    n = &r->counts.named[r->counts.unreadable - 1];
    snprintf(n->path, sizeof n->path, "%s", path);
    snprintf(n->reason, sizeof n->reason, "%s", reason);
    n->line = line;
}

/* Into the batch, where it is one of those asked for. */
static bool take_event(struct replay *r, struct event *e, json_t *data, struct error *err)
{
    if (!replay_selects(&r->options, e))
        return true;
    if (!complete(r, e, data, err))
        return false;
    archived_set_data(e, data, r->arena);
    r->counts.selected++;
    r->event_count++;
    r->event_bytes += e->data.length;
    return true;
}

/* False: it cannot be read. */
static bool take_line(struct replay *r, struct span line, struct error *err)
{
    struct event *e = &r->events[r->event_count];
    json_t *data = NULL;
    bool ok = line.length > 0 ? archived_read(line, JSON_DEPTH_MOST, r->arena, e, &data, err)
                              : error_set(err, ERROR_INPUT, "too long");

    ok = ok && take_event(r, e, data, err);
    json_decref(data);
    return ok;
}

/* The same for a document of a history. */
static bool take_document(struct replay *r, const json_t *document, struct error *err)
{
    struct event *e = &r->events[r->event_count];
    json_t *data = NULL;
    bool ok = !json_object_get(document, HISTORY_LEFT_OUT) ||
              error_set(err, ERROR_INPUT, "its data was too long to be kept (`data` of the handler)");

    ok = ok && archived_read_object(document, r->arena, e, &data, err) && take_event(r, e, data, err);
    json_decref(data);
    return ok;
}

/* ------------------------------------------------------------------------------------------------------- a batch */

/* Not faster than asked for. */
static bool hold_back(struct replay *r, struct clock_run *run, struct error *err)
{
    const struct replay_options *o = &r->options;

    while (o->rate > 0 && !o->dry_run) {
        int64_t ahead_ms = r->handed * 1000 / o->rate - (clock_monotonic_ms() - r->started_ms);

        if (ahead_ms <= 0)
            return true;
        if (!run->may_go_on(run, err))
            return false;
        usleep((useconds_t)((ahead_ms < SLICE_MS ? ahead_ms : SLICE_MS) * 1000));
    }
    return true;
}

static bool note_position(struct replay *r, struct replay_position at, struct error *err)
{
    return r->options.dry_run || !*at.path || text_same(at.path, "-") ||
           replay_position_note(r->options.redis, r->id, at.path, at.line, err);
}

static bool finish_batch(struct replay *r, struct replay_position at, struct clock_run *run, struct error *err)
{
    const struct replay_options *o = &r->options;
    bool look = !o->dry_run && r->event_count > 0 && r->batches++ % BACKLOG_EVERY == 0;

    if (!run->may_go_on(run, err) || (look && !replay_wait(o, run, err)) ||
        !replay_send(o, r->events, r->event_count, r->counts.sent, err) || !note_position(r, at, err))
        return false;
    r->handed += (int64_t)r->event_count;
    run->did(run, r->lines_read);
    r->event_count = r->event_bytes = 0;
    r->lines_read = 0;
    arena_reset(r->arena);
    return hold_back(r, run, err);
}

/* ------------------------------------------------------------------------------------------------------ the files */

static bool is_full(const struct replay *r)
{
    const struct replay_options *o = &r->options;
    size_t most = o->rate > 0 && o->rate < BATCH_EVENTS ? (size_t)o->rate : BATCH_EVENTS;

    return r->event_count >= most || r->event_bytes >= BATCH_BYTES || r->lines_read >= BATCH_LINES;
}

/* What is broken at the end of an open file is being written, or was torn and comes again. */
static bool read_lines(struct replay *r, const struct archive_file *f, struct archive_lines *lines, int64_t after,
                       struct clock_run *run, struct error *err)
{
    struct error broken = ERROR_INIT;
    int64_t number = 0, broken_at = 0;
    bool ended = false;
    struct span line;

    for (;;) {
        if (!archive_lines_next(lines, &line, &number, &ended, err))
            return false;
        if (broken_at > 0 && !(ended && f->open))
            name_line(r, f->path, broken_at, broken.text);
        broken_at = 0;
        if (ended)
            return finish_batch(r, (struct replay_position){f->path, number}, run, err);
        if (number <= after)
            continue;
        r->counts.lines++;
        r->lines_read++;
        if (!take_line(r, line, &broken))
            broken_at = number;
        if (is_full(r) && !finish_batch(r, (struct replay_position){f->path, number}, run, err))
            return false;
    }
}

static bool read_file(struct replay *r, const struct archive_file *f, int64_t after, struct clock_run *run,
                      struct error *err)
{
    struct archive_lines *lines;
    bool ok;

    if (!archive_file_covers(f, r->options.range))
        return true;
    lines = archive_lines_open(f->path, err);
    ok = lines && read_lines(r, f, lines, after, run, err);
    archive_lines_close(lines);
    r->counts.files += ok;
    return ok;
}

/* Where the same replay was cut off. */
static bool find_start(struct replay *r, size_t *file, int64_t *after, struct error *err)
{
    struct replay_position at;
    bool same;

    *file = 0;
    *after = 0;
    if (!r->options.resume)
        return true;
    if (!replay_position_read(r->options.redis, r->id, r->arena, &at, err))
        return false;
    if (!*at.path)
        return true;
    *file = archive_files_at(&r->files, at.path, &same);
    *after = same ? at.line : 0;
    r->counts.resumed_at = at.line;
    return true;
}

static bool read_files(struct replay *r, struct clock_run *run, struct error *err)
{
    size_t first;
    int64_t after;

    if (!find_start(r, &first, &after, err))
        return false;
    for (size_t i = first; i < r->files.count; i++) {
        if (!read_file(r, &r->files.items[i], i == first ? after : 0, run, err))
            return false;
    }
    return true;
}

/* ----------------------------------------------------------------------------------------------------- the history */

static bool read_documents(struct replay *r, struct replay_history *h, struct clock_run *run, struct error *err)
{
    const json_t *document = NULL;
    struct replay_position at;

    while (replay_history_next(h, &document, &at, err)) {
        struct error broken = ERROR_INIT;

        if (!document)
            return finish_batch(r, (struct replay_position){"", 0}, run, err);
        r->counts.lines++;
        r->lines_read++;
        if (!take_document(r, document, &broken))
            name_line(r, json_member_text(document, "id", at.path), 0, broken.text);
        if (is_full(r) && !finish_batch(r, at, run, err))
            return false;
    }
    return false;
}

static bool read_history(struct replay *r, struct clock_run *run, struct error *err)
{
    struct replay_position after = {.path = ""};
    struct replay_history *h;
    bool ok;

    if (r->options.resume && !replay_position_read(r->options.redis, r->id, r->arena, &after, err))
        return false;
    r->counts.resumed_at = *after.path ? after.line : 0;
    h = replay_history_open(&r->options, &after);
    ok = read_documents(r, h, run, err);
    replay_history_close(h);
    return ok;
}

bool replay_run(struct replay *r, struct clock_run *run, struct error *err)
{
    r->started_ms = clock_monotonic_ms();
    if (!(r->options.history ? read_history : read_files)(r, run, err))
        return false;
    return r->options.dry_run || replay_position_forget(r->options.redis, r->id, err);
}
