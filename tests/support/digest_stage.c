#include "support/digest_stage.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "handlers/mail/mail_preferences.h"
#include "notifier/dead.h"
#include "scheduler/lane.h"
#include "support/clock_ahead.h"
#include "support/mail_stage.h"
#include "support/pause.h"
#include "support/work.h"

void digest_put_templates(const struct mail_stage *s)
{
    mail_stage_template(s, "digest.en.txt",
                        "Subject: {data.count} {data.period} news\n\n"
                        "{each data.items}* {item.title}{if item.data.url} at {item.data.url}{end}\n{end}"
                        "{if data.more}and {data.more} more\n{end}");
    mail_stage_template(s, "digest.en.html", "<ul>{each data.items}<li>{item.title}</li>{end}</ul>\n");
    mail_stage_template(s, "digest.de.txt", "Subject: Neues\n\n{each data.items}* {item.title}\n{end}");
}

struct digest_stage digest_stage_open(const char *more)
{
    struct digest_stage s = {.mail = mail_stage_open(more)};

    digest_put_templates(s.mail);
    clock_ahead_to_noon();
    s.scene = s.mail->scene;
    s.server = s.mail->server;
    s.lane = work_open(s.scene, "mails");
    return s;
}

void digest_stage_close(struct digest_stage *s)
{
    lane_leave(s->lane);
    lane_free(s->lane);
    mail_stage_close(s->mail);
}

void digest_prefer(struct scene *scene, const char *address, enum mail_frequency f)
{
    struct error err;

    if (!mail_preference_set(scene->redis, NULL, address, f, scene->arena, &err))
        fail_msg("%s", err.text);
}

void digest_pass(struct digest_stage *s)
{
    struct error err;
    size_t taken = 1;

    while (taken > 0)
        if (!lane_pass(s->lane, 0, &taken, &err))
            fail_msg("%s", err.text);
}

void digest_emit(struct digest_stage *s, const char *id, const char *data)
{
    struct event e = scene_event(s->scene, "user.updated", id, "users/1", 3, data);

    mail_stage_forget_seen(s->scene);
    scene_append(s->scene, &e, 1);
    digest_pass(s);
}

int64_t digest_due(struct digest_stage *s)
{
    return scene_redis(s->scene, "ZCARD crier:{mail}:digests:mails")->integer;
}

void digest_await_attempts(struct digest_stage *s, int64_t count)
{
    int64_t until_ms = clock_monotonic_ms() + 60000;

    while (scene_redis(s->scene, "XLEN crier:{mail}:attempts:mails")->integer < count) {
        if (clock_monotonic_ms() > until_ms)
            fail_msg("%lld attempts never came", (long long)count);
        pause_ms(5);
    }
}

const struct dead_letter *digest_dead_letters(struct digest_stage *s, size_t *count)
{
    struct dead_letter *letters;
    struct error err;

    if (!dead_list(s->scene->redis, "q", NULL, 100, s->scene->arena, &letters, count, &err))
        fail_msg("%s", err.text);
    return letters;
}
