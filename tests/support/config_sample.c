#include "support/config_sample.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static const struct config_key counting_keys[] = {
    {"index", CONFIG_TEXT, offsetof(struct counting, index), NULL, 0, 0, NULL, NULL, "where the counts go"},
    CONFIG_END,
};

static const struct config_key posting_keys[] = {
    {"url",   CONFIG_TEXT,   offsetof(struct posting, url),      NULL, 0,    0, NULL, NULL, "where it is posted to"},
    {"token", CONFIG_SECRET, offsetof(struct posting, token),    "",   0,    0, NULL, NULL, "sent along"           },
    {"retry", CONFIG_TIME,   offsetof(struct posting, retry_ms), "1m", 1000, 0, NULL, NULL, "between two attempts" },
    CONFIG_END,
};

static const struct config_kind kinds[] = {
    {"counting",     "counts", counting_keys, sizeof(struct counting), 0, NULL},
    {"posting", "posts", posting_keys, sizeof(struct posting), KIND_ONE_LANE, NULL},
    {"idle",             "does nothing", NULL, 0, 0, NULL},
    {0             },
};

static bool no_x(const char *value, struct error *err)
{
    return !strchr(value, 'x') || error_set(err, ERROR_CONFIG, "an x in \"%s\"", value);
}

static const struct config_rule rules[] = {
    {"queue", "events", no_x},
    {0  }
};

static const struct config_profile profiles[] = {
    {"counted",                                                                                              "counts every event",
     "[queue counts]\nevents = {type}\n[handler {type}]\ntype = counting\nqueue = counts\nindex = counts\n"},
    {0},
};

const struct config_outside config_sample = {.rules = rules, .kinds = kinds, .profiles = profiles};

struct settings *config_parse(const char *text, struct buf *mistakes)
{
    struct error err;

    return settings_parse("test.ini", text, strlen(text), &config_sample, mistakes, &err);
}

struct settings *config_parse_good(const char *text)
{
    struct buf mistakes = BUF_INIT;
    struct settings *s = config_parse(text, &mistakes);

    if (!s)
        fail_msg("%s", mistakes.data);
    buf_release(&mistakes);
    return s;
}

void config_mistakes_are(const char *text, const char *expected)
{
    struct buf mistakes = BUF_INIT;
    struct settings *s = config_parse(text, &mistakes);

    assert_null(s);
    assert_string_equal(mistakes.data, expected);
    buf_release(&mistakes);
}
