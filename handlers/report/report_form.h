/* handlers/report/report_form.h - the forms that usage reports have texts in: dates, identifiers, words of a list. */
#ifndef HANDLERS_REPORT_REPORT_FORM_H
#define HANDLERS_REPORT_REPORT_FORM_H

#include <stdbool.h>
#include <stddef.h>

/* What COUNTER calls kinds of items in IR and, with others, in PR. */
#define REPORT_ITEM_TYPES                                                                                              \
    "Article Audiovisual Book_Segment Conference_Item Database_Full_Item Dataset Image Interactive_Resource "          \
    "Multimedia News_Item Other Patent Reference_Item Report Software Sound Standard Thesis_or_Dissertation "          \
    "Unspecified"
#define REPORT_TYPE_UNKNOWN "Unspecified"
#define REPORT_TYPE_DATASET "Dataset"
#define REPORT_TYPE_ARTICLE "Article"

enum report_form {
    FORM_ANY,
    FORM_DATE,        /* 2026-10-31 */
    FORM_TIME,        /* 2026-11-02T08:00:00Z */
    FORM_MONTH,       /* 2026-10 */
    FORM_YEAR,        /* 2026 */
    FORM_COUNTRY,     /* ch */
    FORM_DOI,         /* 10.5281/zenodo.1 */
    FORM_PROPRIETARY, /* namespace:id */
    FORM_ISNI,
    FORM_ROR,
    FORM_ISIL,
    FORM_OCLC,
    FORM_URI,
    FORM_REGISTRY, /* a record in COUNTER's registry, or nothing */
    FORMS,
};

bool report_form_is(enum report_form form, const char *text);

/* "a date (2026-10-31)" */
const char *report_form_name(enum report_form form);

#endif
