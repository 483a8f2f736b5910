/* Any bytes as a change notification: events or reasons, record by record, and an end. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "notifier/notification.h"
#include "scheduler/verbs.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

static void expect(bool truth)
{
    if (!truth)
        abort();
}

static struct intake *make_intake(void)
{
    static const char ini[] = "[queue all]\nevents = **\n";
    static struct settings *settings; /* for as long as the process lives */
    struct buf mistakes = BUF_INIT;
    struct error err;
    struct intake *in;

    settings = settings_parse("fuzz.ini", ini, sizeof ini - 1, scheduler_outside(), &mistakes, &err);
    expect(settings != NULL);
    in = intake_new_checking(settings, &err);
    expect(in != NULL);
    buf_release(&mistakes);
    return in;
}

static void take(struct intake *in, struct notification *n, size_t length)
{
    const struct intake_result *results;
    size_t count = 0;

    while (notification_add(n, in)) {
        count++;
        expect(count <= length);
    }
    expect(intake_count(in) == count);
    results = intake_send(in);
    for (size_t i = 0; i < count; i++)
        if (results[i].outcome == INTAKE_REFUSED)
            expect(strncmp(results[i].reason, "record ", 7) == 0 &&
                   text_utf8_valid(results[i].reason, strlen(results[i].reason)) == strlen(results[i].reason));
        else
            expect(results[i].outcome == INTAKE_ACCEPTED && strlen(results[i].id) == 32);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    static struct intake *in;
    struct arena *arena = arena_new();
    struct span text = {arena_copy(arena, (const char *)bytes, length), length};
    size_t half = length / 2;
    struct notification n;
    struct error err = ERROR_INIT;

    if (!in)
        in = make_intake();
    intake_start(in);
    notification_is(text);
    if (notification_read(text, JSON_DEPTH_DEFAULT, arena, &n, &err))
        take(in, &n, length);
    else
        expect(err.kind == ERROR_INPUT && err.text[0]);
    intake_start(in);
    if (notification_read_call((struct span){text.text, half}, (struct span){text.text + half, length - half},
                               JSON_DEPTH_DEFAULT, arena, &n, &err))
        take(in, &n, length);
    arena_free(arena);
    return 0;
}
