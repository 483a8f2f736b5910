/* tests/support/prepare_stage.h - a Redis, and preparations of events with the steps that a test names. */
#ifndef TESTS_SUPPORT_PREPARE_STAGE_H
#define TESTS_SUPPORT_PREPARE_STAGE_H

#include "base/arena.h"
#include "base/clock.h"
#include "notifier/prepare.h"
#include "support/server.h"

#define FIREFOX "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"
#define DAY_US  (INT64_C(86400) * US_PER_SECOND)

struct prepare_stage {
    struct server *server;
    struct redis_address address;
    struct redis *redis;
    struct arena *arena;
    struct error err;
};

int prepare_stage_open(void **state);
int prepare_stage_close(void **state);

/* A section with these steps, and the lists that ship with crier. */
struct event_settings prepare_section(const char *steps);
struct prepare *prepare_by(struct prepare_stage *f, const struct event_settings *es);
struct prepare *prepare_steps(struct prepare_stage *f, const char *steps);
struct event prepare_event_at(const char *time);

/* The data after the steps; NULL where it was a robot's. Caller's. */
json_t *prepare_data(struct prepare_stage *f, struct prepare *p, const char *time, const char *text);
enum prepared prepare_verdict(struct prepare_stage *f, struct prepare *p, const char *text);

/* The data after the steps as text with its keys sorted; lent until the next call. */
const char *prepare_after(struct prepare_stage *f, struct prepare *p, const char *time, const char *text);
const char *prepare_today(void);

#endif
