#include "scheduler/schedule.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/text.h"
#include "base/zone.h"
#include "config/key.h"
#include "scheduler/cron.h"

enum { WORD_BYTES = 128 };

/* The last moment RFC 3339 can write: 9999-12-31T23:59:59Z. */
#define TIME_LAST_US (INT64_C(253402300799) * US_PER_SECOND)

struct schedule {
    enum schedule_kind kind;
    int64_t interval_ms;
    struct cron cron;
    struct zone *zone; /* NULL: UTC */
};

static const struct config_key interval_key = {
    .name = "every", .type = CONFIG_TIME, .least = 10, .most = 366 * MS_PER_DAY};

/* The next word as a string of its own, empty where none is left; too long a one is cut, and so means nothing. */
static const char *next_word(const char **at, char out[WORD_BYTES])
{
    const char *word;
    size_t length;

    text_word(at, &word, &length);
    if (length >= WORD_BYTES)
        length = WORD_BYTES - 1;
    memcpy(out, word, length);
    out[length] = '\0';
    return out;
}

static bool parse_every(struct schedule *s, const char **at, struct error *err)
{
    char word[WORD_BYTES];

    return config_value_set(&interval_key, next_word(at, word), &s->interval_ms, err) || error_in(err, "every");
}

static bool parse_cron(struct schedule *s, const char **at, struct error *err)
{
    char word[WORD_BYTES];

    if (!cron_parse(at, &s->cron, err))
        return false;
    if (!*next_word(at, word) || text_same(word, "UTC"))
        return true;
    s->zone = zone_new(ZONE_FOLDER, word, err);
    return s->zone;
}

static bool parse_at_once(struct schedule *s, const char **at, struct error *err)
{
    char word[WORD_BYTES];

    (void)s;
    return text_same(next_word(at, word), "once") ||
           error_set(err, ERROR_CONFIG, "\"at %s\": write at once, or for a time of day cron 30 3 * * *", word);
}

static bool parse(struct schedule *s, const char *text, struct error *err)
{
    static const struct {
        const char *word;
        enum schedule_kind kind;
        bool (*parse)(struct schedule *s, const char **at, struct error *err);
    } kinds[] = {
        {"every", SCHEDULE_EVERY,   parse_every  },
        {"cron",  SCHEDULE_CRON,    parse_cron   },
        {"at",    SCHEDULE_AT_ONCE, parse_at_once}
    };
    char word[WORD_BYTES];

    next_word(&text, word);
    for (size_t i = 0; i < ARRAY_LENGTH(kinds); i++) {
        if (!text_same(word, kinds[i].word))
            continue;
        s->kind = kinds[i].kind;
        if (!kinds[i].parse(s, &text, err))
            return false;
        return !*next_word(&text, word) || error_set(err, ERROR_CONFIG, "nothing may follow, but \"%s\" does", word);
    }
    return error_set(err, ERROR_CONFIG, "\"%s\" is no schedule: write every 10s, cron 0 3 * * * or at once", word);
}

struct schedule *schedule_new(const char *text, struct error *err)
{
    struct schedule *s = xcalloc(1, sizeof *s);

    if (parse(s, text, err))
        return s;
    schedule_free(s);
    return NULL;
}

void schedule_free(struct schedule *s)
{
    if (!s)
        return;
    zone_free(s->zone);
    free(s);
}

bool schedule_check(const char *text, struct error *err)
{
    struct schedule *s = schedule_new(text, err);
    bool ok = s;

    schedule_free(s);
    return ok;
}

enum schedule_kind schedule_kind(const struct schedule *s)
{
    return s->kind;
}

int64_t schedule_interval_ms(const struct schedule *s)
{
    return s->interval_ms;
}

/*
 * Walks the minutes of the local calendar. Later local minutes never stand for earlier moments (zone_utc_s), but those
 * that a change skips or repeats stand for moments that are past already: they are passed over.
 */
int64_t schedule_next_us(const struct schedule *s, int64_t after_us)
{
    int64_t after_s, minute, next_us;

    if (s->kind != SCHEDULE_CRON || after_us >= TIME_LAST_US)
        return -1;
    if (after_us < 0)
        after_us = -1;
    after_s = (after_us + US_PER_SECOND) / US_PER_SECOND - 1;                      /* rounded down, for -1 too */
    minute = (after_s + (s->zone ? zone_offset_s(s->zone, after_s) : 0)) / 60 - 1; /* -1: C rounds up below 1970 */
    do {
        if (!cron_next(&s->cron, minute, &minute))
            return -1;
        next_us = (s->zone ? zone_utc_s(s->zone, minute * 60) : minute * 60) * US_PER_SECOND;
    } while (next_us <= after_us);
    return next_us <= TIME_LAST_US ? next_us : -1;
}
