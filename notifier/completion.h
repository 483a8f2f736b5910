/*
 * notifier/completion.h - what makes an event that was read whole: prepared as its section says, named, with its unique
 * id, its data as text. One thread at a time.
 */
#ifndef NOTIFIER_COMPLETION_H
#define NOTIFIER_COMPLETION_H

#include <jansson.h>

#include "base/arena.h"
#include "base/attrs.h"
#include "base/error.h"
#include "base/redis.h"
#include "config/settings.h"
#include "notifier/event.h"
#include "notifier/prepare.h"

struct completion;

/* The link is lent; NULL: salts are made up. NULL: ERROR_CONFIG (a robots list that cannot be read). */
struct completion *completion_new(const struct settings *settings, struct redis *redis, struct error *err) must_check;
void completion_free(struct completion *c); /* NULL is fine */

/* data: NULL, or an object, which is changed. FAILED: ERROR_AGAIN, or the sender must change the event. */
enum prepared completion_apply(struct completion *c, struct event *e, json_t *data, struct arena *arena,
                               struct error *err) must_check;

#endif
