#include "support/live_index.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/json.h"
#include "indexer/client.h"
#include "support/pause.h"
#include "support/search_index.h"

enum {
    IDS_MOST = 40000,
    BATCH = 10, /* writes in one request, of different documents */
    QUIET_MS = 5000,
    MARKS = 4096,
    FIRST_BATCH = 1000,
};

struct entry {
    int64_t version;
    int note; /* changes with every write, also with those in place */
    bool there;
    int64_t at_ms; /* of its last write */
};

/* So many documents that are never deleted were acknowledged at that time. */
struct mark {
    int64_t at_ms, lasting;
};

struct live_index {
    struct scene *scene;
    char alias[200];
    struct entry *entries;
    int count;
    int seen_ms;
    atomic_bool ending;
    atomic_llong writes, lasting;
    int64_t lasting_at_first;
    struct mark marks[MARKS];
    atomic_int mark_count;
    pthread_t writer, reader;
    bool running;
    char wrong_write[600], wrong_read[600];
};

static bool is_lasting(int id)
{
    return id % 2 == 0;
}

static void add_write(struct live_index *p, int id, bool delete, bool in_place, struct buf *lines)
{
    struct entry *e = &p->entries[id];

    e->version += !in_place;
    e->note++;
    e->there = !delete;
    e->at_ms = clock_monotonic_ms();
    buf_printf(lines,
               "{\"%s\":{\"_index\":\"%s\",\"_id\":\"d%d\",\"version\":%lld,\"version_type\":\"external_gte\"}}\n",
               delete ? "delete" : "index", p->alias, id, (long long)e->version);
    if (!delete)
        buf_printf(
            lines,
            "{\"lasting\":%s,\"note\":%d,\"title\":\"document %d, as \\\"it\\\" is\",\"tags\":[\"a\",{\"b\":%d}]}\n",
            is_lasting(id) ? "true" : "false", e->note, id, id % 7);
}

/* ---------------------------------------------------------------------------------------------------- in threads */

/* Written, or said in wrong_write. */
static bool send_lines(struct live_index *p, struct client *c, const struct buf *lines)
{
    const struct http_reply *reply;
    struct error err;

    if (!client_send(c, "POST", "/_bulk", "application/x-ndjson", lines->data, lines->length, &reply, &err)) {
        snprintf(p->wrong_write, sizeof p->wrong_write, "%s", err.text);
        return false;
    }
    if (reply->status == 200 && strstr(reply->body.data, "\"errors\":false"))
        return true;
    snprintf(p->wrong_write, sizeof p->wrong_write, "%.500s",
             strstr(reply->body.data, "\"error\":") ? strstr(reply->body.data, "\"error\":") : reply->body.data);
    return false;
}

static void mark_time(struct live_index *p)
{
    int at = atomic_load(&p->mark_count);

    if (at == MARKS)
        return;
    p->marks[at] = (struct mark){clock_monotonic_ms(), atomic_load(&p->lasting)};
    atomic_store(&p->mark_count, at + 1);
}

/* In place is written what was not written just now: two such writes at one moment have no order. */
static bool is_quiet(const struct live_index *p, int id)
{
    return clock_monotonic_ms() - p->entries[id].at_ms > QUIET_MS;
}

static void write_batch(struct live_index *p, struct client *c, struct buf *lines)
{
    int start = (int)random_below((uint64_t)p->count), created = 0;

    buf_reset(lines);
    for (int i = 0; i < BATCH; i++) {
        int id = (start + i * 37) % p->count, dice = (int)random_below(10);
        bool there = p->entries[id].there;

        if (dice == 0 && p->count < IDS_MOST) {
            id = p->count++;
            created += is_lasting(id);
            there = false;
        }
        add_write(p, id, there && !is_lasting(id) && dice == 1, there && dice >= 7 && is_quiet(p, id), lines);
    }
    if (!send_lines(p, c, lines)) {
        atomic_store(&p->ending, true);
        return;
    }
    atomic_fetch_add(&p->writes, BATCH);
    atomic_fetch_add(&p->lasting, created);
    mark_time(p);
}

static void *write_all_the_time(void *context)
{
    struct live_index *p = context;
    struct client *c = client_new(&p->scene->settings->opensearch);
    struct buf lines = BUF_INIT;

    while (!atomic_load(&p->ending)) {
        write_batch(p, c, &lines);
        pause_ms(5);
    }
    buf_release(&lines);
    client_free(c);
    return NULL;
}

/* What has to be seen by a search that begins now. */
static int64_t least_lasting(struct live_index *p)
{
    int64_t now_ms = clock_monotonic_ms(), least = p->lasting_at_first;
    int count = atomic_load(&p->mark_count);

    for (int i = count - 1; i >= 0; i--)
        if (p->marks[i].at_ms < now_ms - p->seen_ms) {
            least = p->marks[i].lasting;
            break;
        }
    return least;
}

static bool search_once(struct live_index *p, struct client *c, int64_t least)
{
    static const char body[] =
        "{\"size\":0,\"track_total_hits\":true,\"query\":{\"term\":{\"lasting\":true}},\"sort\":[\"note\"]}";
    const struct http_reply *reply;
    char path[300];
    struct error err;
    int64_t count;
    json_t *answer;

    snprintf(path, sizeof path, "/%s/_search", p->alias);
    if (!client_send(c, "POST", path, NULL, body, strlen(body), &reply, &err)) {
        snprintf(p->wrong_read, sizeof p->wrong_read, "%s", err.text);
        return false;
    }
    answer = json_loadb(reply->body.data, reply->body.length, 0, NULL);
    count = json_integer_value(json_at(answer, "hits.total.value"));
    if (reply->status != 200 || json_integer_value(json_at(answer, "_shards.failed")) > 0 || count < least)
        snprintf(p->wrong_read, sizeof p->wrong_read, "a search saw %lld of at least %lld: %ld %.300s",
                 (long long)count, (long long)least, reply->status, reply->body.data);
    json_decref(answer);
    return !p->wrong_read[0];
}

static void *search_all_the_time(void *context)
{
    struct live_index *p = context;
    struct client *c = client_new(&p->scene->settings->opensearch);

    while (!atomic_load(&p->ending) && search_once(p, c, least_lasting(p)))
        pause_ms(5);
    client_free(c);
    return NULL;
}

void live_index_begin(struct live_index *p, int seen_ms)
{
    char path[300];

    snprintf(path, sizeof path, "/%s/_refresh", p->alias);
    json_decref(index_ask(p->scene->settings, "POST", path, NULL));
    p->lasting_at_first = atomic_load(&p->lasting); /* all of them seen, as nothing is written yet */
    p->seen_ms = seen_ms;
    atomic_store(&p->ending, false);
    atomic_store(&p->writes, 0);
    atomic_store(&p->mark_count, 0);
    assert_int_equal(pthread_create(&p->writer, NULL, write_all_the_time, p), 0);
    assert_int_equal(pthread_create(&p->reader, NULL, search_all_the_time, p), 0);
    p->running = true;
}

static void join(struct live_index *p)
{
    if (!p->running)
        return;
    atomic_store(&p->ending, true);
    pthread_join(p->writer, NULL);
    pthread_join(p->reader, NULL);
    p->running = false;
}

void live_index_pause(struct live_index *p)
{
    join(p);
    if (p->wrong_write[0])
        fail_msg("a write was refused: %s", p->wrong_write);
    if (p->wrong_read[0])
        fail_msg("%s", p->wrong_read);
}

/* -------------------------------------------------------------------------------------------- before and after */

static void load(struct live_index *p, int documents)
{
    struct buf lines = BUF_INIT;

    for (p->count = 0; p->count < documents;) {
        add_write(p, p->count, false, false, &lines);
        atomic_fetch_add(&p->lasting, is_lasting(p->count));
        p->count++;
        if (p->count % FIRST_BATCH == 0 || p->count == documents) {
            index_bulk(p->scene->settings, lines.data);
            buf_reset(&lines);
        }
    }
    buf_release(&lines);
}

struct live_index *live_index_open(struct scene *s, const char *name, int shards, int documents)
{
    struct live_index *p = xcalloc(1, sizeof *p);
    char path[300], body[600];

    p->scene = s;
    p->entries = xcalloc(IDS_MOST, sizeof *p->entries);
    snprintf(p->alias, sizeof p->alias, "%s%s", s->settings->opensearch.prefix, name);
    snprintf(path, sizeof path, "/%s-1", p->alias);
    snprintf(body, sizeof body,
             "{\"settings\":{\"number_of_shards\":%d,\"number_of_replicas\":0},\"aliases\":{\"%s\":{}},"
             "\"mappings\":{\"properties\":{\"lasting\":{\"type\":\"boolean\"},\"note\":{\"type\":\"integer\"},"
             "\"title\":{\"type\":\"text\"},\"tags\":{\"type\":\"object\",\"enabled\":false}}}}",
             shards, p->alias);
    json_decref(index_ask(s->settings, "PUT", path, body));
    load(p, documents);
    snprintf(path, sizeof path, "/%s/_refresh", p->alias);
    json_decref(index_ask(s->settings, "POST", path, NULL));
    return p;
}

void live_index_close(struct live_index *p)
{
    char path[300];
    json_t *there, *index;
    const char *name;

    join(p);
    snprintf(path, sizeof path, "/%s*", p->alias);
    there = index_ask(p->scene->settings, "GET", path, NULL);
    json_object_foreach(there, name, index)
    {
        snprintf(path, sizeof path, "/%s", name);
        json_decref(index_ask(p->scene->settings, "DELETE", path, NULL));
    }
    json_decref(there);
    free(p->entries);
    free(p);
}

static void check_one(struct live_index *p, int id, const json_t *doc)
{
    const struct entry *e = &p->entries[id];
    int64_t version = json_integer_value(json_object_get(doc, "_version"));
    int64_t note = json_integer_value(json_at(doc, "_source.note"));

    if (json_is_true(json_object_get(doc, "found")) != e->there)
        fail_msg("d%d %s, version %lld", id, e->there ? "is missing" : "was deleted and is there",
                 (long long)e->version);
    if (e->there && (version != e->version || note != e->note))
        fail_msg("d%d is of version %lld note %lld, and has to be of %lld note %d", id, (long long)version,
                 (long long)note, (long long)e->version, e->note);
}

static void check_some(struct live_index *p, int from, int to)
{
    struct buf body = BUF_INIT;
    char path[300];
    json_t *answer;

    buf_add_text(&body, "{\"ids\":[");
    for (int id = from; id < to; id++)
        buf_printf(&body, "%s\"d%d\"", id > from ? "," : "", id);
    buf_add_text(&body, "]}");
    snprintf(path, sizeof path, "/%s/_mget", p->alias);
    answer = index_ask(p->scene->settings, "POST", path, body.data);
    for (int id = from; id < to; id++)
        check_one(p, id, json_array_get(json_object_get(answer, "docs"), (size_t)(id - from)));
    json_decref(answer);
    buf_release(&body);
}

void live_index_check(struct live_index *p)
{
    int64_t there = index_count(p->scene->settings, p->alias + strlen(p->scene->settings->opensearch.prefix));

    for (int from = 0; from < p->count; from += FIRST_BATCH)
        check_some(p, from, p->count - from < FIRST_BATCH ? p->count : from + FIRST_BATCH);
    assert_int_equal(there, live_index_documents(p));
}

int64_t live_index_documents(struct live_index *p)
{
    int64_t there = 0;

    for (int i = 0; i < p->count; i++)
        there += p->entries[i].there;
    return there;
}

int64_t live_index_writes(struct live_index *p)
{
    return atomic_load(&p->writes);
}
