#include "scheduler/searchable.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "handlers/written.h"

enum { PATIENCE_MS = 10000 /* somebody waits, and others after them */ };

struct refresher {
    const struct settings *settings;
    struct opensearch_settings opensearch;
    struct client *client;
};

static bool make(void *context, const char *const *handlers, size_t count, struct error *err)
{
    struct refresher *r = context;

    return written_refresh(r->settings, r->client, handlers, count, err);
}

static struct searchable open_for(const struct settings *s, int64_t most_ms)
{
    struct refresher *r = xcalloc(1, sizeof *r);

    r->settings = s;
    r->opensearch = s->opensearch;
    if (r->opensearch.timeout_ms > most_ms)
        r->opensearch.timeout_ms = most_ms;
    r->client = client_new(&r->opensearch);
    return (struct searchable){.make = make, .context = r};
}

struct searchable searchable_open(const struct settings *s)
{
    return open_for(s, PATIENCE_MS);
}

void searchable_close(struct searchable *s)
{
    struct refresher *r = s->context;

    if (!r)
        return;
    client_free(r->client);
    free(r);
    s->context = NULL;
}

bool searchable_once(const struct settings *s, const char *const *handlers, size_t count, int64_t most_ms,
                     struct error *err)
{
    struct searchable once = open_for(s, most_ms);
    bool ok = make(once.context, handlers, count, err);

    searchable_close(&once);
    return ok;
}
