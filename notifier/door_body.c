#include "notifier/door_body.h"

#include <string.h>

enum {
    ROOM_STEP_BYTES = 64 * 1024,
    INFLATE_STEP_BYTES = 64 * 1024,
    GZIP_ONLY = 15 + 16, /* zlib's windowBits: the largest window, gzip's header and trailer */
};

void body_start(struct body *b, bool gzip, int64_t most, atomic_int_fast64_t *room)
{
    *b = (struct body){.bytes = BUF_INIT, .gzip = gzip, .most = most, .room = room};
    if (!gzip)
        return;
    b->started = inflateInit2(&b->stream, GZIP_ONLY) == Z_OK;
    if (!b->started)
        b->state = BODY_NO_ROOM;
}

/* What was taken so far is of no use any more. */
static void give_up(struct body *b, enum body_state state)
{
    b->state = state;
    buf_release(&b->bytes);
    atomic_fetch_add(b->room, b->reserved);
    b->reserved = 0;
}

/* Whether so many more bytes may be added; the common room is taken in steps. */
static bool reserve(struct body *b, size_t more)
{
    int64_t need = (int64_t)(b->bytes.length + more);

    if (need > b->most) {
        give_up(b, BODY_TOO_LONG);
        return false;
    }
    while (b->reserved < need) {
        if (atomic_fetch_sub(b->room, ROOM_STEP_BYTES) < ROOM_STEP_BYTES) {
            atomic_fetch_add(b->room, ROOM_STEP_BYTES);
            give_up(b, BODY_NO_ROOM);
            return false;
        }
        b->reserved += ROOM_STEP_BYTES;
    }
    return true;
}

/* Inflates one step of output into the body. False: the body is given up. */
static bool inflate_step(struct body *b)
{
    unsigned char step[INFLATE_STEP_BYTES];
    size_t made;
    int status;

    if (b->member_done)
        inflateReset(&b->stream);
    b->stream.next_out = step;
    b->stream.avail_out = sizeof step;
    status = inflate(&b->stream, Z_NO_FLUSH);
    if (status != Z_OK && status != Z_STREAM_END && status != Z_BUF_ERROR) {
        give_up(b, BODY_BROKEN);
        return false;
    }
    b->member_done = status == Z_STREAM_END;
    made = sizeof step - b->stream.avail_out;
    if (!reserve(b, made))
        return false;
    buf_add(&b->bytes, (const char *)step, made);
    return true;
}

static void add_gzip(struct body *b, const char *bytes, size_t length)
{
    b->stream.next_in = (unsigned char *)(uintptr_t)bytes; /* zlib does not write there */
    b->stream.avail_in = (unsigned)length;
    do
        if (!inflate_step(b))
            return;
    while (b->stream.avail_in > 0 || (b->stream.avail_out == 0 && !b->member_done));
}

void body_add(struct body *b, const char *bytes, size_t length)
{
    b->seen += (int64_t)length;
    if (b->state != BODY_WHOLE)
        return;
    if (b->gzip)
        add_gzip(b, bytes, length);
    else if (reserve(b, length))
        buf_add(&b->bytes, bytes, length);
}

enum body_state body_end(struct body *b)
{
    if (b->state == BODY_WHOLE && b->gzip && b->seen > 0 && !b->member_done)
        give_up(b, BODY_BROKEN);
    return b->state;
}

void body_release(struct body *b)
{
    if (b->started)
        inflateEnd(&b->stream);
    b->started = false;
    give_up(b, b->state);
}
