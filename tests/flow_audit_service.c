/* Whatever the service or its operators do is one entry of the audit: each action is done, on real servers, and found.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/http.h"
#include "base/json.h"
#include "handlers/mail/mail_preferences.h"
#include "notifier/service_action.h"
#include "support/mail_server.h"
#include "support/past.h"
#include "support/process.h"
#include "support/service_deeds.h"
#include "support/work.h"

enum { PATIENCE_MS = 60000, LOOK_AGAIN_US = 20000 };

static const char *text_of(const json_t *entry, const char *path)
{
    const char *text = json_string_value(json_at(entry, path));

    return text ? text : "";
}

/* Whoever runs the tests, also behind sudo. */
static char *actor_of(const struct service_stage *s, const struct service_deed *deed)
{
    const char *user = getenv("SUDO_USER");
    char *with_user, *wanted;

    if (!user || !*user)
        user = getlogin() && getuid() != 0 ? getlogin() : "root";
    with_user = scene_replaced(deed->actor, "USER", user);
    wanted = scene_replaced(with_user, "TOKEN", s->token_id);
    free(with_user);
    return wanted;
}

static void check_entry(struct service_stage *s, const struct service_deed *deed, const json_t *entry)
{
    const char *actor =
        arena_printf(s->scene->arena, "%s/%s", text_of(entry, "actor.kind"), text_of(entry, "actor.id"));
    const char *resource =
        arena_printf(s->scene->arena, "%s/%s", text_of(entry, "resource.kind"), text_of(entry, "resource.id"));
    char host[80] = "crier:", digest[ID_TEXT_BYTES], *wanted = actor_of(s, deed);

    gethostname(host + 6, sizeof host - 7);
    if (strncmp(actor, wanted, strlen(wanted)) != 0)
        fail_msg("%s: by %s instead of %s", deed->action, actor, wanted);
    if (strncmp(resource, deed->resource, strlen(deed->resource)) != 0)
        fail_msg("%s: of %s instead of %s", deed->action, resource, deed->resource);
    assert_string_equal(text_of(entry, "event.source"), host);
    mail_preference_digest("ada@example.org", digest); /* who knows addresses may try them */
    assert_string_not_equal(text_of(entry, "resource.id"), digest);
    free(wanted);
}

/* The newest entry with the outcome of the deed once there are more than before: a service that runs writes some, too.
 */
static json_t *await_entry(struct service_stage *s, const struct service_deed *deed, int64_t before)
{
    int64_t until_ms = clock_monotonic_ms() + PATIENCE_MS, count;
    json_t *entry;

    for (;;) {
        work_off(s->scene, "trail");
        entry = service_stage_entry(s, deed->action, deed->outcome, &count);
        if (count > before)
            return entry;
        json_decref(entry);
        if (clock_monotonic_ms() > until_ms)
            fail_msg("no entry says crier.%s, as %s", deed->action, deed->outcome);
        usleep(LOOK_AGAIN_US);
    }
}

static int64_t count_of(struct service_stage *s, const struct service_deed *deed, const char *outcome)
{
    int64_t count;

    work_off(s->scene, "trail");
    json_decref(service_stage_entry(s, deed->action, outcome, &count));
    return count;
}

/* What somebody did is there once, however it ended; the service itself may say its own again meanwhile. */
static void check_single(struct service_stage *s, const struct service_deed *deed, int64_t before)
{
    int64_t more = count_of(s, deed, NULL) - before;

    if (more != 1 && strncmp(deed->actor, "services/", strlen("services/")) != 0)
        fail_msg("%s, as %s: %lld entries", deed->action, deed->outcome, (long long)more);
}

static void try_deed(struct service_stage *s, const struct service_deed *deed)
{
    int64_t before = count_of(s, deed, deed->outcome), all_before = count_of(s, deed, NULL);
    json_t *entry;

    deed->perform(s);
    entry = await_entry(s, deed, before);
    check_entry(s, deed, entry);
    check_single(s, deed, all_before);
    json_decref(entry);
}

static const struct service_deed *const tables[] = {deeds_of_what_goes_out, deeds_with_what_is_kept,
                                                    deeds_of_the_service};

static void each_action_of_the_service_is_one_entry_with_who_what_and_how_it_ended(void **state)
{
    for (size_t i = 0; i < ARRAY_LENGTH(tables); i++)
        for (const struct service_deed *deed = tables[i]; deed->action; deed++)
            try_deed(*state, deed);
}

static bool has_a_row(const char *action)
{
    for (size_t i = 0; i < ARRAY_LENGTH(tables); i++)
        for (const struct service_deed *deed = tables[i]; deed->action; deed++)
            if (strcmp(deed->action, action) == 0)
                return true;
    return false;
}

static void each_action_of_the_service_has_a_row(void **state)
{
    (void)state;
    for (const struct service_action *a = service_actions; a->name; a++)
        if (!has_a_row(a->name))
            fail_msg("no row does %s", a->name);
}

static int setup(void **state)
{
    *state = service_stage_open();
    return 0;
}

static int teardown(void **state)
{
    service_stage_close(*state);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_action_of_the_service_has_a_row),
        cmocka_unit_test_setup_teardown(each_action_of_the_service_is_one_entry_with_who_what_and_how_it_ended, setup,
                                        teardown),
    };

    http_global_init();
    if (!mail_server_there())
        return 77;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
