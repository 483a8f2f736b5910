#include "support/rebuild_stage.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>

#include <cmocka.h>

#include "base/clock.h"
#include "support/process.h"
#include "support/search_index.h"

static const char ini[] = "[redis]\nurl = REDIS\n[opensearch]\nurl = SEARCH\nprefix = PREFIX\n"
                          "[queue audit]\nevents = crier.**\n"
                          "[handler journal]\ntype = audit\nqueue = audit\nindex = journal-{time:%Y}\n";

int rebuild_stage_open(void **state)
{
    struct rebuild_stage *st = calloc(1, sizeof *st);

    assert_non_null(st);
    st->scene = scene_open(ini);
    st->platform = live_index_open(st->scene, "users", SHARDS, DOCUMENTS);
    *state = st;
    return 0;
}

int rebuild_stage_close(void **state)
{
    struct rebuild_stage *st = *state;

    live_index_close(st->platform);
    scene_close(st->scene);
    free(st);
    return 0;
}

char *rebuild_behind(struct scene *s)
{
    char path[300], *name;
    json_t *answer;

    snprintf(path, sizeof path, "/_alias/%susers", s->settings->opensearch.prefix);
    answer = index_ask(s->settings, "GET", path, NULL);
    assert_int_equal(json_object_size(answer), 1);
    name = strdup(json_object_iter_key(json_object_iter(answer)) + strlen(s->settings->opensearch.prefix));
    json_decref(answer);
    return name;
}

void rebuild_behind_is(struct scene *s, bool old)
{
    char *name = rebuild_behind(s);

    assert_int_equal(strcmp(name, "users-1") == 0, old);
    free(name);
}

size_t rebuild_indices(struct scene *s)
{
    char path[300];
    json_t *answer;
    size_t count;

    snprintf(path, sizeof path, "/%susers*", s->settings->opensearch.prefix);
    answer = index_ask(s->settings, "GET", path, NULL);
    count = json_object_size(answer);
    json_decref(answer);
    return count;
}

bool rebuild_state_now(struct scene *s, struct rebuild_state *out)
{
    struct error err;
    bool found;

    rebuild_state_init(out);
    if (!rebuild_state_load(s->redis, "users", out, &found, &err))
        fail_msg("%s", err.text);
    return found;
}

int64_t rebuild_audited(struct scene *s, const char *type)
{
    const struct reply *entries = scene_redis(s, "XRANGE crier:{audit}:stream - +");
    int64_t count = 0;

    for (size_t i = 0; i < entries->count; i++)
        count += strcmp(reply_field_text(&entries->items[i].items[1], "type"), type) == 0;
    return count;
}

void rebuild_forget_lease(struct scene *s)
{
    scene_redis(s, "DEL crier:{lease:rebuild:users}:holder");
}

const char *const rebuild_words[] = {"reindex", "users", NULL};

pid_t rebuild_begin_with(const char *config, const char *option, const char *value)
{
    return crier_begin((const char *const[]){"reindex", "--config", config, "users", option, value, NULL});
}

pid_t rebuild_begin(struct scene *s, const char *option, const char *value)
{
    return rebuild_begin_with(s->config_path, option, value);
}

int rebuild_wait_for_end(pid_t child)
{
    int status;

    assert_int_equal(waitpid(child, &status, 0), child);
    free(crier_begun_said(child));
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

bool rebuild_wait_for_phase(struct scene *s, enum rebuild_phase phase, int64_t done)
{
    int64_t until_ms = clock_monotonic_ms() + DEADLINE_MS;
    struct rebuild_state state;

    while (clock_monotonic_ms() < until_ms) {
        bool found = rebuild_state_now(s, &state),
             there = found && (state.phase > phase || (state.phase == phase && state.done >= done));
        enum rebuild_phase now = state.phase;

        rebuild_state_release(&state);
        if (there)
            return now == phase;
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    }
    rebuild_state_now(s, &state);
    fail_msg("it does not come to phase %s: %s, %s", rebuild_phase_name(phase), rebuild_phase_name(state.phase),
             state.failure);
    return false;
}
