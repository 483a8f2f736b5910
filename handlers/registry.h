/* handlers/registry.h - the list of handler types: a new one is one file and one word in registry.c. */
#ifndef HANDLERS_REGISTRY_H
#define HANDLERS_REGISTRY_H

#include "config/key.h"
#include "handlers/handler.h"

const struct handler_type *handler_type_find(const char *name); /* NULL: none */

/* The types as the configuration sees them, ended by a zero row. */
const struct config_kind *handler_kinds(void);

#endif
