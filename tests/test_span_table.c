/* Items by their key: found again however many there are, and only under their own key. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/span_table.h"

struct item {
    int number;
    struct span key;
};

struct fixture {
    struct arena *arena;
    struct span_table table;
};

static int setup(void **state)
{
    static struct fixture f;

    f.arena = arena_new();
    span_table_init(&f.table, f.arena, 0, offsetof(struct item, key));
    *state = &f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    arena_free(f->arena);
    return 0;
}

static struct item *add(struct fixture *f, int number)
{
    struct item *i = arena_zero(f->arena, sizeof *i);

    i->number = number;
    i->key = span_of(arena_printf(f->arena, "users/%d", number));
    span_table_add(&f->table, i);
    return i;
}

static struct item *find(struct fixture *f, int number)
{
    char key[40];

    snprintf(key, sizeof key, "users/%d", number);
    return span_table_find(&f->table, span_of(key));
}

static void many_items_are_each_found_by_their_key(void **state)
{
    enum { MANY = 5000 };
    struct fixture *f = *state;

    for (int i = 0; i < MANY; i++)
        add(f, i);
    assert_int_equal(f->table.count, MANY);
    for (int i = 0; i < MANY; i++) {
        assert_non_null(find(f, i));
        assert_int_equal(find(f, i)->number, i);
    }
    assert_null(find(f, MANY));
}

static void a_key_is_all_of_its_bytes(void **state)
{
    struct fixture *f = *state;
    struct item with_nul =
                    {
                        1, {"a\0b", 3}
    },
                empty = {2, SPAN_NONE};

    span_table_add(&f->table, &with_nul);
    assert_null(span_table_find(&f->table, SPAN_NONE));
    span_table_add(&f->table, &empty);
    assert_ptr_equal(span_table_find(&f->table, (struct span){"a\0bc", 3}), &with_nul);
    assert_null(span_table_find(&f->table, (struct span){"a\0c", 3}));
    assert_null(span_table_find(&f->table, span_of("a")));
    assert_ptr_equal(span_table_find(&f->table, SPAN_NONE), &empty);
}

static void a_cleared_table_is_empty_and_may_be_filled_again(void **state)
{
    struct fixture *f = *state;
    struct item *first = add(f, 1);

    span_table_clear(&f->table);
    assert_null(find(f, 1));
    span_table_add(&f->table, first);
    assert_ptr_equal(find(f, 1), first);
    assert_int_equal(f->table.count, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(many_items_are_each_found_by_their_key, setup, teardown),
        cmocka_unit_test_setup_teardown(a_key_is_all_of_its_bytes, setup, teardown),
        cmocka_unit_test_setup_teardown(a_cleared_table_is_empty_and_may_be_filled_again, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
