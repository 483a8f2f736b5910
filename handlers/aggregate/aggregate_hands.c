#include "handlers/aggregate/aggregate_hands.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "handlers/aggregate/aggregate_compute.h"
#include "handlers/aggregate/aggregate_page.h"
#include "indexer/search.h"

enum { SHARE_LEAST = 500 }; /* marks that are worth a hand */

struct hand {
    struct aggregation *aggregation;
    struct clock_run *run;
    struct dirty_mark *marks; /* its share */
    size_t count;
    pthread_t thread;
    bool has_thread, ok;
    struct error err;
};

/* The further hands are made when there is work for them; the first is the handler itself. */
static bool make_hands(struct aggregation *a, size_t wanted, struct error *err)
{
    if (!a->hands)
        a->hands = xcalloc((size_t)a->handler->common->parallel, sizeof *a->hands);
    while (a->hand_count + 1 < wanted) {
        struct handler *one = handler_new(a->handler->settings, a->handler->common, err);

        if (!one)
            return false;
        a->hands[a->hand_count++] = one;
    }
    return true;
}

void aggregate_hands_free(struct aggregation *a)
{
    for (size_t i = 0; i < a->hand_count; i++)
        handler_free(a->hands[i]);
    free(a->hands);
}

static void *hand_main(void *context)
{
    struct hand *h = context;

    h->ok = aggregate_work_off(h->aggregation, h->run, h->marks, h->count, &h->err);
    return NULL;
}

/* Neighbours stay together: keys of one interval are searched together. */
static void deal(struct hand *hands, size_t hand_count, struct dirty_mark *marks, size_t count)
{
    for (size_t i = 0; i < hand_count; i++) {
        size_t start = count * i / hand_count;

        hands[i].marks = marks + start;
        hands[i].count = count * (i + 1) / hand_count - start;
    }
}

static bool work_together(struct aggregation *a, struct clock_run *run, struct dirty_mark *marks, size_t count,
                          size_t hand_count, struct error *err)
{
    struct hand *hands = xcalloc(hand_count, sizeof *hands);
    bool ok = true;

    deal(hands, hand_count, marks, count);
    for (size_t i = 0; i < hand_count; i++) {
        hands[i].aggregation = i == 0 ? a : aggregation_of(a->hands[i - 1]);
        hands[i].aggregation->copies_indexed = a->copies_indexed;
        hands[i].run = run;
        hands[i].has_thread = i > 0 && pthread_create(&hands[i].thread, NULL, hand_main, &hands[i]) == 0;
    }
    for (size_t i = 0; i < hand_count; i++)
        if (!hands[i].has_thread)
            hand_main(&hands[i]);
    for (size_t i = 0; i < hand_count; i++) {
        if (hands[i].has_thread)
            pthread_join(hands[i].thread, NULL);
        if (ok && !hands[i].ok) {
            *err = hands[i].err;
            ok = false;
        }
    }
    free(hands);
    return ok;
}

bool aggregate_hands_work_off(struct aggregation *a, struct clock_run *run, struct dirty_mark *marks, size_t count,
                              struct error *err)
{
    size_t most = (size_t)a->handler->common->parallel, wanted = 1 + count / SHARE_LEAST;

    if (wanted > most)
        wanted = most;
    if (!search_refresh(a->handler->client, a->source.data, err) || !aggregate_look(a, err) ||
        !make_hands(a, wanted, err)) {
        err->kind = ERROR_AGAIN;
        return false;
    }
    aggregate_sort(marks, count);
    return work_together(a, run, marks, count, wanted, err);
}
