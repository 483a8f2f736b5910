#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "scheduler/held.h"

static void what_is_held_comes_back_in_the_order_it_is_due(void **state)
{
    struct held h = {0};
    int64_t last = -1;

    (void)state;
    srand(4);
    for (int i = 0; i < 5000; i++)
        held_add(&h, (struct held_entry){
                         .id = {(uint64_t)i, 0},
                           .due_ms = rand() % 1000
        });
    assert_false(held_due(&h, -1));
    for (int i = 0; i < 5000; i++) {
        struct held_entry e = held_take(&h);

        assert_true(e.due_ms >= last);
        last = e.due_ms;
    }
    assert_int_equal(h.count, 0);
    assert_false(held_due(&h, INT64_MAX));
    held_release(&h);
}

static void a_backoff_grows_with_each_try_up_to_its_limit_and_uses_all_of_its_room(void **state)
{
    (void)state;
    for (int n = 0; n < 40; n++) {
        int64_t limit = n < 10 ? 100 << n : 60000, lowest = INT64_MAX, highest = 0;

        limit = limit < 60000 ? limit : 60000;
        for (int i = 0; i < 2000; i++) {
            int64_t ms = backoff_ms(n, 100, 60000);

            assert_in_range(ms, 1, limit);
            lowest = ms < lowest ? ms : lowest;
            highest = ms > highest ? ms : highest;
        }
        assert_true(lowest < limit / 10 + 2);
        assert_true(highest > limit * 9 / 10);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_held_comes_back_in_the_order_it_is_due),
        cmocka_unit_test(a_backoff_grows_with_each_try_up_to_its_limit_and_uses_all_of_its_room),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
