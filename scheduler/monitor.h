/*
 * scheduler/monitor.h - whether this process lives and is of use, and its numbers: the pages behind GET /health/live,
 * /health/ready and /metrics.
 *
 * The peers are asked every two seconds by a thread of the monitor's own, so that a page answers at once whatever they
 * do.
 */
#ifndef SCHEDULER_MONITOR_H
#define SCHEDULER_MONITOR_H

#include "base/stop.h"
#include "config/settings.h"
#include "notifier/door.h"

struct monitor;

struct monitor *monitor_start(const struct settings *s, struct stop *stop);
void monitor_join(struct monitor *m);

/* Whose troubles readiness tells too; lent until told anew, NULL for none. */
struct outbox_relays;
void monitor_know_outboxes(struct monitor *m, struct outbox_relays *relays);
void monitor_know_door(struct monitor *m, struct door *door);

/* The pages, ended by a zero row; as long as the monitor. */
const struct door_page *monitor_pages(struct monitor *m);

#endif
