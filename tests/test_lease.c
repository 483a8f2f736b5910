/* Who leads: two holders and a real Redis. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/arena.h"
#include "base/clock.h"
#include "scheduler/lease.h"
#include "support/server.h"

enum { TAKEOVER_MS = 5000, LATE_MS = 5000, STEP_MS = 50, PATIENCE_MS = 60000 };

struct fixture {
    struct server *server;
    struct redis_address address;
    struct redis *redis, *other_redis;
    struct lease one, two;
};

static int setup(void **state)
{
    struct fixture *f = xcalloc(1, sizeof *f);
    struct error err;

    f->server = redis_server_start(NULL);
    assert_true(redis_address_parse(redis_server_url(f->server), &f->address, &err));
    f->redis = redis_new(&(struct redis_options){&f->address, 2000});
    f->other_redis = redis_new(&(struct redis_options){&f->address, 2000});
    f->one = (struct lease){.name = "clock", .holder = "one"};
    f->two = (struct lease){.name = "clock", .holder = "two"};
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    redis_free(f->redis);
    redis_free(f->other_redis);
    redis_address_release(&f->address);
    server_free(f->server);
    free(f);
    return 0;
}

static void renewed(struct lease *l, struct redis *r)
{
    struct error err = ERROR_INIT;

    if (!lease_renew(l, r, &err))
        fail_msg("%s", err.text);
}

static void pause_ms(int ms)
{
    usleep((useconds_t)ms * 1000);
}

/* Asks for the lease until it is there; how long that took. */
static int64_t taken_after_ms(struct lease *l, struct redis *r)
{
    int64_t start_ms = clock_monotonic_ms();
    struct error err;

    while (!lease_renew(l, r, &err) || !lease_held(l)) {
        if (clock_monotonic_ms() - start_ms > PATIENCE_MS)
            fail_msg("nobody lets go of the lease");
        pause_ms(STEP_MS);
    }
    return clock_monotonic_ms() - start_ms;
}

static void the_first_who_asks_leads_and_the_second_does_not(void **state)
{
    struct fixture *f = *state;

    assert_false(lease_held(&f->one));
    renewed(&f->one, f->redis);
    renewed(&f->two, f->other_redis);
    assert_true(lease_held(&f->one));
    assert_true(f->one.token > 0);
    assert_false(lease_held(&f->two));
    assert_int_equal(f->two.token, 0);
}

static void a_renewal_keeps_the_token_and_starts_the_time_anew(void **state)
{
    struct fixture *f = *state;
    int64_t token, until_ms;

    renewed(&f->one, f->redis);
    token = f->one.token;
    for (int i = 0; i < 5; i++) { /* longer than the lease lasts without them */
        until_ms = f->one.sure_until_ms;
        pause_ms(LEASE_RENEW_MS);
        renewed(&f->one, f->redis);
        renewed(&f->two, f->other_redis);
        assert_true(lease_held(&f->one));
        assert_true(f->one.sure_until_ms >= until_ms + LEASE_RENEW_MS);
        assert_int_equal(f->one.token, token);
        assert_int_equal(f->two.token, 0);
    }
}

static void leases_of_other_names_are_others(void **state)
{
    struct fixture *f = *state;

    f->two.name = "reports";
    renewed(&f->one, f->redis);
    renewed(&f->two, f->other_redis);
    assert_true(lease_held(&f->one));
    assert_true(lease_held(&f->two));
}

/* The name alone is no proof: it may be that of a process that has been started twice. */
static void the_holders_name_without_its_token_gets_nothing(void **state)
{
    struct fixture *f = *state;

    f->two.holder = "one";
    renewed(&f->one, f->redis);
    renewed(&f->two, f->other_redis);
    assert_int_equal(f->two.token, 0);
    renewed(&f->one, f->redis);
    assert_true(lease_held(&f->one));
    assert_in_range(taken_after_ms(&f->two, f->other_redis), 0,
                    TAKEOVER_MS + LATE_MS); /* its asking prolongs nothing */
}

static void a_holder_that_is_killed_is_replaced_within_five_seconds(void **state)
{
    struct fixture *f = *state;
    int64_t start_ms = clock_monotonic_ms(), killed_ms, left_ms;
    const struct reply *reply;
    struct arena *arena = arena_new();
    struct error err;
    pid_t leader = fork();

    assert_true(leader >= 0);
    if (leader == 0) {
        while (lease_renew(&f->one, f->redis, &err))
            pause_ms(LEASE_RENEW_MS / 10);
        _exit(1);
    }
    do { /* until the child leads */
        struct lease asking = {.name = "clock", .holder = "asking"};

        assert_true(clock_monotonic_ms() - start_ms < PATIENCE_MS);
        renewed(&asking, f->other_redis);
        if (asking.token == 0)
            break;
        assert_true(lease_release(&asking, f->other_redis, &err));
        pause_ms(STEP_MS);
    } while (true);
    kill(leader, SIGKILL);
    waitpid(leader, NULL, 0);
    killed_ms = clock_monotonic_ms();
    assert_true(redis_do(f->other_redis, arena, &reply, &err, "PTTL crier:{lease:clock}:holder"));
    left_ms = reply->integer; /* however long the leader stood still before it was killed */
    assert_in_range(left_ms, 1, LEASE_MS);
    taken_after_ms(&f->two, f->other_redis);
    assert_in_range(clock_monotonic_ms() - killed_ms, left_ms, TAKEOVER_MS + LATE_MS);
    arena_free(arena);
}

static void the_token_grows_with_every_change_of_the_holder(void **state)
{
    struct fixture *f = *state;
    int64_t last = 0;
    struct error err;

    for (int i = 0; i < 10; i++) {
        struct lease *l = i % 2 ? &f->two : &f->one;

        renewed(l, f->redis);
        assert_true(l->token > last);
        last = l->token;
        assert_true(lease_release(l, f->redis, &err));
    }
}

static void an_old_holder_that_wakes_up_does_not_steal(void **state)
{
    struct fixture *f = *state;
    int64_t token;

    renewed(&f->one, f->redis);
    token = f->one.token;
    taken_after_ms(&f->two, f->other_redis);
    assert_false(lease_held(&f->one)); /* it knows by its own clock, before it asks */
    assert_true(f->two.token > token);
    renewed(&f->one, f->redis);
    assert_int_equal(f->one.token, 0);
    renewed(&f->two, f->other_redis);
    assert_true(lease_held(&f->two));
}

static void two_are_never_sure_at_the_same_time(void **state)
{
    struct fixture *f = *state;

    renewed(&f->one, f->redis);
    while (!lease_held(&f->two)) {
        renewed(&f->two, f->other_redis);
        assert_false(lease_held(&f->one) && lease_held(&f->two));
        pause_ms(5);
    }
}

static void a_release_gives_up_at_once(void **state)
{
    struct fixture *f = *state;
    struct error err;

    renewed(&f->one, f->redis);
    assert_true(lease_release(&f->one, f->redis, &err));
    assert_false(lease_held(&f->one));
    renewed(&f->two, f->other_redis);
    assert_true(lease_held(&f->two));
}

static void a_release_by_one_that_was_replaced_changes_nothing(void **state)
{
    struct fixture *f = *state;
    struct error err;
    struct lease stale;

    renewed(&f->one, f->redis);
    stale = f->one;
    assert_true(lease_release(&f->one, f->redis, &err));
    renewed(&f->two, f->other_redis);
    assert_true(lease_release(&stale, f->redis, &err));
    renewed(&f->one, f->redis);
    assert_int_equal(f->one.token, 0);
    assert_true(lease_release(&f->one, f->redis, &err)); /* none to give up */
}

static void a_redis_that_restarts_keeps_the_holder(void **state)
{
    struct fixture *f = *state;
    struct error err = ERROR_INIT;
    int64_t token;

    renewed(&f->one, f->redis);
    token = f->one.token;
    server_kill(f->server);
    assert_false(lease_renew(&f->one, f->redis, &err));
    assert_int_equal(err.kind, ERROR_AGAIN);
    assert_int_equal(f->one.token, token); /* sure for a while yet */
    server_restart(f->server);
    taken_after_ms(&f->one, f->redis);
    assert_true(f->one.token >= token);
    renewed(&f->two, f->other_redis);
    assert_int_equal(f->two.token, 0);
}

static void the_token_grows_over_an_emptied_redis(void **state)
{
    struct fixture *f = *state;
    struct arena *arena = arena_new();
    struct error err;
    int64_t token;

    renewed(&f->one, f->redis);
    token = f->one.token;
    assert_true(redis_do(f->redis, arena, NULL, &err, "FLUSHALL"));
    pause_ms(5);
    renewed(&f->two, f->other_redis);
    assert_true(f->two.token > token);
    renewed(&f->one, f->redis);
    assert_int_equal(f->one.token, 0);
    arena_free(arena);
}

static void a_redis_without_memory_still_has_a_leader(void **state)
{
    struct fixture *f = *state;
    struct arena *arena = arena_new();
    struct error err;

    assert_true(redis_do(f->redis, arena, NULL, &err, "CONFIG SET maxmemory 1"));
    renewed(&f->one, f->redis);
    assert_true(lease_held(&f->one));
    renewed(&f->one, f->redis);
    assert_true(lease_held(&f->one));
    arena_free(arena);
}

#define WITH_REDIS(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_REDIS(the_first_who_asks_leads_and_the_second_does_not),
        WITH_REDIS(a_renewal_keeps_the_token_and_starts_the_time_anew),
        WITH_REDIS(leases_of_other_names_are_others),
        WITH_REDIS(the_holders_name_without_its_token_gets_nothing),
        WITH_REDIS(a_holder_that_is_killed_is_replaced_within_five_seconds),
        WITH_REDIS(the_token_grows_with_every_change_of_the_holder),
        WITH_REDIS(an_old_holder_that_wakes_up_does_not_steal),
        WITH_REDIS(two_are_never_sure_at_the_same_time),
        WITH_REDIS(a_release_gives_up_at_once),
        WITH_REDIS(a_release_by_one_that_was_replaced_changes_nothing),
        WITH_REDIS(a_redis_that_restarts_keeps_the_holder),
        WITH_REDIS(the_token_grows_over_an_emptied_redis),
        WITH_REDIS(a_redis_without_memory_still_has_a_leader),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
