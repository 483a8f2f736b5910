/* config/keys.h - the keys of each section, one table each; config/section.c says where they go. */
#ifndef CONFIG_KEYS_H
#define CONFIG_KEYS_H

#include "config/key.h"

#define KIB    INT64_C(1024)
#define MIB    (1024 * KIB)
#define SECOND INT64_C(1000)
#define HOUR   (3600 * SECOND)
#define DAY    (24 * HOUR)

/* keys_service.c: the process and its peers */
extern const struct config_key service_keys[], redis_keys[], opensearch_keys[], http_keys[], audit_keys[];

/* keys_work.c: what travels, and what is done about it */
extern const struct config_key queue_keys[], event_keys[], handler_keys[];

/* keys_source.c: where present states are asked for */
extern const struct config_key source_keys[];

/* keys_database.c: what stands in the platform's database */
extern const struct config_key outbox_keys[];

/* keys_statistics.c: what statistics need besides: other doors, queries, reports */
extern const struct config_key platform_keys[], access_log_keys[], url_keys[], query_keys[], report_keys[];

#endif
