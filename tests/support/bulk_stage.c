#include "support/bulk_stage.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/json.h"
#include "indexer/search.h"
#include "support/server.h"

struct client *stage_client(const char *url, int64_t timeout_ms, bool gzip)
{
    char prefix[60], copy[100];
    struct opensearch_settings o = {
        .url = copy, .prefix = prefix, .connect_ms = 2000, .timeout_ms = timeout_ms, .gzip = gzip};

    snprintf(copy, sizeof copy, "%s", url);
    snprintf(prefix, sizeof prefix, "%s", test_prefix());
    return client_new(&o);
}

int stage_open(void **state)
{
    static int number;
    struct stage *s = xcalloc(1, sizeof *s);
    struct server *server = opensearch_server_start();

    s->proxy = fault_proxy_start(server_port(server));
    s->client = stage_client(fault_proxy_url(s->proxy), TIMEOUT_MS, false);
    s->direct = stage_client(opensearch_server_url(server), TIMEOUT_MS, false);
    s->bulk = bulk_new(s->client, BULK_BYTES);
    snprintf(s->index, sizeof s->index, "bulk-%d", ++number);
    *state = s;
    return 0;
}

void stage_ask(struct stage *s, const char *method, const char *what, const char *after, const char *body)
{
    struct buf path = BUF_INIT;
    json_t *request = body ? json_loads(body, 0, NULL) : NULL, *answer;
    bool missing;

    buf_printf(&path, "/%s%s%s", test_prefix(), what, after);
    if (!client_json(s->direct, method, path.data, request, &answer, &missing, &s->err))
        fail_msg("%s", s->err.text);
    json_decref(answer);
    json_decref(request);
    buf_release(&path);
}

int stage_close(void **state)
{
    struct stage *s = *state;

    stage_ask(s, "DELETE", s->index, "*", NULL);
    bulk_free(s->bulk);
    client_free(s->client);
    client_free(s->direct);
    fault_proxy_free(s->proxy);
    free(s);
    return 0;
}

struct bulk_target stage_write(const struct stage *s, const char *id, int64_t version)
{
    return (struct bulk_target){BULK_INDEX,         .index = s->index, .id = id,
                                .version = version, .seq_no = -1,      .primary_term = -1};
}

size_t stage_add(struct stage *s, struct bulk_target target, const char *document)
{
    size_t number;

    buf_add_text(bulk_add(s->bulk, &target, &number), document);
    return number;
}

size_t stage_add_numbered(struct stage *s, int64_t version, int number)
{
    char id[20], document[40];

    snprintf(id, sizeof id, "%04d", number);
    snprintf(document, sizeof document, "{\"n\":%d}", number);
    return stage_add(s, stage_write(s, id, version), document);
}

void stage_add_many(struct stage *s, int64_t version, int count)
{
    for (int i = 0; i < count; i++)
        stage_add_numbered(s, version, i);
}

void stage_send(struct stage *s)
{
    if (!bulk_send(s->bulk, &s->err))
        fail_msg("%s", s->err.text);
}

void stage_send_fails(struct stage *s)
{
    assert_false(bulk_send(s->bulk, &s->err));
    assert_int_equal(s->err.kind, ERROR_AGAIN);
}

void stage_outcome_is(struct stage *s, size_t number, enum bulk_outcome outcome)
{
    const struct bulk_item *item = bulk_item(s->bulk, number);

    if (item->outcome != outcome)
        fail_msg("item %zu has outcome %d, not %d (%d %s)", number, item->outcome, outcome, item->status, item->reason);
}

size_t stage_count(struct stage *s, enum bulk_outcome outcome)
{
    size_t count = 0;

    for (size_t i = 0; i < bulk_count(s->bulk); i++)
        count += bulk_item(s->bulk, i)->outcome == outcome;
    return count;
}

void stage_all_are(struct stage *s, enum bulk_outcome outcome)
{
    for (size_t i = 0; i < bulk_count(s->bulk); i++)
        stage_outcome_is(s, i, outcome);
}

/* The document as OpenSearch has it, or with "found" false; the caller's. */
json_t *stage_stored(struct stage *s, const char *id)
{
    const json_t *hit = json_pack("{s:s+, s:s}", "_index", test_prefix(), s->index, "_id", id);
    json_t *docs, *doc;

    if (!search_get(s->direct, &hit, 1, &docs, &s->err))
        fail_msg("%s", s->err.text);
    doc = json_incref(json_array_get(docs, 0));
    json_decref(docs);
    json_decref((json_t *)(uintptr_t)hit);
    return doc;
}

void stage_stored_is(struct stage *s, const char *id, int64_t version, const char *document)
{
    json_t *doc = stage_stored(s, id);
    struct buf source = BUF_INIT;

    assert_true(json_is_true(json_object_get(doc, "found")));
    if (version >= 0)
        assert_int_equal(json_integer_value(json_object_get(doc, "_version")), version);
    json_add(&source, json_object_get(doc, "_source"));
    assert_string_equal(source.data, document);
    buf_release(&source);
    json_decref(doc);
}

bool stage_is_stored(struct stage *s, const char *id)
{
    json_t *doc = stage_stored(s, id);
    bool found = json_is_true(json_object_get(doc, "found"));

    json_decref(doc);
    return found;
}

void stage_all_are_stored(struct stage *s, int count)
{
    char id[20], document[40];

    for (int i = 0; i < count; i++) {
        snprintf(id, sizeof id, "%04d", i);
        snprintf(document, sizeof document, "{\"n\":%d}", i);
        stage_stored_is(s, id, -1, document);
    }
}

long stage_requests(struct stage *s)
{
    return fault_proxy_counts(s->proxy).requests;
}
