#include "support/traffic.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/http.h"
#include "base/json.h"
#include "support/search_index.h"

enum {
    RECORDS = 200,
    USERS = 20,
    MEMBERS = 100,
    A_BATCH = 40,
    VIEWS_MOST = 4000000,
};

#define START_US (INT64_C(1793491200) * US_PER_SECOND) /* 2026-11-01T00:00:00Z */

struct traffic {
    char *url;
    int broken_every;
    pthread_t thread;
    atomic_bool stop;
    atomic_llong batches;
    int64_t revisions[USERS]; /* the highest so far */
    int64_t changes;
};

/* ------------------------------------------------------------------------------------------------- the model */

/*
 * View number n is of record n % RECORDS, by the one visitor of that record, 4 s after that record's view before: two
 * or three of them share a window of 10 s and so an id, and the last of these is the one that stays.
 */
static int64_t view_step(int64_t n)
{
    return n / RECORDS;
}

static int64_t view_time_us(int64_t n)
{
    return START_US + view_step(n) * 4 * US_PER_SECOND;
}

static int64_t view_window(int64_t n)
{
    return view_step(n) * 4 / 10;
}

/* A broken one has a record of its own, and so an id of its own. */
static bool is_broken(const struct traffic *t, int64_t n)
{
    return n % t->broken_every == t->broken_every - 1;
}

/* Whether a later view with the same id was sent. */
static bool is_superseded(const struct traffic *t, int64_t n, int64_t count)
{
    for (int64_t later = n + RECORDS; later < count && view_window(later) == view_window(n); later += RECORDS)
        if (!is_broken(t, later))
            return true;
    return false;
}

static int64_t view_count(const struct traffic *t)
{
    return atomic_load(&t->batches) * A_BATCH;
}

int64_t traffic_views(const struct traffic *t)
{
    int64_t count = view_count(t), documents = 0;

    for (int64_t n = 0; n < count; n++)
        documents += !is_broken(t, n) && !is_superseded(t, n, count);
    return documents;
}

int64_t traffic_broken(const struct traffic *t)
{
    return view_count(t) / t->broken_every;
}

int64_t traffic_changes(const struct traffic *t)
{
    return t->changes;
}

/* ------------------------------------------------------------------------------------------------ the events */

static void add_view(const struct traffic *t, struct buf *out, int64_t n)
{
    char time[TIME_TEXT_BYTES];

    buf_printf(out,
               "{\"specversion\":\"1.0\",\"id\":\"v%lld\",\"source\":\"r\",\"type\":\"record-view\",\"time\":\"%s\",",
               (long long)n, time_text(view_time_us(n), time));
    if (is_broken(t, n))
        buf_printf(out, "\"data\":{\"recid\":\"broken-%lld\",\"timestamp\":\"no time\",", (long long)n);
    else
        buf_printf(out, "\"data\":{\"recid\":\"rec-%lld\",", (long long)(n % RECORDS));
    buf_printf(out, "\"n\":%lld,\"session_id\":\"s%lld\",\"user_agent\":\"Firefox/1\"}}\n", (long long)n,
               (long long)(n % RECORDS));
}

static void add_change(struct traffic *t, struct buf *out, int64_t batch)
{
    int user = (int)(batch % USERS);
    int64_t newest = t->revisions[user] + 1, revision = batch % 3 == 0 && newest > 3 ? newest - 2 : newest;

    /* one in three is an older revision that comes late, under an id of its own */
    if (revision == newest)
        t->revisions[user] = newest;
    t->changes++;
    buf_printf(
        out,
        "{\"specversion\":\"1.0\",\"id\":\"c%lld\",\"source\":\"r\",\"type\":\"user.updated\",\"time\":"
        "\"2026-11-01T00:00:00Z\",\"subject\":\"users/%d\",\"revision\":%lld,\"data\":{\"full_name\":\"User %d at "
        "%lld\"}}\n",
        (long long)batch, user, (long long)revision, user, (long long)revision);
}

/* Later views first, and one of them twice. */
static void make_batch(struct traffic *t, struct buf *out, int64_t batch)
{
    buf_reset(out);
    for (int64_t i = A_BATCH; i-- > 0;)
        add_view(t, out, batch * A_BATCH + i);
    add_view(t, out, batch * A_BATCH + batch % A_BATCH);
    add_change(t, out, batch);
}

/* Acknowledged: 202, and no event of it put off. */
static bool post(struct http *http, const struct traffic *t, const struct buf *body, struct http_reply *reply)
{
    struct error err;

    return http_send(http,
                     &(struct http_request){.method = "POST",
                                            .url = t->url,
                                            .content_type = "application/x-ndjson",
                                            .body = body->data,
                                            .length = body->length},
                     reply, &err) &&
           reply->status == 202;
}

static void *traffic_main(void *context)
{
    struct traffic *t = context;
    struct http *http = http_new(&(struct http_options){.connect_ms = 1000, .timeout_ms = 10000});
    struct http_reply reply = HTTP_REPLY_INIT;
    struct buf body = BUF_INIT;

    while (!atomic_load(&t->stop) && view_count(t) < VIEWS_MOST) {
        make_batch(t, &body, atomic_load(&t->batches));
        while (!post(http, t, &body, &reply))
            nanosleep(&(struct timespec){0, 20000000}, NULL);
        atomic_fetch_add(&t->batches, 1);
        nanosleep(&(struct timespec){0, 10000000}, NULL);
    }
    buf_release(&body);
    buf_release(&reply.body);
    http_free(http);
    return NULL;
}

struct traffic *traffic_start(const char *door_url, int broken_every)
{
    struct traffic *t = xcalloc(1, sizeof *t);
    struct buf url = BUF_INIT;

    buf_printf(&url, "%s/events", door_url);
    t->url = buf_take(&url);
    t->broken_every = broken_every;
    for (int i = 0; i < USERS; i++)
        t->revisions[i] = 1;
    pthread_create(&t->thread, NULL, traffic_main, t);
    return t;
}

int64_t traffic_stop(struct traffic *t)
{
    atomic_store(&t->stop, true);
    pthread_join(t->thread, NULL);
    return view_count(t);
}

int64_t traffic_sent(struct traffic *t)
{
    return view_count(t);
}

void traffic_free(struct traffic *t)
{
    free(t->url);
    free(t);
}

/* ----------------------------------------------------------------------------------------------- comparing */

char *traffic_members(const char *index)
{
    struct buf lines = BUF_INIT;

    for (int i = 0; i < MEMBERS; i++)
        buf_printf(&lines,
                   "{\"index\":{\"_index\":\"%s\",\"_id\":\"m%d\"}}\n"
                   "{\"user\":{\"id\":\"%d\",\"name\":\"old\",\"@v\":1}}\n",
                   index, i, i % USERS);
    return buf_take(&lines);
}

/* A document that is there: of a view that was sent, the last with its id, and only once. */
static void check_hit(const struct traffic *t, const json_t *hit, unsigned char *seen, int64_t count)
{
    int64_t n = json_integer_value(json_at(hit, "_source.n"));
    char recid[40], time[TIME_TEXT_BYTES];

    snprintf(recid, sizeof recid, "rec-%lld", (long long)(n % RECORDS));
    if (n < 0 || n >= count || is_broken(t, n))
        fail_msg("view %lld was never sent", (long long)n);
    if (seen[n]++)
        fail_msg("view %lld has two documents", (long long)n);
    if (is_superseded(t, n, count))
        fail_msg("view %lld is there in place of a later one with the same id", (long long)n);
    assert_string_equal(json_member_text(json_at(hit, "_source"), "recid", ""), recid);
    assert_string_equal(json_member_text(json_at(hit, "_source"), "timestamp", ""), time_text(view_time_us(n), time));
}

void traffic_check_views(const struct traffic *t, const struct settings *s, const char *pattern)
{
    int64_t count = view_count(t), after = -1, documents = 0;
    unsigned char *seen = xcalloc((size_t)count + 1, 1);
    char path[300], body[200];
    size_t got = 1;

    while (got > 0) {
        json_t *answer;
        const json_t *hits;

        snprintf(path, sizeof path, "/%s%s/_search?size=5000", s->opensearch.prefix, pattern);
        snprintf(body, sizeof body, "{\"sort\":[{\"n\":\"asc\"}],\"search_after\":[%lld]}", (long long)after);
        answer = index_ask(s, "POST", path, body);
        hits = json_at(answer, "hits.hits");
        got = json_array_size(hits);
        for (size_t i = 0; i < got; i++) {
            check_hit(t, json_array_get(hits, i), seen, count);
            after = json_integer_value(json_at(json_array_get(hits, i), "_source.n"));
            documents++;
        }
        json_decref(answer);
    }
    free(seen);
    assert_int_equal(documents, traffic_views(t)); /* each once, and none left out */
}

void traffic_check_members(const struct traffic *t, const struct settings *s, const char *index)
{
    char path[300], name[60];
    json_t *answer;
    const json_t *hits;

    snprintf(path, sizeof path, "/%s%s/_search?size=1000", s->opensearch.prefix, index);
    answer = index_ask(s, "GET", path, NULL);
    hits = json_at(answer, "hits.hits");
    assert_int_equal(json_array_size(hits), MEMBERS);
    for (size_t i = 0; i < json_array_size(hits); i++) {
        const json_t *user = json_at(json_array_get(hits, i), "_source.user");
        int number = atoi(json_member_text(user, "id", "-1"));

        if (t->revisions[number] == 1)
            continue; /* never changed */
        snprintf(name, sizeof name, "User %d at %lld", number, (long long)t->revisions[number]);
        assert_string_equal(json_member_text(user, "name", ""), name);
        assert_int_equal(json_integer_value(json_object_get(user, "@v")), t->revisions[number]);
    }
    json_decref(answer);
}
