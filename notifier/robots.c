#define PCRE2_CODE_UNIT_WIDTH 8
#include "notifier/robots.h"

#include <pcre2.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/hash.h"

enum {
    FILE_BYTES_MOST = 1024 * 1024,
    AGENT_BYTES_MOST = 4096,
    MATCH_STEPS_MOST = 200000, /* a list's author may err; the door must not stand still for it */
    CACHE_SLOTS = 4096,
};

/* A compiled list, shared by all that use the same file. */
struct list {
    char *path;
    pcre2_code *code;
    int users;
    struct list *next;
};

static pthread_mutex_t lists_mutex = PTHREAD_MUTEX_INITIALIZER;
static struct list *lists;

/* What is remembered of a user agent: two hashes of it, never the text. */
struct slot {
    uint64_t hash, check;
    bool used, named;
};

struct robots {
    struct list *list;
    pcre2_match_data *match;
    pcre2_match_context *limits;
    uint64_t secret; /* of the check: nobody outside can make two user agents share a slot's both hashes */
    struct slot *slots;
};

/* ------------------------------------------------------------------------------------------------- the list */

static pcre2_code *compile(const char *pattern, size_t length, struct error *err)
{
    PCRE2_UCHAR why[128];
    PCRE2_SIZE where;
    int wrong;
    pcre2_code *code = pcre2_compile((PCRE2_SPTR)pattern, length, PCRE2_CASELESS | PCRE2_UTF, &wrong, &where, NULL);

    if (!code) {
        pcre2_get_error_message(wrong, why, sizeof why);
        error_set(err, ERROR_CONFIG, "at character %zu: %s", (size_t)where + 1, (const char *)why);
    }
    return code;
}

/* Adds one line to the alternation; each alone must be a pattern, or a brace in one would swallow the next. */
static bool add_pattern(struct buf *all, const char *line, size_t length, bool *first, struct error *err)
{
    pcre2_code *alone = compile(line, length, err);

    if (!alone)
        return false;
    pcre2_code_free(alone);
    buf_add_text(all, *first ? "(?:" : "|(?:");
    buf_add(all, line, length);
    buf_add_char(all, ')');
    *first = false;
    return true;
}

static bool is_comment(const char *line, size_t length)
{
    return line[0] == '#' && (length == 1 || line[1] == ' ');
}

static bool join_patterns(const struct buf *file, struct buf *all, struct error *err)
{
    const char *line = file->data, *end = file->data + file->length;
    bool first = true;

    for (unsigned number = 1; line < end; number++) {
        const char *feed = memchr(line, '\n', (size_t)(end - line));
        size_t length = (size_t)((feed ? feed : end) - line);
        const char *next = feed ? feed + 1 : end;

        if (length > 0 && line[length - 1] == '\r')
            length--;
        if (length > 0 && !(first && is_comment(line, length)) && !add_pattern(all, line, length, &first, err))
            return error_in(err, "line %u", number);
        line = next;
    }
    return !first || error_set(err, ERROR_CONFIG, "holds no pattern");
}

static pcre2_code *list_read(const char *path, struct error *err)
{
    struct buf file = BUF_INIT, all = BUF_INIT;
    pcre2_code *code = NULL;

    if (!file_read(path, FILE_BYTES_MOST, &file, err))
        goto out;
    if (!join_patterns(&file, &all, err) || !(code = compile(all.data, all.length, err)))
        error_in(err, "%s", path);
    else
        pcre2_jit_compile(code, PCRE2_JIT_COMPLETE); /* where the system forbids it, it is interpreted */
out:
    buf_release(&file);
    buf_release(&all);
    return code;
}

static struct list *list_take(const char *path, struct error *err)
{
    struct list *list;

    pthread_mutex_lock(&lists_mutex);
    for (list = lists; list && strcmp(list->path, path) != 0;)
        list = list->next;
    if (!list) {
        pcre2_code *code = list_read(path, err);

        if (code) {
            list = xcalloc(1, sizeof *list);
            *list = (struct list){xstrdup(path), code, 0, lists};
            lists = list;
        }
    }
    if (list)
        list->users++;
    pthread_mutex_unlock(&lists_mutex);
    return list;
}

static void list_give_back(struct list *list)
{
    pthread_mutex_lock(&lists_mutex);
    if (--list->users == 0) {
        struct list **link = &lists;

        while (*link != list)
            link = &(*link)->next;
        *link = list->next;
        pcre2_code_free(list->code);
        free(list->path);
        free(list);
    }
    pthread_mutex_unlock(&lists_mutex);
}

/* -------------------------------------------------------------------------------------------------- its use */

struct robots *robots_new(const char *path, struct error *err)
{
    struct list *list = list_take(path, err);
    struct robots *r;

    if (!list)
        return NULL;
    r = xcalloc(1, sizeof *r);
    r->list = list;
    r->match = pcre2_match_data_create(1, NULL);
    r->limits = pcre2_match_context_create(NULL);
    pcre2_set_match_limit(r->limits, MATCH_STEPS_MOST);
    random_secret((unsigned char *)&r->secret, sizeof r->secret);
    r->secret |= 1;
    r->slots = xcalloc(CACHE_SLOTS, sizeof *r->slots);
    return r;
}

void robots_free(struct robots *r)
{
    if (!r)
        return;
    pcre2_match_context_free(r->limits);
    pcre2_match_data_free(r->match);
    list_give_back(r->list);
    free(r->slots);
    free(r);
}

/* A polynomial over the bytes, at a secret place. */
static uint64_t check_hash(uint64_t secret, const char *bytes, size_t length)
{
    uint64_t sum = length;

    for (size_t i = 0; i < length; i++)
        sum = (sum + (unsigned char)bytes[i]) * secret;
    return sum ^ (sum >> 32);
}

/* The first bytes of it, cut between two characters. */
static size_t cut(const char *text, size_t length)
{
    if (length <= AGENT_BYTES_MOST)
        return length;
    length = AGENT_BYTES_MOST;
    while (length > 0 && ((unsigned char)text[length] & 0xc0) == 0x80)
        length--;
    return length;
}

/* No browser's name exhausts the limits: what does is no browser. */
static bool look_up(struct robots *r, const char *user_agent, size_t length)
{
    return pcre2_match(r->list->code, (PCRE2_SPTR)user_agent, cut(user_agent, length), 0, PCRE2_NO_UTF_CHECK, r->match,
                       r->limits) != PCRE2_ERROR_NOMATCH;
}

bool robots_name(struct robots *r, const char *user_agent, size_t length)
{
    uint64_t hash = hash_table(user_agent, length);
    uint64_t check = check_hash(r->secret, user_agent, length);
    struct slot *slot = &r->slots[(hash ^ hash >> 32) % CACHE_SLOTS];

    if (!slot->used || slot->hash != hash || slot->check != check)
        *slot = (struct slot){hash, check, true, look_up(r, user_agent, length)};
    return slot->named;
}
