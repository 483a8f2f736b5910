#include "handlers/outside/trial.h"

enum {
    ALONE_MOST = 5,
    EVENTS_MOST = 10000,
    QUICK_MS = 1000, /* a parcel that takes less may be larger, */
    SLOW_MS = 5000,  /* and one that takes longer is too large: its outcomes come late, and its end may be cut off */
};

void trial_init(struct trial *t, size_t most)
{
    *t = (struct trial){.most = most};
}

void trial_passed(struct trial *t, size_t count, int64_t took_ms)
{
    t->works = true;
    t->alone = 0;
    if (took_ms > SLOW_MS)
        t->most = (count + 1) / 2;
    else if (count == t->most && took_ms < QUICK_MS && 2 * count <= EVENTS_MOST)
        t->most = 2 * count;
}

bool trial_divide(struct trial *t, size_t count)
{
    if (count > 1)
        t->most = count / 2;
    return count > 1;
}

enum outcome trial_failed(struct trial *t, size_t count)
{
    if (trial_divide(t, count))
        return OUTCOME_NONE;
    if (t->works) {
        t->works = false;
        return OUTCOME_RETRY;
    }
    if (++t->alone < ALONE_MOST)
        return OUTCOME_NONE;
    t->alone = 0;
    return OUTCOME_WAIT;
}
