/*
 * handlers/reconcile.h - copies, or documents, that are behind, found without any notification, by the clock.
 *
 * In rounds through all documents of an index (walk = index), or through all subjects of a source (walk = source). A
 * run does as much of its round as its budget allows; the next one, in whatever process, goes on there.
 */
#ifndef HANDLERS_RECONCILE_H
#define HANDLERS_RECONCILE_H

#include "handlers/handler.h"

extern const struct handler_type reconcile_handler;

#endif
