#include "handlers/reconcile/comparison.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/log.h"
#include "base/text.h"
#include "handlers/reconcile/comparison_type.h"

struct comparison *comparison_new(const struct handler *h, const struct comparison_options *o, struct error *err)
{
    struct comparison *c = xcalloc(1, sizeof *c);

    c->type = text_same(o->of->type, "record") ? &comparison_records : &comparison_copies;
    c->options = o;
    c->client = h->client;
    c->source = source_new(h->settings, o->source, err);
    if (c->source && c->type->open(c, h, err))
        return c;
    comparison_free(c);
    return NULL;
}

void comparison_free(struct comparison *c)
{
    if (!c)
        return;
    c->type->close(c);
    source_free(c->source);
    free(c);
}

bool comparison_start(struct comparison *c, bool (*between)(void *context, int64_t written, struct error *err),
                      void *context, struct error *err)
{
    c->between = between;
    c->context = context;
    c->tally = (struct comparison_tally){0};
    return c->type->start(c, err);
}

json_t *comparison_query(const struct comparison *c)
{
    return c->type->query(c);
}

const char *comparison_index(const struct comparison *c)
{
    return c->index;
}

struct source *comparison_source(struct comparison *c)
{
    return c->source;
}

const struct comparison_tally *comparison_tally(const struct comparison *c)
{
    return &c->tally;
}

bool compare_documents(struct comparison *c, const struct hits *hits, struct error *err)
{
    c->tally.documents += (int64_t)hits->count;
    return c->type->documents(c, hits, err);
}

bool compare_subjects(struct comparison *c, const struct source_document *subjects, size_t count, struct error *err)
{
    return c->type->subjects(c, subjects, count, err);
}

/* ----------------------------------------------------------------------------------------------- for the types */

bool comparison_between(struct comparison *c, int64_t written, struct error *err)
{
    return c->between(c->context, written, err);
}

void comparison_wrong(struct comparison *c, struct span id, const char *why)
{
    static struct log_limit limit = LOG_LIMIT_INIT;

    c->tally.refused++;
    log_limited(&limit, LOG_LEVEL_WARN, "source %s: %.*s: %s", c->options->source, (int)id.length, id.text, why);
}

bool comparison_believes(const struct comparison *c, const struct source_document *documents, size_t count)
{
    static struct log_limit limit = LOG_LIMIT_INIT;
    int64_t gone = 0;

    for (size_t i = 0; i < count; i++)
        gone += !documents[i].found && !documents[i].wrong;
    if (c->options->gone_most == 0 || gone <= c->options->gone_most || 2 * gone <= (int64_t)count)
        return true;
    log_limited(&limit, LOG_LEVEL_ERROR,
                "source %s has none of %lld of %zu subjects that the index knows: that is not believed, and the index "
                "stays as it is; where it is right, set gone_most = 0",
                c->options->source, (long long)gone, count);
    return false;
}
