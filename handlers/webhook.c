#include "handlers/webhook.h"

#include "handlers/mail/address.h"
#include "handlers/webhook/guarded_url.h"
#include "handlers/webhook/webhook_named.h"
#include "handlers/webhook/webhook_roster.h"
#include "notifier/networks.h"

enum { KIB = 1024 };

/* Lined up, the columns would go beyond the edge of the page. */
/* clang-format off */
#define AT(field) offsetof(struct webhook_options, field)
static const struct config_key keys[] = {
    {"url", CONFIG_TEXT, AT(url), "", 0, 0, NULL, NULL,
     "where events are sent: https://HOST/PATH, without user or password; empty: where users subscribe to them "
     "(crier webhooks add), within what this section allows"},
    {"secret", CONFIG_SECRET, AT(secret), "", 0, 0, NULL, signature_signing_check,
     "signs what is sent (Standard Webhooks): whsec_ and base64 (v1), or whsk_ and the base64 of an Ed25519 key (v1a: "
     "openssl rand -base64 32); two, separated by a space, while one replaces the other"},
    {"condition", CONFIG_TEXT, AT(condition), "", 0, 0, NULL, condition_check,
     "which events are sent: data.type = software and data.tags in (a, b) and not exists data.draft; empty: all"},
    {"payload", CONFIG_CHOICE, AT(payload), "cloudevents", 0, 0, "cloudevents thin", NULL,
     "what is sent: the event, or the event without its data"},
    {"headers", CONFIG_SECRET, AT(headers), "", 0, 0, NULL, webhook_headers_check,
     "more headers, NAME: VALUE separated by semicolons"},
    {"timeout", CONFIG_TIME, AT(timeout_ms), "15s", 100, 30000, NULL, NULL,
     "longest time for one attempt"},
    {"concurrency", CONFIG_COUNT, AT(concurrency), "4", 1, 64, NULL, NULL,
     "requests at a time from one process; with 1 they go out in the order of the events, but for those waited for"},
    {"largest", CONFIG_SIZE, AT(largest_bytes), "20KiB", KIB, 1024 * KIB, NULL, NULL,
     "an event that is larger is sent without its data"},
    {"backlog", CONFIG_COUNT, AT(backlog), "10000", 10, 100000000, NULL, NULL,
     "most events that may wait for one target in Redis; one that has more is turned off"},
    {"ports", CONFIG_TEXT, AT(ports), "443", 0, 0, NULL, guarded_url_ports_check,
     "ports that the url may have"},
    {"http", CONFIG_FLAG, AT(http), "no", 0, 0, NULL, NULL,
     "whether the url may begin with http:// (not encrypted)"},
    {"allow", CONFIG_TEXT, AT(allow), "", 0, 0, NULL, networks_check,
     "networks that may be reached though they are not public (10.1.2.0/24)"},
    {"ca_file", CONFIG_TEXT, AT(ca_file), "", 0, 0, NULL, NULL,
     "certificates to trust (PEM); empty: those of the system"},
    {"owner_mail", CONFIG_TEXT, AT(owner_mail), "", 0, 0, NULL, mail_address_key_check,
     "data.owner_mail of crier.webhook.failing and crier.webhook.disabled, for a handler of type mail; a subscription may "
     "have its own"},
    {"owner_mails", CONFIG_TEXT, AT(owner_mails), "", 0, 0, NULL, mail_address_patterns_check,
     "which addresses a subscription may have as its owner_mail: patterns separated by spaces, * stands for any "
     "characters (*@example.org); empty: any, also of people who never asked for mail"},
    CONFIG_END,
};
#undef AT
/* clang-format on */

static bool webhook_open(struct handler *h, struct error *err)
{
    h->state = webhook_roster_new(h->settings, h->common, err);
    return h->state != NULL;
}

static void webhook_close(struct handler *h)
{
    webhook_roster_free(h->state);
}

static bool webhook_handle(struct handler *h, struct batch *in, struct error *err)
{
    const struct event **events = arena_alloc(in->arena, (in->count + 1) * sizeof(struct event *));
    size_t count = 0;

    for (size_t i = 0; i < in->count; i++)
        if (in->items[i].outcome == OUTCOME_NONE)
            events[count++] = &in->items[i].event;
    if (!webhook_roster_take(h->state, events, count, in->arena, err))
        return false;
    for (size_t i = 0; i < in->count; i++)
        if (in->items[i].outcome == OUTCOME_NONE)
            in->items[i].outcome = OUTCOME_DONE;
    return true;
}

const struct handler_type webhook_handler = {
    .name = "webhook",
    .help = "each event is sent to a URL, signed as Standard Webhooks are, until it is taken",
    .keys = keys,
    .size = sizeof(struct webhook_options),
    .traits = KIND_ONE_LANE,
    .check = webhook_options_check,
    .open = webhook_open,
    .handle = webhook_handle,
    .close = webhook_close,
};

void webhook_say_unsealed(const struct settings *s, struct buf *out)
{
    for (size_t i = 0; i < s->handler_count && !s->redis.seal; i++)
        if (webhook_handler_is(&s->handlers[i]) && !webhook_handler_has_target(&s->handlers[i]))
            buf_printf(out,
                       "[handler %s]: secrets, headers and URLs of its subscriptions lie in Redis as they are: [redis] "
                       "sealing_key_file encrypts them\n",
                       s->handlers[i].name);
}
