#include "handlers/delivery/delivery_round.h"

#include <stdlib.h>

#include "base/alloc.h"

static bool ask(struct delivery_move *m, int64_t now_us, struct error *err)
{
    if (m->attempt)
        return delivery_store_ask_settle(m->store, m->claim, m->attempt, m->arena, err);
    return delivery_store_ask_claim(m->store, now_us, m->hold_us, err);
}

static bool read_reply(struct delivery_move *m, const struct reply *reply, int64_t now_us)
{
    if (m->attempt)
        return delivery_store_read_settle(reply, &m->failing_since_us, &m->err);
    return delivery_store_read_claim(reply, now_us + m->hold_us, m->claim, &m->err);
}

/* By itself, which brings the script that Redis has not. */
static void again(struct delivery_move *m, int64_t now_us)
{
    if (m->attempt)
        m->ok = delivery_store_settle(m->store, m->claim, m->attempt, m->arena, &m->failing_since_us, &m->err);
    else
        m->ok = delivery_store_claim(m->store, now_us, m->hold_us, m->arena, m->claim, &m->err);
}

static bool take_replies(struct redis *r, struct delivery_move *moves, size_t count, int64_t now_us, bool *unknown,
                         struct error *err)
{
    for (size_t i = 0; i < count; i++) {
        const struct reply *reply;

        if (!redis_next(r, moves[i].arena, &reply, err))
            return false;
        unknown[i] = reply_error_is(reply, "NOSCRIPT");
        moves[i].ok = !unknown[i] && reply_ok(reply, &moves[i].err) && read_reply(&moves[i], reply, now_us);
    }
    return true;
}

bool delivery_round(struct redis *r, struct delivery_move *moves, size_t count, int64_t now_us, struct error *err)
{
    bool *unknown = xcalloc(count + 1, sizeof *unknown), ok = true;

    for (size_t i = 0; ok && i < count; i++)
        ok = ask(&moves[i], now_us, err);
    ok = ok && take_replies(r, moves, count, now_us, unknown, err);
    if (!ok)
        redis_drop(r); /* replies may be under way */
    for (size_t i = 0; ok && i < count; i++)
        if (unknown[i])
            again(&moves[i], now_us);
    free(unknown);
    return ok;
}
