/*
 * notifier/platform/platform_door.h - the door to the queues in which a platform's own statistics events and change
 * notifications (notification_queue.h) wait: [platform].
 *
 * A thread of its own reads the broker's lists, brings what it finds through the intake, and takes off only what Redis
 * has: accepted, seen before, a robot's. What can never be an event goes to the dead letters, without its content. Who
 * it was goes no further than to the preparation that the type's section asks for. Any number of these doors, and of
 * the platform's own consumers, may read the same queues.
 */
#ifndef NOTIFIER_PLATFORM_PLATFORM_DOOR_H
#define NOTIFIER_PLATFORM_PLATFORM_DOOR_H

#include <stdbool.h>

#include "base/attrs.h"
#include "base/error.h"
#include "base/stop.h"
#include "config/settings.h"

bool platform_queues_check(const char *queues, struct error *err); /* for configuration rows: QUEUE=TYPE ... */

struct platform_door;

/* NULL: ERROR_CONFIG. A broker that is not there yet is waited for. It ends on the stop. */
struct platform_door *platform_door_start(const struct settings *s, struct stop *stop, struct error *err) must_check;
void platform_door_join(struct platform_door *d); /* NULL is fine */

#endif
