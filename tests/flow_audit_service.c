/* Whatever the service or its operators do is an entry of the audit: each action is done, on real servers, and found.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/http.h"
#include "base/json.h"
#include "handlers/mail/mail_preferences.h"
#include "notifier/service_action.h"
#include "scheduler/lane.h"
#include "support/mail_server.h"
#include "support/past.h"
#include "support/process.h"
#include "support/search_index.h"
#include "support/service_stage.h"
#include "support/work.h"

enum { PATIENCE_MS = 60000, LOOK_AGAIN_US = 20000 };

/* The next look at what is waited for. */
static void look_again(int64_t until_ms, const char *what)
{
    if (clock_monotonic_ms() > until_ms)
        fail_msg("waited in vain for %s", what);
    usleep(LOOK_AGAIN_US);
}

static void emit(struct service_stage *s, const char *type, int days_ago)
{
    static int number;
    struct event e = scene_event(s->scene, type, arena_printf(s->scene->arena, "e%d", number++), "records/1", 1, NULL);
    char time[TIME_TEXT_BYTES];

    e.time_us = (clock_wall_us() / US_PER_SECOND - (int64_t)days_ago * 24 * 3600) * US_PER_SECOND;
    e.time = span_of(arena_text(s->scene->arena, time_text(e.time_us, time)));
    scene_append(s->scene, &e, 1);
}

/* ------------------------------------------------------------------------------------------------ what waits, dies */

static const char *dead_letter(struct service_stage *s)
{
    scene_redis(s->scene, "XADD crier:{q}:dead * type user.updated time 2026-11-20T10:00:00Z id dead source test "
                          "handler trail tries 1 reason broken");
    return arena_text(s->scene->arena,
                      scene_redis(s->scene, "XREVRANGE crier:{q}:dead + - COUNT 1")->items[0].items[0].text);
}

static void retry_dead(struct service_stage *s)
{
    SAY(s, 0, "dead", "retry", dead_letter(s));
}

static void drop_dead(struct service_stage *s)
{
    SAY(s, 0, "dead", "drop", dead_letter(s));
}

static void forget_group(struct service_stage *s)
{
    scene_redis(s->scene, "XGROUP CREATE crier:{q}:stream former 0");
    SAY(s, 0, "queues", "forget", "former");
}

static void lose_group(struct service_stage *s)
{
    struct lane *lane = work_open(s->scene, "past");
    struct error err;
    size_t taken;

    assert_true(lane_pass(lane, 0, &taken, &err));
    scene_redis(s->scene, "XGROUP DESTROY crier:{q}:stream past");
    for (int i = 0; i < 3; i++)
        if (!lane_pass(lane, 0, &taken, &err))
            print_message("%s\n", err.text);
    lane_leave(lane);
    lane_free(lane);
}

static void run_handler(struct service_stage *s)
{
    SAY(s, 0, "run", "past");
}

static void replay(struct service_stage *s)
{
    SAY(s, 0, "replay", "--handler", "trail", "--history", "--type", "user.*");
}

static void park_row(struct service_stage *s)
{
    int64_t until_ms = clock_monotonic_ms() + PATIENCE_MS;

    service_stage_serve(s);
    postgres_do(s->link, "INSERT INTO crier_outbox (type, subject) VALUES ('no type', 'users/1')");
    while (postgres_number(s->link, "SELECT count(*) FROM crier_outbox_parked") == 0)
        look_again(until_ms, "a parked row");
}

static void retry_row(struct service_stage *s)
{
    park_row(s);
    SAY(s, 0, "outbox", "retry", "platform", "--all");
}

static void drop_row(struct service_stage *s)
{
    park_row(s);
    SAY(s, 0, "outbox", "drop", "platform", "--all");
}

/* -------------------------------------------------------------------------------------------------------- the past */

static void expire_history(struct service_stage *s)
{
    emit(s, "old.seen", 30);
    work_off(s->scene, "past");
    index_count(s->scene->settings, "past-*"); /* refreshes */
    SAY(s, 0, "run", "forgetter");
}

static void expire_audit(struct service_stage *s)
{
    emit(s, "old.seen", 31);
    work_off(s->scene, "trail");
    index_count(s->scene->settings, "audit-*");
    SAY(s, 0, "run", "keeper");
}

static void search_audit(struct service_stage *s)
{
    SAY(s, 0, "audit", "search", "--limit", "1");
}

static void search_audit_at_the_door(struct service_stage *s)
{
    service_stage_serve(s);
    service_stage_ask(s, "GET", "/audit?limit=1", NULL, 200);
}

/* ---------------------------------------------------------------------------------------------------------- usage */

static void compute(struct service_stage *s)
{
    SAY(s, 0, "aggregations", "run", "views-agg", "--all");
}

static void delete_aggregates(struct service_stage *s)
{
    SAY(s, 0, "aggregations", "delete", "views-agg", "--from", "2026-08", "--to", "2026-08", "--yes");
}

static void restate(struct service_stage *s)
{
    past_add_view(s->scene, "x1", "2026-10-05T10:00:00Z", "audit", "x", "\"counted\":true");
    past_add_view(s->scene, "x2", "2026-10-05T10:00:05Z", "audit", "x", "\"counted\":true");
    SAY(s, 0, "statistics", "restate", "--month", "2026-10", "--reason", "late events", "views");
}

static void reclassify(struct service_stage *s)
{
    SAY(s, 0, "statistics", "reclassify", "views");
}

static const char *folder_of(const char *name)
{
    static char path[400];

    snprintf(path, sizeof path, "%s/%s", test_folder(), name);
    return path;
}

static void export_statistics(struct service_stage *s)
{
    SAY(s, 0, "statistics", "export", "--out", folder_of("export"));
}

static void import_statistics(struct service_stage *s)
{
    SAY(s, 0, "statistics", "import", "--in", folder_of("export"));
}

static void cancel_merge(struct service_stage *s)
{
    SAY(s, 0, "statistics", "reindex", "views", "--suffix", "%Y", "--cancel");
}

static void merge(struct service_stage *s)
{
    SAY(s, 0, "statistics", "reindex", "views-agg", "--suffix", "%Y");
}

static void import_log(struct service_stage *s)
{
    static const char line[] = "192.0.2.7 - - [05/Oct/2026:10:00:00 +0000] \"GET /records/7 HTTP/1.1\" 200 10 \"-\" "
                               "\"Mozilla/5.0 (X11; Linux x86_64; rv:120.0) Gecko/20100101 Firefox/120.0\"\n";
    struct error err;

    if (!file_replace(folder_of("access.log"), 0644, line, strlen(line), &err))
        fail_msg("%s", err.text);
    SAY(s, 0, "import", "access-log", folder_of("access.log"));
}

/* It has a Redis of its own, and so an audit. */
static void send_report(struct service_stage *s, int status)
{
    struct scene *own = s->report->scene;
    FILE *file = fopen(own->config_path, "ae");

    assert_non_null(file);
    fputs("[handler trail]\ntype = audit\nqueue = q\nindex = audit-{time:%Y-%m}\n", file);
    fclose(file);
    hub_answers(&s->report->hub, &(struct hub_answer){status, 0, NULL}, 1);
    past_crier(own, "",
               (const char *const[]){"report", "coprd", "--report", "DSR", "--month", "2024-10", "--send", NULL});
    past_crier(own, "", (const char *const[]){"run", "trail", NULL});
}

static void report(struct service_stage *s)
{
    send_report(s, 201);
}

/* ----------------------------------------------------------------------------------------------------- an index */

static const char *const slowly[] = {"reindex", "things", "--rate", "20", NULL};

static void reindex(struct service_stage *s)
{
    SAY(s, 0, "reindex", "things");
}

static void reindex_fails(struct service_stage *s)
{
    service_stage_interrupt(s, "crier.reindex.started", slowly);
}

static void reindex_cancelled(struct service_stage *s)
{
    service_stage_interrupt(s, "crier.reindex.started", slowly);
    SAY(s, 0, "reindex", "cancel", "things");
}

static void repair_copies(struct service_stage *s)
{
    SAY(s, 0, "run", "care");
}

/* ------------------------------------------------------------------------------------------------------- webhooks */

static const char *url_of(struct service_stage *s)
{
    return arena_printf(s->scene->arena, "http://127.0.0.1:%d/x", hook_server_port(s->target));
}

static void add_webhook(struct service_stage *s)
{
    const char *said = SAY(s, 0, "webhooks", "add", url_of(s), "--owner", "Ada");

    snprintf(s->subscription, sizeof s->subscription, "%.*s", (int)strcspn(said, "\n"), said);
}

static void pause_webhook(struct service_stage *s)
{
    SAY(s, 0, "webhooks", "pause", s->subscription);
}

static void resume_webhook(struct service_stage *s)
{
    SAY(s, 0, "webhooks", "resume", s->subscription);
}

static void rotate_webhook(struct service_stage *s)
{
    SAY(s, 0, "webhooks", "rotate", s->subscription);
}

/* What is there from before the key. */
static void seal_webhook(struct service_stage *s)
{
    scene_redis(s->scene, "HSET crier:{webhooks}:subscription:%s headers %s", s->subscription, "X-Key:value");
    SAY(s, 0, "webhooks", "seal");
}

static void remove_webhook(struct service_stage *s)
{
    SAY(s, 0, "webhooks", "remove", s->subscription);
}

static void test_webhook(struct service_stage *s)
{
    hook_server_answer(s->target, NULL);
    SAY(s, 0, "webhooks", "test", "hook");
}

static void test_webhook_in_vain(struct service_stage *s)
{
    hook_server_answer(s->target, "HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n");
    SAY(s, 1, "webhooks", "test", "hook");
    hook_server_answer(s->target, NULL);
}

/* Attempts at the target so far; yours. */
static json_t *attempts_at(struct service_stage *s)
{
    const char *said = SAY(s, 0, "webhooks", "attempts", "hook", "--json");
    struct error err;
    json_t *attempts = json_text_parse(said, strlen(said), 8, &err);

    assert_non_null(attempts);
    return attempts;
}

/* An event for the target, until it was tried: a run may end while it is under way. */
static void deliver(struct service_stage *s)
{
    int64_t until_ms = clock_monotonic_ms() + PATIENCE_MS;
    json_t *attempts = attempts_at(s);
    size_t before = json_array_size(attempts);

    emit(s, "record.refused", 0);
    for (;;) {
        json_decref(attempts);
        SAY(s, 0, "run", "hook");
        attempts = attempts_at(s);
        if (json_array_size(attempts) > before)
            break;
        look_again(until_ms, "an attempt");
    }
    json_decref(attempts);
}

static void resend_webhook(struct service_stage *s)
{
    json_t *attempts;

    deliver(s);
    work_off(s->scene, "past");
    index_count(s->scene->settings, "past-*");
    attempts = attempts_at(s);
    SAY(s, 0, "webhooks", "resend", "hook", json_member_text(json_array_get(attempts, 0), "id", ""));
    json_decref(attempts);
}

static void webhook_is_gone(struct service_stage *s)
{
    hook_server_answer(s->target, "HTTP/1.1 410 Gone\r\nContent-Length: 0\r\n\r\n");
    deliver(s);
    hook_server_answer(s->target, NULL);
}

/* For 61 of the 120 hours after which it would be turned off. */
static void webhook_fails(struct service_stage *s)
{
    hook_server_answer(s->target, "HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n");
    scene_redis(s->scene, "HSET crier:{webhooks}:target:hook failing_us %lld",
                (long long)(clock_wall_us() - INT64_C(61) * 3600 * US_PER_SECOND));
    deliver(s);
    hook_server_answer(s->target, NULL);
}

static void change_webhooks_at_the_door(struct service_stage *s)
{
    static const char *const changes[] = {"pause", "resume", "test", "rotate"};
    const char *body, *id, *made;
    struct error err;
    json_t *answer;

    service_stage_serve(s);
    body = arena_printf(s->scene->arena, "{\"url\":\"%s\"}", url_of(s));
    made = service_stage_ask(s, "POST", "/webhooks", body, 201);
    answer = json_text_parse(made, strlen(made), 4, &err);
    id = arena_text(s->scene->arena, json_member_text(answer, "id", ""));
    json_decref(answer);
    for (size_t i = 0; i < ARRAY_LENGTH(changes); i++)
        service_stage_ask(s, "POST", arena_printf(s->scene->arena, "/webhooks/%s/%s", id, changes[i]), "{}", 200);
    service_stage_ask(s, "DELETE", arena_printf(s->scene->arena, "/webhooks/%s", id), NULL, 200);
}

static void resend_in_vain_at_the_door(struct service_stage *s)
{
    service_stage_serve(s);
    service_stage_ask(s, "POST", "/webhooks/hook/resend/none", "{}", 400);
}

/* ------------------------------------------------------------------------------------------------ mails, the door */

static void test_mail(struct service_stage *s)
{
    SAY(s, 0, "mail", "test", "ada@example.org");
}

static void test_mail_in_vain(struct service_stage *s)
{
    server_stop(s->mail_server);
    SAY(s, 1, "mail", "test", "ada@example.org");
    server_restart(s->mail_server);
}

static void set_preference(struct service_stage *s)
{
    SAY(s, 0, "mail", "preferences", "ada@example.org", "daily");
}

static void set_preference_at_the_door(struct service_stage *s)
{
    service_stage_serve(s);
    service_stage_ask(s, "PUT", "/mail/preferences/ada@example.org", "{\"mails\":\"off\"}", 200);
}

static void make_token(struct service_stage *s)
{
    SAY(s, 0, "tokens", "create", "other", "--scope", "stats:read");
}

static void revoke_token(struct service_stage *s)
{
    SAY(s, 0, "tokens", "revoke", s->token_id);
}

/* ------------------------------------------------------------------------------------------------------ the service */

static void lead(struct service_stage *s)
{
    service_stage_halt(s);
    service_stage_serve(s);
}

static void lose_lease(struct service_stage *s)
{
    int64_t until_ms = clock_monotonic_ms() + PATIENCE_MS;

    service_stage_serve(s);
    while (scene_redis(s->scene, "EXISTS crier:{lease:clock}:holder")->integer == 0)
        look_again(until_ms, "a leader");
    scene_redis(s->scene, "SET crier:{lease:clock}:holder another PX 10000");
}

static void reload(struct service_stage *s)
{
    service_stage_serve(s);
    service_stage_configure(s, "[service]\nlog = warning\n");
    kill(server_pid(s->serve), SIGHUP);
}

/* What is wrong is said, and the service goes on with what it has. */
static void reload_is_refused(struct service_stage *s)
{
    service_stage_serve(s);
    service_stage_configure(s, "lg = debug\n");
    kill(server_pid(s->serve), SIGHUP);
}

/* -------------------------------------------------------------------------------------------------------- the rows */

/* Done one after the other; actor and resource: how they begin, as KIND/ID. The host is the event's source. */
static const struct row {
    const char *action;
    void (*perform)(struct service_stage *s);
    const char *actor, *resource, *outcome;
} rows[] = {
    {"token.created",           make_token,                  "operators/USER",     "tokens/",            "success"},
    {"mail.tested",             test_mail,                   "operators/USER",     "handlers/mails",     "success"},
    {"mail.tested",             test_mail_in_vain,           "operators/USER",     "handlers/mails",     "failure"},
    {"mail.preference_set",     set_preference,              "operators/USER",     "addresses/",         "success"},
    {"webhook.created",         add_webhook,                 "operators/USER",     "webhooks/wh_",       "success"},
    {"webhook.paused",          pause_webhook,               "operators/USER",     "webhooks/wh_",       "success"},
    {"webhook.resumed",         resume_webhook,              "operators/USER",     "webhooks/wh_",       "success"},
    {"webhook.rotated",         rotate_webhook,              "operators/USER",     "webhooks/wh_",       "success"},
    {"webhook.sealed",          seal_webhook,                "operators/USER",     "webhooks/wh_",       "success"},
    {"webhook.removed",         remove_webhook,              "operators/USER",     "webhooks/wh_",       "success"},
    {"webhook.tested",          test_webhook,                "operators/USER",     "webhooks/hook",      "success"},
    {"webhook.tested",          test_webhook_in_vain,        "operators/USER",     "webhooks/hook",      "failure"},
    {"webhook.resent",          resend_webhook,              "operators/USER",     "webhooks/hook",      "success"},
    {"webhook.failing",         webhook_fails,               "services/crier",     "webhooks/hook",      "success"},
    {"webhook.disabled",        webhook_is_gone,             "services/crier",     "webhooks/hook",      "success"},
    {"dead.retried",            retry_dead,                  "operators/USER",     "dead/",              "success"},
    {"dead.dropped",            drop_dead,                   "operators/USER",     "dead/",              "success"},
    {"group.forgotten",         forget_group,                "operators/USER",     "handlers/former",    "success"},
    {"group.remade",            lose_group,                  "services/",          "handlers/past",      "success"},
    {"handler.run",             run_handler,                 "operators/USER",     "handlers/past",      "success"},
    {"events.replayed",         replay,                      "operators/USER",     "replays/",           "success"},
    {"history.expired",         expire_history,              "handlers/forgetter", "handlers/past",      "success"},
    {"handler.ran",             expire_history,              "operators/USER",     "handlers/forgetter", "success"},
    {"audit.expired",           expire_audit,                "handlers/keeper",    "handlers/trail",     "success"},
    {"audit.searched",          search_audit,                "operators/USER",     "handlers/trail",     "success"},
    {"aggregations.computed",   compute,                     "operators/USER",     "handlers/views-agg", "success"},
    {"aggregations.deleted",    delete_aggregates,           "operators/USER",     "handlers/views-agg", "success"},
    {"statistics.restated",     restate,                     "operators/USER",     "handlers/views",     "success"},
    {"statistics.reclassified", reclassify,                  "operators/USER",     "handlers/views",     "success"},
    {"statistics.exported",     export_statistics,           "operators/USER",     "statistics/export",  "success"},
    {"statistics.imported",     import_statistics,           "operators/USER",     "statistics/import",  "success"},
    {"index.merge_cancelled",   cancel_merge,                "operators/USER",     "handlers/views",     "success"},
    {"index.merged",            merge,                       "operators/USER",     "handlers/views-agg", "success"},
    {"log.imported",            import_log,                  "operators/USER",     "logs/access",        "success"},
    {"report.sent",             report,                      "operators/USER",     "report/DSR",         "success"},
    {"reindex.failed",          reindex_fails,               "operators/USER",     "indices/things",     "failure"},
    {"reindex.resumed",         reindex,                     "operators/USER",     "indices/things",     "success"},
    {"reindex.finished",        reindex,                     "operators/USER",     "indices/things",     "success"},
    {"reindex.started",         reindex,                     "operators/USER",     "indices/things",     "success"},
    {"reindex.cancelled",       reindex_cancelled,           "operators/USER",     "indices/things",     "success"},
    {"copies.repaired",         repair_copies,               "handlers/care",      "handlers/members",   "success"},
    {"outbox.retried",          retry_row,                   "operators/USER",     "outbox/platform/",   "success"},
    {"outbox.dropped",          drop_row,                    "operators/USER",     "outbox/platform/",   "success"},
    {"audit.searched",          search_audit_at_the_door,    "tokens/TOKEN",       "handlers/trail",     "success"},
    {"mail.preference_set",     set_preference_at_the_door,  "tokens/TOKEN",       "addresses/",         "success"},
    {"webhook.created",         change_webhooks_at_the_door, "tokens/TOKEN",       "webhooks/wh_",       "success"},
    {"webhook.paused",          change_webhooks_at_the_door, "tokens/TOKEN",       "webhooks/wh_",       "success"},
    {"webhook.resumed",         change_webhooks_at_the_door, "tokens/TOKEN",       "webhooks/wh_",       "success"},
    {"webhook.tested",          change_webhooks_at_the_door, "tokens/TOKEN",       "webhooks/wh_",       "success"},
    {"webhook.rotated",         change_webhooks_at_the_door, "tokens/TOKEN",       "webhooks/wh_",       "success"},
    {"webhook.removed",         change_webhooks_at_the_door, "tokens/TOKEN",       "webhooks/wh_",       "success"},
    {"webhook.resent",          resend_in_vain_at_the_door,  "tokens/TOKEN",       "webhooks/hook",      "failure"},
    {"token.revoked",           revoke_token,                "operators/USER",     "tokens/",            "success"},
    {"lease.taken",             lead,                        "services/",          "leases/clock",       "success"},
    {"lease.lost",              lose_lease,                  "services/",          "leases/clock",       "success"},
    {"configuration.loaded",    reload,                      "operators/USER",     "configurations/",    "success"},
    {"configuration.refused",   reload_is_refused,           "services/crier",     "configurations/",    "failure"},
};

static const char *text_of(const json_t *entry, const char *path)
{
    const char *text = json_string_value(json_at(entry, path));

    return text ? text : "";
}

/* Whoever runs the tests, also behind sudo. */
static char *actor_of(const struct service_stage *s, const struct row *row)
{
    const char *user = getenv("SUDO_USER");
    char *with_user, *wanted;

    if (!user || !*user)
        user = getlogin() && getuid() != 0 ? getlogin() : "root";
    with_user = scene_replaced(row->actor, "USER", user);
    wanted = scene_replaced(with_user, "TOKEN", s->token_id);
    free(with_user);
    return wanted;
}

static void check_entry(struct service_stage *s, const struct row *row, const json_t *entry)
{
    const char *actor =
        arena_printf(s->scene->arena, "%s/%s", text_of(entry, "actor.kind"), text_of(entry, "actor.id"));
    const char *resource =
        arena_printf(s->scene->arena, "%s/%s", text_of(entry, "resource.kind"), text_of(entry, "resource.id"));
    char host[80] = "crier:", digest[ID_TEXT_BYTES], *wanted = actor_of(s, row);

    gethostname(host + 6, sizeof host - 7);
    if (strncmp(actor, wanted, strlen(wanted)) != 0)
        fail_msg("%s: by %s instead of %s", row->action, actor, wanted);
    if (strncmp(resource, row->resource, strlen(row->resource)) != 0)
        fail_msg("%s: of %s instead of %s", row->action, resource, row->resource);
    assert_string_equal(text_of(entry, "event.source"), host);
    mail_preference_digest("ada@example.org", digest); /* who knows addresses may try them */
    assert_string_not_equal(text_of(entry, "resource.id"), digest);
    free(wanted);
}

/*
 * The newest entry with the outcome of the row once there are more than before. Of what fails it was said before that
 * it is done, in the same millisecond perhaps; and a service that runs writes entries, too.
 */
static json_t *await_entry(struct service_stage *s, const struct row *row, int64_t before)
{
    int64_t until_ms = clock_monotonic_ms() + PATIENCE_MS, count;
    json_t *entry;

    for (;;) {
        work_off(s->scene, "trail");
        entry = service_stage_entry(s, row->action, row->outcome, &count);
        if (count > before)
            return entry;
        json_decref(entry);
        if (clock_monotonic_ms() > until_ms)
            fail_msg("no entry says crier.%s, as %s", row->action, row->outcome);
        usleep(LOOK_AGAIN_US);
    }
}

static void try_row(struct service_stage *s, const struct row *row)
{
    json_t *entry;
    int64_t before;

    work_off(s->scene, "trail");
    json_decref(service_stage_entry(s, row->action, row->outcome, &before));
    row->perform(s);
    entry = await_entry(s, row, before);
    check_entry(s, row, entry);
    json_decref(entry);
}

static void each_action_of_the_service_is_an_entry_with_who_what_and_how_it_ended(void **state)
{
    struct service_stage *s = *state;

    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++)
        try_row(s, &rows[i]);
}

static void each_action_of_the_service_has_a_row(void **state)
{
    (void)state;
    for (const struct service_action *a = service_actions; a->name; a++) {
        size_t i = 0;

        while (i < ARRAY_LENGTH(rows) && strcmp(rows[i].action, a->name) != 0)
            i++;
        if (i == ARRAY_LENGTH(rows))
            fail_msg("no row does %s", a->name);
    }
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
        cmocka_unit_test_setup_teardown(each_action_of_the_service_is_an_entry_with_who_what_and_how_it_ended, setup,
                                        teardown),
    };

    http_global_init();
    if (!mail_server_there())
        return 77;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
