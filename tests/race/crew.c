#include "race/crew.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"

static struct handler *open_handler(const struct crew *c)
{
    struct error err;
    struct handler *h = handler_new(c->settings, c->handler, &err);

    if (!h) {
        fprintf(stderr, "the crew: %s\n", err.text);
        abort();
    }
    return h;
}

void crew_begin(struct crew *c, const struct settings *s, const char *handler, struct actor *const actors[CREW])
{
    c->settings = s;
    c->handler = settings_handler(s, handler);
    for (size_t i = 0; i < CREW; i++) {
        struct crew_member *m = &c->members[i];

        *m = (struct crew_member){.crew = c, .actor = actors[i], .arena = arena_new(), .by_clock = i >= WORKERS};
        m->handler = open_handler(c);
    }
}

void crew_end(struct crew *c)
{
    for (size_t i = 0; i < CREW; i++) {
        handler_free(c->members[i].handler);
        arena_free(c->members[i].arena);
    }
}

bool crew_has_clock(const struct crew *c)
{
    return c->members[WORKERS].handler->type->run != NULL;
}

/* ------------------------------------------------------------------------------------------------ events in hand */

static bool waits(const struct change *e, bool held)
{
    return !e->done && (e->holders == 0 || (held && e->holders == 1));
}

size_t crew_waiting(const struct crew *c, bool held)
{
    size_t count = 0;

    for (size_t i = 0; i < c->platform->change_count; i++)
        count += waits(&c->platform->changes[i], held);
    return count;
}

static struct event event_of(const struct platform *p, size_t number, struct arena *arena)
{
    const struct change *change = &p->changes[number];
    const struct subject_row *s = &p->subjects[change->subject];
    char name[NAME_BYTES], now[TIME_TEXT_BYTES];
    struct event e = event_none;

    platform_name(s, change->revision, name);
    e.id = e.unique = span_of(arena_printf(arena, "%s-%zu", s->id, number));
    e.source = span_of("https://repository.example.org");
    e.type = span_of(change->deleted ? "user.deleted" : "user.updated");
    e.subject = span_of(arena_printf(arena, "users/%s", s->id));
    e.time = span_of(arena_text(arena, time_text(change->time_us, now)));
    e.time_us = change->time_us;
    e.revision = p->shape->no_revision ? REVISION_NONE : change->revision;
    if (!change->deleted)
        e.data = span_of(arena_printf(arena, "{\"full_name\":\"%s\"}", name));
    return e;
}

static void take_change(struct crew_member *m, size_t number)
{
    struct platform *p = m->crew->platform;
    struct delivery *d = &m->batch.items[m->batch.count];

    *d = (struct delivery){
        .id = {1, number},
          .event = event_of(p, number, m->arena)
    };
    m->held[m->batch.count++] = number;
    p->changes[number].holders++;
    trace_line(m->crew->trace, actor_name(m->actor), "takes %.*s at %" PRId64, (int)d->event.subject.length,
               d->event.subject.text, d->event.revision);
}

/* At least one; others are passed over now and then, as they come with a later batch. */
static void take_batch(struct crew_member *m, bool held)
{
    struct platform *p = m->crew->platform;

    m->batch = (struct batch){m->arena, arena_zero(m->arena, BATCH_MOST * sizeof *m->batch.items), 0};
    while (m->batch.count == 0)
        for (size_t i = 0; i < p->change_count && m->batch.count < BATCH_MOST; i++)
            if (waits(&p->changes[i], held) && !chance(p->choice, 3))
                take_change(m, i);
}

static void put_back(struct crew_member *m)
{
    struct platform *p = m->crew->platform;

    for (size_t i = 0; i < m->batch.count; i++) {
        struct change *e = &p->changes[m->held[i]];
        const struct delivery *d = &m->batch.items[i];

        e->holders--;
        if (actor_was_cut(m->actor))
            continue;
        e->done = e->done || d->outcome == OUTCOME_DONE;
        trace_line(m->crew->trace, actor_name(m->actor), "%.*s at %" PRId64 ": outcome %d %s",
                   (int)d->event.subject.length, d->event.subject.text, d->event.revision, d->outcome,
                   d->reason ? d->reason : "");
        if (d->outcome == OUTCOME_DEAD)
            trace_wrong(m->crew->trace, "a dead letter: %s %s", d->reason, d->reply);
    }
    m->batch.count = 0;
}

/* -------------------------------------------------------------------------------------------------------- at work */

static bool may_go_on(struct clock_run *run, struct error *err)
{
    (void)run;
    if (actor_stop("lease") != ORDER_GO)
        return error_set(err, ERROR_AGAIN, "the process was killed");
    return true;
}

static void did(struct clock_run *run, int64_t items)
{
    (void)run;
    (void)items;
}

static void work(void *context)
{
    struct crew_member *m = context;
    struct clock_run run = {.may_go_on = may_go_on, .did = did};
    const struct handler_type *type = m->handler->type;

    m->ok = m->by_clock ? type->run(m->handler, &run, &m->err) : type->handle(m->handler, &m->batch, &m->err);
}

void crew_start(struct crew *c, size_t member, bool held)
{
    struct crew_member *m = &c->members[member];

    arena_reset(m->arena);
    m->slept = false;
    m->waits_since = c->trace->turn;
    m->sleeps_until = 0;
    if (!m->by_clock)
        take_batch(m, held);
    trace_line(c->trace, actor_name(m->actor), "begins");
    actor_start(m->actor, work, m);
}

static void end_work(struct crew_member *m)
{
    bool cut = actor_was_cut(m->actor);

    if (!cut && !m->ok) {
        trace_line(m->crew->trace, actor_name(m->actor), "fails: %s", m->err.text);
        if (m->err.kind != ERROR_AGAIN)
            trace_wrong(m->crew->trace, "%s: %s", actor_name(m->actor), m->err.text);
    }
    put_back(m);
    trace_line(m->crew->trace, actor_name(m->actor), "%s", cut ? "is killed" : "ends");
    if (!cut)
        return;
    handler_free(m->handler);
    m->handler = open_handler(m->crew);
}

void crew_go(struct crew *c, size_t member, enum order order)
{
    struct crew_member *m = &c->members[member];

    trace_line(c->trace, actor_name(m->actor), "%s%s", actor_next(m->actor),
               order == ORDER_GO           ? ""
               : order == ORDER_CUT_BEFORE ? " (killed before)"
                                           : " (killed after)");
    actor_go(m->actor, order);
    m->waits_since = c->trace->turn;
    if (!actor_works(m->actor))
        end_work(m);
}
