#include "handlers/audit/audit_search.h"

#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "handlers/audit.h"
#include "handlers/audit/audit_options.h"
#include "handlers/query/timeline.h"
#include "notifier/template.h"

/* Where each form has what is asked for. */
static const struct fields {
    const char *id, *time, *action, *outcome, *actor_kind, *actor_id, *resource_kind, *resource_id, *type;
} forms[] = {
    [AUDIT_FORM_CRIER] = {"id", "time",       "action", "outcome",          "actor.kind", "actor.id", "resource.kind", "resource.id",
                          "event.type"                                                                                                                     },
    [AUDIT_FORM_INVENIO] = {"id", "@timestamp", "action", "metadata.outcome", NULL,         "user.id",  "resource.type",
                          "resource.id",                                                                                              "metadata.event.type"},
};

/* ------------------------------------------------------------------------------------------------------- the trail */

static bool has_index(const struct handler_settings *hs)
{
    return strcmp(hs->type, audit_handler.name) == 0 && *((const struct audit_options *)hs->own)->index;
}

static const struct handler_settings *first_trail(const struct settings *s)
{
    for (size_t i = 0; i < s->handler_count; i++)
        if (has_index(&s->handlers[i]))
            return &s->handlers[i];
    return NULL;
}

bool audit_trail_find(const struct settings *s, const char *name, struct audit_trail *out, struct error *err)
{
    const struct handler_settings *hs = name ? handler_named(s, name, &audit_handler, err) : first_trail(s);
    const struct audit_options *o;
    struct buf pattern = BUF_INIT;
    struct template *index;

    if (!hs && name)
        return false;
    if (!hs || !has_index(hs))
        return error_set(err, ERROR_CONFIG, "no handler of type audit writes its entries into an index");
    o = hs->own;
    index = template_new(o->index, err);
    if (!index)
        return false;
    template_add_glob(index, &pattern);
    template_free(index);
    *out = (struct audit_trail){.handler = hs->name, .pattern = buf_take(&pattern), .form = o->form};
    return true;
}

void audit_trail_release(struct audit_trail *t)
{
    free(t->pattern);
    t->pattern = NULL;
}

/* -------------------------------------------------------------------------------------------------------- the query */

bool audit_filter_check(const struct audit_filter *f, struct error *err)
{
    return timeline_value_check("actor", f->actor, err) && timeline_value_check("resource", f->resource, err) &&
           timeline_value_check("action", f->action, err) && timeline_value_check("outcome", f->outcome, err);
}

static void add_term(json_t *all, const char *field, const char *value, size_t length)
{
    if (field)
        timeline_add_term(all, field, value, length);
}

static void add_reference(json_t *all, const char *kind_field, const char *id_field, const char *reference)
{
    const char *slash, *id;

    if (!reference)
        return;
    slash = strchr(reference, '/');
    id = slash ? slash + 1 : reference;
    if (slash)
        add_term(all, kind_field, reference, (size_t)(slash - reference));
    if (*id && !text_same(id, "*"))
        add_term(all, id_field, id, strlen(id));
}

/* In a wildcard query ? and \ mean something, too. */
static void add_action(json_t *all, const char *field, const char *action)
{
    struct buf pattern = BUF_INIT;

    if (!action)
        return;
    if (!strchr(action, '*')) {
        add_term(all, field, action, strlen(action));
        return;
    }
    for (const char *c = action; *c; c++) {
        if (*c == '?' || *c == '\\')
            buf_add_char(&pattern, '\\');
        buf_add_char(&pattern, *c);
    }
    json_array_append_new(all, json_pack("{s:{s:{s:s}}}", "wildcard", field, "value", pattern.data));
    buf_release(&pattern);
}

json_t *audit_search_query(const struct audit_trail *t, const struct audit_filter *f)
{
    const struct fields *where = &forms[t->form];
    json_t *all = json_array();

    add_reference(all, where->actor_kind, where->actor_id, f->actor);
    add_reference(all, where->resource_kind, where->resource_id, f->resource);
    add_action(all, where->action, f->action);
    if (f->outcome)
        add_term(all, where->outcome, f->outcome, strlen(f->outcome));
    timeline_add_range(all, where->time, &f->range);
    return json_pack("{s:{s:o}}", "bool", "filter", all);
}

/* --------------------------------------------------------------------------------------------------------- a page */

bool audit_search_page(struct client *c, const struct audit_trail *t, const struct audit_filter *f, size_t limit,
                       struct buf *after, json_t **entries, struct error *err)
{
    const struct timeline where = {.pattern = t->pattern,
                                   .time = forms[t->form].time,
                                   .id = forms[t->form].id,
                                   .point = t->point,
                                   .page_bytes = t->page_bytes};
    json_t *query = audit_search_query(t, f);
    bool ok = timeline_page(c, &where, query, limit, after, entries, err);

    json_decref(query);
    return ok;
}

/* ---------------------------------------------------------------------------------------------- what an entry says */

static void add_at(const json_t *entry, const char *path, struct buf *out)
{
    const char *text = path ? json_string_value(json_at(entry, path)) : NULL;

    if (text)
        buf_add_text(out, text);
}

static void add_pair(const json_t *entry, const char *kind, const char *id, struct buf *out)
{
    size_t start = out->length;

    add_at(entry, kind, out);
    if (out->length > start)
        buf_add_char(out, '/');
    add_at(entry, id, out);
}

void audit_entry_say(const struct audit_trail *t, const json_t *entry, const char *what, struct buf *out)
{
    const struct fields *f = &forms[t->form];
    const struct {
        const char *name, *path;
    } plain[] = {
        {"id",      f->id     },
        {"time",    f->time   },
        {"action",  f->action },
        {"outcome", f->outcome},
        {"type",    f->type   },
    };

    if (text_same(what, "actor"))
        add_pair(entry, f->actor_kind, f->actor_id, out);
    if (text_same(what, "resource"))
        add_pair(entry, f->resource_kind, f->resource_id, out);
    for (size_t i = 0; i < ARRAY_LENGTH(plain); i++)
        if (text_same(what, plain[i].name))
            add_at(entry, plain[i].path, out);
}
