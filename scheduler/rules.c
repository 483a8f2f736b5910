#include <pthread.h>

#include "base/signing_key.h"
#include "handlers/handler.h"
#include "handlers/profiles.h"
#include "handlers/query/statistic.h"
#include "handlers/registry.h"
#include "handlers/report/report_records.h"
#include "handlers/source/source.h"
#include "notifier/access/signed.h"
#include "notifier/access_log/access_log_url.h"
#include "notifier/networks.h"
#include "notifier/outbox/outbox_sql.h"
#include "notifier/pattern.h"
#include "notifier/platform/platform_door.h"
#include "notifier/prepare.h"
#include "notifier/unique.h"
#include "scheduler/schedule.h"
#include "scheduler/verbs.h"

/* Lined up, the columns would go beyond the edge of the page. */
/* clang-format off */
static const struct config_rule rules[] = {
    {"queue", "events", patterns_check},
    {"event", "prepare", prepare_check},
    {"event", "unique", unique_check},
    {"event", "clicks", unique_clicks_check},
    {"event", "ignore_networks", networks_check},
    {"handler", "events", patterns_check},
    {"handler", "schedule", schedule_check},
    {"platform", "queues", platform_queues_check},
    {"access-log", "pattern", access_form_check},
    {"url", "pattern", access_url_pattern_check},
    {"url", "methods", access_url_methods_check},
    {"url", "status", access_url_status_check},
    {"report", "data_types", report_data_types_check},
    {"audit", "key", signing_key_check},
    {0},
};

static const struct config_whole wholes[] = {
    {"http", signed_section_check},
    {"event", prepare_files_check},
    {"event", unique_section_check},
    {"outbox", outbox_section_check},
    {"handler", handler_check},
    {"query", statistic_check},
    {"source", source_check},
    {"url", access_url_check},
    {0},
};
/* clang-format on */

static struct config_outside outside;

static void fill_outside(void)
{
    outside = (struct config_outside){
        .rules = rules,
        .kinds = handler_kinds(),
        .wholes = wholes,
        .profiles = handler_profiles,
        .handler_fits = handler_fits,
    };
}

const struct config_outside *scheduler_outside(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    pthread_once(&once, fill_outside);
    return &outside;
}
