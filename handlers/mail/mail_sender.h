/* handlers/mail/mail_sender.h - one attempt at one mail, and what its answer means. One thread at a time. */
#ifndef HANDLERS_MAIL_MAIL_SENDER_H
#define HANDLERS_MAIL_MAIL_SENDER_H

#include "base/arena.h"
#include "handlers/delivery/delivery_store.h"
#include "handlers/mail/mail_office.h"

struct mail_sender;

struct mail_sender *mail_sender_new(const struct mail_office *o); /* lent */
void mail_sender_free(struct mail_sender *s);                     /* NULL is fine */

/* one_click: as struct mail_letter has it. The texts of the attempt are in the arena. */
void mail_sender_try(struct mail_sender *s, const struct delivery_claim *claim, const char *one_click,
                     struct arena *arena, struct delivery_attempt *out);

/* Where nothing is due: takes leave of the server after a while. */
void mail_sender_rest(struct mail_sender *s);

/* A mail that says only that mails arrive, to try out server and login. */
void mail_sender_test(struct mail_sender *s, const char *to, struct arena *arena, struct delivery_attempt *out);

#endif
