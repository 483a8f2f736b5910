/*
 * handlers/mail/mail_plan.h - what the events of a batch come to: a delivery to each recipient, by itself or in a
 * digest, and why an event, or a part of it, can be sent to nobody.
 */
#ifndef HANDLERS_MAIL_MAIL_PLAN_H
#define HANDLERS_MAIL_MAIL_PLAN_H

#include <stddef.h>

#include "base/attrs.h"
#include "base/redis.h"
#include "handlers/delivery/delivery_store.h"
#include "handlers/mail/mail_digest.h"
#include "handlers/mail/mail_directory.h"
#include "handlers/mail/mail_office.h"
#include "notifier/batch.h"

/* What it is made by; all lent. */
struct mail_planner {
    const struct mail_office *office;
    struct mail_directory *directory;
    struct redis *redis; /* has the preferences */
};

/* What there is to say of an event, and where its orders end. */
struct mail_planned {
    const char *reason; /* for the dead letters; NULL: nothing is wrong */
    size_t end, digest_end;
};

struct mail_plan {
    struct delivery_order *items;
    size_t count, room;
    struct mail_digest_order *digests; /* of those who want a day's or a week's mails as one */
    size_t digest_count, digest_room;
    struct mail_planned *events; /* one for each of the batch, in its arena as what is pointed to */
};

/* Of the events that have no outcome yet. False: ERROR_AGAIN: Redis or the source is away. */
bool mail_plan_make(struct mail_planner *p, const struct batch *in, struct mail_plan *out,
                    struct error *err) must_check;
void mail_plan_release(struct mail_plan *p); /* also where it could not be made */

#endif
