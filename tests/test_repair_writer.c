/* Many writes of a verb: what is busy is written later, and not before it wants to be asked again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/http.h"
#include "handlers/repair/writer.h"
#include "support/bulk_stage.h"

static bool may_go_on(struct clock_run *run, struct error *err)
{
    (void)run;
    (void)err;
    return true;
}

static void a_busy_server_is_left_alone_for_as_long_as_it_asks(void **state)
{
    enum { ASKED_S = 2, DOCUMENTS = 20 };
    struct stage *s = *state;
    struct clock_run run = {.may_go_on = may_go_on};
    struct writer *w = writer_new(s->client, BULK_BYTES, &run);
    int64_t began_ms = clock_monotonic_ms();

    fault_proxy_set(s->proxy, &(struct fault){.status = 429, .retry_after_s = ASKED_S, .times = 1});
    for (int i = 0; i < DOCUMENTS; i++) {
        char id[20];
        struct bulk_target target;

        snprintf(id, sizeof id, "%d", i);
        target = stage_write(s, id, 1);
        assert_true(writer_add(w, &target, "{}", 2, &s->err));
    }
    if (!writer_flush(w, &s->err))
        fail_msg("%s", s->err.text);
    assert_true(clock_monotonic_ms() - began_ms >= ASKED_S * 1000);
    assert_int_equal(writer_counts(w)->written, DOCUMENTS);
    stage_stored_is(s, "7", 1, "{}");
    writer_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_busy_server_is_left_alone_for_as_long_as_it_asks, stage_open, stage_close),
    };

    http_global_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
