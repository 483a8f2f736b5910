#include "notifier/platform/platform_hands.h"

#include <string.h>

#include "base/clock.h"
#include "base/hash.h"
#include "notifier/refusal.h"

static const char door_name[] = "platform-door";

/* Under the day's salt: from a mere digest of a message without anything random the address in it could be found. */
static bool message_digest(const struct platform_hands *h, const struct platform_refusal *r, char out[ID_TEXT_BYTES],
                           struct error *err)
{
    struct keyed_hash *hash = salt_of(h->salt, clock_wall_us(), err);
    const char *text;

    if (!hash)
        return false;
    text = r->part ? arena_printf(h->arena, "message|%s|%zu", r->message->sha, r->part)
                   : arena_printf(h->arena, "message|%s", r->message->sha);
    keyed_hash_id(hash, text, strlen(text), out);
    return true;
}

bool platform_bury(const struct platform_hands *h, const struct platform_refusal *r, struct error *err)
{
    char digest[ID_TEXT_BYTES];

    return message_digest(h, r, digest, err) && refusal_bury(h->settings, h->own,
                                                             &(struct refusal){.door = door_name,
                                                                               .source = r->source,
                                                                               .type = r->type,
                                                                               .queue = r->queue,
                                                                               .reason = r->reason,
                                                                               .digest = digest,
                                                                               .length = r->message->length},
                                                             err);
}
