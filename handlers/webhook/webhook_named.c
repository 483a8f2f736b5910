#include "handlers/webhook/webhook_named.h"

#include <string.h>

#include "base/clock.h"
#include "base/hash.h"
#include "handlers/webhook.h"
#include "handlers/webhook/guarded_url.h"

bool webhook_handler_is(const struct handler_settings *hs)
{
    return strcmp(hs->type, webhook_handler.name) == 0;
}

bool webhook_handler_has_target(const struct handler_settings *hs)
{
    return *((const struct webhook_options *)hs->own)->url != '\0';
}

struct subscriptions webhook_subscriptions(const struct settings *s, struct redis *r,
                                           const struct handler_settings *handler)
{
    return (struct subscriptions){r, s->redis.seal, handler->name};
}

static bool find_subscription(const struct settings *s, struct redis *r, const char *name, struct arena *arena,
                              struct webhook_named *out, struct error *err)
{
    for (size_t i = 0; i < s->handler_count && !out->subscription; i++) {
        struct subscriptions all = webhook_subscriptions(s, r, &s->handlers[i]);

        if (!webhook_handler_is(&s->handlers[i]))
            continue;
        out->handler = &s->handlers[i];
        if (!subscription_find(&all, name, arena, &out->subscription, err))
            return false;
    }
    if (out->subscription)
        out->name = out->subscription->id;
    return true;
}

bool webhook_named_find(const struct settings *s, struct redis *r, const char *name, struct arena *arena,
                        struct webhook_named *out, struct error *err)
{
    *out = (struct webhook_named){.name = NULL};
    if (text_starts(name, SUBSCRIPTION_ID_START) && !find_subscription(s, r, name, arena, out, err))
        return false;
    for (size_t i = 0; i < s->handler_count && !out->name; i++)
        if (webhook_handler_is(&s->handlers[i]) && webhook_handler_has_target(&s->handlers[i]) &&
            strcmp(s->handlers[i].name, name) == 0)
            *out = (struct webhook_named){.name = s->handlers[i].name, .handler = &s->handlers[i]};
    return true;
}

const struct handler_settings *webhook_serving(const struct settings *s, const char *name, struct error *err)
{
    const struct handler_settings *found = NULL;

    for (size_t i = 0; i < s->handler_count; i++) {
        const struct handler_settings *hs = &s->handlers[i];

        if (!webhook_handler_is(hs) || webhook_handler_has_target(hs) || (name && strcmp(hs->name, name) != 0))
            continue;
        if (found) {
            error_set(err, ERROR_INPUT, "several handlers serve subscriptions, name one: handler %s or %s", found->name,
                      hs->name);
            return NULL;
        }
        found = hs;
    }
    if (!found)
        error_set(err, ERROR_INPUT, "no handler serves subscriptions: one of type webhook without url%s%s",
                  name ? ", named " : "", name ? name : "");
    return found;
}

struct webhook_options webhook_named_options(const struct webhook_named *n, struct arena *arena)
{
    const struct webhook_options *section = n->handler->own;

    return n->subscription ? subscription_options(n->subscription, section, arena) : *section;
}

const char *webhook_host(const struct webhook_options *o, struct arena *arena)
{
    struct guarded_url url;
    struct error ignored;

    return guarded_url_read(o->url, o->ports, o->http, &url, &ignored) ? arena_text(arena, url.host) : NULL;
}

const char *webhook_public_keys(const struct webhook_options *o, struct arena *arena)
{
    struct error ignored;
    struct signer *signer = signer_new(o->secret, &ignored);
    struct buf keys = BUF_INIT;
    const char *text;

    if (signer)
        signer_add_public(signer, &keys);
    text = arena_copy(arena, keys.length ? keys.data : "", keys.length);
    buf_release(&keys);
    signer_free(signer);
    return text;
}

static bool is_closed(const struct webhook_named *n)
{
    return n->subscription && *n->subscription->closed;
}

const char *webhook_state_word(const struct webhook_named *n, const struct webhook_target_state *state)
{
    if (is_closed(n))
        return "sealed";
    if (*state->off)
        return "off";
    if (state->paused_since_us)
        return "paused";
    return state->failing_since_us ? "failing" : "on";
}

const char *webhook_state_reason(const struct webhook_named *n, const struct webhook_target_state *state)
{
    return is_closed(n) ? n->subscription->closed : state->off;
}

static struct event test_event(const struct webhook_named *n, struct arena *arena)
{
    unsigned char secret[ID_BYTES];
    char id[ID_TEXT_BYTES], now[TIME_TEXT_BYTES];
    struct event e = event_none;

    random_secret(secret, sizeof secret);
    hash_hex(secret, sizeof secret, id);
    e.id = e.unique = span_of(arena_text(arena, id));
    e.source = span_of("crier");
    e.type = span_of("crier.webhook.test");
    e.time_us = clock_wall_us();
    e.time = span_of(arena_text(arena, time_text(e.time_us, now)));
    e.subject = span_of(arena_printf(arena, "webhooks/%s", n->name));
    e.data = span_of("{\"test\":true}");
    return e;
}

bool webhook_named_test(const struct webhook_named *n, struct arena *arena, struct webhook_answer *out,
                        struct error *err)
{
    struct webhook_options options = webhook_named_options(n, arena);
    struct delivery_claim claim = {.to = "", .event = test_event(n, arena)};
    struct webhook_target *target;
    char id[WEBHOOK_ID_BYTES];

    if (is_closed(n))
        return error_set(err, ERROR_CONFIG, "%s: %s", n->name, n->subscription->closed);
    target = webhook_target_new(n->name, n->handler, &options, err);
    if (!target)
        return false;
    webhook_id(n->name, &claim.event, id);
    claim.id = id;
    webhook_try(target, &claim, arena, out);
    webhook_target_free(target);
    return true;
}
