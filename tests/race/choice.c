#include "race/choice.h"

#include <assert.h>
#include <stdlib.h>

#include "base/alloc.h"

enum { DEPTH_MOST = 1000 };

struct choice {
    bool all;
    uint64_t state;
    struct {
        size_t taken, of;
    } path[DEPTH_MOST]; /* of this run and, as far as it goes, of the next */
    size_t depth, at;
};

struct choice *choice_new(uint64_t seed)
{
    struct choice *c = xcalloc(1, sizeof *c);

    c->state = seed;
    return c;
}

struct choice *choice_all(void)
{
    struct choice *c = xcalloc(1, sizeof *c);

    c->all = true;
    return c;
}

void choice_free(struct choice *c)
{
    free(c);
}

bool choice_next(struct choice *c)
{
    c->depth = c->at;
    while (c->depth > 0 && c->path[c->depth - 1].taken + 1 == c->path[c->depth - 1].of)
        c->depth--;
    if (c->depth == 0)
        return false;
    c->path[c->depth - 1].taken++;
    c->at = 0;
    return true;
}

/* SplitMix64 (Steele, Lea, Flood). */
static uint64_t draw(struct choice *c)
{
    uint64_t z = c->state += UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

static size_t take_path(struct choice *c, size_t n)
{
    assert(c->at < DEPTH_MOST);
    if (c->at == c->depth) {
        c->path[c->depth].taken = 0;
        c->path[c->depth++].of = n;
    }
    return c->path[c->at++].taken;
}

size_t choose(struct choice *c, size_t n)
{
    if (n == 1)
        return 0;
    return c->all ? take_path(c, n) : (size_t)(draw(c) % n);
}

size_t choose_weighted(struct choice *c, const unsigned *weights, size_t n)
{
    size_t sum = 0, pick, i;

    for (i = 0; i < n; i++)
        sum += c->all ? weights[i] > 0 : weights[i];
    assert(sum > 0);
    pick = choose(c, sum);
    for (i = 0; i < n; i++) {
        size_t weight = c->all ? weights[i] > 0 : weights[i];

        if (pick < weight)
            break;
        pick -= weight;
    }
    return i;
}

bool chance(struct choice *c, size_t n)
{
    return !c->all && choose(c, n) == 0;
}
