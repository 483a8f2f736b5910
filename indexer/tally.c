#include "indexer/tally.h"

#include <pthread.h>

#include "base/counters.h"

static struct counter *items[BULK_OUTCOMES], *unknown_replies;

static void name_counters(void)
{
    static const char *const names[BULK_OUTCOMES] = {
        [BULK_UNSENT] = "unsent",     [BULK_DONE] = "done", [BULK_SUPERSEDED] = "superseded",
        [BULK_CONFLICT] = "conflict", [BULK_BUSY] = "busy", [BULK_PAUSED] = "paused",
        [BULK_DEAD] = "dead",
    };

    for (int i = BULK_DONE; i < BULK_OUTCOMES; i++)
        items[i] = counter_with(COUNTER_TOTAL, "crier_bulk_items_total", "writes by what OpenSearch answered",
                                "outcome", names[i], NULL);
    unknown_replies = counter_get(COUNTER_TOTAL, "crier_bulk_unknown_replies_total",
                                  "replies to bulks that were cut short or answered for other items", NULL);
}

static void prepare(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    pthread_once(&once, name_counters);
}

void tally_items(const int64_t counts[BULK_OUTCOMES])
{
    prepare();
    for (int i = BULK_DONE; i < BULK_OUTCOMES; i++)
        if (counts[i] > 0)
            counter_add(items[i], counts[i]);
}

void tally_unknown_reply(void)
{
    prepare();
    counter_add(unknown_replies, 1);
}
