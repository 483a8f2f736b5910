/* What counts as unique: by item and session, over files, versions, countries and days. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "handlers/report/report_month.h"
#include "handlers/report/report_usage.h"

enum { OCTOBER = 2026 * 12 + 9 };

static int setup(void **state)
{
    struct usage *u = usage_new();

    usage_start_day(u, OCTOBER);
    *state = u;
    return 0;
}

static int teardown(void **state)
{
    usage_free(*state);
    return 0;
}

static void add(struct usage *u, const char *parent, const char *session, const char *item, const char *file,
                int64_t events, int64_t requests)
{
    usage_add(u, &(struct usage_bucket){.parent = parent,
                                        .session = session,
                                        .item = item,
                                        .file = file,
                                        .country = "CH",
                                        .events = events,
                                        .requests = requests,
                                        .bytes = 100 * requests,
                                        .largest = requests ? 100 : 0});
}

/* "total investigations, total requests, unique investigations, unique requests" of people in October. */
static void check(const struct usage *u, const char *id, bool is_parent, const char *wanted)
{
    const struct usage_item *item = usage_find(u, id, is_parent);
    const struct usage_cell *cell = item ? usage_cell(item, OCTOBER, false) : NULL;
    char found[100] = "none";

    if (cell)
        snprintf(found, sizeof found, "%d %d %d %d", (int)cell->counts[0], (int)cell->counts[1], (int)cell->counts[2],
                 (int)cell->counts[3]);
    assert_string_equal(found, wanted);
}

static void several_files_of_an_item_in_one_session_are_one_unique_request(void **state)
{
    struct usage *u = *state;

    add(u, NULL, "s", "a", NULL, 1, 0);
    add(u, NULL, "s", "a", "f", 2, 2);
    add(u, NULL, "s", "a", "g", 1, 1);
    check(u, "a", false, "4 3 1 1");
    assert_int_equal(usage_cell(usage_find(u, "a", false), OCTOBER, false)->bytes_total, 300);
    assert_int_equal(usage_cell(usage_find(u, "a", false), OCTOBER, false)->bytes_unique, 200); /* f only once */
}

static void versions_in_one_session_are_one_unique_use_of_all_of_them(void **state)
{
    struct usage *u = *state;

    add(u, "p", "s", "a", NULL, 1, 0);
    add(u, "p", "s", "b", "f", 1, 1);
    add(u, "p", "t", "a", NULL, 1, 0);
    check(u, "a", false, "2 0 2 0");
    check(u, "b", false, "1 1 1 1");
    check(u, "p", true, "3 1 2 1");
    assert_ptr_equal(usage_find(u, "a", false)->parent, usage_find(u, "p", true));
}

static void an_item_and_its_parent_may_have_the_same_id(void **state)
{
    struct usage *u = *state;

    add(u, "a", "s", "a", NULL, 1, 0);
    add(u, "a", "s", "b", NULL, 1, 0);
    check(u, "a", false, "1 0 1 0");
    check(u, "a", true, "2 0 1 0");
}

static void a_session_ends_with_the_day(void **state)
{
    struct usage *u = *state;

    add(u, NULL, "s", "a", NULL, 1, 0);
    usage_start_day(u, OCTOBER);
    add(u, NULL, "s", "a", NULL, 1, 0);
    check(u, "a", false, "2 0 2 0");
}

static void no_session_differs_from_an_empty_one(void **state)
{
    struct usage *u = *state;

    add(u, NULL, NULL, "a", NULL, 2, 0);
    add(u, NULL, "", "a", NULL, 1, 0);
    check(u, "a", false, "3 0 2 0");
}

static void parts_of_a_key_do_not_run_into_each_other(void **state)
{
    struct usage *u = *state;

    add(u, NULL, "x", "yz", NULL, 1, 0);
    add(u, NULL, "xy", "z", NULL, 1, 0);
    check(u, "yz", false, "1 0 1 0");
    check(u, "z", false, "1 0 1 0");
}

static void a_unique_use_from_two_countries_counts_for_one(void **state)
{
    struct usage *u = *state;
    const struct usage_country *c;

    usage_add(u, &(struct usage_bucket){.session = "s", .item = "a", .country = "CH", .events = 1});
    usage_add(u, &(struct usage_bucket){.session = "s", .item = "a", .country = "DE", .events = 3});
    usage_add(u, &(struct usage_bucket){.session = "s", .item = "a", .country = "None", .events = 1});
    check(u, "a", false, "5 0 1 0");
    c = usage_cell(usage_find(u, "a", false), OCTOBER, false)->countries;
    assert_string_equal(c->code, "ch");
    assert_int_equal(c->counts[UNIQUE_INVESTIGATIONS], 1);
    assert_string_equal(c->next->code, "de");
    assert_int_equal(c->next->counts[TOTAL_INVESTIGATIONS], 3);
    assert_int_equal(c->next->counts[UNIQUE_INVESTIGATIONS], 0);
    assert_null(c->next->next);
}

static void many_items_are_each_found_again(void **state)
{
    struct usage *u = *state;
    char id[20];
    size_t count;

    for (int i = 0; i < 20000; i++) {
        snprintf(id, sizeof id, "r%d", i % 5000);
        add(u, NULL, "s", id, NULL, 1, 0);
    }
    usage_items(u, &count);
    assert_int_equal(count, 5000);
    check(u, "r0", false, "4 0 4 0"); /* not sorted: the session was left each time */
    check(u, "r4999", false, "4 0 4 0");
}

static void a_month_is_written_as_in_2026_10(void **state)
{
    static const char *const bad[] = {"",           "2026",    "2026-1",  "2026-13", "2026-00", "26-10",  "2026/10",
                                      "2026-10-01", " 026-10", "+026-10", "2026-+1", "1969-12", "9999-01"};
    char text[MONTH_TEXT_BYTES], title[MONTH_TITLE_BYTES], day[DAY_TEXT_BYTES];
    struct error err;
    int month;

    (void)state;
    assert_true(month_parse("2024-02", &month, &err));
    assert_string_equal(month_text(month, text), "2024-02");
    assert_string_equal(month_title(month, title), "Feb-2024");
    assert_string_equal(month_first_day(month, day), "2024-02-01");
    assert_string_equal(month_last_day(month, day), "2024-02-29");
    assert_int_equal(month_of(month_start_us(month)), month);
    assert_int_equal(month_of(month_start_us(month) - 1), month - 1);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (month_parse(bad[i], &month, &err))
            fail_msg("\"%s\" was taken", bad[i]);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(several_files_of_an_item_in_one_session_are_one_unique_request),
        TEST(versions_in_one_session_are_one_unique_use_of_all_of_them),
        TEST(an_item_and_its_parent_may_have_the_same_id),
        TEST(a_session_ends_with_the_day),
        TEST(no_session_differs_from_an_empty_one),
        TEST(parts_of_a_key_do_not_run_into_each_other),
        TEST(a_unique_use_from_two_countries_counts_for_one),
        TEST(many_items_are_each_found_again),
        cmocka_unit_test(a_month_is_written_as_in_2026_10),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
