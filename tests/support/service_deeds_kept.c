/* What is kept: events that wait, died or are old, what is counted of them, indices, and an outbox. */
#include "support/service_deeds.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/file.h"
#include "scheduler/lane.h"
#include "support/past.h"
#include "support/search_index.h"
#include "support/work.h"

enum { PATIENCE_MS = 60000 };

/* ------------------------------------------------------------------------------------------------- what waits, dies */

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
        service_stage_look_again(until_ms, "a parked row");
}

static void retry_row(struct service_stage *s)
{
    park_row(s);
    SAY(s, 0, "outbox", "retry", "platform", "--all");
}

static void drop_row(struct service_stage *s)
{
    park_row(s); /* the one that was tried again may be back, too */
    SAY(s, 0, "outbox", "drop", "platform",
        arena_printf(s->scene->arena, "%lld",
                     (long long)postgres_number(s->link, "SELECT max(number) FROM crier_outbox_parked")));
}

/* --------------------------------------------------------------------------------------------------------- the past */

static void expire_history(struct service_stage *s)
{
    service_stage_emit(s, "old.seen", 30);
    work_off(s->scene, "past");
    index_count(s->scene->settings, "past-*"); /* refreshes */
    SAY(s, 0, "run", "forgetter");
}

static void expire_audit(struct service_stage *s)
{
    service_stage_emit(s, "old.seen", 31);
    work_off(s->scene, "trail");
    index_count(s->scene->settings, "audit-*");
    SAY(s, 0, "run", "keeper");
}

static void search_audit(struct service_stage *s)
{
    SAY(s, 0, "audit", "search", "--limit", "1");
}

/* ------------------------------------------------------------------------------------------------------------ usage */

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

/* --------------------------------------------------------------------------------------------------------- an index */

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

const struct service_deed deeds_with_what_is_kept[] = {
    {"dead.retried",        retry_dead, "operators/USER", "dead/", "success"},
    {"dead.dropped",     drop_dead, "operators/USER", "dead/", "success"},
    {"group.forgotten",            forget_group, "operators/USER", "handlers/former", "success"},
    {"group.remade",        lose_group, "services/", "handlers/past", "success"},
    {"handler.run",     run_handler, "operators/USER", "handlers/past", "success"},
    {"events.replayed",            replay, "operators/USER", "replays/", "success"},
    {"history.expired",     expire_history, "handlers/forgetter", "handlers/past", "success"},
    {"handler.ran",     expire_history, "operators/USER", "handlers/forgetter", "success"},
    {"audit.expired",            expire_audit, "handlers/keeper", "handlers/trail", "success"},
    {"audit.searched",        search_audit, "operators/USER", "handlers/trail", "success"},
    {"aggregations.computed",          compute, "operators/USER", "handlers/views-agg", "success"},
    {"aggregations.deleted",            delete_aggregates, "operators/USER", "handlers/views-agg", "success"},
    {"statistics.restated",         restate, "operators/USER", "handlers/views", "success"},
    {"statistics.reclassified",     reclassify, "operators/USER", "handlers/views", "success"},
    {"statistics.exported",            export_statistics, "operators/USER", "statistics/export", "success"},
    {"statistics.imported",     import_statistics, "operators/USER", "statistics/import", "success"},
    {"index.merge_cancelled",     cancel_merge, "operators/USER", "handlers/views", "success"},
    {"index.merged",            merge, "operators/USER", "handlers/views-agg", "success"},
    {"log.imported",     import_log, "operators/USER", "logs/access", "success"},
    {"report.sent", report, "operators/USER", "report/DSR", "success"},
    {"reindex.failed",            reindex_fails, "operators/USER", "indices/things", "failure"},
    {"reindex.resumed",         reindex, "operators/USER", "indices/things", "success"},
    {"reindex.finished",     reindex, "operators/USER", "indices/things", "success"},
    {"reindex.started",            reindex, "operators/USER", "indices/things", "success"},
    {"reindex.cancelled",       reindex_cancelled, "operators/USER", "indices/things", "success"},
    {"copies.repaired",    repair_copies, "handlers/care", "handlers/members", "success"},
    {"outbox.retried",            retry_row, "operators/USER", "outbox/platform/", "success"},
    {"outbox.dropped",      drop_row, "operators/USER", "outbox/platform/", "success"},
    {0    },
};
