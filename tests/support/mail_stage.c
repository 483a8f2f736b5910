#include "support/mail_stage.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/file.h"
#include "support/canary.h"
#include "support/pause.h"
#include "support/process.h"

void mail_stage_template(const struct mail_stage *s, const char *name, const char *text)
{
    char path[600];
    struct error err;

    snprintf(path, sizeof path, "%s/%s", s->folder, name);
    if (!file_replace(path, 0644, text, strlen(text), &err))
        fail_msg("%s", err.text);
}

struct mail_stage *mail_stage_open(const char *more)
{
    return mail_stage_open_with("", more);
}

struct mail_stage *mail_stage_open_with(const char *http, const char *more)
{
    struct mail_stage *s = xcalloc(1, sizeof *s);
    struct buf ini = BUF_INIT;

    folder_make("templates", s->folder, sizeof s->folder);
    mail_stage_template(s, "user.updated.en.txt",
                        "Subject: News of {data.name}\n\nHello {data.name},\n"
                        "{each data.items}* {item.title}{if item.free} (free){end}\n{end}"
                        "{if data.note}{data.note}{else}No note.{end}\n");
    mail_stage_template(s, "user.updated.en.html", "<p>Hello {data.name}</p>\n");
    mail_stage_template(s, "user.updated.de.txt", "Subject: Neues von {data.name}\n\nHallo {data.name}\n");
    buf_printf(&ini,
               "[redis]\nurl = REDIS\n[http]\nlisten = 127.0.0.1:0\n%s[queue q]\nevents = user.updated\n"
               "[handler mails]\ntype = mail\nqueue = q\nfrom = The Archive <a@example.org>\ntemplates = %s\n"
               "schedule = every 100ms\n",
               http, s->folder);
    if (!strstr(more, "server = ")) {
        s->server = mail_server_start(
            &(struct mail_server_options){.login = strstr(more, "password = ") ? "crier:" CANARY : NULL});
        buf_printf(&ini, "server = %s\ntls = none\ntimeout = 10s\n", mail_server_url(s->server));
    }
    buf_printf(&ini, "%s%s", strstr(more, "to = ") ? "" : "to = data.to\n", more);
    s->scene = scene_open(ini.data);
    buf_release(&ini);
    return s;
}

void mail_stage_close(struct mail_stage *s)
{
    scene_close(s->scene);
    server_free(s->server);
    free(s);
}

void mail_stage_forget_seen(struct scene *scene)
{
    static const char text[] = "for _, k in ipairs(redis.call('KEYS', 'crier:{q}:seen:*')) do redis.call('DEL', k) end";
    const struct reply *reply;
    struct error err;

    if (!redis_do(scene->redis, scene->arena, &reply, &err, "EVAL %s 0", text))
        fail_msg("%s", err.text);
}

const struct reply *mail_stage_await_attempts(struct scene *scene, size_t count)
{
    int64_t until_ms = clock_monotonic_ms() + 60000;
    const struct reply *attempts;

    do {
        pause_ms(5);
        attempts = scene_redis(scene, "XREVRANGE crier:{mail}:attempts:mails + -");
        if (clock_monotonic_ms() > until_ms)
            fail_msg("%zu of %zu attempts are recorded", attempts->count, count);
    } while (attempts->count < count);
    return attempts;
}

const char *mail_stage_attempt_field(const struct reply *attempts, size_t i, const char *name)
{
    return reply_field_text(&attempts->items[i].items[1], name);
}

const char *mail_text_of(const json_t *all, size_t i)
{
    return json_string_value(json_object_get(json_array_get(all, i), "text"));
}

char *mail_header_of(const json_t *all, size_t i, const char *name)
{
    char wanted[60];
    const char *found;

    snprintf(wanted, sizeof wanted, "\r\n%s: ", name);
    found = strstr(mail_text_of(all, i), wanted);
    if (!found)
        fail_msg("there is no header %s", name);
    found += strlen(wanted);
    return xstrndup(found, strcspn(found, "\r"));
}
