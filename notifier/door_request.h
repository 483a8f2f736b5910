/* notifier/door_request.h - one HTTP request at the door, from its headers to its answer, as libmicrohttpd calls for
 * it. */
#ifndef NOTIFIER_DOOR_REQUEST_H
#define NOTIFIER_DOOR_REQUEST_H

#include <microhttpd.h>

#include "notifier/door_desk.h"

/* desk: a struct desk. */
enum MHD_Result request_handle(void *desk, struct MHD_Connection *c, const char *path, const char *method,
                               const char *version, const char *bytes, size_t *length, void **state);
void request_completed(void *desk, struct MHD_Connection *c, void **state, enum MHD_RequestTerminationCode why);

#endif
