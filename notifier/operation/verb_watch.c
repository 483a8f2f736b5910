#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "notifier/operation/operation_streams.h"
#include "notifier/pattern.h"
#include "notifier/verbs.h"

enum { READ_WAIT_MS = 500 };

struct watch {
    const struct verb_call *call;
    struct redis *redis;
    struct arena *arena;
    const char *operation, *events; /* NULL: of all */
    char last[RESULT_ID_BYTES];
    bool anew; /* nothing was read yet */
};

static void add_column(struct buf *line, const char *text, int width)
{
    struct buf shown = BUF_INIT;

    text_add_escaped(&shown, text, strlen(text), 400);
    buf_printf(line, "%-*s ", width, shown.length ? shown.data : "-");
    buf_release(&shown);
}

/* For people: when, what became of it, where, of what, and why. */
static void print_line(const char *text, size_t length)
{
    static const struct {
        const char *name;
        int width;
    } columns[] = {
        {"time",      27},
        {"state",     8 },
        {"handler",   16},
        {"type",      20},
        {"subject",   16},
        {"event",     20},
        {"operation", 0 },
        {"reason",    0 },
    };
    struct buf line = BUF_INIT;
    struct error err;
    json_t *result = json_text_parse(text, length, 4, &err);

    for (size_t i = 0; i < ARRAY_LENGTH(columns); i++)
        add_column(&line, json_member_text(result, columns[i].name, ""), columns[i].width);
    while (line.length > 0 && strchr(" -", line.data[line.length - 1]))
        line.data[--line.length] = '\0';
    puts(line.data);
    json_decref(result);
    buf_release(&line);
}

static bool is_wanted(const struct watch *w, const struct reply *entry)
{
    return (!w->operation || strcmp(reply_field_text(&entry->items[1], "o"), w->operation) == 0) &&
           (!w->events || patterns_match(w->events, span_of(reply_field_text(&entry->items[1], "t"))));
}

static void show(struct watch *w, const struct reply *entry)
{
    struct buf text = BUF_INIT, plain = BUF_INIT;

    snprintf(w->last, sizeof w->last, "%s", entry->items[0].text);
    w->anew = false;
    if (is_wanted(w, entry) && result_add_json(entry, &text)) {
        if (w->call->json) {
            text_add_json_plain(&plain, text.data, text.length);
            puts(plain.data);
        } else {
            print_line(text.data, text.length);
        }
        fflush(stdout);
    }
    buf_release(&plain);
    buf_release(&text);
}

static bool begin(struct watch *w, struct error *err)
{
    const struct reply *newest;

    snprintf(w->last, sizeof w->last, "0-0");
    w->anew = w->operation != NULL;
    if (w->operation)
        return true; /* with what is there already */
    if (!redis_do(w->redis, w->arena, &newest, err, "XREVRANGE " OPERATION_RESULTS " + - COUNT 1"))
        return false;
    if (newest->count)
        snprintf(w->last, sizeof w->last, "%s", newest->items[0].items[0].text);
    return true;
}

/* Who reads what is printed was slower than results came, by more than are kept. */
static void say_gap(const struct watch *w, const char *to)
{
    printf(w->call->json ? "{\"gap\":{\"from\":\"%s\",\"to\":\"%s\"}}\n"
                         : "gap: results after %s and before %s are gone\n",
           w->last, to);
    fflush(stdout);
}

static bool read_on(struct watch *w, size_t *count, struct error *err)
{
    const struct reply *some;
    struct results read;

    *count = 0;
    if (!redis_do(w->redis, w->arena, &some, err, "XREAD COUNT 1 BLOCK %d STREAMS " OPERATION_RESULTS " %s",
                  READ_WAIT_MS, w->last))
        return false;
    if (some->kind != REPLY_ARRAY || some->count == 0)
        return true;
    if (!results_read(w->redis, w->arena, w->last, &read, err))
        return false;
    if (read.gap_to && !w->anew)
        say_gap(w, read.gap_to);
    *count = read.entries->count;
    for (size_t i = 0; i < read.entries->count; i++)
        show(w, &read.entries->items[i]);
    return true;
}

/* An operation that has come to its end is not watched any longer, once all of it was shown. */
static bool is_over(struct watch *w, size_t shown, enum operation_fate *fate, bool *over, struct error *err)
{
    struct buf unused = BUF_INIT;
    bool ok = true;

    *over = false;
    if (w->operation && shown < RESULTS_READ_MOST) {
        ok = operation_show(w->redis, w->operation, NULL, fate, &unused, err);
        *over = ok && (*fate == OPERATION_DONE || *fate == OPERATION_DEAD || *fate == OPERATION_UNKNOWN);
    }
    buf_release(&unused);
    return ok;
}

/* Looks whether it is over before it reads, so that what came until then is shown. */
static bool watch(struct watch *w, enum operation_fate *fate, struct error *err)
{
    size_t shown = 0;
    bool over = false;

    if (!begin(w, err))
        return false;
    for (;;) {
        bool was_over = over;

        arena_reset(w->arena);
        if (!read_on(w, &shown, err))
            return false;
        if (was_over && shown == 0)
            break;
        if (!is_over(w, shown, fate, &over, err))
            return false;
    }
    return *fate != OPERATION_UNKNOWN ||
           error_set(err, ERROR_INPUT, "no operation \"%.80s\" is known, or not any more", w->operation);
}

int verb_watch(struct verb_call *call)
{
    struct watch w = {.call = call};
    enum operation_fate fate = OPERATION_WAITING;
    struct error err = ERROR_INIT;
    bool ok;

    if (verb_option(call, "events", &w.events) && !w.events)
        return verb_usage("watch", "--events needs patterns of types");
    if (w.events && !patterns_check(w.events, &err))
        return verb_usage("watch", err.text);
    if (call->argc > 1)
        return verb_usage("watch", "say the id of one operation, or none");
    w.operation = call->argc == 1 ? call->argv[0] : NULL;
    w.redis = settings_redis(call->settings);
    w.arena = arena_new();
    ok = watch(&w, &fate, &err);
    arena_free(w.arena);
    redis_free(w.redis);
    if (!ok)
        return verb_failed("watch", &err);
    return fate == OPERATION_DONE ? EXIT_DONE : EXIT_FAILED;
}
