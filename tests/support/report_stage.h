/*
 * tests/support/report_stage.h - usage of 2024-09 to 2024-12 and the records it is of, in OpenSearch, and a hub that
 * takes reports of it.
 */
#ifndef TESTS_SUPPORT_REPORT_STAGE_H
#define TESTS_SUPPORT_REPORT_STAGE_H

#include <jansson.h>

#include "handlers/report/report.h"
#include "support/hub.h"
#include "support/scene.h"

enum { MANY_SESSIONS = 8500 }; /* each twice, on a day of 2024-12 */

struct report_stage {
    struct hub hub;
    struct scene *scene;
    struct client *client;
    struct error err;
    struct report *report; /* the test's */
};

/* For a group of tests, and for each. */
int report_stage_open(void **state);
int report_stage_close(void **state);
int report_stage_start(void **state); /* nothing was sent, and the hub answers 201 */
int report_stage_end(void **state);

/* The document of a report; lent until the next. */
const json_t *report_stage_make(struct report_stage *f, enum report_kind kind, const char *first, const char *last);

void check_holds(const char *text, const char *wanted);

#endif
