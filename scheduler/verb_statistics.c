#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/text.h"
#include "handlers/aggregate/aggregate_repair.h"
#include "handlers/repair/restated.h"
#include "notifier/verb_deed.h"
#include "scheduler/statistics_call.h"
#include "scheduler/verbs.h"

/* What can be done, and to what: events alone, or aggregates as well. */
static const struct part {
    const char *name;
    int (*run)(struct statistics_call *c);
    bool aggregates;
} parts[] = {
    {"restate",    statistics_restate,    false},
    {"reclassify", statistics_reclassify, false},
    {"reindex",    statistics_reindex,    true },
    {"export",     statistics_export,     true },
    {"import",     statistics_import,     true },
};

bool statistics_say(const struct statistics_call *c, const char *what, const char *kind, const char *name, json_t *data,
                    struct error *err)
{
    struct buf subject = BUF_INIT;
    bool ok;

    buf_printf(&subject, "%s/%s", kind, name);
    ok = verb_deed_begin(c->call->settings, what, subject.data, data, err);
    buf_release(&subject);
    return ok;
}

/* --------------------------------------------------------------------------------------------------- handlers */

static bool add_store(struct statistics_call *c, const struct handler_settings *hs, struct error *err)
{
    c->stores = xrealloc(c->stores, (c->count + 1) * sizeof *c->stores);
    return store_of(hs, &c->stores[c->count++], err);
}

static bool is_of(const struct part *part, const struct handler_settings *hs)
{
    return text_same(hs->type, "statistics") || (part->aggregates && text_same(hs->type, "aggregate"));
}

static bool add_named(struct statistics_call *c, const struct part *part, const char *name, struct error *err)
{
    const struct handler_settings *hs = settings_handler(c->call->settings, name);

    if (!hs)
        return error_set(err, ERROR_INPUT, "no handler \"%s\"; `crier handlers` lists them", name);
    if (!is_of(part, hs))
        return error_set(err, ERROR_INPUT, "handler %s is of type %s: name one of type statistics%s", name, hs->type,
                         part->aggregates ? " or aggregate" : "");
    return add_store(c, hs, err);
}

static void add_restated(struct statistics_call *c)
{
    c->stores = xrealloc(c->stores, (c->count + 1) * sizeof *c->stores);
    c->stores[c->count++] = restated_store();
}

/* Those named, else all; a whole export has the notes about restated months, too. */
static bool choose(struct statistics_call *c, const struct part *part, struct error *err)
{
    const struct settings *s = c->call->settings;
    bool ok = true;

    for (int i = 1; ok && i < c->call->argc; i++)
        ok = add_named(c, part, c->call->argv[i], err);
    for (size_t i = 0; ok && c->call->argc <= 1 && i < s->handler_count; i++)
        if (is_of(part, &s->handlers[i]))
            ok = add_store(c, &s->handlers[i], err);
    if (ok && c->count == 0 && part->run != statistics_import)
        ok = error_set(err, ERROR_INPUT, "the configuration has no handler of type statistics");
    if (ok && c->call->argc <= 1 && part->run == statistics_export && store_all(c->range))
        add_restated(c);
    return ok;
}

/* ---------------------------------------------------------------------------------------------------- options */

static bool read_options(struct statistics_call *c, struct verb_call *call, struct error *err)
{
    const struct {
        const char *name, **value;
    } options[] = {
        {"from",   &c->from  },
        {"to",     &c->to    },
        {"month",  &c->month },
        {"reason", &c->reason},
        {"suffix", &c->suffix},
        {"out",    &c->out   },
        {"in",     &c->in    },
    };
    const char *unknown;

    for (size_t i = 0; i < ARRAY_LENGTH(options); i++)
        if (verb_option(call, options[i].name, options[i].value) && !*options[i].value)
            return error_set(err, ERROR_INPUT, "--%s lacks its value", options[i].name);
    c->cancel = verb_option(call, "cancel", NULL);
    unknown = verb_unknown_option(call);
    return !unknown || error_set(err, ERROR_INPUT, "there is no option %s", unknown);
}

static const struct part *part_named(const char *name)
{
    for (size_t i = 0; i < ARRAY_LENGTH(parts); i++)
        if (text_same(parts[i].name, name))
            return &parts[i];
    return NULL;
}

int verb_statistics(struct verb_call *call)
{
    struct statistics_call c = {.call = call};
    const struct part *part;
    struct error err;
    int code;

    if (!read_options(&c, call, &err))
        return verb_usage("statistics", err.text);
    part = call->argc ? part_named(call->argv[0]) : NULL;
    if (!part)
        return verb_usage("statistics", "restate | reclassify | reindex | export | import, then handlers");
    if (!time_range_between(c.from, c.to, &c.range, &err) || !choose(&c, part, &err)) {
        free(c.stores);
        return verb_usage("statistics", err.text);
    }
    c.redis = settings_redis(call->settings);
    code = part->run(&c);
    redis_free(c.redis);
    free(c.stores);
    return code;
}
