#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"

/* The first number of a process that has drawn none before. */
static uint64_t first_number(void)
{
    uint64_t number = 0;
    int ends[2], status;
    pid_t child;

    assert_int_equal(pipe(ends), 0);
    child = fork();
    if (child == 0) {
        number = random_below(UINT64_MAX);
        _exit(write(ends[1], &number, sizeof number) != sizeof number);
    }
    assert_int_equal(read(ends[0], &number, sizeof number), sizeof number);
    assert_int_equal(waitpid(child, &status, 0), child);
    close(ends[0]);
    close(ends[1]);
    return number;
}

static void no_two_processes_begin_with_the_same_random_number(void **state)
{
    uint64_t one = first_number(), other = first_number();

    (void)state;
    assert_true(one != other);
}

static void random_numbers_use_all_of_their_room(void **state)
{
    int seen[7] = {0};

    (void)state;
    for (int i = 0; i < 7000; i++)
        seen[random_below(7)]++;
    for (int i = 0; i < 7; i++)
        assert_in_range(seen[i], 800, 1200);
    assert_int_equal(random_below(0), 0);
    assert_int_equal(random_below(1), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_two_processes_begin_with_the_same_random_number), /* before any other number is drawn */
        cmocka_unit_test(random_numbers_use_all_of_their_room),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
