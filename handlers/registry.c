#include "handlers/registry.h"

#include <pthread.h>
#include <string.h>

#include "handlers/aggregate.h"
#include "handlers/archive.h"
#include "handlers/audit.h"
#include "handlers/denormalize.h"
#include "handlers/exec.h"
#include "handlers/history.h"
#include "handlers/mail.h"
#include "handlers/post.h"
#include "handlers/reconcile.h"
#include "handlers/record.h"
#include "handlers/record_stats.h"
#include "handlers/retain.h"
#include "handlers/statistics.h"
#include "handlers/webhook.h"

/* The only list. A new handler type is a file that defines one of these, and a word here. */
static const struct handler_type *const types[] = {
    &aggregate_handler,    &archive_handler, &audit_handler,      &denormalize_handler, &exec_handler,
    &history_handler,      &mail_handler,    &post_handler,       &reconcile_handler,   &record_handler,
    &record_stats_handler, &retain_handler,  &statistics_handler, &webhook_handler,
};

const struct handler_type *handler_type_find(const char *name)
{
    for (size_t i = 0; i < ARRAY_LENGTH(types); i++)
        if (strcmp(types[i]->name, name) == 0)
            return types[i];
    return NULL;
}

static struct config_kind kinds[ARRAY_LENGTH(types) + 1];

static void fill_kinds(void)
{
    for (size_t i = 0; i < ARRAY_LENGTH(types); i++)
        kinds[i] = (struct config_kind){
            .name = types[i]->name,
            .help = types[i]->help,
            .keys = types[i]->keys,
            .size = types[i]->size,
            .traits = types[i]->traits,
            .schedule = types[i]->schedule,
        };
}

const struct config_kind *handler_kinds(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    pthread_once(&once, fill_kinds);
    return kinds;
}
