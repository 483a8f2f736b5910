/* `crier reindex`: an index made anew while it is in use, looked at and given up. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/listing.h"
#include "notifier/service_event.h"
#include "notifier/verb_deed.h"
#include "scheduler/reindex_call.h"
#include "scheduler/verbs.h"

enum { RATE_MOST = 10000000, PARALLEL_MOST = 64 };

/* ---------------------------------------------------------------------------------------------------- options */

static bool read_number(struct verb_call *call, const char *name, int64_t most, int64_t *number, struct error *err)
{
    const char *text;

    if (!verb_option(call, name, &text))
        return true;
    return (text && text_int(text, strlen(text), number) && *number >= 1 && *number <= most) ||
           error_set(err, ERROR_INPUT, "--%s needs a number from 1 to %lld", name, (long long)most);
}

static bool read_text(struct verb_call *call, const char *name, const char **value, struct error *err)
{
    return !verb_option(call, name, value) || (*value && **value) ||
           error_set(err, ERROR_INPUT, "--%s lacks its value", name);
}

static bool read_texts(struct verb_call *call, struct reindex_call *c, struct error *err)
{
    return read_text(call, "into", &c->options.into, err) && read_text(call, "source", &c->options.source, err) &&
           read_text(call, "ids", &c->ids, err) && read_text(call, "query", &c->query, err) &&
           read_text(call, "since", &c->since, err) && read_text(call, "only", &c->only, err);
}

static bool read_options(struct verb_call *call, struct reindex_call *c, struct error *err)
{
    struct rebuild_options *o = &c->options;
    const char *unknown;

    o->drop = verb_option(call, "drop", NULL);
    if (verb_option(call, "keep", NULL) && o->drop)
        return error_set(err, ERROR_INPUT, "either --keep or --drop");
    o->resume = verb_option(call, "resume", NULL);
    c->all = verb_option(call, "all", NULL);
    c->relations = verb_option(call, "relations", NULL);
    c->yes = verb_option(call, "yes", NULL);
    if (!read_texts(call, c, err) || !read_number(call, "rate", RATE_MOST, &o->rate, err) ||
        !read_number(call, "parallel", PARALLEL_MOST, &o->parallel, err))
        return false;
    if (c->only && !text_same(c->only, "stale"))
        return error_set(err, ERROR_INPUT, "--only takes \"stale\"");
    unknown = verb_unknown_option(call);
    return !unknown || error_set(err, ERROR_INPUT, "there is no option %s", unknown);
}

/* ------------------------------------------------------------------------------------------------------ one run */

bool reindex_say(const struct reindex_call *c, const char *type, const char *alias, json_t *data, struct error *err)
{
    struct buf subject = BUF_INIT;
    bool ok;

    buf_printf(&subject, "indices/%s", alias);
    ok = service_event_send(c->call->settings, c->redis, type, subject.data, NULL, data, err);
    buf_release(&subject);
    return ok;
}

static json_t *data_of(const struct rebuild_state *s)
{
    return json_pack("{s:s, s:s, s:s, s:I, s:I, s:I, s:s}", "old", s->old, "into", s->into, "source", s->source, "done",
                     (json_int_t)s->done, "total", (json_int_t)s->total, "skipped", (json_int_t)s->skipped, "phase",
                     rebuild_phase_name(s->phase));
}

/* That it begins is true however it ends: the end is an event of its own. */
static bool say(const struct reindex_call *c, const char *type, const struct rebuild_state *s, const char *reason,
                struct error *err)
{
    json_t *data = data_of(s);

    if (reason) {
        json_object_set_new(data, "outcome", json_string("failure"));
        json_object_set_new(data, "reason", json_string(reason));
    }
    return reindex_say(c, type, s->alias, data, err);
}

static void print_plan(const struct reindex_call *c, const struct rebuild_state *s, bool resumed)
{
    struct listing *l = listing_new("index old into source documents done phase");

    listing_text(l, s->alias);
    listing_text(l, s->old);
    listing_text(l, s->into);
    listing_text(l, s->source);
    listing_int(l, s->total);
    listing_int(l, s->done);
    listing_text(l, resumed ? rebuild_phase_name(s->phase) : NULL);
    listing_write(l, stdout, c->call->json);
    listing_free(l);
}

static void print_end(const struct reindex_call *c, const struct rebuild_state *s)
{
    int64_t seconds = (s->updated_us - s->started_us) / US_PER_SECOND;
    json_t *all;

    if (!c->call->json) {
        printf("%s is %s now: %lld documents in %lld s\n", s->alias, s->into, (long long)s->done, (long long)seconds);
        if (s->old[0])
            printf(s->drop ? "the old index %s is removed\n" : "the old index %s is kept; it gets nothing more\n",
                   s->old);
        return;
    }
    all = json_pack("{s:s, s:s, s:s, s:b, s:s, s:I, s:I}", "index", s->alias, "into", s->into, "old", s->old,
                    "old_kept", s->old[0] && !s->drop, "source", s->source, "documents", (json_int_t)s->done, "seconds",
                    (json_int_t)seconds);
    json_dumpf(all, stdout, JSON_COMPACT);
    putchar('\n');
    json_decref(all);
}

/* Said for the audit before and after; where the end cannot be said, the work is done all the same. */
static bool run_leased(struct reindex_call *c, struct rebuild *r, struct clock_run *below, bool resumed,
                       struct error *err)
{
    const struct rebuild_state *s = &r->state;
    struct error ignored;
    bool ok;

    if (!say(c, resumed ? "reindex.resumed" : "reindex.started", s, NULL, err))
        return false;
    ok = rebuild_run(r, below, err);
    if (ok && s->phase == REBUILD_DONE)
        return say(c, "reindex.finished", s, NULL, err);
    if (ok)
        return error_set(err, ERROR_INPUT, "given up by `crier reindex cancel`; %s is as it was", s->alias);
    if (!say(c, "reindex.failed", s, err->text, &ignored))
        error_in(err, "%s", ignored.text);
    return false;
}

bool reindex_lease(struct reindex_call *c, struct long_work *work, const char *alias, struct error *err)
{
    struct buf name = BUF_INIT;
    struct error ignored;
    bool taken = false, ok;

    buf_printf(&name, "rebuild:%s", alias);
    ok = long_work_lease(work, c->redis, name.data, err);
    if (!ok && lease_is_taken(c->redis, name.data, &taken, &ignored) && taken)
        error_set(err, ERROR_INPUT, "a reindex of %s is running, `crier reindex status` shows it", alias);
    buf_release(&name);
    return ok;
}

/* What was read before the lease was there may be old by now: it is read again. */
static bool run_one(struct reindex_call *c, struct rebuild *r, struct error *err)
{
    struct long_work work;
    bool resumed, ok;

    long_work_start(&work, "documents", r->state.total - r->state.done, c->call->json);
    ok = reindex_lease(c, &work, r->state.alias, err);
    if (ok) {
        rebuild_close(r);
        ok = rebuild_open(r, c->call->settings, c->redis, &c->options, &resumed, err) &&
             run_leased(c, r, &work.run, resumed, err);
    }
    long_work_end(&work);
    return ok;
}

bool reindex_rebuild(struct reindex_call *c, int64_t *skipped, struct error *err)
{
    struct rebuild r;
    bool resumed, ok = rebuild_open(&r, c->call->settings, c->redis, &c->options, &resumed, err);

    if (ok && c->call->dry_run)
        print_plan(c, &r.state, resumed);
    else if (ok && (ok = run_one(c, &r, err)))
        print_end(c, &r.state);
    *skipped = ok ? r.state.skipped : 0;
    if (*skipped)
        fprintf(stderr, "%lld documents cannot be had from the source, the first: %s\n", (long long)*skipped,
                r.state.wrong);
    rebuild_close(&r);
    return ok;
}

static int reindex_one(struct reindex_call *c)
{
    struct error err;
    int64_t skipped;

    if (c->relations)
        return reindex_relations(c);
    if (c->ids || c->query || c->since || c->only)
        return reindex_in_place(c);
    if (!reindex_rebuild(c, &skipped, &err))
        return verb_failed("reindex", &err);
    return skipped ? EXIT_PART_FAILED : EXIT_DONE;
}

/* -------------------------------------------------------------------------------------------------------- status */

struct shown {
    const struct reindex_call *call;
    struct listing *listing;
    struct error err; /* ERROR_NONE: all is well */
};

static int64_t seconds_left(const struct rebuild_state *s)
{
    return s->per_second > 0 && s->total > s->done ? (s->total - s->done + s->per_second - 1) / s->per_second : 0;
}

static void show_one(const struct rebuild_state *s, void *context)
{
    struct shown *x = context;
    char name[INDEX_NAME_BYTES + 16], time[TIME_TEXT_BYTES];
    bool running = false;

    if (x->call->options.index && !text_same(x->call->options.index, s->alias))
        return;
    snprintf(name, sizeof name, "rebuild:%s", s->alias);
    if (x->err.kind == ERROR_NONE && !lease_is_taken(x->call->redis, name, &running, &x->err))
        return;
    listing_text(x->listing, s->alias);
    listing_text(x->listing, rebuild_phase_name(s->phase));
    listing_json(x->listing, running ? "true" : "false");
    listing_int(x->listing, s->done);
    listing_int(x->listing, s->total);
    listing_int(x->listing, s->per_second);
    listing_int(x->listing, seconds_left(s));
    listing_text(x->listing, s->source);
    listing_text(x->listing, s->into);
    listing_text(x->listing, time_text(s->updated_us, time));
    listing_text(x->listing, s->failure[0] ? s->failure : NULL);
}

static int show_status(struct reindex_call *c)
{
    struct shown x = {c,
                      listing_new("index phase running done total per_second seconds_left source into updated failure"),
                      ERROR_INIT};
    struct error err;
    bool ok = rebuild_state_each(c->redis, show_one, &x, &err);

    if (ok && x.err.kind != ERROR_NONE) {
        err = x.err;
        ok = false;
    }
    if (ok)
        listing_write(x.listing, stdout, c->call->json);
    listing_free(x.listing);
    return ok ? EXIT_DONE : verb_failed("reindex", &err);
}

/* -------------------------------------------------------------------------------------------------------- cancel */

/* Nobody is at it: the one who was ended, with or without having taken away what it began. */
static bool take_away(struct reindex_call *c, struct error *err)
{
    struct rebuild r;
    struct error failure;
    bool resumed, ok = rebuild_open(&r, c->call->settings, c->redis, &c->options, &resumed, &failure);

    if (ok && resumed)
        ok = rebuild_give_up(&r, &failure);
    else
        ok = true;
    if (!ok) {
        *err = failure;
        if (!rebuild_cancel_forget(c->redis, r.state.alias, &failure))
            error_in(err, "%s", failure.text);
    }
    rebuild_close(&r);
    return ok;
}

static bool begin_cancelling(const struct reindex_call *c, const struct rebuild_state *s, struct error *err)
{
    struct buf subject = BUF_INIT;
    bool ok;

    buf_printf(&subject, "indices/%s", s->alias);
    ok = verb_deed_begin(c->call->settings, "reindex.cancelled", subject.data, data_of(s), err);
    buf_release(&subject);
    return ok;
}

static bool cancel(struct reindex_call *c, const struct rebuild_state *s, struct error *err)
{
    struct long_work work;
    bool ok;

    if (!begin_cancelling(c, s, err) || !rebuild_cancel_ask(c->redis, s->alias, err))
        return false;
    long_work_start(&work, "cancel", 0, true);
    ok = reindex_lease(c, &work, s->alias, err) && take_away(c, err);
    long_work_end(&work);
    return ok;
}

static int cancel_one(struct reindex_call *c)
{
    struct rebuild_state s;
    struct error err;
    bool found, ok;

    rebuild_state_init(&s);
    ok = rebuild_state_load(c->redis, c->options.index, &s, &found, &err);
    if (ok && (!found || s.phase == REBUILD_DONE))
        ok = error_set(&err, ERROR_INPUT, "no reindex of %s is under way", c->options.index);
    ok = ok && cancel(c, &s, &err);
    if (ok && c->call->json)
        printf("{\"index\":\"%s\",\"cancelled\":true}\n", s.alias);
    else if (ok)
        printf("the reindex of %s is given up; %s is gone\n", s.alias, s.into);
    rebuild_state_release(&s);
    return ok ? EXIT_DONE : verb_failed("reindex", &err);
}

int verb_reindex(struct verb_call *call)
{
    struct reindex_call c = {.call = call};
    struct error err;
    bool status, cancels;
    int code;

    if (!read_options(call, &c, &err))
        return verb_usage("reindex", err.text);
    status = call->argc > 0 && text_same(call->argv[0], "status");
    cancels = call->argc > 0 && text_same(call->argv[0], "cancel");
    if (c.all && (call->argc > 0 || c.options.into || c.options.source || c.ids || c.query || c.since || c.only))
        return verb_usage("reindex", "--all goes with --yes, --rate, --parallel and --drop only");
    if (c.all) {
        c.redis = settings_redis(call->settings);
        code = reindex_all(&c);
        redis_free(c.redis);
        return code;
    }
    if (status ? call->argc > 2 : call->argc != (cancels ? 2 : 1))
        return verb_usage("reindex", "INDEX | status [INDEX] | cancel INDEX");
    c.options.index = status || cancels ? (call->argc > 1 ? call->argv[1] : NULL) : call->argv[0];
    c.redis = settings_redis(call->settings);
    code = status ? show_status(&c) : cancels ? cancel_one(&c) : reindex_one(&c);
    redis_free(c.redis);
    return code;
}
