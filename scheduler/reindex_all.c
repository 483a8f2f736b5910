/* `crier reindex --all`: every index that a handler writes to, what would be done with it, and how long it takes. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/listing.h"
#include "handlers/handler.h"
#include "handlers/reindex/new_index.h"
#include "handlers/written.h"
#include "indexer/indices.h"
#include "scheduler/reindex_call.h"

#define ALL_KEY "crier:{reindex}:all" /* when the one that is not finished began */

enum { RATE_ASSUMED = 5000 /* documents a second, where none was measured */ };

/* How documents of a type come anew. */
static const struct way {
    const char *type, *command; /* command NULL: a reindex; "": never */
} ways[] = {
    {"denormalize",  NULL                      },
    {"record",       NULL                      },
    {"record-stats", NULL                      },
    {"aggregate",    "crier aggregations run"  },
    {"statistics",   "crier statistics reindex"},
    {"audit",        ""                        },
    {"history",      ""                        },
};

struct unit {
    const struct handler_settings *handler;
    char index[INDEX_NAME_BYTES]; /* as the handler has it */
    const char *source;           /* NULL: the index itself */
    const char *command;          /* another one; NULL: this one */
    const char *why_not;          /* NULL: it can be done */
    int64_t documents;
};

struct units {
    struct unit *items;
    size_t count;
    int64_t per_second; /* what was measured last; 0: nothing was */
    int64_t began_us;   /* of the one to go on with; 0: there is none */
};

/* ---------------------------------------------------------------------------------------------- what there is */

static const struct way *way_of(const struct handler_settings *hs)
{
    for (size_t i = 0; i < ARRAY_LENGTH(ways); i++)
        if (text_same(ways[i].type, hs->type))
            return &ways[i];
    return NULL;
}

static struct unit *unit_of(struct units *u, const char *index)
{
    for (size_t i = 0; i < u->count; i++)
        if (text_same(u->items[i].index, index))
            return &u->items[i];
    return NULL;
}

static const char *source_of(const struct handler_settings *hs)
{
    const char *source = handler_option_text(hs, "source");

    return text_same(hs->type, "record") && *source && !text_same(source, "payload") ? source : NULL;
}

/* Several handlers may write to one index: the one that knows where its documents come from counts. */
static void add_unit(struct units *u, const struct handler_settings *hs, const struct way *way)
{
    const char *index = handler_option_text(hs, "index");
    struct unit *one = *index ? unit_of(u, index) : NULL;

    if (!*index)
        return;
    if (one) {
        one->source = one->source ? one->source : source_of(hs);
        return;
    }
    u->items = xrealloc(u->items, (u->count + 1) * sizeof *u->items);
    one = &u->items[u->count++];
    *one = (struct unit){.handler = hs, .source = source_of(hs), .command = way->command};
    snprintf(one->index, sizeof one->index, "%s", index);
    if (way->command && !*way->command)
        one->why_not = "what was written stays as it was";
    else if (!way->command && strpbrk(index, "{*,"))
        one->why_not = "it stands for several indices: name them one by one";
}

static bool look_at(struct client *c, struct unit *one, struct error *err)
{
    char old[INDEX_NAME_BYTES];
    bool by_alias;

    if (one->command || one->why_not)
        return true;
    if (!new_index_find_old(c, one->index, old, &by_alias, err)) {
        one->why_not = "it stands for several indices: name them one by one";
        return err->kind == ERROR_INPUT || error_in(err, "%s", one->index);
    }
    if (!old[0])
        one->why_not = "it is not there";
    else if (!by_alias)
        one->why_not = "no alias leads to it";
    return one->why_not || indices_count(c, one->index, NULL, &one->documents, err);
}

static void note_rate(const struct rebuild_state *s, void *context)
{
    struct units *u = context;

    if (s->per_second > u->per_second)
        u->per_second = s->per_second;
}

static bool read_began(struct reindex_call *c, struct units *u, struct error *err)
{
    struct arena *arena = arena_new();
    const struct reply *reply;
    bool ok = redis_do(c->redis, arena, &reply, err, "GET " ALL_KEY);

    u->began_us = ok && reply->kind == REPLY_TEXT ? strtoll(reply->text, NULL, 10) : 0;
    arena_free(arena);
    return ok;
}

static bool find_units(struct reindex_call *c, struct units *u, struct error *err)
{
    const struct settings *s = c->call->settings;
    struct client *client = client_new(&s->opensearch);
    bool ok = rebuild_state_each(c->redis, note_rate, u, err) && read_began(c, u, err);

    for (size_t i = 0; i < s->handler_count; i++)
        if (way_of(&s->handlers[i]))
            add_unit(u, &s->handlers[i], way_of(&s->handlers[i]));
    for (size_t i = 0; ok && i < u->count; i++)
        ok = look_at(client, &u->items[i], err);
    client_free(client);
    return ok;
}

/* ------------------------------------------------------------------------------------------------- the listing */

static int64_t seconds_for(const struct reindex_call *c, const struct units *u, const struct unit *one)
{
    int64_t rate = u->per_second ? u->per_second : RATE_ASSUMED;

    if (c->options.rate && c->options.rate < rate)
        rate = c->options.rate;
    return (one->documents + rate - 1) / rate;
}

static void list_units(const struct reindex_call *c, const struct units *u)
{
    struct listing *l = listing_new("index handler source documents seconds what");

    for (size_t i = 0; i < u->count; i++) {
        const struct unit *one = &u->items[i];
        const char *what = one->why_not ? one->why_not : one->command ? one->command : "crier reindex";

        listing_text(l, one->index);
        listing_text(l, one->handler->name);
        listing_text(l, one->source ? one->source : "index");
        listing_int(l, one->documents);
        listing_int(l, seconds_for(c, u, one));
        listing_text(l, what);
    }
    listing_write(l, stdout, c->call->json);
    listing_free(l);
    if (!c->call->json)
        printf("seconds at %lld documents a second, as %s\n", (long long)(u->per_second ? u->per_second : RATE_ASSUMED),
               u->per_second ? "measured" : "assumed");
}

/* ----------------------------------------------------------------------------------------------------- doing it */

static bool note_began(struct reindex_call *c, struct units *u, struct error *err)
{
    struct arena *arena = arena_new();
    const struct reply *reply;
    bool ok;

    u->began_us = u->began_us ? u->began_us : clock_wall_us();
    ok = redis_do(c->redis, arena, &reply, err, "SET " ALL_KEY " %lld", (long long)u->began_us);
    arena_free(arena);
    return ok;
}

static bool forget_began(struct reindex_call *c, struct error *err)
{
    struct arena *arena = arena_new();
    const struct reply *reply;
    bool ok = redis_do(c->redis, arena, &reply, err, "DEL " ALL_KEY);

    arena_free(arena);
    return ok;
}

/* Whether this one was finished since all of it began. */
static bool is_done(struct reindex_call *c, const struct units *u, const struct unit *one, bool *done,
                    struct error *err)
{
    struct rebuild_state s;
    bool found, ok;

    rebuild_state_init(&s);
    ok = rebuild_state_load(c->redis, one->index, &s, &found, err);
    *done = ok && found && s.phase == REBUILD_DONE && s.started_us >= u->began_us;
    rebuild_state_release(&s);
    return ok;
}

static bool do_unit(struct reindex_call *c, const struct units *u, const struct unit *one, int64_t *skipped,
                    struct error *err)
{
    int64_t some = 0;
    bool done, ok;

    if (one->why_not || one->command)
        return true;
    if (!is_done(c, u, one, &done, err) || done)
        return done;
    c->options.index = one->index;
    c->options.source = one->source;
    ok = reindex_rebuild(c, &some, err);
    *skipped += some;
    return ok;
}

static bool do_all(struct reindex_call *c, struct units *u, int64_t *skipped, struct error *err)
{
    bool ok = note_began(c, u, err);

    for (size_t i = 0; ok && i < u->count; i++)
        ok = do_unit(c, u, &u->items[i], skipped, err) || error_in(err, "%s", u->items[i].index);
    return ok && forget_began(c, err);
}

int reindex_all(struct reindex_call *c)
{
    struct units u = {0};
    struct error err;
    int64_t skipped = 0;
    bool ok = find_units(c, &u, &err);

    if (ok && (!c->yes || c->call->dry_run)) {
        list_units(c, &u);
        if (!c->call->json)
            puts(u.began_us ? "--yes goes on with what was begun" : "--yes does it, one after the other");
    } else if (ok) {
        ok = do_all(c, &u, &skipped, &err);
    }
    free(u.items);
    if (!ok)
        return verb_failed("reindex", &err);
    return skipped ? EXIT_PART_FAILED : EXIT_DONE;
}
