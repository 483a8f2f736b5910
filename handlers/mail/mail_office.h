/*
 * handlers/mail/mail_office.h - what mails are made of: the options of a [handler] of type mail, made ready.
 * Constant once made: any number of threads.
 */
#ifndef HANDLERS_MAIL_MAIL_OFFICE_H
#define HANDLERS_MAIL_MAIL_OFFICE_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/attrs.h"
#include "base/error.h"
#include "handlers/mail/address.h"
#include "handlers/mail/mail_period.h"
#include "handlers/mail/mail_templates.h"

struct mail_options {
    char *server, *user, *password, *ca_file, *from, *bounce, *to, *templates, *language, *unsubscribe, *digest_at,
        *digest_zone, *one_click, *source, *address, *recipient_language;
    int tls;        /* enum smtp_tls */
    int digest_day; /* of the week; 0: Sunday */
    int64_t timeout_ms, concurrency;
};

struct mail_office {
    const char *name, *queue;
    const struct mail_options *options;
    struct mailbox from;
    struct mail_templates *templates;
    struct mail_period *period;
    bool digests; /* there is a template of them */
};

/* NULL: ERROR_CONFIG. The texts are lent. */
struct mail_office *mail_office_new(const char *name, const char *queue, const struct mail_options *o,
                                    struct error *err) must_check;
void mail_office_free(struct mail_office *o); /* NULL is fine */

/* What a message is made of. */
struct mail_letter {
    const struct event *event;
    const json_t *data; /* the event's, parsed, or NULL */
    const char *to;
    const char *language;  /* the recipient's own; "": that of the event, data.language */
    const char *id;        /* of the delivery */
    const char *one_click; /* the link (handlers/mail/mail_link.h); "": none */
    int64_t now_us;
};

/*
 * The whole message to one recipient: the same text and Message-ID at every try. False: ERROR_INPUT: there is no
 * template of its type, or the event lacks what it asks for. A digest (handlers/mail/mail_digest.h) has the template
 * "digest".
 */
bool mail_letter_add(const struct mail_office *o, const struct mail_letter *letter, struct buf *out,
                     struct error *err) must_check;

/* The subject that the event's mail would have; language: likewise. */
bool mail_title_add(const struct mail_office *o, const struct event *e, const json_t *data, const char *language,
                    struct buf *out, struct error *err) must_check;

#endif
