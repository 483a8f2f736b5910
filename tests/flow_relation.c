/* Relations of every shape at work: what an ini section says, on an index of that shape. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/http.h"
#include "base/json.h"
#include "support/scene.h"
#include "support/search_index.h"
#include "support/work.h"

#define SERVERS "[redis]\nurl = REDIS\n[opensearch]\nurl = SEARCH\nprefix = PREFIX\n"
#define HANDLER                                                                                                        \
    "[queue changes]\nevents = user.*\n[handler copies]\ntype = denormalize\nqueue = changes\nschedule = every 2s\n"   \
    "index = holders\n"

/* An index of that mapping with that one document, a relation and a change of the subject 1 to revision 5. */
struct shape {
    const char *properties, *before, *relation, *after;
};

#define KEYWORDS "{\"properties\":{\"id\":{\"type\":\"keyword\"},\"@v\":{\"type\":\"keyword\"}}}"
#define NESTED   "{\"type\":\"nested\",\"properties\":{\"id\":{\"type\":\"keyword\"},\"@v\":{\"type\":\"long\"}}}"
#define TITLE    "copy = .title<-data.title\nrevision = .@v\n"

/* clang-format off */
static const struct shape shapes[] = {
    {"{\"user\":" KEYWORDS "}", "{\"user\":{\"id\":\"1\",\"@v\":4}}", "match = user.id\n" TITLE,
     "{\"user\":{\"id\":\"1\",\"@v\":5,\"title\":\"new\"}}"},
    {"{\"users\":" KEYWORDS "}", "{\"users\":[{\"id\":\"2\",\"@v\":5},{\"id\":\"1\",\"@v\":4}]}",
     "match = users.id\n" TITLE, "{\"users\":[{\"id\":\"2\",\"@v\":5},{\"id\":\"1\",\"@v\":5,\"title\":\"new\"}]}"},
    {"{\"creators\":{\"properties\":{\"affiliations\":" KEYWORDS "}}}",
     "{\"creators\":[{\"affiliations\":[{\"id\":\"2\"},{\"id\":\"1\"}]},{\"affiliations\":[{\"id\":\"1\"}]}]}",
     "match = creators.affiliations.id\n" TITLE,
     "{\"creators\":[{\"affiliations\":[{\"id\":\"2\"},{\"id\":\"1\",\"title\":\"new\",\"@v\":5}]},"
     "{\"affiliations\":[{\"id\":\"1\",\"title\":\"new\",\"@v\":5}]}]}"},
    {"{\"users\":" NESTED "}", "{\"users\":[{\"id\":\"2\",\"@v\":5},{\"id\":\"1\",\"@v\":4}]}",
     "match = users.id\n" TITLE, "{\"users\":[{\"id\":\"2\",\"@v\":5},{\"id\":\"1\",\"@v\":5,\"title\":\"new\"}]}"},
    {"{\"groups\":{\"type\":\"nested\",\"properties\":{\"users\":" NESTED "}}}",
     "{\"groups\":[{\"users\":[{\"id\":\"1\"}]},{\"users\":[]}]}", "match = groups.users.id\n" TITLE,
     "{\"groups\":[{\"users\":[{\"id\":\"1\",\"title\":\"new\",\"@v\":5}]},{\"users\":[]}]}"},
    {"{\"user\":" KEYWORDS "}", "{\"user.id\":\"1\",\"user.@v\":4}", "match = user.id\n" TITLE,
     "{\"user.id\":\"1\",\"user.@v\":5,\"user.title\":\"new\"}"},
    {"{\"user\":{\"properties\":{\"id\":{\"type\":\"text\",\"fields\":{\"raw\":{\"type\":\"keyword\"}}}}}}",
     "{\"user\":{\"id\":\"1\"}}", "match = user.id\n" TITLE, "{\"user\":{\"id\":\"1\",\"title\":\"new\",\"@v\":5}}"},
    {"{\"user\":{\"properties\":{\"id\":{\"type\":\"text\"}}}}", "{\"user\":[{\"id\":\"1\"},{\"id\":\"1 2\"}]}",
     "match = user.id\n" TITLE, "{\"user\":[{\"id\":\"1\",\"title\":\"new\",\"@v\":5},{\"id\":\"1 2\"}]}"},
    {"{\"parent\":{\"properties\":{\"communities\":{\"properties\":{\"entries\":" KEYWORDS "}}}}}",
     "{\"parent\":{\"communities\":{\"ids\":[\"1\"],\"default\":\"1\",\"entries\":[{\"id\":\"1\",\"@v\":\"u-1::4\","
     "\"slug\":\"s\",\"metadata\":{\"title\":\"old\",\"website\":\"w\"}}]}}}",
     "match = parent.communities.entries.id\nrevision = .@v\nrevision_format = uuid\n"
     "copy = .metadata.title<-data.title .slug<-data.slug\n",
     "{\"parent\":{\"communities\":{\"ids\":[\"1\"],\"default\":\"1\",\"entries\":[{\"id\":\"1\",\"@v\":\"u-1::5\","
     "\"slug\":\"s\",\"metadata\":{\"title\":\"new\",\"website\":\"w\"}}]}}}"},
    {"{\"sender\":" KEYWORDS ",\"receivers\":" NESTED "}",
     "{\"sender\":{\"id\":\"1\"},\"receivers\":[{\"id\":\"1\",\"@v\":5},{\"id\":\"1\",\"@v\":1}]}",
     "match = sender.id receivers.id\ncopy = .label<-\"{data.title} ({data.nr})\" sender.kind<-\"user\"\nrevision = "
     ".@v\n",
     "{\"sender\":{\"id\":\"1\",\"label\":\"new "
     "(7)\",\"kind\":\"user\",\"@v\":5},\"receivers\":[{\"id\":\"1\",\"@v\":5},"
     "{\"id\":\"1\",\"@v\":5,\"label\":\"new (7)\"}]}"},
    {"{\"user\":" KEYWORDS "}", "{\"user\":{\"id\":\"1\",\"@v\":4,\"old\":true}}",
     "match = user.id\ncopy = .<-data\nrevision = .@v\n",
     "{\"user\":{\"id\":\"1\",\"@v\":5,\"title\":\"new\",\"nr\":7,\"uuid\":\"u-1\",\"slug\":\"s\"}}"},
};
/* clang-format on */

static void make_index(struct scene *s, const char *mapping)
{
    char path[100];

    index_delete(s->settings, "holders");
    snprintf(path, sizeof path, "/%sholders", s->settings->opensearch.prefix);
    json_decref(index_ask(s->settings, "PUT", path, mapping));
}

static void load(struct scene *s, const char *id, const char *document)
{
    struct buf lines = BUF_INIT;

    buf_printf(&lines, "{\"index\":{\"_index\":\"%sholders\",\"_id\":\"%s\"}}\n%s\n", s->settings->opensearch.prefix,
               id, document);
    index_bulk(s->settings, lines.data);
    buf_release(&lines);
}

static void change(struct scene *s, const char *type, const char *id, int revision, const char *data)
{
    struct event e = scene_event(s, type, id, "users/1", revision, data);

    scene_append(s, &e, 1);
    work_off(s, "copies");
}

static void assert_document(struct scene *s, const char *expected)
{
    char *documents = index_dump(s->settings, "holders");
    struct buf line = BUF_INIT;

    buf_printf(&line, "a %s\n", expected);
    assert_string_equal(documents, line.data);
    buf_release(&line);
    free(documents);
}

static struct scene *stage(const char *relation, const char *properties)
{
    struct buf text = BUF_INIT;
    struct scene *s;

    buf_printf(&text, SERVERS HANDLER "%s", relation);
    s = scene_open(text.data);
    buf_reset(&text);
    buf_printf(&text, "{\"mappings\":{\"properties\":%s}}", properties);
    make_index(s, text.data);
    buf_release(&text);
    return s;
}

static void unstage(struct scene *s)
{
    index_delete(s->settings, "holders");
    scene_close(s);
}

static void a_change_reaches_copies_in_every_shape_of_index_and_once(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(shapes); i++) {
        struct scene *s = stage(shapes[i].relation, shapes[i].properties);
        int64_t writes;

        load(s, "a", shapes[i].before);
        writes = index_writes(s->settings, "holders");
        change(s, "user.updated", "e1", 5, "{\"title\":\"new\",\"nr\":7,\"uuid\":\"u-1\",\"slug\":\"s\"}");
        assert_document(s, shapes[i].after);
        assert_true(index_writes(s->settings, "holders") > writes);
        writes = index_writes(s->settings, "holders");
        change(s, "user.updated", "e2", 5, "{\"title\":\"other\",\"nr\":8,\"uuid\":\"u-1\",\"slug\":\"s\"}");
        change(s, "user.updated", "e3", 4, "{\"title\":\"older\",\"nr\":6,\"uuid\":\"u-1\",\"slug\":\"s\"}");
        assert_document(s, shapes[i].after);
        assert_int_equal(index_writes(s->settings, "holders"), writes);
        unstage(s);
    }
}

static void the_end_of_a_subject_is_written_once_as_the_section_says(void **state)
{
    /* clang-format off */
    static const struct {
        const char *policy, *after;
    } cases[] = {
        {"keep", "{\"user\":{\"id\":\"1\",\"@v\":\"u-1::4\",\"title\":\"old\"}}"},
        {"clear", "{\"user\":{\"id\":\"1\",\"@v\":\"u-1::5\"}}"},
        {"remove", "{}"},
        {"tombstone", "{\"user\":{\"id\":\"1\",\"@v\":\"u-1::5\",\"gone\":true}}"},
    };
    /* clang-format on */

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct buf relation = BUF_INIT;
        int64_t writes;
        struct scene *s;

        buf_printf(&relation, "match = user.id\n%srevision_format = uuid\ntombstone = .gone\non_delete = %s\n", TITLE,
                   cases[i].policy);
        s = stage(relation.data, "{\"user\":" KEYWORDS "}");
        load(s, "a", "{\"user\":{\"id\":\"1\",\"@v\":\"u-1::4\",\"title\":\"old\"}}");
        change(s, "user.deleted", "e1", 5, "{\"uuid\":\"u-1\"}");
        assert_document(s, cases[i].after);
        writes = index_writes(s->settings, "holders");
        change(s, "user.deleted", "e2", 5, "{\"uuid\":\"u-1\"}");
        change(s, "user.updated", "e3", 4, "{\"uuid\":\"u-1\",\"title\":\"old\"}");
        assert_document(s, cases[i].after);
        assert_int_equal(index_writes(s->settings, "holders"), writes);
        unstage(s);
        buf_release(&relation);
    }
}

static void a_change_of_other_fields_costs_no_search(void **state)
{
    struct scene *s = stage("match = user.id\n" TITLE "only_when = title\n", "{\"user\":" KEYWORDS "}");
    int64_t searches, writes;

    (void)state;
    load(s, "a", "{\"user\":{\"id\":\"1\",\"@v\":4,\"title\":\"new\"}}");
    searches = index_searches(s->settings, "holders");
    writes = index_writes(s->settings, "holders");
    change(s, "user.updated", "e1", 5, "{\"title\":\"new\",\"changed\":[\"password\",\"last_login\"]}");
    assert_int_equal(index_searches(s->settings, "holders"), searches);
    change(s, "user.updated", "e2", 6, "{\"title\":\"new\",\"changed\":[\"title\"]}");
    assert_int_equal(index_writes(s->settings, "holders"), writes); /* it says so already */
    change(s, "user.updated", "e3", 7, "{\"title\":\"newer\",\"changed\":[\"title\",\"password\"]}");
    assert_document(s, "{\"user\":{\"id\":\"1\",\"@v\":7,\"title\":\"newer\"}}");
    unstage(s);
}

/* ---------------------------------------------------------------------------------------------- check --online */

static void assert_said(struct scene *s, int code, const char *wanted)
{
    const char *words[] = {"check", "--online", "--config", s->config_path, NULL};
    char *out;

    assert_int_equal(crier_run(&out, words), code);
    if (!strstr(out, wanted))
        fail_msg("\"%s\" is not in what it said: %s", wanted, out);
    free(out);
}

static void check_online_names_the_field_that_the_index_does_not_know(void **state)
{
    /* clang-format off */
    static const struct {
        const char *relation, *mapping;
        int code;
        const char *said;
    } cases[] = {
        {"match = user.id\n" TITLE, "{\"mappings\":{\"properties\":{\"user\":" KEYWORDS "}}}", 0,
         "copy: \"user.title\" would be a new field"},
        {"match = users.id\n" TITLE, "{\"mappings\":{\"properties\":{\"user\":" KEYWORDS "}}}", 78,
         ":8: handler copies: match: index "},
        {"match = users.id\n" TITLE, "{\"mappings\":{\"properties\":{\"user\":" KEYWORDS "}}}", 78,
         "knows no field \"users.id\"; did you mean \"user.id\"?"},
        {"match = user.id\n" TITLE, "{\"mappings\":{\"dynamic\":\"strict\",\"properties\":{\"user\":" KEYWORDS "}}}",
         78, "would refuse a field \"user.title\""},
        {"match = user.id\ncopy = .id2<-data.x\nindexed_at = indexed\n",
         "{\"mappings\":{\"properties\":{\"indexed_at\":{\"type\":\"date\"},\"user\":" KEYWORDS "}}}", 78,
         "knows no field \"indexed\"; did you mean \"indexed_at\"?"},
        {"match = user.id\n" TITLE,
         "{\"mappings\":{\"properties\":{\"user\":{\"properties\":{\"id\":{\"type\":\"text\"}}}}}}", 0,
         "is analysed text"},
        {"match = user.id\n" TITLE, NULL, 0, "index holders does not exist yet"},
    };
    /* clang-format on */

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct scene *s = stage(cases[i].relation, "{}");

        if (cases[i].mapping)
            make_index(s, cases[i].mapping);
        else
            index_delete(s->settings, "holders");
        assert_said(s, cases[i].code, cases[i].said);
        unstage(s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_change_reaches_copies_in_every_shape_of_index_and_once),
        cmocka_unit_test(the_end_of_a_subject_is_written_once_as_the_section_says),
        cmocka_unit_test(a_change_of_other_fields_costs_no_search),
        cmocka_unit_test(check_online_names_the_field_that_the_index_does_not_know),
    };

    http_global_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
