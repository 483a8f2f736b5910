/*
 * config/key.h - one row per key of the ini file: checking, the reference, the sample and `config show` walk it.
 */
#ifndef CONFIG_KEY_H
#define CONFIG_KEY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attrs.h"
#include "base/error.h"

enum config_type {
    CONFIG_TEXT,   /* char *, never NULL once loaded */
    CONFIG_SECRET, /* char *; hidden by `config show`; also taken from the file named by NAME_file */
    CONFIG_FLAG,   /* bool: yes or no */
    CONFIG_COUNT,  /* int64_t */
    CONFIG_SIZE,   /* int64_t bytes: 256KiB, 16MiB, 1GiB, or plain bytes */
    CONFIG_TIME,   /* int64_t milliseconds: 500ms, 5s, 10m, 24h, 7d */
    CONFIG_CHOICE, /* int: index into choices, which are separated by spaces */
};

struct config_key {
    const char *name;
    enum config_type type;
    size_t offset;        /* of the value in the section's struct */
    const char *fallback; /* as it would be written; NULL: required */
    int64_t least, most;  /* of a number; both 0: any that is not negative */
    const char *choices;
    bool (*check)(const char *value, struct error *err); /* more than the type says; NULL: nothing. Not for "" */
    const char *help;                                    /* one line */
};

/* The row that ends a table. */
#define CONFIG_END                                                                                                     \
    {                                                                                                                  \
        0                                                                                                              \
    }

/* A check that lives in a layer further right than the row it belongs to. */
struct config_rule {
    const char *section, *key;
    bool (*check)(const char *value, struct error *err);
};

/* A check of a whole section, made once each of its keys is good; section is its struct in config/settings.h. */
struct config_whole {
    const char *section;
    bool (*check)(const void *section, struct error *err);
};

/* A value of `type = NAME` in [handler]: keys of its own, in a struct of its own. */
struct config_kind {
    const char *name, *help;
    const struct config_key *keys; /* may be NULL */
    size_t size;                   /* of its struct */
    unsigned traits;
    const char *schedule; /* where its section names none; NULL: as for all */
};

enum {
    KIND_HEARS_SERVICE = 1, /* also gets what the service does itself (crier.*), whatever its queue's patterns say */
    KIND_COUNTS_PEOPLE =
        2,             /* no event of its queue carries an IP address, user agent, user or session id past the door */
    KIND_ONE_LANE = 4, /* never two lanes of it in one process */
    KIND_CLOCK = 8,    /* runs by the clock in one process at a time, and takes no events */
    KIND_TAKES_BACK = 32, /* gets back dead letters of its own making: events of type crier.* for it alone */
    KIND_LATER = 16,      /* takes events, and does by the clock what it left for later: likewise in one process */
    KIND_HEAD_APART = 64, /* of a kind with one lane: what somebody waits for does not wait for that lane's pass */
};

/* Sections under a name, as `profile = NAME` in [event] brings them into the file (config/profile.h). */
struct config_profile {
    const char *name, *help;
    const char *text; /* an ini file; {type} in it stands for the event's type, {kind} for that without its last part */
};

struct settings;
struct handler_settings;

/* What the layers further right know of the file. Arrays end with a zero row; each may be NULL. */
struct config_outside {
    const struct config_rule *rules;
    const struct config_kind *kinds;
    const struct config_whole *wholes;
    const struct config_profile *profiles;

    /* Whether a handler fits to the other sections, once all are read and good by themselves. */
    bool (*handler_fits)(const struct settings *s, const struct handler_settings *hs, struct error *err);
};

/* Reads one value as its row says; target is the section's struct. The text names what is allowed. */
bool config_value_set(const struct config_key *key, const char *text, void *target, struct error *err) must_check;

/* As it would be written in the file, into out; secrets as "(hidden)". */
struct buf;
void config_value_add(const struct config_key *key, const void *target, struct buf *out);

/* Fallbacks into target (cleared before), and back to nothing. */
void config_defaults(const struct config_key *keys, void *target);
void config_release(const struct config_key *keys, void *target);

#endif
