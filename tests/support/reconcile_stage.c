#include "support/reconcile_stage.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "support/past.h"
#include "support/scene.h"
#include "support/search_index.h"

void reconcile_stage_open(void **state, const char *ini)
{
    struct scene *s = scene_open(ini);
    char path[100];

    *state = s;
    index_delete(s->settings, "members");
    index_delete(s->settings, "users");
    snprintf(path, sizeof path, "/%smembers", s->settings->opensearch.prefix);
    json_decref(index_ask(s->settings, "PUT", path,
                          "{\"settings\":{\"number_of_shards\":2},\"mappings\":{\"properties\":{\"user\":{"
                          "\"properties\":{\"id\":{\"type\":\"keyword\"},\"name\":{\"type\":\"keyword\"},\"@v\":{"
                          "\"type\":\"keyword\"}}}}}}"));
}

int reconcile_stage_setup(void **state)
{
    reconcile_stage_open(state, RELATION(WITH_REVISION) INDEX_SOURCE RECONCILE(""));
    return 0;
}

int reconcile_stage_close(void **state)
{
    struct scene *s = *state;

    index_delete(s->settings, "members");
    index_delete(s->settings, "users");
    index_delete(s->settings, "trail");
    scene_close(s);
    return 0;
}

void reconcile_add_user(struct scene *s, struct buf *lines, int user, int revision)
{
    buf_printf(lines,
               "{\"index\":{\"_index\":\"%susers\",\"_id\":\"%d\"}}\n"
               "{\"full_name\":\"User %d at %d\",\"revision\":%d,\"updated\":\"2026-11-20T10:00:00Z\"}\n",
               s->settings->opensearch.prefix, user, user, revision, revision);
}

void reconcile_load_users(struct scene *s)
{
    struct buf lines = BUF_INIT;

    for (int user = 0; user < USERS; user++)
        reconcile_add_user(s, &lines, user, REVISION);
    index_bulk(s->settings, lines.data);
    buf_release(&lines);
}

void reconcile_add_member(struct scene *s, struct buf *lines, int member, int revision)
{
    int user = member % USERS;

    buf_printf(lines,
               "{\"index\":{\"_index\":\"%smembers\",\"_id\":\"m%05d\",\"version\":%d,\"version_type\":"
               "\"external_gte\"}}\n"
               "{\"weight\":0.10,\"user\":{\"id\":\"%d\",\"name\":\"User %d at %d\",\"@v\":\"%d::%d\"}}\n",
               s->settings->opensearch.prefix, member, VERSION, user, user, revision, user, revision);
}

void reconcile_load_members(struct scene *s, int from, int to, int revision)
{
    struct buf lines = BUF_INIT;

    for (int member = from; member < to; member++)
        reconcile_add_member(s, &lines, member, revision);
    index_bulk(s->settings, lines.data);
    buf_release(&lines);
}

void reconcile_refresh(struct scene *s)
{
    char path[100];

    snprintf(path, sizeof path, "/%smembers,%susers/_refresh?ignore_unavailable=true", s->settings->opensearch.prefix,
             s->settings->opensearch.prefix);
    json_decref(index_ask(s->settings, "POST", path, ""));
}

int reconcile_run(struct scene *s, const char *wanted)
{
    reconcile_refresh(s);
    return past_crier(s, wanted, (const char *const[]){"run", "care", NULL});
}

char *reconcile_members(struct scene *s)
{
    return past_dump(s, "members", false);
}

void reconcile_members_are(struct scene *s, const char *wanted)
{
    char *now = reconcile_members(s);

    assert_string_equal(now, wanted);
    free(now);
}
