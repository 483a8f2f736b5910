/*
 * handlers/repair/store.h - what a handler of type statistics or aggregate keeps in the search engine, for those who
 * repair it.
 */
#ifndef HANDLERS_REPAIR_STORE_H
#define HANDLERS_REPAIR_STORE_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/attrs.h"
#include "base/buf.h"
#include "base/error.h"
#include "config/settings.h"
#include "handlers/time_range.h"

struct store {
    const struct handler_settings *handler;
    bool of_events;         /* events, else aggregates */
    const char *index;      /* template of the name */
    const char *alias;      /* "": none */
    const char *time_field; /* of a document */
    char source[512];       /* alias or pattern that covers all of it, without the prefix */
};

/* False (ERROR_INPUT): a handler of that type keeps no statistics. */
bool store_of(const struct handler_settings *hs, struct store *out, struct error *err) must_check;

/* Whether it is all of time. */
bool store_all(struct time_range p);

/* The documents of a time range, as a query. Caller's. */
json_t *store_query(const struct store *s, struct time_range p);

#endif
