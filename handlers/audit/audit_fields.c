#include "handlers/audit/audit_fields.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/json.h"
#include "handlers/audit/audit_mask.h"
#include "handlers/audit/audit_pairs.h"
#include "notifier/service_event.h"
#include "notifier/template.h"

struct audit_reader {
    const struct audit_options *options;
    struct template *action;
    struct audit_pairs actions;
    struct buf text;
    json_t *data, *before, *after, *request; /* of the event last read */
};

/* What is told of who asked, as events have it and as entries do. */
static const struct {
    const char *member, *name;
} personal[] = {
    {"ip_address", "ip"        },
    {"user_agent", "user_agent"},
    {"session_id", "session"   },
};

struct audit_reader *audit_reader_new(const struct audit_options *o, struct error *err)
{
    struct audit_reader *r = xcalloc(1, sizeof *r);

    r->options = o;
    buf_init(&r->text);
    if ((r->action = template_new(o->action, err)) && audit_pairs_read(&r->actions, o->actions, err))
        return r;
    audit_reader_free(r);
    return NULL;
}

static void forget(struct audit_reader *r)
{
    json_decref(r->data);
    json_decref(r->before);
    json_decref(r->after);
    json_decref(r->request);
    r->data = r->before = r->after = r->request = NULL;
}

void audit_reader_free(struct audit_reader *r)
{
    if (!r)
        return;
    forget(r);
    template_free(r->action);
    audit_pairs_release(&r->actions);
    buf_release(&r->text);
    free(r);
}

/* ------------------------------------------------------------------------------------------------------------- data */

/* The first part of a path below data, as a member would be written. */
static bool has_member(struct span data, const char *path)
{
    const char *name = path + strlen("data.");
    struct buf member = BUF_INIT;
    bool has;

    buf_printf(&member, "\"%.*s\":", (int)strcspn(name, "."), name);
    has = json_text_has_member(data.text, data.length, member.data);
    buf_release(&member);
    return has;
}

/* Most events say nothing of all that: their data is passed on as it is. The platform's form has places for some. */
static bool is_plain(const struct audit_options *o, struct span data)
{
    static const char *const looked_at[] = {"data.outcome",    "data.before",     "data.after",
                                            "data.ip_address", "data.user_agent", "data.session_id"};

    if (*o->mask || o->form == AUDIT_FORM_INVENIO || data.length > (size_t)o->field_bytes)
        return false;
    for (size_t i = 0; i < ARRAY_LENGTH(looked_at); i++)
        if (has_member(data, looked_at[i]))
            return false;
    return !(*o->actor_name && has_member(data, o->actor_name)) &&
           !(*o->on_behalf_of && has_member(data, o->on_behalf_of));
}

static json_t *take(json_t *data, const char *name)
{
    json_t *value = json_incref(json_object_get(data, name));

    if (value)
        json_object_del(data, name);
    return value;
}

static bool is_asked_for(const char *words, const char *name)
{
    const char *word;
    size_t length;

    while (text_word(&words, &word, &length))
        if (strlen(name) == length && memcmp(name, word, length) == 0)
            return true;
    return false;
}

static void take_request(struct audit_reader *r)
{
    for (size_t i = 0; i < ARRAY_LENGTH(personal); i++) {
        json_t *value = take(r->data, personal[i].member);

        if (value && !json_is_null(value) && is_asked_for(r->options->request, personal[i].name)) {
            r->request = r->request ? r->request : json_object();
            json_object_set(r->request, personal[i].name, value);
        }
        json_decref(value);
    }
}

/* The text at a path of data; none: SPAN_NONE. */
static struct span text_at(const json_t *data, const char *path)
{
    const json_t *value = *path ? json_at(data, path + strlen("data.")) : NULL;

    return json_is_string(value) ? (struct span){json_string_value(value), json_string_length(value)} : SPAN_NONE;
}

static void read_data(struct audit_reader *r, struct audit_fields *out)
{
    const struct audit_options *o = r->options;
    struct span outcome;

    audit_mask(r->data, o->mask);
    audit_cut(r->data, (size_t)o->field_bytes);
    r->before = take(r->data, "before");
    r->after = take(r->data, "after");
    take_request(r);
    outcome = text_at(r->data, "data.outcome");
    if (outcome.length > 0)
        out->outcome = outcome;
    out->actor_name = text_at(r->data, o->actor_name);
    out->on_behalf_of = text_at(r->data, o->on_behalf_of);
    out->before = r->before;
    out->after = r->after;
    out->request = r->request;
    out->data = json_object_size(r->data) > 0 ? r->data : NULL;
}

/* ----------------------------------------------------------------------------------------------------------- reading
 */

static bool read_action(struct audit_reader *r, const struct event *e, struct audit_fields *out, struct error *err)
{
    size_t which = audit_pairs_find(&r->actions, e->type);

    if (which < r->actions.count) {
        out->action = span_of(r->actions.items[which].word);
        return true;
    }
    buf_reset(&r->text);
    if (!template_add(r->action, e, &r->text, err)) {
        out->action = e->type;
        return service_event_is(e->type);
    }
    if (r->text.length > (size_t)r->options->field_bytes) {
        struct buf whole = r->text;

        buf_init(&r->text);
        audit_cut_text((struct span){whole.data, whole.length}, (size_t)r->options->field_bytes, &r->text);
        buf_release(&whole);
    }
    out->action = (struct span){r->text.data, r->text.length};
    return true;
}

/* An event may say that what it reports failed: data.outcome. Everything else succeeded, or it would be no event. */
bool audit_reader_read(struct audit_reader *r, const struct event *e, struct audit_fields *out, struct error *err)
{
    forget(r);
    *out = (struct audit_fields){
        .outcome = span_of("success"), .actor_name = SPAN_NONE, .on_behalf_of = SPAN_NONE, .plain = SPAN_NONE};
    if (!read_action(r, e, out, err))
        return false;
    if (e->data.length == 0)
        return true;
    if (is_plain(r->options, e->data)) {
        out->plain = e->data;
        return true;
    }
    r->data = json_text_parse(e->data.text, e->data.length, JSON_DEPTH_MOST, err);
    if (!r->data)
        return error_in(err, "data");
    read_data(r, out);
    return true;
}
