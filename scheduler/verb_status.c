/* crier status: whether the servers answer, and what waits in all. What `check --online` asks stands here too. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/json.h"
#include "handlers/handler.h"
#include "handlers/registry.h"
#include "handlers/source/source_online.h"
#include "indexer/client.h"
#include "notifier/certificate.h"
#include "notifier/guard.h"
#include "notifier/outbox/outbox_report.h"
#include "notifier/stream.h"
#include "scheduler/handler_load.h"
#include "scheduler/verbs.h"

struct status {
    const char *redis, *opensearch; /* "" where nothing is wrong */
    const char *platform;           /* what its broker says; NULL: none is named */
    int64_t waiting, pending, dead, oldest_seconds;
    int64_t marked;         /* keys to be computed by handlers that run by the clock */
    int64_t later;          /* subjects that handlers of events left for the clock */
    struct buf certificate; /* of the door, what is to be said of it; empty: it has none */
};

static bool sum_up(const struct settings *s, struct redis *r, struct arena *arena, struct status *status,
                   struct error *err)
{
    struct queue_state state;

    for (size_t i = 0; i < s->queue_count; i++) {
        if (!stream_state(r, s->queues[i].name, arena, &state, err))
            return false;
        status->dead += state.dead;
    }
    for (size_t i = 0; i < s->handler_count; i++) {
        struct handler_load load;

        if (!handler_load_read(s, &s->handlers[i], r, arena, &load, err))
            return false;
        if (s->handlers[i].kind->traits & KIND_CLOCK) {
            status->marked += load.waiting;
            continue;
        }
        status->later += load.later;
        status->waiting += load.waiting;
        status->pending += load.pending;
        if (load.oldest_seconds > status->oldest_seconds)
            status->oldest_seconds = load.oldest_seconds;
    }
    return true;
}

/* What handlers have to say: a line each, or the members of a JSON object. */
static bool tell_handlers(const struct settings *s, struct redis *r, bool json, struct buf *out, struct error *err)
{
    struct buf text = BUF_INIT;
    bool ok = true;

    for (size_t i = 0; ok && i < s->handler_count; i++) {
        const struct handler_settings *hs = &s->handlers[i];
        const struct handler_type *type = handler_type_find(hs->type);

        if (!type->tell)
            continue;
        buf_reset(&text);
        ok = type->tell(r, hs, json, &text, err);
        if (ok && json)
            buf_printf(out, "%s\"%s\":%s", out->length ? "," : "", hs->name, text.data);
        else if (ok)
            buf_printf(out, "%-11s %s\n", hs->name, text.data);
    }
    buf_release(&text);
    return ok;
}

/* Of the door; where it has none there is nothing to say. */
static void add_certificate(const struct status *status, bool json, struct buf *out)
{
    if (status->certificate.length == 0)
        return;
    buf_add_text(out, json ? ",\"certificate\":" : "certificate ");
    if (json)
        buf_add_json_text(out, status->certificate.data);
    else
        buf_printf(out, "%s\n", status->certificate.data);
}

/* The broker whose queues are read, where one is named: it is another's, and keeps what it likes. */
static bool ask_platform(const struct settings *s, struct error *err)
{
    struct redis *broker;
    struct arena *arena;
    bool ok;

    if (!*s->platform.url)
        return true;
    broker = redis_new(&(struct redis_options){&s->platform.address, (int)s->redis.timeout_ms});
    arena = arena_new();
    ok = redis_do(broker, arena, NULL, err, "PING");
    arena_free(arena);
    redis_free(broker);
    return ok;
}

static void print_status(const struct status *status, const struct buf *handlers, const struct buf *outboxes, bool json)
{
    struct buf out = BUF_INIT;

    if (json) {
        buf_add_text(&out, "{\"redis\":");
        buf_add_json_text(&out, *status->redis ? status->redis : "ok");
        buf_add_text(&out, ",\"opensearch\":");
        buf_add_json_text(&out, *status->opensearch ? status->opensearch : "ok");
        if (status->platform) {
            buf_add_text(&out, ",\"platform\":");
            buf_add_json_text(&out, status->platform);
        }
        add_certificate(status, true, &out);
        buf_printf(&out,
                   ",\"waiting\":%lld,\"pending\":%lld,\"marked\":%lld,\"later\":%lld,\"dead\":%lld,"
                   "\"oldest_seconds\":%lld,\"handlers\":{%s},\"outboxes\":%s}\n",
                   (long long)status->waiting, (long long)status->pending, (long long)status->marked,
                   (long long)status->later, (long long)status->dead, (long long)status->oldest_seconds, handlers->data,
                   outboxes->data);
    } else {
        buf_printf(&out, "redis       %s\nopensearch  %s\n", *status->redis ? status->redis : "ok",
                   *status->opensearch ? status->opensearch : "ok");
        if (status->platform)
            buf_printf(&out, "platform    %s\n", status->platform);
        add_certificate(status, false, &out);
        buf_printf(&out, "waiting     %lld\npending     %lld\nmarked      %lld\nlater       %lld\n",
                   (long long)status->waiting, (long long)status->pending, (long long)status->marked,
                   (long long)status->later);
        buf_printf(&out, "dead        %lld\noldest      %lld s\n", (long long)status->dead,
                   (long long)status->oldest_seconds);
        buf_add(&out, handlers->data, handlers->length);
        buf_add(&out, outboxes->data, outboxes->length);
    }
    fwrite(out.data, 1, out.length, stdout);
    buf_release(&out);
}

static int report(const struct settings *s, bool json)
{
    struct redis *r = settings_redis(s);
    struct client *client = client_new(&s->opensearch);
    struct arena *arena = arena_new();
    struct error redis_err = ERROR_INIT, opensearch_err = ERROR_INIT, platform_err = ERROR_INIT;
    struct status status = {.redis = "", .opensearch = "", .certificate = BUF_INIT};
    struct buf handlers = BUF_INIT, outboxes = BUF_INIT;
    bool redis_answers, opensearch_answers, platform_answers, outboxes_answer, certificate_is_good;

    if (!guard_check(r, &redis_err))
        status.redis = redis_err.text;
    redis_answers = redis_err.kind != ERROR_AGAIN && sum_up(s, r, arena, &status, &redis_err) &&
                    tell_handlers(s, r, json, &handlers, &redis_err);
    if (!redis_answers)
        status.redis = redis_err.text;
    opensearch_answers = client_ready(client, &opensearch_err);
    if (!opensearch_answers)
        status.opensearch = opensearch_err.text;
    platform_answers = ask_platform(s, &platform_err);
    if (*s->platform.url)
        status.platform = platform_answers ? "ok" : platform_err.text;
    outboxes_answer = outbox_report_add(s, json, &outboxes);
    certificate_is_good = certificate_add_state(s, &status.certificate);
    print_status(&status, &handlers, &outboxes, json);
    buf_release(&status.certificate);
    buf_release(&handlers);
    buf_release(&outboxes);
    arena_free(arena);
    client_free(client);
    redis_free(r);
    if (!redis_answers || !opensearch_answers || !platform_answers || !outboxes_answer)
        return EXIT_UNREACHABLE;
    return certificate_is_good ? EXIT_DONE : EXIT_FAILED;
}

int verb_status(struct verb_call *call)
{
    return call->argc ? verb_usage("status", "takes no arguments") : report(call->settings, call->json);
}

static bool check_platform(const struct settings *s, struct error *err)
{
    bool ok = ask_platform(s, err);

    if (*s->platform.url)
        printf("platform: %s\n", ok ? "ok" : err->text);
    return ok;
}

/* Each handler that names what a server has; those with nothing to say are not. */
static bool check_handlers(const struct settings *s, struct client *client, struct error *err)
{
    struct buf notes = BUF_INIT;
    bool ok = true;

    for (size_t i = 0; i < s->handler_count; i++) {
        const struct handler_settings *hs = &s->handlers[i];
        struct error wrong = ERROR_INIT;

        buf_reset(&notes);
        if (!handler_online(hs, client, &notes, &wrong)) {
            printf("%s:%d: handler %s: %s\n", s->path, hs->line, hs->name, wrong.text);
            *err = ok ? wrong : *err;
            ok = false;
        }
        for (const char *line = notes.data, *end; (end = strchr(line, '\n')); line = end + 1)
            printf("handler %s: %.*s\n", hs->name, (int)(end - line), line);
    }
    buf_release(&notes);
    return ok;
}

int check_online(const struct settings *s)
{
    struct redis *r = settings_redis(s);
    struct client *client = client_new(&s->opensearch);
    struct error err = ERROR_INIT;
    int code = EXIT_DONE;

    if (guard_check(r, &err)) {
        puts("redis: ok");
    } else {
        printf("redis: %s\n", err.text);
        if (err.kind != ERROR_CONFIG || !s->redis.unsafe)
            code = error_exit_code(&err);
    }
    if (client_ready(client, &err)) {
        puts("opensearch: ok");
        if (!check_handlers(s, client, &err))
            code = code == EXIT_DONE ? error_exit_code(&err) : code;
    } else {
        printf("opensearch: %s\n", err.text);
        code = code == EXIT_DONE ? error_exit_code(&err) : code;
    }
    if (!check_platform(s, &err))
        code = code == EXIT_DONE ? error_exit_code(&err) : code;
    if (!outbox_report_check(s, &err))
        code = code == EXIT_DONE ? error_exit_code(&err) : code;
    if (!source_online(s, &err))
        code = code == EXIT_DONE ? error_exit_code(&err) : code;
    client_free(client);
    redis_free(r);
    return code;
}
