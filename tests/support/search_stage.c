#include "support/search_stage.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/json.h"
#include "indexer/bulk.h"
#include "support/server.h"

json_t *search_stage_ask(struct search_stage *f, const char *method, const char *index, const char *after,
                         const char *body)
{
    char path[200];
    json_t *answer, *request = body ? json_loads(body, 0, NULL) : NULL;
    bool missing;

    snprintf(path, sizeof path, "/%s%s%s", test_prefix(), index, after);
    if (!client_json(f->client, method, path, request, &answer, &missing, &f->err))
        fail_msg("%s", f->err.text);
    json_decref(request);
    return answer;
}

void search_stage_fill(struct search_stage *f, const char *index, int from, int to, int64_t version)
{
    struct bulk *b = bulk_new(f->client, BULK_BYTES);
    char id[20];
    size_t number;

    for (int i = from; i < to; i++) {
        struct bulk_target target = {BULK_INDEX, .index = index, .id = id, .version = version, .seq_no = -1};

        snprintf(id, sizeof id, "%d", i);
        buf_printf(bulk_add(b, &target, &number), "{\"n\":%d,\"third\":%d}", i, i % 3);
    }
    if (!bulk_send(b, &f->err) || !search_refresh(f->client, index, &f->err))
        fail_msg("%s", f->err.text);
    for (size_t i = 0; i < bulk_count(b); i++)
        if (bulk_item(b, i)->outcome != BULK_DONE)
            fail_msg("%s", bulk_item(b, i)->reason);
    bulk_free(b);
}

int search_stage_open(void **state)
{
    struct search_stage *f = xcalloc(1, sizeof *f);
    char url[100], prefix[60];
    struct opensearch_settings o = {.url = url, .prefix = prefix, .connect_ms = 2000, .timeout_ms = 20000};

    f->proxy = fault_proxy_start(server_port(opensearch_server_start()));
    f->seen = xcalloc(MANY, sizeof *f->seen);
    snprintf(url, sizeof url, "%s", fault_proxy_url(f->proxy));
    snprintf(prefix, sizeof prefix, "%s", test_prefix());
    f->client = client_new(&o);
    json_decref(search_stage_ask(f, "PUT", "search-many", "",
                                 "{\"settings\":{\"number_of_shards\":5,\"number_of_replicas\":0}}"));
    search_stage_fill(f, "search-many", 0, MANY, 7);
    *state = f;
    return 0;
}

int search_stage_close(void **state)
{
    struct search_stage *f = *state;

    json_decref(search_stage_ask(f, "DELETE", "search-*", "", NULL));
    client_free(f->client);
    fault_proxy_free(f->proxy);
    free(f->seen);
    free(f);
    return 0;
}

int search_stage_forget(void **state)
{
    struct search_stage *f = *state;

    memset(f->seen, 0, MANY * sizeof *f->seen);
    fault_proxy_set(f->proxy, NULL);
    fault_proxy_forget(f->proxy);
    return 0;
}

json_t *search_all(void)
{
    return json_pack("{s:{}}", "match_all");
}

const json_t *search_stage_next(struct search_stage *f, struct search *s)
{
    const json_t *hits;

    if (!search_next(s, &hits, &f->err))
        fail_msg("%s", f->err.text);
    assert_true(!hits || json_array_size(hits) > 0);
    return hits;
}

int search_stage_note(struct search_stage *f, const json_t *hits)
{
    int fresh = 0;

    for (size_t i = 0; i < json_array_size(hits); i++) {
        json_int_t n = json_integer_value(json_at(json_array_get(hits, i), "_source.n"));

        assert_in_range(n, 0, MANY - 1);
        fresh += !f->seen[n];
        f->seen[n] = true;
    }
    return fresh;
}

int search_stage_read(struct search_stage *f, const char *index, json_t *query, size_t page)
{
    struct search *s = search_open(f->client, index, query, page);
    const json_t *hits;
    int count = 0;

    json_decref(query);
    while ((hits = search_stage_next(f, s))) {
        int fresh = search_stage_note(f, hits);

        assert_int_equal(fresh, json_array_size(hits));
        count += fresh;
    }
    assert_null(search_stage_next(f, s)); /* and nothing after the end */
    search_close(s);
    return count;
}
