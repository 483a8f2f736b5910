#include "support/machine.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

int64_t machine_moment(const char *text)
{
    int64_t us = 0;

    assert_true(time_parse(text, strlen(text), false, &us));
    return us;
}

void machine_pass(struct machine *m, int64_t ms)
{
    m->wall_us += ms * 1000;
    m->monotonic_ms += ms;
}

struct schedule *machine_schedule(const char *text)
{
    struct error err;
    struct schedule *s = schedule_new(text, &err);

    assert_non_null(s);
    return s;
}

int64_t machine_wait_ms(const struct timer *t, const struct machine *m)
{
    return timer_wait_ms(t, m->wall_us, m->monotonic_ms);
}

void machine_start(struct timer *t, const struct schedule *s, enum catch_up catch_up, int64_t last_us,
                   const struct machine *m)
{
    timer_start(t, s, catch_up, 0, last_us, m->wall_us, m->monotonic_ms);
}

void machine_ran(struct timer *t, const struct machine *m)
{
    timer_ran(t, m->wall_us, m->monotonic_ms);
}
