/*
 * handlers/webhook/webhook_crew.h - the thread that sends what is due to all targets of a handler.
 *
 * Each target has a seat, with as many requests under way from this process as its concurrency allows; nothing it does
 * or leaves undone holds up another. What is due and what was answered go through Redis together, in one round trip. A
 * target is looked at when something of it is due, when it is woken by those who add in this process, and every half
 * second, as another process may have left something.
 */
#ifndef HANDLERS_WEBHOOK_WEBHOOK_CREW_H
#define HANDLERS_WEBHOOK_WEBHOOK_CREW_H

#include <stdbool.h>

#include "base/attrs.h"
#include "config/settings.h"
#include "handlers/webhook/webhook_target.h"

struct webhook_crew;
struct webhook_seat;

/* The options of its section, which say what may be reached; both lent. NULL: ERROR_CONFIG. */
struct webhook_crew *webhook_crew_new(const struct settings *s, const struct webhook_options *o,
                                      struct error *err) must_check;

/*
 * What is under way ends, within its time limit, where webhook_crew_stop came first; seats must have been left by then.
 * NULL is fine.
 */
void webhook_crew_free(struct webhook_crew *c);

/* Starts the thread where the system had none for it; to be asked now and then. */
void webhook_crew_muster(struct webhook_crew *c);

/* Nothing more is begun. */
void webhook_crew_stop(struct webhook_crew *c);

/* t is lent, until the seat is left. */
struct webhook_seat *webhook_crew_seat(struct webhook_crew *c, const struct webhook_target *t);

/* Lets what is under way end, within the target's time limit; what is not sent stays in Redis. NULL is fine. */
void webhook_seat_leave(struct webhook_seat *s);

void webhook_seat_wake(struct webhook_seat *s);

#endif
