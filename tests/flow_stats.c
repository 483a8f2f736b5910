/* What `crier stats` prints: tables and bars, JSON and CSV, from aggregates and events as they lie in OpenSearch. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/chart.h"
#include "base/json.h"
#include "support/scene.h"
#include "support/search_index.h"

static const char ini[] =
    "[redis]\nurl = REDIS\n[opensearch]\nurl = SEARCH\nprefix = PREFIX\n"
    "[queue views]\nevents = record-view\n"
    "[handler view-events]\ntype = statistics\nqueue = views\nindex = ev-{time:%Y-%m}\n"
    "[handler view-agg]\ntype = aggregate\nqueue = views\nof = view-events\nfield = unique_id\n"
    "index = av-{time:%Y-%m}\nrecord = recid\nparent = parent_recid\n"
    "metrics = unique_count=cardinality(unique_session_id)\n"
    "[handler download-agg]\ntype = aggregate\nqueue = views\nof = view-events\nfield = unique_id\n"
    "index = ad-{time:%Y-%m}\nrecord = recid\nparent = parent_recid\n"
    "metrics = unique_count=cardinality(unique_session_id) volume=sum(size)\n"
    "[handler counters]\ntype = record-stats\nqueue = views\nviews = view-agg\ndownloads = download-agg\n";

#define MAPPING                                                                                                        \
    "{\"mappings\":{\"dynamic_templates\":[{\"s\":{\"match_mapping_type\":\"string\",\"mapping\":{\"type\":"           \
    "\"keyword\"}}}],\"date_detection\":false,\"properties\":{\"timestamp\":{\"type\":\"date\"}}}}"

static const char *const indices[] = {"ev-2026-11", "av-2026-10", "av-2026-11", "ad-2026-11"};

static void load(struct scene *s, const char *index, const char *document)
{
    struct buf lines = BUF_INIT;

    buf_printf(&lines, "{\"index\":{\"_index\":\"%s%s\"}}\n%s\n", s->settings->opensearch.prefix, index, document);
    index_bulk(s->settings, lines.data);
    buf_release(&lines);
}

static void load_all(struct scene *s)
{
#define OF(day, record, parent, counts)                                                                                \
    "{\"timestamp\":\"2026-" day "T00:00:00\",\"recid\":\"" record "\",\"parent_recid\":\"" parent "\"," counts "}"
#define EVENT(rest) "{\"timestamp\":\"2026-11-03T10:00:00\"," rest "}"
    static const struct {
        const char *index, *document;
    } all[] = {
        {"av-2026-10", OF("10-30",                                   "r1", "p1", "\"count\":4,\"unique_count\":2")},
        {"av-2026-11",        OF("11-02",                   "r1", "p1", "\"count\":3,\"unique_count\":1")},
        {"av-2026-11", OF("11-02",                            "r2", "p1", "\"count\":20,\"unique_count\":9")},
        {"av-2026-11",        OF("11-03",                   "=\\u001b[2Jr3", "p3", "\"count\":1,\"unique_count\":1")},
        {"ad-2026-11", OF("11-02",                                   "r1", "p1", "\"count\":2,\"unique_count\":1,\"volume\":2048.0")},
        {"ev-2026-11",        EVENT("\"country\":\"CH\",\"referrer\":\"https://a.example/x?y\",\"is_robot\":false")                 },
        {"ev-2026-11", EVENT("\"country\":\"CH\",\"referrer\":\"https://a.example/z\",\"is_machine\":true")                           },
        {"ev-2026-11",        EVENT("\"country\":\"DE\",\"referrer\":\"https://b.example\",\"is_robot\":true")                  },
        {"ev-2026-11", EVENT("\"is_machine\":true,\"is_robot\":true")                                  },
        {"ev-2026-11",        EVENT("\"country\":\"DE\",\"counted\":false")},
    };

    for (size_t i = 0; i < ARRAY_LENGTH(all); i++)
        load(s, all[i].index, all[i].document);
}

static void remove_all(struct scene *s)
{
    for (size_t i = 0; i < ARRAY_LENGTH(indices); i++)
        index_delete(s->settings, indices[i]);
}

static int setup(void **state)
{
    struct scene *s = *state = scene_open(ini);

    remove_all(s);
    for (size_t i = 0; i < ARRAY_LENGTH(indices); i++) {
        char path[100];

        snprintf(path, sizeof path, "/%s%s", s->settings->opensearch.prefix, indices[i]);
        json_decref(index_ask(s->settings, "PUT", path, MAPPING));
    }
    load_all(s);
    return 0;
}

static int teardown(void **state)
{
    remove_all(*state);
    scene_close(*state);
    return 0;
}

/* Words after `crier stats`, NULL-ended; the exit code must be that. */
static void prints(struct scene *s, int code, const char *expected, const char *const words[])
{
    const char *arguments[20] = {"stats", "--config", s->config_path};
    char *out = NULL;
    int found;

    for (int i = 0; words[i]; i++)
        arguments[3 + i] = words[i];
    found = crier_run(&out, arguments);
    if (found != code || (code == 0 && strcmp(out, expected) != 0))
        fail_msg("exit %d\n%s\nwanted %d\n%s", found, out, code, expected);
    free(out);
}

#define WORDS(...) ((const char *const[]){__VA_ARGS__, NULL})

static void the_records_used_most_come_first_with_what_is_dangerous_escaped(void **state)
{
    prints(*state, 0,
           "record      count  unique  percent\n"
           "r2             20       9  71.4\n"
           "r1              7       3  25.0\n"
           "=\\x1b[2Jr3      1       1  3.6\n"
           "\n"
           "views\n"
           "r2          20 #################################################################\n"
           "r1           7 #######################\n"
           "=\\x1b[2Jr3   1 ###\n",
           WORDS("top"));
}

static void limit_and_dates_narrow(void **state)
{
    prints(*state, 0, "[\n {\"record\": \"r1\", \"count\": 4, \"unique\": 2, \"percent\": 100.0}\n]\n",
           WORDS("top", "views", "--to", "2026-10-31", "--json"));
    prints(*state, 0, "record,count,unique,percent\r\nr2,20,9,83.3\r\n",
           WORDS("top", "view-agg", "--from=2026-11-01", "--limit", "1", "--csv"));
}

static void csv_is_safe_to_open(void **state)
{
    prints(*state, 0, "record,count,unique,percent\r\n\"'=\x1b[2Jr3\",1,1,100.0\r\n",
           WORDS("top", "--from", "2026-11-03", "--csv"));
}

static void a_record_is_shown_over_time_with_all_that_is_counted(void **state)
{
    prints(*state, 0,
           "date,views,unique_views,downloads,unique_downloads,volume\r\n"
           "2026-10-01,4,2,0,0,0\r\n2026-11-01,3,1,2,1,2048\r\n",
           WORDS("record", "r1", "--csv"));
    prints(*state, 0,
           "date,views,unique_views,downloads,unique_downloads,volume\r\n"
           "2026-10-01,4,2,0,0,0\r\n2026-11-01,23,10,2,1,2048\r\n",
           WORDS("record", "p1", "--all-versions", "--csv"));
    prints(*state, 0,
           "date,views,unique_views,downloads,unique_downloads,volume\r\n"
           "2026-10-30,4,2,0,0,0\r\n2026-10-31,0,0,0,0,0\r\n2026-11-01,0,0,0,0,0\r\n2026-11-02,3,1,2,1,2048\r\n",
           WORDS("record", "r1", "--interval", "day", "--csv"));
    prints(*state, 0,
           "no use of nobody's is counted\n"
           "date,views,unique_views,downloads,unique_downloads,volume\r\n",
           WORDS("record", "nobody's", "--csv"));
}

static void events_divide_by_country_host_and_agent(void **state)
{
    prints(
        *state, 0,
        "events_of,country,events,percent\r\nview-events,CH,2,50.0\r\nview-events,,1,25.0\r\nview-events,DE,1,25.0\r\n",
        WORDS("country", "--csv"));
    prints(*state, 0,
           "events_of,referrer,events,percent\r\nview-events,a.example,2,50.0\r\nview-events,,1,25.0\r\n"
           "view-events,b.example,1,25.0\r\n",
           WORDS("referrer", "--csv"));
    prints(*state, 0,
           "events_of,agents,events,percent\r\nview-events,people,1,25.0\r\nview-events,machines,1,25.0\r\n"
           "view-events,robots,2,50.0\r\n",
           WORDS("robots", "--csv"));
}

static void mistakes_are_a_matter_of_usage(void **state)
{
    prints(*state, 2, "", WORDS("tops"));
    prints(*state, 2, "", WORDS("record"));
    prints(*state, 2, "", WORDS("record", "\xff"));
    prints(*state, 2, "", WORDS("top", "--from", "yesterday"));
    prints(*state, 2, "", WORDS("top", "--from", "2026-11-02", "--to", "2026-11-01"));
    prints(*state, 2, "", WORDS("top", "--limit", "0"));
    prints(*state, 2, "", WORDS("record", "r1", "--interval", "hour"));
    prints(*state, 2, "", WORDS("top", "--csv", "--json"));
    prints(*state, 2, "", WORDS("top", "--what"));
    prints(*state, 2, "", WORDS("top", "no-such-handler"));
}

/* ------------------------------------------------------------------------------------------------------ the bars */

static void a_bar_is_as_long_as_its_share_of_the_longest(void **state)
{
    static const struct bar bars[] = {
        {"a",   16  },
        {"bcd", 1   },
        {"é",  0   },
        {"e",   1000},
    };
    struct buf out = BUF_INIT;

    (void)state;
    chart_add(&out, bars, ARRAY_LENGTH(bars), 20, true);
    assert_string_equal(out.data, "a      16 ▏\n"
                                  "bcd     1 ▏\n"
                                  "é       0 \n"
                                  "e    1000 ██████████\n");
    buf_reset(&out);
    chart_add(&out, bars, 1, 20, false);
    assert_string_equal(out.data, "a  16 ##############\n");
    buf_release(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_records_used_most_come_first_with_what_is_dangerous_escaped, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(limit_and_dates_narrow, setup, teardown),
        cmocka_unit_test_setup_teardown(csv_is_safe_to_open, setup, teardown),
        cmocka_unit_test_setup_teardown(a_record_is_shown_over_time_with_all_that_is_counted, setup, teardown),
        cmocka_unit_test_setup_teardown(events_divide_by_country_host_and_agent, setup, teardown),
        cmocka_unit_test_setup_teardown(mistakes_are_a_matter_of_usage, setup, teardown),
        cmocka_unit_test(a_bar_is_as_long_as_its_share_of_the_longest),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
