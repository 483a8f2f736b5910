#include "handlers/report/report_cop51.h"

#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "base/text.h"
#include "handlers/report/report.h"
#include "handlers/report/report_form.h"
#include "handlers/report/report_month.h"

static const char *const metric_names[USAGE_METRICS] = {
    [TOTAL_INVESTIGATIONS] = "Total_Item_Investigations",
    [TOTAL_REQUESTS] = "Total_Item_Requests",
    [UNIQUE_INVESTIGATIONS] = "Unique_Item_Investigations",
    [UNIQUE_REQUESTS] = "Unique_Item_Requests",
};

static const char *report_name(enum report_kind kind)
{
    switch (kind) {
    case REPORT_PR:
        return "Platform Report";
    case REPORT_IR_A1:
        return "Journal Article Requests";
    default:
        return "Item Report";
    }
}

/* --------------------------------------------------------------------------------------------------- identifiers */

/* Adds "TYPE:VALUE" or "VALUE" to the list of its kind; what is of no kind is the platform's own. */
static void add_organization_id(json_t *ids, const struct report_settings *s, const char *id)
{
    static const char *const kinds[] = {"ISNI", "ROR", "ISIL", "OCLC"};
    const char *kind = "Proprietary", *value = id;
    struct buf text = BUF_INIT;
    json_t *list;

    for (size_t i = 0; i < ARRAY_LENGTH(kinds); i++) {
        size_t length = strlen(kinds[i]);

        if (strncasecmp(id, kinds[i], length) == 0 && id[length] == ':') {
            kind = kinds[i];
            value = id + length + 1;
        }
    }
    if (value == id && !report_form_is(FORM_PROPRIETARY, id))
        buf_printf(&text, "%s:", s->namespace);
    buf_add_text(&text, value);
    list = json_object_get(ids, kind);
    if (!list)
        json_object_set_new(ids, kind, list = json_array());
    json_array_append_new(list, json_string(text.data));
    buf_release(&text);
}

/* Of words separated by spaces. */
static json_t *organization_ids(const struct report *r, const char *words)
{
    json_t *ids = json_object();
    const char *word;
    size_t length;

    while (text_word(&words, &word, &length))
        add_organization_id(ids, r->settings, arena_copy(r->arena, word, length));
    return ids;
}

static json_t *item_ids(const struct report *r, const struct usage_item *item, const struct report_record *record)
{
    const char *own = arena_printf(r->arena, "%s:%s", r->settings->namespace, item->id);
    json_t *ids = json_object();

    if (record && *record->doi) {
        const char *uri = arena_printf(r->arena, "https://doi.org/%s", record->doi);

        json_object_set_new(ids, "DOI", json_string(record->doi));
        json_object_set_new(ids, "Proprietary", json_string(own));
        if (report_form_is(FORM_URI, uri))
            json_object_set_new(ids, "URI", json_string(uri));
        return ids;
    }
    json_object_set_new(ids, "Proprietary", json_string(own));
    return ids;
}

/* ---------------------------------------------------------------------------------------------------- the header */

static json_t *exception(int code, const char *message, const char *data)
{
    json_t *e = json_pack("{s:i, s:s}", "Code", code, "Message", message);

    if (data)
        json_object_set_new(e, "Data", json_string(data));
    return e;
}

static json_t *exceptions(const struct report *r, bool empty)
{
    json_t *list = json_array(), *one;
    size_t i;

    if (empty)
        json_array_append_new(list, exception(EXCEPTION_NO_USAGE, "No Usage Available for Requested Dates", NULL));
    json_array_foreach(r->restated, i, one)
    {
        const char *month, *reason, *time;

        if (json_unpack(one, "{s:s, s:s, s:s}", "month", &month, "reason", &reason, "time", &time) == 0)
            json_array_append_new(list, exception(EXCEPTION_RESTATED, REPORT_RESTATED_MESSAGE,
                                                  arena_printf(r->arena, "%s at %s: %s", month, time, reason)));
    }
    return list;
}

static json_t *filters(const struct report *r)
{
    char begin[DAY_TEXT_BYTES], end[DAY_TEXT_BYTES];
    json_t *f = json_pack("{s:s, s:s}", "Begin_Date", month_first_day(r->first, begin), "End_Date",
                          month_last_day(r->last, end));

    if (r->kind == REPORT_IR_A1) {
        json_object_set_new(f, "Access_Method", json_pack("[s]", "Regular"));
        json_object_set_new(f, "Data_Type", json_pack("[s]", REPORT_TYPE_ARTICLE));
        json_object_set_new(f, "Metric_Type",
                            json_pack("[s, s]", metric_names[TOTAL_REQUESTS], metric_names[UNIQUE_REQUESTS]));
    }
    return f;
}

/* NULL: the report is a view, whose attributes are fixed. */
static json_t *attributes(const struct report *r)
{
    if (r->kind == REPORT_PR)
        return json_pack("{s:[s]}", "Attributes_To_Show", "Access_Method");
    if (r->kind == REPORT_IR)
        return json_pack("{s:[s, s, s, s, s]}", "Attributes_To_Show", "Authors", "Publication_Date", "YOP",
                         "Access_Type", "Access_Method");
    return NULL;
}

static json_t *header(const struct report *r, bool empty)
{
    const struct report_settings *s = r->settings;
    char created[TIME_TEXT_BYTES];
    json_t *list = exceptions(r, empty), *shown = attributes(r);
    json_t *h = json_pack("{s:s, s:s, s:s, s:s, s:s, s:o, s:s, s:s, s:o}", "Release", "5.1", "Report_ID",
                          report_kind_name(r->kind), "Report_Name", report_name(r->kind), "Created",
                          time_text(r->created_us, created), "Created_By", *s->created_by ? s->created_by : s->platform,
                          "Institution_ID", organization_ids(r, s->institution_id), "Institution_Name", s->institution,
                          "Registry_Record", s->registry_record, "Report_Filters", filters(r));

    if (shown)
        json_object_set_new(h, "Report_Attributes", shown);
    if (json_array_size(list) > 0)
        json_object_set(h, "Exceptions", list);
    json_decref(list);
    return h;
}

/* ------------------------------------------------------------------------------------------------------- numbers */

static int64_t *counts_new(const struct report *r)
{
    return arena_zero(r->arena, (size_t)(r->last - r->first + 1) * USAGE_METRICS * sizeof(int64_t));
}

/* Months without use are left out, and metrics without months. */
static json_t *performance(const struct report *r, const int64_t *counts)
{
    json_t *all = json_object();
    char text[MONTH_TEXT_BYTES];

    for (int m = 0; m < USAGE_METRICS; m++) {
        json_t *months = json_object();

        for (int month = r->first; month <= r->last; month++) {
            int64_t count = counts[(month - r->first) * USAGE_METRICS + m];

            if (count > 0)
                json_object_set_new(months, month_text(month, text), json_integer(count));
        }
        if (json_object_size(months) > 0 && (r->kind != REPORT_IR_A1 || m == TOTAL_REQUESTS || m == UNIQUE_REQUESTS))
            json_object_set(all, metric_names[m], months);
        json_decref(months);
    }
    return all;
}

static const char *type_of(const struct report_record *record)
{
    return record ? record->data_type : REPORT_TYPE_UNKNOWN;
}

/* ------------------------------------------------------------------------------------------------- the platform */

static void sum_type(const struct report *r, const char *type, size_t length, int64_t **counts)
{
    for (size_t i = 0; i < r->item_count; i++) {
        const char *own = type_of(r->records[r->items[i]->number]);

        if (strlen(own) != length || memcmp(own, type, length) != 0)
            continue;
        if (!*counts)
            *counts = counts_new(r);
        report_add_counts(r, r->items[i], *counts);
    }
}

static json_t *platform_items(const struct report *r)
{
    const char *types = REPORT_ITEM_TYPES, *type;
    json_t *list = json_array(), *items = json_array();
    size_t length;

    while (text_word(&types, &type, &length)) {
        int64_t *counts = NULL;

        sum_type(r, type, length, &counts);
        if (counts)
            json_array_append_new(list, json_pack("{s:s%, s:s, s:o}", "Data_Type", type, length, "Access_Method",
                                                  "Regular", "Performance", performance(r, counts)));
    }
    if (json_array_size(list) > 0)
        json_array_append_new(
            items, json_pack("{s:s, s:O}", "Platform", r->settings->platform, "Attribute_Performance", list));
    json_decref(list);
    return items;
}

/* ---------------------------------------------------------------------------------------------------- the items */

static json_t *authors(const struct report_record *record)
{
    json_t *list = json_array();

    for (size_t i = 0; i < record->author_count; i++)
        json_array_append_new(list, json_pack("{s:s}", "Name", record->authors[i]));
    return list;
}

static json_t *attribute_performance(const struct report *r, const struct report_record *record, json_t *numbers)
{
    json_t *one = json_object();

    if (r->kind == REPORT_IR) {
        json_object_set_new(one, "Data_Type", json_string(type_of(record)));
        json_object_set_new(one, "YOP", json_string(record ? record->year : "0001"));
    }
    json_object_set_new(one, "Access_Type", json_string(!record || record->open ? "Open" : "Controlled"));
    if (r->kind == REPORT_IR)
        json_object_set_new(one, "Access_Method", json_string("Regular"));
    json_object_set_new(one, "Performance", numbers);
    return json_pack("[o]", one);
}

static json_t *report_item(const struct report *r, const struct usage_item *item, json_t *numbers)
{
    const struct report_record *record = r->records[item->number];
    const struct report_settings *s = r->settings;
    const char *publisher = record ? record->publisher : s->publisher;
    json_t *one = json_pack("{s:s, s:s}", "Item", record ? record->title : "", "Publisher", publisher);

    if (*s->publisher_id && strcmp(publisher, s->publisher) == 0)
        json_object_set_new(one, "Publisher_ID", organization_ids(r, s->publisher_id));
    json_object_set_new(one, "Platform", json_string(s->platform));
    if (record && record->author_count > 0)
        json_object_set_new(one, "Authors", authors(record));
    if (record && *record->date)
        json_object_set_new(one, "Publication_Date", json_string(record->date));
    json_object_set_new(one, "Item_ID", item_ids(r, item, record));
    json_object_set_new(one, "Attribute_Performance", attribute_performance(r, record, numbers));
    return one;
}

/* Items of a repository have no parents, such as a journal: all of them stand under none. */
static json_t *item_items(const struct report *r)
{
    json_t *list = json_array(), *items = json_array();
    size_t months = (size_t)(r->last - r->first + 1);
    int64_t *counts = counts_new(r);

    for (size_t i = 0; i < r->item_count; i++) {
        json_t *numbers;

        if (r->kind == REPORT_IR_A1 && strcmp(type_of(r->records[r->items[i]->number]), REPORT_TYPE_ARTICLE) != 0)
            continue;
        memset(counts, 0, months * USAGE_METRICS * sizeof *counts);
        report_add_counts(r, r->items[i], counts);
        numbers = performance(r, counts);
        if (json_object_size(numbers) > 0)
            json_array_append_new(list, report_item(r, r->items[i], json_incref(numbers)));
        json_decref(numbers);
    }
    if (json_array_size(list) > 0)
        json_array_append_new(items, json_pack("{s:O}", "Items", list));
    json_decref(list);
    return items;
}

json_t *report_cop51_document(const struct report *r)
{
    json_t *items = r->kind == REPORT_PR ? platform_items(r) : item_items(r);

    return json_pack("{s:o, s:o}", "Report_Header", header(r, json_array_size(items) == 0), "Report_Items", items);
}
