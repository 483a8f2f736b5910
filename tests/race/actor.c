#include "race/actor.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <ucontext.h>

#include "base/alloc.h"

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/common_interface_defs.h>
#else
#define __sanitizer_start_switch_fiber(keep, bottom, size)            ((void)(keep), (void)(bottom), (void)(size))
#define __sanitizer_finish_switch_fiber(kept, from_bottom, from_size) ((void)(kept))
#endif

enum { STACK_BYTES = 1024 * 1024 };

struct actor {
    const char *name;
    ucontext_t own, caller;
    char *stack;
    void *own_frames, *caller_frames; /* what the address sanitizer keeps of a stack that is left */
    const void *caller_stack;
    size_t caller_stack_bytes;
    bool works; /* work is not done yet */
    bool cut;
    enum order order;
    void (*work)(void *context);
    void *context;
    char next[160];
};

static struct actor *self, *beginning;

struct actor *actor_self(void)
{
    return self;
}

static void switch_to_caller(struct actor *a)
{
    __sanitizer_start_switch_fiber(&a->own_frames, a->caller_stack, a->caller_stack_bytes);
    swapcontext(&a->own, &a->caller);
    __sanitizer_finish_switch_fiber(a->own_frames, &a->caller_stack, &a->caller_stack_bytes);
}

static void switch_to_actor(struct actor *a)
{
    self = a;
    __sanitizer_start_switch_fiber(&a->caller_frames, a->stack, STACK_BYTES);
    swapcontext(&a->caller, &a->own);
    __sanitizer_finish_switch_fiber(a->caller_frames, NULL, NULL);
    self = NULL;
}

/* What runs on an actor's stack: one work after the other, for ever. */
static void live(void)
{
    struct actor *a = beginning;

    __sanitizer_finish_switch_fiber(NULL, &a->caller_stack, &a->caller_stack_bytes);
    for (;;) {
        if (a->works)
            a->work(a->context);
        a->works = false;
        switch_to_caller(a);
    }
}

struct actor *actor_new(const char *name)
{
    struct actor *a = xcalloc(1, sizeof *a);

    a->name = name;
    a->stack = mmap(NULL, STACK_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (a->stack == MAP_FAILED || getcontext(&a->own) != 0)
        abort();
    a->own.uc_stack.ss_sp = a->stack;
    a->own.uc_stack.ss_size = STACK_BYTES;
    makecontext(&a->own, live, 0);
    beginning = a;
    switch_to_actor(a);
    return a;
}

void actor_free(struct actor *a)
{
    if (!a)
        return;
    munmap(a->stack, STACK_BYTES);
    free(a);
}

const char *actor_name(const struct actor *a)
{
    return a->name;
}

void actor_start(struct actor *a, void (*work)(void *context), void *context)
{
    a->work = work;
    a->context = context;
    a->works = true;
    a->cut = false;
    snprintf(a->next, sizeof a->next, "begin");
}

bool actor_works(const struct actor *a)
{
    return a->works;
}

const char *actor_next(const struct actor *a)
{
    return a->next;
}

bool actor_was_cut(const struct actor *a)
{
    return a->cut;
}

void actor_go(struct actor *a, enum order order)
{
    a->order = order;
    a->cut = a->cut || order != ORDER_GO;
    switch_to_actor(a);
}

enum order actor_stop(const char *what)
{
    struct actor *a = self;

    if (!a)
        return ORDER_GO;
    if (a->cut)
        return ORDER_CUT_BEFORE;
    snprintf(a->next, sizeof a->next, "%s", what);
    switch_to_caller(a);
    return a->order;
}
