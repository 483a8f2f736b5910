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

struct searchable searchable_open(const struct settings *s)
{
    struct refresher *r = xcalloc(1, sizeof *r);

    r->settings = s;
    r->opensearch = s->opensearch;
    if (r->opensearch.timeout_ms > PATIENCE_MS)
        r->opensearch.timeout_ms = PATIENCE_MS;
    r->client = client_new(&r->opensearch);
    return (struct searchable){.make = make, .context = r};
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
