/* Statistics survive the loss of the search engine: out into files, and back from them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/http.h"
#include "base/json.h"
#include "handlers/repair/archive_manifest.h"
#include "support/past.h"
#include "support/search_index.h"

enum { EACH_MONTH = 800 };

static const char records_ini[] = "[handler records]\ntype = record-stats\nqueue = views\nschedule = every 1h\n"
                                  "views = views-agg\nindex = records\nparent_field = id\n";

static char folder[400];

static struct scene *open_scene(void)
{
    struct buf ini = BUF_INIT;
    struct scene *s;

    buf_printf(&ini, "%s%s", past_ini, records_ini);
    s = scene_open(ini.data);
    buf_release(&ini);
    return s;
}

static int setup(void **state)
{
    static int number;
    struct scene *s = open_scene();

    snprintf(folder, sizeof folder, "%s/export%d", test_folder(), number++);
    past_load(s, EACH_MONTH);
    assert_int_equal(past_crier(s, "views-agg", (const char *const[]){"aggregations", "run", "--all", NULL}), 0);
    *state = s;
    return 0;
}

static int teardown(void **state)
{
    past_lose(*state);
    index_delete(((struct scene *)*state)->settings, "records");
    scene_close(*state);
    return 0;
}

static int export_all(struct scene *s, const char *wanted)
{
    return past_crier(s, wanted, (const char *const[]){"statistics", "export", "--out", folder, NULL});
}

static int import_all(struct scene *s, const char *wanted)
{
    return past_crier(s, wanted, (const char *const[]){"statistics", "import", "--in", folder, NULL});
}

struct dumps {
    char *events, *aggregates;
};

static struct dumps dump_all(struct scene *s)
{
    return (struct dumps){past_dump(s, "events-views-*", true), past_dump(s, "stats-views-*", true)};
}

static void compare_and_free(struct dumps a, struct dumps b)
{
    assert_string_equal(a.events, b.events);
    assert_string_equal(a.aggregates, b.aggregates);
    free(a.events);
    free(a.aggregates);
    free(b.events);
    free(b.aggregates);
}

static void what_is_exported_comes_back_byte_by_byte_after_all_indices_are_gone(void **state)
{
    struct scene *s = *state;
    struct dumps before = dump_all(s);

    assert_true(strlen(before.events) > 1000 && strlen(before.aggregates) > 1000);
    assert_int_equal(export_all(s, "6 files"), 0);
    past_lose(s);
    assert_int_equal(index_count(s->settings, "events-views-*"), 0);
    assert_int_equal(import_all(s, "0 were there already"), 0);
    compare_and_free(before, dump_all(s));
    assert_true(past_is_alias(s, "events-views"));
    assert_true(past_is_alias(s, "stats-views"));
    assert_int_equal(past_crier(s, "views-agg", (const char *const[]){"aggregations", "verify", NULL}), 0);
}

static void a_second_import_changes_nothing(void **state)
{
    struct scene *s = *state;
    struct dumps before = dump_all(s);

    assert_int_equal(export_all(s, ""), 0);
    assert_int_equal(import_all(s, "0 written"), 0);
    assert_int_equal(import_all(s, "0 written"), 0);
    compare_and_free(before, dump_all(s));
}

static void an_import_changes_nothing_that_is_newer(void **state)
{
    struct scene *s = *state;
    char *after;

    past_add_view(s, "again", "2026-09-03T10:00:00Z", "r1", "v1", "\"state\":\"old\"");
    assert_int_equal(export_all(s, ""), 0);
    past_add_view(s, "again", "2026-09-03T10:00:01Z", "r1", "v1", "\"state\":\"new\"");
    assert_int_equal(import_all(s, "0 written"), 0);
    after = past_dump(s, "events-views-2026-09", false);
    assert_non_null(strstr(after, "\"state\":\"new\""));
    assert_null(strstr(after, "\"state\":\"old\""));
    free(after);
}

static void which_months_were_restated_comes_back_too(void **state)
{
    struct scene *s = *state;
    char path[200], *before, *after;

    snprintf(path, sizeof path, "/%scrier-restated/_doc/views-2026-09", s->settings->opensearch.prefix);
    json_decref(index_ask(s->settings, "PUT", path, "{\"month\":\"2026-09\",\"reason\":\"late events\"}"));
    before = past_dump(s, "crier-restated", true);
    assert_int_equal(export_all(s, "7 files"), 0);
    past_lose(s);
    assert_int_equal(import_all(s, ""), 0);
    after = past_dump(s, "crier-restated", true);
    assert_non_null(strstr(after, "late events"));
    assert_string_equal(before, after);
    free(before);
    free(after);
}

/* ------------------------------------------------------------------------------------- what follows from it */

/* As the platform writes it, which knows of no use. */
static void publish_record(struct scene *s)
{
    char lines[300];

    snprintf(lines, sizeof lines, "{\"index\":{\"_index\":\"%srecords\",\"_id\":\"uuid-r1\"}}\n{\"id\":\"r1\"}\n",
             s->settings->opensearch.prefix);
    index_bulk(s->settings, lines);
}

static int64_t views_on_the_record(struct scene *s)
{
    char path[200];
    json_t *document;
    int64_t views;

    snprintf(path, sizeof path, "/%srecords/_doc/uuid-r1", s->settings->opensearch.prefix);
    document = index_ask(s->settings, "GET", path, NULL);
    views = json_integer_value(json_at(document, "_source.stats.this_version.views"));
    json_decref(document);
    return views;
}

static void run(struct scene *s, const char *handler)
{
    assert_int_equal(past_crier(s, "", (const char *const[]){"run", handler, NULL}), 0);
}

/* Both servers begin with nothing; a run of that time finds nothing to do. */
static void lose_everything(struct scene *s)
{
    past_lose(s);
    index_delete(s->settings, "records");
    scene_redis(s, "FLUSHALL");
    publish_record(s);
    run(s, "views-agg");
}

static void events_that_come_back_without_their_aggregates_are_counted_by_the_next_run(void **state)
{
    static const char *const export[] = {"statistics", "export", "--out", folder, "views", NULL};
    struct scene *s = *state;
    struct dumps before = dump_all(s), after;

    assert_int_equal(past_crier(s, "3 files", export), 0);
    lose_everything(s);
    assert_int_equal(import_all(s, "computed anew by the next run of their handlers"), 0);
    run(s, "views-agg");
    assert_int_equal(past_crier(s, "views-agg", (const char *const[]){"aggregations", "verify", NULL}), 0);
    after = dump_all(s);
    assert_true(strlen(after.aggregates) > strlen(before.aggregates) / 2);
    run(s, "records");
    assert_int_equal(views_on_the_record(s), 3 * (EACH_MONTH / 37 + 1));
    free(before.events);
    free(before.aggregates);
    free(after.events);
    free(after.aggregates);
}

static void aggregates_that_come_back_without_their_events_are_on_the_records_after_the_next_run(void **state)
{
    static const char *const export[] = {"statistics", "export", "--out", folder, "views-agg", NULL};
    struct scene *s = *state;

    assert_int_equal(past_crier(s, "3 files", export), 0);
    lose_everything(s);
    assert_int_equal(import_all(s, ""), 0);
    run(s, "views-agg"); /* takes no aggregate for one too many */
    run(s, "records");
    assert_int_equal(views_on_the_record(s), 3 * (EACH_MONTH / 37 + 1));
}

static void only_a_range_of_time_is_exported_where_one_is_given(void **state)
{
    struct scene *s = *state;

    assert_int_equal(past_crier(s, "dry run",
                                (const char *const[]){"statistics", "export", "--out", folder, "--dry-run", "--from",
                                                      "2026-09", NULL}),
                     0);
    assert_int_equal(access(folder, F_OK), -1);
    assert_int_equal(past_crier(s, "800 documents in 1 files",
                                (const char *const[]){"statistics", "export", "--out", folder, "--from", "2026-09",
                                                      "--to", "2026-09", "views", NULL}),
                     0);
}

static void flip_a_byte(const char *name)
{
    char path[500];
    FILE *file;
    int byte;

    snprintf(path, sizeof path, "%s/%s", folder, name);
    file = fopen(path, "r+e");
    assert_non_null(file);
    fseek(file, 400, SEEK_SET);
    byte = fgetc(file);
    fseek(file, 400, SEEK_SET);
    fputc(byte ^ 1, file);
    fclose(file);
}

static void a_file_that_is_not_as_it_was_exported_is_refused_and_named(void **state)
{
    struct scene *s = *state;
    char path[500];

    assert_int_equal(export_all(s, ""), 0);
    past_lose(s);
    flip_a_byte("events-views-2026-09.ndjson.gz");
    assert_int_equal(import_all(s, "events-views-2026-09.ndjson.gz"), 1);
    flip_a_byte("events-views-2026-09.ndjson.gz");
    snprintf(path, sizeof path, "%s/stats-views-2026-08.ndjson.gz", folder);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(import_all(s, "stats-views-2026-08.ndjson.gz"), 1);
    assert_int_equal(index_count(s->settings, "*views-*"), 0);
}

static void a_folder_that_holds_another_export_is_left_alone(void **state)
{
    struct scene *s = *state;

    assert_int_equal(import_all(s, "holds no export"), 1);
    assert_int_equal(export_all(s, ""), 0);
    assert_int_equal(export_all(s, "holds a whole export already"), 1);
}

/* When the next kill comes: also where the machine is slow, before the test's own time is over. */
static int later(int ms)
{
    return ms + 35 + ms / 16;
}

/* A kill may come when all is written and the program only has to say so. */
static bool is_exported(void)
{
    struct error err;
    json_t *manifest = manifest_read(folder, &err);
    bool whole = json_is_true(json_object_get(manifest, "complete"));

    json_decref(manifest);
    return whole;
}

/* The number of kills. */
static int export_killed(struct scene *s)
{
    static const char *const export[] = {"statistics", "export", "--out", folder, NULL};
    int kills = 0;

    for (int ms = 60; past_crier_killed(s, ms, export) && !is_exported(); ms = later(ms))
        kills++;
    assert_true(is_exported());
    return kills;
}

static int import_killed(struct scene *s)
{
    static const char *const import[] = {"statistics", "import", "--in", folder, NULL};
    int kills = 0;

    past_lose(s);
    for (int ms = 60; past_crier_killed(s, ms, import); ms = later(ms))
        kills++;
    return kills;
}

/* On a busy machine all may be done before the first kill: then once more from the beginning. */
static void killed_at_any_moment_export_and_import_go_on_to_the_same_end(void **state)
{
    enum { TIMES_MOST = 20 };
    struct scene *s = *state;
    struct dumps before = dump_all(s);
    int kills = export_killed(s) + import_killed(s);

    for (int i = 0; i < TIMES_MOST && kills < 4; i++)
        kills += import_killed(s);
    assert_true(kills >= 4);
    compare_and_free(before, dump_all(s));
    assert_int_equal(past_crier(s, "views-agg", (const char *const[]){"aggregations", "verify", NULL}), 0);
}

#define IN_THE_PAST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_THE_PAST(what_is_exported_comes_back_byte_by_byte_after_all_indices_are_gone),
        IN_THE_PAST(a_second_import_changes_nothing),
        IN_THE_PAST(an_import_changes_nothing_that_is_newer),
        IN_THE_PAST(which_months_were_restated_comes_back_too),
        IN_THE_PAST(events_that_come_back_without_their_aggregates_are_counted_by_the_next_run),
        IN_THE_PAST(aggregates_that_come_back_without_their_events_are_on_the_records_after_the_next_run),
        IN_THE_PAST(only_a_range_of_time_is_exported_where_one_is_given),
        IN_THE_PAST(a_file_that_is_not_as_it_was_exported_is_refused_and_named),
        IN_THE_PAST(a_folder_that_holds_another_export_is_left_alone),
        IN_THE_PAST(killed_at_any_moment_export_and_import_go_on_to_the_same_end),
    };

    http_global_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
