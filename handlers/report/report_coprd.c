#include "handlers/report/report_coprd.h"

#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "base/json.h"
#include "handlers/report/report.h"
#include "handlers/report/report_form.h"
#include "handlers/report/report_month.h"

#define PARTIAL_MESSAGE "Partial Data Returned"

enum { BYTES_A_MEGABYTE = 1000000 };

static const char *const metric_names[USAGE_METRICS] = {
    [TOTAL_INVESTIGATIONS] = "total-dataset-investigations",
    [TOTAL_REQUESTS] = "total-dataset-requests",
    [UNIQUE_INVESTIGATIONS] = "unique-dataset-investigations",
    [UNIQUE_REQUESTS] = "unique-dataset-requests",
};

/* ---------------------------------------------------------------------------------------------------- the header */

static json_t *exception(int code, const char *message, const char *data)
{
    return json_pack("{s:i, s:s, s:s, s:s}", "code", code, "severity", "warning", "message", message, "data", data);
}

static json_t *exceptions(const struct report *r, bool empty)
{
    json_t *list = json_array(), *one;
    size_t i;

    if (empty)
        json_array_append_new(list, exception(EXCEPTION_NO_USAGE, "No Usage Available for Requested Dates", ""));
    if (r->unknown_count > 0)
        json_array_append_new(
            list,
            exception(EXCEPTION_PARTIAL, PARTIAL_MESSAGE,
                      arena_printf(r->arena, "%zu records are not known to the platform any more", r->unknown_count)));
    json_array_foreach(r->restated, i, one) json_array_append_new(
        list, exception(EXCEPTION_RESTATED, REPORT_RESTATED_MESSAGE,
                        arena_printf(r->arena, "%s at %s: %s", json_member_text(one, "month", ""),
                                     json_member_text(one, "time", ""), json_member_text(one, "reason", ""))));
    return list;
}

/* The last day of a month, or of what there is of it. */
static const char *period_end(const struct report *r, int month, char out[DAY_TEXT_BYTES])
{
    int64_t end_us = month_start_us(month + 1);

    return day_text((end_us < r->until_us ? end_us : r->until_us) - 1, out);
}

static json_t *period(const struct report *r, int first, int last)
{
    char begin[DAY_TEXT_BYTES], end[DAY_TEXT_BYTES];

    return json_pack("{s:s, s:s}", "begin-date", month_first_day(first, begin), "end-date", period_end(r, last, end));
}

static json_t *header(const struct report *r, bool empty)
{
    const struct report_settings *s = r->settings;
    char created[TIME_TEXT_BYTES];

    return json_pack("{s:s, s:s, s:s, s:s, s:s, s:o, s:[], s:[], s:o}", "report-name", "dataset report", "report-id",
                     report_kind_name(r->kind), "release", "rd1", "created", time_text(r->created_us, created),
                     "created-by", *s->created_by ? s->created_by : s->platform, "reporting-period",
                     period(r, r->first, r->last), "report-filters", "report-attributes", "exceptions",
                     exceptions(r, empty));
}

/* ------------------------------------------------------------------------------------------------------- numbers */

static json_t *country_counts(const struct usage_cell *cell, int metric)
{
    json_t *all = json_object();

    for (const struct usage_country *c = cell->countries; c; c = c->next)
        if (c->counts[metric] > 0)
            json_object_set_new(all, c->code, json_integer(c->counts[metric]));
    return all;
}

static json_t *instance(const struct usage_cell *cell, int metric)
{
    bool unique = metric == UNIQUE_INVESTIGATIONS || metric == UNIQUE_REQUESTS;
    int64_t bytes = unique ? cell->bytes_unique : cell->bytes_total;
    json_t *countries = country_counts(cell, metric);
    json_t *one = json_pack("{s:s, s:s, s:I}", "metric-type", metric_names[metric], "access-method",
                            cell->machine ? "machine" : "regular", "count", (json_int_t)cell->counts[metric]);

    if (json_object_size(countries) > 0)
        json_object_set(one, "country-counts", countries);
    if (bytes > 0)
        json_object_set_new(one, "volume", json_real((double)bytes / BYTES_A_MEGABYTE));
    json_decref(countries);
    return one;
}

static void add_instances(json_t *list, const struct usage_cell *cell)
{
    for (int m = 0; cell && m < USAGE_METRICS; m++)
        if (cell->counts[m] > 0)
            json_array_append_new(list, instance(cell, m));
}

/* A month without use has no entry. */
static json_t *performance(const struct report *r, const struct usage_item *item)
{
    json_t *months = json_array();

    for (int month = r->first; month <= r->last; month++) {
        json_t *list = json_array();

        add_instances(list, usage_cell(item, month, false));
        add_instances(list, usage_cell(item, month, true));
        if (json_array_size(list) > 0)
            json_array_append_new(months, json_pack("{s:o, s:O}", "period", period(r, month, month), "instance", list));
        json_decref(list);
    }
    return months;
}

/* -------------------------------------------------------------------------------------------------- the datasets */

static json_t *typed(const char *type, const char *value)
{
    return json_pack("{s:s, s:s}", "type", type, "value", value);
}

static json_t *dataset_ids(const struct report *r, const struct usage_item *item, const struct report_record *record)
{
    const char *doi = item->is_parent ? record->parent_doi : record->doi;

    if (*doi)
        return json_pack("[o]", typed("doi", doi));
    return json_pack("[o]", typed("proprietary", arena_printf(r->arena, "%s:%s", r->settings->namespace, item->id)));
}

/* Of those kinds that the hub takes. */
static json_t *publisher_ids(const struct report *r, const char *publisher)
{
    static const char *const kinds[] = {"isni", "orcid", "grid", "urn", "client-id"};
    const char *id = r->settings->publisher_id;

    for (size_t i = 0; i < ARRAY_LENGTH(kinds); i++) {
        size_t length = strlen(kinds[i]);

        if (strncasecmp(id, kinds[i], length) == 0 && id[length] == ':' &&
            strcmp(publisher, r->settings->publisher) == 0)
            return json_pack("[o]", typed(kinds[i], id + length + 1));
    }
    return json_array();
}

static json_t *contributors(const struct report_record *record)
{
    json_t *list = json_array();

    for (size_t i = 0; i < record->author_count; i++)
        json_array_append_new(list, typed("name", record->authors[i]));
    return list;
}

static void add_details(json_t *dataset, const struct usage_item *item, const struct report_record *record)
{
    const char *version = item->is_parent ? "All" : record->version;

    if (record->author_count > 0)
        json_object_set_new(dataset, "dataset-contributors", contributors(record));
    if (*record->date)
        json_object_set_new(dataset, "dataset-dates", json_pack("[o]", typed("pub-date", record->date)));
    if (*version)
        json_object_set_new(dataset, "dataset-attributes", json_pack("[o]", typed("dataset-version", version)));
}

static json_t *dataset(const struct report *r, const struct usage_item *item, const struct report_record *record)
{
    json_t *one =
        json_pack("{s:s, s:o, s:s, s:s, s:o, s:s, s:s}", "dataset-title", record->title, "dataset-id",
                  dataset_ids(r, item, record), "platform", r->settings->platform, "publisher", record->publisher,
                  "publisher-id", publisher_ids(r, record->publisher), "data-type", "dataset", "yop", record->year);

    add_details(one, item, record);
    json_object_set_new(one, "performance", performance(r, item));
    return one;
}

/* All versions have an entry, unless there is but one name for them and for the only version. */
static bool is_reported(const struct usage_item *item, const struct report_record *record)
{
    if (!record || strcmp(record->data_type, REPORT_TYPE_DATASET) != 0)
        return false;
    return !item->is_parent || !*record->parent_doi || strcmp(record->parent_doi, record->doi) != 0;
}

json_t *report_coprd_document(const struct report *r)
{
    json_t *list = json_array();

    for (size_t i = 0; i < r->item_count; i++) {
        const struct report_record *record = r->records[r->items[i]->number];

        if (is_reported(r->items[i], record))
            json_array_append_new(list, dataset(r, r->items[i], record));
    }
    return json_pack("{s:o, s:o}", "report-header", header(r, json_array_size(list) == 0), "report-datasets", list);
}

json_t *report_coprd_part(const json_t *document, size_t first, size_t count)
{
    json_t *header = json_copy(json_object_get(document, "report-header")), *list = json_array();
    json_t *exceptions = json_copy(json_object_get(header, "exceptions"));
    const json_t *datasets = json_object_get(document, "report-datasets");

    json_array_append_new(exceptions, json_pack("{s:i, s:s, s:s, s:s, s:s}", "code", EXCEPTION_COMPRESSED, "severity",
                                                "warning", "message", "Report is compressed using gzip", "help-url",
                                                "https://github.com/datacite/sashimi", "data",
                                                "usage data needs to be uncompressed"));
    json_object_set_new(header, "exceptions", exceptions);
    for (size_t i = first; i < first + count && i < json_array_size(datasets); i++)
        json_array_append(list, json_array_get(datasets, i));
    return json_pack("{s:o, s:o}", "report-header", header, "report-datasets", list);
}
