#include "support/search_index.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/json.h"
#include "indexer/client.h"
#include "support/pause.h"
#include "support/scene.h"

static bool is_busy(long status)
{
    return status == 503 || status == 429;
}

/* Shards of an index that was just made are not there for a moment: 503. A server that tests share may be short of
   memory: 429. Both pass. */
static const struct http_reply *ask_patiently(struct client *c, const char *method, const char *path, const char *body)
{
    const char *type = body && strstr(path, "_bulk") ? "application/x-ndjson" : "application/json";
    int64_t until_ms = clock_monotonic_ms() + 60000;
    const struct http_reply *reply;
    struct error err;

    for (;;) {
        if (!client_send(c, method, path, type, body, body ? strlen(body) : 0, &reply, &err))
            fail_msg("%s %s: %s", method, path, err.text);
        if (!is_busy(reply->status) || clock_monotonic_ms() > until_ms)
            break;
        pause_ms(20);
    }
    if (reply->status >= 300)
        fail_msg("%s %s: %s", method, path, reply->body.data);
    return reply;
}

json_t *index_ask(const struct settings *s, const char *method, const char *path, const char *body)
{
    struct client *c = client_new(&s->opensearch);
    const struct http_reply *reply = ask_patiently(c, method, path, body);
    struct error err;
    json_t *answer = json_text_parse(reply->body.data, reply->body.length, JSON_DEPTH_DEFAULT, &err);

    client_free(c);
    return answer;
}

static void path_of(char *out, size_t size, const struct settings *s, const char *name, const char *rest)
{
    snprintf(out, size, "/%s%s%s", s->opensearch.prefix, name, rest);
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static char *line_of(const json_t *hit)
{
    struct buf line = BUF_INIT;

    buf_printf(&line, "%s ", json_member_text(hit, "_id", ""));
    json_add(&line, json_object_get(hit, "_source"));
    return buf_take(&line);
}

char *index_dump(const struct settings *s, const char *pattern)
{
    char path[300], *lines[10000];
    struct buf out = BUF_INIT;
    json_t *answer;
    const json_t *hits;
    size_t count;

    path_of(path, sizeof path, s, pattern, "/_refresh?ignore_unavailable=true");
    json_decref(index_ask(s, "POST", path, NULL));
    path_of(path, sizeof path, s, pattern, "/_search?size=10000&ignore_unavailable=true");
    answer = index_ask(s, "GET", path, NULL);
    hits = json_at(answer, "hits.hits");
    count = json_array_size(hits);
    for (size_t i = 0; i < count; i++)
        lines[i] = line_of(json_array_get(hits, i));
    qsort(lines, count, sizeof *lines, by_text);
    for (size_t i = 0; i < count; i++) {
        buf_printf(&out, "%s\n", lines[i]);
        free(lines[i]);
    }
    json_decref(answer);
    return buf_take(&out);
}

int64_t index_count(const struct settings *s, const char *pattern)
{
    char path[300];
    json_t *answer;
    int64_t count;

    path_of(path, sizeof path, s, pattern, "/_refresh?ignore_unavailable=true");
    json_decref(index_ask(s, "POST", path, NULL));
    path_of(path, sizeof path, s, pattern, "/_count?ignore_unavailable=true");
    answer = index_ask(s, "GET", path, NULL);
    count = json_integer_value(json_object_get(answer, "count"));
    json_decref(answer);
    return count;
}

void index_delete(const struct settings *s, const char *name)
{
    char path[300];

    path_of(path, sizeof path, s, name, "?ignore_unavailable=true");
    json_decref(index_ask(s, "DELETE", path, NULL));
}

int index_scene_close(void **state)
{
    struct scene *s = *state;

    index_delete(s->settings, "*");
    scene_close(s);
    return 0;
}

void index_bulk(const struct settings *s, const char *lines)
{
    json_t *answer = index_ask(s, "POST", "/_bulk?refresh=true", lines);

    if (json_is_true(json_object_get(answer, "errors"))) {
        char *text = json_dumps(answer, JSON_COMPACT);

        fail_msg("%.600s", text);
    }
    json_decref(answer);
}

static int64_t statistic(const struct settings *s, const char *name, const char *what)
{
    char path[300];
    json_t *answer;
    int64_t number;

    path_of(path, sizeof path, s, name, "/_stats/indexing,search");
    answer = index_ask(s, "GET", path, NULL);
    snprintf(path, sizeof path, "_all.primaries.%s", what);
    number = json_integer_value(json_at(answer, path));
    json_decref(answer);
    return number;
}

int64_t index_writes(const struct settings *s, const char *name)
{
    return statistic(s, name, "indexing.index_total");
}

int64_t index_searches(const struct settings *s, const char *name)
{
    return statistic(s, name, "search.query_total");
}
