/*
 * notifier/template.h - text with {placeholders} filled from an event: index names, actions, document ids.
 *
 * {type}, {subject}, {subject.id}, {subject.kind}, {actor}, {actor.id}, {actor.kind}, {id}, {source}, {revision},
 * {operation}, {unique}, {time}, {time:STRFTIME} (UTC), {data.path}. "{{" and "}}" stand for the braces themselves.
 * Made once, used by one thread at a time.
 */
#ifndef NOTIFIER_TEMPLATE_H
#define NOTIFIER_TEMPLATE_H

#include <stdbool.h>

#include "base/attrs.h"
#include "base/buf.h"
#include "base/error.h"
#include "notifier/event.h"

struct template;

struct template *template_new(const char *text, struct error *err) must_check; /* NULL: ERROR_CONFIG */
void template_free(struct template *t);
bool template_check(const char *text, struct error *err);       /* for configuration rows */
bool template_check_index(const char *text, struct error *err); /* likewise: what stands there can be an index name */

/* What stands for a value that an event lacks (lent); NULL, as at first: an event must have them all. */
void template_stand_in(struct template *t, const char *word);

/* Appends the filled text. False (ERROR_INPUT): the event lacks what a placeholder names. */
bool template_add(struct template *t, const struct event *e, struct buf *out, struct error *err) must_check;

/* The same for an index name: filled values are made lower case, and what OpenSearch forbids in a name becomes '-'. */
bool template_add_index(struct template *t, const struct event *e, struct buf *out, struct error *err) must_check;

/* The text with each placeholder as '*': the index pattern that covers all it can give. "**" never appears. */
void template_add_glob(const struct template *t, struct buf *out);

#endif
