#include "handlers/webhook/webhook_off.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/counters.h"
#include "base/log.h"
#include "base/text.h"
#include "handlers/webhook/guarded_url.h"
#include "handlers/webhook/webhook_schedule.h"
#include "notifier/service_event.h"

static void set_text(json_t *data, const char *name, const char *text)
{
    if (*text)
        json_object_set_new(data, name, json_string(text));
}

/* Of the URL no more than its host: the rest may be what keeps strangers from posting there. */
static json_t *data_of(const struct webhook_target *t, const char *reason)
{
    json_t *data = json_pack("{s:s, s:s}", "handler", t->handler, "owner", t->owner);
    struct guarded_url url;
    struct error ignored;

    json_object_set_new(data, "reason", json_stringn_nocheck(reason, text_utf8_valid(reason, strlen(reason))));
    if (guarded_url_read(t->options->url, t->options->ports, t->options->http, &url, &ignored))
        set_text(data, "host", url.host);
    set_text(data, "owner_mail", t->options->owner_mail);
    return data;
}

/* once: which period of trouble it is about, and in it which event. */
static bool announce(const struct settings *s, struct redis *r, const struct webhook_target *t, const char *type,
                     const char *once, json_t *data, struct error *err)
{
    struct buf subject = BUF_INIT;
    bool ok;

    buf_printf(&subject, "webhooks/%s", t->name);
    ok = service_event_send_once(s, r, type, subject.data, once, data, err);
    buf_release(&subject);
    return ok;
}

static void count(const char *name, const char *help, const struct webhook_target *t)
{
    counter_add(counter_with(COUNTER_TOTAL, name, help, "webhook", t->name, NULL), 1);
}

/* The event first, and under one id as long as the trouble is the same: a crash leads to it again, and never to none.
 */
bool webhook_turn_off(const struct settings *s, struct redis *r, struct webhook_store *store,
                      const struct webhook_target *t, const char *reason, struct error *err)
{
    struct arena *arena = arena_new();
    struct webhook_target_state state;
    int64_t now_us = clock_wall_us(), since_us;
    bool was = true, ok = webhook_store_state(store, arena, &state, err);

    if (ok && !*state.off) {
        since_us = state.failing_since_us ? state.failing_since_us : state.paused_since_us;
        ok = announce(s, r, t, "webhook.disabled",
                      arena_printf(arena, "%lld %s", (long long)(since_us ? since_us : now_us), reason),
                      data_of(t, reason), err) &&
             webhook_store_turn_off(store, reason, now_us, &was, err);
    }
    arena_free(arena);
    if (!ok)
        return false;
    if (!was) {
        log_warn("webhook %s is turned off: %s; `crier webhooks resume %s` turns it on", t->name, reason, t->name);
        count("crier_webhook_disabled_total", "how often it was turned off", t);
    }
    return true;
}

int webhook_failing_percent(int64_t failing_us)
{
    if (failing_us <= 0)
        return 0;
    return failing_us > WEBHOOK_FAILING_US_MOST ? 100 : (int)(failing_us * 100 / WEBHOOK_FAILING_US_MOST);
}

int webhook_warning_of(int percent)
{
    static const int warnings[] = {90, 70, 50};

    for (size_t i = 0; i < ARRAY_LENGTH(warnings); i++)
        if (percent >= warnings[i])
            return warnings[i];
    return 0;
}

static bool announce_failing(const struct settings *s, struct redis *r, const struct webhook_target *t, int warning,
                             int64_t since_us, const char *since, const char *reason, struct error *err)
{
    json_t *data = data_of(t, reason);
    char once[60];

    json_object_set_new(data, "percent", json_integer(warning));
    set_text(data, "since", since);
    snprintf(once, sizeof once, "%lld %d", (long long)since_us, warning);
    return announce(s, r, t, "webhook.failing", once, data, err);
}

/* The event first, as above; of several processes one event comes of it. */
bool webhook_warn_owner(const struct settings *s, struct redis *r, struct webhook_store *store,
                        const struct webhook_target *t, int warning, int64_t since_us, const char *reason,
                        struct error *err)
{
    char since[TIME_TEXT_BYTES];
    int told, before;

    if (!webhook_store_told(store, &told, err))
        return false;
    if (told >= warning)
        return true;
    time_text(since_us / US_PER_SECOND * US_PER_SECOND, since);
    if (!announce_failing(s, r, t, warning, since_us, since, reason, err) ||
        !webhook_store_tell(store, warning, &before, err))
        return false;
    if (before >= 0)
        log_warn("webhook %s: nothing came through since %s: at %d %% of the time after which it is turned off",
                 t->name, since, warning);
    return true;
}
