/* The platform's own queues: messages as kombu writes them, on a broker of their own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/stop.h"
#include "notifier/platform/kombu_message.h"
#include "notifier/platform/kombu_queue.h"
#include "notifier/platform/platform_door.h"
#include "support/process.h"
#include "support/scene.h"

enum { PATIENCE_MS = 60000 };

#define QUEUE "stats-record-view"

static const char ini[] =
    "[redis]\nurl = REDIS\ntimeout = 1s\n[http]\nlisten = 127.0.0.1:0\nevent = 2KiB\n"
    "[queue views]\nevents = record-view\n[queue plain]\nevents = plain\n"
    "[event record-view]\nprepare = visitor\n"
    "[platform]\nurl = %s\npoll = 20ms\nbatch = 50\nqueues = " QUEUE "=record-view stats-other=other "
    "stats-plain=plain\n";

struct fixture {
    struct server *broker;
    struct redis_address address;
    struct redis *kombu; /* our own view of the broker */
    struct scene *scene;
    struct arena *arena;
    struct stop *stop;
    struct platform_door *doors[2];
};

static int setup(void **state)
{
    struct fixture *f = xcalloc(1, sizeof *f);
    struct error err;
    char text[1000];

    f->broker = redis_server_start(NULL);
    assert_true(redis_address_parse(redis_server_url(f->broker), &f->address, &err));
    f->kombu = redis_new(&(struct redis_options){&f->address, 2000});
    f->arena = arena_new();
    f->stop = stop_new();
    snprintf(text, sizeof text, ini, redis_server_url(f->broker));
    f->scene = scene_open(text);
    *state = f;
    return 0;
}

static void open_doors(struct fixture *f, size_t count)
{
    struct error err;

    for (size_t i = 0; i < count; i++) {
        f->doors[i] = platform_door_start(f->scene->settings, f->stop, &err);
        if (!f->doors[i])
            fail_msg("%s", err.text);
    }
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    stop_raise(f->stop);
    for (size_t i = 0; i < ARRAY_LENGTH(f->doors); i++)
        platform_door_join(f->doors[i]);
    stop_free(f->stop);
    redis_free(f->kombu);
    redis_address_release(&f->address);
    server_free(f->broker);
    scene_close(f->scene);
    arena_free(f->arena);
    free(f);
    return 0;
}

/* ------------------------------------------------------------------------------------------------ what kombu does */

static const struct reply *broker(struct fixture *f, const char *command, const char *key)
{
    const struct reply *reply;
    struct error err;

    if (!redis_do(f->kombu, f->arena, &reply, &err, "%s %s", command, key))
        fail_msg("%s", err.text);
    return reply;
}

static void push(struct fixture *f, const char *side, const char *list, const char *message)
{
    struct error err;

    if (!redis_do(f->kombu, f->arena, NULL, &err, "%s %s %s", side, list, message))
        fail_msg("%s", err.text);
}

static const char *base64(struct fixture *f, const char *text)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    size_t length = strlen(text), at = 0;
    char *out = arena_zero(f->arena, length * 2 + 8);

    for (size_t i = 0; i < length; i += 3) {
        unsigned bits = (unsigned)(unsigned char)text[i] << 16;

        bits |= i + 1 < length ? (unsigned)(unsigned char)text[i + 1] << 8 : 0;
        bits |= i + 2 < length ? (unsigned char)text[i + 2] : 0;
        for (unsigned j = 0; j < 4; j++)
            out[at++] = i + j > length ? '=' : digits[bits >> (18 - 6 * j) & 63];
    }
    return out;
}

/* As kombu 5 serializes a message that invenio-queues published. */
static const char *message_of(struct fixture *f, const char *tag, const char *body)
{
    return arena_printf(f->arena,
                        "{\"body\": \"%s\", \"content-encoding\": \"utf-8\", \"content-type\": \"application/json\", "
                        "\"headers\": {}, \"properties\": {\"delivery_mode\": 1, \"delivery_info\": {\"exchange\": "
                        "\"events\", \"routing_key\": \"" QUEUE "\"}, \"priority\": 0, \"body_encoding\": \"base64\", "
                        "\"delivery_tag\": \"%s\"}}",
                        base64(f, body), tag);
}

static const char *view(struct fixture *f, int number)
{
    const char *body = arena_printf(f->arena,
                                    "{\"timestamp\": \"2026-11-20T10:00:00.%06d\", \"recid\": \"r%d\", \"ip_address\": "
                                    "\"192.0.2.77\", \"user_agent\": \"Secret/1\", \"user_id\": null, \"session_id\": "
                                    "\"s%d\"}",
                                    number, number, number);

    return message_of(f, arena_printf(f->arena, "00000000-0000-4000-8000-%012d", number), body);
}

static int64_t waiting(struct fixture *f)
{
    int64_t all = 0;

    for (int i = 0; i < KOMBU_PRIORITIES; i++)
        all += broker(f, "LLEN", kombu_list(QUEUE, i, f->arena))->integer;
    return all;
}

static int64_t length_of(struct fixture *f, const char *key)
{
    return scene_redis(f->scene, "XLEN crier:{views}:%s", key)->integer;
}

/* Waits until the platform's queue is empty, or fails. */
static void until_empty(struct fixture *f)
{
    int64_t until_ms = clock_monotonic_ms() + PATIENCE_MS;

    while (waiting(f) > 0) {
        if (clock_monotonic_ms() > until_ms)
            fail_msg("%lld messages are still there", (long long)waiting(f));
        usleep(10000);
    }
}

/* ---------------------------------------------------------------------------------------------------------- tests */

static void a_message_becomes_an_event_and_then_leaves_its_queue(void **state)
{
    struct fixture *f = *state;
    const struct reply *entry;

    push(f, "LPUSH", QUEUE, view(f, 7));
    open_doors(f, 1);
    until_empty(f);
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
    struct fixture *f = *state;

    for (int i = 0; i < 400; i++)
        push(f, "LPUSH", kombu_list(QUEUE, i % KOMBU_PRIORITIES, f->arena), view(f, i));
    open_doors(f, 1);
    until_empty(f);
    assert_int_equal(length_of(f, "stream"), 400);
}

static void two_doors_at_one_queue_lose_nothing_and_count_nothing_twice(void **state)
{
    struct fixture *f = *state;

    open_doors(f, 2);
    for (int i = 0; i < 600; i++)
        push(f, "LPUSH", QUEUE, view(f, i));
    until_empty(f);
    assert_int_equal(length_of(f, "stream"), 600);
    assert_int_equal(length_of(f, "dead"), 0);
}

static void a_message_that_a_consumer_gave_back_counts_once(void **state)
{
    struct fixture *f = *state;
    const char *message = view(f, 1);
    char *again = arena_text(f->arena, message);
    char *headers = strstr(again, "\"headers\": {}");

    open_doors(f, 1);
    push(f, "LPUSH", QUEUE, message);
    until_empty(f);
    assert_non_null(headers);
    again = arena_printf(f->arena, "%.*s\"headers\": {\"redelivered\": true}%s", (int)(headers - again), again,
                         headers + strlen("\"headers\": {}"));
    push(f, "RPUSH", QUEUE, again);
    until_empty(f);
    assert_int_equal(length_of(f, "stream"), 1);
}

static void what_is_no_event_becomes_a_dead_letter_without_its_content_and_blocks_nothing(void **state)
{
    struct fixture *f = *state;
    const struct reply *letters;
    char *long_text = arena_zero(f->arena, 40001);
    const char *bad[] = {
        "not json 192.0.2.77",
        "{\"body\": 7}",
        message_of(f, "t1", "{\"ip_address\": \"192.0.2.77\""),
        message_of(f, "t2", "[\"192.0.2.77\"]"),
        "{\"body\": \"192.0.2.77!!\", \"content-type\": \"application/json\", \"properties\": {\"body_encoding\": "
        "\"base64\"}}",
        "{\"body\": \"192.0.2.77\", \"content-type\": \"application/x-python-serialize\", \"properties\": {}}",
        long_text,
    };

    memset(long_text, 'x', 40000);
    for (size_t i = 0; i < ARRAY_LENGTH(bad); i++)
        push(f, "LPUSH", QUEUE, bad[i]);
    push(f, "LPUSH", QUEUE, view(f, 1));
    open_doors(f, 1);
    until_empty(f);
    assert_int_equal(length_of(f, "stream"), 1);
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
    struct fixture *f = *state;
    struct raw_hash *sha = raw_hash_new("SHA256");
    struct digest *digest = digest_new();
    char plain[RAW_HASH_TEXT_BYTES], parts[ID_TEXT_BYTES];
    const struct reply *letters;

    push(f, "LPUSH", QUEUE, message);
    push(f, "LPUSH", QUEUE, message);
    open_doors(f, 1);
    until_empty(f);
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
    struct fixture *f = *state;
    int64_t until_ms = clock_monotonic_ms() + PATIENCE_MS;
    const struct reply *fields;

    push(f, "LPUSH", "stats-plain", view(f, 1));
    open_doors(f, 1);
    while (scene_redis(f->scene, "XLEN crier:{plain}:stream")->integer == 0) {
        if (clock_monotonic_ms() > until_ms)
            fail_msg("the message does not come");
        usleep(10000);
    }
    fields = &scene_redis(f->scene, "XRANGE crier:{plain}:stream - +")->items[0].items[1];
    assert_string_equal(reply_field_text(fields, "data"),
                        "{\"timestamp\":\"2026-11-20T10:00:00.000001\",\"recid\":\"r1\"}");
}

static void messages_stay_while_our_own_redis_is_away_and_come_when_it_is_back(void **state)
{
    struct fixture *f = *state;

    open_doors(f, 1);
    push(f, "LPUSH", QUEUE, view(f, 1));
    until_empty(f);
    server_stop(f->scene->redis_server);
    for (int i = 2; i < 12; i++)
        push(f, "LPUSH", QUEUE, view(f, i));
    usleep(500000);
    assert_int_equal(waiting(f), 10);
    server_restart(f->scene->redis_server);
    until_empty(f);
    assert_int_equal(length_of(f, "stream"), 11);
}

static void a_broker_that_is_away_is_waited_for(void **state)
{
    struct fixture *f = *state;

    push(f, "LPUSH", QUEUE, view(f, 1));
    server_stop(f->broker);
    open_doors(f, 1);
    usleep(300000);
    server_restart(f->broker);
    redis_drop(f->kombu);
    until_empty(f);
    assert_int_equal(length_of(f, "stream"), 1);
}

static void the_exchange_is_bound_so_that_what_is_published_is_not_lost(void **state)
{
    struct fixture *f = *state;
    int64_t until_ms = clock_monotonic_ms() + PATIENCE_MS;

    open_doors(f, 1);
    while (broker(f, "SCARD", "_kombu.binding_permanent.events")->integer < 2 && clock_monotonic_ms() < until_ms)
        usleep(10000);
    assert_int_equal(broker(f, "SCARD", "_kombu.binding_permanent.events")->integer, 2);
    assert_int_equal(broker(f, "SCARD", "_kombu.binding.events")->integer, 2);
    for (int i = 0; i < 2; i++) {
        struct error err;
        const struct reply *reply;

        assert_true(redis_do(f->kombu, f->arena, &reply, &err, "SISMEMBER %s %s",
                             i ? "_kombu.binding_permanent.events" : "_kombu.binding.events",
                             QUEUE "\x06\x16\x06\x16" QUEUE));
        assert_int_equal(reply->integer, 1);
    }
}

static void a_queue_whose_type_nobody_wants_is_left_alone(void **state)
{
    struct fixture *f = *state;

    push(f, "LPUSH", "stats-other", view(f, 1));
    push(f, "LPUSH", QUEUE, view(f, 2));
    open_doors(f, 1);
    until_empty(f);
    assert_int_equal(broker(f, "LLEN", "stats-other")->integer, 1);
}

static void what_kombu_keeps_of_its_own_consumers_is_not_touched(void **state)
{
    struct fixture *f = *state;
    struct error err;

    assert_true(redis_do(f->kombu, f->arena, NULL, &err, "HSET unacked tag value"));
    assert_true(redis_do(f->kombu, f->arena, NULL, &err, "ZADD unacked_index 1 tag"));
    push(f, "LPUSH", QUEUE, view(f, 1));
    open_doors(f, 1);
    until_empty(f);
    assert_int_equal(broker(f, "HLEN", "unacked")->integer, 1);
    assert_int_equal(broker(f, "ZCARD", "unacked_index")->integer, 1);
}

static void only_the_messages_meant_are_taken_off_whatever_came_and_went_meanwhile(void **state)
{
    struct fixture *f = *state;
    struct kombu_waiting *seen;
    const struct kombu_waiting *some[3];
    const struct reply *left;
    struct error err;
    size_t count;
    bool more;

    for (int i = 0; i < 5; i++)
        push(f, "LPUSH", QUEUE, arena_printf(f->arena, "m%d", i));
    assert_true(kombu_peek(f->kombu, QUEUE, &(struct kombu_look){0, 4, 1000}, f->arena, &seen, &count, &more, &err));
    assert_int_equal(count, 4);
    assert_true(more);
    assert_string_equal(seen[0].bytes, "m0");
    push(f, "RPUSH", QUEUE, "given back");
    broker(f, "RPOP", QUEUE);
    push(f, "RPUSH", QUEUE, "given back too");
    push(f, "LPUSH", QUEUE, "m5");
    for (size_t i = 0; i < 3; i++)
        some[i] = &seen[i];
    assert_true(kombu_remove(f->kombu, QUEUE, some, 3, &err));
    assert_true(kombu_remove(f->kombu, QUEUE, some, 3, &err)); /* once more changes nothing */
    left = scene_redis(f->scene, "PING");
    assert_true(redis_do(f->kombu, f->arena, &left, &err, "LRANGE %s 0 -1", QUEUE));
    assert_int_equal(left->count, 4);
    assert_string_equal(left->items[0].text, "m5");
    assert_string_equal(left->items[1].text, "m4");
    assert_string_equal(left->items[2].text, "m3");
    assert_string_equal(left->items[3].text, "given back too");
}

static void crier_serve_reads_the_queues_and_ends_in_good_order(void **state)
{
    struct fixture *f = *state;
    struct server *crier = crier_serve_start(f->scene->config_path);

    for (int i = 0; i < 100; i++)
        push(f, "LPUSH", QUEUE, view(f, i));
    until_empty(f);
    server_stop(crier);
    server_free(crier);
    assert_int_equal(length_of(f, "stream"), 100);
}

static void a_mapping_must_name_a_queue_and_a_type(void **state)
{
    struct error err;

    (void)state;
    assert_true(platform_queues_check("a=record-view b=file-download", &err));
    assert_false(platform_queues_check("a", &err));
    assert_false(platform_queues_check("=x", &err));
    assert_false(platform_queues_check("a=", &err));
    assert_false(platform_queues_check("a=b c=*", &err));
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
    struct fixture *f = *state;
    const char *python = getenv("CRIER_TEST_PYTHON");
    char *out;
    int64_t until_ms = clock_monotonic_ms() + PATIENCE_MS;

    if (!python) {
        skip();
        return;
    }
    open_doors(f, 1);
    while (broker(f, "SCARD", "_kombu.binding.events")->integer == 0 && clock_monotonic_ms() < until_ms)
        usleep(10000);
    if (program_run(&out, (char *[]){arena_text(f->arena, python), arena_text(f->arena, "-c"),
                                     arena_text(f->arena, publish_py),
                                     arena_text(f->arena, redis_server_url(f->broker)), NULL}) != 0)
        fail_msg("%s", out);
    free(out);
    until_empty(f);
    assert_int_equal(length_of(f, "stream"), 100);
    assert_int_equal(length_of(f, "dead"), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_message_becomes_an_event_and_then_leaves_its_queue, setup, teardown),
        cmocka_unit_test_setup_teardown(more_than_a_batch_of_all_priorities_comes_in_once_each, setup, teardown),
        cmocka_unit_test_setup_teardown(two_doors_at_one_queue_lose_nothing_and_count_nothing_twice, setup, teardown),
        cmocka_unit_test_setup_teardown(a_message_that_a_consumer_gave_back_counts_once, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_no_event_becomes_a_dead_letter_without_its_content_and_blocks_nothing,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(a_dead_letter_holds_no_digest_by_which_an_address_could_be_tried, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(where_no_section_prepares_a_type_it_is_not_even_let_in_who_it_was, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(messages_stay_while_our_own_redis_is_away_and_come_when_it_is_back, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_broker_that_is_away_is_waited_for, setup, teardown),
        cmocka_unit_test_setup_teardown(the_exchange_is_bound_so_that_what_is_published_is_not_lost, setup, teardown),
        cmocka_unit_test_setup_teardown(a_queue_whose_type_nobody_wants_is_left_alone, setup, teardown),
        cmocka_unit_test_setup_teardown(what_kombu_keeps_of_its_own_consumers_is_not_touched, setup, teardown),
        cmocka_unit_test_setup_teardown(only_the_messages_meant_are_taken_off_whatever_came_and_went_meanwhile, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(crier_serve_reads_the_queues_and_ends_in_good_order, setup, teardown),
        cmocka_unit_test(a_mapping_must_name_a_queue_and_a_type),
        cmocka_unit_test_setup_teardown(what_kombu_itself_publishes_comes_in_whole, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
