#define PCRE2_CODE_UNIT_WIDTH 8
#include "notifier/access_log/access_log_url.h"

#include <pcre2.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "notifier/access_log/access_log_field.h"
#include "notifier/access_log/access_log_text.h"

enum {
    MATCH_STEPS_MOST = 100000, /* a pattern's author may err; a log of years must not stand still for it */
    STACK_BYTES = 1024 * 1024,
    STATUS_FIRST = 100,
    STATUS_COUNT = 500,
};

struct access_url {
    const struct url_settings *settings;
    pcre2_code *code;
    struct access_group *groups;
    size_t group_count;
    struct access_fields *fields;
    bool status[STATUS_COUNT];
};

struct access_urls {
    struct access_url *items;
    size_t count;
    pcre2_match_data *match;
    pcre2_match_context *limits;
    pcre2_jit_stack *stack;
    struct buf scratch;
};

/* ------------------------------------------------------------------------------------------- the configuration */

static pcre2_code *compile(const char *pattern, struct error *err)
{
    PCRE2_UCHAR why[128];
    PCRE2_SIZE where;
    int wrong;
    pcre2_code *code = pcre2_compile((PCRE2_SPTR)pattern, PCRE2_ZERO_TERMINATED, 0, &wrong, &where, NULL);

    if (!code) {
        pcre2_get_error_message(wrong, why, sizeof why);
        error_set(err, ERROR_CONFIG, "at character %zu: %s", (size_t)where + 1, (const char *)why);
        return NULL;
    }
    pcre2_jit_compile(code, PCRE2_JIT_COMPLETE); /* without it the same is found, more slowly */
    return code;
}

bool access_url_pattern_check(const char *pattern, struct error *err)
{
    pcre2_code *code = compile(pattern, err);

    pcre2_code_free(code);
    return code != NULL;
}

bool access_url_methods_check(const char *methods, struct error *err)
{
    if (methods[strspn(methods, "ABCDEFGHIJKLMNOPQRSTUVWXYZ \t")])
        return error_set(err, ERROR_CONFIG, "\"%.80s\" are no methods (GET HEAD)", methods);
    return true;
}

static bool read_status(const char *text, bool status[STATUS_COUNT], struct error *err)
{
    const char *word;
    size_t length;
    int64_t code;

    while (text_word(&text, &word, &length)) {
        if (!text_int(word, length, &code) || code < STATUS_FIRST || code >= STATUS_FIRST + STATUS_COUNT)
            return error_set(err, ERROR_CONFIG, "\"%.*s\" is no status code (200 304)",
                             (int)(length < 80 ? length : 80), word);
        status[code - STATUS_FIRST] = true;
    }
    return true;
}

bool access_url_status_check(const char *text, struct error *err)
{
    bool status[STATUS_COUNT];

    return read_status(text, status, err);
}

static bool read_groups(struct access_url *u, struct error *err)
{
    uint32_t count, size;
    PCRE2_SPTR table;

    pcre2_pattern_info(u->code, PCRE2_INFO_NAMECOUNT, &count);
    if (count == 0)
        return true;
    pcre2_pattern_info(u->code, PCRE2_INFO_NAMEENTRYSIZE, &size);
    pcre2_pattern_info(u->code, PCRE2_INFO_NAMETABLE, &table);
    u->groups = xcalloc(count, sizeof *u->groups);
    for (; u->group_count < count; u->group_count++, table += size) {
        struct access_group *g = &u->groups[u->group_count];

        g->number = (uint32_t)table[0] << 8 | table[1];
        g->name = (const char *)table + 2;
        if (!access_field_check(g->name, strlen(g->name), err))
            return error_in(err, "pattern");
    }
    return true;
}

static void url_release(struct access_url *u)
{
    access_fields_free(u->fields);
    free(u->groups);
    pcre2_code_free(u->code);
}

static bool url_open(struct access_url *u, const struct url_settings *s, struct error *err)
{
    *u = (struct access_url){.settings = s};
    u->code = compile(s->pattern, err);
    return u->code && read_status(s->status, u->status, err) && read_groups(u, err) &&
           (u->fields = access_fields_new(s->data, u->groups, u->group_count, err));
}

/* A pattern or status that is no good is told with its key, and not again here. */
bool access_url_check(const void *url_settings, struct error *err)
{
    const struct url_settings *s = url_settings;
    struct error told;
    struct access_url u;
    bool ok = true;

    if (access_url_pattern_check(s->pattern, &told) && access_url_status_check(s->status, &told)) {
        ok = url_open(&u, s, err);
        url_release(&u);
    }
    return ok;
}

struct access_urls *access_urls_new(const struct settings *s, struct error *err)
{
    struct access_urls *u = xcalloc(1, sizeof *u);
    uint32_t groups = 1, most = 1;
    bool ok = true;

    u->items = xcalloc(s->url_count + 1, sizeof *u->items);
    buf_init(&u->scratch);
    for (size_t i = 0; ok && i < s->url_count; i++) {
        u->count++;
        ok = url_open(&u->items[i], &s->urls[i], err) || error_in(err, "[url %s]", s->urls[i].name);
        if (ok)
            pcre2_pattern_info(u->items[i].code, PCRE2_INFO_CAPTURECOUNT, &groups);
        most = groups > most ? groups : most;
    }
    u->match = pcre2_match_data_create(most + 1, NULL);
    u->limits = pcre2_match_context_create(NULL);
    u->stack = pcre2_jit_stack_create(32 * 1024, STACK_BYTES, NULL);
    pcre2_set_match_limit(u->limits, MATCH_STEPS_MOST);
    pcre2_jit_stack_assign(u->limits, NULL, u->stack);
    if (ok)
        return u;
    access_urls_free(u);
    return NULL;
}

void access_urls_free(struct access_urls *u)
{
    if (!u)
        return;
    for (size_t i = 0; i < u->count; i++)
        url_release(&u->items[i]);
    free(u->items);
    pcre2_match_data_free(u->match);
    pcre2_match_context_free(u->limits);
    pcre2_jit_stack_free(u->stack);
    buf_release(&u->scratch);
    free(u);
}

/* ------------------------------------------------------------------------------------------------------ lines */

static bool word_among(const char *words, struct span wanted)
{
    const char *word;
    size_t length;

    while (text_word(&words, &word, &length))
        if (length == wanted.length && memcmp(word, wanted.text, length) == 0)
            return true;
    return false;
}

static bool takes(const struct access_url *u, const struct access_line *line)
{
    int status = line->status - STATUS_FIRST;

    return status >= 0 && status < STATUS_COUNT && u->status[status] && word_among(u->settings->methods, line->method);
}

const struct access_url *access_urls_find(struct access_urls *u, const struct access_line *line)
{
    if (line->path.length == 0)
        return NULL;
    for (size_t i = 0; i < u->count; i++)
        if (takes(&u->items[i], line) && pcre2_match(u->items[i].code, (PCRE2_SPTR)line->path.text, line->path.length,
                                                     0, 0, u->match, u->limits) > 0)
            return &u->items[i];
    return NULL;
}

const char *access_url_event(const struct access_url *url)
{
    return url->settings->event;
}

static void add_found(struct access_urls *u, const struct access_url *url, const struct access_line *line, json_t *data)
{
    const struct access_found found = {line, pcre2_get_ovector_pointer(u->match), pcre2_get_ovector_count(u->match)};

    for (size_t i = 0; i < url->group_count; i++) {
        const struct access_group *g = &url->groups[i];
        struct span text;

        if (!access_found_group(&found, g->number, &text))
            continue;
        buf_reset(&u->scratch);
        access_path_add(text, &u->scratch);
        json_object_set_new(data, g->name, json_stringn(u->scratch.data, u->scratch.length));
    }
    access_fields_set(url->fields, &found, &u->scratch, data);
}

static void add_text(struct access_urls *u, json_t *data, const char *field, struct span written)
{
    buf_reset(&u->scratch);
    access_text_add(written, &u->scratch);
    json_object_set_new(data, field, json_stringn(u->scratch.data, u->scratch.length));
}

/* A client that sends no user agent has an empty one for the platform, too. */
json_t *access_urls_data(struct access_urls *u, const struct access_url *url, const struct access_line *line,
                         bool personal)
{
    json_t *data = json_object();
    char time[TIME_TEXT_BYTES];

    time_format(line->time_us, "%Y-%m-%dT%H:%M:%S", time, sizeof time);
    json_object_set_new(data, "timestamp", json_string(time));
    add_found(u, url, line, data);
    if (line->referrer.length > 0)
        add_text(u, data, "referrer", line->referrer);
    if (!personal)
        return data;
    add_text(u, data, "user_agent", line->user_agent);
    if (line->address.length > 0)
        add_text(u, data, "ip_address", line->address);
    if (line->user.length > 0)
        add_text(u, data, "user_id", line->user);
    return data;
}
