/* How copies are searched for: the query, and what the index's mapping has to say about it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/http.h"
#include "base/json.h"
#include "handlers/relation/mapped.h"
#include "handlers/relation/relation.h"
#include "notifier/event.h"
#include "support/scene.h"
#include "support/search_index.h"

static struct relation_options with(struct relation_options o)
{
    char **texts[] = {&o.revision, &o.indexed_at, &o.deleted, &o.only_when, &o.subjects};

    for (size_t i = 0; i < ARRAY_LENGTH(texts); i++)
        *texts[i] = *texts[i] ? *texts[i] : "";
    o.index = "members";
    o.copy = ".name<-data.name";
    o.source = "payload";
    o.tombstone = ".deleted";
    o.clauses = o.clauses ? o.clauses : 100;
    return o;
}

/* The query as text, after the index's mapping was read where there is a client. */
static const char *query_of(const struct relation_options *o, struct client *c, const struct subject *subjects,
                            size_t count, bool only_behind)
{
    static struct buf out = BUF_INIT;
    const struct subject *pointers[8];
    struct error err = ERROR_INIT;
    struct relation *r = relation_new(o, &err);
    json_t *query;

    if (!r || (c && !relation_learn(r, c, &err)))
        fail_msg("%s", err.text);
    for (size_t i = 0; i < count; i++)
        pointers[i] = &subjects[i];
    query = relation_query(r, pointers, count, only_behind, INT64_C(1795210805123456));
    buf_reset(&out);
    if (query)
        json_add(&out, query);
    json_decref(query);
    relation_free(r);
    return out.data;
}

static const struct subject one_and_two[] = {
    {.id = {"1", 1}, .uuid = {"u-1", 3}, .revision = 7},
    {.id = {"2", 1},              .revision = 0                  },
};

static void the_query_is_the_platforms_own(void **state)
{
    struct relation_options o = with((struct relation_options){
        .match = "user.id", .revision = "user.@v", .revision_format = REVISION_UUID, .indexed_at = "indexed_at"});

    (void)state;
    assert_string_equal(
        query_of(&o, NULL, one_and_two, 2, true),
        "{\"bool\":{\"should\":["
        "{\"bool\":{\"must\":[{\"term\":{\"user.id\":\"1\"}}],\"must_not\":[{\"term\":{\"user.@v\":\"u-1::7\"}}]}},"
        "{\"bool\":{\"must\":[{\"term\":{\"user.id\":\"2\"}}],\"must_not\":[{\"term\":{\"user.@v\":\"2::0\"}}]}}],"
        "\"minimum_should_match\":1,"
        "\"filter\":[{\"range\":{\"indexed_at\":{\"lte\":\"2026-11-20T21:40:05.123456\"}}}]}}");
}

#define BOTH                                                                                                           \
    "{\"bool\":{\"should\":[{\"term\":{\"user.id\":\"1\"}},{\"term\":{\"user.id\":\"2\"}}],"                           \
    "\"minimum_should_match\":1}}"

static void revisions_leave_documents_out_only_where_none_is_passed_over(void **state)
{
    struct relation_options o = with((struct relation_options){.match = "user.id", .revision = "user.@v"});
    struct subject gone =
                       {
                           .id = {"1", 1},
                             .revision = 7, .deleted = true
    },
                   unknown = {.id = {"1", 1}, .revision = -1};

    (void)state;
    assert_string_equal(query_of(&o, NULL, one_and_two, 2, true), BOTH); /* another copy may be the one at 7 */
    o.single = true;
    assert_string_equal(query_of(&o, NULL, one_and_two, 2, false), BOTH);
    assert_string_equal(
        query_of(&o, NULL, one_and_two, 1, true),
        "{\"bool\":{\"should\":[{\"bool\":{\"must\":[{\"term\":{\"user.id\":\"1\"}}],\"must_not\":[{\"term\":"
        "{\"user.@v\":7}}]}}],\"minimum_should_match\":1}}");
    assert_null(strstr(query_of(&o, NULL, &unknown, 1, true), "must_not"));
    o.on_delete = ON_DELETE_CLEAR;
    assert_null(strstr(query_of(&o, NULL, &gone, 1, true), "must_not"));
    o.on_delete = ON_DELETE_KEEP;
    assert_string_equal(query_of(&o, NULL, &gone, 1, true), "");
}

static void each_match_of_each_subject_is_a_clause_within_the_limit(void **state)
{
    struct relation_options o = with((struct relation_options){.match = "a.id b.c.id d.id", .clauses = 100});
    struct error err;
    struct relation *r = relation_new(&o, &err);

    (void)state;
    assert_int_equal(relation_subjects_most(r), 33);
    relation_free(r);
    assert_string_equal(query_of(&o, NULL, one_and_two, 1, true),
                        "{\"bool\":{\"should\":[{\"term\":{\"a.id\":\"1\"}},{\"term\":{\"b.c.id\":\"1\"}},"
                        "{\"term\":{\"d.id\":\"1\"}}],\"minimum_should_match\":1}}");
}

/* ------------------------------------------------------------------------------------------ what the index says */

static int setup(void **state)
{
    *state = scene_open("[redis]\nurl = REDIS\n[opensearch]\nurl = SEARCH\nprefix = PREFIX\n");
    return 0;
}

static void make_index(struct scene *s, const char *properties)
{
    struct buf body = BUF_INIT, path = BUF_INIT;

    index_delete(s->settings, "members");
    buf_printf(&body, "{\"mappings\":{\"properties\":%s}}", properties);
    buf_printf(&path, "/%smembers", s->settings->opensearch.prefix);
    json_decref(index_ask(s->settings, "PUT", path.data, body.data));
    buf_release(&body);
    buf_release(&path);
}

static void the_mapping_says_how_a_copy_is_searched_for(void **state)
{
    /* clang-format off */
    static const struct {
        const char *properties, *holds; /* a part of the query; NULL: no must_not in it */
    } cases[] = {
        {"{\"user\":{\"properties\":{\"id\":{\"type\":\"keyword\"},\"@v\":{\"type\":\"keyword\"}}}}",
         "[{\"term\":{\"user.id\":\"1\"}}]"},
        {"{\"user\":{\"properties\":{\"id\":{\"type\":\"text\",\"fields\":{\"raw\":{\"type\":\"keyword\"}}}}}}",
         "[{\"term\":{\"user.id.raw\":\"1\"}}]"},
        {"{\"user\":{\"properties\":{\"id\":{\"type\":\"text\"}}}}", "[{\"match_phrase\":{\"user.id\":\"1\"}}]"},
        {"{\"user\":{\"properties\":{\"id\":{\"type\":\"keyword\"},\"@v\":{\"type\":\"text\",\"fields\":"
         "{\"keyword\":{\"type\":\"keyword\",\"ignore_above\":256}}}}}}",
         "{\"term\":{\"user.@v.keyword\":\"u-1::7\"}}"},
        {"{\"user\":{\"properties\":{\"id\":{\"type\":\"keyword\"},\"@v\":{\"type\":\"text\"}}}}", NULL},
        {"{\"user\":{\"properties\":{\"id\":{\"type\":\"keyword\"},\"@v\":{\"type\":\"long\"}}}}", NULL},
        {"{\"user\":{\"type\":\"nested\",\"properties\":{\"id\":{\"type\":\"keyword\"},\"@v\":{\"type\":\"keyword\"}}}"
         "}",
         "[{\"nested\":{\"path\":\"user\",\"query\":{\"bool\":{\"must\":[{\"term\":{\"user.id\":\"1\"}}]"},
    };
    /* clang-format on */
    struct scene *s = *state;
    struct client *c = client_new(&s->settings->opensearch);
    struct relation_options o =
        with((struct relation_options){.match = "user.id", .revision = "user.@v", .revision_format = REVISION_UUID});

    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        const char *query;

        make_index(s, cases[i].properties);
        query = query_of(&o, c, one_and_two, 1, true);
        if (cases[i].holds ? !strstr(query, cases[i].holds) : strstr(query, "must_not") != NULL)
            fail_msg("%s is not in %s", cases[i].holds, query);
    }
    client_free(c);
}

static void numbers_in_nested_objects_and_single_ones_leave_out_what_is_newer(void **state)
{
    struct scene *s = *state;
    struct client *c = client_new(&s->settings->opensearch);
    struct relation_options o = with((struct relation_options){.match = "a.b.id", .revision = ".@v"});
    static const char reached[] = "\"must_not\":[{\"range\":{\"a.b.@v\":{\"gte\":7}}}]";

    make_index(s, "{\"a\":{\"properties\":{\"b\":{\"type\":\"nested\",\"properties\":{\"id\":{\"type\":\"keyword\"},"
                  "\"@v\":{\"type\":\"long\"}}}}}}");
    assert_non_null(strstr(query_of(&o, c, one_and_two, 1, true), reached));
    make_index(s, "{\"a\":{\"type\":\"nested\",\"properties\":{\"b\":{\"properties\":{\"id\":{\"type\":\"keyword\"},"
                  "\"@v\":{\"type\":\"long\"}}}}}}");
    assert_null(strstr(query_of(&o, c, one_and_two, 1, true), "must_not")); /* b may be an array in each a */
    o.single = true;
    assert_non_null(strstr(query_of(&o, c, one_and_two, 1, true), reached));
    client_free(c);
}

static void an_index_that_is_not_there_yet_is_asked_for_again(void **state)
{
    struct scene *s = *state;
    struct client *c = client_new(&s->settings->opensearch);
    struct relation_options o = with((struct relation_options){.match = "user.id"});
    const struct subject *subject = &one_and_two[0];
    struct error err;
    struct relation *r = relation_new(&o, &err);
    json_t *query;

    index_delete(s->settings, "members");
    assert_true(relation_learn(r, c, &err));
    make_index(s, "{\"user\":{\"type\":\"nested\",\"properties\":{\"id\":{\"type\":\"keyword\"}}}}");
    assert_true(relation_learn(r, c, &err));
    query = relation_query(r, &subject, 1, true, 0);
    assert_non_null(
        json_object_get(json_array_get(json_object_get(json_object_get(query, "bool"), "should"), 0), "nested"));
    json_decref(query);
    relation_free(r);
    client_free(c);
}

/* ------------------------------------------------------------------------------------------ what documents may have */

static void a_mapping_takes_what_it_knows_or_is_open_for(void **state)
{
    static const char mapping[] =
        "{\"dynamic\":\"strict\",\"properties\":{\"user\":{\"properties\":{\"id\":{\"type\":\"keyword\"},\"profile\":"
        "{\"dynamic\":\"true\",\"type\":\"object\"},\"blob\":{\"type\":\"object\",\"enabled\":false},\"flat\":{"
        "\"type\":"
        "\"flat_object\"}}},\"open\":{\"dynamic\":true,\"properties\":{\"in\":{\"properties\":{}}}}}}";
    /* clang-format off */
    static const struct {
        const char *path;
        bool takes;
    } cases[] = {
        {"user.id", true}, {"user.name", false},     {"name", false},         {"user.id.x", false},
        {"user", true},    {"user.profile.x", true}, {"user.blob.x.y", true}, {"user.flat.x", true},
        {"open.x", true},  {"open.in.x", true},
    };
    /* clang-format on */
    struct error err;
    json_t *json = json_text_parse(mapping, strlen(mapping), 64, &err);
    struct buf hint = BUF_INIT;

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++)
        if (mapping_takes(json, cases[i].path) != cases[i].takes)
            fail_msg("%s", cases[i].path);
    mapping_add_hint(json, "user.profil", &hint);
    assert_string_equal(hint.data, "; did you mean \"user.profile\"?");
    buf_release(&hint);
    json_decref(json);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_query_is_the_platforms_own),
        cmocka_unit_test(revisions_leave_documents_out_only_where_none_is_passed_over),
        cmocka_unit_test(each_match_of_each_subject_is_a_clause_within_the_limit),
        cmocka_unit_test_setup_teardown(the_mapping_says_how_a_copy_is_searched_for, setup, index_scene_close),
        cmocka_unit_test_setup_teardown(numbers_in_nested_objects_and_single_ones_leave_out_what_is_newer, setup,
                                        index_scene_close),
        cmocka_unit_test_setup_teardown(an_index_that_is_not_there_yet_is_asked_for_again, setup, index_scene_close),
        cmocka_unit_test(a_mapping_takes_what_it_knows_or_is_open_for),
    };

    http_global_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
