/* The salt of a day: one for all processes, secret, and gone when its time is over. */
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>
#include <openssl/hmac.h>
#include <pthread.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/file.h"
#include "notifier/prepare.h"
#include "notifier/salt.h"
#include "support/prepare_stage.h"
#include "support/server.h"

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
    int64_t now_us;
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
    hash = salt_of(salt, r->now_us, &err);
    if (hash)
        keyed_hash_id(hash, "x", 1, r->id);
    salt_free(salt);
    redis_free(redis);
    return NULL;
}

static void threads_that_race_for_the_days_salt_get_the_same(void **state)
{
    enum { RACERS = 16 };
    struct prepare_stage *f = *state;
    struct racer racers[RACERS];
    int64_t now_us = clock_wall_us();
    pthread_barrier_t start;

    pthread_barrier_init(&start, NULL, RACERS);
    for (int i = 0; i < RACERS; i++) {
        racers[i] = (struct racer){.start = &start, .address = &f->address, .now_us = now_us};
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

static const char *wanted;
static bool seen;

static int look_into(const char *path, const struct stat *status, int kind, struct FTW *walk)
{
    struct buf text = BUF_INIT;
    struct error err = ERROR_INIT;

    (void)status;
    (void)walk;
    if (kind == FTW_F && file_read(path, 16 * 1024 * 1024, &text, &err))
        seen = seen || memmem(text.data, text.length, wanted, strlen(wanted));
    buf_release(&text);
    return 0;
}

static bool folder_holds(const char *folder, const char *text)
{
    wanted = text;
    seen = false;
    nftw(folder, look_into, 16, FTW_PHYS);
    return seen;
}

static int64_t life_s(struct prepare_stage *f, int64_t time_us)
{
    const struct reply *reply;
    char date[20];

    time_format(time_us, "%Y-%m-%d", date, sizeof date);
    assert_true(redis_do(f->redis, f->arena, &reply, &f->err, "TTL crier:{salt}:%s", date));
    return reply->integer;
}

static void a_salt_outlives_the_next_day_and_is_gone_after_48_hours(void **state)
{
    struct prepare_stage *f = *state;
    struct salt *salt = salt_new(f->redis);
    int64_t now = clock_wall_us(), two_days = 2 * 86400;
    int64_t second_midnight = two_days - now / US_PER_SECOND % 86400;

    assert_non_null(salt_of(salt, now, &f->err));
    assert_in_range(life_s(f, now), second_midnight - 5, second_midnight);
    assert_non_null(salt_of(salt, now - DAY_US, &f->err));
    assert_in_range(life_s(f, now - DAY_US), second_midnight - 5, second_midnight);
    assert_non_null(salt_of(salt, now - 40 * DAY_US, &f->err));
    assert_in_range(life_s(f, now - 40 * DAY_US), second_midnight - 5, second_midnight);
    assert_non_null(salt_of(salt, now + DAY_US, &f->err));
    assert_in_range(life_s(f, now + DAY_US), two_days - 5, two_days);
    assert_non_null(salt_of(salt, now + 4000 * DAY_US, &f->err));
    assert_in_range(life_s(f, now + 4000 * DAY_US), two_days - 5, two_days);
    salt_free(salt);
}

/* The salt of the day before yesterday, expired as its time would have it; its text is in old. */
static void expire_old_salt(struct prepare_stage *f, int64_t now, char old[100])
{
    struct salt *salt = salt_new(f->redis);
    const struct reply *reply;
    char date[20];

    snprintf(old, 100, "%s", salt_text_of(salt, now - 2 * DAY_US, &f->err));
    time_format(now - 2 * DAY_US, "%Y-%m-%d", date, sizeof date);
    assert_true(folder_holds(server_folder(f->server), old));
    assert_true(redis_do(f->redis, f->arena, &reply, &f->err, "PEXPIREAT crier:{salt}:%s %lld", date,
                         (long long)(now / 1000 + 300)));
    while (clock_wall_us() / 1000 <= now / 1000 + 300)
        nanosleep(&(struct timespec){0, 10000000}, NULL);
    salt_free(salt);
}

static void until_gone(struct prepare_stage *f, const char *old)
{
    int64_t until_ms = clock_monotonic_ms() + 60000;

    while (folder_holds(server_folder(f->server), old)) {
        if (clock_monotonic_ms() > until_ms)
            fail_msg("the salt is still in Redis's files");
        nanosleep(&(struct timespec){0, 20000000}, NULL);
    }
}

/* As on a day on which nobody asked yet. What was begun on the day before is through: Redis does one at a time. */
static void begin_day(struct prepare_stage *f)
{
    int64_t until_ms = clock_monotonic_ms() + 60000;
    const struct reply *reply;

    do {
        assert_true(clock_monotonic_ms() < until_ms);
        assert_true(redis_do(f->redis, f->arena, &reply, &f->err, "INFO persistence"));
    } while (!strstr(reply->text, "aof_rewrite_in_progress:0") || !strstr(reply->text, "aof_rewrite_scheduled:0"));
    assert_true(redis_do(f->redis, f->arena, NULL, &f->err, "DEL crier:{salt}:purged"));
}

/* What would be left after 48 h: nothing that does not expire, and nothing in Redis's own file once it is rewritten. */
static void no_salt_is_left_when_its_time_is_over(void **state)
{
    struct prepare_stage *f = *state;
    struct salt *salt = salt_new(f->redis);
    int64_t now = clock_wall_us();
    char old[100];

    expire_old_salt(f, now, old);
    begin_day(f);
    assert_non_null(salt_of(salt, clock_wall_us(), &f->err)); /* whoever asks first has the file rewritten */
    until_gone(f, old);
    salt_free(salt);
}

/* A platform whose clock is fast asks for the next day's salt before midnight, day after day. */
static void no_salt_is_left_where_todays_was_made_the_day_before(void **state)
{
    struct prepare_stage *f = *state;
    struct salt *yesterday = salt_new(f->redis), *today = salt_new(f->redis);
    int64_t now = clock_wall_us();
    char old[100];

    assert_non_null(salt_of(yesterday, now, &f->err));
    expire_old_salt(f, now, old);
    begin_day(f);
    assert_non_null(salt_of(today, clock_wall_us(), &f->err));
    until_gone(f, old);
    salt_free(yesterday);
    salt_free(today);
}

static void a_salt_is_a_secret_of_256_bits(void **state)
{
    struct prepare_stage *f = *state;
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
    struct prepare_stage *f = *state;
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
    struct prepare_stage *f = *state;
    struct salt *salt = salt_new(f->redis);
    struct prepare *p = prepare_steps(f, "visitor");
    struct event e = prepare_event_at(prepare_today());
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
    struct prepare_stage *f = *state;
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

#define WITH_REDIS(name) cmocka_unit_test_setup_teardown(name, prepare_stage_open, prepare_stage_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_keyed_hash_is_hmac_sha_256_each_time),
        WITH_REDIS(threads_that_race_for_the_days_salt_get_the_same),
        WITH_REDIS(a_salt_outlives_the_next_day_and_is_gone_after_48_hours),
        WITH_REDIS(no_salt_is_left_when_its_time_is_over),
        WITH_REDIS(no_salt_is_left_where_todays_was_made_the_day_before),
        WITH_REDIS(a_salt_is_a_secret_of_256_bits),
        WITH_REDIS(days_that_share_a_place_in_memory_keep_their_own_salts),
        WITH_REDIS(without_redis_there_is_no_salt_but_an_error_that_time_heals),
        WITH_REDIS(a_value_that_is_no_salt_is_never_used_as_one),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
