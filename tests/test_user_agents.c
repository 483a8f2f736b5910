#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/file.h"
#include "notifier/agents.h"
#include "notifier/robots.h"
#include "support/server.h"
#include "support/text_file.h"

#define FIREFOX "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"

static const struct {
    enum robot_rules rules;
    const char *name;
} rule_sets[] = {
    {RULES_REFERENCE, "reference"},
    {RULES_COP51,     "cop51"    },
    {RULES_COPRD,     "coprd"    },
};

/* A section with the lists that ship with crier. */
static struct event_settings section(enum robot_rules rules)
{
    static char none[] = "";

    return (struct event_settings){.rules = (int)rules,
                                   .robots_file = none,
                                   .robots_except_file = none,
                                   .machines_file = none,
                                   .ignore_agents_file = none};
}

static struct agents *open_agents(const struct event_settings *es, unsigned questions)
{
    struct error err = ERROR_INIT;
    struct agents *a = agents_new(es, questions, &err);

    if (!a)
        fail_msg("%s", err.text);
    return a;
}

static char letter(struct agent a)
{
    return a.robot && a.machine ? 'b' : a.robot ? 'r' : a.machine ? 'm' : 'p';
}

/* ------------------------------------------------------------------------------------------------- the table */

typedef void row_test(struct agents *const agents[], const char *codes, const char *agent, size_t length);

/* Calls the test for each row of the table; returns how many there were. */
static size_t each_row(struct agents *const agents[], row_test *test)
{
    struct buf text = BUF_INIT;
    struct error err = ERROR_INIT;
    size_t count = 0;

    if (!file_read(SOURCE_DIR "/tests/data/user-agents.txt", 1024 * 1024, &text, &err))
        fail_msg("%s", err.text);
    for (char *line = text.data, *end; (end = strchr(line, '\n')); line = end + 1) {
        *end = '\0';
        if (*line == '#')
            continue;
        assert_true(end - line >= 4 && line[3] == ' ');
        test(agents, line, line + 4, (size_t)(end - line) - 4);
        count++;
    }
    buf_release(&text);
    return count;
}

static void run_table(row_test *test)
{
    struct agents *agents[ARRAY_LENGTH(rule_sets)];

    for (size_t i = 0; i < ARRAY_LENGTH(rule_sets); i++) {
        struct event_settings es = section(rule_sets[i].rules);

        agents[i] = open_agents(&es, AGENTS_ROBOTS | AGENTS_MACHINES);
    }
    for (int round = 0; round < 2; round++) /* once from the lists, once from memory */
        assert_true(each_row(agents, test) >= 200);
    for (size_t i = 0; i < ARRAY_LENGTH(rule_sets); i++)
        agents_free(agents[i]);
}

static void judged_as_written(struct agents *const agents[], const char *codes, const char *agent, size_t length)
{
    for (size_t i = 0; i < ARRAY_LENGTH(rule_sets); i++) {
        char got = letter(agents_judge(agents[i], agent, length));

        if (got != codes[i])
            fail_msg("%s: %c, not %c: %s", rule_sets[i].name, got, codes[i], agent);
    }
}

static void no_user_agent_of_the_table_is_misfiled_by_any_rules(void **state)
{
    (void)state;
    run_table(judged_as_written);
}

/* By case, some robots are none to the reference's lists, and their class is what another list would find. */
static void class_judged_as_written(struct agents *const agents[], const char *codes, const char *agent, size_t length)
{
    for (size_t i = 0; i < ARRAY_LENGTH(rule_sets); i++) {
        char class[AGENT_CLASS_BYTES];
        size_t kept = agents_class(agents[i], agent, length, class);
        char got = letter(agents_judge_class(agents[i], class, kept));

        if (length > 0 && got != codes[i])
            fail_msg("%s: %c, not %c: %s, of %s", rule_sets[i].name, got, codes[i], class, agent);
    }
}

static void the_class_of_a_user_agent_is_judged_as_the_user_agent(void **state)
{
    (void)state;
    run_table(class_judged_as_written);
}

/* -------------------------------------------------------------------------------------------------- classes */

static void a_class_holds_products_without_versions_and_nothing_of_a_device(void **state)
{
    static const struct {
        const char *agent, *class;
    } cases[] = {
        {FIREFOX,                                                                                                     "Mozilla Gecko Firefox"       },
        {"Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",                                  "Mozilla compatible Googlebot"},
        {"Mozilla/5.0 (Linux; Android 9; SM-J530F Build/PPR1.180610.011; wv) AppleWebKit/537.36 (KHTML, like Gecko)",
         "Mozilla AppleWebKit"                                                                                                                      },
        {"curl/7.88.1",                                                                                               "curl"                        },
        {"Mozilla/4.0 (compatible; MSIE 8.0; Windows NT 6.1)",                                                        "Mozilla compatible MSIE"     },
        {"Own/1 (jane@example.org; 192.0.2.1) 192.0.2.1 jane@example.org 0123456789 {A1B2}",                          "Own"                         },
        {"Two/1 Two/2 (((deep; Three/3)) Four/4",                                                                     "Two Three Four"              },
        {"(unclosed; compatible; Five/5",                                                                             "compatible Five"             },
        {"",                                                                                                          ""                            },
    };
    struct event_settings es = section(RULES_REFERENCE);
    struct agents *a = open_agents(&es, 0);
    char class[AGENT_CLASS_BYTES];

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        size_t length = agents_class(a, cases[i].agent, strlen(cases[i].agent), class);

        assert_int_equal(length, strlen(class));
        assert_string_equal(class, cases[i].class);
    }
    agents_free(a);
}

static void a_class_has_at_most_100_bytes_and_whole_names(void **state)
{
    struct event_settings es = section(RULES_COP51);
    struct agents *a = open_agents(&es, AGENTS_ROBOTS);
    char agent[2000], class[AGENT_CLASS_BYTES];
    size_t length = 0;

    (void)state;
    for (char c = 'a'; c <= 'z'; c++)
        length += (size_t)snprintf(agent + length, sizeof agent - length, "Product%c%c/1.0 ", c, c);
    assert_in_range(agents_class(a, agent, length, class), 90, 100);
    assert_int_equal(strlen(class) % 10, 9);
    agents_free(a);
}

/* A new list finds a robot in the class that nobody knew for one when the class was made. */
static void a_later_list_finds_its_robots_by_their_class(void **state)
{
    static const char agent[] = "Mozilla/5.0 (compatible; Newcomer/1.0; +https://example.org/about)";
    struct event_settings es = section(RULES_COPRD);
    struct agents *before = open_agents(&es, AGENTS_ROBOTS | AGENTS_MACHINES), *after;
    char class[AGENT_CLASS_BYTES];
    size_t length = agents_class(before, agent, strlen(agent), class);

    (void)state;
    assert_int_equal(letter(agents_judge_class(before, class, length)), 'p');
    es.robots_file = text_file_put(test_folder(), "later.txt", "^newcomer\n|newcomer\\/\n");
    after = open_agents(&es, AGENTS_ROBOTS | AGENTS_MACHINES);
    assert_int_equal(letter(agents_judge_class(after, class, length)), 'r');
    assert_string_not_equal(agents_version(before), agents_version(after));
    agents_free(before);
    agents_free(after);
}

/* --------------------------------------------------------------------------------------------- lists in use */

static void ten_times_more_user_agents_than_memory_holds_are_all_judged_right(void **state)
{
    struct event_settings es = section(RULES_COP51);
    struct agents *a = open_agents(&es, AGENTS_ROBOTS);

    (void)state;
    for (int round = 0; round < 2; round++)
        for (int i = 0; i < 40000; i += 7) {
            char agent[80];

            snprintf(agent, sizeof agent, "%s/%d (X11)", i % 2 ? "Firefox" : "some-spider", i);
            assert_int_equal(letter(agents_judge(a, agent, strlen(agent))), i % 2 ? 'p' : 'r');
        }
    agents_free(a);
}

static void a_user_agent_beyond_4_kib_is_cut_between_characters(void **state)
{
    struct error err = ERROR_INIT;
    struct robots *robots = robots_new(SOURCE_DIR "/deploy/robots.txt", ROBOTS_ANY_CASE, &err);
    static char agent[10000];
    size_t length = 0;

    (void)state;
    agent[length++] = 'z';
    for (; length + 2 < sizeof agent - 10; length += 2)
        memcpy(agent + length, "\xc3\xbf", 2);
    memcpy(agent + length, "Googlebot", 9);
    assert_false(robots_name(robots, agent, length + 9));
    memcpy(agent + 4000, "Googlebot!", 10);
    assert_true(robots_name(robots, agent, length));
    robots_free(robots);
}

static void a_pattern_that_never_ends_does_not_hold_up_the_door(void **state)
{
    struct error err = ERROR_INIT;
    struct robots *robots = robots_new(text_file_put(test_folder(), "endless.txt", "^(a+)+$\n"), ROBOTS_ANY_CASE, &err);
    int64_t before = clock_monotonic_ms();

    (void)state;
    assert_non_null(robots);
    robots_name(robots, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!", 63);
    assert_true(clock_monotonic_ms() - before < 10000);
    robots_free(robots);
}

static void wait_for(struct agents *a, const char *agent, char verdict)
{
    int64_t until_ms = clock_monotonic_ms() + 60000;

    while (letter(agents_judge(a, agent, strlen(agent))) != verdict) {
        if (clock_monotonic_ms() > until_ms)
            fail_msg("%s is not judged %c", agent, verdict);
        nanosleep(&(struct timespec){0, 20000000}, NULL);
    }
}

static void a_list_that_is_replaced_is_used_and_a_broken_one_is_not(void **state)
{
    struct event_settings es = section(RULES_REFERENCE);
    struct agents *a, *other;
    char *version;

    (void)state;
    es.robots_file = text_file_put(test_folder(), "robots.txt", "First\n");
    a = open_agents(&es, AGENTS_ROBOTS);
    other = open_agents(&es, AGENTS_ROBOTS);
    version = xstrdup(agents_version(a));
    wait_for(a, "First/1", 'r');
    wait_for(a, "Second/1", 'p');
    text_file_put(test_folder(), "robots.txt", "Second\n");
    wait_for(a, "Second/1", 'r');
    wait_for(other, "Second/1", 'r');
    assert_int_equal(letter(agents_judge(a, "First/1", 7)), 'p');
    assert_string_not_equal(agents_version(a), version);
    text_file_put(test_folder(), "robots.txt", "Third\n(open\n");
    for (int64_t until_ms = clock_monotonic_ms() + 1500; clock_monotonic_ms() < until_ms;)
        assert_int_equal(letter(agents_judge(a, "Second/1", 8)), 'r');
    text_file_put(test_folder(), "robots.txt", "First\n");
    wait_for(a, "First/1", 'r');
    assert_string_equal(agents_version(a), version);
    free(version);
    agents_free(a);
    agents_free(other);
}

static void a_list_that_is_missing_is_named(void **state)
{
    struct event_settings es = section(RULES_COP51);
    static char absent[] = "/nowhere/machines.txt";
    struct error err = ERROR_INIT;

    (void)state;
    assert_true(agents_files_check(&es, AGENTS_ROBOTS, &err));
    es.machines_file = absent;
    assert_false(agents_files_check(&es, AGENTS_ROBOTS, &err));
    assert_non_null(strstr(err.text, absent));
    es.rules = RULES_REFERENCE;
    assert_true(agents_files_check(&es, AGENTS_ROBOTS, &err));
    assert_false(agents_files_check(&es, AGENTS_MACHINES, &err));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_user_agent_of_the_table_is_misfiled_by_any_rules),
        cmocka_unit_test(the_class_of_a_user_agent_is_judged_as_the_user_agent),
        cmocka_unit_test(a_class_holds_products_without_versions_and_nothing_of_a_device),
        cmocka_unit_test(a_class_has_at_most_100_bytes_and_whole_names),
        cmocka_unit_test(a_later_list_finds_its_robots_by_their_class),
        cmocka_unit_test(ten_times_more_user_agents_than_memory_holds_are_all_judged_right),
        cmocka_unit_test(a_user_agent_beyond_4_kib_is_cut_between_characters),
        cmocka_unit_test(a_pattern_that_never_ends_does_not_hold_up_the_door),
        cmocka_unit_test(a_list_that_is_replaced_is_used_and_a_broken_one_is_not),
        cmocka_unit_test(a_list_that_is_missing_is_named),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
