/* The tabular form of a dataset report: ten lines of header, an empty one, the columns, a line for each metric. */
#include <string.h>

#include "base/json.h"
#include "handlers/report/report.h"
#include "handlers/report/report_coprd.h"
#include "handlers/report/report_csv.h"
#include "handlers/report/report_month.h"

static const struct {
    const char *name, *title;
} methods[] =
    {
        {"regular", "Regular"},
        {"machine", "Machine"}
},
  metrics[] = {
      {"total-dataset-investigations", "Total_Dataset_Investigations"},
      {"total-dataset-requests", "Total_Dataset_Requests"},
      {"unique-dataset-investigations", "Unique_Dataset_Investigations"},
      {"unique-dataset-requests", "Unique_Dataset_Requests"},
};

static void csv_exceptions(struct csv *c, const json_t *list)
{
    struct buf text = BUF_INIT;
    const json_t *one;
    size_t i;

    json_array_foreach(list, i, one)
    {
        const char *data = json_member_text(one, "data", "");

        buf_printf(&text, "%s%d: %s", i ? "; " : "", (int)json_integer_value(json_object_get(one, "code")),
                   json_member_text(one, "message", ""));
        if (*data)
            buf_printf(&text, " (%s)", data);
    }
    csv_pair(c, "Exceptions", text.data);
    buf_release(&text);
}

static void csv_header(struct csv *c, const json_t *header)
{
    const json_t *period = json_object_get(header, "reporting-period");
    struct buf text = BUF_INIT;

    csv_pair(c, "Report_Name", "Dataset Report");
    csv_pair(c, "Report_ID", json_member_text(header, "report-id", ""));
    csv_pair(c, "Release", "RD1");
    csv_pair(c, "Metric_Types", "");
    csv_pair(c, "Report_Filters", "");
    csv_pair(c, "Report_Attributes", "Attributes_To_Show=Access_Method");
    csv_exceptions(c, json_object_get(header, "exceptions"));
    buf_printf(&text, "begin_date=%s; end_date=%s", json_member_text(period, "begin-date", ""),
               json_member_text(period, "end-date", ""));
    csv_pair(c, "Reporting_Period", text.data);
    buf_reset(&text);
    buf_add(&text, json_member_text(header, "created", "          "), DAY_TEXT_BYTES - 1);
    csv_pair(c, "Created", text.data);
    csv_pair(c, "Created_By", json_member_text(header, "created-by", ""));
    csv_end(c);
    buf_release(&text);
}

static void csv_columns(struct csv *c, const struct report *r)
{
    static const char *const titles[] = {
        "Dataset_Title", "Publisher", "Publisher_ID", "Creators", "Publication_Date", "Dataset_Version",
        "DOI",           "Other_ID",  "URI",          "YOP",      "Access_Method",    "Metric_Type"};

    for (size_t i = 0; i < ARRAY_LENGTH(titles); i++)
        csv_text(c, titles[i]);
    csv_month_titles(c, r->first, r->last);
    csv_end(c);
}

/* Of the first entry of that type in a list of {type, value}; NULL: none. */
static const char *value_of(const json_t *dataset, const char *list, const char *type)
{
    const json_t *one;
    size_t i;

    json_array_foreach(json_object_get(dataset, list), i,
                       one) if (!type || strcmp(json_member_text(one, "type", ""), type) ==
                                             0) return json_member_text(one, "value", NULL);
    return NULL;
}

static void csv_publisher_id(struct csv *c, const json_t *dataset)
{
    const json_t *id = json_array_get(json_object_get(dataset, "publisher-id"), 0);
    struct buf text = BUF_INIT;

    if (id)
        buf_printf(&text, "%s:%s", json_member_text(id, "type", ""), json_member_text(id, "value", ""));
    csv_text(c, text.data);
    buf_release(&text);
}

static void csv_dataset_words(struct csv *c, const json_t *dataset)
{
    csv_text(c, json_member_text(dataset, "dataset-title", ""));
    csv_text(c, json_member_text(dataset, "publisher", ""));
    csv_publisher_id(c, dataset);
    csv_list(c, json_object_get(dataset, "dataset-contributors"), "value");
    csv_text(c, value_of(dataset, "dataset-dates", "pub-date"));
    csv_text(c, value_of(dataset, "dataset-attributes", "dataset-version"));
    csv_text(c, value_of(dataset, "dataset-id", "doi"));
    csv_text(c, value_of(dataset, "dataset-id", "proprietary"));
    csv_text(c, NULL);
    csv_text(c, json_member_text(dataset, "yop", ""));
}

/* The counts of each month; whether there are any. */
static bool read_counts(const struct report *r, const json_t *dataset, const char *method, const char *metric,
                        int64_t *counts)
{
    const json_t *month, *one;
    bool any = false;
    size_t i, k;

    memset(counts, 0, (size_t)(r->last - r->first + 1) * sizeof *counts);
    json_array_foreach(json_object_get(dataset, "performance"), i, month)
    {
        const char *begin = json_string_value(json_at(month, "period.begin-date"));

        json_array_foreach(json_object_get(month, "instance"), k, one)
        {
            char text[MONTH_TEXT_BYTES];
            int number = r->first;

            if (strcmp(json_member_text(one, "access-method", ""), method) != 0 ||
                strcmp(json_member_text(one, "metric-type", ""), metric) != 0)
                continue;
            while (number < r->last && strncmp(begin, month_text(number, text), MONTH_TEXT_BYTES - 1) != 0)
                number++;
            counts[number - r->first] = json_integer_value(json_object_get(one, "count"));
            any = true;
        }
    }
    return any;
}

void report_coprd_add_csv(const struct report *r, struct buf *out)
{
    int64_t *counts = arena_zero(r->arena, (size_t)(r->last - r->first + 1) * sizeof *counts);
    struct csv c = {out, 0};
    const json_t *dataset;
    size_t i;

    csv_header(&c, json_object_get(r->document, "report-header"));
    csv_columns(&c, r);
    json_array_foreach(json_object_get(r->document, "report-datasets"), i,
                       dataset) for (size_t a = 0; a < ARRAY_LENGTH(methods); a++) for (size_t m = 0;
                                                                                        m < ARRAY_LENGTH(metrics); m++)
    {
        if (!read_counts(r, dataset, methods[a].name, metrics[m].name, counts))
            continue;
        csv_dataset_words(&c, dataset);
        csv_text(&c, methods[a].title);
        csv_text(&c, metrics[m].title);
        csv_month_counts(&c, counts, r->first, r->last);
        csv_end(&c);
    }
}
