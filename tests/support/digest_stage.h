/* tests/support/digest_stage.h - a mail_stage with templates of digests, at noon. */
#ifndef TESTS_SUPPORT_DIGEST_STAGE_H
#define TESTS_SUPPORT_DIGEST_STAGE_H

#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "handlers/mail/mail_preferences.h"
#include "notifier/dead.h"
#include "scheduler/lane.h"
#include "support/mail_stage.h"
#include "support/work.h"

#define DAY (INT64_C(86400) * US_PER_SECOND)

struct digest_stage {
    struct mail_stage *mail;
    struct scene *scene;
    struct server *server;
    struct lane *lane;
};

void digest_put_templates(const struct mail_stage *s);

/* The time of day is far enough from the hour at which digests go that a test does not meet it. */
struct digest_stage digest_stage_open(const char *more);
void digest_stage_close(struct digest_stage *s);
void digest_prefer(struct scene *scene, const char *address, enum mail_frequency f);
void digest_pass(struct digest_stage *s);
void digest_emit(struct digest_stage *s, const char *id, const char *data);
int64_t digest_due(struct digest_stage *s);
void digest_await_attempts(struct digest_stage *s, int64_t count);
const struct dead_letter *digest_dead_letters(struct digest_stage *s, size_t *count);

#endif
