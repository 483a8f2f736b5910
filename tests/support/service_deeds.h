/*
 * tests/support/service_deeds.h - what the service and its operators do that is an entry of the audit, on the stage of
 * service_stage.h.
 */
#ifndef TESTS_SUPPORT_SERVICE_DEEDS_H
#define TESTS_SUPPORT_SERVICE_DEEDS_H

#include "support/service_stage.h"

/* Actor and resource of the entry: how they begin, as KIND/ID; USER is whoever runs the tests, TOKEN the stage's. */
struct service_deed {
    const char *action;
    void (*perform)(struct service_stage *s);
    const char *actor, *resource, *outcome;
};

/* To be done one after the other, in this order of the tables too. Each ends with a row of nothing. */
extern const struct service_deed deeds_of_what_goes_out[];
extern const struct service_deed deeds_with_what_is_kept[];
extern const struct service_deed deeds_of_the_service[];

#endif
