/* Light events: only which subject changed, and to what revision; its content is the source's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/http.h"
#include "notifier/dead.h"
#include "scheduler/lane.h"
#include "support/scene.h"
#include "support/search_index.h"
#include "support/work.h"

#define SERVERS "[redis]\nurl = REDIS\n[opensearch]\nurl = SEARCH\nprefix = PREFIX\n"
#define HANDLER                                                                                                        \
    "[queue changes]\nevents = user.*\n[handler copies]\ntype = denormalize\nqueue = changes\nschedule = every 2s\n"   \
    "index = members\nmatch = user.id\ncopy = .name<-data.profile.name .city<-data.profile.city\nrevision = .@v\n"     \
    "on_delete = clear\nsource = people\n"

static void put(struct scene *s, const char *index, const char *id, const char *query, const char *document)
{
    char path[200];

    snprintf(path, sizeof path, "/%s%s/_doc/%s?refresh=true%s", s->settings->opensearch.prefix, index, id, query);
    json_decref(index_ask(s->settings, "PUT", path, document));
}

static void put_person(struct scene *s, const char *id, int version, const char *document)
{
    char query[80];

    snprintf(query, sizeof query, "&version_type=external&version=%d", version);
    put(s, "people", id, query, document);
}

static int setup(void **state)
{
    struct scene *s = scene_open(SERVERS "[source people]\ntype = index\nindex = people\n" HANDLER);

    *state = s;
    put(s, "members", "a", "", "{\"user\":{\"id\":\"1\",\"name\":\"old\",\"city\":\"Rome\",\"@v\":1}}");
    put_person(s, "1", 5, "{\"profile\":{\"name\":\"Ada\"}}");
    return 0;
}

static void append(struct scene *s, const char *type, const char *id, const char *subject, int revision)
{
    struct event e = scene_event(s, type, id, subject, revision, NULL);

    scene_append(s, &e, 1);
}

static void assert_member(struct scene *s, const char *expected)
{
    char *documents = index_dump(s->settings, "members");

    assert_string_equal(documents, expected);
    free(documents);
}

#define OLD "a {\"user\":{\"id\":\"1\",\"name\":\"old\",\"city\":\"Rome\",\"@v\":1}}\n"

static void a_light_event_gets_its_content_and_revision_from_the_source(void **state)
{
    struct scene *s = *state;

    append(s, "user.updated", "e1", "users/1", 4);
    work_off(s, "copies");
    assert_member(s, "a {\"user\":{\"id\":\"1\",\"name\":\"Ada\",\"@v\":5}}\n"); /* city is gone at the source, too */
}

static void a_source_that_is_behind_the_event_is_asked_again_later(void **state)
{
    struct scene *s = *state;

    append(s, "user.updated", "e1", "users/1", 6);
    append(s, "user.updated", "e2", "users/2", 1); /* the source has none */
    work_off(s, "copies");
    assert_member(s, OLD);
    put_person(s, "1", 6, "{\"profile\":{\"name\":\"Ada L\",\"city\":\"Bern\"}}");
    append(s, "user.updated", "e3", "users/1", 6);
    work_off(s, "copies");
    assert_member(s, "a {\"user\":{\"id\":\"1\",\"name\":\"Ada L\",\"city\":\"Bern\",\"@v\":6}}\n");
}

static void what_an_old_event_says_is_gone_is_there_where_the_source_has_it_later(void **state)
{
    struct scene *s = *state;

    append(s, "user.deleted", "e1", "users/1", 3);
    work_off(s, "copies");
    assert_member(s, "a {\"user\":{\"id\":\"1\",\"name\":\"Ada\",\"@v\":5}}\n");
    append(s, "user.deleted", "e2", "users/1", 6);
    work_off(s, "copies");
    assert_member(s, "a {\"user\":{\"id\":\"1\",\"@v\":6}}\n");
}

static int setup_away(void **state)
{
    struct scene *s =
        scene_open(SERVERS "[source people]\ntype = index\nurl = http://127.0.0.1:1\nindex = people\n" HANDLER);

    *state = s;
    put(s, "members", "a", "", "{\"user\":{\"id\":\"1\",\"name\":\"old\",\"city\":\"Rome\",\"@v\":1}}");
    return 0;
}

static void a_source_that_is_away_pauses_and_costs_no_event(void **state)
{
    struct scene *s = *state;
    struct lane *lane = work_open(s, "copies");
    struct dead_letter *letters;
    struct error err;
    size_t count, done;

    append(s, "user.updated", "e1", "users/1", 5);
    for (int i = 0; i < 3; i++) {
        assert_false(lane_pass(lane, 0, &done, &err));
        assert_int_equal(err.kind, ERROR_AGAIN);
    }
    assert_true(dead_list(s->redis, "changes", NULL, 10, s->arena, &letters, &count, &err));
    assert_int_equal(count, 0);
    assert_member(s, OLD);
    lane_free(lane);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_light_event_gets_its_content_and_revision_from_the_source, setup,
                                        index_scene_close),
        cmocka_unit_test_setup_teardown(a_source_that_is_behind_the_event_is_asked_again_later, setup,
                                        index_scene_close),
        cmocka_unit_test_setup_teardown(what_an_old_event_says_is_gone_is_there_where_the_source_has_it_later, setup,
                                        index_scene_close),
        cmocka_unit_test_setup_teardown(a_source_that_is_away_pauses_and_costs_no_event, setup_away, index_scene_close),
    };

    http_global_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
