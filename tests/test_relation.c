/* Copies in a document: brought up to date, left alone, or ended with their subject. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/json.h"
#include "handlers/relation/relation.h"
#include "support/relation_stage.h"

static const char *applied(char *match, char *copy, char *revision, enum on_delete on_delete, const char *document)
{
    return relation_applied(
        (struct relation_options){.match = match, .copy = copy, .revision = revision, .on_delete = (int)on_delete},
        document);
}

#define COPY "user.name<-data.full_name user.affiliation<-data.affiliation"

static void a_copy_behind_is_brought_up_to_date(void **state)
{
    (void)state;
    relation_know("42", 3, "{\"full_name\":\"Ada\",\"affiliation\":null}");
    assert_string_equal(applied("user.id", COPY, "user.@v", ON_DELETE_KEEP,
                                "{\"a\":1.5,\"user\":{\"id\":\"42\",\"name\":\"x\",\"@v\":2}}"),
                        "{\"a\":1.5,\"user\":{\"id\":\"42\",\"name\":\"Ada\",\"@v\":3,\"affiliation\":null}}");
    assert_string_equal(applied("user.id", COPY, "user.@v", ON_DELETE_KEEP, "{\"user\":{\"id\":42,\"@v\":\"2\"}}"),
                        "{\"user\":{\"id\":42,\"@v\":\"3\",\"name\":\"Ada\",\"affiliation\":null}}");
    relation_forget();
}

static void a_copy_at_the_same_or_a_newer_revision_is_left_alone(void **state)
{
    (void)state;
    relation_know("42", 3, "{\"full_name\":\"Ada\"}");
    assert_null(
        applied("user.id", COPY, "user.@v", ON_DELETE_KEEP, "{\"user\":{\"id\":\"42\",\"name\":\"x\",\"@v\":3}}"));
    assert_null(
        applied("user.id", COPY, "user.@v", ON_DELETE_KEEP, "{\"user\":{\"id\":\"42\",\"name\":\"x\",\"@v\":4}}"));
    assert_null(
        applied("user.id", COPY, "user.@v", ON_DELETE_KEEP, "{\"user\":{\"id\":\"7\",\"name\":\"x\",\"@v\":1}}"));
    relation_forget();
}

static void what_is_copied_into_another_copied_value_stays_out_of_the_events_data(void **state)
{
    static char copy[] = "user.a<-data.a user.a.b<-data.a";

    (void)state;
    relation_know("42", 3, "{\"a\":{\"x\":1}}");
    for (int i = 0; i < 2; i++)
        assert_string_equal(applied("user.id", copy, "", ON_DELETE_KEEP, "{\"user\":{\"id\":\"42\"}}"),
                            "{\"user\":{\"id\":\"42\",\"a\":{\"x\":1,\"b\":{\"x\":1}}}}");
    relation_forget();
}

static void without_revisions_a_copy_is_compared_by_content(void **state)
{
    (void)state;
    relation_know("42", -1, "{\"full_name\":\"Ada\"}");
    assert_null(applied("user.id", COPY, "", ON_DELETE_KEEP, "{\"user\":{\"id\":\"42\",\"name\":\"Ada\"}}"));
    assert_string_equal(applied("user.id", COPY, "", ON_DELETE_KEEP, "{\"user\":{\"id\":\"42\",\"name\":\"x\"}}"),
                        "{\"user\":{\"id\":\"42\",\"name\":\"Ada\"}}");
    relation_forget();
}

static void copies_in_arrays_are_found_each_by_its_own_subject(void **state)
{
    (void)state;
    relation_know("1", 2, "{\"t\":\"one\"}");
    relation_know("2", 5, "{\"t\":\"two\"}");
    assert_string_equal(applied("p.entries.id", "p.entries.title<-data.t", "p.entries.@v", ON_DELETE_KEEP,
                                "{\"p\":[{\"entries\":[{\"id\":\"1\",\"@v\":1},{\"id\":\"2\",\"@v\":5}]},{\"entries\":"
                                "{\"id\":\"2\"}}]}"),
                        "{\"p\":[{\"entries\":[{\"id\":\"1\",\"@v\":2,\"title\":\"one\"},{\"id\":\"2\",\"@v\":5}]},"
                        "{\"entries\":{\"id\":\"2\",\"title\":\"two\",\"@v\":5}}]}");
    relation_forget();
}

static void a_subject_that_is_gone_follows_on_delete(void **state)
{
    static const char document[] = "{\"user\":{\"id\":\"42\",\"name\":\"x\",\"@v\":2},\"b\":1}";

    (void)state;
    relation_know("42", 3, NULL);
    assert_null(applied("user.id", COPY, "user.@v", ON_DELETE_KEEP, document));
    assert_string_equal(applied("user.id", COPY, "user.@v", ON_DELETE_CLEAR, document),
                        "{\"user\":{\"id\":\"42\",\"@v\":3},\"b\":1}");
    assert_string_equal(applied("user.id", COPY, "user.@v", ON_DELETE_REMOVE, document), "{\"b\":1}");
    assert_string_equal(applied("l.id", "l.n<-data.n", "l.@v", ON_DELETE_REMOVE,
                                "{\"l\":[{\"id\":\"1\"},{\"id\":\"42\",\"@v\":1},{\"id\":\"42\",\"@v\":9}]}"),
                        "{\"l\":[{\"id\":\"1\"},{\"id\":\"42\",\"@v\":9}]}");
    relation_forget();
}

static void the_material_of_a_subject_is_what_its_copies_need(void **state)
{
    static const char data[] = "{\"a\":1,\"b\":{\"c\":2,\"d\":3},\"e.f\":4,\"x\":5,\"uuid\":\"u\",\"w\":{\"v\":7}}";
    struct relation_options options = relation_with(
        (struct relation_options){.match = "u.id", .copy = ".a<-data.a .c<-\"{data.b.c} {data.e.f}\" .z<-data.z"});
    struct error err;
    struct relation *r = relation_new(&options, &err);
    json_t *json = json_text_parse(data, strlen(data), 64, &err), *material = relation_material(r, json);
    struct buf text = BUF_INIT;

    (void)state;
    json_add(&text, material);
    assert_string_equal(text.data, "{\"a\":1,\"b.c\":2,\"e.f\":4,\"uuid\":\"u\"}");
    relation_know("1", 5, text.data);
    assert_string_equal(relation_applied(options, "{\"u\":{\"id\":\"1\"}}"),
                        "{\"u\":{\"id\":\"1\",\"a\":1,\"c\":\"2 4\"}}");
    relation_forget();
    buf_release(&text);
    json_decref(material);
    json_decref(json);
    relation_free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_copy_behind_is_brought_up_to_date),
        cmocka_unit_test(a_copy_at_the_same_or_a_newer_revision_is_left_alone),
        cmocka_unit_test(what_is_copied_into_another_copied_value_stays_out_of_the_events_data),
        cmocka_unit_test(without_revisions_a_copy_is_compared_by_content),
        cmocka_unit_test(copies_in_arrays_are_found_each_by_its_own_subject),
        cmocka_unit_test(a_subject_that_is_gone_follows_on_delete),
        cmocka_unit_test(the_material_of_a_subject_is_what_its_copies_need),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
