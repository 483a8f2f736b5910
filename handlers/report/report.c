#include "handlers/report/report.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/text.h"
#include "handlers/repair/restated.h"
#include "handlers/report/report_cop51.h"
#include "handlers/report/report_coprd.h"
#include "handlers/report/report_form.h"
#include "handlers/report/report_gather.h"
#include "handlers/report/report_month.h"

enum { RESTATED_MOST = 1000, MONTHS_MOST = 36 };

/* --------------------------------------------------------------------------------------------- which report it is */

static const struct {
    const char *standard, *name;
} kinds[REPORT_KINDS] = {
    [REPORT_PR] = {"cop51", "PR"   },
    [REPORT_IR] = {"cop51", "IR"   },
    [REPORT_IR_A1] = {"cop51", "IR_A1"},
    [REPORT_DSR] = {"coprd", "DSR"  },
};

const char *report_kind_name(enum report_kind kind)
{
    return kinds[kind].name;
}

bool report_kind_find(const char *standard, const char *name, enum report_kind *kind, struct error *err)
{
    struct buf known = BUF_INIT;

    for (int i = 0; i < REPORT_KINDS; i++) {
        if (strcmp(kinds[i].standard, standard) != 0)
            continue;
        if (strcmp(kinds[i].name, name) == 0) {
            *kind = (enum report_kind)i;
            buf_release(&known);
            return true;
        }
        buf_printf(&known, "%s%s", known.length ? ", " : "", kinds[i].name);
    }
    if (known.length)
        error_set(err, ERROR_INPUT, "no report \"%.40s\"; %s has %s", name, standard, known.data);
    else
        error_set(err, ERROR_INPUT, "no standard \"%.40s\"; there are cop51 and coprd", standard);
    buf_release(&known);
    return false;
}

static bool is_research_data(const struct report *r)
{
    return r->kind == REPORT_DSR;
}

/* A month that still runs can only be told of research data: until now. */
static bool check_months(struct report *r, struct error *err)
{
    int now = month_of(r->created_us);
    char text[MONTH_TEXT_BYTES];

    if (r->last < r->first)
        return error_set(err, ERROR_INPUT, "the last month comes before the first");
    if (r->last - r->first >= MONTHS_MOST)
        return error_set(err, ERROR_INPUT, "a report has at most %d months", MONTHS_MOST);
    if (r->last > now || (r->last == now && !is_research_data(r)))
        return error_set(err, ERROR_INPUT, "%s is not over yet", month_text(r->last, text));
    r->until_us = r->last == now ? r->created_us : month_start_us(r->last + 1);
    return true;
}

static bool check_settings(const struct report_settings *s, struct error *err)
{
    struct buf id = BUF_INIT;
    bool ok =
        strlen(s->platform) >= 2 || error_set(err, ERROR_CONFIG, "[report] platform: a report needs a name there");

    buf_printf(&id, "%s:x", s->namespace);
    if (ok && !report_form_is(FORM_PROPRIETARY, id.data))
        ok = error_set(err, ERROR_CONFIG,
                       "[report] namespace: a letter, then 1 to 17 letters, digits, dots, underscores or slashes");
    buf_release(&id);
    return ok;
}

/* ------------------------------------------------------------------------------------------------ restated months */

static json_t *restated_request(const struct report *r)
{
    json_t *months = json_array();
    char text[MONTH_TEXT_BYTES];

    for (int month = r->first; month <= r->last; month++)
        json_array_append_new(months, json_string(month_text(month, text)));
    return json_pack("{s:i, s:{s:{s:o}}}", "size", RESTATED_MOST, "query", "terms", "month", months);
}

static int by_time(const void *a, const void *b)
{
    return strcmp(json_member_text(*(json_t *const *)a, "time", ""), json_member_text(*(json_t *const *)b, "time", ""));
}

static void take_restated(struct report *r, const json_t *answer)
{
    const json_t *hits = json_object_get(json_object_get(answer, "hits"), "hits"), *hit;
    json_t **found = xcalloc(json_array_size(hits) + 1, sizeof(json_t *));
    size_t i, count = 0;

    json_array_foreach(hits, i, hit)
    {
        const json_t *source = json_object_get(hit, "_source");

        found[count++] =
            json_pack("{s:s, s:s, s:s}", "month", json_member_text(source, "month", ""), "reason",
                      json_member_text(source, "reason", ""), "time", json_member_text(source, "time", ""));
    }
    qsort(found, count, sizeof(json_t *), by_time);
    for (i = 0; i < count; i++) {
        if (i == 0 || !json_equal(found[i], found[i - 1])) /* the standards take no exception twice */
            json_array_append(r->restated, found[i]);
    }
    for (i = 0; i < count; i++)
        json_decref(found[i]);
    free(found);
}

static bool read_restated(struct report *r, struct client *c, struct error *err)
{
    json_t *request = restated_request(r), *answer = NULL;
    struct buf path = BUF_INIT;
    bool missing, ok;

    buf_add_char(&path, '/');
    http_add_segment(&path, client_prefix(c), strlen(client_prefix(c)));
    buf_add_text(&path, RESTATED_INDEX "/_search?allow_partial_search_results=false");
    ok = client_json(c, "POST", path.data, request, &answer, &missing, err) || error_in(err, RESTATED_INDEX);
    if (ok)
        take_restated(r, answer);
    json_decref(answer);
    json_decref(request);
    buf_release(&path);
    return ok;
}

/* ------------------------------------------------------------------------------------------------------ its making */

static int by_id(const void *a, const void *b)
{
    const struct usage_item *x = *(const struct usage_item *const *)a, *y = *(const struct usage_item *const *)b;
    int order = strcmp(x->id, y->id);

    return order ? order : (int)x->is_parent - (int)y->is_parent;
}

static void sort_items(struct report *r)
{
    const struct usage_item *const *items = usage_items(r->usage, &r->item_count);

    r->items = arena_alloc(r->arena, (r->item_count + 1) * sizeof(struct usage_item *));
    for (size_t i = 0; i < r->item_count; i++) {
        r->items[i] = items[i];
        r->unknown_count += !items[i]->is_parent && !r->records[items[i]->number];
    }
    qsort(r->items, r->item_count, sizeof(struct usage_item *), by_id);
}

static bool gather(struct report *r, struct client *c, const struct settings *s, struct progress *progress,
                   struct error *err)
{
    const struct gather_query query = {
        .first = r->first,
        .last = r->last,
        .until_us = r->until_us,
        .machines = is_research_data(r),
        .details = is_research_data(r),
    };

    r->usage = usage_gather(c, s, &query, progress, err);
    if (!r->usage || !report_records_read(c, r->settings, r->usage, r->arena, &r->records, err))
        return false;
    sort_items(r);
    return read_restated(r, c, err);
}

static bool write_document(struct report *r, struct error *err)
{
    r->document = is_research_data(r) ? report_coprd_document(r) : report_cop51_document(r);
    if (is_research_data(r) ? report_check_coprd(r->document, err) : report_check_cop51(r->document, err))
        return true;
    return error_in(err, "the report breaks a rule of the standard, and was not written");
}

struct report *report_make(struct client *c, const struct settings *s, enum report_kind kind, int first, int last,
                           struct progress *progress, struct error *err)
{
    struct report *r = xcalloc(1, sizeof *r);

    r->kind = kind;
    r->first = first;
    r->last = last;
    r->created_us = clock_wall_us() / US_PER_SECOND * US_PER_SECOND;
    r->settings = &s->report;
    r->arena = arena_new();
    r->restated = json_array();
    if (check_months(r, err) && check_settings(r->settings, err) && gather(r, c, s, progress, err) &&
        write_document(r, err))
        return r;
    report_free(r);
    return NULL;
}

void report_free(struct report *r)
{
    if (!r)
        return;
    json_decref(r->document);
    json_decref(r->restated);
    usage_free(r->usage);
    arena_free(r->arena);
    free(r);
}

bool report_is_empty(const struct report *r)
{
    const char *items = is_research_data(r) ? "report-datasets" : "Report_Items";

    return json_array_size(json_object_get(r->document, items)) == 0;
}

void report_add_csv(const struct report *r, struct buf *out)
{
    if (is_research_data(r))
        report_coprd_add_csv(r, out);
    else
        report_cop51_add_csv(r, out);
}

void report_add_counts(const struct report *r, const struct usage_item *item, int64_t *counts)
{
    for (const struct usage_cell *cell = item->cells; cell; cell = cell->next)
        for (int m = 0; m < USAGE_METRICS; m++)
            counts[(cell->month - r->first) * USAGE_METRICS + m] += cell->counts[m];
}
