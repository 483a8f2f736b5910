/* Names whose servers hang: they hold few threads, and up no other name. */
#include <dirent.h>
#include <netdb.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/text.h"
#include "handlers/webhook/resolver.h"
#include "support/pause.h"

enum { HUNG = 500, FEW = 40, NEW_MOST = 48, LATE_MOST = 16, PATIENCE_MS = 60000 };

/* The system's answers (tests/CMakeLists.txt lets calls come by here): of names with hang in them, once they may. */
int __real_getaddrinfo(const char *host, const char *service, const struct addrinfo *hints, struct addrinfo **list);
int __wrap_getaddrinfo(const char *host, const char *service, const struct addrinfo *hints, struct addrinfo **list);

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static bool hanging;
static size_t running, most_running, asked;

int __wrap_getaddrinfo(const char *host, const char *service, const struct addrinfo *hints, struct addrinfo **list)
{
    if (hints->ai_flags & AI_NUMERICHOST)
        return __real_getaddrinfo(host, service, hints, list);
    pthread_mutex_lock(&mutex);
    asked++;
    if (++running > most_running)
        most_running = running;
    while (hanging && strstr(host, "hang"))
        pthread_cond_wait(&changed, &mutex);
    running--;
    pthread_mutex_unlock(&mutex);
    return __real_getaddrinfo(text_starts(host, "six") ? "::1" : "127.0.0.1", service, hints, list);
}

static void hang(bool on)
{
    pthread_mutex_lock(&mutex);
    hanging = on;
    if (on)
        most_running = asked = 0;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&mutex);
}

static size_t now(const size_t *count)
{
    size_t value;

    pthread_mutex_lock(&mutex);
    value = *count;
    pthread_mutex_unlock(&mutex);
    return value;
}

static void await(const size_t *count, size_t wanted)
{
    int64_t until_ms = clock_monotonic_ms() + PATIENCE_MS;

    while (now(count) != wanted) {
        if (clock_monotonic_ms() > until_ms)
            fail_msg("%zu rather than %zu", now(count), wanted);
        pause_ms(1);
    }
}

static void await_some(const size_t *count)
{
    int64_t until_ms = clock_monotonic_ms() + PATIENCE_MS;

    while (now(count) == 0) {
        assert_true(clock_monotonic_ms() < until_ms);
        pause_ms(1);
    }
}

static struct question *hung[HUNG];

/* start: names of earlier tests are remembered. */
static struct question *ask_numbered(const char *start, size_t i)
{
    char name[40];

    snprintf(name, sizeof name, "%s%zu.hang.test", start, i);
    return resolver_ask(name, -1);
}

static void ask_hung(const char *start)
{
    for (size_t i = 0; i < HUNG; i++)
        hung[i] = ask_numbered(start, i);
}

static void give_up_hung(void)
{
    struct addresses found;
    struct error err;

    for (size_t i = 0; i < HUNG; i++) {
        assert_false(resolver_take(hung[i], &found, &err));
        assert_int_equal(err.kind, ERROR_AGAIN);
        assert_non_null(strstr(err.text, "not told in time"));
    }
}

static size_t threads_before;

static size_t threads_here(void)
{
    DIR *tasks = opendir("/proc/self/task");
    size_t count = 0;

    assert_non_null(tasks);
    while (readdir(tasks))
        count++;
    closedir(tasks);
    return count;
}

/* Until the last thread is gone: one that only begins has not asked yet, and would hang with those of the next test. */
static void end_hanging(void)
{
    int64_t until_ms = clock_monotonic_ms() + PATIENCE_MS;

    hang(false);
    while (threads_here() > threads_before) {
        assert_true(clock_monotonic_ms() < until_ms);
        pause_ms(1);
    }
}

static void expect_prompt(const char *name)
{
    struct addresses found;
    struct error err;

    if (!resolver_system(name, PATIENCE_MS, &found, &err))
        fail_msg("%s", err.text);
    assert_int_equal(found.count, 1);
}

static void names_that_hang_hold_few_threads(void **state)
{
    (void)state;
    hang(true);
    for (int round = 0; round < 4; round++) {
        ask_hung("few");
        give_up_hung();
    }
    await_some(&most_running); /* a thread asks also where nobody waits any more */
    end_hanging();
    assert_in_range(now(&most_running), 1, RESOLVER_THREADS_MOST);
}

static void names_that_were_prompt_are_answered_beside_any_number_that_hang(void **state)
{
    (void)state;
    expect_prompt("prompt.test");
    expect_prompt("six.test");
    hang(true);
    for (int round = 0; round < 4; round++) {
        ask_hung("beside"); /* they wait for each other, not others for them */
        expect_prompt("prompt.test");
        expect_prompt("six.test");
        give_up_hung();
    }
    end_hanging();
}

static void a_new_name_is_answered_beside_names_known_to_hang(void **state)
{
    struct addresses found;
    struct error err;

    (void)state;
    hang(true);
    for (size_t i = 0; i < FEW; i++)
        hung[i] = ask_numbered("known", i);
    await(&running, FEW);
    for (size_t i = 0; i < FEW; i++)
        assert_false(resolver_take(hung[i], &found, &err));
    expect_prompt("new.test");
    end_hanging();
    hang(true);
    for (size_t i = 0; i < FEW; i++)
        hung[i] = ask_numbered("known", i);
    await(&running, LATE_MOST);
    expect_prompt("newer.test");
    for (size_t i = 0; i < FEW; i++)
        assert_false(resolver_take(hung[i], &found, &err));
    end_hanging();
}

static void a_name_is_asked_for_once_by_all_who_want_it(void **state)
{
    struct addresses found;
    struct error err;

    (void)state;
    hang(true);
    for (size_t i = 0; i < HUNG; i++)
        hung[i] = resolver_ask(i % 2 ? "one.hang.test" : "ONE.hang.test", -1);
    await(&running, 1);
    end_hanging();
    for (size_t i = 0; i < HUNG; i++) {
        int64_t until_ms = clock_monotonic_ms() + PATIENCE_MS;

        while (!resolver_answered(hung[i]))
            assert_true(clock_monotonic_ms() < until_ms);
        assert_true(resolver_take(hung[i], &found, &err));
        assert_int_equal(found.count, 1);
    }
    assert_int_equal(now(&asked), 1);
}

static void a_name_nobody_waits_for_any_more_is_not_asked_for(void **state)
{
    struct addresses found;
    struct error err;
    size_t before;

    (void)state;
    hang(true);
    ask_hung("gone");               /* more than there are threads */
    for (size_t i = HUNG; i-- > 0;) /* the last first: they had none yet */
        assert_false(resolver_take(hung[i], &found, &err));
    await(&asked, NEW_MOST);
    before = now(&asked);
    end_hanging();
    expect_prompt("then.test");
    assert_int_equal(now(&asked), before + 1);
}

static void who_wants_to_be_is_woken(void **state)
{
    int wake = eventfd(0, EFD_CLOEXEC);
    struct question *q;
    struct addresses found;
    struct error err;
    eventfd_t count;

    (void)state;
    q = resolver_ask("waking.test", wake);
    assert_int_equal(poll(&(struct pollfd){.fd = wake, .events = POLLIN}, 1, PATIENCE_MS), 1);
    assert_int_equal(eventfd_read(wake, &count), 0);
    assert_true(resolver_answered(q));
    assert_true(resolver_take(q, &found, &err));
    close(wake);
}

static void an_address_needs_no_thread(void **state)
{
    struct question *q = resolver_ask("192.0.2.7", -1);
    struct addresses found;
    struct error err;
    size_t before = now(&asked);

    (void)state;
    assert_true(resolver_answered(q));
    assert_true(resolver_take(q, &found, &err));
    assert_int_equal(found.count, 1);
    assert_int_equal(now(&asked), before);
}

/* A test that fails leaves nothing hanging for the next. */
static int teardown(void **state)
{
    (void)state;
    end_hanging();
    return 0;
}

/* A sanitizer may begin one of its own beside the first. */
static void *nothing(void *context)
{
    return context;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(names_that_hang_hold_few_threads, teardown),
        cmocka_unit_test_teardown(names_that_were_prompt_are_answered_beside_any_number_that_hang, teardown),
        cmocka_unit_test_teardown(a_new_name_is_answered_beside_names_known_to_hang, teardown),
        cmocka_unit_test_teardown(a_name_is_asked_for_once_by_all_who_want_it, teardown),
        cmocka_unit_test_teardown(a_name_nobody_waits_for_any_more_is_not_asked_for, teardown),
        cmocka_unit_test_teardown(who_wants_to_be_is_woken, teardown),
        cmocka_unit_test_teardown(an_address_needs_no_thread, teardown),
    };
    pthread_t first;

    if (pthread_create(&first, NULL, nothing, NULL) != 0 || pthread_join(first, NULL) != 0)
        return 1;
    threads_before = threads_here();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
