/*
 * handlers/mail.h - each event becomes a mail to each of its recipients, from a template of its type and language.
 *
 * An event is done once its deliveries are in Redis (handlers/delivery/delivery_store.h); a crew sends them. A
 * recipient gets a mail once for an event: what was sent is remembered for a week. What a server refuses for good, or
 * five days of tries do not bring through, becomes a dead letter of the queue; `crier dead retry` sends anew to those
 * who did not get it.
 */
#ifndef HANDLERS_MAIL_H
#define HANDLERS_MAIL_H

#include "handlers/handler.h"

extern const struct handler_type mail_handler;

#endif
