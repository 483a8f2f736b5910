#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <openssl/hmac.h>
#include <pthread.h>

#include "base/alloc.h"
#include "base/arena.h"
#include "base/clock.h"
#include "base/json.h"
#include "notifier/prepare.h"
#include "notifier/robots.h"
#include "notifier/salt.h"
#include "support/server.h"

#define FIREFOX "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"
#define DAY_US  (INT64_C(86400) * US_PER_SECOND)

struct fixture {
    struct server *server;
    struct redis_address address;
    struct redis *redis;
    struct arena *arena;
    struct error err;
};

static int setup(void **state)
{
    struct fixture *f = xcalloc(1, sizeof *f);

    f->server = redis_server_start(NULL);
    assert_true(redis_address_parse(redis_server_url(f->server), &f->address, &f->err));
    f->redis = redis_new(&(struct redis_options){.address = &f->address, .timeout_ms = 2000});
    f->arena = arena_new();
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    arena_free(f->arena);
    redis_free(f->redis);
    redis_address_release(&f->address);
    server_free(f->server);
    free(f);
    return 0;
}

/* A section with these steps, and the lists that ship with crier. */
static struct event_settings section(const char *steps)
{
    static char none[] = "", type[] = "record-view", text[100];

    snprintf(text, sizeof text, "%s", steps);
    return (struct event_settings){
        .type = type, .prepare = text, .unique = none, .robots_file = none, .machines_file = none};
}

static struct prepare *prepare(struct fixture *f, const char *steps)
{
    struct event_settings es = section(steps);
    struct prepare *p = prepare_new(&es, false, f->redis, &f->err);

    if (!p)
        fail_msg("%s", f->err.text);
    return p;
}

static struct event event_at(const char *time)
{
    struct event e = event_none;

    e.type = span_of("record-view");
    e.time = span_of(time);
    assert_true(time_parse(time, strlen(time), false, &e.time_us));
    return e;
}

/* The data after the steps; NULL where it was a robot's. Caller's. */
static json_t *prepared(struct fixture *f, struct prepare *p, const char *time, const char *text)
{
    struct event e = event_at(time);
    json_t *data = json_loads(text, 0, NULL);
    enum prepared verdict;

    assert_non_null(data);
    verdict = prepare_apply(p, &e, data, &f->err);
    if (verdict == PREPARED_FAILED)
        fail_msg("%s", f->err.text);
    if (verdict == PREPARED_KEEP)
        return data;
    json_decref(data);
    return NULL;
}

static const char *today(void)
{
    static char text[TIME_TEXT_BYTES];

    return time_text(clock_wall_us() / DAY_US * DAY_US + 12 * 3600 * US_PER_SECOND, text);
}

/* ------------------------------------------------------------------------------------------- robots and machines */

static void robots_and_machines_are_told_from_people(void **state)
{
    static const struct {
        const char *agent;
        bool robot, machine;
    } cases[] = {
        {FIREFOX,                                                                        false, false},
        {"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15) AppleWebKit/605.1 Safari/605.1", false, false},
        {"Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",     true,  false},
        {"LinkedInBot/1.0 (compatible; Mozilla/5.0)",                                    true,  false},
        {"ImagesiftBot",                                                                 true,  false},
        {"curl/7.88.1",                                                                  true,  true },
        {"PYTHON-requests/2.31",                                                         true,  true },
        {"Java/17.0.1",                                                                  true,  true },
        {"破解后的",                                                                 true,  false},
        {"Microsoft Office Existence Discovery",                                         true,  true },
        {"",                                                                             true,  false},
        {"x",                                                                            true,  false},
        {"xy",                                                                           false, false},
    };
    struct error err = ERROR_INIT;
    struct robots *robots = robots_new(SOURCE_DIR "/deploy/robots.txt", &err);
    struct robots *machines = robots_new(SOURCE_DIR "/deploy/machines.txt", &err);

    (void)state;
    assert_non_null(robots);
    assert_non_null(machines);
    for (int round = 0; round < 2; round++) /* once from the list, once from memory */
        for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
            if (robots_name(robots, cases[i].agent, strlen(cases[i].agent)) != cases[i].robot)
                fail_msg("robot? %s", cases[i].agent);
            if (robots_name(machines, cases[i].agent, strlen(cases[i].agent)) != cases[i].machine)
                fail_msg("machine? %s", cases[i].agent);
        }
    robots_free(robots);
    robots_free(machines);
}

static void ten_times_more_user_agents_than_memory_holds_are_all_judged_right(void **state)
{
    struct error err = ERROR_INIT;
    struct robots *robots = robots_new(SOURCE_DIR "/deploy/robots.txt", &err);

    (void)state;
    assert_non_null(robots);
    for (int round = 0; round < 2; round++)
        for (int i = 0; i < 40000; i += 7) {
            char agent[80];

            snprintf(agent, sizeof agent, "%s/%d (X11)", i % 2 ? "Firefox" : "some-spider", i);
            assert_int_equal(robots_name(robots, agent, strlen(agent)), i % 2 == 0);
        }
    robots_free(robots);
}

static void a_user_agent_beyond_4_kib_is_cut_between_characters(void **state)
{
    struct error err = ERROR_INIT;
    struct robots *robots = robots_new(SOURCE_DIR "/deploy/robots.txt", &err);
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

static char *list_file(const char *text)
{
    static int count;
    static char path[400];
    FILE *file;

    snprintf(path, sizeof path, "%s/list-%d.txt", test_folder(), count++);
    file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
    return path;
}

static void a_list_of_ones_own_takes_the_place_of_the_one_shipped(void **state)
{
    struct fixture *f = *state;
    struct event_settings es = section("robots");
    struct prepare *p;

    es.robots_file = list_file("# mine\n#\n# more\r\n^own#thing\r\n#hash\n");
    p = prepare_new(&es, false, f->redis, &f->err);
    assert_non_null(p);
    assert_null(prepared(f, p, today(), "{\"user_agent\":\"OWN#thing/1\"}"));
    assert_null(prepared(f, p, today(), "{\"user_agent\":\"a #Hash\"}"));
    json_decref(prepared(f, p, today(), "{\"user_agent\":\"# mine\"}"));
    prepare_free(p);
}

static void a_list_with_a_mistake_is_refused_with_file_and_line(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *text, *says;
    } cases[] = {
        {"# comment\nfine\n(open\n", "line 3"          },
        {"a)(b\n",                   "line 1"          },
        {"# only a comment\n",       "holds no pattern"},
        {"",                         "holds no pattern"},
    };
    struct event_settings es = section("robots");

    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        es.robots_file = list_file(cases[i].text);
        assert_null(prepare_new(&es, false, f->redis, &f->err));
        assert_int_equal(f->err.kind, ERROR_CONFIG);
        if (!strstr(f->err.text, cases[i].says) || !strstr(f->err.text, es.robots_file) ||
            !strstr(f->err.text, "[event record-view]"))
            fail_msg("%s", f->err.text);
    }
    es.robots_file = list_file("x\n");
    remove(es.robots_file);
    assert_null(prepare_new(&es, false, f->redis, &f->err));
    assert_non_null(strstr(f->err.text, es.robots_file));
}

static void a_pattern_that_never_ends_does_not_hold_up_the_door(void **state)
{
    struct error err = ERROR_INIT;
    struct robots *robots = robots_new(list_file("^(a+)+$\n"), &err);
    int64_t before = clock_monotonic_ms();

    (void)state;
    assert_non_null(robots);
    robots_name(robots, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!", 63);
    assert_true(clock_monotonic_ms() - before < 1000);
    robots_free(robots);
}

static void the_steps_leave_their_marks_and_take_personal_fields_away(void **state)
{
    struct fixture *f = *state;
    struct prepare *p = prepare(f, "robots machines visitor");
    json_t *data =
        prepared(f, p, today(),
                 "{\"recid\":\"r\",\"user_agent\":\"" FIREFOX "\",\"ip_address\":\"192.0.2.1\",\"user_id\":7,"
                 "\"session_id\":\"s\"}");

    assert_true(json_is_false(json_object_get(data, "is_robot")));
    assert_true(json_is_false(json_object_get(data, "is_machine")));
    assert_int_equal(strlen(json_member_text(data, "visitor_id", "")), 32);
    assert_int_equal(strlen(json_member_text(data, "unique_session_id", "")), 32);
    assert_string_equal(json_member_text(data, "recid", ""), "r");
    assert_null(json_object_get(data, "user_agent"));
    assert_null(json_object_get(data, "ip_address"));
    assert_null(json_object_get(data, "user_id"));
    assert_null(json_object_get(data, "session_id"));
    json_decref(data);
    assert_null(prepared(f, p, today(), "{\"user_agent\":\"Googlebot/2.1\",\"user_id\":7}"));
    assert_null(prepared(f, p, today(), "{\"user_agent\":\"\"}"));
    data = prepared(f, p, today(), "{\"user_agent\":null}");
    assert_true(json_is_false(json_object_get(data, "is_robot")));
    json_decref(data);
    prepare_free(p);
}

static void a_machine_is_marked_where_robots_are_not_dropped(void **state)
{
    struct fixture *f = *state;
    struct prepare *p = prepare(f, "machines");
    json_t *data = prepared(f, p, today(), "{\"user_agent\":\"curl/8\"}");

    assert_true(json_is_true(json_object_get(data, "is_machine")));
    assert_null(json_object_get(data, "is_robot"));
    json_decref(data);
    prepare_free(p);
}

static void a_section_without_steps_strips_only_where_people_are_counted(void **state)
{
    struct fixture *f = *state;
    struct event e = event_at(today());
    struct event_settings es = section("");

    for (int strip = 0; strip < 2; strip++) {
        struct prepare *p = prepare_new(&es, strip, f->redis, &f->err);
        json_t *data = json_loads("{\"user_id\":1,\"inner\":{\"user_id\":2}}", 0, NULL);

        assert_int_equal(prepare_apply(p, &e, data, &f->err), PREPARED_KEEP);
        assert_int_equal(json_object_get(data, "user_id") == NULL, strip);
        assert_non_null(json_at(data, "inner.user_id"));
        json_decref(data);
        prepare_free(p);
    }
}

static void steps_that_do_not_exist_are_named(void **state)
{
    struct error err = ERROR_INIT;

    (void)state;
    assert_false(prepare_check("robots visitr", &err));
    assert_non_null(strstr(err.text, "visitr"));
    assert_non_null(strstr(err.text, "perhaps visitor"));
    assert_false(prepare_check("robots robots", &err));
    assert_true(prepare_check("visitor robots machines", &err));
    assert_true(prepare_check("", &err));
}

/* ----------------------------------------------------------------------------------------------------- visitors */

struct ids {
    char visitor[40], session[40];
};

static struct ids ids_of(struct fixture *f, struct prepare *p, const char *time, const char *text)
{
    json_t *data = prepared(f, p, time, text);
    struct ids ids;

    assert_non_null(data);
    snprintf(ids.visitor, sizeof ids.visitor, "%s", json_member_text(data, "visitor_id", "absent"));
    snprintf(ids.session, sizeof ids.session, "%s", json_member_text(data, "unique_session_id", "absent"));
    json_decref(data);
    return ids;
}

static void a_visitor_is_known_by_user_then_session_then_address(void **state)
{
    struct fixture *f = *state;
    struct prepare *p = prepare(f, "visitor");
    const char *at = "2026-11-20T10:15:00Z", *later = "2026-11-20T11:15:00Z";
    struct ids user = ids_of(f, p, at, "{\"user_id\":\"1\",\"session_id\":\"s\"}");
    struct ids number = ids_of(f, p, at, "{\"user_id\":1}");
    struct ids user_later = ids_of(f, p, later, "{\"user_id\":1}");
    struct ids session = ids_of(f, p, at, "{\"session_id\":\"1\",\"ip_address\":\"a\",\"user_agent\":\"b\"}");
    struct ids address = ids_of(f, p, at, "{\"ip_address\":\"a\",\"user_agent\":\"b\",\"user_id\":null}");
    struct ids address_again = ids_of(f, p, "2026-11-20T10:59:59Z", "{\"ip_address\":\"a\",\"user_agent\":\"b\"}");
    struct ids address_later = ids_of(f, p, later, "{\"ip_address\":\"a\",\"user_agent\":\"b\"}");
    struct ids nobody = ids_of(f, p, at, "{\"ip_address\":\"a\",\"session_id\":\"\"}");

    assert_string_equal(user.visitor, number.visitor);
    assert_string_equal(user.session, number.session);
    assert_string_not_equal(user.visitor, user.session);
    assert_string_equal(user.visitor, user_later.visitor);
    assert_string_not_equal(user.session, user_later.session);
    assert_string_not_equal(user.visitor, session.visitor); /* a user id is no session id, though both are "1" */
    assert_string_equal(address.visitor, address.session);
    assert_string_equal(address.visitor, address_again.visitor);
    assert_string_not_equal(address.visitor, address_later.visitor);
    assert_string_equal(nobody.visitor, "");
    assert_string_equal(nobody.session, "");
    prepare_free(p);
}

static void two_preparations_know_a_visitor_alike_within_a_day_only(void **state)
{
    struct fixture *f = *state;
    struct prepare *a = prepare(f, "visitor"), *b = prepare(f, "visitor");
    struct ids first = ids_of(f, a, "2026-11-20T00:00:00Z", "{\"user_id\":1}");
    struct ids second = ids_of(f, b, "2026-11-20T23:59:59.999999Z", "{\"user_id\":1}");
    struct ids next_day = ids_of(f, b, "2026-11-21T00:00:00Z", "{\"user_id\":1}");

    assert_string_equal(first.visitor, second.visitor);
    assert_string_not_equal(first.visitor, next_day.visitor);
    prepare_free(a);
    prepare_free(b);
}

/* ------------------------------------------------------------------------------------------------------- salts */

static void hash_with(struct keyed_hash *hash, char out[ID_TEXT_BYTES])
{
    assert_non_null(hash);
    keyed_hash_id(hash, "x", 1, out);
}

static void a_keyed_hash_is_hmac_sha_256_each_time(void **state)
{
    unsigned char key[32] = {1, 2, 3};
    struct keyed_hash *hash = keyed_hash_new(key, sizeof key);
    char once[ID_TEXT_BYTES], again[ID_TEXT_BYTES];
    unsigned char all[EVP_MAX_MD_SIZE];

    (void)state;
    for (int i = 0; i < 3; i++) {
        assert_non_null(HMAC(EVP_sha256(), key, (int)sizeof key, (const unsigned char *)"message", 7, all, NULL));
        hash_hex(all, ID_BYTES, once);
        keyed_hash_id(hash, "message", 7, again);
        assert_string_equal(once, again);
    }
    keyed_hash_free(hash);
}

struct racer {
    pthread_t thread;
    pthread_barrier_t *start;
    const struct redis_address *address;
    char id[ID_TEXT_BYTES];
};

static void *race(void *context)
{
    struct racer *r = context;
    struct redis *redis = redis_new(&(struct redis_options){.address = r->address, .timeout_ms = 5000});
    struct salt *salt = salt_new(redis);
    struct error err = ERROR_INIT;
    struct keyed_hash *hash;

    pthread_barrier_wait(r->start);
    hash = salt_of(salt, clock_wall_us(), &err);
    if (hash)
        keyed_hash_id(hash, "x", 1, r->id);
    salt_free(salt);
    redis_free(redis);
    return NULL;
}

static void threads_that_race_for_the_days_salt_get_the_same(void **state)
{
    enum { RACERS = 16 };
    struct fixture *f = *state;
    struct racer racers[RACERS];
    pthread_barrier_t start;

    pthread_barrier_init(&start, NULL, RACERS);
    for (int i = 0; i < RACERS; i++) {
        racers[i] = (struct racer){.start = &start, .address = &f->address};
        assert_int_equal(pthread_create(&racers[i].thread, NULL, race, &racers[i]), 0);
    }
    for (int i = 0; i < RACERS; i++)
        pthread_join(racers[i].thread, NULL);
    for (int i = 0; i < RACERS; i++) {
        assert_int_equal(strlen(racers[i].id), ID_TEXT_BYTES - 1);
        assert_string_equal(racers[i].id, racers[0].id);
    }
    pthread_barrier_destroy(&start);
}

static int64_t life_s(struct fixture *f, int64_t time_us)
{
    const struct reply *reply;
    char date[20];

    time_format(time_us, "%Y-%m-%d", date, sizeof date);
    assert_true(redis_do(f->redis, f->arena, &reply, &f->err, "TTL crier:{salt}:%s", date));
    return reply->integer;
}

static void a_salt_is_gone_two_days_after_its_day(void **state)
{
    struct fixture *f = *state;
    struct salt *salt = salt_new(f->redis);
    int64_t now = clock_wall_us(), two_days = 2 * 86400;
    int64_t today_left = 86400 - now / US_PER_SECOND % 86400;

    assert_non_null(salt_of(salt, now, &f->err));
    assert_in_range(life_s(f, now), today_left + two_days - 5, today_left + two_days);
    assert_non_null(salt_of(salt, now - 40 * DAY_US, &f->err));
    assert_in_range(life_s(f, now - 40 * DAY_US), two_days - 5, two_days);
    assert_non_null(salt_of(salt, now + 4000 * DAY_US, &f->err));
    assert_in_range(life_s(f, now + 4000 * DAY_US), two_days - 5, two_days);
    salt_free(salt);
}

static void a_salt_is_a_secret_of_256_bits(void **state)
{
    struct fixture *f = *state;
    struct salt *salt = salt_new(f->redis);
    const struct reply *one, *other;
    char date[20];

    assert_non_null(salt_of(salt, 0, &f->err));
    assert_non_null(salt_of(salt, DAY_US, &f->err));
    time_format(0, "%Y-%m-%d", date, sizeof date);
    assert_true(redis_do(f->redis, f->arena, &one, &f->err, "GET crier:{salt}:%s", date));
    assert_true(redis_do(f->redis, f->arena, &other, &f->err, "GET crier:{salt}:1970-01-02"));
    assert_int_equal(one->length, 64);
    assert_int_equal(strspn(one->text, "0123456789abcdef"), 64);
    assert_string_not_equal(one->text, other->text);
    salt_free(salt);
}

static void days_that_share_a_place_in_memory_keep_their_own_salts(void **state)
{
    struct fixture *f = *state;
    struct salt *salt = salt_new(f->redis);
    char first[ID_TEXT_BYTES], other[ID_TEXT_BYTES], again[ID_TEXT_BYTES];

    hash_with(salt_of(salt, 0, &f->err), first);
    hash_with(salt_of(salt, 32 * DAY_US, &f->err), other);
    hash_with(salt_of(salt, 0, &f->err), again);
    assert_string_equal(first, again);
    assert_string_not_equal(first, other);
    salt_free(salt);
}

static void without_redis_there_is_no_salt_but_an_error_that_time_heals(void **state)
{
    struct fixture *f = *state;
    struct salt *salt = salt_new(f->redis);
    struct prepare *p = prepare(f, "visitor");
    struct event e = event_at(today());
    json_t *data = json_loads("{\"user_id\":\"canary\"}", 0, NULL);

    server_kill(f->server);
    assert_null(salt_of(salt, clock_wall_us(), &f->err));
    assert_int_equal(f->err.kind, ERROR_AGAIN);
    assert_int_equal(prepare_apply(p, &e, data, &f->err), PREPARED_FAILED);
    assert_int_equal(f->err.kind, ERROR_AGAIN);
    assert_null(strstr(f->err.text, "canary"));
    server_restart(f->server);
    assert_int_equal(prepare_apply(p, &e, data, &f->err), PREPARED_KEEP);
    json_decref(data);
    prepare_free(p);
    salt_free(salt);
}

static void a_value_that_is_no_salt_is_never_used_as_one(void **state)
{
    struct fixture *f = *state;
    struct salt *salt = salt_new(f->redis);

    assert_true(redis_do(f->redis, f->arena, NULL, &f->err, "SET crier:{salt}:1970-01-01 short"));
    assert_null(salt_of(salt, 0, &f->err));
    assert_int_equal(f->err.kind, ERROR_AGAIN);
    assert_true(redis_do(f->redis, f->arena, NULL, &f->err, "DEL crier:{salt}:1970-01-01"));
    assert_true(redis_do(f->redis, f->arena, NULL, &f->err, "LPUSH crier:{salt}:1970-01-01 short"));
    assert_null(salt_of(salt, 0, &f->err));
    assert_int_equal(f->err.kind, ERROR_AGAIN);
    salt_free(salt);
}

#define WITH_REDIS(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(robots_and_machines_are_told_from_people),
        cmocka_unit_test(ten_times_more_user_agents_than_memory_holds_are_all_judged_right),
        cmocka_unit_test(a_user_agent_beyond_4_kib_is_cut_between_characters),
        WITH_REDIS(a_list_of_ones_own_takes_the_place_of_the_one_shipped),
        WITH_REDIS(a_list_with_a_mistake_is_refused_with_file_and_line),
        cmocka_unit_test(a_pattern_that_never_ends_does_not_hold_up_the_door),
        WITH_REDIS(the_steps_leave_their_marks_and_take_personal_fields_away),
        WITH_REDIS(a_machine_is_marked_where_robots_are_not_dropped),
        WITH_REDIS(a_section_without_steps_strips_only_where_people_are_counted),
        cmocka_unit_test(steps_that_do_not_exist_are_named),
        WITH_REDIS(a_visitor_is_known_by_user_then_session_then_address),
        WITH_REDIS(two_preparations_know_a_visitor_alike_within_a_day_only),
        cmocka_unit_test(a_keyed_hash_is_hmac_sha_256_each_time),
        WITH_REDIS(threads_that_race_for_the_days_salt_get_the_same),
        WITH_REDIS(a_salt_is_gone_two_days_after_its_day),
        WITH_REDIS(a_salt_is_a_secret_of_256_bits),
        WITH_REDIS(days_that_share_a_place_in_memory_keep_their_own_salts),
        WITH_REDIS(without_redis_there_is_no_salt_but_an_error_that_time_heals),
        WITH_REDIS(a_value_that_is_no_salt_is_never_used_as_one),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
