#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "handlers/webhook/webhook_visit.h"

enum { ATTEMPTS_DEFAULT = 100 };

static void add_member(struct buf *out, const char *name, const char *value)
{
    buf_printf(out, ",\"%s\":", name);
    buf_add_json_text(out, value);
}

static void add_time(struct buf *out, const char *name, int64_t us)
{
    char text[TIME_TEXT_BYTES];

    if (us)
        add_member(out, name, time_text(us / US_PER_SECOND * US_PER_SECOND, text));
}

static bool add_target(struct webhook_visit *v, const struct webhook_named *n)
{
    struct webhook_options o = webhook_named_options(n, v->arena);
    struct webhook_store *store = webhook_store_new(v->redis, n->name);
    const struct subscription *s = n->subscription;
    const char *host = webhook_host(&o, v->arena), *keys = webhook_public_keys(&o, v->arena);
    struct webhook_target_state state;
    bool ok = webhook_store_state(store, v->arena, &state, &v->err);

    webhook_store_free(store);
    if (!ok)
        return false;
    buf_add_text(v->body, "{\"id\":");
    buf_add_json_text(v->body, n->name);
    add_member(v->body, "handler", n->handler->name);
    if (host)
        add_member(v->body, "host", host);
    add_member(v->body, "events", s ? s->events : n->handler->events);
    add_member(v->body, "condition", o.condition);
    add_member(v->body, "payload", o.payload == PAYLOAD_THIN ? "thin" : "cloudevents");
    if (*keys)
        add_member(v->body, "public_key", keys);
    add_member(v->body, "owner", s ? s->owner : "");
    add_member(v->body, "owner_mail", o.owner_mail);
    add_time(v->body, "created", s ? s->created_us : 0);
    add_member(v->body, "state", webhook_state_word(n, &state));
    if (*webhook_state_reason(n, &state))
        add_member(v->body, "reason", webhook_state_reason(n, &state));
    add_time(v->body, "since", state.off_since_us ? state.off_since_us : state.paused_since_us);
    add_time(v->body, "failing_since", state.failing_since_us);
    buf_printf(v->body, ",\"waiting\":%lld", (long long)state.waiting);
    add_time(v->body, "next", state.next_us);
    buf_add_char(v->body, '}');
    return true;
}

static bool add_if_theirs(struct webhook_visit *v, const struct webhook_named *n)
{
    if (!webhook_visit_may(v, n))
        return true;
    if (v->body->length > 1)
        buf_add_char(v->body, ',');
    return add_target(v, n);
}

static bool add_handler(struct webhook_visit *v, const struct handler_settings *hs)
{
    struct subscriptions served = webhook_subscriptions(v->pages->settings, v->redis, hs);
    struct subscription *all;
    size_t count;
    bool ok;

    if (webhook_handler_has_target(hs))
        return add_if_theirs(v, &(struct webhook_named){hs->name, hs, NULL});
    ok = subscription_list(&served, v->arena, &all, &count, &v->err);
    for (size_t i = 0; ok && i < count; i++)
        ok = add_if_theirs(v, &(struct webhook_named){all[i].id, hs, &all[i]});
    return ok;
}

unsigned webhook_page_list(struct webhook_visit *v)
{
    const struct settings *s = v->pages->settings;
    bool ok = true;

    buf_add_char(v->body, '[');
    for (size_t i = 0; ok && i < s->handler_count; i++)
        if (webhook_handler_is(&s->handlers[i]))
            ok = add_handler(v, &s->handlers[i]);
    if (!ok) {
        buf_reset(v->body);
        return webhook_visit_refuse(v);
    }
    buf_add_char(v->body, ']');
    return 200;
}

unsigned webhook_page_show(struct webhook_visit *v)
{
    return add_target(v, &v->named) ? 200 : webhook_visit_refuse(v);
}

static void add_attempt(struct webhook_visit *v, const struct reply *fields)
{
    static const char *const names[] = {"id", "event", "type", "number", "fate", "status", "took_ms", "error", "reply"};

    buf_add_text(v->body, "{\"by\":\"crier\"");
    add_time(v->body, "time", strtoll(reply_field_text(fields, "started_us"), NULL, 10));
    for (size_t i = 0; i < ARRAY_LENGTH(names); i++) {
        const struct reply *value = reply_field(fields, names[i]);
        size_t length = value ? text_utf8_valid(value->text, value->length) : 0;

        buf_printf(v->body, ",\"%s\":", names[i]);
        buf_add_json(v->body, value ? value->text : "", length);
    }
    buf_add_char(v->body, '}');
}

/* ?limit=N */
static bool read_limit(struct webhook_visit *v, size_t *out)
{
    const char *text = page_argument(v->request, "limit");
    int64_t most = ATTEMPTS_DEFAULT;

    if (text && (!text_int(text, strlen(text), &most) || most < 1 || most > WEBHOOK_ATTEMPTS_MOST))
        return error_set(&v->err, ERROR_INPUT, "limit: a number from 1 to %d", WEBHOOK_ATTEMPTS_MOST);
    *out = (size_t)most;
    return true;
}

unsigned webhook_page_attempts(struct webhook_visit *v)
{
    struct webhook_store *store = webhook_store_new(v->redis, v->named.name);
    const struct reply *entries;
    size_t most = 0;
    bool ok = read_limit(v, &most) && webhook_store_attempts(store, most, v->arena, &entries, &v->err);

    webhook_store_free(store);
    if (!ok)
        return webhook_visit_refuse(v);
    buf_add_char(v->body, '[');
    for (size_t i = 0; i < entries->count; i++) {
        if (i > 0)
            buf_add_char(v->body, ',');
        add_attempt(v, &entries->items[i].items[1]);
    }
    buf_add_char(v->body, ']');
    return 200;
}

unsigned webhook_page_tested(struct webhook_visit *v, const struct webhook_answer *answer)
{
    const struct delivery_attempt *a = &answer->attempt;

    buf_printf(v->body, "{\"done\":%s,\"status\":%ld,\"took_ms\":%lld", a->fate == DELIVERY_DONE ? "true" : "false",
               a->status, (long long)a->took_ms);
    add_member(v->body, "error", a->error);
    buf_add_text(v->body, ",\"reply\":");
    buf_add_json(v->body, a->reply.text, text_utf8_valid(a->reply.text, a->reply.length));
    buf_add_char(v->body, '}');
    return 200;
}
