#include <netdb.h>
#include <string.h>

#include "handlers/mail/address.h"
#include "handlers/webhook/address_guard.h"
#include "handlers/webhook/condition.h"
#include "handlers/webhook/guarded_url.h"
#include "handlers/webhook/subscription_fields.h"
#include "notifier/pattern.h"

#define AT(field) #field, offsetof(struct subscription, field)
const struct subscription_text subscription_fields[SUBSCRIPTION_FIELDS] = {
    {AT(url),        true },
    {AT(secret),     true },
    {AT(events),     false},
    {AT(within),     false},
    {AT(condition),  false},
    {AT(payload),    false},
    {AT(headers),    true },
    {AT(owner),      false},
    {AT(owner_mail), false},
    {AT(owner_id),   false},
};
#undef AT

const char **subscription_field(struct subscription *s, const struct subscription_text *f)
{
    return (const char **)(void *)((char *)s + f->offset);
}

static bool words_fit(const char *name, const char *text, struct error *err)
{
    if (strlen(text) > SUBSCRIPTION_WORDS_MOST && strcmp(name, "condition") != 0)
        return error_set(err, ERROR_INPUT, "%s: at most %d bytes", name, SUBSCRIPTION_WORDS_MOST);
    if (text_utf8_valid(text, strlen(text)) < strlen(text))
        return error_set(err, ERROR_INPUT, "%s: this is not UTF-8", name);
    for (const char *at = text; *at; at++)
        if ((unsigned char)*at < ' ' || *at == 0x7f)
            return error_set(err, ERROR_INPUT, "%s: there is a control character", name);
    return true;
}

static bool named(bool ok, const char *name, struct error *err)
{
    if (ok)
        return true;
    err->kind = ERROR_INPUT;
    return error_in(err, "%s", name);
}

/* An address that is written out can be judged here and now; what a name leads to, only as it is sent to. */
static bool address_fits(const char *host, const struct webhook_options *limits, struct error *err)
{
    static const struct addrinfo hints = {.ai_flags = AI_NUMERICHOST, .ai_socktype = SOCK_STREAM};
    struct address_guard *guard;
    struct addrinfo *list;
    bool ok;

    if (getaddrinfo(host, NULL, &hints, &list) != 0)
        return true;
    guard = address_guard_new(limits->allow, err);
    ok = guard && address_guard_check(guard, list->ai_addr, err);
    freeaddrinfo(list);
    address_guard_free(guard);
    return ok;
}

bool subscription_is_open(const struct subscription *s, struct error *err)
{
    return !*s->closed || error_set(err, ERROR_CONFIG, "%s: %s", s->id, s->closed);
}

/* Where no key is set it would lie there as it is, and be taken for sealed. Those made under a key go on. */
static bool headers_look_sealed(const struct subscription *s)
{
    return !*s->id && seal_is(s->headers);
}

bool subscription_check(const struct subscription *s, const struct webhook_options *limits, struct error *err)
{
    struct subscription copy = *s;
    struct guarded_url url;

    if (!subscription_is_open(s, err))
        return false;
    if (headers_look_sealed(s))
        return error_set(err, ERROR_INPUT, "headers: what is sealed begins as the first of them: write it Sealed:");
    for (size_t i = 0; i < SUBSCRIPTION_FIELDS; i++)
        if (strcmp(subscription_fields[i].name, "url") != 0 &&
            !words_fit(subscription_fields[i].name, *subscription_field(&copy, &subscription_fields[i]), err))
            return false;
    if (*s->payload && strcmp(s->payload, "cloudevents") != 0 && strcmp(s->payload, "thin") != 0)
        return error_set(err, ERROR_INPUT, "payload: cloudevents or thin");
    return named(guarded_url_read(s->url, limits->ports, limits->http, &url, err) &&
                     address_fits(url.host, limits, err),
                 "url", err) &&
           named(!*s->events || patterns_check(s->events, err), "events", err) &&
           named(condition_check(s->condition, err), "condition", err) &&
           named(webhook_headers_check(s->headers, err), "headers", err) &&
           named(!*s->owner_mail || mail_address_check(span_of(s->owner_mail), err), "owner_mail", err) &&
           named(!*s->secret || signature_signing_check(s->secret, err), "secret", err);
}

static bool may_be_told(const struct subscription *s, const struct webhook_options *limits)
{
    return !*limits->owner_mails || mail_address_matches(limits->owner_mails, span_of(s->owner_mail));
}

bool subscription_admit(const struct subscription *s, const struct webhook_options *limits, struct error *err)
{
    if (!subscription_check(s, limits, err))
        return false;
    return !*s->owner_mail || may_be_told(s, limits) ||
           error_set(err, ERROR_INPUT, "owner_mail: an address may be told that is like one of these: %.150s%s",
                     limits->owner_mails, strlen(limits->owner_mails) > 150 ? "..." : "");
}

struct webhook_options subscription_options(const struct subscription *s, const struct webhook_options *section,
                                            struct arena *arena)
{
    struct webhook_options o = *section;

    o.url = arena_text(arena, s->url);
    o.secret = arena_text(arena, s->secret);
    o.condition = arena_text(arena, s->condition);
    o.headers = arena_text(arena, s->headers);
    if (*s->owner_mail && may_be_told(s, section))
        o.owner_mail = arena_text(arena, s->owner_mail);
    o.payload = strcmp(s->payload, "thin") == 0 ? PAYLOAD_THIN : PAYLOAD_CLOUDEVENTS;
    return o;
}
