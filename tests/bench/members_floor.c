#include "bench/members_floor.h"

#include <pthread.h>

#include "base/clock.h"
#include "bench/measure.h"
#include "bench/members.h"
#include "indexer/client.h"
#include "indexer/scroll.h"
#include "indexer/search.h"

enum { CONNECTIONS = 2, PAGE = 1000 };

struct floor_part {
    const struct settings *settings;
    const json_t *query;
    int part;
    pthread_t thread;
};

/* Nothing but pages of whole documents, written back as they are. */
static void *floor_main(void *context)
{
    struct floor_part *p = context;
    struct client *c = client_new(&p->settings->opensearch);
    struct bulk *bulk = bulk_new(c, MEMBERS_BULK_BYTES);
    struct arena *arena = arena_new();
    struct scroll *s = scroll_open(c, "members", p->query, PAGE);
    struct hits page;
    struct error err;
    size_t number;

    scroll_part(s, p->part, CONNECTIONS);
    do {
        arena_reset(arena);
        if (!scroll_next(s, arena, &page, &err))
            measure_failed("floor", err.text);
        for (size_t i = 0; i < page.count; i++) {
            const struct hit *h = &page.items[i];
            const struct bulk_target target = {.action = BULK_INDEX,
                                               .index = h->index,
                                               .with_prefix = true,
                                               .id = h->id.text,
                                               .version = h->version,
                                               .same_version = true,
                                               .seq_no = -1};

            buf_add(bulk_add(bulk, &target, &number), h->source.text, h->source.length);
        }
        if (page.count > 0)
            members_send(bulk);
    } while (page.count > 0);
    scroll_close(s);
    bulk_free(bulk);
    arena_free(arena);
    client_free(c);
    return NULL;
}

double members_floor(const struct settings *s, const json_t *query)
{
    struct floor_part parts[CONNECTIONS];
    int64_t start_us = clock_wall_us();
    double seconds;

    for (int i = 0; i < CONNECTIONS; i++) {
        parts[i] = (struct floor_part){.settings = s, .query = query, .part = i};
        pthread_create(&parts[i].thread, NULL, floor_main, &parts[i]);
    }
    for (int i = 0; i < CONNECTIONS; i++)
        pthread_join(parts[i].thread, NULL);
    seconds = measure_seconds_since(start_us);
    members_refresh(s); /* what it wrote is not for the next to bring to light */
    return seconds;
}

double members_floor_of(const struct settings *s, const char *user)
{
    json_t *query = json_pack("{s:{s:[{s:{s:s}}]}}", "bool", "filter", "term", "user.id", user);
    double seconds = members_floor(s, query);

    json_decref(query);
    return seconds;
}
