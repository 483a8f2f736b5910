#include "support/spread_stage.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/json.h"
#include "notifier/stream.h"
#include "scheduler/clock_lane.h"
#include "support/search_index.h"

enum { LONGEST_MS = 60000 };

static const char mapping[] =
    "{\"settings\":{\"index.refresh_interval\":\"-1\",\"number_of_shards\":2,\"number_of_replicas\":0},\"mappings\":"
    "{\"properties\":{\"user\":{\"properties\":{\"id\":{\"type\":\"keyword\"},\"name\":{\"type\":\"keyword\"},"
    "\"@v\":{\"type\":\"long\"}}}}}}";

struct scene *spread_stage_open(const char *search_url, const char *rest)
{
    struct scene *s;
    char ini[2000], path[200];

    snprintf(ini, sizeof ini,
             "[redis]\nurl = REDIS\n[opensearch]\nurl = %s\nprefix = PREFIX\ntimeout = 20s\n"
             "[http]\nlisten = 127.0.0.1:0\n[queue changes]\nevents = user.*\n"
             "[handler members]\ntype = denormalize\nqueue = changes\nschedule = every 200ms\ndeadline = 20s\n"
             "index = members\nmatch = user.id\ncopy = user.name<-data.full_name\nrevision = user.@v\n%s",
             search_url ? search_url : "SEARCH", rest);
    s = scene_open(ini);
    index_delete(s->settings, "members");
    snprintf(path, sizeof path, "/%smembers", s->settings->opensearch.prefix);
    json_decref(index_ask(s->settings, "PUT", path, mapping));
    return s;
}

void spread_stage_close(struct scene *s)
{
    index_delete(s->settings, "members");
    scene_close(s);
}

void spread_stage_load(struct scene *s, int count, int users, int64_t version)
{
    enum { LINES = 5000 };
    struct buf lines = BUF_INIT;

    for (int i = 0; i < count; i++) {
        buf_printf(&lines,
                   "{\"index\":{\"_index\":\"%smembers\",\"_id\":\"m%05d\",\"version\":%lld,"
                   "\"version_type\":\"external_gte\"}}\n"
                   "{\"n\":%d,\"user\":{\"id\":\"%d\",\"name\":\"old\",\"@v\":1}}\n",
                   s->settings->opensearch.prefix, i, (long long)version, i, i % users);
        if (i % LINES == LINES - 1 || i == count - 1) {
            index_bulk(s->settings, lines.data);
            buf_reset(&lines);
        }
    }
    buf_release(&lines);
}

int spread_stage_write(struct scene *s, int number, int user, int64_t version, const char *name)
{
    char lines[400];
    json_t *answer, *item;
    int status;

    snprintf(lines, sizeof lines,
             "{\"index\":{\"_index\":\"%smembers\",\"_id\":\"m%05d\",\"version\":%lld,"
             "\"version_type\":\"external_gte\"}}\n"
             "{\"n\":%d,\"user\":{\"id\":\"%d\",\"name\":\"%s\",\"@v\":1}}\n",
             s->settings->opensearch.prefix, number, (long long)version, number, user, name);
    answer = index_ask(s->settings, "POST", "/_bulk", lines);
    item = json_object_get(json_array_get(json_object_get(answer, "items"), 0), "index");
    status = (int)json_integer_value(json_object_get(item, "status"));
    json_decref(answer);
    return status;
}

/* ------------------------------------------------------------------------------------------------------- events */

struct event spread_stage_change(struct scene *s, int user, int revision)
{
    char id[60], subject[40], data[100];

    snprintf(id, sizeof id, "u%d-%d-%lld", user, revision, (long long)clock_wall_us());
    snprintf(subject, sizeof subject, "users/%d", user);
    snprintf(data, sizeof data, "{\"full_name\":\"User %d at %d\"}", user, revision);
    return scene_event(s, "user.updated", id, subject, revision, data);
}

void spread_stage_append(struct scene *s, int user, int revision)
{
    struct event e = spread_stage_change(s, user, revision);

    scene_append(s, &e, 1);
}

int64_t spread_stage_pending(struct scene *s)
{
    struct queue_state state;
    struct error err;

    if (!stream_state(s->redis, "changes", s->arena, &state, &err))
        fail_msg("%s", err.text);
    return state.group_count ? state.groups[0].pending + state.groups[0].waiting : state.length;
}

/* ---------------------------------------------------------------------------------------------------- documents */

int64_t spread_stage_count_name(struct scene *s, const char *name)
{
    char path[200], body[200];
    json_t *answer;
    int64_t count;

    snprintf(path, sizeof path, "/%smembers/_refresh", s->settings->opensearch.prefix);
    json_decref(index_ask(s->settings, "POST", path, NULL));
    snprintf(path, sizeof path, "/%smembers/_count", s->settings->opensearch.prefix);
    snprintf(body, sizeof body, "{\"query\":{\"term\":{\"user.name\":\"%s\"}}}", name);
    answer = index_ask(s->settings, "POST", path, body);
    count = json_integer_value(json_object_get(answer, "count"));
    json_decref(answer);
    return count;
}

int64_t spread_stage_count(struct scene *s, int user, int revision)
{
    char name[60];

    snprintf(name, sizeof name, "User %d at %d", user, revision);
    return spread_stage_count_name(s, name);
}

static json_t *document(struct scene *s, int number)
{
    char path[200];

    snprintf(path, sizeof path, "/%smembers/_doc/m%05d", s->settings->opensearch.prefix, number);
    return index_ask(s->settings, "GET", path, NULL);
}

int64_t spread_stage_version(struct scene *s, int number)
{
    json_t *answer = document(s, number);
    int64_t version = json_integer_value(json_object_get(answer, "_version"));

    json_decref(answer);
    return version;
}

bool spread_stage_is(struct scene *s, int number, const char *name)
{
    json_t *answer = document(s, number), *user = json_object_get(json_object_get(answer, "_source"), "user");
    bool is = strcmp(json_member_text(user, "name", ""), name) == 0;

    json_decref(answer);
    return is;
}

/* ----------------------------------------------------------------------------------------------------- the clock */

bool spread_stage_run(struct scene *s)
{
    struct error err;
    bool ok =
        clock_run_once(s->settings, settings_handler(s->settings, "members"), 10000, NULL, NULL, NULL, NULL, &err);

    if (!ok)
        print_message("%s\n", err.text);
    return ok;
}

static void reach(struct scene *s, int user, int revision, int64_t count, bool run)
{
    int64_t until_ms = clock_monotonic_ms() + LONGEST_MS, there = 0;

    while ((there = spread_stage_count(s, user, revision)) != count) {
        if (clock_monotonic_ms() > until_ms)
            fail_msg("%lld documents, not %lld, show user %d at %d", (long long)there, (long long)count, user,
                     revision);
        if (run)
            spread_stage_run(s);
        nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL);
    }
}

void spread_stage_run_until(struct scene *s, int user, int revision, int64_t count)
{
    reach(s, user, revision, count, true);
}

void spread_stage_wait(struct scene *s, int user, int revision, int64_t count)
{
    reach(s, user, revision, count, false);
}
