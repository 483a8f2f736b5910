#include "handlers/mail/mail_pages.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/json.h"
#include "handlers/mail.h"
#include "handlers/mail/address.h"
#include "handlers/mail/mail_link.h"
#include "handlers/mail/mail_preferences.h"
#include "notifier/deed.h"
#include "notifier/page_links.h"

enum { DEPTH_MOST = 2, LINKS_MOST = 2 };

struct mail_pages {
    const struct settings *settings;
    struct page_links *links;
};

/* One request. */
struct visit {
    struct mail_pages *pages;
    const struct page_request *request;
    struct redis *redis;
    struct arena *arena;
    struct buf *body;
    struct deed *deed; /* between its beginning and its end */
    struct error err;
};

static bool is_mail(const struct handler_settings *hs)
{
    return strcmp(hs->type, mail_handler.name) == 0;
}

struct mail_pages *mail_pages_new(const struct settings *s)
{
    struct mail_pages *p;

    if (!handler_first(s, &mail_handler))
        return NULL;
    p = xcalloc(1, sizeof *p);
    p->settings = s;
    p->links = page_links_new(s, LINKS_MOST);
    return p;
}

void mail_pages_free(struct mail_pages *p)
{
    if (!p)
        return;
    page_links_free(p->links);
    free(p);
}

static unsigned refuse(struct visit *v)
{
    return page_refuse_error(v->body, "/mail", &v->err);
}

/* The deed is noted before it is done, and without the address. */
static bool record(struct visit *v, const char *digest, const char *handler, enum mail_frequency f)
{
    const struct caller *c = v->request->caller;
    const char *actor = *c->id ? arena_printf(v->arena, "tokens/%s", c->id) : "services/door", *alias;

    return mail_address_alias(v->redis, digest, v->arena, &alias, &v->err) &&
           (v->deed =
                deed_begin(v->pages->settings, v->redis, "mail.preference_set", alias, actor,
                           json_pack("{s:s, s:s*}", "mails", mail_frequency_word(f), "handler", handler), &v->err));
}

/* After it: how it ended, by v->err where it failed. */
static bool settle(struct visit *v, bool done)
{
    return deed_settle(v->deed, v->redis, done, &v->err);
}

/* ------------------------------------------------------------------------------------------------ preferences */

/* {"HANDLER": "daily", ...}: what counts for each. */
static unsigned tell(struct visit *v, const char *address)
{
    const struct settings *s = v->pages->settings;
    const char *before = "";

    buf_add_text(v->body, "{\"handlers\":{");
    for (size_t i = 0; i < s->handler_count; i++) {
        enum mail_frequency f;

        if (!is_mail(&s->handlers[i]))
            continue;
        if (!mail_preference_get(v->redis, s->handlers[i].name, address, v->arena, &f, &v->err)) {
            buf_reset(v->body);
            return refuse(v);
        }
        buf_add_text(v->body, before);
        buf_add_json_text(v->body, s->handlers[i].name);
        buf_printf(v->body, ":\"%s\"", mail_frequency_word(f));
        before = ",";
    }
    buf_add_text(v->body, "}}");
    return 200;
}

static bool is_handler(const struct visit *v, const char *name)
{
    const struct settings *s = v->pages->settings;

    for (size_t i = 0; i < s->handler_count; i++)
        if (is_mail(&s->handlers[i]) && strcmp(s->handlers[i].name, name) == 0)
            return true;
    return false;
}

/* *handler NULL: all. */
static bool read_wish(struct visit *v, const json_t *wish, const char **handler, enum mail_frequency *f)
{
    const char *name;
    const json_t *value;
    bool said = false;

    *handler = NULL;
    if (!json_is_object(wish))
        return error_set(&v->err, ERROR_INPUT, "an object is wanted");
    json_object_foreach((json_t *)wish, name, value)
    {
        if (strcmp(name, "mails") == 0 && json_is_string(value) && mail_frequency_read(json_string_value(value), f))
            said = true;
        else if (strcmp(name, "handler") == 0 && json_is_string(value) && is_handler(v, json_string_value(value)))
            *handler = json_string_value(value);
        else
            return error_set(&v->err, ERROR_INPUT,
                             "%.40s: mails is off, at-once, daily or weekly, handler one of type mail, and there is "
                             "no other member",
                             name);
    }
    return said || error_set(&v->err, ERROR_INPUT, "mails is missing: off, at-once, daily or weekly");
}

static unsigned change(struct visit *v, const char *address)
{
    json_t *wish = json_text_parse(v->request->bytes, v->request->length, DEPTH_MOST, &v->err);
    char digest[ID_TEXT_BYTES];
    const char *handler;
    enum mail_frequency f = MAIL_AT_ONCE;
    bool ok;

    mail_preference_digest(address, digest);
    ok = wish && read_wish(v, wish, &handler, &f) && record(v, digest, handler, f) &&
         settle(v, mail_preference_set(v->redis, handler, address, f, v->arena, &v->err));
    json_decref(wish);
    return ok ? tell(v, address) : refuse(v);
}

static unsigned preferences(struct visit *v)
{
    const char *address = v->request->rest;

    if (!mail_address_check(span_of(address), &v->err))
        return refuse(v);
    return strcmp(v->request->method, "PUT") == 0 ? change(v, address) : tell(v, address);
}

/* ------------------------------------------------------------------------------------------------ unsubscribing */

static const char ask_page[] =
    "<!doctype html><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">"
    "<title>Unsubscribe</title><form method=\"post\"><p>No more mails of this kind?</p>"
    "<button name=\"List-Unsubscribe\" value=\"One-Click\">Unsubscribe</button></form>\n";

static const char done_page[] = "<!doctype html><meta charset=\"utf-8\"><title>Unsubscribed</title>"
                                "<p>You will get no more mails of this kind.</p>\n";

static unsigned unsubscribe(struct visit *v)
{
    struct mail_link_key key;
    const char *digest, *handler;

    if (!mail_link_key_get(v->redis, v->arena, &key, &v->err))
        return refuse(v);
    if (!mail_link_read(&key, v->request->rest, v->arena, &digest, &handler))
        return page_refuse(v->body, 404, "this link is not one of ours, or not any more");
    if (strcmp(v->request->method, "POST") != 0) {
        buf_add_text(v->body, ask_page);
        return 200;
    }
    if (!record(v, digest, handler, MAIL_OFF) ||
        !settle(v, mail_preference_set_digest(v->redis, handler, digest, MAIL_OFF, v->arena, &v->err)))
        return refuse(v);
    buf_add_text(v->body, done_page);
    return 200;
}

static unsigned answer(void *context, const struct page_request *request, struct buf *body,
                       unsigned (*give)(struct visit *v))
{
    struct mail_pages *p = context;
    struct visit v = {.pages = p, .request = request, .arena = arena_new(), .body = body, .err = ERROR_INIT};
    unsigned status;

    v.redis = page_links_take(p->links, &v.err);
    status = v.redis ? give(&v) : refuse(&v);
    if (v.redis)
        page_links_give_back(p->links, v.redis);
    arena_free(v.arena);
    return status;
}

unsigned mail_pages_preferences(void *context, const struct page_request *request, struct buf *body)
{
    return answer(context, request, body, preferences);
}

unsigned mail_pages_unsubscribe(void *context, const struct page_request *request, struct buf *body)
{
    return answer(context, request, body, unsubscribe);
}
