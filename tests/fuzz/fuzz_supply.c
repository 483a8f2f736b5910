/* Any bytes as a file of documents: each is one that can be written, or the file is refused with the line. */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "handlers/reindex/supply.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

static void expect(bool truth)
{
    if (!truth)
        abort();
}

static bool may_go_on(struct clock_run *run, struct error *err)
{
    (void)run;
    (void)err;
    return true;
}

static bool is_object(struct span body)
{
    size_t blanks = 0;

    while (blanks < body.length && strchr(" \t\r", body.text[blanks]))
        blanks++;
    return blanks < body.length && body.text[blanks] == '{';
}

static void walk(struct supply *x, struct page *p)
{
    struct clock_run run = {may_go_on, NULL};
    struct supply_walk at = {.page.most = 3};
    struct error err = ERROR_INIT;
    char position[32] = "";
    size_t read = 1;

    while (read > 0) {
        arena_reset(p->arena);
        p->count = 0;
        if (!supply_page(x, &at, position, &run, p, &read, &err)) {
            expect(err.kind == ERROR_INPUT && err.text[0]);
            return;
        }
        for (size_t i = 0; i < p->count; i++)
            expect(p->documents[i].id.length > 0 && is_object(p->documents[i].body));
        snprintf(position, sizeof position, "%s", p->position.text);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    int file = memfd_create("lines", 0);
    struct settings none = {0};
    struct error err = ERROR_INIT;
    struct page page = {.text = BUF_INIT, .arena = arena_new()};
    struct supply *x;
    char path[40];

    expect(file >= 0 && write(file, bytes, length) == (ssize_t)length);
    snprintf(path, sizeof path, "/proc/self/fd/%d", file);
    x = supply_new(&none, path, &err);
    expect(x != NULL);
    walk(x, &page);
    supply_free(x);
    arena_free(page.arena);
    close(file);
    return 0;
}
