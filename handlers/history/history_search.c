#include "handlers/history/history_search.h"

#include <string.h>

#include "handlers/history.h"
#include "handlers/written.h"
#include "notifier/pattern.h"

bool history_find(const struct settings *s, const char *name, struct history_place *out, struct error *err)
{
    const struct handler_settings *hs =
        name ? handler_named(s, name, &history_handler, err) : handler_first(s, &history_handler);

    *out = (struct history_place){.pattern = BUF_INIT};
    if (name && !hs)
        return false;
    if (!hs || !written_index(hs, &out->pattern))
        return error_set(err, ERROR_CONFIG, "no handler of type history keeps events");
    out->handler = hs->name;
    return true;
}

void history_place_release(struct history_place *p)
{
    buf_release(&p->pattern);
}

bool history_filter_check(const struct history_filter *f, struct error *err)
{
    if (!timeline_value_check("id", f->id, err) || !timeline_value_check("subject", f->subject, err) ||
        !timeline_value_check("actor", f->actor, err) || !timeline_value_check("operation", f->operation, err) ||
        !timeline_value_check("type", f->type, err))
        return false;
    if (!f->type || patterns_check(f->type, err))
        return true;
    err->kind = ERROR_INPUT;
    return error_in(err, "type");
}

/* -------------------------------------------------------------------------------------------------------- the query */

/* Any of them. */
static void add_any(json_t *all, json_t *several)
{
    json_array_append_new(all, json_pack("{s:{s:o, s:i}}", "bool", "should", several, "minimum_should_match", 1));
}

static void add_id(json_t *all, const char *id)
{
    json_t *either = json_array();

    timeline_add_term(either, "id", id, strlen(id));
    timeline_add_term(either, "crierunique", id, strlen(id));
    add_any(all, either);
}

static void add_reference(json_t *all, const char *field, const char *reference)
{
    size_t length = reference ? strlen(reference) : 0;

    if (length == 0)
        return;
    if (length > 1 && text_same(reference + length - 2, "/*"))
        length--;
    if (reference[length - 1] == '/')
        json_array_append_new(all, json_pack("{s:{s:{s:s%}}}", "prefix", field, "value", reference, length));
    else
        timeline_add_term(all, field, reference, length);
}

/* A pattern as a regular expression of Lucene's; what patterns are made of means nothing else there. */
static void add_expression(struct span pattern, struct buf *out)
{
    const char *at = pattern.text, *end = at + pattern.length;
    bool dot = false, any = false; /* whether a dot stands before the next part; whether parts of any number do */

    while (at < end) {
        const char *stop = memchr(at, '.', (size_t)(end - at));
        struct span part = {at, (size_t)((stop ? stop : end) - at)};

        at = stop ? stop + 1 : end;
        if (span_is(part, "**")) {
            any = true;
            continue;
        }
        if (any)
            buf_add_text(out, dot ? "(\\.[^.]+)*" : "([^.]+\\.)*");
        if (dot)
            buf_add_text(out, "\\.");
        if (span_is(part, "*"))
            buf_add_text(out, "[^.]+");
        else
            buf_add(out, part.text, part.length);
        dot = true;
        any = false;
    }
    if (any)
        buf_add_text(out, dot ? "(\\.[^.]+)*" : ".*");
}

static void add_types(json_t *all, const char *patterns)
{
    json_t *either;
    const char *word;
    size_t length;

    if (!patterns || !*patterns)
        return;
    either = json_array();
    while (text_word(&patterns, &word, &length)) {
        struct buf expression = BUF_INIT;

        if (memchr(word, '*', length)) {
            add_expression((struct span){word, length}, &expression);
            json_array_append_new(
                either, json_pack("{s:{s:{s:s, s:s}}}", "regexp", "type", "value", expression.data, "flags", "NONE"));
        } else {
            timeline_add_term(either, "type", word, length);
        }
        buf_release(&expression);
    }
    add_any(all, either);
}

json_t *history_query(const struct history_filter *f)
{
    json_t *all = json_array();

    if (f->id)
        add_id(all, f->id);
    add_reference(all, "subject", f->subject);
    add_reference(all, "actor", f->actor);
    add_types(all, f->type);
    add_types(all, f->also_type);
    if (f->operation)
        timeline_add_term(all, "operation", f->operation, strlen(f->operation));
    timeline_add_range(all, "time", &f->range);
    return json_pack("{s:{s:o}}", "bool", "filter", all);
}

bool history_page(struct client *c, const struct history_place *p, const struct history_filter *f, size_t limit,
                  struct buf *after, json_t **events, struct error *err)
{
    const struct timeline where = {.pattern = p->pattern.data,
                                   .time = "time",
                                   .id = "crierunique",
                                   .point = p->point,
                                   .page_bytes = p->page_bytes};
    json_t *query = history_query(f);
    bool ok = timeline_page(c, &where, query, limit, after, events, err);

    json_decref(query);
    return ok;
}
