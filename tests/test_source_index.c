/* Another index as a source: documents by id, and walks that go on in another process. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/http.h"
#include "support/search_index.h"
#include "support/server.h"
#include "support/source_stage.h"

enum { MANY = 300 };

struct fixture {
    struct source_stage *stage;
};

static void open_stage(struct fixture *f, const char *more)
{
    struct buf ini = BUF_INIT;

    if (f->stage)
        source_stage_close(f->stage);
    buf_printf(&ini, "[opensearch]\nurl = %s\nprefix = %s\n[source s]\ntype = index\n%s",
               opensearch_server_url(opensearch_server_start()), test_prefix(), more);
    f->stage = source_stage_open(ini.data);
    buf_release(&ini);
}

static void load(struct fixture *f, const char *id, int version, const char *more, const char *document)
{
    struct buf line = BUF_INIT;

    buf_printf(
        &line,
        "{\"index\":{\"_index\":\"%sorigin\",\"_id\":\"%s\",\"version\":%d,\"version_type\":\"external\"%s}}\n%s\n",
        test_prefix(), id, version, more, document);
    index_bulk(f->stage->settings, line.data);
    buf_release(&line);
}

/* MANY documents over five shards, the versions counted up. */
static void load_many(struct fixture *f)
{
    struct buf lines = BUF_INIT;

    for (int i = 0; i < MANY; i++)
        buf_printf(
            &lines,
            "{\"index\":{\"_index\":\"%sorigin\",\"_id\":\"d%04d\",\"version\":%d,\"version_type\":\"external\"}}\n"
            "{\"pid\": \"p%04d\", \"n\": %d, \"updated\": \"2026-01-%02dT00:00:00Z\"}\n",
            test_prefix(), i, i + 10, i, MANY - i, i % 28 + 1);
    index_bulk(f->stage->settings, lines.data);
    buf_release(&lines);
}

static int setup(void **state)
{
    struct fixture *f = *state = xcalloc(1, sizeof *f);
    char path[100];

    open_stage(f, "index = origin\n");
    index_delete(f->stage->settings, "origin");
    snprintf(path, sizeof path, "/%sorigin", test_prefix());
    json_decref(
        index_ask(f->stage->settings, "PUT", path,
                  "{\"settings\":{\"number_of_shards\":5,\"refresh_interval\":\"-1\"},\"mappings\":{\"properties\":"
                  "{\"pid\":{\"type\":\"keyword\"},\"n\":{\"type\":\"integer\"},\"updated\":{\"type\":\"date\"}}}}"));
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    index_delete(f->stage->settings, "origin");
    source_stage_close(f->stage);
    free(f);
    return 0;
}

static void assert_body(const struct source_document *d, const char *body)
{
    assert_int_equal(d->body.length, strlen(body));
    assert_memory_equal(d->body.text, body, d->body.length);
}

static void documents_come_by_id_as_they_are_before_any_refresh(void **state)
{
    struct fixture *f = *state;
    struct span ids[] = {span_of("b"), span_of("none"), span_of("a")};
    struct source_document out[3];
    char path[200];

    snprintf(path, sizeof path, "/%sorigin/_doc/a?version=7&version_type=external", test_prefix());
    json_decref(index_ask(f->stage->settings, "PUT", path, "{\"big\": 1e20, \"t\": \"\\u00e9\"}"));
    snprintf(path, sizeof path, "/%sorigin/_doc/b?version=8&version_type=external", test_prefix());
    json_decref(index_ask(f->stage->settings, "PUT", path, "{}"));
    assert_true(source_get(f->stage->source, ids, 3, f->stage->arena, out, &f->stage->err));
    assert_true(out[0].found && !out[1].found && out[2].found);
    assert_int_equal(out[0].version, 8);
    assert_int_equal(out[2].version, 7);
    assert_body(&out[2], "{\"big\":1e20,\"t\":\"\\u00e9\"}");
}

static void parts_are_found_by_their_paths_and_the_newest_of_an_id_counts(void **state)
{
    struct fixture *f = *state;
    struct source_document d;

    open_stage(f, "index = origin\nid = pid\nversion = v.n\ndocument = doc\n");
    load(f, "x1", 1, ",\"routing\":\"r\"", "{\"pid\":\"a\",\"v\":{\"n\":4},\"doc\":{\"old\":1}}");
    load(f, "x2", 1, ",\"routing\":\"r\"", "{\"pid\":\"a\",\"v\":{\"n\":5},\"doc\":{\"new\":1}}");
    d = source_stage_get(f->stage, "a");
    assert_int_equal(d.version, 5);
    assert_body(&d, "{\"new\":1}");
    assert_true(span_is(d.routing, "r"));
    assert_true(span_is(d.id, "a"));
    assert_false(source_stage_get(f->stage, "b").found);
}

static void an_index_that_is_not_there_is_waited_for(void **state)
{
    struct fixture *f = *state;
    struct source_walk walk = {.position = SPAN_NONE, .most = 5};
    struct source_document d, *docs;
    struct span id = span_of("a");
    size_t count;

    open_stage(f, "index = nowhere\n");
    assert_false(source_get(f->stage->source, &id, 1, f->stage->arena, &d, &f->stage->err));
    assert_int_equal(f->stage->err.kind, ERROR_AGAIN);
    assert_false(source_page(f->stage->source, &walk, f->stage->arena, &docs, &count, &f->stage->err));
    assert_int_equal(f->stage->err.kind, ERROR_AGAIN);
    assert_non_null(strstr(f->stage->err.text, "no index nowhere"));
}

/* Every document of load_many in what a walk gave, each once. */
static void assert_whole(const char *walked)
{
    size_t lines = 0;
    char line[40];

    for (const char *at = walked; *at; at++)
        lines += *at == '\n';
    assert_int_equal(lines, MANY);
    for (int i = 0; i < MANY; i++) {
        snprintf(line, sizeof line, "d%04d@%d {\"pid\":\"p%04d\",", i, i + 10, i);
        if (!strstr(walked, line))
            fail_msg("%s is missing", line);
    }
}

/* A page of 4 may end between five documents with one number, one of each shard. */
static void a_walk_gives_every_document_once_whatever_the_pages(void **state)
{
    static const char *const orders[] = {"index = origin\n", "index = origin\norder = n\n",
                                         "index = origin\norder = updated\n"};
    static const size_t sizes[] = {4, 50, 1000};
    struct fixture *f = *state;

    load_many(f);
    for (size_t o = 0; o < ARRAY_LENGTH(orders); o++)
        for (size_t i = 0; i < ARRAY_LENGTH(sizes); i++) {
            char *walked;

            open_stage(f, orders[o]);
            walked = source_stage_walk(f->stage, 0, sizes[i], i != 0);
            assert_whole(walked);
            free(walked);
        }
}

static void a_walk_comes_by_what_is_written_meanwhile_and_loses_nothing(void **state)
{
    struct fixture *f = *state;
    struct source_walk walk = {.position = SPAN_NONE, .most = 20};
    struct source_document *docs;
    bool seen[MANY] = {false};
    size_t count, pages = 0;

    load_many(f);
    do {
        if (pages % 3 == 2) { /* as another process would, after a change of what was and was not seen yet */
            load(f, "d0000", 1000 + (int)pages, "", "{\"n\":1}");
            load(f, "d0299", 1000 + (int)pages, "", "{\"n\":1}");
            source_free(f->stage->source);
            f->stage->source = source_new(f->stage->settings, "s", &f->stage->err);
        }
        assert_true(source_page(f->stage->source, &walk, f->stage->arena, &docs, &count, &f->stage->err));
        for (size_t i = 0; i < count; i++)
            seen[atoi(docs[i].id.text + 1)] = true;
    } while (count > 0 && ++pages < 1000);
    assert_int_equal(count, 0);
    for (int i = 0; i < MANY; i++)
        assert_true(seen[i]);
}

static void what_changed_since_can_be_asked(void **state)
{
    static const int64_t january_20_us = INT64_C(1768867200) * 1000000;
    struct fixture *f = *state;
    int64_t count;
    char *walked;

    load_many(f);
    open_stage(f, "index = origin\nchanged = updated\n");
    assert_true(source_count(f->stage->source, january_20_us, &count, &f->stage->err));
    assert_int_equal(count, 91);
    walked = source_stage_walk(f->stage, january_20_us, 10, true);
    assert_null(strstr(walked, "2026-01-19"));
    assert_non_null(strstr(walked, "2026-01-20"));
    free(walked);
    assert_true(source_count(f->stage->source, 0, &count, &f->stage->err));
    assert_int_equal(count, MANY);
}

static void a_position_of_another_kind_is_refused(void **state)
{
    static const char *const positions[] = {"next /a", "{}", "[1", "[1]}"};
    struct fixture *f = *state;
    struct source_document *docs;
    size_t count;

    for (size_t i = 0; i < ARRAY_LENGTH(positions); i++) {
        struct source_walk walk = {.position = span_of(positions[i]), .most = 5};

        assert_false(source_page(f->stage->source, &walk, f->stage->arena, &docs, &count, &f->stage->err));
        assert_int_equal(f->stage->err.kind, ERROR_INPUT);
    }
}

static void another_cluster_is_named_by_its_url(void **state)
{
    struct fixture *f = *state;
    struct buf more = BUF_INIT;

    load(f, "a", 7, "", "{\"n\":1}");
    buf_printf(&more, "index = %sorigin\nurl = %s\n", test_prefix(), opensearch_server_url(opensearch_server_start()));
    open_stage(f, more.data);
    assert_int_equal(source_stage_get(f->stage, "a").version, 7);
    buf_release(&more);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(documents_come_by_id_as_they_are_before_any_refresh, setup, teardown),
        cmocka_unit_test_setup_teardown(parts_are_found_by_their_paths_and_the_newest_of_an_id_counts, setup, teardown),
        cmocka_unit_test_setup_teardown(an_index_that_is_not_there_is_waited_for, setup, teardown),
        cmocka_unit_test_setup_teardown(a_walk_gives_every_document_once_whatever_the_pages, setup, teardown),
        cmocka_unit_test_setup_teardown(a_walk_comes_by_what_is_written_meanwhile_and_loses_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(what_changed_since_can_be_asked, setup, teardown),
        cmocka_unit_test_setup_teardown(a_position_of_another_kind_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(another_cluster_is_named_by_its_url, setup, teardown),
    };

    http_global_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
