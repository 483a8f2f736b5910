/*
 * handlers/report/report_shape.h - what a JSON document must look like, as tables: members and what they may hold.
 *
 * For what we write ourselves: members that no row names are mistakes.
 */
#ifndef HANDLERS_REPORT_REPORT_SHAPE_H
#define HANDLERS_REPORT_REPORT_SHAPE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/attrs.h"
#include "base/error.h"
#include "handlers/report/report_form.h"

enum shape_type { SHAPE_TEXT, SHAPE_COUNT, SHAPE_NUMBER, SHAPE_OBJECT, SHAPE_ARRAY };

struct shape;

struct shape_value {
    const char *name; /* as a member of an object; NULL ends a list of members */
    bool required;
    enum shape_type type;
    size_t least, most;              /* bytes of a text, members, items; the value of a count; most 0: any */
    const char *is;                  /* the only text; NULL: any */
    const char *words;               /* the texts allowed, separated by spaces; NULL: any */
    enum report_form form;           /* of a text */
    const struct shape *of;          /* of an object */
    const struct shape_value *items; /* of an array: each of them */
    bool unique;                     /* no item of an array comes twice */
};

struct shape {
    const struct shape_value *members;
    const struct shape_value *others; /* any other member; NULL: there is none */
    enum report_form other_names;

    /* More than tables say; NULL: nothing. */
    bool (*also)(const json_t *object, struct error *err);
};

/* False: ERROR_INPUT, "Report_Items[3].Item_ID.DOI: is no DOI". */
bool shape_check(const json_t *value, const struct shape_value *v, struct error *err) must_check;

#endif
