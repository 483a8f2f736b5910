/* The verb of the audit log. */
#include <stdio.h>
#include <string.h>

#include "base/listing.h"
#include "notifier/service_action.h"
#include "scheduler/audit_search_call.h"
#include "scheduler/audit_verify_call.h"
#include "scheduler/verbs.h"

/* What the service says of itself, for whoever maps actions or looks for some. */
static int list_actions(struct verb_call *call)
{
    struct listing *l;

    if (call->argc > 0)
        return verb_usage("audit", "actions takes nothing more");
    l = listing_new("action meaning");
    for (const struct service_action *a = service_actions; a->name; a++) {
        char type[64];

        snprintf(type, sizeof type, "crier.%s", a->name);
        listing_text(l, type);
        listing_text(l, a->help);
    }
    listing_write(l, stdout, call->json);
    listing_free(l);
    return EXIT_DONE;
}

int verb_audit(struct verb_call *call)
{
    static const struct {
        const char *name;
        int (*run)(struct verb_call *call);
    } actions[] = {
        {"search",  audit_search_call},
        {"verify",  audit_verify_call},
        {"actions", list_actions     },
    };

    for (size_t i = 0; call->argc > 0 && i < ARRAY_LENGTH(actions); i++)
        if (strcmp(call->argv[0], actions[i].name) == 0) {
            call->argc--;
            call->argv++;
            return actions[i].run(call);
        }
    return verb_usage("audit", "say search, verify [FILE...] or actions");
}
