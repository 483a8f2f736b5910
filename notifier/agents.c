#include "notifier/agents.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/file.h"
#include "base/hash.h"
#include "notifier/agent_class.h"
#include "notifier/robots.h"

enum { CACHE_SLOTS = 4096, VERSION_BYTES = 64 };

enum list { LIST_ROBOTS, LIST_MACHINES, LIST_EXCEPT, LIST_IGNORED, LISTS };

/* What is remembered of a user agent: two hashes of it, never the text. */
struct slot {
    uint64_t hash, check;
    bool used;
    struct agent agent;
};

struct agents {
    enum robot_rules rules;
    struct robots *lists[LISTS]; /* NULL: not asked for, or empty */
    uint64_t secret;             /* of the check: nobody outside can make two user agents share both hashes */
    struct slot *slots;
    struct buf scratch;
    char version[VERSION_BYTES];
};

/* ------------------------------------------------------------------------------------------------- its lists */

/* Which lists answer a question, and where they are. */
static bool list_wanted(const struct event_settings *es, unsigned questions, enum list list)
{
    bool standard = es->rules != RULES_REFERENCE, robots = questions & AGENTS_ROBOTS;

    switch (list) {
    case LIST_ROBOTS:
        return robots;
    case LIST_MACHINES:
        return questions & AGENTS_MACHINES || (robots && standard);
    case LIST_EXCEPT:
        return robots && standard;
    case LIST_IGNORED:
        return questions & AGENTS_IGNORED && *es->ignore_agents_file;
    case LISTS:
        break;
    }
    return false;
}

static bool list_path(const struct event_settings *es, enum list list, char *out, size_t size, struct error *err)
{
    const char *const files[LISTS] = {es->robots_file, es->machines_file, es->robots_except_file,
                                      es->ignore_agents_file};
    static const char *const shipped[LISTS] = {"robots.txt", "machines.txt", "robots-except.txt", ""};

    if (*files[list])
        snprintf(out, size, "%s", files[list]);
    else if (!file_shipped(shipped[list], out, size))
        return error_set(err, ERROR_CONFIG,
                         "%s is not found where crier is installed; name one by robots_file, machines_file, "
                         "robots_except_file",
                         shipped[list]);
    if (access(out, R_OK) != 0)
        return error_set(err, ERROR_CONFIG, "%s: %s", out, strerror(errno));
    return true;
}

bool agents_files_check(const struct event_settings *es, unsigned questions, struct error *err)
{
    char path[4096];

    for (int i = 0; i < LISTS; i++)
        if (list_wanted(es, questions, (enum list)i) && !list_path(es, (enum list)i, path, sizeof path, err))
            return false;
    return true;
}

static bool list_open(struct agents *a, const struct event_settings *es, enum list list, struct error *err)
{
    bool exact = es->rules == RULES_REFERENCE && list != LIST_IGNORED;
    char path[4096];

    if (!list_path(es, list, path, sizeof path, err))
        return false;
    a->lists[list] = robots_new(path, exact ? ROBOTS_THIS_CASE : ROBOTS_ANY_CASE, err);
    return a->lists[list] != NULL;
}

struct agents *agents_new(const struct event_settings *es, unsigned questions, struct error *err)
{
    struct agents *a = xcalloc(1, sizeof *a);
    bool ok = true;

    a->rules = (enum robot_rules)es->rules;
    buf_init(&a->scratch);
    random_secret((unsigned char *)&a->secret, sizeof a->secret);
    a->secret |= 1;
    a->slots = xcalloc(CACHE_SLOTS, sizeof *a->slots);
    for (int i = 0; ok && i < LISTS; i++)
        ok = !list_wanted(es, questions, (enum list)i) || list_open(a, es, (enum list)i, err);
    if (ok)
        return a;
    agents_free(a);
    return NULL;
}

void agents_free(struct agents *a)
{
    if (!a)
        return;
    for (int i = 0; i < LISTS; i++)
        robots_free(a->lists[i]);
    buf_release(&a->scratch);
    free(a->slots);
    free(a);
}

static void renew(struct agents *a)
{
    bool renewed = false;

    for (int i = 0; i < LISTS; i++)
        renewed = (a->lists[i] && robots_renew(a->lists[i])) || renewed;
    if (renewed)
        memset(a->slots, 0, CACHE_SLOTS * sizeof *a->slots);
}

const char *agents_version(struct agents *a)
{
    const struct robots *robots = a->lists[LIST_ROBOTS], *machines = a->lists[LIST_MACHINES];

    renew(a);
    snprintf(a->version, sizeof a->version, "%s-%s", robots ? robots_version(robots) : "",
             machines ? robots_version(machines) : "");
    return a->version;
}

/* ------------------------------------------------------------------------------------------------- its judgement */

static bool on_list(struct agents *a, enum list list, const char *text, size_t length)
{
    return a->lists[list] && robots_name(a->lists[list], text, length);
}

static bool ends_word(char c)
{
    return strchr(" ;,()", c) != NULL; /* also the NUL behind the text */
}

/* Blots out in a->scratch, which is text's copy, what a list names: as it stands there, or as whole words. */
static void blot(struct agents *a, enum list list, bool words)
{
    char *text = a->scratch.data, *end = text + a->scratch.length;
    struct span rest = {text, a->scratch.length}, found;

    while (a->lists[list] && robots_find(a->lists[list], rest.text, rest.length, &found) && found.length > 0) {
        char *from = text + (found.text - text), *to = from + found.length;

        for (; words && from > text && !ends_word(from[-1]); from--)
            ;
        for (; words && to < end && !ends_word(*to); to++)
            ;
        memset(from, '-', (size_t)(to - from));
        rest = (struct span){to, (size_t)(end - to)};
    }
}

/* A telephone may be called CUBOT, and a robot may fetch by Apache-HttpClient: what else is there decides. */
static bool is_robot(struct agents *a, const char *text, size_t length)
{
    if (!on_list(a, LIST_ROBOTS, text, length))
        return false;
    if (a->rules == RULES_REFERENCE)
        return true;
    buf_reset(&a->scratch);
    buf_add(&a->scratch, text, length);
    blot(a, LIST_EXCEPT, false);
    if (a->rules == RULES_COPRD)
        blot(a, LIST_MACHINES, true);
    return on_list(a, LIST_ROBOTS, a->scratch.data, a->scratch.length);
}

static struct agent by_rules(struct agents *a, const char *text, size_t length)
{
    struct agent is = {.robot = a->lists[LIST_ROBOTS] && is_robot(a, text, length),
                       .machine = on_list(a, LIST_MACHINES, text, length),
                       .ignored = on_list(a, LIST_IGNORED, text, length)};

    if (a->lists[LIST_ROBOTS] && a->rules == RULES_COP51)
        is.robot = is.robot || is.machine;
    return is;
}

/* A polynomial over the bytes, at a secret place. */
static uint64_t check_hash(uint64_t secret, const char *bytes, size_t length)
{
    uint64_t sum = length;

    for (size_t i = 0; i < length; i++)
        sum = (sum + (unsigned char)bytes[i]) * secret;
    return sum ^ (sum >> 32);
}

struct agent agents_judge(struct agents *a, const char *user_agent, size_t length)
{
    uint64_t hash = hash_table(user_agent, length);
    uint64_t check = check_hash(a->secret, user_agent, length);
    struct slot *slot = &a->slots[(hash ^ hash >> 32) % CACHE_SLOTS];

    renew(a);
    if (!slot->used || slot->hash != hash || slot->check != check)
        *slot = (struct slot){hash, check, true, by_rules(a, user_agent, length)};
    return slot->agent;
}

/* ------------------------------------------------------------------------------------------------- its class */

/* Many patterns name a product by the slash before its version: each name is tried without one and with one. */
struct agent agents_judge_class(struct agents *a, const char *class, size_t length)
{
    struct buf text = BUF_INIT;
    struct agent plain, versioned;

    renew(a);
    plain = by_rules(a, class, length);
    agent_class_add_versions(class, length, &text);
    versioned = by_rules(a, text.data, text.length);
    buf_release(&text);
    if (a->rules == RULES_COPRD && versioned.machine)
        plain.robot = false; /* the name that the robots' list found is a machine's */
    return (struct agent){.robot = plain.robot || versioned.robot,
                          .machine = plain.machine || versioned.machine,
                          .ignored = plain.ignored || versioned.ignored};
}

/*
 * Of a robot or machine whose class alone would not tell, the class also holds what gave it away. A person's class of
 * one letter keeps the slash, as lists take a user agent of one letter for a robot's.
 */
size_t agents_class(struct agents *a, const char *user_agent, size_t length, char out[AGENT_CLASS_BYTES])
{
    struct agent_class class = {.text = out, .room = AGENT_CLASS_BYTES};
    struct agent is = agents_judge(a, user_agent, length), seems;
    struct span found;

    agent_class_start(&class);
    agent_class_add_products(&class, user_agent, length);
    if (!is.robot && !is.machine) {
        if (class.length == 1 && length > 1)
            memcpy(out + class.length++, "/", 2);
        return class.length;
    }
    seems = agents_judge_class(a, out, class.length);
    for (int i = LIST_ROBOTS; i <= LIST_MACHINES; i++)
        if ((i == LIST_ROBOTS ? is.robot && !seems.robot : is.machine && !seems.machine) && a->lists[i] &&
            robots_find(a->lists[i], user_agent, length, &found))
            agent_class_add_name(&class, found.text, found.length);
    return class.length;
}
