#include "base/progress.h"

#include <stdio.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"

enum { TERMINAL_MS = 100, PLAIN_MS = 10000, BAR_WIDTH = 20 };

void progress_start(struct progress *p, const char *what, int64_t total, bool quiet)
{
    int64_t now = clock_monotonic_ms();

    *p = (struct progress){.what = what, .total = total, .started_ms = now, .shown_ms = now, .quiet = quiet};
    p->terminal = isatty(STDERR_FILENO) == 1;
}

/* 12345 as "12,345". */
static void add_grouped(struct buf *out, int64_t number)
{
    if (number >= 1000) {
        add_grouped(out, number / 1000);
        buf_printf(out, ",%03d", (int)(number % 1000));
    } else {
        buf_add_int(out, number);
    }
}

static void add_bar(struct buf *out, int percent)
{
    int full = percent * BAR_WIDTH / 100;

    buf_add_char(out, '[');
    for (int i = 0; i < BAR_WIDTH; i++)
        buf_add_char(out, i < full ? '#' : '-');
    buf_printf(out, "]  %d %%  ", percent);
}

static void add_duration(struct buf *out, int64_t seconds)
{
    if (seconds >= 3600)
        buf_printf(out, "%d:%02d:%02d", (int)(seconds / 3600), (int)(seconds / 60 % 60), (int)(seconds % 60));
    else
        buf_printf(out, "%d:%02d", (int)(seconds / 60), (int)(seconds % 60));
}

static void add_state(struct buf *out, const struct progress *p, int64_t now, bool ended)
{
    int64_t taken = now - p->started_ms, rate = p->done * 1000 / (taken > 0 ? taken : 1);
    int64_t left = p->total - p->done;

    buf_printf(out, "%s  ", p->what);
    if (p->total > 0)
        add_bar(out, left > 0 ? (int)(p->done * 100 / p->total) : 100);
    add_grouped(out, p->done);
    if (p->total > 0) {
        buf_add_char(out, '/');
        add_grouped(out, p->total);
    }
    buf_add_text(out, "  ");
    add_grouped(out, rate);
    buf_add_text(out, "/s");
    if (ended) {
        buf_add_text(out, "  in ");
        add_duration(out, taken / 1000);
    } else if (left > 0 && rate > 0) {
        buf_add_text(out, "  ETA ");
        add_duration(out, (left + rate - 1) / rate);
    }
}

static void show(struct progress *p, int64_t now, bool ended)
{
    struct buf line = BUF_INIT;

    p->shown_ms = now;
    if (p->terminal)
        buf_add_char(&line, '\r');
    add_state(&line, p, now, ended);
    if (p->terminal)
        buf_add_text(&line, "\x1b[K"); /* a shorter line leaves nothing of the one before */
    if (!p->terminal || ended)
        buf_add_char(&line, '\n');
    fwrite(line.data, 1, line.length, stderr);
    fflush(stderr);
    buf_release(&line);
}

void progress_add(struct progress *p, int64_t more)
{
    int64_t now;

    p->done += more;
    if (p->quiet)
        return;
    now = clock_monotonic_ms();
    if (now - p->shown_ms >= (p->terminal ? TERMINAL_MS : PLAIN_MS))
        show(p, now, false);
}

void progress_end(struct progress *p)
{
    if (!p->quiet)
        show(p, clock_monotonic_ms(), true);
}
