/* Messages in the platform's own queues, as kombu writes them: what becomes of each. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/hash.h"
#include "notifier/platform/kombu_message.h"
#include "notifier/platform/kombu_queue.h"
#include "support/kombu_stage.h"
#include "support/process.h"
#include "support/scene.h"

static void a_message_becomes_an_event_and_then_leaves_its_queue(void **state)
{
    struct kombu_stage *f = *state;
    const struct reply *entry;

    kombu_push(f, "LPUSH", QUEUE, kombu_view(f, 7));
    kombu_stage_doors(f, 1);
    kombu_until_empty(f);
    entry = &scene_redis(f->scene, "XRANGE crier:{views}:stream - +")->items[0].items[1];
    assert_string_equal(reply_field_text(entry, "type"), "record-view");
    assert_string_equal(reply_field_text(entry, "id"), "00000000-0000-4000-8000-000000000007");
    assert_string_equal(reply_field_text(entry, "source"), "platform:" QUEUE);
    assert_string_equal(reply_field_text(entry, "time"), "2026-11-20T10:00:00.000007Z");
    assert_non_null(strstr(reply_field_text(entry, "data"), "\"recid\":\"r7\""));
    assert_non_null(strstr(reply_field_text(entry, "data"), "\"visitor_id\":"));
    assert_null(strstr(reply_field_text(entry, "data"), "192.0.2.77"));
    assert_null(strstr(reply_field_text(entry, "data"), "Secret"));
}

static void more_than_a_batch_of_all_priorities_comes_in_once_each(void **state)
{
    struct kombu_stage *f = *state;

    for (int i = 0; i < 400; i++)
        kombu_push(f, "LPUSH", kombu_list(QUEUE, i % KOMBU_PRIORITIES, f->arena), kombu_view(f, i));
    kombu_stage_doors(f, 1);
    kombu_until_empty(f);
    assert_int_equal(kombu_stage_length(f, "stream"), 400);
}

static void two_doors_at_one_queue_lose_nothing_and_count_nothing_twice(void **state)
{
    struct kombu_stage *f = *state;

    kombu_stage_doors(f, 2);
    for (int i = 0; i < 600; i++)
        kombu_push(f, "LPUSH", QUEUE, kombu_view(f, i));
    kombu_until_empty(f);
    assert_int_equal(kombu_stage_length(f, "stream"), 600);
    assert_int_equal(kombu_stage_length(f, "dead"), 0);
}

static void a_message_that_a_consumer_gave_back_counts_once(void **state)
{
    struct kombu_stage *f = *state;
    const char *message = kombu_view(f, 1);
    char *again = arena_text(f->arena, message);
    char *headers = strstr(again, "\"headers\": {}");

    kombu_stage_doors(f, 1);
    kombu_push(f, "LPUSH", QUEUE, message);
    kombu_until_empty(f);
    assert_non_null(headers);
    again = arena_printf(f->arena, "%.*s\"headers\": {\"redelivered\": true}%s", (int)(headers - again), again,
                         headers + strlen("\"headers\": {}"));
    kombu_push(f, "RPUSH", QUEUE, again);
    kombu_until_empty(f);
    assert_int_equal(kombu_stage_length(f, "stream"), 1);
}

static void what_is_no_event_becomes_a_dead_letter_without_its_content_and_blocks_nothing(void **state)
{
    struct kombu_stage *f = *state;
    const struct reply *letters;
    char *long_text = arena_zero(f->arena, 40001);
    const char *bad[] = {
        "not json 192.0.2.77",
        "{\"body\": 7}",
        kombu_message(f, "t1", "{\"ip_address\": \"192.0.2.77\""),
        kombu_message(f, "t2", "[\"192.0.2.77\"]"),
        "{\"body\": \"192.0.2.77!!\", \"content-type\": \"application/json\", \"properties\": {\"body_encoding\": "
        "\"base64\"}}",
        "{\"body\": \"192.0.2.77\", \"content-type\": \"application/x-python-serialize\", \"properties\": {}}",
        long_text,
    };

    memset(long_text, 'x', 40000);
    for (size_t i = 0; i < ARRAY_LENGTH(bad); i++)
        kombu_push(f, "LPUSH", QUEUE, bad[i]);
    kombu_push(f, "LPUSH", QUEUE, kombu_view(f, 1));
    kombu_stage_doors(f, 1);
    kombu_until_empty(f);
    assert_int_equal(kombu_stage_length(f, "stream"), 1);
    letters = scene_redis(f->scene, "XRANGE crier:{views}:dead - +");
    assert_int_equal(letters->count, ARRAY_LENGTH(bad));
    for (size_t i = 0; i < letters->count; i++) {
        const struct reply *fields = &letters->items[i].items[1];

        assert_string_equal(reply_field_text(fields, "handler"), "platform-door");
        assert_true(reply_field(fields, "reason")->length > 0);
        assert_non_null(strstr(reply_field_text(fields, "data"), "refused_digest"));
        for (size_t j = 0; j < fields->count; j++)
            assert_null(strstr(fields->items[j].text, "192.0.2.77"));
    }
}

/* A message that nothing random is in: whoever has a digest of it tries one address after the other. */
static void a_dead_letter_holds_no_digest_by_which_an_address_could_be_tried(void **state)
{
    static const char message[] = "from 192.0.2.77";
    struct kombu_stage *f = *state;
    struct raw_hash *sha = raw_hash_new("SHA256");
    struct digest *digest = digest_new();
    char plain[RAW_HASH_TEXT_BYTES], parts[ID_TEXT_BYTES];
    const struct reply *letters;

    kombu_push(f, "LPUSH", QUEUE, message);
    kombu_push(f, "LPUSH", QUEUE, message);
    kombu_stage_doors(f, 1);
    kombu_until_empty(f);
    letters = scene_redis(f->scene, "XRANGE crier:{views}:dead - +");
    assert_int_equal(letters->count, 1); /* of one digest */
    raw_hash_start(sha);
    raw_hash_add(sha, message, strlen(message));
    raw_hash_end(sha, plain);
    digest_start(digest);
    digest_part(digest, message, strlen(message));
    digest_end_id(digest, parts);
    plain[ID_TEXT_BYTES - 1] = '\0';
    assert_null(strstr(reply_field_text(&letters->items[0].items[1], "data"), plain));
    assert_null(strstr(reply_field_text(&letters->items[0].items[1], "data"), parts));
    raw_hash_free(sha);
    digest_free(digest);
}

static void where_no_section_prepares_a_type_it_is_not_even_let_in_who_it_was(void **state)
{
    struct kombu_stage *f = *state;
    int64_t until_ms = clock_monotonic_ms() + PATIENCE_MS;
    const struct reply *fields;

    kombu_push(f, "LPUSH", "stats-plain", kombu_view(f, 1));
    kombu_stage_doors(f, 1);
    while (scene_redis(f->scene, "XLEN crier:{plain}:stream")->integer == 0) {
        if (clock_monotonic_ms() > until_ms)
            fail_msg("the message does not come");
        usleep(10000);
    }
    fields = &scene_redis(f->scene, "XRANGE crier:{plain}:stream - +")->items[0].items[1];
    assert_string_equal(reply_field_text(fields, "data"),
                        "{\"timestamp\":\"2026-11-20T10:00:00.000001\",\"recid\":\"r1\"}");
}

/* Publishes with the real thing where there is a Python that has it; argument 1 is the broker, 2 the exchange. */
static const char publish_py[] =
    "import sys\n"
    "from kombu import Connection, Exchange, Producer\n"
    "with Connection(sys.argv[1]) as c:\n"
    "    p = Producer(c, exchange=Exchange('events', 'direct', delivery_mode='transient'),\n"
    "                 routing_key='" QUEUE "', auto_declare=True)\n"
    "    for i in range(100):\n"
    "        p.publish({'timestamp': '2026-11-20T10:00:00', 'recid': str(i), 'name': '\\u00fc' * (i % 7)},\n"
    "                  priority=i % 10)\n";

static void what_kombu_itself_publishes_comes_in_whole(void **state)
{
    struct kombu_stage *f = *state;
    const char *python = getenv("CRIER_TEST_PYTHON");
    char *out;
    int64_t until_ms = clock_monotonic_ms() + PATIENCE_MS;

    if (!python) {
        skip();
        return;
    }
    kombu_stage_doors(f, 1);
    while (kombu_ask(f, "SCARD", "_kombu.binding.events")->integer == 0 && clock_monotonic_ms() < until_ms)
        usleep(10000);
    if (program_run(&out, (char *[]){arena_text(f->arena, python), arena_text(f->arena, "-c"),
                                     arena_text(f->arena, publish_py),
                                     arena_text(f->arena, redis_server_url(f->broker)), NULL}) != 0)
        fail_msg("%s", out);
    free(out);
    kombu_until_empty(f);
    assert_int_equal(kombu_stage_length(f, "stream"), 100);
    assert_int_equal(kombu_stage_length(f, "dead"), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_message_becomes_an_event_and_then_leaves_its_queue, kombu_stage_open,
                                        kombu_stage_close),
        cmocka_unit_test_setup_teardown(more_than_a_batch_of_all_priorities_comes_in_once_each, kombu_stage_open,
                                        kombu_stage_close),
        cmocka_unit_test_setup_teardown(two_doors_at_one_queue_lose_nothing_and_count_nothing_twice, kombu_stage_open,
                                        kombu_stage_close),
        cmocka_unit_test_setup_teardown(a_message_that_a_consumer_gave_back_counts_once, kombu_stage_open,
                                        kombu_stage_close),
        cmocka_unit_test_setup_teardown(what_is_no_event_becomes_a_dead_letter_without_its_content_and_blocks_nothing,
                                        kombu_stage_open, kombu_stage_close),
        cmocka_unit_test_setup_teardown(a_dead_letter_holds_no_digest_by_which_an_address_could_be_tried,
                                        kombu_stage_open, kombu_stage_close),
        cmocka_unit_test_setup_teardown(where_no_section_prepares_a_type_it_is_not_even_let_in_who_it_was,
                                        kombu_stage_open, kombu_stage_close),
        cmocka_unit_test_setup_teardown(what_kombu_itself_publishes_comes_in_whole, kombu_stage_open,
                                        kombu_stage_close),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
