/* Any bytes as an ini file: refused with a line, or loaded; what is loaded can be shown and loaded again. */
#include <stdlib.h>
#include <string.h>

#include "config/print.h"
#include "config/settings.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

struct options {
    char *text, *secret;
    int64_t time_ms, bytes;
    int choice;
};

#define AT(field) offsetof(struct options, field)
static const struct config_key keys[] = {
    {"text",   CONFIG_TEXT,   AT(text),    NULL,   0, 0,       NULL,      NULL, "help"},
    {"secret", CONFIG_SECRET, AT(secret),  "",     0, 0,       NULL,      NULL, "help"},
    {"time",   CONFIG_TIME,   AT(time_ms), "5s",   0, 0,       NULL,      NULL, "help"},
    {"bytes",  CONFIG_SIZE,   AT(bytes),   "1KiB", 1, 1 << 20, NULL,      NULL, "help"},
    {"choice", CONFIG_CHOICE, AT(choice),  "one",  0, 0,       "one two", NULL, "help"},
    CONFIG_END,
};

static const struct config_kind kinds[] = {
    {"kind",         "help", keys, sizeof(struct options), KIND_ONE_LANE, NULL},
    {"bare",          "help", NULL, 0, 0, NULL},
    {0},
};

static const struct config_profile profiles[] = {
    {"profile",                            "help",
     "[queue {type}]\nevents = {type}\n[handler h]\ntype = kind\nqueue = {type}\ntext = {type} {x} {time:%Y}\n"
     "[event {type}]\nunique = time/1s\n"},
    {0},
};

static const struct config_outside outside = {.kinds = kinds, .profiles = profiles};

/* A value as long as a line may be does not fit once its key stands before it: only then may the shown file fail. */
static bool fits(const struct buf *text)
{
    for (const char *line = text->data; *line; line = strchr(line, '\n') + 1)
        if (strcspn(line, "\n") >= 199 || memmem(line, strcspn(line, "\n"), " ;", 2))
            return false;
    return true;
}

static void show_and_load(struct settings *s)
{
    struct buf shown = BUF_INIT, json = BUF_INIT, mistakes = BUF_INIT;
    struct error err;

    settings_add_shown(s, &outside, &shown);
    settings_add_shown_json(s, &json);
    if (fits(&shown)) {
        struct settings *again = settings_parse("shown", shown.data, shown.length, &outside, &mistakes, &err);

        if (!again)
            abort();
        settings_free(again);
    }
    buf_release(&shown);
    buf_release(&json);
    buf_release(&mistakes);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    struct buf mistakes = BUF_INIT;
    struct error err;
    struct settings *s = settings_parse("fuzz.ini", (const char *)bytes, length, &outside, &mistakes, &err);

    if ((s != NULL) != (mistakes.length == 0))
        abort();
    if (s)
        show_and_load(s);
    settings_free(s);
    buf_release(&mistakes);
    return 0;
}
