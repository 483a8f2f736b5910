#include "support/record_stage.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/http.h"
#include "handlers/tombstone.h"
#include "indexer/client.h"
#include "notifier/dead.h"
#include "support/fault_proxy.h"
#include "support/scene.h"
#include "support/search_index.h"
#include "support/work.h"

/* OpenSearch forgets a deletion with a refresh, some 200 ms later: its clock goes by such steps. */
#define FORGETFUL                                                                                                      \
    "{\"settings\":{\"index.gc_deletes\":\"0s\",\"index.refresh_interval\":\"-1\",\"number_of_shards\":1},"            \
    "\"mappings\":{\"properties\":{\"n\":{\"type\":\"integer\"}}}}"

static void make_index(struct scene *s)
{
    char path[100];

    index_delete(s->settings, "documents");
    snprintf(path, sizeof path, "/%sdocuments", s->settings->opensearch.prefix);
    json_decref(index_ask(s->settings, "PUT", path, FORGETFUL));
}

void record_stage_open(void **state, const char *ini)
{
    *state = scene_open(ini);
    make_index(*state);
}

int record_stage_setup(void **state)
{
    record_stage_open(state, HANDLER(""));
    return 0;
}

int record_stage_close(void **state)
{
    struct scene *s = *state;

    index_delete(s->settings, "documents");
    scene_close(s);
    return 0;
}

struct event record_event(struct scene *s, const char *what, const char *subject, int revision, const char *data)
{
    static int number;
    char type[40], id[40], path[60];

    snprintf(type, sizeof type, "record.%s", what);
    snprintf(id, sizeof id, "e%d", number++);
    snprintf(path, sizeof path, "records/%s", subject);
    return scene_event(s, type, id, path, revision, data);
}

void record_handle(struct scene *s, const char *what, const char *subject, int revision, const char *data)
{
    struct event e = record_event(s, what, subject, revision, data);

    scene_append(s, &e, 1);
    work_off(s, "documents");
}

char *record_dump(struct scene *s)
{
    return index_dump(s->settings, "documents");
}

void record_documents_are(struct scene *s, const char *expected)
{
    char *documents = record_dump(s);

    assert_string_equal(documents, expected);
    free(documents);
}

void record_ask(struct scene *s, const char *method, const char *rest, const char *body)
{
    char path[200];

    snprintf(path, sizeof path, "/%sdocuments%s", s->settings->opensearch.prefix, rest);
    json_decref(index_ask(s->settings, method, path, body));
}

bool record_try_put(struct scene *s, const char *rest, const char *body)
{
    struct client *c = client_new(&s->settings->opensearch);
    const struct http_reply *reply;
    struct error err;
    char path[200];
    bool ok;

    snprintf(path, sizeof path, "/%sdocuments%s", s->settings->opensearch.prefix, rest);
    ok = client_send(c, "PUT", path, NULL, body, strlen(body), &reply, &err) && reply->status < 300;
    client_free(c);
    return ok;
}

void record_forget(struct scene *s)
{
    int64_t until_ms = clock_monotonic_ms() + 60000;

    record_ask(s, "PUT", "/_doc/probe?version=5&version_type=external_gte", "{}");
    record_ask(s, "DELETE", "/_doc/probe?version=7&version_type=external_gte", NULL);
    do {
        assert_true(clock_monotonic_ms() < until_ms);
        record_ask(s, "POST", "/_refresh", NULL);
    } while (!record_try_put(s, "/_doc/probe?version=4&version_type=external", "{}"));
    record_ask(s, "DELETE", "/_doc/probe?version=4&version_type=external_gte&refresh=true", NULL);
}

int64_t record_tombstone(struct scene *s, const char *id)
{
    struct tombstone t = {"documents", span_of(id), 0, false};
    struct error err;

    if (!tombstones_read(s->redis, "changes", &t, 1, s->arena, &err))
        fail_msg("%s", err.text);
    return t.version;
}

struct dead_letter *record_dead_letters(struct scene *s, size_t expected)
{
    struct dead_letter *letters;
    struct error err;
    size_t count;

    assert_true(dead_list(s->redis, "changes", NULL, 100, s->arena, &letters, &count, &err));
    assert_int_equal(count, expected);
    return letters;
}
