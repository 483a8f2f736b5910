/* config/check.h - what a value must be beyond its type: names, addresses. All say what is wanted (ERROR_CONFIG). */
#ifndef CONFIG_CHECK_H
#define CONFIG_CHECK_H

#include <stdbool.h>

#include "base/error.h"

bool check_name(const char *name, struct error *err);       /* of a queue or handler */
bool check_event_type(const char *type, struct error *err); /* dotted */
/* A column, a channel: 1 to 63 letters, digits and "_", not starting with a digit; a table may have a schema. */
bool check_sql_name(const char *name, struct error *err);
bool check_sql_table(const char *table, struct error *err);
bool check_redis_url(const char *url, struct error *err);
bool check_http_urls(const char *urls, struct error *err); /* several, separated by spaces */
bool check_listen(const char *address, struct error *err); /* ADDRESS:PORT */

#endif
