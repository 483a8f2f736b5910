#include "handlers/source/source_online.h"

#include <stdio.h>
#include <string.h>

#include "handlers/source/source.h"

/* For a source that cannot list: hardly anybody's, so not being found is an answer. */
#define NOBODY "crier-check"

static bool can_list(const struct source_settings *o)
{
    return (o->type != SOURCE_HTTP || *o->list_url) &&
           (o->type != SOURCE_POSTGRES || *o->list_query || !strstr(o->query, "$1"));
}

static bool ask_for(struct source *x, struct span id, struct arena *arena, struct source_document *out,
                    struct error *err)
{
    return source_get(x, &id, 1, arena, out, err);
}

static bool is_unfit(const struct source_document *listed, const struct source_document *again, struct error *err)
{
    if (listed->wrong)
        return !error_set(err, ERROR_CONFIG, "the first document of its list: %s", listed->wrong);
    if (again->wrong)
        return !error_set(err, ERROR_CONFIG, "document %.*s: %s", (int)listed->id.length, listed->id.text,
                          again->wrong);
    return listed->found && !again->found &&
           !error_set(err, ERROR_CONFIG, "it lists %.*s and does not have it by that id: do url and id fit?",
                      (int)listed->id.length, listed->id.text);
}

/* The first document of the list, by its id. */
static bool try_first(struct source *x, const char *name, struct arena *arena, struct error *err)
{
    struct source_walk walk = {.position = SPAN_NONE, .most = 1};
    struct source_document *listed, again = {.wrong = NULL};
    size_t count;

    if (!source_page(x, &walk, arena, &listed, &count, err))
        return false;
    if (count > 0 && !listed->wrong && !ask_for(x, listed->id, arena, &again, err))
        return false;
    return count == 0 || !is_unfit(listed, &again, err) || error_in(err, "source %s", name);
}

static bool try_source(const struct settings *s, const struct source_settings *o, int64_t *count, struct error *err)
{
    struct arena *arena = arena_new();
    struct source *x = source_new(s, o->name, err);
    struct source_document nobody;
    bool ok = x != NULL;

    *count = -1;
    if (ok && can_list(o))
        ok = try_first(x, o->name, arena, err) && source_count(x, 0, count, err);
    else if (ok)
        ok = ask_for(x, span_of(NOBODY), arena, &nobody, err);
    source_free(x);
    arena_free(arena);
    return ok;
}

bool source_online(const struct settings *s, struct error *err)
{
    bool ok = true;

    for (size_t i = 0; i < s->source_count; i++) {
        const struct source_settings *o = &s->sources[i];
        struct error wrong = ERROR_INIT;
        int64_t count;

        if (!try_source(s, o, &count, &wrong)) {
            puts(wrong.text); /* it says which */
            *err = ok ? wrong : *err;
            ok = false;
        } else if (count >= 0) {
            printf("source %s: ok, %lld documents\n", o->name, (long long)count);
        } else {
            printf("source %s: ok\n", o->name);
        }
    }
    return ok;
}
