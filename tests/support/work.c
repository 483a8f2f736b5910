#include "support/work.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "scheduler/lane.h"

struct lane *work_open(struct scene *s, const char *handler)
{
    struct error err;
    struct lane *lane = lane_new(s->settings, settings_handler(s->settings, handler), "test", 0, &err);

    if (!lane || !lane_install(lane, &err))
        fail_msg("%s", err.text);
    return lane;
}

void work_off(struct scene *s, const char *handler)
{
    struct lane *lane = work_open(s, handler);
    struct error err;
    size_t taken = 1;

    while (taken > 0)
        if (!lane_pass(lane, 0, &taken, &err))
            fail_msg("%s", err.text);
    lane_leave(lane);
    lane_free(lane);
}
