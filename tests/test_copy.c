#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/json.h"
#include "handlers/copy.h"

static struct subject known[2];
static size_t known_count;

static const struct subject *look_up(void *context, struct span id)
{
    (void)context;
    for (size_t i = 0; i < known_count; i++)
        if (known[i].id.length == id.length && memcmp(known[i].id.text, id.text, id.length) == 0)
            return &known[i];
    return NULL;
}

static int changes; /* told of in the last document */

static void note_changed(void *context, const struct subject *s)
{
    (void)context;
    assert_non_null(s);
    changes++;
}

static void know(const char *id, int64_t revision, const char *data)
{
    struct error err;

    known[known_count++] = (struct subject){
        .id = span_of(id),
        .revision = revision,
        .data = data ? json_text_parse(data, strlen(data), 64, &err) : NULL,
        .deleted = !data,
    };
}

static void forget(void)
{
    while (known_count > 0)
        json_decref((json_t *)(uintptr_t)known[--known_count].data);
}

/* What becomes of the document; NULL where it is left as it is. */
static const char *applied(const char *match, const char *copy, const char *revision, enum on_delete on_delete,
                           const char *document)
{
    static struct buf out = BUF_INIT;
    struct error err = ERROR_INIT;
    struct copy_rule *rule = copy_rule_new(match, copy, revision, &err);
    json_t *json = json_text_parse(document, strlen(document), 64, &err);
    bool changed;

    if (!rule || !json)
        fail_msg("%s", err.text);
    changes = 0;
    changed = copy_apply(rule, json, &(struct copy_source){look_up, note_changed, NULL}, on_delete);
    assert_int_equal(changed, changes > 0);
    buf_reset(&out);
    json_add(&out, json);
    json_decref(json);
    copy_rule_free(rule);
    if (!changed)
        assert_string_equal(out.data, document);
    return changed ? out.data : NULL;
}

#define COPY "user.name<-data.full_name user.affiliation<-data.affiliation"

static void a_copy_behind_is_brought_up_to_date(void **state)
{
    (void)state;
    know("42", 3, "{\"full_name\":\"Ada\",\"affiliation\":null}");
    assert_string_equal(applied("user.id", COPY, "user.@v", ON_DELETE_KEEP,
                                "{\"a\":1.5,\"user\":{\"id\":\"42\",\"name\":\"x\",\"@v\":2}}"),
                        "{\"a\":1.5,\"user\":{\"id\":\"42\",\"name\":\"Ada\",\"@v\":3,\"affiliation\":null}}");
    assert_string_equal(applied("user.id", COPY, "user.@v", ON_DELETE_KEEP, "{\"user\":{\"id\":42,\"@v\":\"2\"}}"),
                        "{\"user\":{\"id\":42,\"@v\":\"3\",\"name\":\"Ada\",\"affiliation\":null}}");
    forget();
}

static void a_copy_at_the_same_or_a_newer_revision_is_left_alone(void **state)
{
    (void)state;
    know("42", 3, "{\"full_name\":\"Ada\"}");
    assert_null(
        applied("user.id", COPY, "user.@v", ON_DELETE_KEEP, "{\"user\":{\"id\":\"42\",\"name\":\"x\",\"@v\":3}}"));
    assert_null(
        applied("user.id", COPY, "user.@v", ON_DELETE_KEEP, "{\"user\":{\"id\":\"42\",\"name\":\"x\",\"@v\":4}}"));
    assert_null(
        applied("user.id", COPY, "user.@v", ON_DELETE_KEEP, "{\"user\":{\"id\":\"7\",\"name\":\"x\",\"@v\":1}}"));
    forget();
}

static void what_is_copied_into_another_copied_value_stays_out_of_the_events_data(void **state)
{
    static const char copy[] = "user.a<-data.a user.a.b<-data.a";

    (void)state;
    know("42", 3, "{\"a\":{\"x\":1}}");
    for (int i = 0; i < 2; i++)
        assert_string_equal(applied("user.id", copy, "", ON_DELETE_KEEP, "{\"user\":{\"id\":\"42\"}}"),
                            "{\"user\":{\"id\":\"42\",\"a\":{\"x\":1,\"b\":{\"x\":1}}}}");
    forget();
}

static void without_revisions_a_copy_is_compared_by_content(void **state)
{
    (void)state;
    know("42", -1, "{\"full_name\":\"Ada\"}");
    assert_null(applied("user.id", COPY, "", ON_DELETE_KEEP, "{\"user\":{\"id\":\"42\",\"name\":\"Ada\"}}"));
    assert_string_equal(applied("user.id", COPY, "", ON_DELETE_KEEP, "{\"user\":{\"id\":\"42\",\"name\":\"x\"}}"),
                        "{\"user\":{\"id\":\"42\",\"name\":\"Ada\"}}");
    forget();
}

static void copies_in_arrays_are_found_each_by_its_own_subject(void **state)
{
    (void)state;
    know("1", 2, "{\"t\":\"one\"}");
    know("2", 5, "{\"t\":\"two\"}");
    assert_string_equal(applied("p.entries.id", "p.entries.title<-data.t", "p.entries.@v", ON_DELETE_KEEP,
                                "{\"p\":[{\"entries\":[{\"id\":\"1\",\"@v\":1},{\"id\":\"2\",\"@v\":5}]},{\"entries\":"
                                "{\"id\":\"2\"}}]}"),
                        "{\"p\":[{\"entries\":[{\"id\":\"1\",\"@v\":2,\"title\":\"one\"},{\"id\":\"2\",\"@v\":5}]},"
                        "{\"entries\":{\"id\":\"2\",\"title\":\"two\",\"@v\":5}}]}");
    forget();
}

static void a_subject_that_is_gone_follows_on_delete(void **state)
{
    static const char document[] = "{\"user\":{\"id\":\"42\",\"name\":\"x\",\"@v\":2},\"b\":1}";

    (void)state;
    know("42", 3, NULL);
    assert_null(applied("user.id", COPY, "user.@v", ON_DELETE_KEEP, document));
    assert_string_equal(applied("user.id", COPY, "user.@v", ON_DELETE_CLEAR, document),
                        "{\"user\":{\"id\":\"42\",\"@v\":3},\"b\":1}");
    assert_string_equal(applied("user.id", COPY, "user.@v", ON_DELETE_REMOVE, document), "{\"b\":1}");
    assert_string_equal(applied("l.id", "l.n<-data.n", "l.@v", ON_DELETE_REMOVE,
                                "{\"l\":[{\"id\":\"1\"},{\"id\":\"42\",\"@v\":1},{\"id\":\"42\",\"@v\":9}]}"),
                        "{\"l\":[{\"id\":\"1\"},{\"id\":\"42\",\"@v\":9}]}");
    forget();
}

static void a_rule_that_cannot_work_is_refused_with_the_reason(void **state)
{
    static const struct {
        const char *match, *copy, *revision, *reason;
    } cases[] = {
        {"user.id", "user.name",            "",   "not of the form"    },
        {"user.id", "user.name<-full_name", "",   "not of the form"    },
        {"user.id", "<-data.x",             "",   "not of the form"    },
        {"user.id", "user.name<-data.",     "",   "not of the form"    },
        {"user.id", "group.name<-data.x",   "",   "outside of \"user\""},
        {"user.id", "user.name<-data.x",    "@v", "outside of \"user\""},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct error err;

        assert_null(copy_rule_new(cases[i].match, cases[i].copy, cases[i].revision, &err));
        assert_non_null(strstr(err.text, cases[i].reason));
    }
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
        cmocka_unit_test(a_rule_that_cannot_work_is_refused_with_the_reason),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
