/* What a reply says of each item, and what that means: the table of bulk outcomes, row by row. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "indexer/bulk_reply.h"

enum { ANSWERS_MOST = 8 };

struct fixture {
    struct arena *arena;
    struct bulk_answer answers[ANSWERS_MOST];
    struct error err;
};

static int setup(void **state)
{
    static struct fixture f;

    f = (struct fixture){.arena = arena_new()};
    *state = &f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    arena_free(f->arena);
    return 0;
}

static bool reads(struct fixture *f, const char *reply, size_t expected)
{
    return bulk_reply_read(reply, strlen(reply), expected, f->arena, f->answers, &f->err);
}

/* ------------------------------------------------------------------------------------------------ reading */

static void the_usual_reply_gives_each_item_its_status(void **state)
{
    struct fixture *f = *state;

    assert_true(reads(f,
                      "{\"errors\":false,\"items\":[{\"index\":{\"status\":201}},{\"create\":{\"status\":201}},"
                      "{\"delete\":{\"status\":404}}]}",
                      3));
    assert_int_equal(f->answers[0].status, 201);
    assert_int_equal(f->answers[2].status, 404);
    assert_string_equal(f->answers[2].reason, "");
}

static void a_sequence_number_comes_with_the_status_where_it_was_asked_for(void **state)
{
    struct fixture *f = *state;

    assert_true(reads(f,
                      "{\"errors\":false,\"items\":[{\"index\":{\"_seq_no\":120,\"status\":200}},"
                      "{\"index\":{\"status\":201}},{\"index\":{\"status\":200,\"_seq_no\":7}}]}",
                      3));
    assert_int_equal(f->answers[0].seq_no, 120);
    assert_int_equal(f->answers[0].status, 200);
    assert_int_equal(f->answers[1].seq_no, -1);
    assert_int_equal(f->answers[2].seq_no, 7);
}

static void a_reply_in_another_layout_is_read_the_same(void **state)
{
    struct fixture *f = *state;

    assert_true(reads(f,
                      "{ \"took\": 3, \"items\": [ {\"index\": {\"_id\": \"1\", \"status\": 200}} ],\n"
                      " \"errors\": false }",
                      1));
    assert_int_equal(f->answers[0].status, 200);
}

static void an_error_keeps_the_servers_words_and_its_deepest_cause(void **state)
{
    struct fixture *f = *state;

    assert_true(
        reads(f,
              "{\"errors\":true,\"items\":[{\"index\":{\"status\":201}},{\"index\":{\"status\":400,\"error\":"
              "{\"type\":\"mapper_parsing_exception\",\"reason\":\"failed to parse\",\"caused_by\":{\"type\":\"a\","
              "\"reason\":\"b\",\"caused_by\":{\"type\":\"number_format\",\"reason\":\"\\\"x\\\"\"}}}}},"
              "{\"index\":{\"status\":200}}]}",
              3));
    assert_string_equal(f->answers[1].type, "mapper_parsing_exception");
    assert_string_equal(f->answers[1].reason,
                        "mapper_parsing_exception: failed to parse; caused by number_format: \"x\"");
    assert_int_equal(f->answers[2].status, 200);
}

#define LIST "{\"errors\":false,\"items\":["
#define GOOD "{\"index\":{\"status\":201}}"

static void a_reply_that_does_not_fit_says_nothing_of_any_item(void **state)
{
    static const char *const replies[] = {
        "",
        "not JSON",
        "[]",
        "{}",
        "{\"errors\":false}",
        "{\"error\":{\"type\":\"x\"},\"status\":500}",
        "{\"errors\":false,\"items\":{}}",
        LIST "]}",
        LIST GOOD "]}",
        LIST GOOD "," GOOD "," GOOD "]}",
        LIST GOOD ",{\"index\":{\"status\":20",
        LIST GOOD "," GOOD "]",
        LIST GOOD "," GOOD "]}}",
        LIST GOOD ",{\"index\":{}}]}",
        LIST GOOD ",{\"index\":{\"status\":\"201\"}}]}",
        LIST GOOD ",{\"index\":{\"status\":2010}}]}",
        LIST GOOD ",{\"index\":{\"status\":099}}]}",
        LIST GOOD ",{\"index\":{\"status\":-20}}]}",
        LIST GOOD ",{}]}",
        LIST GOOD ",201]}",
        LIST GOOD ",{\"index\":201}]}",
        LIST GOOD ",{\"index\":{\"status\":201},\"create\":{}}]}",
        "<html>" LIST GOOD "," GOOD "]}",
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < ARRAY_LENGTH(replies); i++) {
        if (reads(f, replies[i], 2))
            fail_msg("taken for two answers: %s", replies[i]);
        assert_int_equal(f->err.kind, ERROR_AGAIN);
    }
}

/* ---------------------------------------------------------------------------------------------- the table */

struct row {
    int status;
    const char *type;
    const struct bulk_target *target;
    enum bulk_outcome outcome;
};

static void every_answer_has_the_outcome_of_the_table(void **state)
{
    static const struct bulk_target versioned = {BULK_INDEX, .version = 7, .seq_no = -1};
    static const struct bulk_target plain = {BULK_INDEX, .version = -1, .seq_no = -1};
    static const struct bulk_target created = {BULK_CREATE, .version = -1, .seq_no = -1};
    static const struct bulk_target sequenced = {BULK_INDEX, .version = -1, .seq_no = 3};
    static const struct bulk_target deleted = {BULK_DELETE, .version = 7, .seq_no = -1};
    static const struct row rows[] = {
        {200, "",                                  &versioned, BULK_DONE      },
        {201, "",                                  &created,   BULK_DONE      },
        {200, "",                                  &deleted,   BULK_DONE      },
        {404, "",                                  &deleted,   BULK_DONE      },
        {409, "version_conflict_engine_exception", &versioned, BULK_SUPERSEDED},
        {409, "version_conflict_engine_exception", &deleted,   BULK_SUPERSEDED},
        {409, "version_conflict_engine_exception", &created,   BULK_SUPERSEDED},
        {409, "version_conflict_engine_exception", &sequenced, BULK_CONFLICT  },
        {409, "version_conflict_engine_exception", &plain,     BULK_BUSY      },
        {429, "es_rejected_execution_exception",   &versioned, BULK_BUSY      },
        {429, "circuit_breaking_exception",        &versioned, BULK_BUSY      },
        {503, "unavailable_shards_exception",      &versioned, BULK_BUSY      },
        {503, "cluster_block_exception",           &versioned, BULK_BUSY      },
        {500, "",                                  &versioned, BULK_BUSY      },
        {599, "nobody_knows_exception",            &versioned, BULK_BUSY      },
        {403, "cluster_block_exception",           &versioned, BULK_PAUSED    },
        {429, "cluster_block_exception",           &versioned, BULK_PAUSED    },
        {403, "security_exception",                &versioned, BULK_PAUSED    },
        {400, "index_closed_exception",            &versioned, BULK_PAUSED    },
        {400, "mapper_parsing_exception",          &versioned, BULK_DEAD      },
        {404, "index_not_found_exception",         &versioned, BULK_DEAD      },
        {404, "index_not_found_exception",         &deleted,   BULK_DEAD      },
        {404, "",                                  &versioned, BULK_DEAD      },
        {413, "",                                  &versioned, BULK_DEAD      },
        {418, "teapot_exception",                  &versioned, BULK_DEAD      },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct bulk_answer a = {rows[i].status, rows[i].type, "", -1};

        if (bulk_outcome_of(&a, rows[i].target) != rows[i].outcome)
            fail_msg("%d %s with action %d: outcome %d", a.status, a.type, rows[i].target->action,
                     bulk_outcome_of(&a, rows[i].target));
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_usual_reply_gives_each_item_its_status),
        TEST(a_sequence_number_comes_with_the_status_where_it_was_asked_for),
        TEST(a_reply_in_another_layout_is_read_the_same),
        TEST(an_error_keeps_the_servers_words_and_its_deepest_cause),
        TEST(a_reply_that_does_not_fit_says_nothing_of_any_item),
        TEST(every_answer_has_the_outcome_of_the_table),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
