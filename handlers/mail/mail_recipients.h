/*
 * handlers/mail/mail_recipients.h - to whom an event goes as a mail: to addresses that it has, or to those that a
 * [source] has for the ids in it, as it is now.
 */
#ifndef HANDLERS_MAIL_MAIL_RECIPIENTS_H
#define HANDLERS_MAIL_MAIL_RECIPIENTS_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/attrs.h"
#include "base/error.h"
#include "handlers/mail/mail_directory.h"
#include "handlers/mail/mail_office.h"
#include "handlers/mail/mail_values.h"
#include "notifier/event.h"

enum { MAIL_RECIPIENTS_MOST = MAIL_VALUES_MOST };

struct mail_recipients {
    const char **items;     /* addresses, each once, their domains in small letters */
    const char **languages; /* of each; "": that of the event */
    size_t count, room;
    size_t wrong; /* values that are no address, or lead to none, or are too many, or are not there: */
    bool nowhere; /* there is no value at all */
};

/* Those of some events are asked for together, where they fit; mail_recipients_find then asks for nobody else. False:
 * ERROR_AGAIN: the source is away. */
bool mail_recipients_prepare(struct mail_directory *d, const struct event *e, const json_t *data, struct arena *arena,
                             struct error *err) must_check;

/*
 * Where `to` leads: through lists to each of their items, and to one address or a list; with a source, from each of
 * these, as an id, to what `address` names in its document. In the arena. False: likewise.
 */
bool mail_recipients_find(struct mail_directory *d, const struct event *e, const json_t *data, struct arena *arena,
                          struct mail_recipients *out, struct error *err) must_check;

bool mail_to_check(const char *to, struct error *err); /* for configuration rows */

/* Whether `to`, `source` and `address` go together. ERROR_CONFIG. */
bool mail_recipients_check(const struct mail_options *o, struct error *err) must_check;

#endif
