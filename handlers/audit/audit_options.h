/* handlers/audit/audit_options.h - the keys of a handler of type audit. */
#ifndef HANDLERS_AUDIT_AUDIT_OPTIONS_H
#define HANDLERS_AUDIT_AUDIT_OPTIONS_H

#include <stdint.h>

#include "config/key.h"

enum audit_form { AUDIT_FORM_CRIER, AUDIT_FORM_INVENIO };

struct audit_options {
    char *index, *action, *actions;
    char *actor_name, *on_behalf_of; /* where in an event they are */
    char *request, *mask;            /* words */
    int form;                        /* enum audit_form, of what is in the index */
    int64_t field_bytes;
};

extern const struct config_key audit_option_keys[];

#endif
