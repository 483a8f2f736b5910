/* Changes of users to the memberships that carry a copy of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/http.h"
#include "base/json.h"
#include "notifier/dead.h"
#include "support/scene.h"
#include "support/search_index.h"
#include "support/work.h"

#define HANDLER(rest)                                                                                                  \
    "[redis]\nurl = REDIS\n[opensearch]\nurl = SEARCH\nprefix = PREFIX\n[http]\nlisten = 127.0.0.1:0\n"                \
    "[queue changes]\nevents = user.*\n"                                                                               \
    "[handler members]\ntype = denormalize\nqueue = changes\nschedule = every 2s\nindex = members\n"                   \
    "match = user.id\ncopy = user.name<-data.full_name user.affiliation<-data.affiliation\n"                           \
    "revision = user.@v\n" rest

#define MAPPED(id_type, rest)                                                                                          \
    "{\"settings\":{\"index.refresh_interval\":\"-1\"},\"mappings\":{" rest "\"properties\":{\"user\":{"               \
    "\"properties\":{\"id\":{\"type\":\"" id_type                                                                      \
    "\"},\"name\":{\"type\":\"keyword\"},\"@v\":{\"type\":\"long\"}}}}}}"

/* The index as a test of its own wants it. */
static void make_members(struct scene *s, const char *body)
{
    char path[100];

    index_delete(s->settings, "members");
    snprintf(path, sizeof path, "/%smembers", s->settings->opensearch.prefix);
    json_decref(index_ask(s->settings, "PUT", path, body));
}

static void open_scene(void **state, const char *ini)
{
    struct scene *s = scene_open(ini);

    *state = s;
    make_members(s, MAPPED("keyword", ""));
}

static int setup(void **state)
{
    open_scene(state, HANDLER(""));
    return 0;
}

static int setup_clear(void **state)
{
    open_scene(state, HANDLER("on_delete = clear\n"));
    return 0;
}

static int setup_small_pages(void **state)
{
    open_scene(state, HANDLER("page = 2\n"));
    return 0;
}

static int teardown(void **state)
{
    struct scene *s = *state;

    index_delete(s->settings, "members");
    scene_close(s);
    return 0;
}

/* count memberships of each of users users, at revision 1. */
static void load_members(struct scene *s, int count, int users)
{
    struct buf lines = BUF_INIT;

    for (int i = 0; i < count; i++)
        buf_printf(&lines,
                   "{\"index\":{\"_index\":\"%smembers\",\"_id\":\"m%05d\"}}\n"
                   "{\"n\":%d,\"weight\":0.1,\"user\":{\"id\":\"%d\",\"name\":\"old\",\"@v\":1}}\n",
                   s->settings->opensearch.prefix, i, i, i % users);
    index_bulk(s->settings, lines.data);
    buf_release(&lines);
}

static struct event change(struct scene *s, int user, int revision)
{
    char id[40], subject[40], data[100];

    snprintf(id, sizeof id, "u%d-%d", user, revision);
    snprintf(subject, sizeof subject, "users/%d", user);
    snprintf(data, sizeof data, "{\"full_name\":\"User %d at %d\",\"affiliation\":\"I%d\"}", user, revision, revision);
    return scene_event(s, "user.updated", id, subject, revision, data);
}

static int occurrences(const char *text, const char *word)
{
    int count = 0;

    while ((text = strstr(text, word))) {
        count++;
        text++;
    }
    return count;
}

static void a_hundred_changes_of_one_user_cost_one_search_and_one_write_a_dependent(void **state)
{
    struct scene *s = *state;
    struct event events[100];
    int64_t writes, searches;
    char *documents;

    load_members(s, 300, 3);
    writes = index_writes(s->settings, "members");
    searches = index_searches(s->settings, "members");
    for (int i = 0; i < 100; i++)
        events[i] = change(s, 1, 2 + (i * 37) % 100); /* out of order */
    scene_append(s, events, 100);
    work_off(s, "members");
    documents = index_dump(s->settings, "members");
    assert_int_equal(occurrences(documents, "\"user\":{\"id\":\"1\",\"name\":\"User 1 at 101\",\"@v\":101,"
                                            "\"affiliation\":\"I101\"}"),
                     100);
    assert_int_equal(occurrences(documents, "\"name\":\"old\""), 200);
    assert_int_equal(occurrences(documents, "\"weight\":0.1,"), 300);
    assert_int_equal(index_writes(s->settings, "members") - writes, 100);
    assert_int_equal(index_searches(s->settings, "members") - searches, 2); /* one of them is index_dump's */
    free(documents);
}

static void an_old_revision_that_comes_late_changes_nothing(void **state)
{
    struct scene *s = *state;
    struct event newer = change(s, 1, 5), older = change(s, 1, 4), same = change(s, 1, 5);
    int64_t writes;
    char *before, *after;

    load_members(s, 20, 2);
    scene_append(s, &newer, 1);
    work_off(s, "members");
    before = index_dump(s->settings, "members");
    writes = index_writes(s->settings, "members");
    same.id = same.unique = span_of("again");
    scene_append(s, &older, 1);
    work_off(s, "members");
    scene_append(s, &same, 1);
    work_off(s, "members");
    after = index_dump(s->settings, "members");
    assert_string_equal(before, after);
    assert_int_equal(index_writes(s->settings, "members"), writes);
    free(before);
    free(after);
}

static void a_document_written_by_others_meanwhile_keeps_what_they_wrote(void **state)
{
    struct scene *s = *state;
    struct event e = change(s, 1, 2);
    char lines[300], *documents;

    load_members(s, 2, 2);
    /* written, not yet visible to a search, when the handler begins */
    snprintf(lines, sizeof lines,
             "{\"index\":{\"_index\":\"%smembers\",\"_id\":\"m00001\"}}\n"
             "{\"role\":\"owner\",\"user\":{\"id\":\"1\",\"name\":\"old\",\"@v\":1}}\n",
             s->settings->opensearch.prefix);
    json_decref(index_ask(s->settings, "POST", "/_bulk", lines));
    scene_append(s, &e, 1);
    work_off(s, "members");
    documents = index_dump(s->settings, "members");
    assert_non_null(strstr(documents, "m00001 {\"role\":\"owner\",\"user\":{\"id\":\"1\",\"name\":\"User 1 at 2\""));
    free(documents);
}

static void a_user_who_is_gone_is_cleared_and_does_not_come_back(void **state)
{
    struct scene *s = *state;
    struct event gone = scene_event(s, "user.deleted", "gone", "users/1", 7, NULL), late = change(s, 1, 6);
    char *documents;

    load_members(s, 4, 2);
    scene_append(s, &gone, 1);
    work_off(s, "members");
    scene_append(s, &late, 1);
    work_off(s, "members");
    documents = index_dump(s->settings, "members");
    assert_int_equal(occurrences(documents, "\"user\":{\"id\":\"1\",\"@v\":7}"), 2);
    assert_int_equal(occurrences(documents, "\"name\":\"old\""), 2);
    free(documents);
}

static void events_that_cannot_be_spread_are_dead_letters_with_the_reason(void **state)
{
    struct scene *s = *state;
    struct event events[] = {
        scene_event(s, "user.updated", "a", NULL, 1, "{\"full_name\":\"x\"}"),
        scene_event(s, "user.updated", "b", "users/1", 2, NULL),
        scene_event(s, "user.updated", "c", "users/0", 2, "{\"other\":1}"),
    };
    static const char *const reasons[] = {"no subject", "data cannot be used", "none of the fields"};
    struct dead_letter *letters;
    struct error err;
    size_t count;

    load_members(s, 2, 2);
    scene_append(s, events, 3);
    work_off(s, "members");
    assert_true(dead_list(s->redis, "changes", NULL, 10, s->arena, &letters, &count, &err));
    assert_int_equal(count, 3);
    for (size_t i = 0; i < count; i++)
        assert_non_null(strstr(letters[i].reason, reasons[i]));
}

/* The one dead letter. */
static const struct dead_letter *dead_alone(struct scene *s)
{
    struct dead_letter *letters;
    struct error err;
    size_t count;

    assert_true(dead_list(s->redis, "changes", NULL, 10, s->arena, &letters, &count, &err));
    assert_int_equal(count, 1);
    return letters;
}

/* A document of an index named in full; more: of its action line. */
static void load(struct scene *s, const char *index, const char *id, const char *more, const char *document)
{
    struct buf line = BUF_INIT;

    buf_printf(&line, "{\"index\":{\"_index\":\"%s\",\"_id\":\"%s\"%s}}\n%s\n", index, id, more, document);
    index_bulk(s->settings, line.data);
    buf_release(&line);
}

static void load_member(struct scene *s, const char *id, const char *more, const char *document)
{
    char index[100];

    snprintf(index, sizeof index, "%smembers", s->settings->opensearch.prefix);
    load(s, index, id, more, document);
}

#define HUGE_NUMBER "{\"n\":18446744073709551616,\"user\":{\"id\":\"9\",\"name\":\"old\",\"@v\":1}}"

/* What index_dump could not read either. */
static void delete_huge(struct scene *s, const char *index)
{
    char path[200];

    snprintf(path, sizeof path, "/%s/_doc/huge", index);
    json_decref(index_ask(s->settings, "DELETE", path, NULL));
}

static void map_n_as_byte(struct scene *s)
{
    char path[100];

    snprintf(path, sizeof path, "/%smembers/_mapping", s->settings->opensearch.prefix);
    json_decref(index_ask(s->settings, "PUT", path, "{\"properties\":{\"n\":{\"type\":\"byte\"}}}"));
}

static void one_refused_document_keeps_no_other_from_the_change(void **state)
{
    struct scene *s = *state;
    struct event e = change(s, 1, 2);
    char *documents;

    make_members(s, MAPPED("keyword", "\"dynamic\":false,"));
    load_member(s, "first", "", "{\"n\":300,\"user\":{\"id\":\"1\",\"name\":\"old\",\"@v\":1}}");
    load_members(s, 20, 2);
    map_n_as_byte(s); /* 300 is none: it is refused from now on */
    scene_append(s, &e, 1);
    work_off(s, "members");
    documents = index_dump(s->settings, "members");
    assert_int_equal(occurrences(documents, "User 1 at 2"), 10);
    assert_non_null(strstr(dead_alone(s)->reason, "members/first"));
    free(documents);
}

static void a_refused_document_is_no_fault_of_a_subject_whose_copy_in_it_is_new(void **state)
{
    struct scene *s = *state;
    struct event events[] = {change(s, 1, 2), change(s, 2, 3)};

    make_members(s, MAPPED("keyword", "\"dynamic\":false,"));
    load_member(s, "both", "",
                "{\"n\":300,\"user\":[{\"id\":\"1\",\"name\":\"old\",\"@v\":1},"
                "{\"id\":\"2\",\"name\":\"new\",\"@v\":3}]}");
    map_n_as_byte(s);
    scene_append(s, events, 2);
    work_off(s, "members");
    assert_true(span_is(dead_alone(s)->event.subject, "users/1"));
}

static void a_subject_that_cannot_be_searched_for_spares_its_neighbours(void **state)
{
    struct scene *s = *state;
    struct event events[] = {
        change(s, 0, 2),
        change(s, 1, 2),
        scene_event(s, "user.updated", "odd", "users/no-number", 2, "{\"full_name\":\"x\"}"),
        change(s, 2, 2),
    };
    char *documents;

    make_members(s, MAPPED("long", ""));
    load_members(s, 9, 3);
    scene_append(s, events, 4);
    work_off(s, "members");
    documents = index_dump(s->settings, "members");
    assert_int_equal(occurrences(documents, " at 2\""), 9);
    assert_true(span_is(dead_alone(s)->event.subject, "users/no-number"));
    free(documents);
}

static void a_document_that_cannot_be_read_concerns_its_own_subjects_alone(void **state)
{
    struct scene *s = *state;
    struct event events[] = {change(s, 0, 2), change(s, 1, 2), change(s, 9, 2)};
    char index[100], *documents;

    make_members(s, MAPPED("keyword", "\"dynamic\":false,"));
    load_members(s, 7, 2);
    load_member(s, "mine", "", "{\"user\":{\"id\":\"9\",\"name\":\"old\",\"@v\":1}}");
    load_member(s, "huge", "", HUGE_NUMBER);
    scene_append(s, events, 3);
    work_off(s, "members");
    assert_true(span_is(dead_alone(s)->event.subject, "users/9"));
    assert_non_null(strstr(dead_alone(s)->reply, "members/huge"));
    snprintf(index, sizeof index, "%smembers", s->settings->opensearch.prefix);
    delete_huge(s, index);
    documents = index_dump(s->settings, "members");
    assert_int_equal(occurrences(documents, " at 2\""), 8);
    free(documents);
}

/* How deep an event may be is the door's to say. */
static void data_nested_deeply_is_spread_all_the_same(void **state)
{
    enum { LEVELS = 200 };
    struct scene *s = *state;
    struct buf data = BUF_INIT;
    struct event e;
    char *documents;

    buf_add_text(&data, "{\"full_name\":\"deep\",\"other\":");
    for (int i = 0; i < LEVELS; i++)
        buf_add_char(&data, '[');
    for (int i = 0; i < LEVELS; i++)
        buf_add_char(&data, ']');
    buf_add_char(&data, '}');
    e = scene_event(s, "user.updated", "deep", "users/1", 2, data.data);
    load_members(s, 2, 2);
    scene_append(s, &e, 1);
    work_off(s, "members");
    documents = index_dump(s->settings, "members");
    assert_int_equal(occurrences(documents, "\"name\":\"deep\""), 1);
    free(documents);
    buf_release(&data);
}

static void an_index_without_sources_makes_a_dead_letter(void **state)
{
    struct scene *s = *state;
    struct event e = change(s, 1, 2);

    make_members(s, MAPPED("keyword", "\"_source\":{\"enabled\":false},"));
    load_members(s, 2, 2);
    scene_append(s, &e, 1);
    work_off(s, "members");
    assert_non_null(strstr(dead_alone(s)->reply, "keeps no _source"));
}

/* Those of the page with the huge number are read one by one: by their routing, too. */
static void a_document_keeps_its_routing(void **state)
{
    struct scene *s = *state;
    struct event events[] = {change(s, 1, 2), change(s, 9, 2)};
    char id[20], index[100], *documents;

    make_members(s, "{\"settings\":{\"number_of_shards\":5},\"mappings\":{\"dynamic\":false,\"properties\":"
                    "{\"user\":{\"properties\":{\"id\":{\"type\":\"keyword\"}}}}}}");
    for (int i = 0; i < 10; i++) {
        snprintf(id, sizeof id, "r%d", i);
        load_member(s, id, ",\"routing\":\"here\"", "{\"user\":{\"id\":\"1\",\"@v\":1}}");
    }
    scene_append(s, events, 1);
    work_off(s, "members");
    documents = index_dump(s->settings, "members");
    assert_int_equal(occurrences(documents, "\n"), 10);
    assert_int_equal(occurrences(documents, "User 1 at 2"), 10);
    free(documents);
    load_member(s, "huge", "", HUGE_NUMBER);
    events[0] = change(s, 1, 3);
    scene_append(s, events, 2);
    work_off(s, "members");
    snprintf(index, sizeof index, "%smembers", s->settings->opensearch.prefix);
    delete_huge(s, index);
    documents = index_dump(s->settings, "members");
    assert_int_equal(occurrences(documents, "\n"), 10);
    assert_int_equal(occurrences(documents, "User 1 at 3"), 10);
    free(documents);
}

/* The indices behind an alias need not have the prefix. */
static void copies_behind_an_alias_are_reached_wherever_they_are(void **state)
{
    static const char old[] = "{\"user\":{\"id\":\"1\",\"name\":\"old\",\"@v\":1}}";
    struct scene *s = *state;
    const char *prefix = s->settings->opensearch.prefix;
    struct event events[] = {change(s, 1, 2), change(s, 9, 2)};
    char one[100], two[100], path[210], body[300], *documents;

    snprintf(one, sizeof one, "one-%s", prefix);
    snprintf(two, sizeof two, "two-%s", prefix);
    snprintf(body, sizeof body,
             "{\"aliases\":{\"%smembers\":{}},\"mappings\":{\"dynamic\":false,\"properties\":"
             "{\"user\":{\"properties\":{\"id\":{\"type\":\"keyword\"}}}}}}",
             prefix);
    index_delete(s->settings, "members");
    snprintf(path, sizeof path, "/%s", one);
    json_decref(index_ask(s->settings, "PUT", path, body));
    snprintf(path, sizeof path, "/%s", two);
    json_decref(index_ask(s->settings, "PUT", path, body));
    load(s, one, "a", "", old);
    load(s, two, "b", "", old);
    load(s, two, "huge", "", HUGE_NUMBER); /* so that each is read for itself */
    scene_append(s, events, 2);
    work_off(s, "members");
    delete_huge(s, two);
    documents = index_dump(s->settings, "members");
    assert_int_equal(occurrences(documents, "User 1 at 2"), 2);
    free(documents);
    snprintf(path, sizeof path, "/%s,%s", one, two);
    json_decref(index_ask(s->settings, "DELETE", path, NULL));
    make_members(s, MAPPED("keyword", "")); /* for the teardown */
}

static void one_change_reaches_its_thousand_dependents_soon(void **state)
{
    struct scene *s = *state;
    struct event e = change(s, 1, 2);
    struct server *serve;
    int64_t start_ms;
    char *documents = NULL;
    bool done = false;

    load_members(s, 2000, 2);
    serve = crier_serve_start(s->config_path);
    start_ms = clock_monotonic_ms();
    scene_append(s, &e, 1);
    while (!done && clock_monotonic_ms() - start_ms < 20000) {
        free(documents);
        documents = index_dump(s->settings, "members");
        done = occurrences(documents, "User 1 at 2") == 1000;
    }
    print_message("1,000 dependents after %lld ms\n", (long long)(clock_monotonic_ms() - start_ms));
    assert_true(done); /* how long it took is printed: a shared machine makes no test of it */
    free(documents);
    server_stop(serve);
    server_free(serve);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_hundred_changes_of_one_user_cost_one_search_and_one_write_a_dependent, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(an_old_revision_that_comes_late_changes_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(a_document_written_by_others_meanwhile_keeps_what_they_wrote, setup, teardown),
        cmocka_unit_test_setup_teardown(a_user_who_is_gone_is_cleared_and_does_not_come_back, setup_clear, teardown),
        cmocka_unit_test_setup_teardown(events_that_cannot_be_spread_are_dead_letters_with_the_reason, setup, teardown),
        cmocka_unit_test_setup_teardown(one_refused_document_keeps_no_other_from_the_change, setup_small_pages,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_refused_document_is_no_fault_of_a_subject_whose_copy_in_it_is_new, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_subject_that_cannot_be_searched_for_spares_its_neighbours, setup, teardown),
        cmocka_unit_test_setup_teardown(a_document_that_cannot_be_read_concerns_its_own_subjects_alone, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(data_nested_deeply_is_spread_all_the_same, setup, teardown),
        cmocka_unit_test_setup_teardown(an_index_without_sources_makes_a_dead_letter, setup, teardown),
        cmocka_unit_test_setup_teardown(a_document_keeps_its_routing, setup, teardown),
        cmocka_unit_test_setup_teardown(copies_behind_an_alias_are_reached_wherever_they_are, setup, teardown),
        cmocka_unit_test_setup_teardown(one_change_reaches_its_thousand_dependents_soon, setup, teardown),
    };

    http_global_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
