#include "handlers/report/report_form.h"

#include <pthread.h>
#include <regex.h>
#include <stdlib.h>
#include <string.h>

#include "base/attrs.h"
#include "base/clock.h"
#include "base/text.h"

#define UUID "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"

/* As the schemas of COUNTER 5.1 have them (COUNTER_API.json), as POSIX extended regular expressions. */
static const struct {
    const char *name, *pattern;
} forms[FORMS] = {
    [FORM_ANY] = {"a text",                              ""                                                        },
    [FORM_DATE] = {"a date (2026-10-31)",                 "^[0-9]{4}-[0-9]{2}-[0-9]{2}$"                            },
    [FORM_TIME] = {"a time (2026-11-02T08:00:00Z)",       "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z$"},
    [FORM_MONTH] = {"a month (2026-10)",                   "^[0-9]{4}-(0[1-9]|1[0-2])$"                              },
    [FORM_YEAR] = {"a year of four digits",               "^[0-9]{4}$"                                              },
    [FORM_COUNTRY] = {"a country of two lower case letters", "^[a-z]{2}$"                                              },
    [FORM_DOI] = {"a DOI",                               "^10\\.[1-9][0-9]{2}[0-9.]*/.+$"                          },
    [FORM_PROPRIETARY] = {"NAMESPACE:ID",                        "^[a-zA-Z][a-zA-Z0-9_./]{1,17}:.+"                        },
    [FORM_ISNI] = {"an ISNI",                             "^[0-9]{4}[ -]?[0-9]{4}[ -]?[0-9]{4}[ -]?[0-9]{3}[0-9X]$" },
    [FORM_ROR] = {"a ROR id",                            "^0[a-z0-9]{6}[0-9]{2}$"                                  },
    [FORM_ISIL] = {"an ISIL",                             "^([A-Z]{2}|[a-zA-Z0-9]{1,4})-.{1,11}$"                   },
    [FORM_OCLC] = {"an OCLC symbol of digits",            "^[0-9]+$"                                                },
    [FORM_URI] = {"a URI",                               "^[a-zA-Z][a-zA-Z0-9+.-]*:[^ <>\"]+$"                     },
    [FORM_REGISTRY] = {"a record in COUNTER's registry",
                  "^(https://registry\\.(projectcounter\\.org|countermetrics\\.org)/platform/" UUID "|)$"          },
};

static regex_t compiled[FORMS];
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void compile_all(void)
{
    for (size_t i = 0; i < FORMS; i++)
        if (regcomp(&compiled[i], forms[i].pattern, REG_EXTENDED | REG_NOSUB) != 0)
            abort(); /* the patterns are ours */
}

static bool is_day(const char *text)
{
    char moment[TIME_TEXT_BYTES];
    int64_t us;

    memcpy(moment, text, 10);
    memcpy(moment + 10, "T00:00:00Z", 11);
    return strncmp(text, "1970", 4) < 0 || time_parse(moment, strlen(moment), false, &us);
}

bool report_form_is(enum report_form form, const char *text)
{
    pthread_once(&once, compile_all);
    return regexec(&compiled[form], text, 0, NULL, 0) == 0 &&
           ((form != FORM_DATE && form != FORM_TIME) || is_day(text));
}

const char *report_form_name(enum report_form form)
{
    return forms[form].name;
}
