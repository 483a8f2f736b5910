#include "handlers/mail/mail_digest.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "handlers/mail/mail_crew.h"

enum { ADD_AT_ONCE = 500, LANGUAGE_BYTES = 32 };

static const int64_t keep_s = 30 * 86400;

/*
 * KEYS: due, the digest, its items, the event's own delivery. ARGV: id, the period's end, seconds to keep it, most
 * digests, most items, most bytes, now, seconds to remember the event, the item, then the digest's words. Returns 1: it
 * is there, or was sent; 0: the digest is closed; -1: too many wait.
 */
static struct redis_script add_script = {
    .text = "if redis.call('EXISTS', KEYS[4]) == 1 then return 1 end\n"
            "local score = redis.call('ZSCORE', KEYS[1], ARGV[1])\n"
            "if redis.call('HEXISTS', KEYS[2], 'done') == 1 then return 0 end\n"
            "if score and tonumber(score) ~= tonumber(ARGV[2]) then return 0 end\n"
            "if not score then\n"
            "  if redis.call('ZCARD', KEYS[1]) >= tonumber(ARGV[4]) then return -1 end\n"
            "  redis.call('HSET', KEYS[2], unpack(ARGV, 10))\n"
            "  redis.call('ZADD', KEYS[1], ARGV[2], ARGV[1])\n"
            "end\n"
            "local bytes = tonumber(redis.call('HGET', KEYS[2], 'bytes') or 0) + #ARGV[9]\n"
            "if redis.call('LLEN', KEYS[3]) < tonumber(ARGV[5]) and bytes <= tonumber(ARGV[6]) then\n"
            "  redis.call('RPUSH', KEYS[3], ARGV[9])\n"
            "  redis.call('HSET', KEYS[2], 'bytes', bytes)\n"
            "else\n"
            "  redis.call('HINCRBY', KEYS[2], 'more', 1)\n"
            "end\n"
            "for i = 1, 3 do redis.call('EXPIRE', KEYS[i], ARGV[3]) end\n"
            "redis.call('HSET', KEYS[4], 'done', ARGV[7])\n"
            "redis.call('EXPIRE', KEYS[4], ARGV[8])\n"
            "return 1\n",
};

static const char *items_key(const struct delivery_store *s, const char *id, struct arena *arena)
{
    char name[KEY_BYTES / 2], key[KEY_BYTES];

    snprintf(name, sizeof name, "items:%s:%s", s->owner, id);
    return arena_text(arena, queue_key(MAIL_AREA, name, key));
}

void mail_digest_store_init(struct delivery_store *s, struct redis *r, const char *handler)
{
    char name[KEY_BYTES / 2];

    delivery_store_init(s, r, MAIL_AREA, handler);
    s->remember_s = MAIL_REMEMBER_S;
    snprintf(name, sizeof name, "digests:%s", handler);
    queue_key(MAIL_AREA, name, s->due);
}

/* ------------------------------------------------------------------------------------------------------- adding */

/* The digest of a recipient and a period, as an event. */
static struct event digest_event(const char *id, enum mail_frequency f, int64_t end_us, struct arena *arena)
{
    struct event e = event_none;
    char time[TIME_TEXT_BYTES];

    e.id = e.unique = span_of(id);
    e.source = span_of("crier");
    e.type = span_of(MAIL_DIGEST_TYPE);
    e.time_us = end_us;
    e.time = span_of(arena_text(arena, time_text(end_us, time)));
    e.subject = span_of(arena_printf(arena, "digests/%s", mail_frequency_word(f)));
    return e;
}

static void add_args(struct delivery_store *s, const struct mail_office *o, const struct mail_digest_order *d,
                     int64_t end_us, int64_t now_us, struct arena *arena)
{
    char *id = arena_alloc(arena, DELIVERY_ID_BYTES);
    struct event period = event_none, e;

    period.unique = span_of(arena_printf(arena, "%s %lld", mail_frequency_word(d->frequency), (long long)end_us));
    delivery_id("digest_", o->name, d->order->to, &period, id);
    e = digest_event(id, d->frequency, end_us, arena);
    redis_script_args(&add_script, &s->args, 4);
    args_text(&s->args, s->due);
    args_text(&s->args, arena_printf(arena, "%s%s", s->delivery, id));
    args_text(&s->args, items_key(s, id, arena));
    args_text(&s->args, arena_printf(arena, "%s%s", s->delivery, d->order->id));
    args_text(&s->args, id);
    args_int(&s->args, end_us);
    args_int(&s->args, keep_s);
    args_int(&s->args, MAIL_DIGESTS_MOST);
    args_int(&s->args, MAIL_ITEMS_MOST);
    args_int(&s->args, MAIL_ITEMS_BYTES);
    args_int(&s->args, now_us);
    args_int(&s->args, 2 * s->remember_s); /* a week's wait comes before it is sent */
    args_bytes(&s->args, d->item.text, d->item.length);
    args_text(&s->args, "to");
    args_text(&s->args, d->order->to);
    event_add_fields(&e, &s->args);
}

/* What became of each, into results; *again: the script has to be loaded. */
static bool add_pipeline(struct delivery_store *s, const struct mail_office *o, const struct mail_digest_order *orders,
                         const int64_t *ends_us, size_t count, int64_t now_us, struct arena *arena, int64_t *results,
                         struct error *err)
{
    const struct reply *reply;
    bool ok = true;

    for (size_t i = 0; i < count; i++) {
        add_args(s, o, &orders[i], ends_us[i], now_us, arena);
        if (!redis_append(s->redis, &s->args, err))
            return false;
    }
    for (size_t i = 0; i < count; i++) {
        if (!redis_next(s->redis, arena, &reply, err))
            return false;
        if (reply_error_is(reply, "NOSCRIPT"))
            results[i] = -2;
        else if (reply_ok(reply, err))
            results[i] = reply->integer;
        else
            ok = false;
    }
    return ok;
}

/* One round: those that found a closed digest get the next period's end. */
static bool add_round(struct delivery_store *s, const struct mail_office *o, const struct mail_digest_order *orders,
                      int64_t *ends_us, size_t count, int64_t now_us, struct arena *arena, bool *full, bool *again,
                      struct error *err)
{
    int64_t results[ADD_AT_ONCE] = {0};
    bool load = false;

    *again = false;
    if (!add_pipeline(s, o, orders, ends_us, count, now_us, arena, results, err)) {
        redis_drop(s->redis); /* replies may be under way */
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        if (results[i] == 0)
            ends_us[i] = mail_period_end_us(o->period, orders[i].frequency, ends_us[i]);
        full[i] = results[i] == -1;
        load |= results[i] == -2;
        *again |= results[i] == 0 || results[i] == -2;
    }
    return !load || redis_script_load(s->redis, &add_script, err);
}

bool mail_digest_add(struct delivery_store *s, const struct mail_office *o, const struct mail_digest_order *orders,
                     size_t count, int64_t now_us, struct arena *arena, bool *full, struct error *err)
{
    enum { ROUNDS_MOST = 4 };
    int64_t ends_us[ADD_AT_ONCE];

    for (size_t from = 0; from < count; from += ADD_AT_ONCE) {
        size_t some = count - from < ADD_AT_ONCE ? count - from : ADD_AT_ONCE;
        bool again = true;

        for (size_t i = 0; i < some; i++)
            ends_us[i] = mail_period_end_us(o->period, orders[from + i].frequency, now_us);
        for (int round = 0; again; round++) {
            if (round == ROUNDS_MOST)
                return error_set(err, ERROR_AGAIN, "digests were closed while events came for them");
            if (!add_round(s, o, orders + from, ends_us, some, now_us, arena, full + from, &again, err))
                return false;
        }
    }
    return true;
}

/* -------------------------------------------------------------------------------------------------------- items */

static void add_member(struct buf *out, const char *name, struct span value)
{
    if (value.length == 0)
        return;
    buf_printf(out, "%s\"%s\":", out->data[out->length - 1] == '{' ? "" : ",", name);
    buf_add_json(out, value.text, value.length);
}

bool mail_digest_item_add(const struct mail_office *o, const struct event *e, const json_t *data, const char *language,
                          struct buf *out, struct error *err)
{
    struct buf title = BUF_INIT;
    bool ok = mail_title_add(o, e, data, language, &title, err);

    if (ok) {
        buf_add_char(out, '{');
        add_member(out, "type", e->type);
        add_member(out, "time", e->time);
        add_member(out, "subject", e->subject);
        add_member(out, "title", (struct span){title.data, title.length});
        add_member(out, "language", span_of(*language ? language : json_member_text(data, "language", "")));
        if (e->data.length > 0 && e->data.length <= MAIL_ITEM_DATA_BYTES) {
            buf_add_text(out, ",\"data\":");
            buf_add(out, e->data.text, e->data.length);
        }
        buf_add_char(out, '}');
    }
    buf_release(&title);
    return ok;
}

/* The digest's data; items: JSON text each. The newest item says the language. */
static char *digest_data(const char *to, const char *period, const struct span *items, size_t count, int64_t more,
                         struct arena *arena, size_t *length)
{
    struct buf out = BUF_INIT;
    struct span language = SPAN_NONE;
    char *copy;

    buf_add_char(&out, '{');
    add_member(&out, "to", span_of(to));
    add_member(&out, "period", span_of(period));
    if (count > 0 && json_text_member(items[count - 1].text, items[count - 1].length, "\"language\":", &language))
        buf_printf(&out, ",\"language\":%.*s", (int)language.length, language.text);
    buf_printf(&out, ",\"count\":%lld", (long long)((int64_t)count + more));
    if (more > 0)
        buf_printf(&out, ",\"more\":%lld", (long long)more);
    buf_add_text(&out, ",\"items\":[");
    for (size_t i = 0; i < count; i++) {
        if (i > 0)
            buf_add_char(&out, ',');
        buf_add(&out, items[i].text, items[i].length);
    }
    buf_add_text(&out, "]}");
    *length = out.length;
    copy = arena_copy(arena, out.data, out.length);
    buf_release(&out);
    return copy;
}

bool mail_digest_trial(const struct mail_office *o, const char *to, struct span item, struct error *err)
{
    struct arena *arena = arena_new();
    struct event e = digest_event("trial", MAIL_DAILY, 0, arena);
    struct buf letter = BUF_INIT;
    json_t *data;
    bool ok;

    e.data.text = digest_data(to, mail_frequency_word(MAIL_DAILY), &item, 1, 0, arena, &e.data.length);
    data = json_text_parse(e.data.text, e.data.length, JSON_DEPTH_MOST, err);
    ok = data && mail_letter_add(o, &(struct mail_letter){&e, data, to, "", "trial", "", 0}, &letter, err);
    json_decref(data);
    buf_release(&letter);
    arena_free(arena);
    return ok;
}

bool mail_digest_load(struct delivery_store *s, struct delivery_claim *claim, struct arena *arena, bool *some,
                      struct error *err)
{
    const struct reply *items, *more;
    struct span *texts;
    int64_t left_out = 0;

    if (!redis_do(s->redis, arena, &items, err, "LRANGE %s 0 -1", items_key(s, claim->id, arena)) ||
        !redis_do(s->redis, arena, &more, err, "HGET %s%s more", s->delivery, claim->id))
        return false;
    if (more->kind == REPLY_TEXT && !text_int(more->text, more->length, &left_out))
        left_out = 0;
    texts = arena_zero(arena, (items->count + 1) * sizeof *texts);
    for (size_t i = 0; i < items->count; i++)
        texts[i] = (struct span){items->items[i].text, items->items[i].length};
    *some = items->count > 0 || left_out > 0;
    claim->event.data.text = digest_data(claim->to, reference_id(claim->event.subject).text, texts, items->count,
                                         left_out, arena, &claim->event.data.length);
    return true;
}

bool mail_digest_drop(struct delivery_store *s, const char *id, struct arena *arena, struct error *err)
{
    const struct reply *reply;

    return redis_do(s->redis, arena, &reply, err, "DEL %s", items_key(s, id, arena));
}
