#include "config/value.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/text.h"

/* A number's units, from the largest; the last one is what is stored. */
struct unit {
    const char *name;
    int64_t factor;
};

static const struct unit time_units[] = {
    {"d",      86400000},
    {"h",        3600000},
    {"m",60000},
    {"s",      1000},
    {"ms",        1},
    {0}
};
static const struct unit size_units[] = {
    {"GiB",    1 << 30},
    {"MiB",        1 << 20},
    {"KiB",1 << 10},
    {"",    1},
    {0       }
};
static const struct unit count_units[] = {
    {"", 1},
    {0 }
};

static const struct unit *units_of(enum config_type type)
{
    return type == CONFIG_TIME ? time_units : type == CONFIG_SIZE ? size_units : count_units;
}

static void *slot(const struct config_key *key, void *target)
{
    return (char *)target + key->offset;
}

static const void *slot_read(const struct config_key *key, const void *target)
{
    return (const char *)target + key->offset;
}

const char *config_type_name(enum config_type type)
{
    static const char *const names[] = {
        [CONFIG_TEXT] = "text", [CONFIG_SECRET] = "secret", [CONFIG_FLAG] = "flag",     [CONFIG_COUNT] = "count",
        [CONFIG_SIZE] = "size", [CONFIG_TIME] = "time",     [CONFIG_CHOICE] = "choice",
    };

    return names[type];
}

bool config_key_required(const struct config_key *key)
{
    return !key->fallback;
}

/* ------------------------------------------------------------------------------------------------ numbers */

static int64_t most_of(const struct config_key *key)
{
    return key->most ? key->most : INT64_MAX;
}

static void add_number(struct buf *out, int64_t number, enum config_type type)
{
    const struct unit *u = units_of(type);

    if (number == 0) {
        buf_add_text(out, type == CONFIG_TIME ? "0s" : "0");
        return;
    }
    while (number % u->factor != 0)
        u++;
    buf_add_int(out, number / u->factor);
    buf_add_text(out, u->name);
}

static void add_range(const struct config_key *key, struct buf *out)
{
    if (key->most) {
        buf_add_text(out, " from ");
        add_number(out, key->least, key->type);
        buf_add_text(out, " to ");
        add_number(out, key->most, key->type);
    } else if (key->least) {
        buf_add_text(out, " of at least ");
        add_number(out, key->least, key->type);
    }
}

static bool number_parse(const char *text, const struct unit *units, int64_t *number)
{
    size_t digits = strspn(text, "0123456789");

    if (!text_int(text, digits, number))
        return false;
    for (const struct unit *u = units; u->name; u++)
        if (text_same(text + digits, u->name))
            return !__builtin_mul_overflow(*number, u->factor, number);
    return false;
}

/* ------------------------------------------------------------------------------------------------- choices */

/* The index of text among the choices; -1: none of them. */
static int choice_index(const char *choices, const char *text)
{
    const char *word;
    size_t length;

    for (int i = 0; text_word(&choices, &word, &length); i++)
        if (strlen(text) == length && memcmp(word, text, length) == 0)
            return i;
    return -1;
}

static void add_choice(struct buf *out, const char *choices, int index)
{
    const char *word;
    size_t length;

    for (int i = 0; text_word(&choices, &word, &length); i++)
        if (i == index)
            buf_add(out, word, length);
}

/* "error, warning or info" */
static void add_choices(struct buf *out, const char *choices)
{
    const char *word;
    size_t length;

    for (int i = 0; text_word(&choices, &word, &length); i++) {
        const char *ahead = choices, *next;
        size_t next_length;
        bool last = !text_word(&ahead, &next, &next_length);

        buf_add_text(out, i == 0 ? "" : last ? " or " : ", ");
        buf_add(out, word, length);
    }
}

/* ------------------------------------------------------------------------------------------------- reading */

void config_value_add_allowed(const struct config_key *key, bool with_units, struct buf *out)
{
    switch (key->type) {
    case CONFIG_TEXT:
    case CONFIG_SECRET:
        buf_add_text(out, "a text");
        break;
    case CONFIG_FLAG:
        buf_add_text(out, "yes or no");
        break;
    case CONFIG_COUNT:
        buf_add_text(out, "a whole number");
        add_range(key, out);
        break;
    case CONFIG_SIZE:
        buf_add_text(out, "a size");
        add_range(key, out);
        buf_add_text(out, with_units ? " (bytes, KiB, MiB or GiB)" : "");
        break;
    case CONFIG_TIME:
        buf_add_text(out, "a time");
        add_range(key, out);
        buf_add_text(out, with_units ? " (ms, s, m, h or d)" : "");
        break;
    case CONFIG_CHOICE:
        add_choices(out, key->choices);
        break;
    }
}

static bool not_allowed(const struct config_key *key, const char *text, struct error *err)
{
    struct buf allowed = BUF_INIT;

    config_value_add_allowed(key, true, &allowed);
    error_set(err, ERROR_CONFIG, "must be %s, not \"%.80s\"", allowed.data, text);
    buf_release(&allowed);
    return false;
}

static bool set_text(const struct config_key *key, const char *text, void *target, struct error *err)
{
    char **at = slot(key, target);

    if (!text[0] && config_key_required(key))
        return error_set(err, ERROR_CONFIG, "must not be empty");
    free(*at);
    *at = xstrdup(text);
    return true;
}

static bool set_number(const struct config_key *key, const char *text, void *target, struct error *err)
{
    int64_t number;

    if (!number_parse(text, units_of(key->type), &number) || number < key->least || number > most_of(key))
        return not_allowed(key, text, err);
    *(int64_t *)slot(key, target) = number;
    return true;
}

static bool set_flag(const struct config_key *key, const char *text, void *target, struct error *err)
{
    int index = choice_index("no yes", text);

    if (index < 0)
        return not_allowed(key, text, err);
    *(bool *)slot(key, target) = index == 1;
    return true;
}

static bool set_choice(const struct config_key *key, const char *text, void *target, struct error *err)
{
    int index = choice_index(key->choices, text);

    if (index < 0)
        return not_allowed(key, text, err);
    *(int *)slot(key, target) = index;
    return true;
}

static bool set(const struct config_key *key, const char *text, void *target, struct error *err)
{
    switch (key->type) {
    case CONFIG_FLAG:
        return set_flag(key, text, target, err);
    case CONFIG_CHOICE:
        return set_choice(key, text, target, err);
    case CONFIG_COUNT:
    case CONFIG_SIZE:
    case CONFIG_TIME:
        return set_number(key, text, target, err);
    case CONFIG_TEXT:
    case CONFIG_SECRET:
        break;
    }
    return set_text(key, text, target, err);
}

bool config_value_set(const struct config_key *key, const char *text, void *target, struct error *err)
{
    return set(key, text, target, err) && (!key->check || !text[0] || key->check(text, err));
}

/* ------------------------------------------------------------------------------------------------- writing */

/* "scheme://user:password@" without the password; *at moves behind it. False: no such thing stands here. */
static bool skip_password(const char **at, struct buf *out)
{
    size_t word = strcspn(*at, " \t");
    const char *host = memrchr(*at, '@', word), *colon = memchr(*at, ':', word);

    if (!host || !colon || colon > host)
        return false;
    buf_add(out, *at, (size_t)(colon - *at));
    buf_add_text(out, ":(hidden)");
    *at = host;
    return true;
}

/* As the file has it: "${" doubled, and no password of a URL. */
static void add_text(struct buf *out, const char *text)
{
    while (*text) {
        if (text_starts(text, "${"))
            buf_add_char(out, '$');
        if (text_starts(text, "://")) {
            buf_add_text(out, "://");
            text += 3;
            skip_password(&text, out);
        } else {
            buf_add_char(out, *text++);
        }
    }
}

void config_value_add(const struct config_key *key, const void *target, struct buf *out)
{
    const void *at = slot_read(key, target);

    switch (key->type) {
    case CONFIG_TEXT:
        add_text(out, *(char *const *)at);
        break;
    case CONFIG_SECRET:
        buf_add_text(out, (*(char *const *)at)[0] ? "(hidden)" : "");
        break;
    case CONFIG_FLAG:
        buf_add_text(out, *(const bool *)at ? "yes" : "no");
        break;
    case CONFIG_COUNT:
    case CONFIG_SIZE:
    case CONFIG_TIME:
        add_number(out, *(const int64_t *)at, key->type);
        break;
    case CONFIG_CHOICE:
        add_choice(out, key->choices, *(const int *)at);
        break;
    }
}

/* ------------------------------------------------------------------------------------------- a whole table */

static bool is_text(const struct config_key *key)
{
    return key->type == CONFIG_TEXT || key->type == CONFIG_SECRET;
}

void config_defaults(const struct config_key *keys, void *target)
{
    struct error err;

    for (const struct config_key *key = keys; key && key->name; key++) {
        if (is_text(key))
            *(char **)slot(key, target) = xstrdup(key->fallback ? key->fallback : "");
        else if (key->fallback && !set(key, key->fallback, target, &err))
            abort(); /* a row that contradicts itself */
    }
}

void config_release(const struct config_key *keys, void *target)
{
    for (const struct config_key *key = keys; key && key->name; key++)
        if (is_text(key)) {
            free(*(char **)slot(key, target));
            *(char **)slot(key, target) = NULL;
        }
}

/* --------------------------------------------------------------------------------------------- environment */

/* The length of a ${NAME} at text; 0: there is none. */
static size_t variable(const char *text, char *name, size_t size)
{
    static const char first[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_";
    size_t length = strspn(text + 2, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_0123456789");

    if (!text[2] || !strchr(first, text[2]) || text[2 + length] != '}' || length >= size)
        return 0;
    memcpy(name, text + 2, length);
    name[length] = '\0';
    return length + 3;
}

bool config_value_expand(const char *text, struct buf *out, struct error *err)
{
    char name[128];

    while (*text) {
        const char *value;
        size_t length;

        if (text_starts(text, "$${")) {
            buf_add_text(out, "${");
            text += 3;
        } else if (!text_starts(text, "${")) {
            buf_add_char(out, *text++);
        } else if ((length = variable(text, name, sizeof name)) == 0) {
            return error_set(err, ERROR_CONFIG,
                             "a variable of the environment is written ${NAME}, and $${ stands for \"${\" itself");
        } else if (!(value = getenv(name))) {
            return error_set(err, ERROR_CONFIG, "the environment has no variable %s", name);
        } else {
            buf_add_text(out, value);
            text += length;
        }
    }
    return true;
}
