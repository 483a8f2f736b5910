#include "handlers/retain.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/counters.h"
#include "base/json.h"
#include "base/log.h"
#include "handlers/audit/audit_pairs.h"
#include "handlers/audit/audit_search.h"
#include "handlers/history.h"
#include "handlers/history/history_search.h"
#include "indexer/search.h"
#include "notifier/service_event.h"

#define LONGEST (36600 * MS_PER_DAY)

struct options {
    char *of, *actions;
    int64_t retain_ms, page;
};

/* What is deleted: entries of an audit, or events of a history. */
struct kept {
    const char *handler;
    bool events;
    struct audit_trail trail;
    struct history_place history;
};

struct retain {
    const struct options *options;
    struct kept kept;
    struct audit_pairs actions;
    int64_t *spans_ms; /* of actions, each; then that of all others. 0: for ever */
    struct bulk *bulk;
    struct counter *deleted;
};

/* ---------------------------------------------------------------------------------------------------- configuration */

static bool read_span(const char *text, int64_t *ms, struct error *err)
{
    static const struct config_key key = {.name = "a time", .type = CONFIG_TIME, .least = 0, .most = LONGEST};

    return config_value_set(&key, text, ms, err);
}

static bool read_actions(const char *text, struct audit_pairs *actions, int64_t **spans_ms, struct error *err)
{
    bool ok = audit_pairs_read(actions, text, err);

    *spans_ms = xcalloc(actions->count + 1, sizeof **spans_ms);
    for (size_t i = 0; ok && i < actions->count; i++)
        ok = read_span(actions->items[i].word, &(*spans_ms)[i], err) || error_in(err, "%s", actions->items[i].pattern);
    return ok;
}

static bool check_actions(const char *text, struct error *err)
{
    struct audit_pairs actions = {0};
    int64_t *spans_ms;
    bool ok = read_actions(text, &actions, &spans_ms, err);

    audit_pairs_release(&actions);
    free(spans_ms);
    return ok;
}

/* Lined up, the columns would go beyond the edge of the page. */
/* clang-format off */
#define AT(field) offsetof(struct options, field)
static const struct config_key keys[] = {
    {"of", CONFIG_TEXT, AT(of), "", 0, 0, NULL, NULL,
     "handler of type audit or history whose entries or events are deleted from their index; empty: the first of type audit"},
    {"retain", CONFIG_TIME, AT(retain_ms), "0s", 0, LONGEST, NULL, NULL,
     "how long an entry or event is kept, by its own time; 0s: for ever"},
    {"retain_actions", CONFIG_TEXT, AT(actions), "", 0, 0, NULL, check_actions,
     "other times for some actions or types: PATTERN=TIME ... (file.downloaded=30d), the first that fits"},
    {"page", CONFIG_COUNT, AT(page), "1000", 1, 10000, NULL, NULL, "entries or events deleted at a time"},
    CONFIG_END,
};
#undef AT
/* clang-format on */

/* Released also where it fails. */
static bool find(const struct settings *s, const struct options *o, struct kept *out, struct error *err)
{
    const struct handler_settings *of = *o->of ? settings_handler(s, o->of) : NULL;

    *out = (struct kept){.events = of && text_same(of->type, history_handler.name), .history = {.pattern = BUF_INIT}};
    if (out->events ? !history_find(s, o->of, &out->history, err)
                    : !audit_trail_find(s, *o->of ? o->of : NULL, &out->trail, err))
        return false;
    out->handler = out->events ? out->history.handler : out->trail.handler;
    return true;
}

static void release(struct kept *k)
{
    audit_trail_release(&k->trail);
    history_place_release(&k->history);
}

static bool retain_fits(const struct settings *s, const struct handler_settings *hs, struct error *err)
{
    const struct options *o = hs->own;
    struct kept kept;
    bool ok = find(s, o, &kept, err) || error_in(err, "of");

    release(&kept);
    return ok;
}

static bool retain_open(struct handler *h, struct error *err)
{
    struct retain *r = h->state = xcalloc(1, sizeof *r);
    const struct options *o = r->options = h->options;

    r->bulk = bulk_new(h->client, h->settings->opensearch.bulk_bytes);
    r->deleted = counter_with(COUNTER_TOTAL, "crier_retain_deleted_total",
                              "audit entries and events whose time was over", "handler", h->common->name, NULL);
    if (!read_actions(o->actions, &r->actions, &r->spans_ms, err))
        return false;
    r->spans_ms[r->actions.count] = o->retain_ms;
    return find(h->settings, o, &r->kept, err);
}

static void retain_close(struct handler *h)
{
    struct retain *r = h->state;

    if (!r)
        return;
    release(&r->kept);
    audit_pairs_release(&r->actions);
    bulk_free(r->bulk);
    free(r->spans_ms);
    free(r);
}

/* ------------------------------------------------------------------------------------------------ what is over */

/* A text in which * stands for anything, and which finds at least what the pattern fits: "**" may be no part at all. */
static void add_superset(const char *pattern, struct buf *out)
{
    while (*pattern) {
        bool stars = text_starts(pattern, ".**") || text_starts(pattern, "**");

        buf_add_char(out, stars ? '*' : *pattern);
        pattern += stars ? strspn(pattern, ".*") : 1;
    }
}

/* The field of an entry that says its action, of an event its type. */
static const char *action_field(const struct retain *r)
{
    return r->kept.events ? "type" : "action";
}

static bool is_literal(const char *pattern)
{
    return !strchr(pattern, '*');
}

static json_t *entries_query(const struct retain *r, const char *pattern, struct time_range range)
{
    struct audit_filter filter = {.range = range};
    struct buf action = BUF_INIT;
    json_t *query;

    if (pattern) {
        add_superset(pattern, &action);
        filter.action = action.data;
    }
    query = audit_search_query(&r->kept.trail, &filter);
    buf_release(&action);
    return query;
}

/* What is of one action's span, or (which == count) of all others: older than that. What else is found is told apart
 * once it is there. */
static json_t *query_for(const struct retain *r, size_t which, int64_t now_us)
{
    const struct time_range range = {time_range_all.from_us, now_us - r->spans_ms[which] * 1000};
    const char *pattern = which < r->actions.count ? r->actions.items[which].pattern : NULL;
    json_t *query, *others = json_array();

    if (r->kept.events)
        query = history_query(&(struct history_filter){.type = pattern, .range = range});
    else
        query = entries_query(r, pattern, range);
    for (size_t i = 0; i < which; i++)
        if (is_literal(r->actions.items[i].pattern))
            json_array_append_new(others, json_pack("{s:{s:s}}", "term", action_field(r), r->actions.items[i].pattern));
    json_object_set_new(json_object_get(query, "bool"), "must_not", others);
    return query;
}

/* -------------------------------------------------------------------------------------------------------- deleting */

/* As it was found: what was written again meanwhile has another sequence number, and stays. */
static void add_hit(struct retain *r, const json_t *hit)
{
    struct bulk_target target = {
        .action = BULK_DELETE, .with_prefix = true, .version = -1, .seq_no = -1, .primary_term = -1};
    size_t number;

    target.index = json_member_text(hit, "_index", "");
    target.id = json_member_text(hit, "_id", "");
    target.seq_no = json_integer_value(json_object_get(hit, "_seq_no"));
    target.primary_term = json_integer_value(json_object_get(hit, "_primary_term"));
    bulk_add(r->bulk, &target, &number);
}

/* Whether each is gone; what OpenSearch does not delete now is for the next run. */
static bool settle(struct retain *r, int64_t *gone, struct error *err)
{
    bool ok = true;

    for (size_t i = 0; i < bulk_count(r->bulk); i++) {
        const struct bulk_item *item = bulk_item(r->bulk, i);

        if (item->outcome == BULK_DONE || item->outcome == BULK_SUPERSEDED)
            ++*gone;
        else if (ok && item->outcome != BULK_CONFLICT)
            ok = error_set(err, ERROR_AGAIN, "a document cannot be deleted: %s", item->reason);
    }
    return ok;
}

static bool delete_page(struct retain *r, size_t which, const json_t *hits, struct clock_run *run, int64_t *deleted,
                        struct error *err)
{
    int64_t gone = 0;
    bool ok;

    bulk_start(r->bulk);
    for (size_t i = 0; i < json_array_size(hits); i++) {
        const json_t *hit = json_array_get(hits, i), *source = json_object_get(hit, "_source");

        if (source && audit_pairs_find(&r->actions, span_of(json_member_text(source, action_field(r), ""))) == which)
            add_hit(r, hit);
    }
    ok = bulk_send(r->bulk, err) && settle(r, &gone, err);
    *deleted += gone;
    counter_add(r->deleted, gone);
    run->did(run, gone);
    return ok;
}

static bool delete_old(struct handler *h, size_t which, struct clock_run *run, int64_t *deleted, struct error *err)
{
    struct retain *r = h->state;
    json_t *query = query_for(r, which, clock_wall_us());
    struct search *search =
        search_open(h->client, r->kept.events ? r->kept.history.pattern.data : r->kept.trail.pattern, query,
                    (size_t)r->options->page);
    const json_t *hits = NULL;
    bool ok;

    search_fields(search, action_field(r));
    do
        ok = run->may_go_on(run, err) && search_next(search, &hits, err) &&
             (!hits || delete_page(r, which, hits, run, deleted, err));
    while (ok && hits);
    search_close(search);
    json_decref(query);
    return ok;
}

static bool tell_audit(struct handler *h, int64_t deleted, struct error *err)
{
    const struct retain *r = h->state;
    struct buf subject = BUF_INIT, actor = BUF_INIT;
    bool ok;

    buf_printf(&subject, "handlers/%s", r->kept.handler);
    buf_printf(&actor, "handlers/%s", h->common->name);
    ok = service_event_send(h->settings, h->redis, r->kept.events ? "history.expired" : "audit.expired", subject.data,
                            actor.data, json_pack("{s:I}", "deleted", (json_int_t)deleted), err);
    buf_release(&subject);
    buf_release(&actor);
    return ok;
}

static bool retain_run(struct handler *h, struct clock_run *run, struct error *err)
{
    struct retain *r = h->state;
    struct error unheard;
    int64_t deleted = 0;
    bool ok = true;

    for (size_t which = 0; ok && which <= r->actions.count; which++)
        ok = r->spans_ms[which] == 0 || delete_old(h, which, run, &deleted, err);
    if (deleted > 0 && !tell_audit(h, deleted, &unheard))
        log_warn("handler %s: %s", h->common->name, unheard.text);
    return ok;
}

const struct handler_type retain_handler = {
    .name = "retain",
    .help =
        "audit entries or events of a history whose time is over are deleted from the index, each action after its own",
    .keys = keys,
    .size = sizeof(struct options),
    .traits = KIND_CLOCK | KIND_ONE_LANE,
    .fits = retain_fits,
    .open = retain_open,
    .run = retain_run,
    .close = retain_close,
};
