/* The tabular form of PR, IR and IR_A1: thirteen lines of header, an empty one, the columns, a line for each metric. */
#include <string.h>

#include "base/json.h"
#include "handlers/report/report.h"
#include "handlers/report/report_cop51.h"
#include "handlers/report/report_csv.h"
#include "handlers/report/report_month.h"

/* ---------------------------------------------------------------------------------------------------- the header */

/* {"ISNI": ["1"], "Proprietary": ["local:2"]} as "ISNI:1; local:2". */
static void csv_ids(struct csv *c, const json_t *ids)
{
    struct buf text = BUF_INIT;
    const json_t *list, *id;
    const char *kind;
    size_t i;

    json_object_foreach((json_t *)(uintptr_t)ids, kind, list) json_array_foreach(list, i, id)
        buf_printf(&text, "%s%s%s%s", text.length ? "; " : "", strcmp(kind, "Proprietary") == 0 ? "" : kind,
                   strcmp(kind, "Proprietary") == 0 ? "" : ":", json_string_value(id));
    csv_text(c, text.data);
    buf_release(&text);
}

/* ["A", "B"] with its name as "NAME=A|B" behind what is there. */
static void add_choice(struct buf *out, const char *name, const json_t *list)
{
    const json_t *one;
    size_t i;

    if (json_array_size(list) == 0)
        return;
    buf_printf(out, "%s%s=", out->length ? "; " : "", name);
    json_array_foreach(list, i, one) buf_printf(out, "%s%s", i ? "|" : "", json_string_value(one));
}

static void csv_metrics(struct csv *c, const json_t *filters)
{
    struct buf text = BUF_INIT;
    const json_t *one;
    size_t i;

    json_array_foreach(json_object_get(filters, "Metric_Type"), i, one)
        buf_printf(&text, "%s%s", i ? "; " : "", json_string_value(one));
    csv_pair(c, "Metric_Types", text.data);
    buf_release(&text);
}

static void csv_choices(struct csv *c, const char *title, const json_t *from, const char *const names[], size_t count)
{
    struct buf text = BUF_INIT;

    for (size_t i = 0; i < count; i++)
        add_choice(&text, names[i], json_object_get(from, names[i]));
    csv_pair(c, title, text.data);
    buf_release(&text);
}

static void csv_exceptions(struct csv *c, const json_t *list)
{
    struct buf text = BUF_INIT;
    const json_t *one;
    size_t i;

    json_array_foreach(list, i, one)
    {
        const char *data = json_member_text(one, "Data", NULL);

        buf_printf(&text, "%s%d: %s", i ? "; " : "", (int)json_integer_value(json_object_get(one, "Code")),
                   json_member_text(one, "Message", ""));
        if (data)
            buf_printf(&text, " (%s)", data);
    }
    csv_pair(c, "Exceptions", text.data);
    buf_release(&text);
}

static void csv_period(struct csv *c, const json_t *filters)
{
    struct buf text = BUF_INIT;

    buf_printf(&text, "Begin_Date=%s; End_Date=%s", json_member_text(filters, "Begin_Date", ""),
               json_member_text(filters, "End_Date", ""));
    csv_pair(c, "Reporting_Period", text.data);
    buf_release(&text);
}

static void csv_member(struct csv *c, const json_t *header, const char *name)
{
    csv_pair(c, name, json_member_text(header, name, ""));
}

static void csv_header(struct csv *c, const json_t *header)
{
    static const char *const filter_names[] = {"Data_Type", "Access_Method"}, *const shown[] = {"Attributes_To_Show"};
    const json_t *filters = json_object_get(header, "Report_Filters");

    csv_member(c, header, "Report_Name");
    csv_member(c, header, "Report_ID");
    csv_member(c, header, "Release");
    csv_member(c, header, "Institution_Name");
    csv_text(c, "Institution_ID");
    csv_ids(c, json_object_get(header, "Institution_ID"));
    csv_end(c);
    csv_metrics(c, filters);
    csv_choices(c, "Report_Filters", filters, filter_names, ARRAY_LENGTH(filter_names));
    csv_choices(c, "Report_Attributes", json_object_get(header, "Report_Attributes"), shown, ARRAY_LENGTH(shown));
    csv_exceptions(c, json_object_get(header, "Exceptions"));
    csv_period(c, filters);
    csv_member(c, header, "Created");
    csv_member(c, header, "Created_By");
    csv_member(c, header, "Registry_Record");
    csv_end(c);
}

/* ------------------------------------------------------------------------------------------------------ the body */

enum column_from { FROM_NOTHING, FROM_ITEM, FROM_USE, FROM_IDS, FROM_AUTHORS };

struct column {
    const char *title;
    enum column_from from;
    const char *path; /* NULL: the title */
};

static const struct column platform_columns[] = {
    {"Platform",  FROM_ITEM, NULL},
    {"Data_Type",       FROM_USE, NULL},
    {"Access_Method", FROM_USE, NULL},
    {0      },
};

#define ITEM_COLUMNS                                                                                                   \
    {"Item", FROM_ITEM, NULL}, {"Publisher", FROM_ITEM, NULL}, {"Publisher_ID", FROM_IDS, NULL},                       \
        {"Platform", FROM_ITEM, NULL}, {"Authors", FROM_AUTHORS, NULL},                                                \
    {                                                                                                                  \
        "Publication_Date", FROM_ITEM, NULL                                                                            \
    }
#define DOI_COLUMNS                                                                                                    \
    {"DOI", FROM_ITEM, "Item_ID.DOI"},                                                                                 \
    {                                                                                                                  \
        "Proprietary_ID", FROM_ITEM, "Item_ID.Proprietary"                                                             \
    }
#define ISSN_COLUMNS                                                                                                   \
    {"Print_ISSN", FROM_NOTHING, NULL}, {"Online_ISSN", FROM_NOTHING, NULL},                                           \
    {                                                                                                                  \
        "URI", FROM_ITEM, "Item_ID.URI"                                                                                \
    }

static const struct column item_columns[] = {
    ITEM_COLUMNS,
    DOI_COLUMNS,
    {"ISBN",      FROM_NOTHING, NULL},
    ISSN_COLUMNS,
    {"Data_Type",       FROM_USE, NULL},
    {"YOP", FROM_USE, NULL},
    {"Access_Type",       FROM_USE, NULL},
    {"Access_Method",       FROM_USE, NULL},
    {0      },
};

static const struct column article_columns[] = {
    ITEM_COLUMNS,
    {"Article_Version",        FROM_NOTHING, NULL},
    DOI_COLUMNS,
    ISSN_COLUMNS,
    {"Parent_Title",                    FROM_NOTHING, NULL},
    {"Parent_Authors",           FROM_NOTHING, NULL},
    {"Parent_Article_Version",                    FROM_NOTHING, NULL},
    {"Parent_DOI",         FROM_NOTHING, NULL},
    {"Parent_Proprietary_ID",                    FROM_NOTHING, NULL},
    {"Parent_Print_ISSN", FROM_NOTHING, NULL},
    {"Parent_Online_ISSN",                    FROM_NOTHING, NULL},
    {"Parent_URI",             FROM_NOTHING, NULL},
    {"Access_Type",                    FROM_USE, NULL},
    {0 },
};

static const struct column *columns_of(const struct report *r)
{
    if (r->kind == REPORT_PR)
        return platform_columns;
    return r->kind == REPORT_IR ? item_columns : article_columns;
}

static void csv_columns(struct csv *c, const struct report *r)
{
    for (const struct column *column = columns_of(r); column->title; column++)
        csv_text(c, column->title);
    csv_text(c, "Metric_Type");
    csv_month_titles(c, r->first, r->last);
    csv_end(c);
}

static void csv_column(struct csv *c, const struct column *column, const json_t *item, const json_t *use)
{
    const char *path = column->path ? column->path : column->title;

    switch (column->from) {
    case FROM_ITEM:
        csv_text(c, json_string_value(json_at(item, path)));
        break;
    case FROM_USE:
        csv_text(c, json_string_value(json_object_get(use, path)));
        break;
    case FROM_IDS:
        csv_ids(c, json_object_get(item, path));
        break;
    case FROM_AUTHORS:
        csv_list(c, json_object_get(item, path), "Name");
        break;
    case FROM_NOTHING:
        csv_text(c, NULL);
        break;
    }
}

static void csv_metric(struct csv *c, const struct report *r, const json_t *item, const json_t *use, const char *metric,
                       const json_t *months)
{
    int64_t *counts = arena_zero(r->arena, (size_t)(r->last - r->first + 1) * sizeof *counts);
    char text[MONTH_TEXT_BYTES];

    for (int month = r->first; month <= r->last; month++)
        counts[month - r->first] = json_integer_value(json_object_get(months, month_text(month, text)));
    for (const struct column *column = columns_of(r); column->title; column++)
        csv_column(c, column, item, use);
    csv_text(c, metric);
    csv_month_counts(c, counts, r->first, r->last);
    csv_end(c);
}

static void csv_item(struct csv *c, const struct report *r, const json_t *item)
{
    const json_t *use, *months;
    const char *metric;
    size_t i;

    json_array_foreach(json_object_get(item, "Attribute_Performance"), i, use)
        json_object_foreach(json_object_get(use, "Performance"), metric, months)
            csv_metric(c, r, item, use, metric, months);
}

void report_cop51_add_csv(const struct report *r, struct buf *out)
{
    const json_t *groups = json_object_get(r->document, "Report_Items"), *group, *item;
    struct csv c = {out, 0};
    size_t g, i;

    csv_header(&c, json_object_get(r->document, "Report_Header"));
    csv_columns(&c, r);
    json_array_foreach(groups, g, group)
    {
        if (r->kind == REPORT_PR)
            csv_item(&c, r, group);
        json_array_foreach(json_object_get(group, "Items"), i, item) csv_item(&c, r, item);
    }
}
