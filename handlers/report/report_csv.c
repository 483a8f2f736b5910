#include "handlers/report/report_csv.h"

#include "base/json.h"
#include "base/text.h"
#include "handlers/report/report_month.h"

static void begin_field(struct csv *c)
{
    if (c->fields++ > 0)
        buf_add_char(c->out, ',');
}

void csv_text(struct csv *c, const char *text)
{
    begin_field(c);
    if (text)
        text_add_csv(c->out, text);
}

void csv_int(struct csv *c, int64_t number)
{
    begin_field(c);
    buf_add_int(c->out, number);
}

void csv_end(struct csv *c)
{
    buf_add_text(c->out, "\r\n");
    c->fields = 0;
}

void csv_pair(struct csv *c, const char *name, const char *value)
{
    csv_text(c, name);
    csv_text(c, value);
    csv_end(c);
}

void csv_month_titles(struct csv *c, int first, int last)
{
    char title[MONTH_TITLE_BYTES];

    csv_text(c, "Reporting_Period_Total");
    for (int month = first; month <= last; month++)
        csv_text(c, month_title(month, title));
}

void csv_month_counts(struct csv *c, const int64_t *counts, int first, int last)
{
    int64_t total = 0;

    for (int month = first; month <= last; month++)
        total += counts[month - first];
    csv_int(c, total);
    for (int month = first; month <= last; month++)
        csv_int(c, counts[month - first]);
}

void csv_list(struct csv *c, const json_t *array, const char *member)
{
    struct buf text = BUF_INIT;
    const json_t *one;
    size_t i;

    json_array_foreach(array, i, one)
        buf_printf(&text, "%s%s", text.length ? "; " : "", json_member_text(one, member, ""));
    csv_text(c, text.data);
    buf_release(&text);
}
