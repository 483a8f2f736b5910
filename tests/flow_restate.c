/* Statistics judged anew: which clicks count, and who was a robot, with everything that follows from it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/http.h"
#include "base/json.h"
#include "support/past.h"
#include "support/search_index.h"

static const char *const restate_october[] = {"statistics", "restate",     "--month", "2026-10",
                                              "--reason",   "late events", NULL};

static int setup(void **state)
{
    struct scene *s = scene_open(past_ini);

    past_load(s, 300);
    *state = s;
    return 0;
}

static int teardown(void **state)
{
    past_lose(*state);
    scene_close(*state);
    return 0;
}

static void compute(struct scene *s)
{
    assert_int_equal(past_crier(s, "views-agg", (const char *const[]){"aggregations", "run", "--all", NULL}), 0);
}

static void verify(struct scene *s)
{
    assert_int_equal(past_crier(s, "views-agg", (const char *const[]){"aggregations", "verify", NULL}), 0);
}

/* The sum of `count` over the aggregates of a record. */
static int64_t views_of(struct scene *s, const char *record)
{
    char path[300], body[300];
    json_t *answer;
    int64_t count;

    index_count(s->settings, "stats-views"); /* all is visible */
    snprintf(path, sizeof path, "/%sstats-views/_search", s->settings->opensearch.prefix);
    snprintf(body, sizeof body,
             "{\"size\":0,\"query\":{\"term\":{\"recid\":\"%s\"}},\"aggs\":{\"n\":{\"sum\":{\"field\":\"count\"}}}}",
             record);
    answer = index_ask(s->settings, "POST", path, body);
    count = (int64_t)json_number_value(json_at(answer, "aggregations.n.value"));
    json_decref(answer);
    return count;
}

/* ----------------------------------------------------------------------------------------------------- clicks */

/* A click of the visitor x on the record "audit", so many seconds after a time. */
static void click(struct scene *s, const char *id, const char *from, int seconds, bool counted)
{
    char time[TIME_TEXT_BYTES];
    int64_t time_us;

    assert_true(time_parse(from, strlen(from), false, &time_us));
    past_add_view(s, id, time_text(time_us + seconds * US_PER_SECOND, time), "audit", "x",
                  counted ? "\"counted\":true" : "\"counted\":false");
}

/* Five of these count: b, d, f, h and i. As written, wrong ones say the opposite. */
static void add_clicks(struct scene *s)
{
    click(s, "a", "2026-10-05T10:00:00Z", 0, true); /* b follows after 30 s: wrong */
    click(s, "b", "2026-10-05T10:00:00Z", 30, true);
    click(s, "c", "2026-10-05T10:00:00Z", 61, true);  /* d follows within the same instant's reach: wrong */
    click(s, "d", "2026-10-05T10:00:00Z", 61, false); /* nothing follows: wrong */
    click(s, "e", "2026-09-30T23:59:50Z", 0, true);   /* before the month, followed in it: wrong */
    click(s, "f", "2026-10-01T00:00:10Z", 0, true);
    click(s, "g", "2026-10-31T23:59:50Z", 0, true); /* in the month, followed behind it: wrong */
    click(s, "h", "2026-11-01T00:00:05Z", 0, true);
    click(s, "i", "2026-10-20T00:00:00Z", 0, true);
}

static void check_clicks(struct scene *s)
{
    static const struct {
        const char *id;
        bool counted;
    } wanted[] = {
        {"a", false},
        {"b", true },
        {"c", false},
        {"d", true },
        {"e", false},
        {"f", true },
        {"g", false},
        {"h", true },
        {"i", true },
    };
    char *all = past_dump(s, "events-views", false);

    for (size_t i = 0; i < ARRAY_LENGTH(wanted); i++) {
        char start[10];
        const char *line;

        snprintf(start, sizeof start, "\n%s ", wanted[i].id);
        line = strstr(all, start);
        if (!line || !strstr(line, wanted[i].counted ? "\"counted\":true" : "\"counted\":false") ||
            strcspn(strstr(line, "\"counted\""), "\n") >= strlen("\"counted\":false") + 2)
            fail_msg("%s: %.200s", wanted[i].id, line ? line : "is gone");
    }
    free(all);
}

static void of_each_chain_of_the_month_the_last_click_counts_again(void **state)
{
    struct scene *s = *state;
    char *noted, *before, *after;

    add_clicks(s);
    compute(s);
    assert_int_equal(views_of(s, "audit"), 8);
    before = past_dump(s, "events-views", false);
    assert_int_equal(
        past_crier(s, "views", (const char *const[]){"statistics", "restate", "--month", "2026-10", "--dry-run", NULL}),
        0);
    after = past_dump(s, "events-views", false);
    assert_string_equal(before, after);
    assert_int_equal(past_crier(s, "views", restate_october), 0);
    check_clicks(s);
    verify(s);
    assert_int_equal(views_of(s, "audit"), 5);
    noted = past_dump(s, "crier-restated", false);
    assert_non_null(strstr(noted, "views-2026-10 "));
    assert_non_null(strstr(noted, "\"reason\":\"late events\""));
    assert_non_null(strstr(noted, "\"before\":{\"events\":307,\"counted\":306"));
    assert_non_null(strstr(noted, "\"after\":{\"events\":307,\"counted\":304"));
    free(noted);
    free(before);
    free(after);
}

static void the_month_before_is_noted_as_well_where_its_last_clicks_changed(void **state)
{
    struct scene *s = *state;
    char *noted;

    click(s, "last", "2026-09-30T23:59:50Z", 0, true);
    click(s, "first", "2026-10-01T00:00:10Z", 0, true);
    compute(s);
    assert_int_equal(past_crier(s, "2026-09", restate_october), 0);
    noted = past_dump(s, "crier-restated", false);
    assert_non_null(strstr(noted, "views-2026-09 "));
    assert_non_null(strstr(noted, "\"before\":{\"events\":301,\"counted\":301"));
    assert_non_null(strstr(noted, "\"after\":{\"events\":301,\"counted\":300"));
    assert_null(strstr(noted, "views-2026-10 "));
    free(noted);
}

static void a_month_in_which_all_was_right_is_not_noted_as_restated(void **state)
{
    struct scene *s = *state;

    compute(s);
    assert_int_equal(past_crier(s, "views", restate_october), 0);
    assert_int_equal(index_count(s->settings, "crier-restated"), 0);
}

static void what_aggregates_lack_or_have_too_much_is_repaired_for_the_month(void **state)
{
    struct scene *s = *state;
    char *noted;

    compute(s);
    past_add_view(s, "late", "2026-10-07T10:00:00Z", "late", "v1", ""); /* nobody marked its key */
    assert_int_equal(past_crier(s, "views-agg",
                                (const char *const[]){"aggregations", "delete", "--from", "2026-10-09", "--to",
                                                      "2026-10-10", "--yes", NULL}),
                     0);
    assert_int_equal(past_crier(s, "views", restate_october), 0);
    verify(s);
    assert_int_equal(views_of(s, "late"), 1);
    noted = past_dump(s, "crier-restated", false);
    assert_non_null(strstr(noted, "views-2026-10 "));
    free(noted);
}

static void killed_at_any_moment_a_restatement_ends_the_same_and_knows_what_was_before(void **state)
{
    struct scene *s = *state;
    char *noted;
    int kills = 0;

    add_clicks(s);
    compute(s);
    for (int64_t message = 1; past_crier_killed_at(s, message, restate_october); message += message / 3 + 1) {
        scene_redis(s, "DEL crier:{lease:handler:views-agg}:holder"); /* as if some seconds had passed */
        kills++;
    }
    assert_true(kills >= 4);
    check_clicks(s);
    verify(s);
    assert_int_equal(index_count(s->settings, "crier-restated"), 2);
    noted = past_dump(s, "crier-restated", false);
    assert_non_null(strstr(noted, "\"before\":{\"events\":307,\"counted\":306"));
    assert_non_null(strstr(noted, "\"after\":{\"events\":307,\"counted\":304"));
    assert_int_equal(scene_redis(s, "KEYS *restating*")->count, 0);
    free(noted);
}

/* ----------------------------------------------------------------------------------------------------- robots */

static void write_list(const char *name, const char *pattern)
{
    char path[400];
    FILE *file;

    snprintf(path, sizeof path, "%s/%s", test_folder(), name);
    file = fopen(path, "we");
    assert_non_null(file);
    fprintf(file, "%s\n", pattern);
    fclose(file);
}

static int setup_robots(void **state)
{
    char ini[4000];
    struct scene *s;

    write_list("robots", "Oldbot");
    write_list("machines", "Oldmachine");
    snprintf(ini, sizeof ini, "%s", past_ini);
    snprintf(strstr(ini, "clicks = cop51\n"), 1000,
             "clicks = window 10s\nagent_class = yes\nrobots = flag\nrobots_file = %s/robots\n"
             "machines_file = %s/machines\n%s",
             test_folder(), test_folder(), strstr(past_ini, "clicks = cop51\n") + strlen("clicks = cop51\n"));
    memcpy(strstr(ini, "where = counted!=false"), "where = is_robot=false", strlen("where = is_robot=false"));
    s = scene_open(ini);
    past_load(s, 10);
    for (int i = 0; i < 40; i++) {
        char id[20], more[200];

        snprintf(id, sizeof id, "k%02d", i);
        snprintf(more, sizeof more, "\"agent_class\":\"Mozilla %s\",\"is_robot\":false,\"is_machine\":false",
                 i % 4 == 0   ? "Newbot"
                 : i % 4 == 1 ? "Newmachine"
                              : "Firefox");
        past_add_view(s, id, "2026-10-05T10:00:00Z", "robots", id, more);
    }
    compute(s);
    assert_int_equal(views_of(s, "robots"), 40);
    *state = s;
    return 0;
}

static int64_t count_where(struct scene *s, const char *field, bool value)
{
    char path[300], body[200];
    json_t *answer;
    int64_t count;

    index_count(s->settings, "events-views");
    snprintf(path, sizeof path, "/%sevents-views/_count", s->settings->opensearch.prefix);
    snprintf(body, sizeof body, "{\"query\":{\"term\":{\"%s\":%s}}}", field, value ? "true" : "false");
    answer = index_ask(s->settings, "POST", path, body);
    count = json_integer_value(json_object_get(answer, "count"));
    json_decref(answer);
    return count;
}

static const char *const reclassify[] = {"statistics", "reclassify", "--json", NULL};

static void by_a_new_list_events_of_the_past_are_robots_and_no_longer_counted(void **state)
{
    struct scene *s = *state;

    write_list("robots", "Newbot");
    write_list("machines", "Newmachine");
    assert_int_equal(past_crier(s, "\"changed\": 20, \"without_class\": 30",
                                (const char *const[]){"statistics", "reclassify", "--json", "--dry-run", NULL}),
                     0);
    assert_int_equal(count_where(s, "is_robot", true), 0);
    assert_int_equal(past_crier(s, "\"looked_at\": 40, \"changed\": 20, \"without_class\": 30", reclassify), 0);
    assert_int_equal(count_where(s, "is_robot", true), 20); /* by cop51 a machine is a robot, too */
    assert_int_equal(count_where(s, "is_machine", true), 10);
    assert_int_equal(past_crier(s, "", (const char *const[]){"run", "views-agg", NULL}), 0);
    assert_int_equal(views_of(s, "robots"), 20);
    verify(s);
    assert_int_equal(past_crier(s, "\"changed\": 0", reclassify), 0);
}

static void after_one_that_was_cut_off_all_keys_are_computed_anew(void **state)
{
    struct scene *s = *state;

    write_list("robots", "Newbot");
    for (int64_t message = 1; past_crier_killed_at(s, message, reclassify); message += message / 2 + 1)
        scene_redis(s, "DEL crier:{lease:handler:views-agg}:holder");
    assert_int_equal(past_crier(s, "", (const char *const[]){"run", "views-agg", NULL}), 0);
    assert_int_equal(views_of(s, "robots"), 30);
    verify(s);
    assert_int_equal(scene_redis(s, "KEYS *reclassifying*")->count, 0);
}

#define IN_THE_PAST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
#define WITH_ROBOTS(test) cmocka_unit_test_setup_teardown(test, setup_robots, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_THE_PAST(of_each_chain_of_the_month_the_last_click_counts_again),
        IN_THE_PAST(the_month_before_is_noted_as_well_where_its_last_clicks_changed),
        IN_THE_PAST(a_month_in_which_all_was_right_is_not_noted_as_restated),
        IN_THE_PAST(what_aggregates_lack_or_have_too_much_is_repaired_for_the_month),
        IN_THE_PAST(killed_at_any_moment_a_restatement_ends_the_same_and_knows_what_was_before),
        WITH_ROBOTS(by_a_new_list_events_of_the_past_are_robots_and_no_longer_counted),
        WITH_ROBOTS(after_one_that_was_cut_off_all_keys_are_computed_anew),
    };

    http_global_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
