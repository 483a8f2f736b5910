#include "handlers/query/stats_query.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/json.h"
#include "base/log.h"
#include "base/text.h"
#include "handlers/query/statistic.h"
#include "indexer/client.h"
#include "notifier/door_page.h"

enum {
    QUERIES_MOST = 100, /* in one request */
    DEPTH_MOST = 8,
    WORDS_MOST = 500,    /* of an error, in bytes */
    PATIENCE_MS = 15000, /* a person waits for the page */
    IDLE_CLIENTS_MOST = 4,
};

struct stats_query {
    struct opensearch_settings opensearch; /* with less patience than the handlers have */
    struct statistic **items;
    size_t count;
    pthread_mutex_t mutex; /* over the clients not in use */
    struct client *idle[IDLE_CLIENTS_MOST];
    size_t idle_count;
};

/* One statistic of a request. */
struct question {
    const char *key; /* the caller's own name for it */
    const struct statistic *statistic;
    struct asked asked;
};

struct questions {
    struct question items[QUERIES_MOST];
    size_t count;
};

struct stats_query *stats_query_new(const struct settings *s, struct error *err)
{
    struct stats_query *q = xcalloc(1, sizeof *q);

    q->opensearch = s->opensearch;
    if (q->opensearch.timeout_ms > PATIENCE_MS)
        q->opensearch.timeout_ms = PATIENCE_MS;
    pthread_mutex_init(&q->mutex, NULL);
    q->items = xcalloc(s->query_count + 1, sizeof *q->items);
    for (; q->count < s->query_count; q->count++)
        if (!(q->items[q->count] = statistic_new(&s->queries[q->count], err))) {
            error_in(err, "[query %s]", s->queries[q->count].name);
            stats_query_free(q);
            return NULL;
        }
    return q;
}

void stats_query_free(struct stats_query *q)
{
    if (!q)
        return;
    for (size_t i = 0; i < q->count; i++)
        statistic_free(q->items[i]);
    for (size_t i = 0; i < q->idle_count; i++)
        client_free(q->idle[i]);
    pthread_mutex_destroy(&q->mutex);
    free(q->items);
    free(q);
}

/* ------------------------------------------------------------------------------------------ clients for the threads */

static struct client *borrow_client(struct stats_query *q)
{
    struct client *c = NULL;

    pthread_mutex_lock(&q->mutex);
    if (q->idle_count > 0)
        c = q->idle[--q->idle_count];
    pthread_mutex_unlock(&q->mutex);
    return c ? c : client_new(&q->opensearch);
}

static void return_client(struct stats_query *q, struct client *c)
{
    pthread_mutex_lock(&q->mutex);
    if (q->idle_count < IDLE_CLIENTS_MOST) {
        q->idle[q->idle_count++] = c;
        c = NULL;
    }
    pthread_mutex_unlock(&q->mutex);
    client_free(c);
}

/* ------------------------------------------------------------------------------------------------- the request */

static const struct statistic *find(const struct stats_query *q, const char *name)
{
    for (size_t i = 0; i < q->count; i++)
        if (strcmp(statistic_name(q->items[i]), name) == 0)
            return q->items[i];
    return NULL;
}

static bool read_question(const struct stats_query *q, const char *key, const json_t *value, struct question *out,
                          struct error *err)
{
    const json_t *stat = json_object_get(value, "stat"), *params = json_object_get(value, "params");

    if (!json_is_string(stat) || (params && !json_is_object(params)) || json_object_size(value) != (params ? 2 : 1))
        return error_set(err, ERROR_INPUT,
                         "'%.100s' must be an object with \"stat\", the name of a statistic, and \"params\", an object "
                         "or left out, and nothing else",
                         key);
    out->key = key;
    out->statistic = find(q, json_string_value(stat));
    if (!out->statistic)
        return error_set(err, ERROR_INPUT, "Unknown statistic '%.100s'", json_string_value(stat));
    return statistic_ask(out->statistic, params, &out->asked, err);
}

static bool read_questions(const struct stats_query *q, const json_t *body, struct questions *out, struct error *err)
{
    const char *key;
    json_t *value;

    out->count = 0;
    if (!json_is_object(body))
        return error_set(err, ERROR_INPUT, "The body must be an object: {NAME: {\"stat\": ..., \"params\": {...}}}");
    if (json_object_size(body) > QUERIES_MOST)
        return error_set(err, ERROR_INPUT, "At most %d statistics can be asked for at a time", QUERIES_MOST);
    json_object_foreach((json_t *)(uintptr_t)body, key,
                        value) if (!read_question(q, key, value, &out->items[out->count++], err)) return false;
    return true;
}

/* ----------------------------------------------------------------------------------------- one request for all */

static void add_search(const struct client *c, const struct question *question, struct buf *lines)
{
    json_t *search = statistic_search(question->statistic, &question->asked);
    struct buf index = BUF_INIT;

    buf_printf(&index, "%s%s", client_prefix(c), statistic_index(question->statistic));
    buf_add_text(lines, "{\"allow_partial_search_results\":false,\"index\":");
    buf_add_json(lines, index.data, index.length);
    buf_add_text(lines, "}\n");
    json_add(lines, search);
    buf_add_char(lines, '\n');
    buf_release(&index);
    json_decref(search);
}

/* The answers in the order of the questions; yours. NULL: ERROR_AGAIN. */
static json_t *search_all(struct client *c, const struct questions *questions, struct error *err)
{
    struct buf lines = BUF_INIT;
    const struct http_reply *reply;
    json_t *answer = NULL, *list = NULL;
    char path[80];

    for (size_t i = 0; i < questions->count; i++)
        add_search(c, &questions->items[i], &lines);
    snprintf(path, sizeof path, "/_msearch?cancel_after_time_interval=%dms", client_timeout_ms(c));
    if (client_send(c, "POST", path, "application/x-ndjson", lines.data, lines.length, &reply, err)) {
        if (reply->status == 200)
            answer = json_text_parse(reply->body.data, reply->body.length, JSON_DEPTH_DEFAULT, err);
        else
            client_refused(reply, err);
    }
    buf_release(&lines);
    list = json_incref(json_object_get(answer, "responses"));
    if (answer && json_array_size(list) != questions->count) {
        error_set(err, ERROR_AGAIN, "OpenSearch answers another number of searches");
        json_decref(list);
        list = NULL;
    }
    json_decref(answer);
    if (!list)
        err->kind = ERROR_AGAIN; /* what was asked for is checked; the rest is between OpenSearch and us */
    return list;
}

/* A pattern that no index fits is answered without any shard. */
static bool is_missing(const json_t *answer)
{
    const json_t *shards = json_at(answer, "_shards.total");

    return strcmp(json_member_text(json_object_get(answer, "error"), "type", ""), "index_not_found_exception") == 0 ||
           (shards && json_integer_value(shards) == 0);
}

/* A parameter's value can be such that OpenSearch refuses it (no number, say): that is the sender's. */
static bool refused(const json_t *answer, const struct question *question, struct error *err)
{
    int64_t status = json_integer_value(json_object_get(answer, "status"));
    struct buf words = BUF_INIT;

    client_add_reason(json_object_get(answer, "error"), &words);
    error_set(err, status == 400 ? ERROR_INPUT : ERROR_AGAIN, "Statistic '%s': OpenSearch: %s",
              statistic_name(question->statistic), words.data);
    buf_release(&words);
    return false;
}

static bool add_result(const struct question *question, const json_t *answer, json_t *results, struct error *err)
{
    json_t *result;

    if (is_missing(answer))
        result = statistic_zeros(question->statistic);
    else if (json_object_get(answer, "error"))
        return refused(answer, question, err);
    else if (json_is_true(json_object_get(answer, "timed_out")))
        return error_set(err, ERROR_AGAIN, "Statistic '%s' takes OpenSearch too long",
                         statistic_name(question->statistic));
    else if (!(result = statistic_result(question->statistic, &question->asked, answer, err)))
        return false;
    json_object_set_new(results, question->key, result);
    return true;
}

/* ---------------------------------------------------------------------------------------------------- the answer */

static bool find_results(struct stats_query *q, const struct questions *questions, json_t *results, struct error *err)
{
    struct client *c;
    json_t *answers;
    bool ok;

    if (questions->count == 0)
        return true;
    c = borrow_client(q);
    answers = search_all(c, questions, err);
    return_client(q, c);
    ok = answers != NULL;
    for (size_t i = 0; ok && i < questions->count; i++)
        ok = add_result(&questions->items[i], json_array_get(answers, i), results, err);
    json_decref(answers);
    return ok;
}

/* What it quotes of the request may be cut within a letter. */
static void add_words(struct buf *reply, const char *words)
{
    struct buf shown = BUF_INIT;

    text_add_escaped(&shown, words, strlen(words), WORDS_MOST);
    buf_add_json_text(reply, shown.data);
    buf_release(&shown);
}

static unsigned answer_error(const struct error *err, struct buf *reply)
{
    static struct log_limit limit = LOG_LIMIT_INIT;
    bool input = err->kind == ERROR_INPUT;
    unsigned status = input ? 400 : 503;

    if (!input) /* the sender is told no more than that: what the server says is the operator's */
        log_limited(&limit, LOG_LEVEL_WARN, "POST /stats: %s", err->text);
    buf_printf(reply, "{\"status\":%u,\"message\":", status);
    add_words(reply, input ? err->text : "The statistics are not available at the moment");
    buf_add_text(reply, "}\n");
    return status;
}

unsigned stats_query_answer(void *stats_query, const struct page_request *request, struct buf *reply)
{
    struct questions *questions = xmalloc(sizeof *questions);
    json_t *body, *results = json_object();
    struct error err = ERROR_INIT;
    bool ok = (body = json_text_parse(request->bytes, request->length, DEPTH_MOST, &err)) &&
              read_questions(stats_query, body, questions, &err) && find_results(stats_query, questions, results, &err);

    if (ok) {
        json_add(reply, results);
        buf_add_char(reply, '\n');
    }
    json_decref(results);
    json_decref(body);
    free(questions);
    return ok ? 200 : answer_error(&err, reply);
}
