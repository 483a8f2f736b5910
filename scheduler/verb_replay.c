/* `crier replay`: what an archive or a history holds goes through chosen handlers once more. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/json.h"
#include "base/text.h"
#include "handlers/replay/replay.h"
#include "notifier/pattern.h"
#include "notifier/verb_deed.h"
#include "scheduler/long_work.h"
#include "scheduler/verbs.h"

enum { BACKLOG_MOST = 100000 };

struct replay_call {
    struct verb_call *call;
    struct replay_options options;
    const struct handler_settings *handlers[REPLAY_HANDLERS_MOST];
    const char *from, *to;
    struct history_place history;
};

/* ----------------------------------------------------------------------------------------------------- the report */

static void name_lines(const struct replay_counts *c)
{
    for (int64_t i = 0; i < c->unreadable && i < REPLAY_NAMED_MOST; i++) {
        struct buf text = BUF_INIT;

        text_add_escaped(&text, c->named[i].path, strlen(c->named[i].path), 1024);
        if (c->named[i].line > 0)
            buf_printf(&text, ":%lld", (long long)c->named[i].line);
        buf_add_text(&text, ": ");
        text_add_escaped(&text, c->named[i].reason, strlen(c->named[i].reason), 1024);
        fprintf(stderr, "%s\n", text.data);
        buf_release(&text);
    }
    if (c->unreadable > REPLAY_NAMED_MOST)
        fprintf(stderr, "... and %lld more\n", (long long)(c->unreadable - REPLAY_NAMED_MOST));
}

static void write_json(const struct replay_call *r, const struct replay_counts *c)
{
    json_t *sent = json_object(), *all;

    for (size_t i = 0; i < r->options.handler_count; i++)
        json_object_set_new(sent, r->handlers[i]->name, json_integer(c->sent[i]));
    all = json_pack("{s:I, s:I, s:I, s:o, s:I, s:b}", "files", (json_int_t)c->files, "lines", (json_int_t)c->lines,
                    "selected", (json_int_t)c->selected, "sent", sent, "unreadable", (json_int_t)c->unreadable,
                    "dry_run", r->call->dry_run);
    json_dumpf(all, stdout, JSON_COMPACT);
    putchar('\n');
    json_decref(all);
}

static void write_text(const struct replay_call *r, const struct replay_counts *c)
{
    if (r->options.history)
        printf("%lld events of the history selected", (long long)c->selected);
    else
        printf("%lld events of %lld lines in %lld files selected", (long long)c->selected, (long long)c->lines,
               (long long)c->files);
    for (size_t i = 0; i < r->options.handler_count; i++)
        printf("%s %s %lld",
               i                  ? ","
               : r->call->dry_run ? "; would be sent to"
                                  : "; sent to",
               r->handlers[i]->name, (long long)c->sent[i]);
    if (c->unreadable > 0)
        printf(r->options.history ? "; events left out %lld" : "; lines left out %lld", (long long)c->unreadable);
    putchar('\n');
}

static void report(const struct replay_call *r, const struct replay *replay)
{
    const struct replay_counts *c = replay_counts(replay);

    name_lines(c);
    if (r->call->json)
        write_json(r, c);
    else
        write_text(r, c);
}

/* ------------------------------------------------------------------------------------------------------- the run */

/* Said first: where it cannot be recorded, it is not done. */
static bool say(const struct replay_call *r, const struct replay *replay, struct error *err)
{
    const struct replay_options *o = &r->options;
    json_t *handlers = json_array(), *names = json_array(), *data;
    struct buf subject = BUF_INIT;
    bool ok;

    for (size_t i = 0; i < o->handler_count; i++)
        json_array_append_new(handlers, json_string(o->handlers[i]->name));
    for (size_t i = 0; i < o->name_count; i++)
        json_array_append_new(names, json_string(o->names[i]));
    data = json_pack("{s:o, s:o, s:s*, s:s*, s:s*, s:s*, s:s*, s:s*, s:s*, s:s*, s:b}", "handlers", handlers,
                     "from_files", names, "from_history", o->history ? o->history->handler : NULL, "from", r->from,
                     "to", r->to, "types", o->types, "subject", o->subject, "id", o->filter.id, "actor",
                     o->filter.actor, "operation", o->filter.operation, "resumed", o->resume);
    buf_printf(&subject, "replays/%s", replay_id(replay));
    ok = verb_deed_begin(o->settings, "events.replayed", subject.data, data, err);
    buf_release(&subject);
    return ok;
}

static bool send_all(const struct replay_call *r, struct replay *replay, struct error *err)
{
    struct buf lease = BUF_INIT;
    struct long_work work;
    bool ok;

    buf_printf(&lease, "replay:%s", replay_id(replay));
    long_work_start(&work, "events", replay_total(replay), r->call->json);
    ok = replay_check(replay, &work.run, err);
    if (ok && !r->call->dry_run)
        ok = long_work_lease(&work, r->options.redis, lease.data, err) && say(r, replay, err);
    ok = ok && replay_run(replay, &work.run, err);
    long_work_end(&work);
    buf_release(&lease);
    return ok;
}

static int run(struct replay_call *r)
{
    struct error err = ERROR_INIT;
    struct replay *replay = replay_new(&r->options, &err);
    bool ok = replay && send_all(r, replay, &err);
    int status;

    if (replay && (ok || replay_counts(replay)->lines > 0))
        report(r, replay);
    if (ok)
        status = replay_counts(replay)->unreadable > 0 ? EXIT_PART_FAILED : EXIT_DONE;
    else
        status = verb_failed("replay", &err);
    if (!ok && replay && replay_counts(replay)->lines > 0 && !r->call->dry_run)
        fputs("the same command with --resume goes on where it stopped\n", stderr);
    replay_free(replay);
    return status;
}

/* ------------------------------------------------------------------------------------------------------- options */

/* Which handlers is for the operator to say: nothing is sent to one that was not named. */
static bool no_handlers(const struct settings *s, struct error *err)
{
    struct buf names = BUF_INIT;
    struct error ignored;

    for (size_t i = 0; i < s->handler_count; i++)
        if (replay_takes(&s->handlers[i], &ignored))
            buf_printf(&names, "%s%s", names.length ? ", " : "", s->handlers[i].name);
    error_set(err, ERROR_INPUT, "name each handler that gets the events: --handler NAME, of: %s",
              names.length ? names.data : "none");
    buf_release(&names);
    return false;
}

static bool take_handler(struct replay_call *r, const char *name, struct error *err)
{
    const struct handler_settings *hs = name ? settings_handler(r->call->settings, name) : NULL;
    struct replay_options *o = &r->options;

    if (!name)
        return error_set(err, ERROR_INPUT, "--handler lacks its value");
    if (!hs)
        return error_set(err, ERROR_INPUT, "no handler \"%s\"; `crier handlers` lists them", name);
    for (size_t i = 0; i < o->handler_count; i++)
        if (r->handlers[i] == hs)
            return true;
    if (o->handler_count == REPLAY_HANDLERS_MOST)
        return error_set(err, ERROR_INPUT, "at most %d handlers at a time", REPLAY_HANDLERS_MOST);
    r->handlers[o->handler_count++] = hs;
    return replay_takes(hs, err);
}

static bool take_handlers(struct replay_call *r, struct error *err)
{
    const char *name;

    while (verb_option(r->call, "handler", &name))
        if (!take_handler(r, name, err))
            return false;
    return r->options.handler_count > 0 || no_handlers(r->call->settings, err);
}

static bool take_number(struct verb_call *call, const char *name, int64_t *out, struct error *err)
{
    const char *value;

    if (!verb_option(call, name, &value))
        return true;
    return (value && text_int(value, strlen(value), out) && *out > 0) ||
           error_set(err, ERROR_INPUT, "--%s is a number of events, at least 1", name);
}

static bool take_text(struct verb_call *call, const char *name, const char **out, struct error *err)
{
    return !verb_option(call, name, out) || *out || error_set(err, ERROR_INPUT, "--%s lacks its value", name);
}

static bool take_names(struct replay_call *r, struct error *err)
{
    struct replay_options *o = &r->options;
    int standard_inputs = 0;

    o->names = (const char *const *)r->call->argv;
    o->name_count = (size_t)r->call->argc;
    for (size_t i = 0; i < o->name_count; i++)
        standard_inputs += text_same(o->names[i], "-");
    if (o->name_count == 0)
        return error_set(err, ERROR_INPUT, "give the folder of an archive, files, - for standard input, or --history");
    if (standard_inputs > 0 && (o->name_count > 1 || o->resume))
        return error_set(err, ERROR_INPUT, "standard input goes alone, and without --resume");
    return true;
}

/* A history is asked more than files are. What follows is its handler's name. */
static bool take_history(struct replay_call *r, struct error *err)
{
    struct replay_options *o = &r->options;
    struct verb_call *call = r->call;

    if (call->argc > 1)
        return error_set(err, ERROR_INPUT, "--history is followed by the name of one handler at most");
    if (!history_find(call->settings, call->argc > 0 ? call->argv[0] : NULL, &r->history, err))
        return false;
    o->history = &r->history;
    o->filter.subject = o->subject;
    return history_filter_check(&o->filter, err);
}

static bool take_filter(struct replay_call *r, bool history, struct error *err)
{
    struct replay_options *o = &r->options;

    if (!take_text(r->call, "id", &o->filter.id, err) || !take_text(r->call, "actor", &o->filter.actor, err) ||
        !take_text(r->call, "operation", &o->filter.operation, err))
        return false;
    return history || (!o->filter.id && !o->filter.actor && !o->filter.operation) ||
           error_set(err, ERROR_INPUT, "--id, --actor and --operation go with --history");
}

static bool take_options(struct replay_call *r, struct error *err)
{
    struct replay_options *o = &r->options;
    const char *unknown;
    bool history = verb_option(r->call, "history", NULL);

    o->resume = verb_option(r->call, "resume", NULL);
    if (!take_text(r->call, "from", &r->from, err) || !take_text(r->call, "to", &r->to, err) ||
        !take_text(r->call, "type", &o->types, err) || !take_text(r->call, "subject", &o->subject, err) ||
        !take_number(r->call, "rate", &o->rate, err) || !take_number(r->call, "backlog", &o->backlog_most, err) ||
        !take_filter(r, history, err) || !take_handlers(r, err))
        return false;
    if ((unknown = verb_unknown_option(r->call)))
        return error_set(err, ERROR_INPUT, "there is no option %s", unknown);
    if (o->types && !patterns_check(o->types, err))
        return error_in(err, "--type");
    return time_range_between(r->from, r->to, &o->range, err) && (history ? take_history(r, err) : take_names(r, err));
}

int verb_replay(struct verb_call *call)
{
    struct replay_call r = {.call = call, .history = {.pattern = BUF_INIT}};
    struct error err = ERROR_INIT;
    int status;

    r.options = (struct replay_options){
        .settings = call->settings, .handlers = r.handlers, .backlog_most = BACKLOG_MOST, .dry_run = call->dry_run};
    if (!take_options(&r, &err)) {
        history_place_release(&r.history);
        return verb_usage("replay", err.text);
    }
    r.options.redis = settings_redis(call->settings);
    status = run(&r);
    redis_free(r.options.redis);
    history_place_release(&r.history);
    return status;
}
