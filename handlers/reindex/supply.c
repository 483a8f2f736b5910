#include "handlers/reindex/supply.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/json_scan.h"
#include "base/text.h"
#include "handlers/reindex/shard_read.h"

enum {
    LINE_BYTES_MOST = 64 * 1024 * 1024,
    READ_BYTES = 64 * 1024,
    PAGE_MOST = 1000,
    PAGE_BYTES = 3 * 512 * 1024,
};

struct supply {
    struct source *source; /* NULL: a file */
    char *path;
    gzFile file;
    struct buf ahead; /* read from it */
    size_t taken;     /* of that, by lines */
    struct buf line;
    int64_t lines; /* read so far */
    bool by_pipe;
};

/* -------------------------------------------------------------------------------------------------- which of them */

static bool open_file(struct supply *x, struct error *err)
{
    x->by_pipe = text_same(x->path, "-");
    x->file = x->by_pipe ? gzdopen(dup(STDIN_FILENO), "rb") : gzopen(x->path, "rb");
    return x->file ||
           error_set(err, ERROR_INPUT,
                     "there is no [source %s] in the configuration, and no file of that name can be read", x->path);
}

struct supply *supply_new(const struct settings *s, const char *name, struct error *err)
{
    struct supply *x = xcalloc(1, sizeof *x);

    buf_init(&x->ahead);
    buf_init(&x->line);
    x->path = xstrdup(name);
    if (settings_source(s, name))
        x->source = source_new(s, name, err);
    if (x->source || (!settings_source(s, name) && open_file(x, err)))
        return x;
    supply_free(x);
    return NULL;
}

void supply_free(struct supply *x)
{
    if (!x)
        return;
    source_free(x->source);
    if (x->file)
        gzclose(x->file);
    buf_release(&x->ahead);
    buf_release(&x->line);
    free(x->path);
    free(x);
}

bool supply_by_id(const struct supply *x)
{
    return x->source != NULL;
}

bool supply_count(struct supply *x, int64_t since_us, struct clock_run *run, int64_t *count, struct error *err)
{
    int64_t until_ms = clock_monotonic_ms() + PATIENCE_MS;

    *count = -1;
    while (x->source && !source_count(x->source, since_us, count, err))
        if (!patience_left(run, until_ms, err))
            return false;
    return true;
}

/* ------------------------------------------------------------------------------------------------------ a source */

void supply_document(const struct source_document *from, struct arena *arena, struct page_document *out)
{
    *out = (struct page_document){.id = from->id, .body = from->body, .version = from->version};
    out->unversioned = from->version == VERSION_NONE;
    if (from->routing.length)
        out->routing = arena_copy(arena, from->routing.text, from->routing.length);
}

bool supply_get(struct supply *x, const struct span *ids, size_t count, struct clock_run *run, struct arena *arena,
                struct source_document *out, struct error *err)
{
    int64_t until_ms = clock_monotonic_ms() + PATIENCE_MS;

    while (!source_get(x->source, ids, count, arena, out, err))
        if (!patience_left(run, until_ms, err))
            return false;
    return true;
}

static void note_wrong(struct supply_walk *walk, struct span id, const char *why)
{
    if (walk->wrong++ == 0)
        snprintf(walk->reason, sizeof walk->reason, "document %.*s: %s", (int)(id.length < 100 ? id.length : 100),
                 id.text, why);
}

static bool page_of_source(struct supply *x, struct supply_walk *walk, const char *position, struct clock_run *run,
                           struct page *p, size_t *read, struct error *err)
{
    struct source_walk at = {walk->since_us, span_of(position), walk->page.hits};
    int64_t until_ms = clock_monotonic_ms() + PATIENCE_MS;
    struct source_document *documents;

    while (!source_page(x->source, &at, p->arena, &documents, read, err))
        if (!patience_left(run, until_ms, err))
            return false;
    p->documents = arena_alloc(p->arena, (*read + 1) * sizeof *p->documents);
    for (size_t i = 0; i < *read; i++)
        if (documents[i].wrong)
            note_wrong(walk, documents[i].id, documents[i].wrong);
        else if (documents[i].found)
            supply_document(&documents[i], p->arena, &p->documents[p->count++]);
    p->position = (struct span){arena_copy(p->arena, at.position.text, at.position.length), at.position.length};
    return true;
}

/* -------------------------------------------------------------------------------------------------------- a file */

/* More of the file; nothing more at its end. */
static bool read_ahead(struct supply *x, struct error *err)
{
    int length, code;

    buf_reset(&x->ahead);
    x->taken = 0;
    length = gzread(x->file, buf_grow(&x->ahead, READ_BYTES), READ_BYTES);
    if (length < 0)
        return error_set(err, ERROR_INPUT, "%s: %s", x->path, gzerror(x->file, &code));
    buf_grown(&x->ahead, (size_t)length);
    return true;
}

/* The next line without its line feed; *ended: there is none. The last one may lack its line feed. */
static bool next_line(struct supply *x, bool *ended, struct error *err)
{
    const char *feed = NULL;

    buf_reset(&x->line);
    while (!feed) {
        const char *at;
        size_t left;

        if (x->taken == x->ahead.length && !read_ahead(x, err))
            return false;
        at = x->ahead.data + x->taken;
        left = x->ahead.length - x->taken;
        if (left == 0)
            break;
        feed = memchr(at, '\n', left);
        left = feed ? (size_t)(feed - at) : left;
        buf_add(&x->line, at, left);
        x->taken += left + (feed != NULL);
        if (x->line.length > LINE_BYTES_MOST)
            return error_set(err, ERROR_INPUT, "%s line %lld is longer than %d bytes", x->path, (long long)x->lines + 1,
                             LINE_BYTES_MOST);
    }
    *ended = !feed && x->line.length == 0;
    x->lines += !*ended;
    return true;
}

/* From the beginning to behind so many lines. */
static bool go_to(struct supply *x, int64_t lines, struct error *err)
{
    bool ended = false;

    if (x->by_pipe)
        return true;
    if (lines < x->lines) {
        gzrewind(x->file);
        buf_reset(&x->ahead);
        x->taken = 0;
        x->lines = 0;
    }
    while (!ended && x->lines < lines)
        if (!next_line(x, &ended, err))
            return false;
    return true;
}

static const char *text_at(const json_t *object, const char *key, struct arena *arena, size_t *length)
{
    struct buf scratch = BUF_INIT;
    const char *text = json_scalar_text(json_object_get(object, key), &scratch);

    *length = text ? strlen(text) : 0;
    text = text ? arena_copy(arena, text, *length) : NULL;
    buf_release(&scratch);
    return text;
}

/* The document itself is taken as the bytes it is written in. */
static bool read_line(struct supply *x, struct page *p, struct page_document *d, struct error *err)
{
    struct span line = {arena_copy(p->arena, x->line.data, x->line.length), x->line.length};
    json_t *all = json_text_parse(line.text, line.length, JSON_DEPTH_MOST, err);
    bool exported = json_object_get(all, "_id") != NULL, ok = all != NULL;
    const json_t *version = json_object_get(all, "_version");
    size_t length;

    *d = (struct page_document){.body = line, .version = -1};
    d->id.text = text_at(all, exported ? "_id" : "id", p->arena, &d->id.length);
    if (ok && d->id.length == 0)
        ok = error_set(err, ERROR_INPUT, "there is neither an \"_id\" nor an \"id\"");
    if (ok && exported)
        ok = (json_is_object(json_object_get(all, "_source")) && json_scan_member(line, "_source", &d->body)) ||
             error_set(err, ERROR_INPUT, "there is no \"_source\"");
    d->routing = exported ? text_at(all, "_routing", p->arena, &length) : NULL;
    if (exported && json_is_integer(version) && json_integer_value(version) >= 0)
        d->version = json_integer_value(version);
    d->unversioned = d->version < 0;
    json_decref(all);
    return ok || error_in(err, "%s line %lld", x->path, (long long)x->lines);
}

static bool page_of_file(struct supply *x, struct supply_walk *walk, const char *position, struct page *p, size_t *read,
                         struct error *err)
{
    size_t bytes = 0;
    bool ended = false;

    if (!go_to(x, strtoll(position, NULL, 10), err))
        return false;
    p->documents = arena_alloc(p->arena, walk->page.hits * sizeof *p->documents);
    *read = 0;
    while (*read < walk->page.hits && bytes < PAGE_BYTES) {
        if (!next_line(x, &ended, err))
            return false;
        if (ended)
            break;
        if (x->line.length == 0)
            continue;
        if (!read_line(x, p, &p->documents[p->count], err))
            return false;
        p->count++;
        bytes += x->line.length;
        ++*read;
    }
    p->position = span_of(arena_printf(p->arena, "%lld", (long long)x->lines));
    return true;
}

static void adapt(struct supply_walk *walk, const struct page *p, size_t read)
{
    size_t bytes = 0;

    for (size_t i = 0; i < p->count; i++)
        bytes += p->documents[i].body.length;
    page_size_fit(&walk->page, bytes, read);
}

bool supply_page(struct supply *x, struct supply_walk *walk, const char *position, struct clock_run *run,
                 struct page *p, size_t *read, struct error *err)
{
    bool ok;

    if (walk->page.most == 0 || walk->page.most > PAGE_MOST)
        walk->page.most = PAGE_MOST;
    page_size_begin(&walk->page);
    ok = x->source ? page_of_source(x, walk, position, run, p, read, err)
                   : page_of_file(x, walk, position, p, read, err);
    if (ok && p->count > 0)
        adapt(walk, p, *read);
    return ok;
}
