/*
 * config/verb.h - one verb of the command line: a row in main's table and a function in the layer it belongs to.
 */
#ifndef CONFIG_VERB_H
#define CONFIG_VERB_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attrs.h"
#include "base/error.h"
#include "config/settings.h"

struct verb_call {
    const char *config_path;
    const struct settings *settings; /* NULL where the verb's row says it needs none */
    const struct config_outside *outside;
    bool json, dry_run;
    int argc; /* what follows the verb, options common to all taken out */
    char **argv;
};

struct verb {
    const char *name, *arguments, *help; /* arguments and help for --help, help one line */
    const char *more;                    /* further lines of --help, or NULL */
    bool needs_settings;
    int (*run)(struct verb_call *call); /* an exit code; speaks to the operator itself */
};

/*
 * Takes "--name value" or "--name=value" (or, with value NULL, "--name") out of argv.
 * False: not given. A missing value is a usage error: *value is NULL and true is returned.
 */
bool verb_option(struct verb_call *call, const char *name, const char **value);

/* The same, of a number from 1 to most; fallback where it is not given. */
bool verb_option_number(struct verb_call *call, const char *name, int64_t fallback, int64_t most, int64_t *out,
                        struct error *err) must_check;

/* An option that nobody took out, so that nobody knows it; NULL: there is none. */
const char *verb_unknown_option(const struct verb_call *call);

/* "crier VERB: text" on standard error; returns the exit code that fits. */
int verb_failed(const char *verb, const struct error *err);
int verb_usage(const char *verb, const char *what);

/* What verb_failed said last; "": nothing. */
const char *verb_why(void);

#endif
