/* Zones, as the system's own files have them: what each moment shows, and the moment of a local time. */
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/zone.h"
#include "scheduler/schedule.h"
#include "support/server.h"

static int64_t moment(const char *text)
{
    int64_t us;

    if (!time_parse(text, strlen(text), false, &us))
        fail_msg("%s is no time", text);
    return us;
}

static const char *const zones[] = {
    "UTC",
    "Europe/Berlin",
    "Europe/Dublin",
    "America/New_York",
    "America/Sao_Paulo",
    "America/Nuuk",
    "Asia/Kolkata",
    "Asia/Kathmandu",
    "Australia/Lord_Howe",
    "Pacific/Apia",
    "Pacific/Kiritimati",
    "Pacific/Chatham",
    "Africa/Casablanca",
    "Africa/Monrovia",
    "Antarctica/Troll",
    "America/Santiago",
};

static struct zone *zone_of(const char *name)
{
    struct error err = ERROR_INIT;
    struct zone *z = zone_new(ZONE_FOLDER, name, &err);

    if (!z)
        fail_msg("%s", err.text);
    return z;
}

static void zones_show_what_the_c_library_shows(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(zones); i++) {
        struct zone *z = zone_of(zones[i]);
        char variable[100];

        snprintf(variable, sizeof variable, ":%s", zones[i]);
        setenv("TZ", variable, 1);
        tzset();
        for (int64_t at_s = INT64_C(-3000000000); at_s < INT64_C(5700000000); at_s += 611953) { /* 1874 to 2150 */
            time_t at = (time_t)at_s;
            struct tm local;

            localtime_r(&at, &local);
            if (zone_offset_s(z, at_s) != local.tm_gmtoff)
                fail_msg("%s at %lld: %d, not %ld", zones[i], (long long)at_s, zone_offset_s(z, at_s), local.tm_gmtoff);
        }
        zone_free(z);
    }
    unsetenv("TZ");
    tzset();
}

/* Walks a year in steps of 15 minutes: each local time that is shown for the first time belongs to that moment. */
static void check_year(const struct zone *z, const char *name, int64_t from_s)
{
    int64_t latest_s = INT64_MIN;

    for (int64_t at_s = from_s; at_s < from_s + 366 * 86400; at_s += 900) {
        int64_t local_s = at_s + zone_offset_s(z, at_s);

        for (int64_t skipped_s = latest_s + 900; latest_s > INT64_MIN && skipped_s < local_s; skipped_s += 900)
            if (zone_utc_s(z, skipped_s) != at_s)
                fail_msg("%s: %lld is skipped at %lld", name, (long long)skipped_s, (long long)at_s);
        if (local_s > latest_s) {
            assert_int_equal(zone_utc_s(z, local_s), at_s);
            latest_s = local_s;
        }
    }
}

static void each_local_time_belongs_to_the_first_moment_that_shows_it(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(zones); i++) {
        struct zone *z = zone_of(zones[i]);

        check_year(z, zones[i], moment("2011-02-01T00:00:00Z") / US_PER_SECOND);
        check_year(z, zones[i], moment("2026-02-01T00:00:00Z") / US_PER_SECOND);
        check_year(z, zones[i], moment("2099-02-01T00:00:00Z") / US_PER_SECOND);
        zone_free(z);
    }
}

static void without_zones_the_package_is_named(void **state)
{
    struct error err = ERROR_INIT;
    struct zone *z = zone_new("/nowhere/zoneinfo", "Europe/Berlin", &err);

    (void)state;
    assert_null(z);
    assert_int_equal(err.kind, ERROR_CONFIG);
    assert_non_null(strstr(err.text, "install the package tzdata"));
    assert_true(schedule_check("cron 0 3 * * * UTC", &err));
}

static void write_file(const char *path, const char *bytes, size_t length)
{
    FILE *file = fopen(path, "wb");

    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, length, file), length);
    fclose(file);
}

static void a_zone_file_cut_short_or_damaged_is_refused(void **state)
{
    struct error err = ERROR_INIT;
    struct buf whole = BUF_INIT;
    char path[PATH_MAX];

    (void)state;
    assert_true(file_read(ZONE_FOLDER "/Africa/Monrovia", 100000, &whole, &err));
    snprintf(path, sizeof path, "%s/zone", test_folder());
    for (size_t length = 0; length < whole.length; length++) {
        struct zone *z;

        write_file(path, whole.data, length);
        z = zone_new(test_folder(), "zone", &err);
        assert_null(z);
        assert_non_null(strstr(err.text, "is no time zone file"));
    }
    for (size_t at = 0; at < whole.length; at++) { /* whatever becomes of it, no byte is read that is not there */
        struct zone *z;

        whole.data[at] = (char)~whole.data[at];
        write_file(path, whole.data, whole.length);
        z = zone_new(test_folder(), "zone", &err);
        if (z)
            assert_in_range(zone_offset_s(z, 1700000000) + 26 * 3600, 0, 52 * 3600);
        zone_free(z);
        whole.data[at] = (char)~whole.data[at];
    }
    buf_release(&whole);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(zones_show_what_the_c_library_shows),
        cmocka_unit_test(each_local_time_belongs_to_the_first_moment_that_shows_it),
        cmocka_unit_test(without_zones_the_package_is_named),
        cmocka_unit_test(a_zone_file_cut_short_or_damaged_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
