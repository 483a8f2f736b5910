/* Copies in documents that are odd or refused, in indices that are missing or many: each concerns itself alone. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/http.h"
#include "notifier/dead.h"
#include "support/denormalize_stage.h"
#include "support/scene.h"
#include "support/search_index.h"
#include "support/work.h"

static int setup_small_pages(void **state)
{
    denormalize_stage_open(state, HANDLER("page = 2\n"));
    return 0;
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

#define HUGE_NUMBER "{\"user\":{\"id\":\"9\",\"name\":\"old\",\"n\":18446744073709551616,\"@v\":1}}"

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
    struct event e = denormalize_change(s, 1, 2);
    char *documents;

    denormalize_make_members(s, MAPPED("keyword", "\"dynamic\":false,"));
    load_member(s, "first", "", "{\"n\":300,\"user\":{\"id\":\"1\",\"name\":\"old\",\"@v\":1}}");
    denormalize_load(s, 20, 2);
    map_n_as_byte(s); /* 300 is none: it is refused from now on */
    scene_append(s, &e, 1);
    work_off(s, "members");
    documents = index_dump(s->settings, "members");
    assert_int_equal(denormalize_occurrences(documents, "User 1 at 2"), 10);
    assert_non_null(strstr(dead_alone(s)->reason, "members/first"));
    free(documents);
}

static void a_refused_document_is_no_fault_of_a_subject_whose_copy_in_it_is_new(void **state)
{
    struct scene *s = *state;
    struct event events[] = {denormalize_change(s, 1, 2), denormalize_change(s, 2, 3)};

    denormalize_make_members(s, MAPPED("keyword", "\"dynamic\":false,"));
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
        denormalize_change(s, 0, 2),
        denormalize_change(s, 1, 2),
        scene_event(s, "user.updated", "odd", "users/no-number", 2, "{\"full_name\":\"x\"}"),
        denormalize_change(s, 2, 2),
    };
    char *documents;

    denormalize_make_members(s, MAPPED("long", ""));
    denormalize_load(s, 9, 3);
    scene_append(s, events, 4);
    work_off(s, "members");
    documents = index_dump(s->settings, "members");
    assert_int_equal(denormalize_occurrences(documents, " at 2\""), 9);
    assert_true(span_is(dead_alone(s)->event.subject, "users/no-number"));
    free(documents);
}

static void a_document_that_cannot_be_read_concerns_its_own_subjects_alone(void **state)
{
    struct scene *s = *state;
    struct event events[] = {denormalize_change(s, 0, 2), denormalize_change(s, 1, 2), denormalize_change(s, 9, 2)};
    char index[100], *documents;

    denormalize_make_members(s, MAPPED("keyword", "\"dynamic\":false,"));
    denormalize_load(s, 7, 2);
    load_member(s, "mine", "", "{\"user\":{\"id\":\"9\",\"name\":\"old\",\"@v\":1}}");
    load_member(s, "huge", "", HUGE_NUMBER);
    scene_append(s, events, 3);
    work_off(s, "members");
    assert_true(span_is(dead_alone(s)->event.subject, "users/9"));
    assert_non_null(strstr(dead_alone(s)->reply, "members/huge"));
    snprintf(index, sizeof index, "%smembers", s->settings->opensearch.prefix);
    delete_huge(s, index);
    documents = index_dump(s->settings, "members");
    assert_int_equal(denormalize_occurrences(documents, " at 2\""), 8);
    free(documents);
}

static void what_is_no_copy_in_a_document_stays_byte_for_byte(void **state)
{
    static const char around[] =
        "{ \"n\":18446744073709551616, \"x\":1.50e+1,\"y\":\"\\u00e9\",\"user\":%s ,\"z\":[ ] }";
    struct scene *s = *state;
    struct event e = denormalize_change(s, 9, 2);
    struct http *http = http_new(&(struct http_options){.connect_ms = 2000, .timeout_ms = 20000});
    struct http_reply reply = HTTP_REPLY_INIT;
    struct error err;
    char document[300], url[300];

    denormalize_make_members(s, MAPPED("keyword", "\"dynamic\":false,"));
    snprintf(document, sizeof document, around, "{\"id\":\"9\",\"name\":\"old\",\"@v\":1}");
    load_member(s, "odd", "", document);
    scene_append(s, &e, 1);
    work_off(s, "members");
    snprintf(url, sizeof url, "%s/%smembers/_source/odd", s->settings->opensearch.url, s->settings->opensearch.prefix);
    assert_true(http_send(http, &(struct http_request){.method = "GET", .url = url}, &reply, &err));
    snprintf(document, sizeof document, around,
             "{\"id\":\"9\",\"name\":\"User 9 at 2\",\"@v\":2,\"affiliation\":\"I2\"}");
    assert_string_equal(reply.body.data, document);
    buf_release(&reply.body);
    http_free(http);
}

static void an_index_without_sources_makes_a_dead_letter(void **state)
{
    struct scene *s = *state;
    struct event e = denormalize_change(s, 1, 2);

    denormalize_make_members(s, MAPPED("keyword", "\"_source\":{\"enabled\":false},"));
    denormalize_load(s, 2, 2);
    scene_append(s, &e, 1);
    work_off(s, "members");
    assert_non_null(strstr(dead_alone(s)->reply, "keeps no _source"));
}

/* Those of the page with the huge number are read one by one: by their routing, too. */
static void a_document_keeps_its_routing(void **state)
{
    struct scene *s = *state;
    struct event events[] = {denormalize_change(s, 1, 2), denormalize_change(s, 9, 2)};
    char id[20], index[100], *documents;

    denormalize_make_members(s, "{\"settings\":{\"number_of_shards\":5},\"mappings\":{\"dynamic\":false,\"properties\":"
                                "{\"user\":{\"properties\":{\"id\":{\"type\":\"keyword\"}}}}}}");
    for (int i = 0; i < 10; i++) {
        snprintf(id, sizeof id, "r%d", i);
        load_member(s, id, ",\"routing\":\"here\"", "{\"user\":{\"id\":\"1\",\"@v\":1}}");
    }
    scene_append(s, events, 1);
    work_off(s, "members");
    documents = index_dump(s->settings, "members");
    assert_int_equal(denormalize_occurrences(documents, "\n"), 10);
    assert_int_equal(denormalize_occurrences(documents, "User 1 at 2"), 10);
    free(documents);
    load_member(s, "huge", "", HUGE_NUMBER);
    events[0] = denormalize_change(s, 1, 3);
    scene_append(s, events, 2);
    work_off(s, "members");
    snprintf(index, sizeof index, "%smembers", s->settings->opensearch.prefix);
    delete_huge(s, index);
    documents = index_dump(s->settings, "members");
    assert_int_equal(denormalize_occurrences(documents, "\n"), 10);
    assert_int_equal(denormalize_occurrences(documents, "User 1 at 3"), 10);
    free(documents);
}

/* The indices behind an alias need not have the prefix. */
static void copies_behind_an_alias_are_reached_wherever_they_are(void **state)
{
    static const char old[] = "{\"user\":{\"id\":\"1\",\"name\":\"old\",\"@v\":1}}";
    struct scene *s = *state;
    const char *prefix = s->settings->opensearch.prefix;
    struct event events[] = {denormalize_change(s, 1, 2), denormalize_change(s, 9, 2)};
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
    assert_int_equal(denormalize_occurrences(documents, "User 1 at 2"), 2);
    free(documents);
    snprintf(path, sizeof path, "/%s,%s", one, two);
    json_decref(index_ask(s->settings, "DELETE", path, NULL));
    denormalize_make_members(s, MAPPED("keyword", "")); /* for the denormalize_stage_close */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(one_refused_document_keeps_no_other_from_the_change, setup_small_pages,
                                        denormalize_stage_close),
        cmocka_unit_test_setup_teardown(a_refused_document_is_no_fault_of_a_subject_whose_copy_in_it_is_new,
                                        denormalize_stage_setup, denormalize_stage_close),
        cmocka_unit_test_setup_teardown(a_subject_that_cannot_be_searched_for_spares_its_neighbours,
                                        denormalize_stage_setup, denormalize_stage_close),
        cmocka_unit_test_setup_teardown(a_document_that_cannot_be_read_concerns_its_own_subjects_alone,
                                        denormalize_stage_setup, denormalize_stage_close),
        cmocka_unit_test_setup_teardown(what_is_no_copy_in_a_document_stays_byte_for_byte, denormalize_stage_setup,
                                        denormalize_stage_close),
        cmocka_unit_test_setup_teardown(an_index_without_sources_makes_a_dead_letter, denormalize_stage_setup,
                                        denormalize_stage_close),
        cmocka_unit_test_setup_teardown(a_document_keeps_its_routing, denormalize_stage_setup, denormalize_stage_close),
        cmocka_unit_test_setup_teardown(copies_behind_an_alias_are_reached_wherever_they_are, denormalize_stage_setup,
                                        denormalize_stage_close),
    };

    http_global_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
