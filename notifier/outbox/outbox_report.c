#include "notifier/outbox/outbox_report.h"

#include <stdio.h>

#include "notifier/outbox/outbox.h"

static void add_line(struct buf *out, const char *name, const struct outbox_state *state, const char *why)
{
    buf_printf(out, "outbox      %s: ", name);
    if (why)
        buf_printf(out, "%s\n", why);
    else
        buf_printf(out, "%lld waiting, oldest %lld s, %lld parked\n", (long long)state->waiting,
                   (long long)state->oldest_ms / 1000, (long long)state->parked);
}

static void add_object(struct buf *out, const char *name, const struct outbox_state *state, const char *why)
{
    buf_add_text(out, "{\"name\":");
    buf_add_json_text(out, name);
    if (why) {
        buf_add_text(out, ",\"error\":");
        buf_add_json_text(out, why);
    } else {
        buf_printf(out, ",\"waiting\":%lld,\"oldest_seconds\":%lld,\"parked\":%lld", (long long)state->waiting,
                   (long long)state->oldest_ms / 1000, (long long)state->parked);
    }
    buf_add_char(out, '}');
}

bool outbox_report_add(const struct settings *s, bool json, struct buf *out)
{
    bool all = true;

    if (json)
        buf_add_char(out, '[');
    for (size_t i = 0; i < s->outbox_count; i++) {
        struct outbox *o = outbox_new(s, &s->outboxes[i]);
        struct outbox_state state = {0};
        struct error err = ERROR_INIT;
        bool ok = outbox_state(o, &state, &err);

        if (json && i > 0)
            buf_add_char(out, ',');
        (json ? add_object : add_line)(out, o->own->name, &state, ok ? NULL : err.text);
        all = all && ok;
        outbox_free(o);
    }
    if (json)
        buf_add_char(out, ']');
    return all;
}

bool outbox_report_check(const struct settings *s, struct error *err)
{
    bool all = true;

    for (size_t i = 0; i < s->outbox_count; i++) {
        struct outbox *o = outbox_new(s, &s->outboxes[i]);
        struct error its = ERROR_INIT;
        bool ok = outbox_check(o, &its);

        printf("outbox %s: %s\n", o->own->name, ok ? "ok" : its.text);
        if (!ok && all)
            *err = its;
        all = all && ok;
        outbox_free(o);
    }
    return all;
}
