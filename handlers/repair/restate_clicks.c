#include "handlers/repair/restate_clicks.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/json.h"
#include "handlers/clicks.h"
#include "handlers/event_types.h"
#include "handlers/repair/pages.h"
#include "handlers/repair/rewrite.h"
#include "indexer/search.h"

enum { PAGE = 2000 };

/* A chain is over when nothing came for so long; the time field of a document is cut to the second. */
#define CHAIN_ENDS_US (CLICK_SPAN_US + 2 * US_PER_SECOND)

struct restating {
    struct clock_run *run;
    struct rewrite *rewrite;
    struct time_range judged; /* clicks beside it only follow others */
    size_t grouping;          /* how many fields tell one visitor on one thing */
    struct restate_tally *tally;

    json_t **chain; /* hits of one visitor on one thing, close to each other */
    size_t count, room;
    int64_t newest_us;
};

/* ---------------------------------------------------------------------------------------------- what is a chain */

/* "data.recid visitor_id": the fields of a document by which clicks are told apart. */
static bool add_grouping(const struct event_settings *es, json_t *fields, struct error *err)
{
    static const char *const bare[] = {"visitor_id", "unique_session_id", "country", "is_robot", "is_machine"};
    const char *at = *es->unique ? es->unique : "data.unique_id visitor_id";
    struct span word;

    while (text_word(&at, &word.text, &word.length)) {
        bool known = word.length > 5 && memcmp(word.text, "data.", 5) == 0;
        size_t skip = known ? 5 : 0;

        for (size_t i = 0; i < ARRAY_LENGTH(bare); i++)
            known = known || span_is(word, bare[i]);
        if (!known)
            return error_set(err, ERROR_INPUT, "[event %s] unique: documents do not hold \"%.*s\"", es->type,
                             (int)word.length, word.text);
        json_array_append_new(fields, json_stringn(word.text + skip, word.length - skip));
    }
    return true;
}

/* Of the type whose clicks follow each other; *es NULL: there is none, and all events count. */
static bool find_type(const struct handler *h, const struct event_settings **es, struct error *err)
{
    const struct event_settings *one;
    size_t at = 0;

    *es = NULL;
    while ((one = event_type_next(h->settings, h->common, &at))) {
        if (strcmp(one->clicks, "cop51") != 0)
            continue;
        if (*es)
            return error_set(err, ERROR_INPUT,
                             "handler %s takes %s and %s: their documents cannot be told apart; give each its own",
                             h->common->name, (*es)->type, one->type);
        *es = one;
    }
    return true;
}

/* ---------------------------------------------------------------------------------------------------- judging */

static int64_t time_of(const json_t *hit)
{
    return json_integer_value(json_object_get(hit, "_version"));
}

static const char *id_of(const json_t *hit)
{
    return json_member_text(hit, "_id", "");
}

/* In time; of one instant the greater id is the later. */
static int by_time(const void *a, const void *b)
{
    const json_t *one = *(json_t *const *)a, *other = *(json_t *const *)b;

    if (time_of(one) != time_of(other))
        return time_of(one) < time_of(other) ? -1 : 1;
    return strcmp(id_of(one), id_of(other));
}

/* Only false is a word about it: a document from before the rule counts without one. */
static bool is_counted(const json_t *document)
{
    return !json_is_false(json_object_get(document, CLICKS_FIELD));
}

static bool judge(struct restating *r, const json_t *hit, const json_t *next, struct error *err)
{
    bool counts = !next || time_of(next) - time_of(hit) > CLICK_SPAN_US;
    json_t *wanted;
    bool ok;

    if (time_of(hit) < r->judged.from_us || time_of(hit) >= r->judged.to_us)
        return true;
    r->tally->clicks++;
    if (counts == is_counted(json_object_get(hit, "_source")))
        return true;
    wanted = json_boolean(counts);
    ok = rewrite_add(r->rewrite, hit, wanted, err);
    json_decref(wanted);
    return ok;
}

static bool set_counted(json_t *document, const json_t *wanted, void *context)
{
    (void)context;
    if (is_counted(document) == json_is_true(wanted))
        return false;
    json_object_set(document, CLICKS_FIELD, (json_t *)(uintptr_t)wanted);
    return true;
}

/* One document may have come twice. */
static size_t drop_copies(json_t **chain, size_t count)
{
    size_t kept = 0;

    for (size_t i = 0; i < count; i++)
        if (kept > 0 && strcmp(id_of(chain[kept - 1]), id_of(chain[i])) == 0)
            json_decref(chain[i]);
        else
            chain[kept++] = chain[i];
    return kept;
}

static bool end_chain(struct restating *r, struct error *err)
{
    bool ok = true;

    if (r->count == 0)
        return true;
    qsort(r->chain, r->count, sizeof *r->chain, by_time);
    r->count = drop_copies(r->chain, r->count);
    for (size_t i = 0; i < r->count; i++) {
        ok = ok && judge(r, r->chain[i], i + 1 < r->count ? r->chain[i + 1] : NULL, err);
        if (i > 0)
            json_decref(r->chain[i - 1]);
    }
    json_decref(r->chain[r->count - 1]);
    r->count = 0;
    r->newest_us = 0;
    return ok;
}

/* ---------------------------------------------------------------------------------------------------- reading */

static bool same_visitor_and_thing(const struct restating *r, const json_t *a, const json_t *b)
{
    for (size_t i = 0; i < r->grouping; i++)
        if (!json_equal(json_array_get(json_object_get(a, "sort"), i), json_array_get(json_object_get(b, "sort"), i)))
            return false;
    return true;
}

static bool goes_on(const struct restating *r, const json_t *hit)
{
    int64_t at_us = json_integer_value(json_array_get(json_object_get(hit, "sort"), r->grouping)) * 1000;

    return r->count > 0 && same_visitor_and_thing(r, r->chain[0], hit) && at_us <= r->newest_us + CHAIN_ENDS_US;
}

static bool add_click(struct restating *r, json_t *hit, struct error *err)
{
    if (!json_object_get(hit, "_source"))
        return error_set(err, ERROR_INPUT, "the clicks of a page cannot be read");
    if (!goes_on(r, hit) && !end_chain(r, err))
        return false;
    if (r->count == r->room) {
        r->room = r->room ? 2 * r->room : 64;
        r->chain = xrealloc(r->chain, r->room * sizeof(json_t *));
    }
    r->chain[r->count++] = json_incref(hit);
    if (time_of(hit) > r->newest_us)
        r->newest_us = time_of(hit);
    return true;
}

static bool read_clicks(struct restating *r, struct search *search, struct error *err)
{
    const json_t *hits = NULL;
    bool ok;

    do {
        ok = r->run->may_go_on(r->run, err) && pages_next(search, r->run, &hits, err);
        for (size_t i = 0; ok && i < json_array_size(hits); i++)
            ok = add_click(r, json_array_get(hits, i), err);
        if (ok && hits)
            r->run->did(r->run, (int64_t)json_array_size(hits));
    } while (ok && hits);
    return ok && end_chain(r, err) && rewrite_flush(r->rewrite, err);
}

/* Documents without one of the fields belong to nobody's chain. */
static json_t *query_of(const struct store *s, struct time_range range, const json_t *fields)
{
    json_t *filter = json_array();

    range.from_us -= range.from_us > 2 * CHAIN_ENDS_US ? CHAIN_ENDS_US : range.from_us;
    range.to_us += CHAIN_ENDS_US;
    json_array_append_new(filter, store_query(s, range));
    for (size_t i = 0; i < json_array_size(fields); i++)
        json_array_append_new(filter, json_pack("{s:{s:O}}", "exists", "field", json_array_get(fields, i)));
    return json_pack("{s:{s:o}}", "bool", "filter", filter);
}

static bool restate(struct restating *r, struct handler *h, const struct store *s, struct time_range range,
                    json_t *fields, struct error *err)
{
    json_t *query = query_of(s, range, fields);
    struct search *search;
    bool ok;

    r->grouping = json_array_size(fields);
    json_array_append_new(fields, json_string(s->time_field));
    search = search_open(h->client, s->source, query, PAGE);
    search_sort(search, fields);
    search_fields(search, CLICKS_FIELD);
    ok = search_refresh(h->client, s->source, err) && read_clicks(r, search, err);
    for (size_t i = 0; i < r->count; i++)
        json_decref(r->chain[i]);
    search_close(search);
    json_decref(query);
    free(r->chain);
    return ok;
}

bool restate_clicks(struct handler *h, const struct store *s, struct time_range range, struct clock_run *run,
                    bool dry_run, struct restate_tally *tally, struct error *err)
{
    struct restating r = {
        .run = run, .judged = {range.from_us - CLICK_SPAN_US, range.to_us},
             .tally = tally
    };
    const struct event_settings *es;
    json_t *fields = json_array();
    int64_t settled_us;
    bool ok;

    *tally = (struct restate_tally){0};
    ok = find_type(h, &es, err) && (!es || add_grouping(es, fields, err));
    if (ok && es) {
        settled_us = clock_wall_us() - es->lateness_ms * 1000;
        if (settled_us < r.judged.to_us)
            r.judged.to_us = settled_us;
        r.rewrite = rewrite_new(h, run, dry_run, set_counted, NULL);
        ok = restate(&r, h, s, range, fields, err);
        tally->wrong = rewrite_changed(r.rewrite);
        rewrite_free(r.rewrite);
    }
    json_decref(fields);
    return ok;
}
