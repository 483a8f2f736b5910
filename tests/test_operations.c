/* What became of an operation's events, from the door over the lane to the page. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/http.h"
#include "base/json.h"
#include "notifier/operation/operation_page.h"
#include "notifier/operation/operations.h"
#include "scheduler/lane.h"
#include "support/door_client.h"
#include "support/post_server.h"
#include "support/work.h"

#define RECORD(id) "{\"specversion\":\"1.0\",\"id\":\"" id "\",\"source\":\"/s\",\"type\":\"record.updated\"}"
#define OTHER(id)  "{\"specversion\":\"1.0\",\"id\":\"" id "\",\"source\":\"/s\",\"type\":\"other.x\"}"
#define CARRIES(id, operation)                                                                                         \
    "{\"specversion\":\"1.0\",\"id\":\"" id                                                                            \
    "\",\"source\":\"/s\",\"type\":\"user.updated\",\"operation\":\"" operation "\"}"

struct stage {
    struct post_server *platform;
    const char *answer; /* of the platform, to whatever is posted */
    struct operation_page *page;
    struct door_page pages[2];
    struct door_client client;
};

static void on_post(void *context, const struct post_request *request, struct post_reply *reply)
{
    const struct stage *s = context;

    (void)request;
    reply->status = 200;
    buf_add_text(&reply->body, s->answer);
}

/* Handlers that write a file of audit entries, and one that posts to the platform. */
static int setup(void **state)
{
    struct stage *s = xcalloc(1, sizeof *s);
    struct error err;
    char ini[1000];

    s->platform = post_server_start(on_post, s);
    snprintf(ini, sizeof ini,
             "[redis]\nurl = REDIS\n[http]\nlisten = 127.0.0.1:0\n[audit]\nfile = "
             "%s/operations.ndjson\n[queue changes]\nevents = user.* record.*\n[queue others]\nevents = other.*\n"
             "[handler trail]\ntype = audit\nqueue = changes\nindex =\n"
             "[handler records]\ntype = audit\nqueue = changes\nevents = record.*\nindex =\n"
             "[handler told]\ntype = post\nqueue = others\nurl = %s/events\n",
             test_folder(), post_server_url(s->platform));
    s->client.scene = scene_open(ini);
    s->page = operation_page_new(s->client.scene->settings);
    s->pages[0] = (struct door_page){.path = "/operations/",
                                     .content_type = "application/json",
                                     .methods = "GET",
                                     .answer = operation_page_answer,
                                     .context = s->page};
    s->client.door = door_open(s->client.scene->settings, s->pages, &err);
    if (!s->client.door)
        fail_msg("%s", err.text);
    s->client.curl = curl_easy_init();
    buf_init(&s->client.body);
    *state = s;
    return 0;
}

static int teardown(void **state)
{
    struct stage *s = *state;

    curl_easy_cleanup(s->client.curl);
    door_close(s->client.door);
    operation_page_free(s->page);
    scene_close(s->client.scene);
    post_server_free(s->platform);
    json_decref(s->client.json);
    buf_release(&s->client.body);
    free(s);
    return 0;
}

static void post(struct stage *s, const char *path, const char *text)
{
    long status = client_request(&s->client, "POST", path, (const char *const[]){JSON, NULL}, text, strlen(text));

    if (status != 202)
        fail_msg("%ld: %s", status, s->client.body.data);
}

static const char *text_at(const struct stage *s, const char *name)
{
    return json_member_text(s->client.json, name, "none");
}

/* Asks for the operation; what is known of an event at a handler, "none" where nothing is. */
static const char *at_handler(struct stage *s, const char *id, const char *event, const char *handler,
                              const char *member)
{
    char path[200];
    const json_t *pairs;

    snprintf(path, sizeof path, "/operations/%s", id);
    assert_int_equal(client_request(&s->client, "GET", path, NULL, NULL, 0), 200);
    pairs = json_object_get(s->client.json, "handlers");
    for (size_t i = 0; i < json_array_size(pairs); i++) {
        const json_t *one = json_array_get(pairs, i);

        if (strcmp(json_member_text(one, "event", ""), event) == 0 &&
            strcmp(json_member_text(one, "handler", ""), handler) == 0)
            return json_member_text(one, member, "none");
    }
    return "none";
}

static void an_operation_is_done_once_every_handler_of_its_events_is(void **state)
{
    struct stage *s = *state;
    char id[OPERATION_ID_BYTES];

    post(s, "/events?operation=new", "[" RECORD("a") "," EVENT("b") "]");
    assert_int_equal(json_array_size(json_object_get(s->client.json, "events")), 2);
    snprintf(id, sizeof id, "%s", text_at(s, "operation"));
    assert_string_equal(at_handler(s, id, "a", "records", "state"), "waiting");
    assert_string_equal(at_handler(s, id, "b", "records", "state"), "none"); /* which is not for it */
    assert_string_equal(text_at(s, "state"), "waiting");
    work_off(s->client.scene, "trail");
    assert_string_equal(at_handler(s, id, "a", "trail", "state"), "done");
    assert_string_equal(at_handler(s, id, "b", "trail", "state"), "done");
    assert_string_equal(text_at(s, "state"), "waiting");
    work_off(s->client.scene, "records");
    assert_string_equal(at_handler(s, id, "a", "records", "state"), "done");
    assert_string_equal(text_at(s, "state"), "done");
    assert_int_equal(scene_redis(s->client.scene, "XLEN %s", OPERATION_RESULTS)->integer, 3);
}

static void events_may_carry_their_operation_or_be_given_one(void **state)
{
    struct stage *s = *state;

    post(s, "/events", CARRIES("a", "op-1"));
    post(s, "/events?operation=op-1", EVENT("b"));
    assert_string_equal(text_at(s, "operation"), "op-1");
    post(s, "/events?operation=new", CARRIES("c", "op-1"));
    assert_string_equal(text_at(s, "operation"), "op-1");
    post(s, "/events?operation=op-1", "[" EVENT("d") "," CARRIES("e", "op-2") "]");
    assert_non_null(strstr(s->client.body.data, "another operation"));
    assert_string_equal(at_handler(s, "op-1", "a", "trail", "state"), "waiting");
    assert_string_equal(at_handler(s, "op-1", "b", "trail", "state"), "waiting");
    assert_string_equal(at_handler(s, "op-1", "c", "trail", "state"), "waiting");
    assert_string_equal(at_handler(s, "op-1", "d", "trail", "state"), "waiting");
    assert_string_equal(at_handler(s, "op-1", "e", "trail", "state"), "none");
    assert_int_equal(client_request(&s->client, "GET", "/operations/op-2", NULL, NULL, 0), 404);
    assert_int_equal(client_request(&s->client, "POST", "/events?operation=a%20b", (const char *const[]){JSON, NULL},
                                    EVENT("f"), strlen(EVENT("f"))),
                     400);
}

static void a_repeated_event_is_not_waited_for_under_another_operation(void **state)
{
    struct stage *s = *state;

    post(s, "/events?operation=op-1", EVENT("a"));
    work_off(s->client.scene, "trail");
    post(s, "/events?operation=op-1", EVENT("a"));
    assert_string_equal(at_handler(s, "op-1", "a", "trail", "state"), "done");
    post(s, "/events?operation=op-2", EVENT("a"));
    assert_int_equal(client_request(&s->client, "GET", "/operations/op-2", NULL, NULL, 0), 404);
}

static void an_event_that_is_tried_again_and_given_up_says_why(void **state)
{
    struct stage *s = *state;
    struct scene *scene = s->client.scene;
    struct lane *lane;
    struct error err;
    size_t taken;

    s->answer = "{\"outcomes\":[{\"id\":\"a\",\"outcome\":\"retry\",\"reason\":\"not yet\"}]}";
    post(s, "/events?operation=op-1", OTHER("a"));
    lane = work_open(scene, "told");
    assert_true(lane_pass(lane, 0, &taken, &err));
    assert_string_equal(at_handler(s, "op-1", "a", "told", "state"), "retrying");
    assert_non_null(strstr(at_handler(s, "op-1", "a", "told", "reason"), "not yet"));
    assert_string_equal(text_at(s, "state"), "retrying");
    s->answer = "{\"outcomes\":[{\"id\":\"a\",\"outcome\":\"dead\",\"reason\":\"never\"}]}";
    do
        assert_true(lane_pass(lane, 0, &taken, &err));
    while (strcmp(at_handler(s, "op-1", "a", "told", "state"), "retrying") == 0);
    assert_string_equal(at_handler(s, "op-1", "a", "told", "state"), "dead");
    assert_non_null(strstr(at_handler(s, "op-1", "a", "told", "reason"), "never"));
    assert_string_equal(text_at(s, "state"), "dead");
    lane_leave(lane);
    lane_free(lane);
}

#define LETTERS "\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9"

static void a_peer_whose_words_are_cut_within_a_letter_hides_no_event(void **state)
{
    struct stage *s = *state;
    struct lane *lane;
    struct error err;
    size_t taken;

    s->answer = "{\"outcomes\":[{\"id\":\"a\",\"outcome\":\"x" LETTERS LETTERS LETTERS LETTERS LETTERS "\"}]}";
    post(s, "/events?operation=op-1", OTHER("a"));
    lane = work_open(s->client.scene, "told");
    assert_true(lane_pass(lane, 0, &taken, &err));
    assert_string_equal(at_handler(s, "op-1", "a", "told", "state"), "retrying");
    assert_non_null(strstr(at_handler(s, "op-1", "a", "told", "reason"), "is no outcome"));
    lane_leave(lane);
    lane_free(lane);
}

static void what_is_kept_goes_after_a_while_and_is_bounded(void **state)
{
    struct stage *s = *state;
    struct scene *scene = s->client.scene;
    const struct reply *reply;
    struct error err;

    post(s, "/events?operation=op-1", EVENT("a"));
    assert_in_range(scene_redis(scene, "PTTL crier:{operations}:of:op-1")->integer, 3500000, 3600000);
    assert_true(redis_do(scene->redis, scene->arena, &reply, &err, "EVAL %s 1 crier:{operations}:ids %d",
                         "for i = 1, ARGV[1] do redis.call('RPUSH', KEYS[1], 'x') end return 0", OPERATIONS_MOST - 1));
    post(s, "/events?operation=op-2", EVENT("b"));
    assert_int_equal(client_request(&s->client, "GET", "/operations/op-1", NULL, NULL, 0), 404);
    assert_int_equal(client_request(&s->client, "GET", "/operations/op-2", NULL, NULL, 0), 200);
    scene_redis(scene, "DEL crier:{operations}:of:op-2");
    work_off(scene, "trail"); /* which is not begun anew by what comes late */
    assert_int_equal(client_request(&s->client, "GET", "/operations/op-2", NULL, NULL, 0), 404);
}

static void without_redis_no_event_is_taken_whose_end_nobody_could_tell(void **state)
{
    struct stage *s = *state;

    server_kill(s->client.scene->redis_server);
    assert_int_equal(client_request(&s->client, "POST", "/events?operation=new", (const char *const[]){JSON, NULL},
                                    EVENT("a"), strlen(EVENT("a"))),
                     503);
    server_restart(s->client.scene->redis_server);
}

static void who_asks_sees_only_the_types_they_may_see(void **state)
{
    struct stage *s = *state;
    struct caller caller = {.events = "record.*"};
    struct buf out = BUF_INIT;
    enum operation_fate fate;
    struct error err;

    post(s, "/events?operation=op-1", "[" RECORD("a") "," EVENT("b") "]");
    assert_true(operation_show(s->client.scene->redis, "op-1", &caller, &fate, &out, &err));
    assert_int_equal(fate, OPERATION_WAITING);
    assert_non_null(strstr(out.data, "\"a\""));
    assert_null(strstr(out.data, "\"b\""));
    buf_reset(&out);
    snprintf(caller.events, sizeof caller.events, "other.*");
    assert_true(operation_show(s->client.scene->redis, "op-1", &caller, &fate, &out, &err));
    assert_int_equal(fate, OPERATION_UNKNOWN);
    buf_release(&out);
}

static void the_command_line_shows_it_too(void **state)
{
    struct stage *s = *state;
    const char *words[] = {"operations", "--config", s->client.scene->config_path, "show", "op-1", NULL, NULL};
    char *out;

    post(s, "/events?operation=op-1", EVENT("a"));
    assert_int_equal(crier_run(&out, words), 0);
    assert_non_null(strstr(out, "trail"));
    assert_non_null(strstr(out, "waiting"));
    free(out);
    words[5] = "--json";
    assert_int_equal(crier_run(&out, words), 0);
    assert_non_null(strstr(out, "\"operation\":\"op-1\",\"state\":\"waiting\""));
    free(out);
    words[4] = "op-2";
    assert_int_not_equal(crier_run(&out, words), 0);
    free(out);
}

static void watching_an_operation_ends_with_it(void **state)
{
    struct stage *s = *state;
    const char *words[] = {"watch", "--config", s->client.scene->config_path, "op-1", NULL, NULL};
    char *out;

    post(s, "/events?operation=op-1", "[" RECORD("a") "," EVENT("b") "]");
    work_off(s->client.scene, "trail");
    work_off(s->client.scene, "records");
    post(s, "/events?operation=op-2", EVENT("c"));
    work_off(s->client.scene, "trail");
    assert_int_equal(crier_run(&out, words), 0);
    assert_non_null(strstr(out, "records"));
    assert_non_null(strstr(out, "user.updated"));
    assert_null(strstr(out, "op-2"));
    free(out);
    words[4] = "--json";
    assert_int_equal(crier_run(&out, words), 0);
    assert_non_null(strstr(out, "{\"operation\":\"op-1\",\"event\":\"a\""));
    free(out);
    words[3] = "op-3";
    assert_int_not_equal(crier_run(&out, words), 0);
    assert_non_null(strstr(out, "no operation"));
    free(out);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_operation_is_done_once_every_handler_of_its_events_is),
        TEST(events_may_carry_their_operation_or_be_given_one),
        TEST(a_repeated_event_is_not_waited_for_under_another_operation),
        TEST(an_event_that_is_tried_again_and_given_up_says_why),
        TEST(a_peer_whose_words_are_cut_within_a_letter_hides_no_event),
        TEST(what_is_kept_goes_after_a_while_and_is_bounded),
        TEST(without_redis_no_event_is_taken_whose_end_nobody_could_tell),
        TEST(who_asks_sees_only_the_types_they_may_see),
        TEST(the_command_line_shows_it_too),
        TEST(watching_an_operation_ends_with_it),
    };

    http_global_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
