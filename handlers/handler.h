/*
 * handlers/handler.h - what a handler is: a struct of functions, its keys, and one line in handlers/registry.c.
 *
 * There are two kinds. Most take events (handle); those with KIND_CLOCK run by the clock (run), one process at a time.
 * One with KIND_LATER does both: what handle leaves for later is done by run, soon, whatever the handler's schedule.
 *
 * handle gets a batch and gives every delivery an outcome. What it does must be safe to repeat: after a crash the same
 * events come again. Deliveries that have an outcome already are not the handler's. It returns false (ERROR_AGAIN) when
 * its peer is away or refuses as a whole: deliveries that have an outcome by then keep it, the others stay in hand, the
 * handler pauses and gets them again; no event loses a try. Memory that a pass needs comes from the batch's arena.
 */
#ifndef HANDLERS_HANDLER_H
#define HANDLERS_HANDLER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/attrs.h"
#include "base/error.h"
#include "base/redis.h"
#include "config/settings.h"
#include "indexer/bulk.h"
#include "indexer/client.h"
#include "notifier/batch.h"

/*
 * A run by the clock, as a handler sees it. Between pages of work it asks whether it may go on: that keeps the lease
 * that only one process holds, and ends the run where another took over or a stop is wanted (ERROR_AGAIN).
 */
struct clock_run {
    bool (*may_go_on)(struct clock_run *run, struct error *err);
    void (*did)(struct clock_run *run, int64_t items); /* for progress: so many keys, documents ... were done */
};

struct handler {
    const struct handler_type *type;
    const struct settings *settings;
    const struct handler_settings *common; /* what every handler has: name, queue, batch ... */
    const void *options;                   /* the struct that type->keys describes */
    struct client *client;                 /* this lane's own */
    struct redis *redis;                   /* likewise */
    void *state;                           /* the handler's, made by open */
};

struct handler_type {
    const char *name, *help;
    const struct config_key *keys; /* rows that fill its own struct of options */
    size_t size;                   /* of that struct */
    unsigned traits;               /* KIND_... */
    const char *schedule;          /* where its section names none; NULL: as for all */

    /* Whether the options fit together, for `crier check`. NULL: each is good by itself. */
    bool (*check)(const void *options, struct error *err);

    /* Whether they fit to the other sections: names of other handlers and the like. NULL: there are none. */
    bool (*fits)(const struct settings *s, const struct handler_settings *hs, struct error *err);

    /*
     * Whether they fit to what the servers have, for `crier check --online`. notes: what is no mistake, a line each.
     * NULL: nobody is asked.
     */
    bool (*online)(const void *options, struct client *c, struct buf *notes, struct error *err);

    /* Before the first event, by one lane: templates and the like. NULL: nothing to do. Safe to repeat. */
    bool (*install)(struct handler *h, struct error *err);
    bool (*open)(struct handler *h, struct error *err);
    bool (*handle)(struct handler *h, struct batch *in, struct error *err);

    /*
     * KIND_CLOCK, instead of handle, or KIND_LATER, beside it and by an instance of its own: all that is due by now.
     * False: ERROR_AGAIN, what is left is done next time.
     */
    bool (*run)(struct handler *h, struct clock_run *run, struct error *err);

    /* KIND_LATER: how many subjects wait for run (for status). */
    bool (*later)(struct redis *r, const struct handler_settings *hs, int64_t *count, struct error *err);

    /* What there is to say of it in `crier status`: a line for people, or a JSON value. NULL: nothing. */
    bool (*tell)(struct redis *r, const struct handler_settings *hs, bool json, struct buf *out, struct error *err);
    void (*close)(struct handler *h); /* also after an open that failed */
};

/* One instance, for one lane. The client is the handler's own. NULL: ERROR_CONFIG. */
struct handler *handler_new(const struct settings *s, const struct handler_settings *hs, struct error *err) must_check;
void handler_free(struct handler *h);

/* The check of a type as one of its [handler] section. */
bool handler_check(const void *handler_settings, struct error *err);

/* The same for `fits`, once all sections are read. */
bool handler_fits(const struct settings *s, const struct handler_settings *hs, struct error *err);

/* The same for `online`. */
bool handler_online(const struct handler_settings *hs, struct client *c, struct buf *notes, struct error *err);

/* The first handler of that type; NULL: none. */
const struct handler_settings *handler_first(const struct settings *s, const struct handler_type *type);

/* The handler of that name and type. NULL: ERROR_CONFIG, which says what name may be meant. */
const struct handler_settings *handler_named(const struct settings *s, const char *name,
                                             const struct handler_type *type, struct error *err) must_check;

/*
 * The index template of what a handler writes, for its install: named for the pattern, so that handlers which share
 * one share the template. What was installed is said in the log; so is a template that drifted, which is also counted.
 */
struct template;
bool handler_install_template(struct handler *h, const struct template *index, const char *body,
                              struct error *err) must_check;

/* The outcome that a bulk's item means for the event behind it; OUTCOME_NONE for one that was not sent. */
void handler_settle(struct batch *b, struct delivery *d, const struct bulk_item *item);

#endif
