/* The rules of a relation: in which shapes copies are found, and what becomes of each of their fields. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/json.h"
#include "handlers/relation/relation.h"
#include "support/relation_stage.h"

/* A row of a table: what becomes of the document, NULL for nothing. */
struct row {
    struct relation_options options;
    const char *document, *after;
};

static void expect_rows(const struct row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const char *after = relation_applied(rows[i].options, rows[i].document);

        if ((after == NULL) != (rows[i].after == NULL) || (after && !text_same(after, rows[i].after)))
            fail_msg("%s\n became %s\n  not    %s", rows[i].document, after ? after : "(nothing)",
                     rows[i].after ? rows[i].after : "(nothing)");
    }
}

static void a_copy_is_found_in_every_shape_of_document(void **state)
{
#define NAME(path) .match = path, .copy = ".n<-data.n", .revision = ".@v"
    /* clang-format off */
    static const struct row rows[] = {
        {{NAME("id")}, "{\"id\":\"1\"}", "{\"id\":\"1\",\"n\":\"A\",\"@v\":5}"},
        {{NAME("a.id")}, "{\"a\":{\"id\":1}}", "{\"a\":{\"id\":1,\"n\":\"A\",\"@v\":5}}"},
        {{NAME("a.b.id")}, "{\"a\":{\"b\":{\"id\":\"1\"}}}", "{\"a\":{\"b\":{\"id\":\"1\",\"n\":\"A\",\"@v\":5}}}"},
        {{NAME("a.id")},
         "{\"a\":[{\"id\":\"1\"},{\"id\":\"9\"},{\"id\":\"1\",\"@v\":5}]}",
         "{\"a\":[{\"id\":\"1\",\"n\":\"A\",\"@v\":5},{\"id\":\"9\"},{\"id\":\"1\",\"@v\":5}]}"},
        {{NAME("a.b.id")},
         "{\"a\":[{\"b\":[{\"id\":\"1\"}]},{\"b\":[]},{\"b\":{\"id\":\"1\"}},{\"c\":1}]}",
         "{\"a\":[{\"b\":[{\"id\":\"1\",\"n\":\"A\",\"@v\":5}]},{\"b\":[]},{\"b\":{\"id\":\"1\",\"n\":\"A\",\"@v\":5}},"
         "{\"c\":1}]}"},
        {{NAME("a.id")},
         "{\"a\":[[{\"id\":\"1\"}],[2,null]]}",
         "{\"a\":[[{\"id\":\"1\",\"n\":\"A\",\"@v\":5}],[2,null]]}"},
        {{NAME("a.id")}, "{\"a.id\":\"1\"}", "{\"a.id\":\"1\",\"a.n\":\"A\",\"a.@v\":5}"},
        {{NAME("a.id")}, "{\"a.id\":\"1\",\"a.n\":\"x\",\"a.@v\":5}", NULL},
        {{NAME("a.id")}, "{\"a.id\":\"1\",\"a.n\":\"x\",\"a.@v\":4}", "{\"a.id\":\"1\",\"a.n\":\"A\",\"a.@v\":5}"},
        {{NAME("a.b.id")}, "{\"a.b\":{\"id\":\"1\"}}", "{\"a.b\":{\"id\":\"1\",\"n\":\"A\",\"@v\":5}}"},
        {{NAME("a.b.id")}, "{\"a\":[{\"b.id\":\"1\"}]}", "{\"a\":[{\"b.id\":\"1\",\"b.n\":\"A\",\"b.@v\":5}]}"},
        {{NAME("a.b.id")}, "{\"a.b.id\":\"1\"}", "{\"a.b.id\":\"1\",\"a.b.n\":\"A\",\"a.b.@v\":5}"},
        {{NAME("a.b.id c.id")},
         "{\"a\":{\"b\":{\"id\":\"1\"}},\"c\":[{\"id\":\"1\"}]}",
         "{\"a\":{\"b\":{\"id\":\"1\",\"n\":\"A\",\"@v\":5}},\"c\":[{\"id\":\"1\",\"n\":\"A\",\"@v\":5}]}"},
        {{NAME("a.id")}, "{\"a\":\"1\"}", NULL},
        {{NAME("a.id")}, "{\"a\":null,\"id\":\"1\"}", NULL},
        {{NAME("a.id")}, "{\"a\":{\"id\":[\"1\"]}}", NULL},
        {{NAME("a.id")}, "{}", NULL},
        {{NAME("parent.communities.entries.id")},
         "{\"parent\":{\"communities\":{\"ids\":[\"1\"],\"entries\":[{\"id\":\"1\",\"@v\":\"4\"}]}}}",
         "{\"parent\":{\"communities\":{\"ids\":[\"1\"],\"entries\":[{\"id\":\"1\",\"@v\":\"5\",\"n\":\"A\"}]}}}"},
    };
    /* clang-format on */

    (void)state;
    relation_know("1", 5, "{\"n\":\"A\"}");
    expect_rows(rows, ARRAY_LENGTH(rows));
    relation_forget();
}

static void what_is_copied_is_a_field_all_of_it_a_constant_or_a_text(void **state)
{
#define COPY_OF(words) .match = "u.id", .copy = words
#define WHOLE(words)   .match = "u.id", .copy = words, .revision = ".@v"
    /* clang-format off */
    static const struct row rows[] = {
        {{COPY_OF("u.name<-data.n.full")}, "{\"u\":{\"id\":\"1\"}}", "{\"u\":{\"id\":\"1\",\"name\":\"Ada L\"}}"},
        {{COPY_OF(".a.b<-data.a")}, "{\"u\":{\"id\":\"1\"}}", "{\"u\":{\"id\":\"1\",\"a\":{\"b\":\"I\"}}}"},
        {{COPY_OF(".a.b<-data.a")}, "{\"u\":{\"id\":\"1\",\"a.b\":1}}", "{\"u\":{\"id\":\"1\",\"a.b\":\"I\"}}"},
        {{COPY_OF(".a.b<-data.a")},
         "{\"u\":{\"id\":\"1\",\"a\":[{\"b\":1},{}]}}",
         "{\"u\":{\"id\":\"1\",\"a\":[{\"b\":\"I\"},{\"b\":\"I\"}]}}"},
        {{COPY_OF(".a.b<-data.a")}, "{\"u\":{\"id\":\"1\",\"a\":7}}", "{\"u\":{\"id\":\"1\",\"a\":{\"b\":\"I\"}}}"},
        {{COPY_OF(".l<-data.l .o<-data.n")},
         "{\"u\":{\"id\":\"1\"}}",
         "{\"u\":{\"id\":\"1\",\"l\":[1,2.5],\"o\":{\"full\":\"Ada L\"}}}"},
        {{COPY_OF(".z<-data.none")}, "{\"u\":{\"id\":\"1\",\"z\":1}}", NULL},
        {{COPY_OF(".z<-data.none"), .absent = ABSENT_REMOVE},
         "{\"u\":{\"id\":\"1\",\"z\":1}}",
         "{\"u\":{\"id\":\"1\"}}"},
        {{COPY_OF(".z<-data.none"), .source = "db"}, "{\"u\":{\"id\":\"1\",\"z\":1}}", "{\"u\":{\"id\":\"1\"}}"},
        {{COPY_OF(".z<-data.none"), .source = "db", .absent = ABSENT_KEEP}, "{\"u\":{\"id\":\"1\",\"z\":1}}", NULL},
        {{COPY_OF(".k<-\"a user\" .b<-true .n<-null .i<--7 .r<-1.5 .e<-\"\"")},
         "{\"u\":{\"id\":\"1\"}}",
         "{\"u\":{\"id\":\"1\",\"k\":\"a user\",\"b\":true,\"n\":null,\"i\":-7,\"r\":1.5,\"e\":\"\"}}"},
        {{COPY_OF(".t<-\"{data.f}, {data.g}\"")}, "{\"u\":{\"id\":\"1\"}}", "{\"u\":{\"id\":\"1\",\"t\":\"L, Ada\"}}"},
        {{COPY_OF(".t<-{data.f}/{data.i}/{data.n}/{data.z}{{x}}")},
         "{\"u\":{\"id\":\"1\"}}",
         "{\"u\":{\"id\":\"1\",\"t\":\"L/12//{x}\"}}"},
        {{COPY_OF(".t<-\"{data.f}, {data.none}\"")}, "{\"u\":{\"id\":\"1\"}}", NULL},
        {{COPY_OF(".t<-\"{data.f}, {data.none}\""), .source = "db"},
         "{\"u\":{\"id\":\"1\"}}",
         "{\"u\":{\"id\":\"1\",\"t\":\"L, \"}}"},
        {{COPY_OF(".t<-{data.none}"), .source = "db"}, "{\"u\":{\"id\":\"1\",\"t\":\"x\"}}", "{\"u\":{\"id\":\"1\"}}"},
        {{WHOLE(".<-data.n")},
         "{\"u\":{\"old\":1,\"id\":\"1\",\"@v\":2}}",
         "{\"u\":{\"id\":\"1\",\"@v\":5,\"full\":\"Ada L\"}}"},
        {{WHOLE("u<-data.n")},
         "{\"u\":{\"id\":\"1\",\"full\":\"x\"}}",
         "{\"u\":{\"id\":\"1\",\"full\":\"Ada L\",\"@v\":5}}"},
        {{WHOLE(".<-data.o")}, "{\"u\":{\"id\":\"1\",\"@v\":\"3\"}}", "{\"u\":{\"id\":\"1\",\"@v\":\"5\",\"x\":1}}"},
        {{WHOLE(".<-data.o .x.y<-2")},
         "{\"u\":{\"id\":\"1\",\"@v\":3}}",
         "{\"u\":{\"id\":\"1\",\"@v\":5,\"x\":{\"y\":2}}}"},
        {{WHOLE(".<-data.o")},
         "{\"u.id\":\"1\",\"u.old\":1,\"un\":1}",
         "{\"u.id\":\"1\",\"un\":1,\"u.x\":1,\"u.@v\":5}"},
        {{WHOLE(".<-data.l")}, "{\"u\":{\"id\":\"1\",\"@v\":5}}", NULL},
        {{.match = "id", .copy = ".<-data.n"}, "{\"id\":\"1\",\"old\":1}", "{\"id\":\"1\",\"full\":\"Ada L\"}"},
        {{.match = "a.id b.id", .copy = ".k<-1 a.x<-2 b.x<-3"},
         "{\"a\":{\"id\":\"1\"},\"b\":{\"id\":\"1\"}}",
         "{\"a\":{\"id\":\"1\",\"k\":1,\"x\":2},\"b\":{\"id\":\"1\",\"k\":1,\"x\":3}}"},
        {{.match = "a.id a.b.id", .copy = "a.b.x<-2 a.y<-3"},
         "{\"a\":{\"id\":\"1\",\"b\":{\"id\":\"1\"}}}",
         "{\"a\":{\"id\":\"1\",\"b\":{\"id\":\"1\",\"x\":2},\"y\":3}}"},
    };
    /* clang-format on */

    (void)state;
    relation_know("1", 5,
                  "{\"n\":{\"full\":\"Ada L\"},\"f\":\"L\",\"g\":\"Ada\",\"a\":\"I\",\"i\":12,\"z\":null,\"l\":[1,2.5],"
                  "\"o\":{\"id\":99,\"@v\":\"9\",\"x\":1}}");
    expect_rows(rows, ARRAY_LENGTH(rows));
    relation_forget();
}

static void a_revision_is_a_number_or_stands_behind_the_uuid(void **state)
{
#define UUIDS      .match = "u.id", .copy = ".n<-data.n", .revision = "u.@v", .revision_format = REVISION_UUID
#define AT(v)      "{\"u\":{\"id\":\"1\",\"n\":\"x\",\"@v\":" v "}}"
#define BECOMES(v) "{\"u\":{\"id\":\"1\",\"n\":\"A\",\"@v\":" v "}}"
    /* clang-format off */
    static const struct row numbers[] = {
        {{NAME("u.id")}, AT("4"), BECOMES("5")},
        {{NAME("u.id")}, AT("\"4\""), BECOMES("\"5\"")},
        {{NAME("u.id")}, AT("5"), NULL},
        {{NAME("u.id")}, AT("\"6\""), NULL},
        {{NAME("u.id")}, AT("null"), BECOMES("5")},
        {{NAME("u.id")}, AT("\"x\""), BECOMES("\"5\"")},
        {{NAME("u.id")}, AT("4.5"), BECOMES("5")},
        {{NAME("u.id")}, AT("[7]"), BECOMES("5")},
        {{NAME("u.id")}, AT("\"1::9\""), BECOMES("\"5\"")},
    };
    /* clang-format on */
    struct subject *one;
    /* clang-format off */
    static const struct row own[] = {
        {{UUIDS}, AT("\"1::4\""), BECOMES("\"1::5\"")},
        {{UUIDS}, AT("\"1::5\""), NULL},
        {{UUIDS}, AT("\"1::10\""), NULL},
        {{UUIDS}, AT("\"2::10\""), BECOMES("\"1::5\"")},
        {{UUIDS}, AT("7"), BECOMES("\"1::5\"")},
        {{UUIDS}, AT("\"1::\""), BECOMES("\"1::5\"")},
        {{UUIDS}, AT("\"1:5\""), BECOMES("\"1::5\"")},
        {{UUIDS}, AT("\"11::9\""), BECOMES("\"1::5\"")},
    };
    /* clang-format on */
    /* clang-format off */
    static const struct row given[] = {
        {{UUIDS}, AT("\"1::9\""), BECOMES("\"ab-c::5\"")},
        {{UUIDS}, AT("\"ab-c::5\""), NULL},
        {{UUIDS}, AT("\"ab-c::4\""), BECOMES("\"ab-c::5\"")},
    };
    static const struct row unknown[] = {
        {{UUIDS}, AT("\"ab-c::4\""), BECOMES("\"ab-c::5\"")},
        {{UUIDS}, AT("\"ab-c::5\""), NULL},
        {{UUIDS}, AT("\"a::b::4\""), BECOMES("\"a::b::5\"")},
        {{UUIDS}, AT("\"::9\""), BECOMES("\"1::5\"")},
        {{UUIDS}, AT("null"), BECOMES("\"1::5\"")},
    };
    /* clang-format on */

    (void)state;
    one = relation_know("1", 5, "{\"n\":\"A\"}");
    expect_rows(numbers, ARRAY_LENGTH(numbers));
    expect_rows(own, ARRAY_LENGTH(own));
    one->uuid = span_of("ab-c");
    expect_rows(given, ARRAY_LENGTH(given));
    one->uuid = SPAN_NONE;
    one->uuid_unknown = true;
    expect_rows(unknown, ARRAY_LENGTH(unknown));
    relation_forget();
}

static void what_is_gone_is_kept_cleared_removed_or_marked_once(void **state)
{
#define GONE(what) .match = "u.id", .copy = ".n<-data.n .k<-1", .revision = ".@v", .on_delete = ON_DELETE_##what
    static const char one[] = "{\"u\":{\"id\":\"1\",\"n\":\"x\",\"k\":1,\"@v\":5},\"b\":1}";
    /* clang-format off */
    static const struct row rows[] = {
        {{GONE(KEEP)}, one, NULL},
        {{GONE(CLEAR)}, one, "{\"u\":{\"id\":\"1\",\"@v\":5},\"b\":1}"},
        {{GONE(CLEAR)}, "{\"u\":{\"id\":\"1\",\"n\":\"x\",\"@v\":6}}", NULL},
        {{GONE(REMOVE)}, one, "{\"b\":1}"},
        {{GONE(REMOVE)}, "{\"u.id\":\"1\",\"u.n\":\"x\",\"ub\":1}", "{\"ub\":1}"},
        {{GONE(REMOVE)}, "{\"u\":[[{\"id\":\"1\"}],{\"id\":\"1\"},{\"id\":\"2\"}]}", "{\"u\":[[],{\"id\":\"2\"}]}"},
        {{GONE(TOMBSTONE)}, one, "{\"u\":{\"id\":\"1\",\"@v\":5,\"deleted\":true},\"b\":1}"},
        {{GONE(TOMBSTONE), .tombstone = "u.gone"},
         "{\"u\":{\"id\":\"1\",\"@v\":4}}",
         "{\"u\":{\"id\":\"1\",\"@v\":5,\"gone\":true}}"},
        {{GONE(TOMBSTONE)}, "{\"u\":{\"id\":\"1\",\"@v\":5,\"deleted\":true}}", NULL},
        {{.match = "u.id", .copy = ".<-data", .revision = ".@v", .on_delete = ON_DELETE_CLEAR},
         one,
         "{\"u\":{\"id\":\"1\",\"@v\":5},\"b\":1}"},
    };
    /* clang-format on */
    /* clang-format off */
    static const struct row back[] = {
        {{GONE(TOMBSTONE)},
         "{\"u\":{\"id\":\"1\",\"@v\":5,\"deleted\":true}}",
         "{\"u\":{\"id\":\"1\",\"@v\":7,\"n\":\"A\",\"k\":1}}"},
        {{GONE(TOMBSTONE)}, "{\"u\":{\"id\":\"1\",\"@v\":8,\"deleted\":true}}", NULL},
    };
    /* clang-format on */

    (void)state;
    relation_know("1", 5, NULL);
    expect_rows(rows, ARRAY_LENGTH(rows));
    relation_forget();
    relation_know("1", 7, "{\"n\":\"A\"}");
    expect_rows(back, ARRAY_LENGTH(back));
    relation_forget();
}

static void a_copy_that_has_what_only_when_names_is_left_alone(void **state)
{
#define ONLY(words, fields) .match = "u.id", .copy = words, .revision = ".@v", .only_when = fields
    /* clang-format off */
    static const struct row rows[] = {
        {{ONLY(".n<-data.n .l<-data.l", "n")}, "{\"u\":{\"id\":\"1\",\"n\":\"A\",\"l\":0,\"@v\":1}}", NULL},
        {{ONLY(".n<-data.n .l<-data.l", "data.n")},
         "{\"u\":{\"id\":\"1\",\"n\":\"x\",\"l\":0,\"@v\":1}}",
         "{\"u\":{\"id\":\"1\",\"n\":\"A\",\"l\":9,\"@v\":5}}"},
        {{ONLY(".t<-\"{data.n}!\"", "n")}, "{\"u\":{\"id\":\"1\",\"t\":\"A!\"}}", NULL},
        {{ONLY(".t<-data.p", "p.q")}, "{\"u\":{\"id\":\"1\",\"t\":{\"q\":1,\"r\":2}}}", NULL},
        {{ONLY(".<-data", "p.q")}, "{\"u\":{\"id\":\"1\",\"p\":{\"q\":1}}}", NULL},
        {{ONLY(".<-data", "p.q none")},
         "{\"u\":{\"id\":\"1\",\"p\":{\"q\":2}}}",
         "{\"u\":{\"id\":\"1\",\"p\":{\"q\":1,\"r\":2},\"n\":\"A\",\"l\":9,\"uuid\":\"u\",\"@v\":5}}"},
        {{ONLY(".<-data", "p.q n"), .revision_format = REVISION_UUID},
         "{\"u\":{\"id\":\"1\",\"uuid\":1}}",
         "{\"u\":{\"id\":\"1\",\"n\":\"A\",\"l\":9,\"p\":{\"q\":1,\"r\":2},\"@v\":\"1::5\"}}"},
        {{ONLY(".<-data.p", "p")}, "{\"u\":{\"id\":\"1\"}}", "{\"u\":{\"id\":\"1\",\"q\":1,\"r\":2,\"@v\":5}}"},
    };
    /* clang-format on */

    (void)state;
    relation_know("1", 5, "{\"n\":\"A\",\"l\":9,\"p\":{\"q\":1,\"r\":2},\"changed\":[\"n\"],\"uuid\":\"u\"}");
    expect_rows(rows, ARRAY_LENGTH(rows));
    relation_forget();
}

static void an_event_matters_by_what_it_says_has_changed(void **state)
{
    /* clang-format off */
    static const struct {
        const char *data;
        bool matters;
    } cases[] = {
        {"{\"changed\":[\"b\",\"n\"]}", true},  {"{\"changed\":[\"b\"]}", false},  {"{\"changed\":[]}", false},
        {"{\"changed\":[\"p.q.deep\"]}", true}, {"{\"changed\":[\"p\"]}", true},   {"{\"changed\":[\"p.x\"]}", false},
        {"{\"changed\":[\"data.n\"]}", true},   {"{\"changed\":\"b\"}", true},     {"{\"changed\":[7]}", true},
        {"{\"other\":[\"b\"]}", true},          {"{\"changed\":[\"nn\"]}", false},
    };
    /* clang-format on */
    struct relation_options options = relation_with((struct relation_options){ONLY(".<-data", "n p.q")});
    struct error err;
    struct relation *r = relation_new(&options, &err);

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        json_t *data = json_text_parse(cases[i].data, strlen(cases[i].data), 64, &err);

        if (relation_matters(r, data) != cases[i].matters)
            fail_msg("%s", cases[i].data);
        json_decref(data);
    }
    assert_true(relation_matters(r, NULL));
    relation_free(r);
}

static void a_rule_that_cannot_work_is_refused_with_the_reason(void **state)
{
    /* clang-format off */
    static const struct {
        struct relation_options options;
        const char *reason;
    } cases[] = {
        {{.match = "user.id", .copy = "user.name"}, "not of the form"},
        {{.match = "user.id", .copy = "user.name<-full_name"}, "user.name<-full_name: \"full_name\" is none of data.F"},
        {{.match = "user.id", .copy = "<-data.x"}, "not of the form"},
        {{.match = "user.id", .copy = "user.name<-data."}, "none of data.FIELD"},
        {{.match = "user.id", .copy = "user.name<-data.a..b"}, "no field"},
        {{.match = "user.id", .copy = "user.name<-\"a b"}, "quote is not closed"},
        {{.match = "user.id", .copy = "user.name<-\"{data.a\""}, "no {data.FIELD}"},
        {{.match = "user.id", .copy = "user.name<-{a}"}, "no {data.FIELD}"},
        {{.match = "user.id", .copy = "user.name<-a}{data.b}"}, "closes no brace"},
        {{.match = "user.id", .copy = "user..name<-data.x"}, "no field"},
        {{.match = "user.id", .copy = ""}, "copy names nothing"},
        {{.match = "", .copy = ".a<-data.a"}, "match names no field"},
        {{.match = "user.", .copy = ".a<-data.a"}, "no field"},
        {{.match = "user.id", .copy = "group.name<-data.x"}, "outside of \"user\""},
        {{.match = "user.id", .copy = "username<-data.x"}, "outside of \"user\""},
        {{.match = "user.id", .copy = ".id<-data.x"}, "would change the id"},
        {{.match = "user.id", .copy = ".@v<-data.x", .revision = ".@v"}, "would change the id, the revision"},
        {{.match = "user.id", .copy = "user.name<-data.x", .revision = "@v"}, "outside of \"user\""},
        {{.match = "user.id", .copy = "user.name<-data.x", .revision = ".id"}, "beside the id"},
        {{.match = "id", .copy = ".a<-data.a", .on_delete = ON_DELETE_REMOVE}, "remove the document"},
        {{.match = "a.id b.id", .copy = ".a<-data.a", .on_delete = ON_DELETE_TOMBSTONE, .tombstone = "a.x"},
         "no field for match \"b.id\""},
        {{.match = "a.id a.b.id", .copy = "a.b.x<-data.x .b<-data.b"}, "copy to \"a.b\" would change the id"},
        {{.match = "a.id a.b.id", .copy = "a.b.x<-data.x a<-data"}, "copy to \"a\" would change the id"},
        {{.match = "a.id a.c", .copy = ".x<-data.x a.x.y<-data.b"}, "are one and the same"},
        {{.match = "a.id", .copy = ".x<-1", .revision = ".v", .on_delete = ON_DELETE_TOMBSTONE, .tombstone = ".v.w"},
         "tombstone \"a.v.w\" would"},
        {{.match = "user.id", .copy = ".a<-data.a", .only_when = "b"}, "copies none of these"},
    };
    /* clang-format on */

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct relation_options options = relation_with(cases[i].options);
        struct error err = ERROR_INIT;

        assert_null(relation_new(&options, &err));
        assert_int_equal(err.kind, ERROR_CONFIG);
        if (!strstr(err.text, cases[i].reason))
            fail_msg("\"%s\" is not said in \"%s\"", cases[i].reason, err.text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_copy_is_found_in_every_shape_of_document),
        cmocka_unit_test(what_is_copied_is_a_field_all_of_it_a_constant_or_a_text),
        cmocka_unit_test(a_revision_is_a_number_or_stands_behind_the_uuid),
        cmocka_unit_test(what_is_gone_is_kept_cleared_removed_or_marked_once),
        cmocka_unit_test(a_copy_that_has_what_only_when_names_is_left_alone),
        cmocka_unit_test(an_event_matters_by_what_it_says_has_changed),
        cmocka_unit_test(a_rule_that_cannot_work_is_refused_with_the_reason),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
