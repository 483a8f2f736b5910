#include "bench/members.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

#include "base/json.h"
#include "bench/measure.h"
#include "indexer/client.h"

enum { LOAD_PAGE = 5000 };

/* Of the index of documents. */
static json_t *ask(struct client *c, const char *method, const char *rest, const char *body)
{
    char path[200];
    json_t *answer, *request = body ? json_loads(body, 0, NULL) : NULL;
    struct error err;
    bool missing;

    snprintf(path, sizeof path, "/%smembers%s", client_prefix(c), rest);
    if (!client_json(c, method, path, request, &answer, &missing, &err))
        measure_failed(path, err.text);
    json_decref(request);
    return answer;
}

void members_send(struct bulk *b)
{
    struct error err;

    if (!bulk_send(b, &err))
        measure_failed("bulk", err.text);
    for (size_t i = 0; i < bulk_count(b); i++)
        if (bulk_item(b, i)->outcome != BULK_DONE)
            measure_failed("bulk", bulk_item(b, i)->reason);
    bulk_start(b);
}

void members_load(const struct settings *s, int64_t total, int64_t users)
{
    struct client *c = client_new(&s->opensearch);
    struct bulk *bulk = bulk_new(c, MEMBERS_BULK_BYTES);
    char id[32];
    size_t number;

    json_decref(ask(c, "DELETE", "", NULL));
    json_decref(ask(c, "PUT", "",
                    "{\"settings\":{\"number_of_shards\":1,\"number_of_replicas\":0},\"mappings\":{\"properties\":"
                    "{\"user\":{\"properties\":{\"id\":{\"type\":\"keyword\"},\"name\":{\"type\":\"keyword\"},"
                    "\"@v\":{\"type\":\"long\"}}}}}}"));
    for (int64_t i = 0; i < total; i++) {
        struct bulk_target target = {
            .action = BULK_INDEX, .index = "members", .id = id, .version = 7, .seq_no = -1, .same_version = true};

        snprintf(id, sizeof id, "m%07lld", (long long)i);
        buf_printf(bulk_add(bulk, &target, &number),
                   "{\"uuid\":\"%s\",\"role\":\"reader\",\"visible\":true,\"community_id\":\"c%lld\","
                   "\"user\":{\"id\":\"%lld\",\"name\":\"old\",\"@v\":1}}",
                   id, (long long)(i % 1000), (long long)(i % users));
        if (bulk_count(bulk) == LOAD_PAGE)
            members_send(bulk);
    }
    members_send(bulk);
    json_decref(ask(c, "POST", "/_refresh", NULL));
    json_decref(ask(c, "POST", "/_forcemerge?max_num_segments=1", NULL));
    bulk_free(bulk);
    client_free(c);
}

void members_refresh(const struct settings *s)
{
    struct client *c = client_new(&s->opensearch);

    json_decref(ask(c, "POST", "/_refresh", NULL));
    client_free(c);
}

void members_remove(const struct settings *s)
{
    struct client *c = client_new(&s->opensearch);

    json_decref(ask(c, "DELETE", "", NULL));
    client_free(c);
}

int64_t members_count_at(const struct settings *s, const char *user, int64_t revision)
{
    struct client *c = client_new(&s->opensearch);
    char body[200];
    json_t *answer;
    int64_t count;

    json_decref(ask(c, "POST", "/_refresh", NULL));
    snprintf(body, sizeof body,
             "{\"query\":{\"bool\":{\"filter\":[{\"term\":{\"user.id\":\"%s\"}},{\"term\":{\"user.@v\":%lld}}]}}}",
             user, (long long)revision);
    answer = ask(c, "POST", "/_count", body);
    count = json_integer_value(json_object_get(answer, "count"));
    json_decref(answer);
    client_free(c);
    return count;
}

int64_t members_writes(const struct settings *s)
{
    struct client *c = client_new(&s->opensearch);
    json_t *answer = ask(c, "GET", "/_stats/indexing", NULL);
    int64_t count = json_integer_value(json_at(answer, "_all.primaries.indexing.index_total"));

    json_decref(answer);
    client_free(c);
    return count;
}

void members_load_mass(const struct settings *s, int64_t total)
{
    struct client *c = client_new(&s->opensearch);
    struct bulk *bulk = bulk_new(c, MEMBERS_BULK_BYTES);
    char id[32];
    size_t number;

    members_load(s, total, 1);
    for (int64_t i = 0; i < total / 20; i++) {
        struct bulk_target target = {
            .action = BULK_INDEX, .index = "members", .id = id, .version = 7, .seq_no = -1, .same_version = true};

        snprintf(id, sizeof id, "n%07lld", (long long)i);
        buf_printf(bulk_add(bulk, &target, &number),
                   "{\"uuid\":\"%s\",\"user\":{\"id\":\"%lld\",\"name\":\"old\",\"@v\":1}}", id,
                   (long long)(1 + i % 50));
        if (bulk_count(bulk) == LOAD_PAGE)
            members_send(bulk);
    }
    members_send(bulk);
    json_decref(ask(c, "POST", "/_refresh", NULL));
    bulk_free(bulk);
    client_free(c);
}
