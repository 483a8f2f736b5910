/*
 * handlers/mail/mail_digest.h - mails that wait for the end of a day or a week, to come as one: the digest.
 *
 * A digest is a delivery like others (handlers/delivery/delivery_store.h) of an event of type MAIL_DIGEST_TYPE, due at
 * the end of its period, with one id, and so one Message-ID, per recipient, period and handler. Its events are in a
 * list beside it until it is claimed: from then on it is closed, and every try sends the same; what comes later goes
 * into the next. An event is in one digest of a recipient at most, and in none where it was sent by itself. Keys:
 * crier:{mail}:digests:OWNER (due), :items:OWNER:ID. All expire.
 */
#ifndef HANDLERS_MAIL_MAIL_DIGEST_H
#define HANDLERS_MAIL_MAIL_DIGEST_H

#include "base/arena.h"
#include "base/attrs.h"
#include "handlers/delivery/delivery_store.h"
#include "handlers/mail/mail_office.h"
#include "handlers/mail/mail_preferences.h"

#define MAIL_DIGEST_TYPE "crier.mail_digest"

/*
 * What one digest lists at most; what goes beyond is only counted (data.more). An event's data larger than
 * MAIL_ITEM_DATA_BYTES is left out of its item.
 */
enum { MAIL_ITEMS_MOST = 100, MAIL_ITEMS_BYTES = 64 * 1024, MAIL_ITEM_DATA_BYTES = 4096, MAIL_DIGESTS_MOST = 200000 };

/* The handler's store as its digests see it: due by a key of its own, the rest shared. */
void mail_digest_store_init(struct delivery_store *s, struct redis *r, const char *handler);

/* An event for the digest of one recipient. */
struct mail_digest_order {
    const struct delivery_order *order; /* as if it were sent by itself */
    enum mail_frequency frequency;      /* MAIL_DAILY or MAIL_WEEKLY */
    struct span item;                   /* as mail_digest_item_add made it */
};

/* Safe to repeat. full: which of them have to wait, as MAIL_DIGESTS_MOST do already. False, with ERROR_AGAIN: perhaps
 * some. s: of mail_digest_store_init. */
bool mail_digest_add(struct delivery_store *s, const struct mail_office *o, const struct mail_digest_order *orders,
                     size_t count, int64_t now_us, struct arena *arena, bool *full, struct error *err) must_check;

/* The event as an item: {"type", "time", "subject", "title": what its mail's subject would be, "language", "data"};
 * language: the recipient's own, or "". */
bool mail_digest_item_add(const struct mail_office *o, const struct event *e, const json_t *data, const char *language,
                          struct buf *out, struct error *err) must_check;

/* Whether the handler's template can be filled with this item. */
bool mail_digest_trial(const struct mail_office *o, const char *to, struct span item, struct error *err) must_check;

/* Gives the claimed digest's event its data: {"to", "period", "language", "count", "more", "items"}. False in *some:
 * there is none. */
bool mail_digest_load(struct delivery_store *s, struct delivery_claim *claim, struct arena *arena, bool *some,
                      struct error *err) must_check;

/* Once it is settled for good. */
bool mail_digest_drop(struct delivery_store *s, const char *id, struct arena *arena, struct error *err) must_check;

#endif
