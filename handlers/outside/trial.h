/*
 * handlers/outside/trial.h - how many events go out together, and whose fault it is where they get no answer.
 *
 * A peer that breaks off may be away, or one event may be what breaks it. Fewer and fewer go together until one is
 * alone: where the peer worked just before it is the event's fault and costs a try; else it is the peer's, and after
 * some attempts the event is put aside for a while at no cost, so that others have their turn.
 */
#ifndef HANDLERS_OUTSIDE_TRIAL_H
#define HANDLERS_OUTSIDE_TRIAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "notifier/batch.h"

struct trial {
    size_t most; /* events that go out together */
    int alone;   /* failures of one alone since the peer last worked */
    bool works;  /* it has, since an event was last found at fault */
};

void trial_init(struct trial *t, size_t most);

/* So many were answered after so long. */
void trial_passed(struct trial *t, size_t count, int64_t took_ms);

/* They are refused as a whole; false: it was one, and there is nothing to divide. */
bool trial_divide(struct trial *t, size_t count);

/* So many got no answer: what becomes of them, OUTCOME_NONE where all go again after a pause (ERROR_AGAIN). */
enum outcome trial_failed(struct trial *t, size_t count);

#endif
