#include "notifier/platform/notification_queue.h"

#include <string.h>

#include "base/clock.h"
#include "base/json_cut.h"
#include "base/log.h"
#include "notifier/notification.h"
#include "notifier/pattern.h"
#include "notifier/platform/kombu_message.h"

enum {
    RECORDS_AT_A_TIME = 1000,
    ENVELOPE_BYTES = 8192, /* what kombu and Celery write around the arguments */
    LOOK_OVER_MS = 10000,  /* after which those that were passed are looked at again */
};

static const char task[] = "invenio_records_resources.tasks.send_change_notifications";

/* One message on its way through. */
struct call {
    const struct notification_queue *queue;
    const struct platform_hands *hands;
    const struct kombu_waiting *message;
    struct notification notification;
    const char *source;
    size_t record; /* the number of the batch's first */
};

/* Where a message goes that does not even say what kind of record it is about. */
static const struct queue_settings *queue_for_unreadable(const struct settings *s)
{
    for (size_t i = 0; i < s->handler_count; i++)
        if (text_same(s->handlers[i].type, "denormalize"))
            return settings_queue(s, s->handlers[i].queue);
    return s->queue_count > 0 ? &s->queues[0] : NULL;
}

static bool bury_message(const struct call *c, const char *reason, struct error *err)
{
    counter_add(c->queue->outcomes[INTAKE_REFUSED], 1);
    return platform_bury(c->hands,
                         &(struct platform_refusal){.source = c->source,
                                                    .type = "notification",
                                                    .queue = queue_for_unreadable(c->hands->settings),
                                                    .message = c->message,
                                                    .reason = reason},
                         err);
}

static bool bury_record(const struct call *c, size_t record, const char *reason, struct error *err)
{
    const char *type =
        arena_printf(c->hands->arena, "%s.%s", c->notification.record_type.text, c->notification.action.text);

    return platform_bury(
        c->hands,
        &(struct platform_refusal){
            .source = c->source, .type = type, .message = c->message, .part = record, .reason = reason},
        err);
}

/* What was added to the intake goes off. False: something has to come again; err says why. */
static bool send_records(struct call *c, struct error *err)
{
    const struct intake_result *results = intake_send(c->hands->intake);
    size_t count = intake_count(c->hands->intake);
    bool safe = true;

    for (size_t i = 0; i < count; i++) {
        const struct intake_result *result = &results[i];

        counter_add(c->queue->outcomes[result->outcome], 1);
        if (result->outcome == INTAKE_UNAVAILABLE)
            safe = error_set(err, ERROR_AGAIN, "%s", result->reason);
        else if (result->outcome == INTAKE_REFUSED)
            safe = bury_record(c, c->record + i, result->reason, err) && safe;
    }
    c->record += count;
    intake_start(c->hands->intake);
    return safe;
}

static bool take_records(struct call *c, struct error *err)
{
    intake_start(c->hands->intake);
    c->record = 1;
    while (notification_add(&c->notification, c->hands->intake))
        if (intake_count(c->hands->intake) == RECORDS_AT_A_TIME && !send_records(c, err))
            return false;
    return send_records(c, err);
}

/* The body is [positional arguments, named arguments, what the task runner itself needs]. */
static bool read_call(struct call *c, struct span body, struct error *err)
{
    struct span parts[3];
    struct json_cut cut;
    size_t count = 0;
    bool ok = json_cut_start(&cut, body, '[');

    for (; ok && count < ARRAY_LENGTH(parts); count++)
        ok = json_cut_next(&cut, &parts[count]) == JSON_CUT_ONE;
    if (!ok || parts[0].text[0] != '[' || parts[1].text[0] != '{')
        return error_set(err, ERROR_INPUT, "the body is no call of a task: [arguments, named arguments, ...]");
    return notification_read_call(parts[0], parts[1], (int)c->hands->settings->http.depth, c->hands->arena,
                                  &c->notification, err);
}

/* False with ERROR_NONE: it is another task's. */
static bool take_message(struct call *c, struct error *err)
{
    static struct log_limit limit = LOG_LIMIT_INIT;
    struct kombu_task called;
    struct error why = ERROR_INIT;

    if (!c->message->bytes)
        return bury_message(c, "longer than a batch may be", err);
    if (!kombu_task_read(c->message->bytes, c->message->length, c->hands->arena, &called, &why) && !called.name[0])
        return bury_message(c, why.text, err);
    if (strcmp(called.name, task) != 0) {
        counter_add(c->queue->foreign, 1);
        log_limited(
            &limit, LOG_LEVEL_WARN,
            "the platform's queue %s also holds calls of %.100s, which are left there: route nothing but %s to it",
            c->queue->name, called.name[0] ? called.name : "no task", task);
        return false;
    }
    if (why.kind != ERROR_NONE || !read_call(c, called.body, &why))
        return bury_message(c, why.text, err);
    return take_records(c, err);
}

/* Of a batch with nothing in it that has to wait: whether to look behind it at once. */
static bool move_on(struct notification_place *place, size_t seen, size_t gone, bool behind)
{
    int64_t now_ms = clock_monotonic_ms();
    bool passed = place->passed > 0;

    if (behind) {
        place->again_ms = passed ? place->again_ms : now_ms + LOOK_OVER_MS;
        place->passed += seen - gone;
    } else if (passed && (seen == 0 || now_ms >= place->again_ms)) {
        place->passed = 0;
    }
    return behind || gone > 0 || (passed && place->passed == 0);
}

/* Those that are done with; *why: why one has to wait, and those behind it. */
static size_t take_batch(const struct notification_queue *q, const struct platform_hands *h,
                         const struct kombu_waiting *waiting, size_t count, const struct kombu_waiting **gone,
                         struct error *why)
{
    size_t gone_count = 0;

    for (size_t i = 0; i < count && why->kind == ERROR_NONE; i++) {
        struct call c = {.queue = q, .hands = h, .message = &waiting[i]};

        c.source = arena_printf(h->arena, "platform:%s", q->name);
        if (take_message(&c, why))
            gone[gone_count++] = &waiting[i];
    }
    return gone_count;
}

bool notification_queue_take(const struct notification_queue *q, const struct platform_hands *h, const char *list,
                             struct notification_place *place, bool *more, struct error *err)
{
    const struct kombu_look look = {.passed = place->passed,
                                    .most = (size_t)h->settings->platform.batch,
                                    .bytes_most = h->settings->http.batch_bytes / 3 * 4 + ENVELOPE_BYTES};
    struct error why = ERROR_INIT;
    const struct kombu_waiting **gone;
    struct kombu_waiting *waiting;
    size_t count, gone_count;
    bool behind;

    *more = false;
    if (!kombu_peek(h->broker, list, &look, h->arena, &waiting, &count, &behind, err))
        return false;
    gone = arena_alloc(h->arena, (count + 1) * sizeof(const struct kombu_waiting *));
    gone_count = take_batch(q, h, waiting, count, gone, &why);
    if (gone_count > 0 && !kombu_remove(h->broker, list, gone, gone_count, err))
        return false;
    if (why.kind != ERROR_NONE) {
        *err = why;
        return false;
    }
    *more = move_on(place, count, gone_count, behind);
    return true;
}
