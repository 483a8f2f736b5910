#include "handlers/outside/talk.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"

enum {
    PIECE_BYTES = 64 * 1024,
    COMPLAINT_BYTES_MOST = 1024, /* of a line; a longer one goes on in the next */
    LOOK_EVERY_MS = 200,         /* whether a program that keeps its output open has ended all the same */
    LAST_WORDS_MS = 100,
};

struct talking {
    struct program *program;
    const struct talk *talk;
    size_t written, read;
    int64_t heard_ms; /* when something of use last came */
    bool over;
    enum talk_end end; /* with over */
};

static void finish(struct talking *t, enum talk_end end)
{
    if (!t->over)
        t->end = end;
    t->over = true;
}

static void close_input(struct program *p)
{
    close(p->input);
    p->input = -1;
}

/* A program that reads no more may still have something to say. */
static void write_some(struct talking *t)
{
    const struct talk *talk = t->talk;
    ssize_t length;

    if (t->written < talk->length) {
        length = write(t->program->input, talk->input + t->written, talk->length - t->written);
        if (length > 0)
            t->written += (size_t)length;
        else if (errno != EAGAIN && errno != EINTR)
            close_input(t->program);
    }
    if (t->program->input >= 0 && t->written == talk->length && talk->close)
        close_input(t->program);
}

static void take_line(struct talking *t, struct span line)
{
    enum talk_line was;

    if (line.length > 0 && line.text[line.length - 1] == '\r')
        line.length--;
    if (line.length == 0 || t->over)
        return;
    was = t->talk->on_line(t->talk->context, line);
    if (was != TALK_OF_NO_USE)
        t->heard_ms = clock_monotonic_ms();
    if (was == TALK_WAS_LAST)
        finish(t, TALK_ALL);
}

/* Whole lines leave the buffer. */
static void take_lines(struct talking *t, struct buf *b)
{
    char *at = b->data, *end;

    while ((end = memchr(at, '\n', b->length - (size_t)(at - b->data)))) {
        take_line(t, (struct span){at, (size_t)(end - at)});
        at = end + 1;
    }
    b->length -= (size_t)(at - b->data);
    memmove(b->data, at, b->length);
}

static void read_output(struct talking *t)
{
    struct buf *line = &t->program->line;
    ssize_t length = read(t->program->output, buf_grow(line, PIECE_BYTES), PIECE_BYTES);

    if (length < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (length <= 0) {
        finish(t, TALK_ENDED);
        return;
    }
    buf_grown(line, (size_t)length);
    t->read += (size_t)length;
    take_lines(t, line);
    if (line->length > TALK_LINE_BYTES_MOST || t->read > t->talk->output_most)
        finish(t, TALK_FLOOD);
}

static void say_complaint(struct talking *t, struct span line)
{
    if (line.length > 0)
        t->talk->on_complaint(t->talk->context, line);
}

/* False: nothing was there. */
static bool read_errors(struct talking *t)
{
    struct buf *b = &t->program->complaint;
    ssize_t length = read(t->program->errors, buf_grow(b, COMPLAINT_BYTES_MOST), COMPLAINT_BYTES_MOST);
    char *at = b->data, *end;

    if (length < 0 && (errno == EAGAIN || errno == EINTR))
        return false;
    if (length <= 0) {
        close(t->program->errors);
        t->program->errors = -1;
        return false;
    }
    buf_grown(b, (size_t)length);
    at = b->data;
    while ((end = memchr(at, '\n', b->length - (size_t)(at - b->data)))) {
        say_complaint(t, (struct span){at, (size_t)(end - at)});
        at = end + 1;
    }
    b->length -= (size_t)(at - b->data);
    memmove(b->data, at, b->length);
    if (b->length >= COMPLAINT_BYTES_MOST) {
        say_complaint(t, (struct span){b->data, b->length});
        buf_reset(b);
    }
    return true;
}

/* One look at the three pipes. True: something was there. */
static bool step(struct talking *t, int wait_ms)
{
    struct program *p = t->program;
    bool writes = p->input >= 0 && (t->written < t->talk->length || t->talk->close);
    struct pollfd all[] = {
        {writes ? p->input : -1, POLLOUT, 0},
        {p->output,              POLLIN,  0},
        {p->errors,              POLLIN,  0},
    };

    if (poll(all, 3, wait_ms) <= 0)
        return false;
    if (all[2].revents)
        read_errors(t);
    if (all[1].revents)
        read_output(t);
    if (all[0].revents)
        write_some(t);
    return true;
}

static void look_at_the_clock(struct talking *t)
{
    int64_t now_ms = clock_monotonic_ms();

    if (now_ms >= t->talk->until_ms)
        finish(t, TALK_LATE);
    else if (now_ms - t->heard_ms >= t->talk->silence_ms)
        finish(t, TALK_SILENT);
}

/* Why it ended is often said at the very end. */
static void hear_last_words(struct talking *t)
{
    int64_t until_ms = clock_monotonic_ms() + LAST_WORDS_MS;

    while (t->program->errors >= 0 && clock_monotonic_ms() < until_ms) {
        struct pollfd errors = {t->program->errors, POLLIN, 0};

        if (poll(&errors, 1, LAST_WORDS_MS / 4) > 0)
            read_errors(t);
    }
    say_complaint(t, (struct span){t->program->complaint.data, t->program->complaint.length});
    buf_reset(&t->program->complaint);
}

/* It is in the log beside the events that it is about, and a program that is ended now is not heard later. */
static void hear_complaints(struct talking *t)
{
    for (int i = 0; t->program->errors >= 0 && i < PIECE_BYTES / COMPLAINT_BYTES_MOST && read_errors(t); i++)
        continue;
}

enum talk_end talk_with(struct program *p, const struct talk *talk)
{
    struct talking t = {.program = p, .talk = talk, .heard_ms = clock_monotonic_ms()};

    while (!t.over) {
        int64_t left_ms = t.heard_ms + talk->silence_ms - clock_monotonic_ms();
        bool some = step(&t, left_ms < LOOK_EVERY_MS ? (int)(left_ms > 1 ? left_ms : 1) : LOOK_EVERY_MS);

        if (!some && program_has_ended(p))
            finish(&t, TALK_ENDED);
        look_at_the_clock(&t);
    }
    if (p->pid)
        hear_complaints(&t);
    if (t.end == TALK_ENDED || (t.end == TALK_ALL && talk->close))
        hear_last_words(&t);
    if (t.end == TALK_ALL && t.written < talk->length)
        program_end(p, 0); /* it answers what it has not read: the rest would come into its next lines */
    return t.end;
}
