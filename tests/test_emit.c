#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/json.h"
#include "notifier/lines.h"
#include "support/scene.h"

static const char ini[] =
    "[redis]\nurl = REDIS\n"
    "[http]\nlisten = 127.0.0.1:0\nevent = 4KiB\n"
    "[queue statistics]\nevents = record-view\n"
    "[queue changes]\nevents = user.*\n"
    "[event record-view]\nprepare = robots machines visitor\nunique = data.recid visitor_id time/10s\n";

struct fixture {
    struct scene *scene;
    char path[400]; /* of the file to be sent */
    char *out;      /* all that crier printed */
    json_t *summary;
    int code;
};

static int setup(void **state)
{
    struct fixture *f = xcalloc(1, sizeof *f);

    f->scene = scene_open(ini);
    snprintf(f->path, sizeof f->path, "%s/events.ndjson", test_folder());
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    scene_close(f->scene);
    json_decref(f->summary);
    free(f->out);
    free(f);
    return 0;
}

/* Runs `crier emit ...`; with --json among the arguments the last line is the summary. */
static int emit(struct fixture *f, const char *const arguments[])
{
    const char *all[32] = {"emit", "--config", f->scene->config_path};
    const char *line;
    size_t count = 3;

    while (*arguments && count < ARRAY_LENGTH(all) - 1)
        all[count++] = *arguments++;
    free(f->out);
    json_decref(f->summary);
    f->code = crier_run(&f->out, all);
    line = strstr(f->out, "{\"accepted\"");
    f->summary = line ? json_loads(line, JSON_DISABLE_EOF_CHECK, NULL) : NULL;
    return f->code;
}

static int emit_file(struct fixture *f)
{
    return emit(f, (const char *const[]){"--json", f->path, NULL});
}

static FILE *open_file(struct fixture *f)
{
    FILE *file = fopen(f->path, "w");

    assert_non_null(file);
    return file;
}

static void add_events(FILE *file, int from, int to)
{
    for (int i = from; i < to; i++)
        fprintf(file,
                "{\"specversion\":\"1.0\",\"id\":\"e%d\",\"source\":\"/s\",\"type\":\"user.updated\",\"subject\":"
                "\"users/%d\"}\n",
                i, i);
}

static int64_t count_of(struct fixture *f, const char *what)
{
    if (!f->summary)
        fail_msg("%s", f->out);
    return json_integer_value(json_object_get(f->summary, what));
}

static int64_t stream_length(struct fixture *f, const char *queue)
{
    return scene_redis(f->scene, "XLEN crier:{%s}:stream", queue)->integer;
}

static void arguments_make_an_event(void **state)
{
    struct fixture *f = *state;
    const struct reply *entry;

    assert_int_equal(emit(f, (const char *const[]){"--type", "user.updated", "--subject=users/42", "--revision", "7",
                                                   "--actor", "users/1", "--operation", "op", "--data",
                                                   "{\"full_name\": \"x\"}", "--time", "2026-11-20T10:00:00Z", NULL}),
                     0);
    assert_non_null(strstr(f->out, "accepted 1"));
    entry = &scene_redis(f->scene, "XRANGE crier:{changes}:stream - +")->items[0].items[1];
    assert_string_equal(reply_field(entry, "source")->text, "crier:emit");
    assert_string_equal(reply_field(entry, "subject")->text, "users/42");
    assert_string_equal(reply_field(entry, "revision")->text, "7");
    assert_string_equal(reply_field(entry, "operation")->text, "op");
    assert_string_equal(reply_field(entry, "data")->text, "{\"full_name\":\"x\"}");
    assert_string_equal(reply_field(entry, "time")->text, "2026-11-20T10:00:00Z");
}

/* Every event of a file gets it, in whatever batch it goes off. */
static void an_operation_is_of_all_events_and_is_printed(void **state)
{
    enum { EVENTS = 700 };
    struct fixture *f = *state;
    FILE *file = open_file(f);
    const struct reply *entries;
    const char *operation;

    for (int i = 0; i < EVENTS; i++)
        fprintf(file, "{\"specversion\":\"1.0\",\"id\":\"e%d\",\"source\":\"/s\",\"type\":\"user.updated\"}\n", i);
    fprintf(file, "{\"specversion\":\"1.0\",\"id\":\"x\",\"source\":\"/s\",\"type\":\"user.updated\","
                  "\"operation\":\"other\"}\n");
    fclose(file);
    assert_int_equal(emit(f, (const char *const[]){"--json", "--operation", "new", f->path, NULL}), 3);
    assert_non_null(strstr(f->out, "another operation"));
    operation = json_string_value(json_object_get(f->summary, "operation"));
    assert_non_null(operation);
    assert_null(json_object_get(f->summary, "state"));
    entries = scene_redis(f->scene, "XRANGE crier:{changes}:stream - +");
    assert_int_equal(entries->count, EVENTS);
    for (size_t i = 0; i < EVENTS; i++)
        assert_string_equal(reply_field_text(&entries->items[i].items[1], "operation"), operation);
    assert_int_equal(emit(f, (const char *const[]){"--operation=mine", "--notification", "users", "1:u:2", NULL}), 0);
    assert_non_null(strstr(f->out, ", operation mine\n"));
    assert_int_equal(emit(f, (const char *const[]){"--type", "user.updated", NULL}), 0);
    assert_null(strstr(f->out, "operation"));
}

static void the_same_arguments_with_an_id_are_a_duplicate(void **state)
{
    struct fixture *f = *state;
    const char *const arguments[] = {"--json", "--type", "user.updated", "--id", "i", NULL};

    assert_int_equal(emit(f, arguments), 0);
    assert_int_equal(count_of(f, "accepted"), 1);
    assert_int_equal(emit(f, arguments), 0);
    assert_int_equal(count_of(f, "duplicates"), 1);
    assert_int_equal(stream_length(f, "changes"), 1);
}

static void wrong_arguments_are_a_failure_with_the_reason(void **state)
{
    static const struct {
        const char *arguments[6], *says;
        int code;
    } cases[] = {
        {{"--type", "user.updated", "--subject", "42"}, "kind/id",  1},
        {{"--type", "a b"},                             "type",     1},
        {{"--type", "crier.x"},                         "crier.",   1},
        {{"--type", "user.a", "--revision", "x"},       "revision", 1},
        {{"--type", "user.a", "--data", "{"},           "--data",   1},
        {{"--type", "user.a", "--data", "[]"},          "object",   1},
        {{"--type"},                                    "value",    2},
        {{"--subject", "users/1"},                      "--type",   2},
        {{"--type", "user.a", "file"},                  "either",   2},
        {{"--tpye", "user.a"},                          "option",   2},
        {{"one", "two"},                                "one file", 2},
        {{"/nonexistent/file"},                         "No such",  1},
        {{"--type", "user.a", "--operation"},           "or new",   2},
        {{"--type", "user.a", "--operation", "a/b"},    "letters",  2},
        {{"--type", "user.a", "--wait"},                "as 5s",    2},
        {{"--type", "user.a", "--wait", "2d"},          "--wait",   2},
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++)
        if (emit(f, cases[i].arguments) != cases[i].code || !strstr(f->out, cases[i].says))
            fail_msg("case %zu: %d %s", i, f->code, f->out);
}

static void a_file_of_several_batches_goes_through_whole(void **state)
{
    struct fixture *f = *state;
    FILE *file = open_file(f);

    add_events(file, 0, 1234);
    add_events(file, 0, 10);
    fputs("\n  \n{\"event_type\":\"record-view\",\"payload\":{\"recid\":\"r\",\"user_agent\":\"Googlebot\"}}\n"
          "{\"event_type\":\"nobody.asked\",\"payload\":{}}",
          file);
    fclose(file);
    assert_int_equal(emit_file(f), 0);
    assert_int_equal(count_of(f, "accepted"), 1234);
    assert_int_equal(count_of(f, "duplicates"), 10);
    assert_int_equal(count_of(f, "robots"), 1);
    assert_int_equal(count_of(f, "not_wanted"), 1);
    assert_int_equal(count_of(f, "refused"), 0);
    assert_int_equal(count_of(f, "through_line"), 1248);
    assert_int_equal(stream_length(f, "changes"), 1234);
    assert_int_equal(emit_file(f), 0);
    assert_int_equal(count_of(f, "duplicates"), 1244);
    assert_int_equal(stream_length(f, "changes"), 1234);
}

static void refused_lines_are_named_and_the_others_go_through(void **state)
{
    struct fixture *f = *state;
    FILE *file = open_file(f);
    char line_2[450], line_505[450];

    add_events(file, 0, 1);
    fputs("{\"id\":\n", file);
    add_events(file, 1, 503);
    fprintf(file, "{\"event_type\":\"user.a\",\"payload\":{\"x\":\"%5000s\"}}\n", "canary");
    add_events(file, 503, 504);
    fclose(file);
    snprintf(line_2, sizeof line_2, "%s:2: column 6 (byte 6)", f->path);
    snprintf(line_505, sizeof line_505, "%s:505: longer than", f->path);
    assert_int_equal(emit_file(f), 3);
    assert_non_null(strstr(f->out, line_2));
    assert_non_null(strstr(f->out, line_505));
    assert_null(strstr(f->out, "canary"));
    assert_int_equal(count_of(f, "accepted"), 504);
    assert_int_equal(count_of(f, "refused"), 2);
}

static void of_many_refused_lines_twenty_are_named_and_the_rest_counted(void **state)
{
    struct fixture *f = *state;
    FILE *file = open_file(f);

    for (int i = 0; i < 700; i++)
        fputs("{}\n", file);
    fclose(file);
    assert_int_equal(emit_file(f), 1);
    assert_non_null(strstr(f->out, ":20: "));
    assert_null(strstr(f->out, ":21: "));
    assert_non_null(strstr(f->out, "and 680 more were refused"));
}

static void a_dry_run_checks_all_and_sends_nothing(void **state)
{
    struct fixture *f = *state;
    FILE *file = open_file(f);

    add_events(file, 0, 3);
    fputs("{\"event_type\":\"record-view\",\"payload\":{\"recid\":\"r\",\"user_id\":1}}\n"
          "{\"event_type\":\"record-view\",\"payload\":{\"user_id\":1}}\n",
          file);
    fclose(file);
    server_kill(f->scene->redis_server); /* it is not even asked */
    assert_int_equal(emit(f, (const char *const[]){"--json", "--dry-run", f->path, NULL}), 3);
    assert_int_equal(count_of(f, "accepted"), 4);
    assert_non_null(strstr(f->out, ":5: data.recid"));
    server_restart(f->scene->redis_server);
    redis_drop(f->scene->redis);
    assert_int_equal(stream_length(f, "changes"), 0);
}

static void without_redis_it_says_how_far_it_came_and_can_be_repeated(void **state)
{
    struct fixture *f = *state;
    const struct reply *reply;
    struct error err;
    FILE *file = open_file(f);

    add_events(file, 0, 600);
    fclose(file);
    server_kill(f->scene->redis_server);
    assert_int_equal(emit_file(f), 69);
    assert_int_equal(count_of(f, "through_line"), 0);
    assert_non_null(strstr(f->out, "Lines up to 0 need not"));
    server_restart(f->scene->redis_server);
    redis_drop(f->scene->redis);
    assert_true(redis_do(f->scene->redis, f->scene->arena, &reply, &err, "CONFIG SET maxmemory 1"));
    assert_int_equal(emit_file(f), 69);
    assert_true(redis_do(f->scene->redis, f->scene->arena, &reply, &err, "CONFIG SET maxmemory 0"));
    assert_int_equal(emit_file(f), 0);
    assert_int_equal(count_of(f, "accepted"), 600);
}

static void a_line_that_never_ends_takes_no_memory(void **state)
{
    struct fixture *f = *state;
    FILE *file = open_file(f);
    struct lines lines;
    struct span line;
    struct error err;

    for (int i = 0; i < 4 * 1024 * 1024; i++)
        fputc('x', file);
    fputs("\nshort", file);
    fclose(file);
    file = fopen(f->path, "r");
    assert_non_null(file);
    lines_start(&lines, fileno(file), 1000);
    assert_int_equal(lines_next(&lines, &line, &err), LINE_TOO_LONG);
    assert_int_equal(lines.number, 1);
    assert_int_equal(lines_next(&lines, &line, &err), LINE_TEXT);
    assert_true(span_is(line, "short"));
    assert_int_equal(lines_next(&lines, &line, &err), LINE_END);
    assert_true(lines.kept.room < 256 * 1024);
    lines_release(&lines);
    fclose(file);
}

static void a_file_without_a_last_line_feed_loses_nothing(void **state)
{
    static const struct {
        const char *text;
        int lines;
    } cases[] = {
        {"",           0},
        {"\n",         0},
        {"a",          1},
        {"a\n",        1},
        {"a\nb",       2},
        {"\r\n \n\ta", 1},
        {"a\n\n\nb\n", 2},
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        FILE *file = open_file(f);
        struct lines lines;
        struct span line;
        struct error err;
        int count = 0;

        fputs(cases[i].text, file);
        fclose(file);
        file = fopen(f->path, "r");
        assert_non_null(file);
        lines_start(&lines, fileno(file), 1000);
        while (lines_next(&lines, &line, &err) == LINE_TEXT)
            count++;
        assert_int_equal(count, cases[i].lines);
        lines_release(&lines);
        fclose(file);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(arguments_make_an_event),
        TEST(an_operation_is_of_all_events_and_is_printed),
        TEST(the_same_arguments_with_an_id_are_a_duplicate),
        TEST(wrong_arguments_are_a_failure_with_the_reason),
        TEST(a_file_of_several_batches_goes_through_whole),
        TEST(refused_lines_are_named_and_the_others_go_through),
        TEST(of_many_refused_lines_twenty_are_named_and_the_rest_counted),
        TEST(a_dry_run_checks_all_and_sends_nothing),
        TEST(without_redis_it_says_how_far_it_came_and_can_be_repeated),
        TEST(a_line_that_never_ends_takes_no_memory),
        TEST(a_file_without_a_last_line_feed_loses_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
