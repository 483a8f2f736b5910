/* tests/support/mail_lane.h - the stage of mails with a lane of its handler, which the test moves itself. */
#ifndef TESTS_SUPPORT_MAIL_LANE_H
#define TESTS_SUPPORT_MAIL_LANE_H

#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "notifier/dead.h"
#include "scheduler/lane.h"
#include "support/mail_stage.h"

#define HOUR (INT64_C(3600) * US_PER_SECOND)

struct mail_lane {
    struct mail_stage *mail;
    struct scene *scene;
    struct server *server;
    struct lane *lane;
};

struct mail_lane mail_lane_open(const char *more); /* more: keys of the handler */
void mail_lane_close(struct mail_lane *s);

void mail_lane_emit(struct mail_lane *s, const char *id,
                    const char *data);                                  /* an event, and passes until all is taken */
struct dead_letter *mail_lane_dead(struct mail_lane *s, size_t *count); /* in the scene's arena */
size_t mail_lane_waiting(struct mail_lane *s);                          /* mails for another try */

#endif
