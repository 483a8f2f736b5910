#include "handlers/relation/relation_fits.h"

#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "handlers/relation/member.h"
#include "handlers/relation/relation_parts.h"
#include "handlers/source/source.h"

#define PAYLOAD "payload"

/* One word of `copy` at one match. */
struct step {
    const struct handler_settings *handler;
    const struct relation_options *options;
    const struct content *content;
    const char *target, *subjects; /* subjects "": not known */
    const char *within;            /* of the subjects' documents what is data; "": all */
    size_t before;                 /* on the way to it; its own number: it was not reached */
};

struct steps {
    struct step *items;
    size_t count;
    struct relation **relations;
    size_t relation_count;
};

/* ------------------------------------------------------------------------------------------------ names of indices */

/* Two patterns may meet where their beginnings do. */
static bool names_meet(const char *a, const char *b)
{
    size_t head_a = strcspn(a, "*"), head_b = strcspn(b, "*");

    if (a[head_a] && b[head_b])
        return strncmp(a, b, head_a < head_b ? head_a : head_b) == 0;
    return fnmatch(a, b, 0) == 0 || fnmatch(b, a, 0) == 0;
}

/* Any of these names, separated by commas, and any of those. */
static bool lists_meet(const char *a, const char *b)
{
    char *left = xstrdup(a), *save_left, *save_right;
    bool meet = false;

    for (char *x = strtok_r(left, ",", &save_left); x && !meet; x = strtok_r(NULL, ",", &save_left)) {
        char *right = xstrdup(b);

        for (char *y = strtok_r(right, ",", &save_right); y && !meet; y = strtok_r(NULL, ",", &save_right))
            meet = names_meet(x, y);
        free(right);
    }
    free(left);
    return meet;
}

/* ---------------------------------------------------------------------------------------------------- the steps */

/* Of another cluster nothing is known. */
static const char *subjects_of(const struct settings *s, const struct relation_options *o)
{
    const struct source_settings *source = settings_source(s, o->source);

    if (*o->subjects || !source || source->type != SOURCE_INDEX || *source->url)
        return o->subjects;
    return source->index;
}

static const char *within_of(const struct settings *s, const struct relation_options *o)
{
    const struct source_settings *source = settings_source(s, o->source);

    return source && source->type == SOURCE_INDEX ? source->document : "";
}

static void add_steps(struct steps *all, const struct settings *s, const struct handler_settings *hs)
{
    const struct relation_options *o = hs->own;
    struct error err;
    struct relation *r = relation_new(o, &err); /* what is wrong with it was said already */

    if (!r)
        return;
    all->relations[all->relation_count++] = r;
    for (size_t i = 0; i < r->match_count; i++)
        for (size_t j = 0; j < r->content_count; j++) {
            if (!r->matches[i].targets[j])
                continue;
            all->items = xrealloc(all->items, (all->count + 1) * sizeof *all->items);
            all->items[all->count++] = (struct step){
                .handler = hs,
                .options = o,
                .content = r->contents[j],
                .target = r->matches[i].targets[j],
                .subjects = subjects_of(s, o),
                .within = within_of(s, o),
            };
        }
}

static struct steps steps_of(const struct settings *s, const struct handler_settings *hs)
{
    struct steps all = {.relations = xcalloc(s->handler_count, sizeof(struct relation *))};

    for (size_t i = 0; i < s->handler_count; i++)
        if (s->handlers[i].kind == hs->kind)
            add_steps(&all, s, &s->handlers[i]);
    return all;
}

static void steps_release(struct steps *all)
{
    for (size_t i = 0; i < all->relation_count; i++)
        relation_free(all->relations[i]);
    free(all->relations);
    free(all->items);
}

static bool reads(const struct step *step, const char *field, const char *written)
{
    struct buf path = BUF_INIT;
    bool meet;

    buf_printf(&path, "%s%s%s", step->within, *step->within && *field ? "." : "", field);
    meet = member_paths_meet(path.data, written);
    buf_release(&path);
    return meet;
}

static bool leads_to(const struct step *a, const struct step *b)
{
    const char *field;

    if (!*b->subjects || !lists_meet(a->options->index, b->subjects))
        return false;
    for (size_t i = 0; (field = content_field(b->content, i)); i++)
        if (reads(b, field, a->target))
            return true;
    return false;
}

/* ---------------------------------------------------------------------------------------------------- the way round */

/* From start on, as wide as it goes; *end: the step that leads back to start. */
static bool find_round(struct steps *all, size_t start, size_t *end)
{
    size_t *queue = xcalloc(all->count, sizeof *queue), first = 0, last = 0;
    bool found = false;

    for (size_t i = 0; i < all->count; i++)
        all->items[i].before = i;
    queue[last++] = start;
    while (first < last && !found) {
        size_t at = queue[first++];

        found = leads_to(&all->items[at], &all->items[start]);
        *end = at;
        for (size_t i = 0; i < all->count && !found; i++)
            if (i != start && all->items[i].before == i && leads_to(&all->items[at], &all->items[i])) {
                all->items[i].before = at;
                queue[last++] = i;
            }
    }
    free(queue);
    return found;
}

static void add_way(const struct steps *all, size_t start, size_t at, struct buf *out)
{
    const struct step *step = &all->items[at];

    if (at != start)
        add_way(all, start, step->before, out);
    buf_printf(out, "%s %s copies to %s of %s", at == start ? "" : ",", step->handler->name, step->target,
               step->options->index);
}

static bool ends(const struct settings *s, const struct handler_settings *hs, struct error *err)
{
    struct steps all = steps_of(s, hs);
    struct buf way = BUF_INIT;
    bool round = false;
    size_t end;

    for (size_t i = 0; i < all.count && !round; i++) {
        round = all.items[i].handler == hs && find_round(&all, i, &end);
        if (round)
            add_way(&all, i, end, &way);
    }
    if (round)
        error_set(err, ERROR_CONFIG, "copies go round:%s, which %s copies again", way.data, hs->name);
    buf_release(&way);
    steps_release(&all);
    return !round;
}

static bool has_source(const struct relation_options *o)
{
    return !text_same(o->source, PAYLOAD);
}

bool relation_fits(const struct settings *s, const struct handler_settings *hs, struct error *err)
{
    const struct relation_options *o = hs->own;

    return (!has_source(o) || source_named(s, o->source, err)) && ends(s, hs, err);
}

bool relation_source(const struct relation_options *o, const struct settings *s, struct source **source,
                     struct error *err)
{
    *source = has_source(o) ? source_new(s, o->source, err) : NULL;
    return *source || !has_source(o);
}
