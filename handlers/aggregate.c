#include "handlers/aggregate.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"
#include "handlers/aggregate/aggregate_hands.h"
#include "handlers/aggregate/aggregate_leave.h"
#include "handlers/aggregate/aggregate_seed.h"
#include "handlers/aggregate/bookmark.h"
#include "handlers/clicks.h"
#include "handlers/mapping.h"
#include "notifier/template.h"

enum {
    PAGES_TAKEN = 4,           /* taken from Redis together: keys of one interval are then computed together */
    BOOKMARK_EVERY_MS = 60000, /* they are never removed */
};

static bool where_check(const char *where, struct error *err);

/* Lined up, the columns would go beyond the edge of the page. */
/* clang-format off */
#define AT(field) offsetof(struct aggregate_options, field)
static const struct config_key keys[] = {
    {"of", CONFIG_TEXT, AT(of), NULL, 0, 0, NULL, NULL,
     "the handler of type statistics whose documents are counted"},
    {"field", CONFIG_TEXT, AT(field), "unique_id", 0, 0, NULL, NULL,
     "field of these documents that is counted by: each value gets an aggregate for each interval"},
    {"interval", CONFIG_CHOICE, AT(interval), "day", 0, 0, "hour day month year", NULL,
     "what an aggregate counts over, in UTC"},
    {"index", CONFIG_TEXT, AT(index), NULL, 0, 0, NULL, template_check_index,
     "index of an aggregate; {time:%Y-%m} and the like stand for the start of its interval"},
    {"alias", CONFIG_TEXT, AT(alias), "", 0, 0, NULL, NULL,
     "alias that all of these indices get"},
    {"time_field", CONFIG_TEXT, AT(time_field), "timestamp", 0, 0, NULL, NULL,
     "field of an aggregate for the start of its interval"},
    {"updated_field", CONFIG_TEXT, AT(updated_field), "updated_timestamp", 0, 0, NULL, NULL,
     "field for the time it was computed; empty: none"},
    {"count_field", CONFIG_TEXT, AT(count_field), "count", 0, 0, NULL, NULL,
     "field for the number of events"},
    {"metrics", CONFIG_TEXT, AT(metrics), "", 0, 0, NULL, metrics_check,
     "what else is computed: NAME=FUNCTION(FIELD) with sum, min, max, avg, cardinality(FIELD[,PRECISION]), unique (exact)"},
    {"copy", CONFIG_TEXT, AT(copy), "", 0, 0, NULL, renames_check,
     "fields taken over from the latest event: FIELD or NAME=FIELD, separated by spaces"},
    {"where", CONFIG_TEXT, AT(where), "", 0, 0, NULL, where_check,
     "which events count: FIELD=VALUE and FIELD!=VALUE, separated by spaces; all of them must hold"},
    {"record", CONFIG_TEXT, AT(record), "recid", 0, 0, NULL, NULL,
     "field of an aggregate that names the record"},
    {"parent", CONFIG_TEXT, AT(parent), "parent_recid", 0, 0, NULL, NULL,
     "field of an aggregate that names all versions of the record"},
    {"fields", CONFIG_TEXT, AT(fields), "", 0, 0, NULL, mapping_check,
     "the index's mapping, NAME:TYPE separated by spaces; empty: every text is a keyword"},
    {"bookmarks", CONFIG_CHOICE, AT(bookmarks), "none", 0, 0, "none reference", NULL,
     "whether its progress is read once from, and kept in, the index stats-bookmarks as invenio-stats does"},
    {"page", CONFIG_COUNT, AT(page), "5000", 10, 10000, NULL, NULL,
     "most keys computed together; fewer where OpenSearch does not bear it"},
    CONFIG_END,
};
#undef AT
/* clang-format on */

/* --------------------------------------------------------------------------------------------- words of options */

bool aggregate_add_where(const char *where, json_t *filter, json_t *must_not, struct error *err)
{
    const char *at = where, *word;
    size_t length;

    while (text_word(&at, &word, &length)) {
        const char *equals = memchr(word, '=', length);
        bool negated = equals && equals > word && equals[-1] == '!';
        size_t field = equals ? (size_t)(equals - word) - negated : 0;
        char *name;

        if (field == 0)
            return error_set(err, ERROR_CONFIG, "\"%.*s\": FIELD=VALUE or FIELD!=VALUE is wanted", (int)length, word);
        name = xstrndup(word, field);
        json_array_append_new(negated ? must_not : filter,
                              json_pack("{s:{s:s%}}", "term", name, equals + 1, length - (size_t)(equals + 1 - word)));
        free(name);
    }
    json_array_append_new(must_not, json_pack("{s:{s:b}}", "term", CLICKS_FIELD, 0));
    return true;
}

static bool where_check(const char *where, struct error *err)
{
    json_t *filter = json_array(), *must_not = json_array();
    bool ok = aggregate_add_where(where, filter, must_not, err);

    json_decref(filter);
    json_decref(must_not);
    return ok;
}

static bool aggregate_check(const void *options, struct error *err)
{
    const struct aggregate_options *o = options;

    return aggregate_index_fits(o->index, (enum aggregate_interval)o->interval, err);
}

/* ----------------------------------------------------------------------------------------------- open and close */

struct aggregation *aggregation_of(struct handler *h)
{
    return h->state;
}

static const struct handler_settings *find_of(const struct settings *s, const struct aggregate_options *o,
                                              struct error *err)
{
    return handler_named(s, o->of, &statistics_handler, err);
}

static bool aggregate_fits(const struct settings *s, const struct handler_settings *hs, struct error *err)
{
    return find_of(s, hs->own, err) || error_in(err, "of");
}

static void add_target(const struct aggregation *a, struct buf *out)
{
    if (*a->options->alias)
        buf_add_text(out, a->options->alias);
    else
        template_add_glob(a->index, out);
}

static bool aggregate_open(struct handler *h, struct error *err)
{
    struct aggregation *a = h->state = xcalloc(1, sizeof *a);
    const struct handler_settings *of = find_of(h->settings, h->options, err);

    a->handler = h;
    a->options = h->options;
    a->page = (size_t)a->options->page;
    buf_init(&a->source);
    buf_init(&a->target);
    a->bulk = bulk_new(h->client, h->settings->opensearch.bulk_bytes);
    if (!of || !metrics_parse(a->options->metrics, &a->metrics, err) ||
        !renames_parse(a->options->copy, &a->copies, err))
        return false;
    a->index = template_new(a->options->index, err);
    if (!a->index)
        return false;
    a->of = of->own;
    statistics_add_source(of, &a->source);
    add_target(a, &a->target);
    return true;
}

static void aggregate_close(struct handler *h)
{
    struct aggregation *a = h->state;

    if (!a)
        return;
    aggregate_hands_free(a);
    template_free(a->index);
    bulk_free(a->bulk);
    metrics_release(&a->metrics);
    renames_release(&a->copies);
    buf_release(&a->source);
    buf_release(&a->target);
    free(a);
}

static bool counts(const struct metric *m)
{
    return m->function == METRIC_CARDINALITY || m->function == METRIC_UNIQUE;
}

/*
 * With fields named an aggregate has these and no others, as the reference's own templates have it; what is computed
 * and copied besides is named here. Else texts are looked up whole, never searched by word.
 */
static void add_mappings(const struct aggregation *a, struct buf *body)
{
    const struct aggregate_options *o = a->options;
    struct buf words = BUF_INIT;

    buf_add_text(&words, o->fields);
    mapping_add_word(&words, o->field, "keyword");
    mapping_add_word(&words, o->count_field, "integer");
    mapping_add_word(&words, o->updated_field, "date");
    for (size_t i = 0; i < a->metrics.count; i++)
        mapping_add_word(&words, a->metrics.items[i].name, counts(&a->metrics.items[i]) ? "integer" : "double");
    for (size_t i = 0; *o->fields && i < a->copies.count; i++)
        mapping_add_word(&words, a->copies.items[i].to, "keyword");
    buf_add_text(body, "\"mappings\":{\"date_detection\":false,\"numeric_detection\":false,");
    buf_add_text(body, *o->fields ? "\"dynamic\":\"strict\","
                                  : "\"dynamic_templates\":[{\"strings\":{\"match_mapping_type\":\"string\","
                                    "\"mapping\":{\"type\":\"keyword\"}}}],");
    buf_add_text(body, "\"properties\":");
    mapping_add_properties(body, words.data, o->time_field, "date_optional_time");
    buf_add_char(body, '}');
    buf_release(&words);
}

static void add_alias(const struct handler *h, const char *alias, struct buf *body)
{
    struct buf name = BUF_INIT;

    buf_printf(&name, "%s%s", client_prefix(h->client), alias);
    buf_add_text(body, ",\"aliases\":{");
    buf_add_json(body, name.data, name.length);
    buf_add_text(body, ":{}}");
    buf_release(&name);
}

static bool aggregate_install(struct handler *h, struct error *err)
{
    struct aggregation *a = h->state;
    struct buf body = BUF_INIT;
    bool ok;

    buf_add_text(&body, "{\"settings\":{\"index\":{\"refresh_interval\":\"5s\"}},");
    add_mappings(a, &body);
    if (*a->options->alias)
        add_alias(h, a->options->alias, &body);
    buf_add_char(&body, '}');
    ok = handler_install_template(h, a->index, body.data, err);
    buf_release(&body);
    return ok;
}

/* ---------------------------------------------------------------------------------------------------- the run */

/* Marks by the page until a page is not full: what comes meanwhile is for the next run. */
static bool work_off_all(struct aggregation *a, struct clock_run *run, int64_t *keys_done, struct error *err)
{
    struct handler *h = a->handler;
    size_t most = (size_t)a->options->page * PAGES_TAKEN, count = most;
    struct arena *arena = arena_new();
    struct dirty_mark *marks;
    bool ok = true;

    *keys_done = 0;
    while (ok && count == most) {
        arena_reset(arena);
        ok = run->may_go_on(run, err) &&
             dirty_page(h->redis, h->common->queue, h->common->name, most, arena, &marks, &count, err) &&
             (count == 0 || aggregate_hands_work_off(a, run, marks, count, err));
        *keys_done += ok ? (int64_t)count : 0;
    }
    arena_free(arena);
    return ok;
}

/* Where nothing was computed since, the last bookmark is as good. */
static bool keep_bookmark(struct aggregation *a, int64_t began_us, bool worked, struct error *err)
{
    int64_t now_ms = clock_monotonic_ms();

    a->bookmark_due = a->bookmark_due || worked;
    if (a->options->bookmarks != BOOKMARKS_REFERENCE || !a->bookmark_due || now_ms < a->bookmark_not_before_ms)
        return true;
    if (!bookmark_add(a->handler->client, a->handler->common->name, began_us, err))
        return false;
    a->bookmark_due = false;
    a->bookmark_not_before_ms = now_ms + BOOKMARK_EVERY_MS;
    return true;
}

static bool aggregate_run(struct handler *h, struct clock_run *run, struct error *err)
{
    struct aggregation *a = h->state;
    int64_t began_us = clock_wall_us(), keys_done;

    return aggregate_seed_once(a, run, err) && aggregate_leave_mark(a, err) && work_off_all(a, run, &keys_done, err) &&
           aggregate_still_seeded(a, err) && keep_bookmark(a, began_us, keys_done > 0, err) &&
           aggregate_note_run(a, began_us, err);
}

const struct handler_type aggregate_handler = {
    .name = "aggregate",
    .help = "by the clock: events become one document per key and interval, computed again where something changed",
    .keys = keys,
    .size = sizeof(struct aggregate_options),
    .traits = KIND_CLOCK,
    .check = aggregate_check,
    .fits = aggregate_fits,
    .install = aggregate_install,
    .open = aggregate_open,
    .run = aggregate_run,
    .close = aggregate_close,
};
