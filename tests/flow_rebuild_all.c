/* All indices that handlers write to, made anew one after the other; and copies that are behind, by their relations. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/json.h"
#include "support/past.h"
#include "support/search_index.h"

enum { PERSONS = 50, RECORDS = 400 };

static const char ini[] =
    "[redis]\nurl = REDIS\n[opensearch]\nurl = SEARCH\nprefix = PREFIX\n"
    "[queue main]\nevents = **\n[event view]\nunique = id\n"
    "[source persons]\ntype = index\nindex = persons\n"
    "[handler spread]\ntype = denormalize\nqueue = main\nevents = person.*\nindex = records\nsource = persons\n"
    "match = creator.id\ncopy = creator.name<-data.name\nrevision = creator.revision\n"
    "[handler own]\ntype = record\nqueue = main\nevents = person.*\nindex = persons\n"
    "[handler views]\ntype = statistics\nqueue = main\nevents = view\nindex = views-{time:%Y}\n"
    "[handler journal]\ntype = audit\nqueue = main\nevents = crier.**\nindex = journal-{time:%Y}\n";

static json_t *ask(struct scene *s, const char *method, const char *rest, const char *body)
{
    char path[300];

    snprintf(path, sizeof path, "/%s%s", s->settings->opensearch.prefix, rest);
    return index_ask(s->settings, method, path, body);
}

static void make_index(struct scene *s, const char *name)
{
    char index[100], body[700];

    snprintf(index, sizeof index, "%s-1", name);
    snprintf(body, sizeof body,
             "{\"settings\":{\"number_of_shards\":1,\"number_of_replicas\":0},\"aliases\":{\"%s%s\":{}},\"mappings\":"
             "{\"properties\":{\"creator\":{\"properties\":{\"id\":{\"type\":\"keyword\"},\"revision\":{\"type\":"
             "\"long\"}}}}}}",
             s->settings->opensearch.prefix, name);
    json_decref(ask(s, "PUT", index, body));
}

/* Records of persons: the copies of every other person are of an older revision. */
static void fill(struct scene *s)
{
    const char *prefix = s->settings->opensearch.prefix;
    struct buf lines = BUF_INIT;

    for (int i = 0; i < PERSONS; i++)
        buf_printf(
            &lines,
            "{\"index\":{\"_index\":\"%spersons\",\"_id\":\"u%d\",\"version\":7,\"version_type\":\"external\"}}\n"
            "{\"name\":\"Person %d\"}\n",
            prefix, i, i);
    for (int i = 0; i < RECORDS; i++)
        buf_printf(
            &lines,
            "{\"index\":{\"_index\":\"%srecords\",\"_id\":\"r%d\",\"version\":3,\"version_type\":\"external\"}}\n"
            "{\"creator\":{\"id\":\"u%d\",\"name\":\"%s %d\",\"revision\":%d}}\n",
            prefix, i, i % PERSONS, i % 2 ? "Person" : "Old", i % PERSONS, i % 2 ? 7 : 6);
    index_bulk(s->settings, lines.data);
    buf_release(&lines);
}

static int setup(void **state)
{
    struct scene *s = scene_open(ini);

    make_index(s, "persons");
    make_index(s, "records");
    fill(s);
    json_decref(ask(s, "POST", "*/_refresh", NULL));
    *state = s;
    return 0;
}

static int teardown(void **state)
{
    struct scene *s = *state;
    json_t *there = ask(s, "GET", "*", NULL), *index;
    const char *name;

    json_object_foreach(there, name, index)
        json_decref(ask(s, "DELETE", name + strlen(s->settings->opensearch.prefix), NULL));
    json_decref(there);
    scene_close(s);
    return 0;
}

static void a_list_says_what_would_be_done_and_does_nothing(void **state)
{
    struct scene *s = *state;
    const char *const words[] = {"reindex", "--all", "--json", NULL};

    assert_int_equal(past_crier(s,
                                "\"index\": \"records\", \"handler\": \"spread\", \"source\": \"index\", "
                                "\"documents\": 400, \"seconds\": 1, \"what\": \"crier reindex\"",
                                words),
                     0);
    assert_int_equal(past_crier(s, "\"what\": \"crier statistics reindex\"", words), 0);
    assert_int_equal(past_crier(s, "\"what\": \"what was written stays as it was\"", words), 0);
    assert_true(past_is_index(s, "records-1"));
    assert_int_equal(scene_redis(s, "EXISTS crier:{reindex}:runs")->integer, 0);
}

static void told_yes_it_does_them_one_after_the_other(void **state)
{
    struct scene *s = *state;
    char *before = past_dump(s, "records", false), *after;

    assert_int_equal(
        past_crier(s, "records is records-", (const char *const[]){"reindex", "--all", "--yes", "--drop", NULL}), 0);
    assert_false(past_is_index(s, "records-1"));
    assert_false(past_is_index(s, "persons-1"));
    after = past_dump(s, "records", false);
    assert_string_equal(before, after);
    assert_int_equal(scene_redis(s, "EXISTS crier:{reindex}:all")->integer, 0);
    free(before);
    free(after);
}

/* As if one of them had been done when it was cut off. */
static void cut_off_it_goes_on_with_those_that_are_left(void **state)
{
    struct scene *s = *state;

    scene_redis(s, "SET crier:{reindex}:all 1");
    assert_int_equal(
        past_crier(s, "", (const char *const[]){"reindex", "persons", "--drop", "--into", "persons-2", NULL}), 0);
    assert_int_equal(past_crier(s, "", (const char *const[]){"reindex", "--all", "--yes", "--drop", NULL}), 0);
    assert_true(past_is_index(s, "persons-2"));
    assert_false(past_is_index(s, "records-1"));
}

static void copies_that_are_behind_are_repaired_by_their_relations(void **state)
{
    struct scene *s = *state;
    const char *const words[] = {"reindex", "records", "--only", "stale", "--relations", "--json", NULL};
    char *after;

    assert_int_equal(past_crier(s, "\"documents\":400,\"behind\":25,\"gone\":0,\"repaired\":200", words), 0);
    after = past_dump(s, "records", false);
    assert_null(strstr(after, "Old"));
    assert_null(strstr(after, "\"revision\":6"));
    assert_non_null(strstr(after, "r0 3 ")); /* at its own version */
    free(after);
    assert_int_equal(past_crier(s, "\"repaired\":0", words), 0);
    assert_int_equal(past_crier(s, "no handler of type denormalize",
                                (const char *const[]){"reindex", "persons", "--only", "stale", "--relations", NULL}),
                     1);
}

#define ON_STAGE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_STAGE(a_list_says_what_would_be_done_and_does_nothing),
        ON_STAGE(told_yes_it_does_them_one_after_the_other),
        ON_STAGE(cut_off_it_goes_on_with_those_that_are_left),
        ON_STAGE(copies_that_are_behind_are_repaired_by_their_relations),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
