#include "support/denormalize_stage.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/http.h"
#include "notifier/dead.h"
#include "support/scene.h"
#include "support/search_index.h"

void denormalize_make_members(struct scene *s, const char *body)
{
    char path[100];

    index_delete(s->settings, "members");
    snprintf(path, sizeof path, "/%smembers", s->settings->opensearch.prefix);
    json_decref(index_ask(s->settings, "PUT", path, body));
}

void denormalize_stage_open(void **state, const char *ini)
{
    struct scene *s = scene_open(ini);

    *state = s;
    denormalize_make_members(s, MAPPED("keyword", ""));
}

int denormalize_stage_setup(void **state)
{
    denormalize_stage_open(state, HANDLER(""));
    return 0;
}

int denormalize_stage_close(void **state)
{
    struct scene *s = *state;

    index_delete(s->settings, "members");
    scene_close(s);
    return 0;
}

void denormalize_load(struct scene *s, int count, int users)
{
    struct buf lines = BUF_INIT;

    for (int i = 0; i < count; i++)
        buf_printf(&lines,
                   "{\"index\":{\"_index\":\"%smembers\",\"_id\":\"m%05d\"}}\n"
                   "{\"n\":%d,\"weight\":0.1,\"user\":{\"id\":\"%d\",\"name\":\"old\",\"@v\":1}}\n",
                   s->settings->opensearch.prefix, i, i, i % users);
    index_bulk(s->settings, lines.data);
    buf_release(&lines);
}

struct event denormalize_change(struct scene *s, int user, int revision)
{
    char id[40], subject[40], data[100];

    snprintf(id, sizeof id, "u%d-%d", user, revision);
    snprintf(subject, sizeof subject, "users/%d", user);
    snprintf(data, sizeof data, "{\"full_name\":\"User %d at %d\",\"affiliation\":\"I%d\"}", user, revision, revision);
    return scene_event(s, "user.updated", id, subject, revision, data);
}

int denormalize_occurrences(const char *text, const char *word)
{
    int count = 0;

    while ((text = strstr(text, word))) {
        count++;
        text++;
    }
    return count;
}
