#include "race/race.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "race/links.h"
#include "race/race_parts.h"
#include "race/verdict.h"
#include "support/scene.h"
#include "support/search_index.h"

enum {
    ROUNDS = 4, /* of the clock at the end */
    TURNS_MOST = 3000,
};

#define HANDLER(name, field, look, rest)                                                                               \
    "[handler " name "]\ntype = denormalize\nqueue = changes\nschedule = every 2s\nindex = members\n"                  \
    "match = " field ".id\ncopy = " field ".name<-data.full_name\nsecond_look = " look "\n" rest

#define REVISION(field) "revision = " field ".@v\n"
#define UUID            "revision_format = uuid\n"

/* Of each one that looks twice and, with s- before its name, one that does not. */
#define ALL_OF(s, look)                                                                                                \
    HANDLER(s "keeps", "user", look, REVISION("user"))                                                                 \
    HANDLER(s "clears", "user", look, REVISION("user") "on_delete = clear\npage = 1\n")                                \
    HANDLER(s "removes", "user", look, REVISION("user") "on_delete = remove\npage = 2\n")                              \
    HANDLER(s "buries", "people", look, REVISION("people") UUID "on_delete = tombstone\n")                             \
    HANDLER(s "nested", "people", look, REVISION("people") UUID "on_delete = clear\nmass = 1\nrate = 0\n")             \
    HANDLER(s "timed", "user", look, "on_delete = clear\n")                                                            \
    HANDLER(s "owns", "user", look, REVISION("user") "on_delete = clear\nversions = own\npage = 2\n")

#define INI                                                                                                            \
    "[redis]\nurl = REDIS\n[opensearch]\nurl = URL\nprefix = PREFIX\n[http]\nlisten = 127.0.0.1:0\n"                   \
    "[queue changes]\nevents = user.*\n" ALL_OF("", "45s") ALL_OF("s-", "0s")

/* With copies in objects, and in nested ones. */
#define INDEX                                                                                                          \
    "{\"settings\":{\"index.refresh_interval\":\"-1\",\"number_of_replicas\":0,\"number_of_shards\":1,\"index."        \
    "translog.durability\":\"async\"},\"mappings\":{\"properties\":{"                                                  \
    "\"own\":{\"type\":\"keyword\"},\"user\":{\"properties\":{\"id\":{\"type\":\"keyword\"},"                          \
    "\"name\":{\"type\":\"keyword\"},\"@v\":{\"type\":\"long\"}}},\"people\":{\"type\":\"nested\",\"properties\":{"    \
    "\"id\":{\"type\":\"keyword\"},\"name\":{\"type\":\"keyword\"},\"@v\":{\"type\":\"keyword\"}}}}}}"

static const struct {
    const char *name, *strict;
    struct shape shape;
} handlers[HANDLERS] = {
    {"keeps",   "s-keeps",   {.field = "user", .on_delete = ON_DELETE_KEEP}                      },
    {"clears",  "s-clears",  {.field = "user", .on_delete = ON_DELETE_CLEAR}                     },
    {"removes", "s-removes", {.field = "user", .on_delete = ON_DELETE_REMOVE}                    },
    {"buries",  "s-buries",  {.field = "people", .on_delete = ON_DELETE_TOMBSTONE, .uuid = true} },
    {"nested",  "s-nested",  {.field = "people", .on_delete = ON_DELETE_CLEAR, .uuid = true}     },
    {"timed",   "s-timed",   {.field = "user", .on_delete = ON_DELETE_CLEAR, .no_revision = true}},
    {"owns",    "s-owns",    {.field = "user", .on_delete = ON_DELETE_CLEAR, .own = true}        },
};

/* ------------------------------------------------------------------------------------------------ open and close */

static void note_request(void *context, const struct http_request *request, const char *path,
                         const struct http_reply *reply)
{
    struct race *r = context;
    const struct actor *self = actor_self();

    (void)path;
    if (!self)
        return;
    r->requests++;
    trace_line(&r->trace, actor_name(self), "    %.700s", request->body ? request->body : "");
    trace_line(&r->trace, actor_name(self), "    -> %ld %.700s", reply->status, reply->body.data);
}

static void open_index(struct race *r, bool on_model)
{
    const struct settings *s = r->scene->settings;
    char path[120];

    snprintf(r->index, sizeof r->index, "%smembers", s->opensearch.prefix);
    snprintf(path, sizeof path, "/%s", r->index);
    if (on_model) {
        r->model = model_new(r->index, INDEX);
        links_answer_with(model_serve, r->model);
    } else {
        json_decref(index_ask(s, "PUT", path, INDEX));
    }
}

struct race *race_open(bool on_model)
{
    static const char *const names[CREW] = {"worker 1", "worker 2", "clock"};
    struct race *r = xcalloc(1, sizeof *r);
    char *ini = scene_replaced(INI, "URL", on_model ? "http://model" : "SEARCH");

    r->scene = scene_open(ini);
    free(ini);
    scene_redis(r->scene, "CONFIG SET appendonly no"); /* it is not what fails here, and that is quicker */
    buf_init(&r->trace.text);
    buf_init(&r->trace.why);
    open_index(r, on_model);
    r->client = client_new(&r->scene->settings->opensearch);
    for (size_t i = 0; i < CREW; i++)
        r->actors[i] = actor_new(names[i]);
    for (size_t i = 0; i < 2 * ARRAY_LENGTH(handlers); i++) {
        struct crew *c = &r->crews[i / 2][i % 2];

        c->platform = &r->platform;
        c->trace = &r->trace;
        crew_begin(c, r->scene->settings, i % 2 ? handlers[i / 2].strict : handlers[i / 2].name, r->actors);
    }
    links_tell(note_request, r);
    r->now_us = clock_wall_us();
    return r;
}

void race_close(struct race *r)
{
    for (size_t i = 0; i < CREW; i++)
        actor_free(r->actors[i]);
    for (size_t i = 0; i < 2 * ARRAY_LENGTH(handlers); i++)
        crew_end(&r->crews[i / 2][i % 2]);
    client_free(r->client);
    links_tell(NULL, NULL);
    links_answer_with(NULL, NULL);
    if (!r->model)
        index_delete(r->scene->settings, "members");
    model_free(r->model);
    scene_close(r->scene);
    trace_release(&r->trace);
    free(r);
}

const char *race_why(const struct race *r)
{
    return r->trace.why.data;
}

const char *race_trace(const struct race *r)
{
    return r->trace.text.data;
}

struct model *race_model(struct race *r)
{
    return r->model;
}

long race_requests(const struct race *r)
{
    return r->requests;
}

/* --------------------------------------------------------------------------------------------------- one schedule */

static bool turns_left(struct race *r)
{
    return r->trace.turn < TURNS_MOST || trace_wrong(&r->trace, "it does not come to rest");
}

static void work_to_the_end(struct race *r, size_t member)
{
    crew_start(r->crew, member, false);
    while (actor_works(r->crew->members[member].actor) && turns_left(r)) {
        r->trace.turn++;
        crew_go(r->crew, member, ORDER_GO);
    }
}

/* Events stopped; second looks fall due, and what they put back is worked off. */
static void come_to_rest(struct race *r)
{
    for (int round = 0; round < ROUNDS && turns_left(r); round++) {
        race_pass_time(r, SECOND_LOOK_S + 1);
        if (crew_has_clock(r->crew) && !r->plan->no_second_look)
            work_to_the_end(r, WORKERS);
        while (crew_waiting(r->crew, false) > 0 && turns_left(r)) {
            race_pass_time(r, 1);
            work_to_the_end(r, 0);
        }
    }
}

/* What has happened already where a scenario begins. */
static void open_scenario(struct race *r)
{
    struct platform *p = &r->platform;

    if (r->plan->scenario == SCENARIO_SMALL) {
        platform_dump(p, 0);
    } else if (r->plan->scenario == SCENARIO_KILLS) {
        platform_change_subject(p, 0);
    } else if (r->plan->scenario == SCENARIO_DUEL) {
        platform_dump(p, 0);
        platform_change_subject(p, 0);
        work_to_the_end(r, 0);
        while (platform_tasks(p) > 0)
            platform_land(p, 0);
        race_pass_time(r, SECOND_LOOK_S);
        platform_change_subject(p, 1);
    }
}

static void begin_platform(struct race *r, size_t handler)
{
    const struct race_plan *plan = r->plan;
    struct platform *p = &r->platform;

    p->client = r->client;
    p->trace = &r->trace;
    p->choice = r->choice;
    p->index = r->index;
    p->shape = &handlers[handler].shape;
    p->pairs = plan->pairs || (plan->strict && p->shape->own);
    p->lands_at_once = plan->strict;
    p->fixed_rows = plan->scenario != SCENARIO_ANY;
    p->same_version_deletes = plan->same_version_deletes;
    platform_begin(p, r->run, plan->subjects, plan->dependents);
}

static void begin(struct race *r)
{
    size_t handler = choose(r->choice, r->plan->handlers ? r->plan->handlers : HANDLERS);

    r->run++;
    trace_start(&r->trace);
    if (r->model)
        model_clear(r->model);
    r->crew = &r->crews[handler][r->plan->strict];
    r->crew->kills = 0;
    r->changes_left = r->plan->changes;
    r->refreshes_left = r->plan->scenario == SCENARIO_SMALL;
    r->clocks_left = r->plan->scenario == SCENARIO_DUEL || r->plan->scenario == SCENARIO_KILLS;
    r->switches_left = r->plan->switches;
    r->ran_last = CREW;
    arena_reset(r->scene->arena);
    race_pass_time(r, 1000);
    scene_redis(r->scene, "FLUSHDB");
    links_keep_time(r->scene->redis);
    trace_line(&r->trace, "handler", "%s", handlers[handler].name);
    begin_platform(r, handler);
    open_scenario(r);
}

bool race_run(struct race *r, struct choice *c, const struct race_plan *plan)
{
    bool ok;

    r->choice = c;
    r->plan = plan;
    begin(r);
    while (!race_is_at_rest(r) && turns_left(r))
        race_turn(r);
    come_to_rest(r);
    ok = r->trace.why.length == 0 && verdict(&r->platform);
    platform_end(&r->platform);
    links_set_time(0);
    return ok;
}

struct race_plan race_any(struct choice *c)
{
    return (struct race_plan){.subjects = 1 + choose(c, SUBJECTS_MOST),
                              .dependents = 1 + choose(c, DEPENDENTS_MOST),
                              .changes = 3 + (int)choose(c, 8),
                              .kills = 2,
                              .pairs = chance(c, 2)};
}

struct race_plan race_strict(struct choice *c)
{
    struct race_plan plan = race_any(c);

    plan.strict = true;
    plan.pairs = false;
    return plan;
}
