#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <pthread.h>
#include <stdatomic.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/json.h"
#include "handlers/dirty.h"
#include "handlers/handler.h"
#include "support/fault_proxy.h"
#include "support/scene.h"
#include "support/search_index.h"

#define SERVERS "[redis]\nurl = REDIS\n[opensearch]\nprefix = PREFIX\n"
#define HANDLERS                                                                                                       \
    "[queue views]\nevents = record-view\n[queue downloads]\nevents = file-download\n"                                 \
    "[handler view-events]\ntype = statistics\nqueue = views\nindex = events-views\n"                                  \
    "[handler download-events]\ntype = statistics\nqueue = downloads\nindex = events-downloads\n"                      \
    "[handler view-agg]\ntype = aggregate\nqueue = views\nof = view-events\nfield = unique_id\n"                       \
    "index = agg-views-{time:%Y-%m}\nalias = agg-views\nrecord = recid\nparent = parent_recid\n"                       \
    "metrics = unique_count=cardinality(unique_session_id)\n"                                                          \
    "[handler download-agg]\ntype = aggregate\nqueue = downloads\nof = download-events\nfield = unique_id\n"           \
    "index = agg-downloads-{time:%Y-%m}\nalias = agg-downloads\nrecord = recid\nparent = parent_recid\n"               \
    "metrics = unique_count=cardinality(unique_session_id) volume=sum(size)\n"                                         \
    "[handler counters]\ntype = record-stats\nqueue = views\nviews = view-agg\ndownloads = download-agg\n"             \
    "index = records\n"

#define AGGREGATES(record_type)                                                                                        \
    "{\"mappings\":{\"properties\":{\"timestamp\":{\"type\":\"date\"},\"recid\":{\"type\":\"" record_type "\"},"       \
    "\"parent_recid\":{\"type\":\"keyword\"},\"count\":{\"type\":\"integer\"},\"unique_count\":{\"type\":\"integer\"}" \
    ","                                                                                                                \
    "\"volume\":{\"type\":\"double\"}}}}"

#define RECORDS                                                                                                        \
    "{\"mappings\":{\"properties\":{\"id\":{\"type\":\"keyword\"},\"title\":{\"type\":\"keyword\"},"                   \
    "\"parent\":{\"properties\":{\"id\":{\"type\":\"keyword\"}}}}}}"

enum { REVISIONS = 150 };

struct stage {
    struct scene *scene;
    struct handler *handler;
    struct clock_run run;
    int calls; /* of may_go_on, where a test counts them */
    struct error err;
};

static bool may_go_on(struct clock_run *run, struct error *err)
{
    (void)run;
    (void)err;
    return true;
}

static void did(struct clock_run *run, int64_t items)
{
    (void)run;
    (void)items;
}

static void make_index(struct scene *s, const char *name, const char *mapping)
{
    char path[100];

    index_delete(s->settings, name);
    snprintf(path, sizeof path, "/%s%s", s->settings->opensearch.prefix, name);
    json_decref(index_ask(s->settings, "PUT", path, mapping));
}

static void open_stage(void **state, const char *servers, const char *rest)
{
    struct stage *t = xcalloc(1, sizeof *t);
    struct buf ini = BUF_INIT;

    buf_printf(&ini, "%s%s%s%s", SERVERS, servers, HANDLERS, rest);
    t->scene = scene_open(ini.data);
    buf_release(&ini);
    make_index(t->scene, "agg-views", AGGREGATES("keyword"));
    make_index(t->scene, "agg-downloads", AGGREGATES("keyword"));
    make_index(t->scene, "records", RECORDS);
    t->run = (struct clock_run){.may_go_on = may_go_on, .did = did};
    t->handler = handler_new(t->scene->settings, settings_handler(t->scene->settings, "counters"), &t->err);
    if (!t->handler || (t->handler->type->install && !t->handler->type->install(t->handler, &t->err)))
        fail_msg("%s", t->err.text);
    *state = t;
}

static int setup(void **state)
{
    open_stage(state, "url = SEARCH\n", "");
    return 0;
}

static int setup_side(void **state)
{
    open_stage(state, "url = SEARCH\n", "side_index = beside\n");
    return 0;
}

static int setup_small(void **state)
{
    open_stage(state, "url = SEARCH\n", "page = 2\nrate = 20\n");
    return 0;
}

static int setup_slow(void **state)
{
    open_stage(state, "url = SEARCH\n", "rate = 2\n");
    return 0;
}

static int teardown(void **state)
{
    static const char *const names[] = {"agg-views", "agg-downloads", "records", "beside"};
    struct stage *t = *state;

    handler_free(t->handler);
    for (size_t i = 0; i < ARRAY_LENGTH(names); i++)
        index_delete(t->scene->settings, names[i]);
    scene_close(t->scene);
    free(t);
    return 0;
}

/* A document of an index of the test's; more: of its action line. */
static void load(struct stage *t, const char *index, const char *id, const char *more, const char *document)
{
    struct buf lines = BUF_INIT;

    buf_printf(&lines, "{\"index\":{\"_index\":\"%s%s\",\"_id\":\"%s\"%s}}\n%s\n",
               t->scene->settings->opensearch.prefix, index, id, more, document);
    index_bulk(t->scene->settings, lines.data);
    buf_release(&lines);
}

static void load_view(struct stage *t, const char *id, const char *record, const char *parent, int count, int unique)
{
    char document[300];

    snprintf(document, sizeof document,
             "{\"timestamp\":\"2026-11-01T00:00:00\",\"recid\":\"%s\",\"parent_recid\":\"%s\",\"count\":%d,"
             "\"unique_count\":%d}",
             record, parent, count, unique);
    load(t, "agg-views", id, "", document);
}

static void load_download(struct stage *t, const char *id, const char *record, const char *parent, int count,
                          int unique, double volume)
{
    char document[300];

    snprintf(document, sizeof document,
             "{\"timestamp\":\"2026-11-01T00:00:00\",\"recid\":\"%s\",\"parent_recid\":\"%s\",\"count\":%d,"
             "\"unique_count\":%d,\"volume\":%.1f}",
             record, parent, count, unique, volume);
    load(t, "agg-downloads", id, "", document);
}

/* As the platform writes it: at its own version; 0: without one. */
static void load_record(struct stage *t, const char *id, const char *parent, int version, const char *title)
{
    char more[80] = "", document[300];

    if (version > 0)
        snprintf(more, sizeof more, ",\"version\":%d,\"version_type\":\"external_gte\"", version);
    snprintf(document, sizeof document, "{\"id\":\"%s\",\"parent\":{\"id\":\"%s\"},\"title\":\"%s\"}", id, parent,
             title);
    load(t, "records", id, more, document);
}

static void mark(struct stage *t, const char *queue, const char *parent)
{
    const struct dirty_mark m = {.key = span_of(parent)};

    assert_true(dirty_mark(t->scene->redis, queue, "counters", &m, 1, &t->err));
}

static bool run(struct stage *t)
{
    return t->handler->type->run(t->handler, &t->run, &t->err);
}

static void run_well(struct stage *t)
{
    if (!run(t))
        fail_msg("%s", t->err.text);
}

static int64_t marks_left(struct stage *t, const char *queue)
{
    int64_t count;

    assert_true(dirty_count(t->scene->redis, queue, "counters", &count, &t->err));
    return count;
}

/* The document as GET gives it; yours. */
static json_t *get(struct stage *t, const char *index, const char *id)
{
    char path[200];

    snprintf(path, sizeof path, "/%s%s/_doc/%s", t->scene->settings->opensearch.prefix, index, id);
    return index_ask(t->scene->settings, "GET", path, NULL);
}

static void stats_are(struct stage *t, const char *index, const char *id, const char *expected)
{
    json_t *document = get(t, index, id), *wanted;
    char *found = json_dumps(json_at(document, "_source.stats"), JSON_COMPACT);

    wanted = json_text_parse(expected, strlen(expected), 10, &t->err);
    assert_non_null(wanted);
    if (!json_equal(wanted, json_at(document, "_source.stats")))
        fail_msg("%s has %s, wanted %s", id, found ? found : "none", expected);
    free(found);
    json_decref(wanted);
    json_decref(document);
}

#define LEVEL(views, unique_views, downloads, unique_downloads, volume)                                                \
    "{\"views\":" #views ",\"unique_views\":" #unique_views ",\"downloads\":" #downloads                               \
    ",\"unique_downloads\":" #unique_downloads ",\"data_volume\":" #volume "}"
#define STATS(this, all) "{\"this_version\":" this ",\"all_versions\":" all "}"

static void load_family(struct stage *t)
{
    load_view(t, "a1", "r1", "p1", 5, 3);
    load_view(t, "a2", "r1", "p1", 2, 2);
    load_view(t, "a3", "r2", "p1", 10, 4);
    load_view(t, "a4", "r9", "p9", 100, 50);
    load_download(t, "d1", "r2", "p1", 3, 1, 1500.5);
    load_record(t, "r1", "p1", 7, "first");
    load_record(t, "r2", "p1", 3, "second");
    load_record(t, "r3", "p1", 1, "never seen");
    load_record(t, "r9", "p9", 1, "stranger");
}

/* -------------------------------------------------------------------------------------------------------- numbers */

static void a_changed_parent_brings_its_numbers_to_all_of_its_versions(void **state)
{
    struct stage *t = *state;
    json_t *stranger;

    load_family(t);
    mark(t, "views", "p1");
    run_well(t);
    stats_are(t, "records", "r1", STATS(LEVEL(7, 5, 0, 0, 0.0), LEVEL(17, 9, 3, 1, 1500.5)));
    stats_are(t, "records", "r2", STATS(LEVEL(10, 4, 3, 1, 1500.5), LEVEL(17, 9, 3, 1, 1500.5)));
    stats_are(t, "records", "r3", STATS(LEVEL(0, 0, 0, 0, 0.0), LEVEL(17, 9, 3, 1, 1500.5)));
    stranger = get(t, "records", "r9");
    assert_null(json_at(stranger, "_source.stats"));
    json_decref(stranger);
    assert_int_equal(marks_left(t, "views"), 0);
}

static void marks_of_both_aggregations_are_one_page(void **state)
{
    struct stage *t = *state;
    int64_t searches = index_searches(t->scene->settings, "records");

    load_family(t);
    mark(t, "views", "p1");
    mark(t, "downloads", "p1");
    mark(t, "downloads", "p9");
    run_well(t);
    stats_are(t, "records", "r9", STATS(LEVEL(100, 50, 0, 0, 0.0), LEVEL(100, 50, 0, 0, 0.0)));
    assert_int_equal(index_searches(t->scene->settings, "records") - searches, 1);
    assert_int_equal(marks_left(t, "views") + marks_left(t, "downloads"), 0);
}

static void one_view_of_a_hundred_versions_costs_a_handful_of_searches(void **state)
{
    struct stage *t = *state;
    const struct settings *s = t->scene->settings;
    int64_t views, downloads, records, writes;

    for (int i = 0; i < 100; i++) {
        char id[20];

        snprintf(id, sizeof id, "v%d", i);
        load_record(t, id, "p", 1 + i, "one of many");
    }
    load_view(t, "a", "v7", "p", 1, 1);
    views = index_searches(s, "agg-views");
    downloads = index_searches(s, "agg-downloads");
    records = index_searches(s, "records");
    writes = index_writes(s, "records");
    mark(t, "views", "p");
    run_well(t);
    assert_int_equal(index_searches(s, "agg-views") - views, 1);
    assert_int_equal(index_searches(s, "agg-downloads") - downloads, 1);
    assert_int_equal(index_searches(s, "records") - records, 1);
    assert_int_equal(index_writes(s, "records") - writes, 100);
    stats_are(t, "records", "v7", STATS(LEVEL(1, 1, 0, 0, 0.0), LEVEL(1, 1, 0, 0, 0.0)));
    stats_are(t, "records", "v99", STATS(LEVEL(0, 0, 0, 0, 0.0), LEVEL(1, 1, 0, 0, 0.0)));
}

static void what_is_as_it_should_be_is_not_written(void **state)
{
    struct stage *t = *state;
    int64_t writes;

    load_family(t);
    mark(t, "views", "p1");
    run_well(t);
    writes = index_writes(t->scene->settings, "records");
    mark(t, "views", "p1");
    run_well(t);
    assert_int_equal(index_writes(t->scene->settings, "records"), writes);
    assert_int_equal(marks_left(t, "views"), 0);
}

static void more_parents_than_a_page_are_worked_off_at_the_rate_allowed(void **state)
{
    struct stage *t = *state;
    int64_t start_ms;

    for (int i = 0; i < 40; i++) {
        char record[20], parent[20], aggregate[20];

        snprintf(record, sizeof record, "r%d", i);
        snprintf(parent, sizeof parent, "p%d", i);
        snprintf(aggregate, sizeof aggregate, "a%d", i);
        load_record(t, record, parent, 1, "x");
        load_view(t, aggregate, record, parent, 1 + i, 1);
        mark(t, "views", parent);
    }
    start_ms = clock_monotonic_ms();
    run_well(t);
    assert_true(clock_monotonic_ms() - start_ms >= 1800); /* 40 at 20 a second, the first two at once */
    stats_are(t, "records", "r39", STATS(LEVEL(40, 1, 0, 0, 0.0), LEVEL(40, 1, 0, 0, 0.0)));
    assert_int_equal(marks_left(t, "views"), 0);
}

/* ------------------------------------------------------------------------------------- the platform's own documents */

static void the_version_stays_the_platforms_and_its_next_write_goes_through(void **state)
{
    struct stage *t = *state;
    json_t *document;

    load_family(t);
    mark(t, "views", "p1");
    run_well(t);
    document = get(t, "records", "r1");
    assert_int_equal(json_integer_value(json_object_get(document, "_version")), 7);
    assert_string_equal(json_member_text(json_object_get(document, "_source"), "title", ""), "first");
    json_decref(document);
    load_record(t, "r1", "p1", 7, "the same revision again"); /* fails the test where it is refused */
    load_record(t, "r1", "p1", 8, "edited");
    document = get(t, "records", "r1");
    assert_int_equal(json_integer_value(json_object_get(document, "_version")), 8);
    json_decref(document);
}

static void a_document_without_a_version_of_its_own_is_written_just_so(void **state)
{
    struct stage *t = *state;

    load_record(t, "plain", "p1", 0, "x");
    load_view(t, "a1", "plain", "p1", 2, 1);
    mark(t, "views", "p1");
    run_well(t);
    stats_are(t, "records", "plain", STATS(LEVEL(2, 1, 0, 0, 0.0), LEVEL(2, 1, 0, 0, 0.0)));
    load_record(t, "plain", "p1", 0, "written again");
}

/* The third call comes while the rate lets the third document wait: the search has seen it, and it is not read yet. */
static bool edit_and_go_on(struct clock_run *run, struct error *err)
{
    struct stage *t = (struct stage *)((char *)run - offsetof(struct stage, run));

    (void)err;
    if (++t->calls == 3)
        load_record(t, "r3", "p1", 9, "edited meanwhile");
    return true;
}

static void what_the_platform_writes_after_the_search_is_kept(void **state)
{
    struct stage *t = *state;
    json_t *document;

    load_family(t);
    mark(t, "views", "p1");
    t->run.may_go_on = edit_and_go_on;
    run_well(t);
    assert_true(t->calls >= 3);
    document = get(t, "records", "r3");
    assert_int_equal(json_integer_value(json_object_get(document, "_version")), 9);
    assert_string_equal(json_member_text(json_object_get(document, "_source"), "title", ""), "edited meanwhile");
    json_decref(document);
    stats_are(t, "records", "r3", STATS(LEVEL(0, 0, 0, 0, 0.0), LEVEL(17, 9, 3, 1, 1500.5)));
}

/* The platform in a thread of its own: revision after revision of one record, without our numbers. */
struct platform {
    const struct settings *settings;
    atomic_bool done;
    int refused;
};

static void *publish(void *context)
{
    struct platform *p = context;
    char lines[300];

    for (int revision = 10; revision < 10 + REVISIONS; revision++) {
        json_t *answer;

        snprintf(lines, sizeof lines,
                 "{\"index\":{\"_index\":\"%srecords\",\"_id\":\"r1\",\"version\":%d,\"version_type\":"
                 "\"external_gte\"}}\n{\"id\":\"r1\",\"parent\":{\"id\":\"p1\"},\"title\":\"%d\"}\n",
                 p->settings->opensearch.prefix, revision, revision);
        answer = index_ask(p->settings, "POST", "/_bulk", lines);
        p->refused += json_is_true(json_object_get(answer, "errors"));
        json_decref(answer);
    }
    atomic_store(&p->done, true);
    return NULL;
}

static void a_platform_that_writes_all_the_time_never_loses_a_revision(void **state)
{
    struct stage *t = *state;
    struct platform platform = {.settings = t->scene->settings};
    pthread_t thread;
    json_t *document;
    int runs = 0;

    load_family(t);
    assert_int_equal(pthread_create(&thread, NULL, publish, &platform), 0);
    for (; !atomic_load(&platform.done); runs++) {
        mark(t, "views", "p1");
        if (!run(t) && !strstr(t->err.text, "all the time"))
            fail_msg("%s", t->err.text);
    }
    pthread_join(thread, NULL);
    assert_int_equal(platform.refused, 0);
    assert_true(runs > 1);
    mark(t, "views", "p1");
    run_well(t);
    document = get(t, "records", "r1");
    assert_int_equal(json_integer_value(json_object_get(document, "_version")), 9 + REVISIONS);
    assert_int_equal(atoi(json_member_text(json_object_get(document, "_source"), "title", "")), 9 + REVISIONS);
    json_decref(document);
    stats_are(t, "records", "r1", STATS(LEVEL(7, 5, 0, 0, 0.0), LEVEL(17, 9, 3, 1, 1500.5)));
    assert_int_equal(marks_left(t, "views"), 0);
}

/* ---------------------------------------------------------------------------------------------------- bad days */

static void a_failed_query_writes_nothing_and_the_marks_stay(void **state)
{
    struct stage *t = *state;
    int64_t writes;

    load_family(t);
    mark(t, "views", "p1");
    run_well(t);
    make_index(t->scene, "agg-downloads", AGGREGATES("text")); /* no sums by such a field */
    load_download(t, "d1", "r2", "p1", 3, 1, 1500.5);
    writes = index_writes(t->scene->settings, "records");
    mark(t, "views", "p1");
    mark(t, "downloads", "p9");
    assert_false(run(t));
    assert_int_equal(t->err.kind, ERROR_AGAIN);
    assert_non_null(strstr(t->err.text, "download-agg"));
    assert_int_equal(index_writes(t->scene->settings, "records"), writes);
    assert_int_equal(marks_left(t, "views"), 1);
    assert_int_equal(marks_left(t, "downloads"), 1);
}

static void numbers_of_an_aggregation_that_is_gone_stay_as_they_are(void **state)
{
    struct stage *t = *state;

    load_family(t);
    mark(t, "views", "p1");
    run_well(t);
    index_delete(t->scene->settings, "agg-downloads");
    load_view(t, "a5", "r3", "p1", 1, 1);
    mark(t, "views", "p1");
    run_well(t);
    stats_are(t, "records", "r2", STATS(LEVEL(10, 4, 3, 1, 1500.5), LEVEL(18, 10, 3, 1, 1500.5)));
    stats_are(t, "records", "r3", STATS(LEVEL(1, 1, 0, 0, 0.0), LEVEL(18, 10, 3, 1, 1500.5)));
}

static void without_record_documents_the_marks_stay(void **state)
{
    struct stage *t = *state;

    load_family(t);
    index_delete(t->scene->settings, "records");
    mark(t, "views", "p1");
    assert_false(run(t));
    assert_non_null(strstr(t->err.text, "records"));
    assert_int_equal(marks_left(t, "views"), 1);
}

static void a_refused_document_holds_up_its_own_parent_alone(void **state)
{
    struct stage *t = *state;
    char path[100];

    load_family(t);
    mark(t, "views", "p1");
    mark(t, "views", "p9");
    snprintf(path, sizeof path, "/%srecords/_mapping", t->scene->settings->opensearch.prefix);
    json_decref(
        index_ask(t->scene->settings, "PUT", path,
                  "{\"properties\":{\"stats\":{\"properties\":{\"this_version\":{\"properties\":{\"views\":"
                  "{\"type\":\"byte\"}}},\"all_versions\":{\"properties\":{\"views\":{\"type\":\"byte\"}}}}}}}"));
    load_view(t, "a9", "r9", "p9", 200, 1); /* 300 is no byte */
    assert_false(run(t));
    assert_non_null(strstr(t->err.text, "records/r9"));
    stats_are(t, "records", "r1", STATS(LEVEL(7, 5, 0, 0, 0.0), LEVEL(17, 9, 3, 1, 1500.5)));
    assert_int_equal(marks_left(t, "views"), 1);
}

static void without_opensearch_the_marks_stay(void **state)
{
    struct stage *t = *state;
    struct fault_proxy *proxy = fault_proxy_start(port_find()); /* leads nowhere */
    struct opensearch_settings away = t->scene->settings->opensearch;
    struct client *client = t->handler->client;

    away.url = (char *)(uintptr_t)fault_proxy_url(proxy);
    t->handler->client = client_new(&away);
    mark(t, "views", "p1");
    assert_false(run(t));
    assert_int_equal(t->err.kind, ERROR_AGAIN);
    assert_int_equal(marks_left(t, "views"), 1);
    client_free(t->handler->client);
    t->handler->client = client;
    fault_proxy_free(proxy);
}

/* -------------------------------------------------------------------------------------------------- the side index */

static void with_a_side_index_the_record_documents_are_left_alone(void **state)
{
    struct stage *t = *state;
    int64_t writes;
    json_t *document;

    load_family(t);
    writes = index_writes(t->scene->settings, "records");
    mark(t, "views", "p1");
    run_well(t);
    assert_int_equal(index_writes(t->scene->settings, "records"), writes);
    stats_are(t, "beside", "r2", STATS(LEVEL(10, 4, 3, 1, 1500.5), LEVEL(17, 9, 3, 1, 1500.5)));
    document = get(t, "beside", "r2");
    assert_string_equal(json_member_text(json_object_get(document, "_source"), "id", ""), "r2");
    assert_string_equal(json_member_text(json_object_get(document, "_source"), "parent", ""), "p1");
    assert_non_null(json_at(document, "_source.updated_timestamp"));
    json_decref(document);
    assert_int_equal(index_count(t->scene->settings, "beside"), 3);
}

static void a_side_document_is_written_again_only_where_it_changed(void **state)
{
    struct stage *t = *state;
    int64_t writes;

    load_family(t);
    mark(t, "views", "p1");
    run_well(t);
    writes = index_writes(t->scene->settings, "beside");
    mark(t, "views", "p1");
    run_well(t);
    assert_int_equal(index_writes(t->scene->settings, "beside"), writes);
    load_view(t, "a5", "r3", "p1", 1, 1);
    mark(t, "views", "p1");
    run_well(t);
    assert_int_equal(index_writes(t->scene->settings, "beside") - writes, 3);
    stats_are(t, "beside", "r3", STATS(LEVEL(1, 1, 0, 0, 0.0), LEVEL(18, 10, 3, 1, 1500.5)));
}

static void a_side_document_that_a_clock_set_wrong_wrote_is_brought_up_to_date(void **state)
{
    struct stage *t = *state;

    load_family(t);
    load(t, "beside", "r2", ",\"version\":9000000000000000,\"version_type\":\"external\"",
         "{\"id\":\"r2\",\"parent\":\"p1\"}");
    mark(t, "views", "p1");
    run_well(t);
    stats_are(t, "beside", "r2", STATS(LEVEL(10, 4, 3, 1, 1500.5), LEVEL(17, 9, 3, 1, 1500.5)));
    assert_int_equal(marks_left(t, "views"), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_changed_parent_brings_its_numbers_to_all_of_its_versions, setup, teardown),
        cmocka_unit_test_setup_teardown(marks_of_both_aggregations_are_one_page, setup, teardown),
        cmocka_unit_test_setup_teardown(one_view_of_a_hundred_versions_costs_a_handful_of_searches, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_as_it_should_be_is_not_written, setup, teardown),
        cmocka_unit_test_setup_teardown(more_parents_than_a_page_are_worked_off_at_the_rate_allowed, setup_small,
                                        teardown),
        cmocka_unit_test_setup_teardown(the_version_stays_the_platforms_and_its_next_write_goes_through, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_document_without_a_version_of_its_own_is_written_just_so, setup, teardown),
        cmocka_unit_test_setup_teardown(what_the_platform_writes_after_the_search_is_kept, setup_slow, teardown),
        cmocka_unit_test_setup_teardown(a_platform_that_writes_all_the_time_never_loses_a_revision, setup, teardown),
        cmocka_unit_test_setup_teardown(a_failed_query_writes_nothing_and_the_marks_stay, setup, teardown),
        cmocka_unit_test_setup_teardown(numbers_of_an_aggregation_that_is_gone_stay_as_they_are, setup, teardown),
        cmocka_unit_test_setup_teardown(without_record_documents_the_marks_stay, setup, teardown),
        cmocka_unit_test_setup_teardown(a_refused_document_holds_up_its_own_parent_alone, setup, teardown),
        cmocka_unit_test_setup_teardown(without_opensearch_the_marks_stay, setup, teardown),
        cmocka_unit_test_setup_teardown(with_a_side_index_the_record_documents_are_left_alone, setup_side, teardown),
        cmocka_unit_test_setup_teardown(a_side_document_is_written_again_only_where_it_changed, setup_side, teardown),
        cmocka_unit_test_setup_teardown(a_side_document_that_a_clock_set_wrong_wrote_is_brought_up_to_date, setup_side,
                                        teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
