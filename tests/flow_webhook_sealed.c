/* With a key, what keeps strangers out of webhooks is in no file of Redis, and is sent all the same. */
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/http.h"
#include "base/json.h"
#include "handlers/webhook/subscription.h"
#include "support/canary.h"
#include "support/hook_server.h"
#include "support/scene.h"
#include "support/serve_client.h"

#define FIRST  "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
#define SECOND "/////////////////////////////////////////w8="
#define WHSEC  "whsec_" CANARY CANARY CANARY

enum { FILE_MOST = 64 * 1024 * 1024 };

struct stage {
    struct scene *scene;
    struct hook_server *target;
    struct server *serve;
    struct buf text; /* of the last answer */
};

/* keys "": none. */
static void write_ini(struct stage *s, const char *keys)
{
    struct buf ini = BUF_INIT;
    struct error err;

    buf_printf(&ini, "[redis]\nurl = redis://127.0.0.1:%d/0\n", server_port(s->scene->redis_server));
    if (*keys)
        buf_printf(&ini, "sealing_key = %s\n", keys);
    buf_printf(&ini,
               "[http]\nlisten = 127.0.0.1:0\n[queue changes]\nevents = record.*\n"
               "[handler users]\ntype = webhook\nqueue = changes\nschedule = every 100ms\nhttp = yes\nports = %d\n"
               "allow = 127.0.0.0/8\ntimeout = 10s\n",
               hook_server_port(s->target));
    if (!file_replace(s->scene->config_path, 0600, ini.data, ini.length, &err))
        fail_msg("%s", err.text);
    buf_release(&ini);
}

/* Ends what is served, and serves anew. */
static void serve_with(struct stage *s, const char *keys)
{
    server_free(s->serve);
    write_ini(s, keys);
    s->serve = crier_serve_start(s->scene->config_path);
}

static struct stage *stage_open(const char *keys)
{
    struct stage *s = xcalloc(1, sizeof *s);

    buf_init(&s->text);
    s->target = hook_server_start("127.0.0.1");
    s->scene = scene_open("[redis]\nurl = REDIS\n[queue changes]\nevents = record.*\n");
    scene_redis(s->scene, "CONFIG SET rdbcompression no");
    serve_with(s, keys);
    return s;
}

static void stage_close(struct stage *s)
{
    server_free(s->serve);
    scene_close(s->scene);
    hook_server_free(s->target);
    buf_release(&s->text);
    free(s);
}

static void expect(struct stage *s, long status, const char *method, const char *path, const char *body)
{
    serve_expect(s->serve, status, &(struct serve_request){.method = method, .path = path, .body = body}, &s->text);
}

/* With secrets that have the word of all secrets in them; its id, in the scene's arena. */
static const char *subscribe(struct stage *s, const char *name)
{
    const char *id;
    json_t *answer;

    expect(s, 201, "POST", "/webhooks",
           arena_printf(s->scene->arena,
                        "{\"url\":\"http://127.0.0.1:%d/" CANARY "-path/%s\",\"secret\":\"" WHSEC
                        "\",\"headers\":\"X-Key: " CANARY "-header\"}",
                        hook_server_port(s->target), name));
    answer = serve_answer(&s->text);
    id = arena_text(s->scene->arena, json_member_text(answer, "id", ""));
    json_decref(answer);
    return id;
}

static void emit(struct stage *s, const char *id)
{
    struct event e = scene_event(s->scene, "record.published", id, "records/1", 1, "{}");

    scene_append(s->scene, &e, 1);
}

/* Redis takes away a file of before that it has written anew. */
static size_t found_in(const char *path, const char *word)
{
    struct buf text = BUF_INIT;
    struct error err;
    size_t found;

    if (!file_read(path, FILE_MOST, &text, &err) && access(path, F_OK) == 0)
        fail_msg("%s", err.text);
    found = memmem(text.data, text.length, word, strlen(word)) != NULL;
    buf_release(&text);
    return found;
}

/* Files of the folder that hold the word. */
static size_t files_with(const char *folder, const char *word, size_t *files)
{
    DIR *open = opendir(folder);
    struct dirent *entry;
    size_t count = 0;

    assert_non_null(open);
    while ((entry = readdir(open))) {
        char path[600];
        struct stat status;

        snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        if (entry->d_name[0] == '.' || stat(path, &status) != 0)
            continue;
        if (S_ISDIR(status.st_mode)) {
            count += files_with(path, word, files);
        } else if (S_ISREG(status.st_mode)) {
            ++*files;
            count += found_in(path, word);
        }
    }
    closedir(open);
    return count;
}

/* Of all that Redis has written by now. */
static size_t kept_with(struct stage *s, const char *word)
{
    const struct reply *folder = scene_redis(s->scene, "CONFIG GET dir");
    size_t files = 0, count;

    scene_redis(s->scene, "SAVE");
    count = files_with(folder->items[1].text, word, &files);
    assert_true(files >= 2); /* the dump, and what is appended to */
    return count;
}

static void expect_delivered(struct stage *s, const char *event, size_t count)
{
    char *header;

    emit(s, event);
    hook_server_await(s->target, count);
    assert_non_null(strstr(hook_server_head(s->target, count - 1), "POST /" CANARY "-path/"));
    header = hook_server_header(s->target, count - 1, "X-Key");
    assert_string_equal(header, CANARY "-header");
    free(header);
}

static int crier(struct stage *s, const char *says, const char *const words[])
{
    const char *all[12] = {words[0], "--config", s->scene->config_path};
    char *out;
    int code;

    for (size_t i = 1; words[i]; i++)
        all[2 + i] = words[i];
    code = crier_run(&out, all);
    if (!strstr(out, says))
        fail_msg("%s ends with %d: %s", words[0], code, out);
    free(out);
    return code;
}

#define CRIER(s, says, ...) crier(s, says, (const char *const[]){__VA_ARGS__, NULL})

static void no_file_of_redis_holds_a_secret(void **state)
{
    struct stage *s = stage_open(FIRST);

    (void)state;
    subscribe(s, "one");
    expect_delivered(s, "a", 1);
    expect(s, 200, "GET", "/webhooks", NULL);
    assert_non_null(strstr(s->text.data, "\"host\":\"127.0.0.1\""));
    assert_int_equal(kept_with(s, CANARY), 0);
    assert_true(kept_with(s, "sealed:") > 0);
    assert_int_equal(CRIER(s, "good", "check"), 0);
    stage_close(s);
}

static void without_a_key_they_lie_there_and_check_says_so(void **state)
{
    struct stage *s = stage_open("");

    (void)state;
    subscribe(s, "one");
    expect_delivered(s, "a", 1);
    assert_true(kept_with(s, CANARY) > 0);
    assert_int_equal(CRIER(s, "note: [handler users]: secrets, headers and URLs", "check"), 0);
    assert_int_equal(CRIER(s, "there is no [redis] sealing_key", "webhooks", "seal"), 78);
    stage_close(s);
}

static void what_was_there_before_the_key_goes_on_and_is_sealed_by_a_verb(void **state)
{
    struct stage *s = stage_open("");

    (void)state;
    subscribe(s, "one");
    serve_with(s, FIRST);
    expect_delivered(s, "a", 1);
    assert_int_equal(CRIER(s, "1 would be sealed", "webhooks", "seal", "--dry-run"), 0);
    assert_int_equal(CRIER(s, "1 sealed by the newest key, 0 do not open", "webhooks", "seal"), 0);
    assert_int_equal(CRIER(s, "0 sealed", "webhooks", "seal"), 0);
    scene_redis(s->scene, "BGREWRITEAOF");
    expect_delivered(s, "b", 2);
    for (int64_t until_ms = clock_monotonic_ms() + 60000; kept_with(s, CANARY) > 0;)
        assert_true(clock_monotonic_ms() < until_ms); /* the file from before is written anew */
    stage_close(s);
}

static void a_key_is_replaced_while_the_older_one_opens(void **state)
{
    struct stage *s = stage_open(FIRST);
    const char *id = subscribe(s, "one");

    (void)state;
    serve_with(s, SECOND " " FIRST);
    expect_delivered(s, "a", 1);
    assert_int_equal(CRIER(s, "1 sealed", "webhooks", "seal"), 0);
    serve_with(s, SECOND);
    expect_delivered(s, "b", 2);
    expect(s, 200, "POST", arena_printf(s->scene->arena, "/webhooks/%s/rotate", id), "{}");
    expect_delivered(s, "c", 3);
    assert_int_equal(kept_with(s, CANARY), 0);
    stage_close(s);
}

static void with_another_key_nothing_is_sent_and_it_is_said_why(void **state)
{
    struct stage *s = stage_open(FIRST);
    const char *id = subscribe(s, "one");

    (void)state;
    emit(s, "a");
    hook_server_await(s->target, 1);
    serve_with(s, SECOND);
    expect(s, 200, "GET", arena_printf(s->scene->arena, "/webhooks/%s", id), NULL);
    assert_non_null(strstr(s->text.data, "\"state\":\"sealed\""));
    assert_non_null(strstr(s->text.data, "not among those given"));
    expect(s, 400, "POST", arena_printf(s->scene->arena, "/webhooks/%s/test", id), "{}");
    expect(s, 400, "POST", arena_printf(s->scene->arena, "/webhooks/%s/rotate", id), "{}");
    assert_int_equal(CRIER(s, "not among those given", "webhooks", "list"), 0);
    assert_int_equal(CRIER(s, "0 sealed by the newest key, 1 do not open", "webhooks", "seal"), 3);
    subscribe(s, "two"); /* others go on */
    emit(s, "b");
    hook_server_await(s->target, 2);
    assert_non_null(strstr(hook_server_head(s->target, 1), "-path/two"));
    expect(s, 200, "DELETE", arena_printf(s->scene->arena, "/webhooks/%s", id), NULL);
    assert_int_equal(hook_server_count(s->target), 2);
    stage_close(s);
}

static void expect_waiting(struct stage *s, const char *id, size_t count)
{
    const char *waiting = arena_printf(s->scene->arena, "\"waiting\":%zu,", count);

    for (int64_t until_ms = clock_monotonic_ms() + 60000;;) {
        expect(s, 200, "GET", arena_printf(s->scene->arena, "/webhooks/%s", id), NULL);
        assert_non_null(strstr(s->text.data, "\"state\":\"sealed\""));
        if (strstr(s->text.data, waiting))
            return;
        if (clock_monotonic_ms() > until_ms)
            fail_msg("%s", s->text.data);
    }
}

static void what_comes_for_one_that_does_not_open_waits_for_its_key(void **state)
{
    struct stage *s = stage_open(FIRST);
    const char *id = subscribe(s, "one");

    (void)state;
    serve_with(s, SECOND);
    emit(s, "a");
    expect_waiting(s, id, 1);
    emit(s, "b");
    expect_waiting(s, id, 2);
    assert_int_equal(hook_server_connections(s->target), 0);
    serve_with(s, SECOND " " FIRST);
    hook_server_await(s->target, 2);
    expect_delivered(s, "c", 3);
    stage_close(s);
}

/* As where one process knows the newer key alone, and another both. */
static void once_it_is_sealed_by_a_key_that_is_known_it_goes_on_by_itself(void **state)
{
    struct stage *s = stage_open(FIRST);
    const char *id = subscribe(s, "one");

    (void)state;
    serve_with(s, SECOND);
    emit(s, "a");
    expect_waiting(s, id, 1);
    write_ini(s, SECOND " " FIRST);
    assert_int_equal(CRIER(s, "1 sealed", "webhooks", "seal"), 0);
    hook_server_await(s->target, 1);
    stage_close(s);
}

static void of_two_rotations_at_once_one_is_refused(void **state)
{
    struct stage *s = stage_open("");
    const char *id = subscribe(s, "one"), *made;
    struct subscriptions all = {s->scene->redis, NULL, "users"};
    struct subscription *one, *other;
    struct error err;

    (void)state;
    assert_true(subscription_find(&all, id, s->scene->arena, &one, &err));
    assert_true(subscription_find(&all, id, s->scene->arena, &other, &err));
    assert_true(subscription_rotate(&all, one, false, "", s->scene->arena, &err));
    made = arena_text(s->scene->arena, one->secret);
    assert_false(subscription_rotate(&all, other, false, "", s->scene->arena, &err));
    assert_non_null(strstr(err.text, "try it again"));
    assert_true(subscription_find(&all, id, s->scene->arena, &other, &err));
    assert_string_equal(other->secret, made);
    assert_true(subscription_rotate(&all, other, true, "", s->scene->arena, &err));
    stage_close(s);
}

static void headers_that_begin_as_what_is_sealed_are_refused(void **state)
{
    struct stage *s = stage_open("");

    (void)state;
    expect(s, 400, "POST", "/webhooks",
           arena_printf(s->scene->arena, "{\"url\":\"http://127.0.0.1:%d/\",\"headers\":\"sealed: x\"}",
                        hook_server_port(s->target)));
    assert_non_null(strstr(s->text.data, "write it Sealed:"));
    expect(s, 201, "POST", "/webhooks",
           arena_printf(s->scene->arena, "{\"url\":\"http://127.0.0.1:%d/\",\"headers\":\"Sealed: x\"}",
                        hook_server_port(s->target)));
    emit(s, "a");
    hook_server_await(s->target, 1);
    stage_close(s);
}

static void expect_closed(struct stage *s, const char *id, const char *why)
{
    expect(s, 200, "GET", arena_printf(s->scene->arena, "/webhooks/%s", id), NULL);
    if (!strstr(s->text.data, "\"state\":\"sealed\"") || !strstr(s->text.data, why))
        fail_msg("%s", s->text.data);
    expect(s, 400, "POST", arena_printf(s->scene->arena, "/webhooks/%s/test", id), "{}");
    assert_int_equal(hook_server_connections(s->target), 0);
}

static const char *kept(struct stage *s, const char *id, const char *field)
{
    return scene_redis(s->scene, "HGET crier:{webhooks}:subscription:%s %s", id, field)->text;
}

static void what_was_moved_or_damaged_in_redis_does_not_open(void **state)
{
    struct stage *s = stage_open(FIRST);
    const char *one = subscribe(s, "one"), *two = subscribe(s, "two"), *was = kept(s, one, "secret");
    char *damaged = xstrdup(was);

    (void)state;
    scene_redis(s->scene, "HSET crier:{webhooks}:subscription:%s secret %s", two, was);
    expect_closed(s, two, "secret: what is sealed is damaged, or was brought here from another place");
    scene_redis(s->scene, "HSET crier:{webhooks}:subscription:%s secret %s", one, kept(s, one, "headers"));
    expect_closed(s, one, "another place");
    damaged[40] = damaged[40] == 'A' ? 'B' : 'A';
    scene_redis(s->scene, "HSET crier:{webhooks}:subscription:%s secret %s", one, damaged);
    expect_closed(s, one, "damaged");
    scene_redis(s->scene, "HSET crier:{webhooks}:subscription:%s secret %s", one, was);
    expect(s, 200, "POST", arena_printf(s->scene->arena, "/webhooks/%s/test", one), "{}");
    assert_non_null(strstr(s->text.data, "\"done\":true"));
    free(damaged);
    stage_close(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_file_of_redis_holds_a_secret),
        cmocka_unit_test(without_a_key_they_lie_there_and_check_says_so),
        cmocka_unit_test(what_was_there_before_the_key_goes_on_and_is_sealed_by_a_verb),
        cmocka_unit_test(a_key_is_replaced_while_the_older_one_opens),
        cmocka_unit_test(with_another_key_nothing_is_sent_and_it_is_said_why),
        cmocka_unit_test(what_comes_for_one_that_does_not_open_waits_for_its_key),
        cmocka_unit_test(once_it_is_sealed_by_a_key_that_is_known_it_goes_on_by_itself),
        cmocka_unit_test(of_two_rotations_at_once_one_is_refused),
        cmocka_unit_test(headers_that_begin_as_what_is_sealed_are_refused),
        cmocka_unit_test(what_was_moved_or_damaged_in_redis_does_not_open),
    };

    http_global_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
