/*
 * notifier/door_desk.h - what all requests at the door share: intakes to borrow, room for bodies, and who is still
 * there.
 */
#ifndef NOTIFIER_DOOR_DESK_H
#define NOTIFIER_DOOR_DESK_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/attrs.h"
#include "base/error.h"
#include "config/settings.h"
#include "notifier/access/access.h"
#include "notifier/access/signed.h"
#include "notifier/door_errand.h"
#include "notifier/door_events.h"
#include "notifier/door_page.h"
#include "notifier/intake.h"
#include "notifier/operation/operation_feed.h"

struct desk {
    const struct settings *settings;
    const struct door_page *pages;
    struct access *access;
    struct signed_door *signatures; /* NULL: none is asked for */
    struct errands *errands;        /* NULL where no page needs them */
    struct operation_feed *feed;    /* lent; NULL: nobody can wait for what becomes of events */
    struct events_door events;
    atomic_int_fast64_t room; /* bytes left for bodies */
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    struct intake **intakes; /* those not in use: [0, free_intakes) */
    size_t free_intakes, under_way;
    bool closing;
};

/* After a failure (ERROR_CONFIG) desk_release is still due. */
bool desk_init(struct desk *d, const struct settings *settings, const struct door_page *pages,
               struct error *err) must_check;
void desk_release(struct desk *d);

/* A request comes and goes. False: the door is about to close; it goes all the same. */
bool desk_enter(struct desk *d) must_check;
void desk_leave(struct desk *d);

/*
 * Says that the door closes, and waits for those that are under way, but not for ever: then errands that have not begun
 * are given up.
 */
void desk_clear(struct desk *d, int wait_ms);

struct intake *desk_borrow(struct desk *d);
void desk_return(struct desk *d, struct intake *in);

#endif
