/* Profiles: what one line in [event] brings into the file, and what those bring that ship with crier. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "config/settings.h"
#include "handlers/aggregate.h"
#include "handlers/record_stats.h"
#include "handlers/relation/relation.h"
#include "handlers/statistics.h"
#include "scheduler/verbs.h"

struct counting {
    char *index, *views, *downloads;
};

static const struct config_key counting_keys[] = {
    {"index",     CONFIG_TEXT, offsetof(struct counting, index),     NULL, 0, 0, NULL, NULL, "where the counts go"},
    {"views",     CONFIG_TEXT, offsetof(struct counting, views),     "",   0, 0, NULL, NULL, "one source"         },
    {"downloads", CONFIG_TEXT, offsetof(struct counting, downloads), "",   0, 0, NULL, NULL, "the other"          },
    CONFIG_END,
};

static const struct config_kind kinds[] = {
    {"counting",     "counts", counting_keys, sizeof(struct counting), 0, NULL},
    {0},
};

static const struct config_profile profiles[] = {
    {"views",                                                                                      "counts views",
     "[queue views]\nevents = {type}\nwindow = 2h\n"
     "[event {type}]\nunique = subject\n"
     "[handler both]\ntype = counting\nqueue = views\nindex = {type}-{time:%Y}-{type}\nviews = {type}\n"
     "[http]\nthreads = 3\n"},
    {"downloads",                                                                      "counts downloads",
     "[queue downloads]\nevents = {type}\n"
     "[handler both]\ntype = counting\nqueue = downloads\nindex = other\ndownloads =\n  a\n  b\n"},
    {"wrong",                                                                                  "has mistakes", "[queue wrong]\nevents = {type}\nwindow = none\n[hander h]\n"},
    {0},
};

static const struct config_outside own = {.kinds = kinds, .profiles = profiles};

static struct settings *parse_good(const struct config_outside *outside, const char *text)
{
    struct buf mistakes = BUF_INIT;
    struct error err;
    struct settings *s = settings_parse("test.ini", text, strlen(text), outside, &mistakes, &err);

    if (!s)
        fail_msg("%s", mistakes.data);
    buf_release(&mistakes);
    return s;
}

static void assert_mistakes(const char *text, const char *expected)
{
    struct buf mistakes = BUF_INIT;
    struct error err;

    assert_null(settings_parse("test.ini", text, strlen(text), &own, &mistakes, &err));
    assert_string_equal(mistakes.data, expected);
    buf_release(&mistakes);
}

/* ------------------------------------------------------------------------------------------------- merging */

static void one_line_gives_all_sections_of_the_profile(void **state)
{
    struct settings *s = parse_good(&own, "[redis]\ntimeout = 5s\n[event record.viewed]\nprofile = views\n");
    const struct handler_settings *both = settings_handler(s, "both");
    const struct counting *counting;

    (void)state;
    assert_non_null(both);
    counting = both->own;
    assert_int_equal(s->queue_count, 1);
    assert_string_equal(s->queues[0].events, "record.viewed");
    assert_int_equal(s->queues[0].window_ms, 7200000);
    assert_int_equal(s->queues[0].line, 4);
    assert_int_equal(s->event_count, 1);
    assert_string_equal(s->events[0].unique, "subject");
    assert_string_equal(counting->index, "record.viewed-{time:%Y}-record.viewed");
    assert_int_equal(s->http.threads, 3);
    settings_free(s);
}

static void keys_of_the_file_take_precedence_wherever_they_stand(void **state)
{
    struct settings *s = parse_good(&own, "[http]\nthreads = 5\n[event a]\nunique =\nprofile = views\n"
                                          "[handler both]\nindex = mine\n[queue views]\nwindow = 1h\n");

    (void)state;
    assert_int_equal(s->http.threads, 5);
    assert_string_equal(s->events[0].unique, "");
    assert_int_equal(s->queues[0].window_ms, 3600000);
    assert_string_equal(s->queues[0].events, "a");
    assert_string_equal(((const struct counting *)settings_handler(s, "both")->own)->index, "mine");
    assert_string_equal(((const struct counting *)settings_handler(s, "both")->own)->views, "a");
    settings_free(s);
}

static void two_profiles_fill_one_section(void **state)
{
    struct settings *s = parse_good(&own, "[event a]\nprofile = views\n[event b]\nprofile = downloads\n");
    const struct handler_settings *both = settings_handler(s, "both");
    const struct counting *counting = both->own;

    (void)state;
    assert_int_equal(s->handler_count, 1);
    assert_int_equal(s->queue_count, 2);
    assert_string_equal(both->queue, "views");
    assert_string_equal(counting->index, "a-{time:%Y}-a");
    assert_string_equal(counting->views, "a");
    assert_string_equal(counting->downloads, "a b");
    settings_free(s);
}

static void an_unknown_profile_is_a_mistake_with_the_nearest_name(void **state)
{
    (void)state;
    assert_mistakes("[event a]\nprofile = download\n",
                    "test.ini:2: profile: there is no profile \"download\"; did you mean \"downloads\"?\n");
    assert_mistakes("[event a]\nprofile = zz\n",
                    "test.ini:2: profile: there is no profile \"zz\"; known are views, downloads, wrong\n");
}

static void a_profile_is_that_of_one_event(void **state)
{
    (void)state;
    assert_mistakes("[event a]\nprofile = views\n[event b]\nprofile = views\n",
                    "test.ini:4: profile: views is that of [event a] already, in line 2\n");
}

static void mistakes_in_what_is_merged_are_noted_at_the_profile(void **state)
{
    (void)state;
    assert_mistakes("[event a]\n\nprofile = wrong\n",
                    "test.ini:3: window: must be a time from 1s to 366d (ms, s, m, h or d), not \"none\"\n"
                    "test.ini:3: unknown section [hander]; did you mean \"handler\"?\n");
    assert_mistakes("[event a]\nprofile = views\n[handler both]\nqueue = vie\n",
                    "test.ini:4: queue: there is no [queue vie]; did you mean \"views\"?\n");
}

static void a_type_that_is_none_brings_no_mistakes_but_its_own(void **state)
{
    (void)state;
    assert_mistakes("[event a ; b]\nprofile = views\n",
                    "test.ini:1: \"a ; b\" is no event type: 1 to 8 parts of letters, digits, \"_\" and \"-\", "
                    "separated by dots (a section is for one type, not for a pattern)\n");
}

static void the_reference_and_the_sample_list_the_profiles(void **state)
{
    struct buf reference = BUF_INIT, sample = BUF_INIT;

    (void)state;
    settings_add_reference(&own, &reference);
    settings_add_sample(&own, &sample);
    assert_non_null(strstr(reference.data, "\n      downloads: counts downloads\n"));
    assert_non_null(strstr(sample.data, "\n;   downloads: counts downloads\n"));
    buf_release(&reference);
    buf_release(&sample);
}

/* --------------------------------------------------------------------------------------- those that ship */

static const char shipped[] = "[event record-view]\nprofile = invenio-record-view\n"
                              "[event file-download]\nprofile = invenio-file-download\n";

static struct settings *parse_shipped(const char *text)
{
    return parse_good(scheduler_outside(), text);
}

static void the_shipped_profiles_are_those_of_the_platform(void **state)
{
    struct settings *s = parse_shipped(shipped);
    const struct handler_settings *views = settings_handler(s, "events-stats-record-view");
    const struct statistics_options *events = views->own;
    const struct aggregate_options *downloads = settings_handler(s, "file-download-agg")->own;
    const struct record_stats_options *records = settings_handler(s, "record-stats")->own;

    (void)state;
    assert_int_equal(s->queue_count, 2);
    assert_int_equal(s->handler_count, 5);
    assert_int_equal(s->query_count, 4);
    assert_string_equal(s->events[0].clicks, "window 10s");
    assert_string_equal(views->queue, "stats-record-view");
    assert_string_equal(events->index, "events-stats-record-view-{time:%Y-%m}");
    assert_string_equal(events->alias, "events-stats-record-view");
    assert_string_equal(downloads->of, "events-stats-file-download");
    assert_string_equal(downloads->index, "stats-file-download-{time:%Y-%m}");
    assert_string_equal(records->views, "record-view-agg");
    assert_string_equal(records->downloads, "file-download-agg");
    assert_string_equal(s->report.views, "events-stats-record-view");
    assert_string_equal(s->report.downloads, "events-stats-file-download");
    settings_free(s);
}

static void the_rule_for_double_clicks_is_a_matter_of_two_keys(void **state)
{
    struct settings *s = parse_shipped("[event record-view]\nprofile = invenio-record-view\nclicks = cop51\n"
                                       "id = digest\n");

    (void)state;
    assert_string_equal(s->events[0].clicks, "cop51");
    assert_int_equal(s->events[0].id, ID_DIGEST);
    assert_string_equal(s->events[0].unique, "data.unique_id visitor_id"); /* the profile's own still */
    settings_free(s);
}

static const char changes[] = "[event users.updated]\nprofile = invenio-users\n"
                              "[event groups.updated]\nprofile = invenio-groups\n"
                              "[event requests.updated]\nprofile = invenio-requests\n"
                              "[event communities.updated]\nprofile = invenio-communities\n"
                              "[event affiliations.updated]\nprofile = invenio-affiliations\n"
                              "[event funders.updated]\nprofile = invenio-funders\n"
                              "[event awards.updated]\nprofile = invenio-awards\n"
                              "[event subjects.updated]\nprofile = invenio-subjects\n"
                              "[event vocabularies.updated]\nprofile = invenio-vocabularies\n";

static void the_shipped_relations_are_those_of_the_platform(void **state)
{
    struct settings *s = parse_shipped(changes);
    const struct handler_settings *users = settings_handler(s, "users-members");
    const struct relation_options *members = users->own, *languages = settings_handler(s, "languages-records")->own;

    (void)state;
    assert_int_equal(s->queue_count, 9);
    assert_int_equal(s->handler_count, 11);
    assert_int_equal(s->source_count, 11);
    assert_string_equal(s->queues[0].events, "users.*");
    assert_string_equal(users->queue, "users");
    assert_string_equal(members->index, "communitymembers");
    assert_string_equal(members->match, "user.id");
    assert_string_equal(members->indexed_at, "indexed_at");
    assert_int_equal(members->revision_format, REVISION_UUID);
    assert_string_equal(languages->index, "rdmrecords");
    assert_string_equal(languages->source, "languages");
    settings_free(s);
}

static void a_relations_queue_goes_by_the_kind_whatever_that_is_called(void **state)
{
    struct settings *s = parse_shipped("[event our.person.changed]\nprofile = invenio-users\n"
                                       "[handler users-members]\nsource = payload\n");

    (void)state;
    assert_string_equal(s->queues[0].events, "our.person.*");
    assert_string_equal(((const struct relation_options *)settings_handler(s, "users-members")->own)->source,
                        "payload");
    settings_free(s);
}

static void what_is_shown_of_a_profile_loads_again_to_the_same_values(void **state)
{
    struct buf first = BUF_INIT, second = BUF_INIT;
    char all[sizeof shipped + sizeof changes];
    struct settings *s, *again;

    (void)state;
    snprintf(all, sizeof all, "%s%s", shipped, changes);
    s = parse_shipped(all);
    settings_add_shown(s, scheduler_outside(), &first);
    again = parse_shipped(first.data);
    settings_add_shown(again, scheduler_outside(), &second);
    assert_string_equal(first.data, second.data);
    settings_free(s);
    settings_free(again);
    buf_release(&first);
    buf_release(&second);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_line_gives_all_sections_of_the_profile),
        cmocka_unit_test(keys_of_the_file_take_precedence_wherever_they_stand),
        cmocka_unit_test(two_profiles_fill_one_section),
        cmocka_unit_test(an_unknown_profile_is_a_mistake_with_the_nearest_name),
        cmocka_unit_test(a_profile_is_that_of_one_event),
        cmocka_unit_test(mistakes_in_what_is_merged_are_noted_at_the_profile),
        cmocka_unit_test(a_type_that_is_none_brings_no_mistakes_but_its_own),
        cmocka_unit_test(the_reference_and_the_sample_list_the_profiles),
        cmocka_unit_test(the_shipped_profiles_are_those_of_the_platform),
        cmocka_unit_test(the_rule_for_double_clicks_is_a_matter_of_two_keys),
        cmocka_unit_test(the_shipped_relations_are_those_of_the_platform),
        cmocka_unit_test(a_relations_queue_goes_by_the_kind_whatever_that_is_called),
        cmocka_unit_test(what_is_shown_of_a_profile_loads_again_to_the_same_values),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
