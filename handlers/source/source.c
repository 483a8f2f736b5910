#include "handlers/source/source.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/json_compact.h"
#include "config/hint.h"
#include "handlers/source/source_type.h"

static const struct source_type *const types[] = {
    [SOURCE_HTTP] = &source_http,
    [SOURCE_POSTGRES] = &source_postgres,
    [SOURCE_INDEX] = &source_index,
};

static const struct source_type *type_of(const struct source_settings *o)
{
    return types[o->type];
}

bool source_check(const void *section, struct error *err)
{
    const struct source_settings *o = section;

    return type_of(o)->check(o, err);
}

bool source_named(const struct settings *s, const char *name, struct error *err)
{
    struct words known = WORDS_INIT;
    struct buf text = BUF_INIT;
    bool found = settings_source(s, name) != NULL;

    for (size_t i = 0; i < s->source_count; i++)
        words_add(&known, s->sources[i].name);
    if (!found) {
        buf_printf(&text, "source: there is no [source %.80s]", name);
        hint_add(&text, name, &known);
        error_set(err, ERROR_CONFIG, "%s", text.data);
    }
    words_release(&known);
    buf_release(&text);
    return found;
}

struct source *source_new(const struct settings *s, const char *name, struct error *err)
{
    struct source *x;

    if (!source_named(s, name, err))
        return NULL;
    x = xcalloc(1, sizeof *x);
    x->settings = s;
    x->options = settings_source(s, name);
    x->type = type_of(x->options);
    x->type->open(x);
    return x;
}

void source_free(struct source *x)
{
    if (!x)
        return;
    x->type->close(x);
    free(x);
}

void source_be_quiet(struct source *x, int64_t wait_ms)
{
    x->quiet_until_ms = clock_monotonic_ms() + wait_ms;
}

static bool may_ask(const struct source *x, struct error *err)
{
    int64_t wait_ms = x->quiet_until_ms - clock_monotonic_ms();

    return wait_ms <= 0 || error_set(err, ERROR_AGAIN, "source %s: asked to be left alone for another %lld s",
                                     x->options->name, (long long)(wait_ms + 999) / 1000);
}

static bool get_halved(struct source *x, const struct span *ids, size_t count, struct arena *arena,
                       struct source_document *out, struct error *err)
{
    for (size_t i = 0; i < count; i++)
        out[i] =
            (struct source_document){.id = ids[i], .version = VERSION_NONE, .body = SPAN_NONE, .routing = SPAN_NONE};
    if (count == 0 || x->type->get(x, ids, count, arena, out, err))
        return true;
    if (err->kind != ERROR_INPUT) {
        err->kind = ERROR_AGAIN; /* what the operator has to mend passes, too */
        return false;
    }
    if (count == 1) {
        out->wrong = arena_text(arena, err->text);
        return true;
    }
    return get_halved(x, ids, count / 2, arena, out, err) &&
           get_halved(x, ids + count / 2, count - count / 2, arena, out + count / 2, err);
}

bool source_get(struct source *x, const struct span *ids, size_t count, struct arena *arena,
                struct source_document *out, struct error *err)
{
    return may_ask(x, err) &&
           (get_halved(x, ids, count, arena, out, err) || error_in(err, "source %s", x->options->name));
}

bool source_page(struct source *x, struct source_walk *walk, struct arena *arena, struct source_document **out,
                 size_t *count, struct error *err)
{
    struct source_walk bounded = *walk;

    *out = NULL;
    *count = 0;
    if (bounded.most == 0 || bounded.most > (size_t)x->options->page)
        bounded.most = (size_t)x->options->page;
    if (!may_ask(x, err))
        return false;
    if (!x->type->page(x, &bounded, arena, out, count, err))
        return error_in(err, "source %s", x->options->name);
    walk->position = bounded.position;
    return true;
}

bool source_count(struct source *x, int64_t since_us, int64_t *count, struct error *err)
{
    *count = -1;
    return may_ask(x, err) && (x->type->count(x, since_us, count, err) || error_in(err, "source %s", x->options->name));
}

/* ------------------------------------------------------------------------------------------------ one document */

static void read_version(const struct source_paths *paths, struct span text, struct arena *arena,
                         struct source_document *out)
{
    struct span value;

    if (!json_compact_at(text, paths->version, &value) || span_is(value, "null"))
        return;
    if (!json_compact_integer(value, &out->version) || out->version < 0) {
        out->version = VERSION_NONE;
        out->wrong = arena_printf(arena, "its %s is no version: a whole number from 0 on is wanted", paths->version);
    }
}

void source_read(const struct source_paths *paths, struct span text, struct arena *arena, struct source_document *out)
{
    struct span value;

    out->found = true;
    if (*paths->id && (!json_compact_at(text, paths->id, &value) || !json_compact_text(value, arena, &out->id)))
        out->wrong = arena_printf(arena, "it has no %s", paths->id);
    if (*paths->routing && json_compact_at(text, paths->routing, &value) &&
        !json_compact_text(value, arena, &out->routing))
        out->routing = SPAN_NONE;
    read_version(paths, text, arena, out);
    if (json_compact_at(text, paths->document, &value) && json_compact_is_object(value))
        out->body = value;
    else
        out->wrong = *paths->document ? arena_printf(arena, "its %s is no JSON object", paths->document)
                                      : "it is no JSON object";
}
