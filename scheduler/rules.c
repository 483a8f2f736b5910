#include "handlers/handler.h"
#include "notifier/pattern.h"
#include "notifier/prepare.h"
#include "notifier/unique.h"
#include "scheduler/schedule.h"
#include "scheduler/verbs.h"

const struct config_rule scheduler_rules[] = {
    {"queue",         "events", patterns_check},
    {"event", "prepare", prepare_check},
    {"event",         "unique", unique_check},
    {"handler",  "events", patterns_check},
    {"handler",         "schedule", schedule_check},
    {0  },
};

const struct config_whole scheduler_wholes[] = {
    {"event",        prepare_files_check},
    {"handler",              handler_check},
    {0},
};
