#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "base/clock.h"
#include "notifier/country.h"
#include "notifier/networks.h"
#include "support/country_file.h"
#include "support/server.h"

static const struct country_row rows[] = {
    {"::192.0.2.0/120",    "CH"},
    {"::198.51.100.7/128", "AT"},
    {"2001:db8::/32",      "FR"},
};

static const char *path_of(const char *name)
{
    static char path[400];

    snprintf(path, sizeof path, "%s/%s", test_folder(), name);
    return path;
}

static const char *code_of(struct country *c, const char *address)
{
    static char code[COUNTRY_TEXT_BYTES];

    return country_of(c, address, code) ? code : "-";
}

static void an_address_has_the_country_of_its_network(void **state)
{
    static const struct {
        const char *address, *code;
    } cases[] = {
        {"192.0.2.0",          "CH"},
        {"192.0.2.255",        "CH"},
        {"192.0.3.0",          "-" },
        {"::ffff:192.0.2.1",   "CH"},
        {"::FFFF:c000:0201",   "CH"},
        {"198.51.100.7",       "AT"},
        {"198.51.100.6",       "-" },
        {"2001:db8:1::1",      "FR"},
        {"2001:db8:1::1%eth0", "FR"},
        {"2001:db9::1",        "-" },
        {"10.0.0.1",           "-" },
        {"192.168.1.1",        "-" },
        {"127.0.0.1",          "-" },
        {"::1",                "-" },
        {"fe80::1%eth0",       "-" },
        {"fd00::1",            "-" },
        {"",                   "-" },
        {"192.0.2",            "-" },
        {"192.0.2.1 ",         "-" },
        {"unknown",            "-" },
    };
    struct error err = ERROR_INIT;
    struct country *c;

    (void)state;
    country_file_write(path_of("country.mmdb"), rows, ARRAY_LENGTH(rows));
    c = country_new(path_of("country.mmdb"), &err);
    if (!c)
        fail_msg("%s", err.text);
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++)
        if (strcmp(code_of(c, cases[i].address), cases[i].code) != 0)
            fail_msg("%s is in %s", cases[i].address, code_of(c, cases[i].address));
    country_free(c);
}

static void wait_for(struct country *c, const char *address, const char *code)
{
    int64_t until_ms = clock_monotonic_ms() + 60000;

    while (strcmp(code_of(c, address), code) != 0) {
        if (clock_monotonic_ms() > until_ms)
            fail_msg("%s is in %s, not in %s", address, code_of(c, address), code);
        nanosleep(&(struct timespec){0, 20000000}, NULL);
    }
}

static void write_broken(const char *path)
{
    char fresh[500];
    FILE *file;

    snprintf(fresh, sizeof fresh, "%s.new", path);
    file = fopen(fresh, "w");
    assert_non_null(file);
    fputs("no database", file);
    fclose(file);
    assert_int_equal(rename(fresh, path), 0);
}

static void a_new_file_is_used_and_a_broken_one_is_not(void **state)
{
    static const struct country_row moved[] =
        {
            {"::192.0.2.0/120", "LI"}
    },
                                    again[] = {{"::192.0.2.0/120", "IT"}};
    struct error err = ERROR_INIT;
    struct country *c, *other;

    (void)state;
    country_file_write(path_of("moved.mmdb"), rows, ARRAY_LENGTH(rows));
    c = country_new(path_of("moved.mmdb"), &err);
    other = country_new(path_of("moved.mmdb"), &err);
    assert_non_null(c);
    assert_non_null(other);
    assert_string_equal(code_of(c, "192.0.2.1"), "CH");
    country_file_write(path_of("moved.mmdb"), moved, ARRAY_LENGTH(moved));
    wait_for(c, "192.0.2.1", "LI");
    wait_for(other, "192.0.2.1", "LI");
    assert_string_equal(code_of(c, "198.51.100.7"), "-");
    write_broken(path_of("moved.mmdb"));
    for (int64_t until_ms = clock_monotonic_ms() + 1500; clock_monotonic_ms() < until_ms;)
        assert_string_equal(code_of(c, "192.0.2.1"), "LI");
    remove(path_of("moved.mmdb"));
    assert_string_equal(code_of(c, "192.0.2.1"), "LI");
    country_file_write(path_of("moved.mmdb"), again, ARRAY_LENGTH(again));
    wait_for(c, "192.0.2.1", "IT");
    country_free(c);
    country_free(other);
}

static void a_file_that_is_none_is_refused_by_name(void **state)
{
    struct error err = ERROR_INIT;

    (void)state;
    write_broken(path_of("broken.mmdb"));
    assert_null(country_new(path_of("broken.mmdb"), &err));
    assert_int_equal(err.kind, ERROR_CONFIG);
    assert_non_null(strstr(err.text, "broken.mmdb"));
    assert_null(country_new(path_of("absent.mmdb"), &err));
    assert_non_null(strstr(err.text, "absent.mmdb"));
}

static bool lies_in(const char *networks, const char *address)
{
    struct error err = ERROR_INIT;
    struct networks *n = networks_new(networks, &err);
    struct address a;
    bool holds;

    assert_non_null(n);
    assert_true(address_read(address, &a));
    holds = networks_hold(n, &a);
    networks_free(n);
    return holds;
}

static void an_address_lies_in_the_networks_it_begins_like(void **state)
{
    (void)state;
    assert_true(lies_in("10.0.0.0/8", "10.255.0.1"));
    assert_false(lies_in("10.0.0.0/8", "11.0.0.1"));
    assert_true(lies_in("10.0.0.0/8", "::ffff:10.1.2.3"));
    assert_true(lies_in("::ffff:10.0.0.0/104", "10.1.2.3"));
    assert_true(lies_in("192.0.2.7", "192.0.2.7"));
    assert_false(lies_in("192.0.2.7", "192.0.2.6"));
    assert_true(lies_in("192.0.2.4/30", "192.0.2.7"));
    assert_false(lies_in("192.0.2.4/30", "192.0.2.8"));
    assert_true(lies_in("192.0.2.9/30", "192.0.2.8"));
    assert_true(lies_in("198.51.100.0/24 2001:db8::/33", "2001:db8:7fff::1"));
    assert_false(lies_in("198.51.100.0/24 2001:db8::/33", "2001:db8:8000::1"));
    assert_true(lies_in("fe80::/10", "fe80::1%eth0"));
    assert_true(lies_in("0.0.0.0/0", "203.0.113.1"));
    assert_false(lies_in("0.0.0.0/0", "2001:db8::1"));
    assert_true(lies_in("::/0", "203.0.113.1"));
    assert_false(lies_in("", "203.0.113.1"));
}

static void networks_that_are_none_are_named(void **state)
{
    static const char *const bad[] = {"10.0.0.0/33", "10.0.0/8",    "2001:db8::/129", "10.0.0.0/",
                                      "10.0.0.0/+8", "10.0.0.0/-1", "example.org",    "fe80::1%eth0"};
    struct error err = ERROR_INIT;

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(bad); i++) {
        if (networks_check(bad[i], &err))
            fail_msg("%s passed", bad[i]);
        assert_int_equal(err.kind, ERROR_CONFIG);
        assert_non_null(strstr(err.text, bad[i]));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_address_has_the_country_of_its_network),
        cmocka_unit_test(a_new_file_is_used_and_a_broken_one_is_not),
        cmocka_unit_test(a_file_that_is_none_is_refused_by_name),
        cmocka_unit_test(an_address_lies_in_the_networks_it_begins_like),
        cmocka_unit_test(networks_that_are_none_are_named),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
