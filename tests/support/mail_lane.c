#include "support/mail_lane.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "support/work.h"

struct mail_lane mail_lane_open(const char *more)
{
    struct mail_lane s = {.mail = mail_stage_open(more)};

    s.scene = s.mail->scene;
    s.server = s.mail->server;
    s.lane = work_open(s.scene, "mails");
    return s;
}

void mail_lane_close(struct mail_lane *s)
{
    lane_leave(s->lane);
    lane_free(s->lane);
    mail_stage_close(s->mail);
}

void mail_lane_emit(struct mail_lane *s, const char *id, const char *data)
{
    struct event e = scene_event(s->scene, "user.updated", id, "users/1", 3, data);
    struct error err;
    size_t taken = 1;

    mail_stage_forget_seen(s->scene);
    scene_append(s->scene, &e, 1);
    while (taken > 0)
        if (!lane_pass(s->lane, 0, &taken, &err))
            fail_msg("%s", err.text);
}

struct dead_letter *mail_lane_dead(struct mail_lane *s, size_t *count)
{
    struct dead_letter *letters;
    struct error err;

    if (!dead_list(s->scene->redis, "q", NULL, 100, s->scene->arena, &letters, count, &err))
        fail_msg("%s", err.text);
    return letters;
}

size_t mail_lane_waiting(struct mail_lane *s)
{
    return (size_t)scene_redis(s->scene, "ZCARD crier:{mail}:due:mails")->integer;
}
