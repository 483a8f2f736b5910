#include "handlers/reconcile/reconcile_round.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/text.h"
#include "notifier/stream.h"

#define AT(field) offsetof(struct reconcile_round, field)

/* Whole numbers, each a field of the hash. */
static const struct {
    const char *name;
    size_t offset;
} numbers[] = {
    {"started",         AT(started_us)     },
    {"last_number",     AT(last_number)    },
    {"documents",       AT(tally.documents)},
    {"subjects",        AT(tally.subjects) },
    {"behind",          AT(tally.behind)   },
    {"gone",            AT(tally.gone)     },
    {"repaired",        AT(tally.repaired) },
    {"refused",         AT(tally.refused)  },
    {"oldest_ms",       AT(tally.oldest_ms)},
    {"ended",           AT(ended_us)       },
    {"took_ms",         AT(took_ms)        },
    {"ended_documents", AT(ended.documents)},
    {"ended_subjects",  AT(ended.subjects) },
    {"ended_behind",    AT(ended.behind)   },
    {"ended_gone",      AT(ended.gone)     },
    {"ended_repaired",  AT(ended.repaired) },
    {"ended_refused",   AT(ended.refused)  },
    {"ended_oldest_ms", AT(ended.oldest_ms)},
};

static const char *key_of(const struct handler_settings *hs, char out[KEY_BYTES])
{
    char name[KEY_BYTES / 2];

    snprintf(name, sizeof name, "reconcile:%s", hs->name);
    return queue_key(hs->queue, name, out);
}

static int64_t *number_of(struct reconcile_round *round, size_t i)
{
    return (int64_t *)(void *)((char *)round + numbers[i].offset);
}

bool reconcile_round_read(struct redis *r, const struct handler_settings *hs, struct arena *arena,
                          struct reconcile_round *out, struct error *err)
{
    char key[KEY_BYTES];
    const struct reply *reply;

    *out = (struct reconcile_round){0};
    if (!redis_do(r, arena, &reply, err, "HGETALL %s", key_of(hs, key)))
        return false;
    out->walk = reply_field_text(reply, "walk");
    out->position = reply_field_text(reply, "position");
    for (size_t i = 0; i < ARRAY_LENGTH(numbers); i++) {
        struct span text = span_of(reply_field_text(reply, numbers[i].name));

        if (!text_int(text.text, text.length, number_of(out, i)))
            *number_of(out, i) = 0;
    }
    return true;
}

bool reconcile_round_note(struct redis *r, const struct handler_settings *hs, const struct reconcile_round *round,
                          struct error *err)
{
    struct reconcile_round copy = *round;
    struct arena *arena = arena_new();
    struct args args = ARGS_INIT;
    char key[KEY_BYTES];
    const struct reply *reply;
    bool ok;

    args_text(&args, "HSET");
    args_text(&args, key_of(hs, key));
    args_text(&args, "walk");
    args_text(&args, round->walk);
    args_text(&args, "position");
    args_text(&args, round->position);
    for (size_t i = 0; i < ARRAY_LENGTH(numbers); i++) {
        args_text(&args, numbers[i].name);
        args_int(&args, *number_of(&copy, i));
    }
    ok = redis_call(r, &args, arena, &reply, err) && reply_ok(reply, err);
    args_release(&args);
    arena_free(arena);
    return ok;
}

void reconcile_add_tally(const struct comparison_tally *t, struct buf *out)
{
    buf_printf(out, "%lld documents and %lld subjects looked at, %lld subjects behind", (long long)t->documents,
               (long long)t->subjects, (long long)t->behind);
    if (t->oldest_ms > 0)
        buf_printf(out, " (for up to %lld s)", (long long)t->oldest_ms / 1000);
    buf_printf(out, ", %lld documents repaired", (long long)t->repaired);
    if (t->gone > 0)
        buf_printf(out, ", %lld subjects gone", (long long)t->gone);
    if (t->refused > 0)
        buf_printf(out, ", %lld subjects could not be had or repaired", (long long)t->refused);
}

static void add_json(const char *name, int64_t since_us, const struct comparison_tally *t, struct buf *out)
{
    char time[TIME_TEXT_BYTES];

    if (since_us == 0) {
        buf_printf(out, "\"%s\":null", name);
        return;
    }
    buf_printf(out,
               "\"%s\":{\"time\":\"%s\",\"documents\":%lld,\"subjects\":%lld,\"behind\":%lld,\"repaired\":%lld,"
               "\"gone\":%lld,\"refused\":%lld,\"oldest_seconds\":%lld}",
               name, time_text(since_us, time), (long long)t->documents, (long long)t->subjects, (long long)t->behind,
               (long long)t->repaired, (long long)t->gone, (long long)t->refused, (long long)t->oldest_ms / 1000);
}

static void add_line(const char *words, int64_t since_us, const struct comparison_tally *t, struct buf *out)
{
    char time[TIME_TEXT_BYTES];

    if (since_us == 0)
        return;
    buf_printf(out, "%s%s %s: ", out->length ? "; " : "", words, time_text(since_us - since_us % US_PER_SECOND, time));
    reconcile_add_tally(t, out);
}

void reconcile_round_tell(const struct reconcile_round *round, bool json, struct buf *out)
{
    if (json) {
        buf_add_char(out, '{');
        add_json("round", round->started_us, &round->tally, out);
        buf_add_char(out, ',');
        add_json("last", round->ended_us, &round->ended, out);
        buf_printf(out, ",\"last_took_seconds\":%lld}", (long long)round->took_ms / 1000);
        return;
    }
    add_line("round since", round->started_us, &round->tally, out);
    add_line("last round ended", round->ended_us, &round->ended, out);
    if (out->length == 0)
        buf_add_text(out, "no round yet");
}

void reconcile_tally_add(struct comparison_tally *to, const struct comparison_tally *more)
{
    to->documents += more->documents;
    to->subjects += more->subjects;
    to->behind += more->behind;
    to->gone += more->gone;
    to->repaired += more->repaired;
    to->refused += more->refused;
    if (more->oldest_ms > to->oldest_ms)
        to->oldest_ms = more->oldest_ms;
}
