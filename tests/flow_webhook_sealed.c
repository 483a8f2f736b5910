/* With a key, what keeps strangers out of webhooks is in no file of Redis, and is sent all the same. */
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/http.h"
#include "support/canary.h"
#include "support/scene.h"
#include "support/sealed_stage.h"

enum { FILE_MOST = 64 * 1024 * 1024 };

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
static size_t kept_with(struct sealed_stage *s, const char *word)
{
    const struct reply *folder = scene_redis(s->scene, "CONFIG GET dir");
    size_t files = 0, count;

    scene_redis(s->scene, "SAVE");
    count = files_with(folder->items[1].text, word, &files);
    assert_true(files >= 2); /* the dump, and what is appended to */
    return count;
}

static void no_file_of_redis_holds_a_secret(void **state)
{
    struct sealed_stage *s = sealed_stage_open(FIRST);

    (void)state;
    sealed_stage_subscribe(s, "one");
    sealed_stage_delivered(s, "a", 1);
    sealed_stage_expect(s, 200, "GET", "/webhooks", NULL);
    assert_non_null(strstr(s->text.data, "\"host\":\"127.0.0.1\""));
    assert_int_equal(kept_with(s, CANARY), 0);
    assert_true(kept_with(s, "sealed:") > 0);
    assert_int_equal(CRIER(s, "good", "check"), 0);
    sealed_stage_close(s);
}

static void without_a_key_they_lie_there_and_check_says_so(void **state)
{
    struct sealed_stage *s = sealed_stage_open("");

    (void)state;
    sealed_stage_subscribe(s, "one");
    sealed_stage_delivered(s, "a", 1);
    assert_true(kept_with(s, CANARY) > 0);
    assert_int_equal(CRIER(s, "note: [handler users]: secrets, headers and URLs", "check"), 0);
    assert_int_equal(CRIER(s, "there is no [redis] sealing_key", "webhooks", "seal"), 78);
    sealed_stage_close(s);
}

static void what_was_there_before_the_key_goes_on_and_is_sealed_by_a_verb(void **state)
{
    struct sealed_stage *s = sealed_stage_open("");

    (void)state;
    sealed_stage_subscribe(s, "one");
    sealed_stage_serve(s, FIRST);
    sealed_stage_delivered(s, "a", 1);
    assert_int_equal(CRIER(s, "1 would be sealed", "webhooks", "seal", "--dry-run"), 0);
    assert_int_equal(CRIER(s, "1 sealed by the newest key, 0 do not open", "webhooks", "seal"), 0);
    assert_int_equal(CRIER(s, "0 sealed", "webhooks", "seal"), 0);
    scene_redis(s->scene, "BGREWRITEAOF");
    sealed_stage_delivered(s, "b", 2);
    for (int64_t until_ms = clock_monotonic_ms() + 60000; kept_with(s, CANARY) > 0;)
        assert_true(clock_monotonic_ms() < until_ms); /* the file from before is written anew */
    sealed_stage_close(s);
}

static void a_key_is_replaced_while_the_older_one_opens(void **state)
{
    struct sealed_stage *s = sealed_stage_open(FIRST);
    const char *id = sealed_stage_subscribe(s, "one");

    (void)state;
    sealed_stage_serve(s, SECOND " " FIRST);
    sealed_stage_delivered(s, "a", 1);
    assert_int_equal(CRIER(s, "1 sealed", "webhooks", "seal"), 0);
    sealed_stage_serve(s, SECOND);
    sealed_stage_delivered(s, "b", 2);
    sealed_stage_expect(s, 200, "POST", arena_printf(s->scene->arena, "/webhooks/%s/rotate", id), "{}");
    sealed_stage_delivered(s, "c", 3);
    assert_int_equal(kept_with(s, CANARY), 0);
    sealed_stage_close(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_file_of_redis_holds_a_secret),
        cmocka_unit_test(without_a_key_they_lie_there_and_check_says_so),
        cmocka_unit_test(what_was_there_before_the_key_goes_on_and_is_sealed_by_a_verb),
        cmocka_unit_test(a_key_is_replaced_while_the_older_one_opens),
    };

    http_global_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
