#include "race/store.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

enum { TOMBSTONE_MS = 60000 };

void store_init(struct store *s)
{
    *s = (struct store){0};
}

void store_release(struct store *s)
{
    for (size_t i = 0; i < s->count; i++) {
        free(s->documents[i].id);
        json_decref(s->documents[i].now.source);
        json_decref(s->documents[i].seen.source);
    }
    free(s->documents);
    store_init(s);
}

struct document *store_find(const struct store *s, const char *id)
{
    for (size_t i = 0; i < s->count; i++)
        if (strcmp(s->documents[i].id, id) == 0)
            return &s->documents[i];
    return NULL;
}

void store_refresh(struct store *s)
{
    s->refreshes++;
    for (size_t i = 0; i < s->count; i++) {
        struct document *d = &s->documents[i];

        json_decref(d->seen.source);
        d->seen = d->now;
        json_incref(d->seen.source);
    }
}

static struct document *find_or_add(struct store *s, const char *id)
{
    struct document *d = store_find(s, id);

    if (d)
        return d;
    s->documents = xrealloc(s->documents, (s->count + 1) * sizeof *s->documents);
    d = &s->documents[s->count++];
    *d = (struct document){.id = xstrdup(id)};
    return d;
}

static void forget_tombstone(struct document *d, int64_t now_ms)
{
    if (d->known && !d->now.source && now_ms - d->now.deleted_ms > TOMBSTONE_MS)
        d->known = false;
}

static struct write_result conflict(const char *id, const char *why, int64_t there, int64_t given)
{
    struct write_result r = {.status = 409};

    snprintf(r.reason, sizeof r.reason, "[%.60s]: version conflict, %s [%" PRId64 "] and [%" PRId64 "]", id, why, there,
             given);
    return r;
}

/* Whether it may be written; fills the conflict where not. */
static bool may_write(const struct document *d, const struct write *w, struct write_result *r)
{
    bool there = d->known && d->now.source;

    if (w->seq_no >= 0 && (!there || d->now.seq_no != w->seq_no))
        *r = conflict(w->id, "required seq_no is not the current one:", there ? d->now.seq_no : -1, w->seq_no);
    else if (w->action == WRITE_CREATE && there)
        *r = conflict(w->id, "document already exists: version", d->now.version, 0);
    else if (w->type == VERSION_EXTERNAL && d->known && w->version <= d->now.version)
        *r = conflict(w->id, "current version is higher or equal:", d->now.version, w->version);
    else if (w->type == VERSION_EXTERNAL_GTE && d->known && w->version < d->now.version)
        *r = conflict(w->id, "current version is higher:", d->now.version, w->version);
    else
        return true;
    return false;
}

struct write_result store_write(struct store *s, const struct write *w)
{
    struct document *d = find_or_add(s, w->id);
    struct write_result r = {0};
    bool there;

    forget_tombstone(d, w->now_ms);
    there = d->known && d->now.source;
    if (!may_write(d, w, &r))
        return r;
    r.version = w->type != VERSION_INTERNAL ? w->version : d->known ? d->now.version + 1 : 1;
    r.seq_no = s->next_seq_no++;
    if (w->action == WRITE_DELETE)
        r.status = there ? 200 : 404;
    else
        r.status = there ? 200 : 201;
    s->indexed += w->action != WRITE_DELETE;
    s->deleted += w->action == WRITE_DELETE;
    json_decref(d->now.source);
    d->known = true;
    d->now =
        (struct revision){w->action == WRITE_DELETE ? NULL : json_incref(w->source), r.version, r.seq_no, w->now_ms};
    return r;
}
