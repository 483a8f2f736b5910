/*
 * base/counters.h - numbers that the service keeps of itself, shown as Prometheus text.
 *
 * A counter is named once, where it is first asked for; asking again for the same name and labels gives the same one.
 * They live as long as the process.
 */
#ifndef BASE_COUNTERS_H
#define BASE_COUNTERS_H

#include <stdatomic.h>
#include <stdint.h>

#include "base/attrs.h"
#include "base/buf.h"

enum counter_kind { COUNTER_TOTAL, COUNTER_GAUGE };

struct counter {
    atomic_int_fast64_t value;
};

/*
 * The one with these labels: pairs of a name and its value, and NULL behind the last ("handler", "views", NULL). A pair
 * whose value is NULL is left out.
 */
struct counter *counter_with(enum counter_kind kind, const char *name, const char *help, ...) null_ended;

/* labels: NULL, or as Prometheus writes them ("handler=\"views\",outcome=\"done\""), made with counter_label. */
struct counter *counter_get(enum counter_kind kind, const char *name, const char *help, const char *labels);

/* Adds name="value" with value escaped, and a comma before where needed. */
void counter_label(struct buf *labels, const char *name, const char *value);

static inline void counter_add(struct counter *c, int64_t more)
{
    atomic_fetch_add_explicit(&c->value, more, memory_order_relaxed);
}

static inline void counter_set(struct counter *c, int64_t value)
{
    atomic_store_explicit(&c->value, value, memory_order_relaxed);
}

static inline int64_t counter_value(struct counter *c)
{
    return atomic_load_explicit(&c->value, memory_order_relaxed);
}

/* All of them in the Prometheus text format 0.0.4, grouped by name. */
void counters_add_text(struct buf *out);

#endif
