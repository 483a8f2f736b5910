#include "support/source_stage.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "scheduler/verbs.h"

struct source_stage *source_stage_open(const char *ini)
{
    struct source_stage *s = xcalloc(1, sizeof *s);
    struct buf mistakes = BUF_INIT;

    s->settings = settings_parse("test.ini", ini, strlen(ini), scheduler_outside(), &mistakes, &s->err);
    if (!s->settings)
        fail_msg("%s", mistakes.data);
    s->source = source_new(s->settings, "s", &s->err);
    assert_non_null(s->source);
    s->arena = arena_new();
    buf_release(&mistakes);
    return s;
}

void source_stage_close(struct source_stage *s)
{
    source_free(s->source);
    settings_free(s->settings);
    arena_free(s->arena);
    free(s);
}

struct source_document source_stage_get(struct source_stage *s, const char *id)
{
    struct span ids = span_of(id);
    struct source_document d;

    if (!source_get(s->source, &ids, 1, s->arena, &d, &s->err))
        fail_msg("%s", s->err.text);
    return d;
}

static void add_document(struct buf *out, const struct source_document *d)
{
    if (d->wrong)
        buf_printf(out, "%.*s: %s\n", (int)d->id.length, d->id.text, d->wrong);
    else
        buf_printf(out, "%.*s@%lld %.*s\n", (int)d->id.length, d->id.text, (long long)d->version, (int)d->body.length,
                   d->body.text);
}

static void begin_anew(struct source_stage *s)
{
    source_free(s->source);
    s->source = source_new(s->settings, "s", &s->err);
    assert_non_null(s->source);
}

char *source_stage_walk(struct source_stage *s, int64_t since_us, size_t most, bool anew)
{
    struct source_walk walk = {.since_us = since_us, .position = SPAN_NONE, .most = most};
    struct source_document *docs;
    struct buf out = BUF_INIT;
    size_t count;

    do {
        if (anew)
            begin_anew(s);
        if (!source_page(s->source, &walk, s->arena, &docs, &count, &s->err))
            fail_msg("%s", s->err.text);
        for (size_t i = 0; i < count; i++)
            add_document(&out, &docs[i]);
    } while (count > 0);
    return buf_take(&out);
}
