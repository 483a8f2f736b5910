#include "config/section.h"

#include "base/alloc.h"
#include "base/text.h"
#include "config/check.h"
#include "config/keys.h"

/* --------------------------------------------------------------------------------- sections of any number */

/* Each kind has a list in the settings; the struct of a section begins as the macro needs it: its name and line. */
#define SECTIONS(section, list, title)                                                                                 \
    static void *section##_add(struct settings *s, const char *name, int line)                                         \
    {                                                                                                                  \
        s->list = xrealloc(s->list, (s->section##_count + 1) * sizeof *s->list);                                       \
        s->list[s->section##_count] = (struct section##_settings){.title = xstrdup(name), .line = line};               \
        return &s->list[s->section##_count++];                                                                         \
    }                                                                                                                  \
                                                                                                                       \
    static void *section##_get(struct settings *s, size_t index)                                                       \
    {                                                                                                                  \
        return index < s->section##_count ? &s->list[index] : NULL;                                                    \
    }                                                                                                                  \
                                                                                                                       \
    static const char *section##_name(const void *one)                                                                 \
    {                                                                                                                  \
        return ((const struct section##_settings *)one)->title;                                                        \
    }                                                                                                                  \
                                                                                                                       \
    static int section##_line(const void *one)                                                                         \
    {                                                                                                                  \
        return ((const struct section##_settings *)one)->line;                                                         \
    }

SECTIONS(queue, queues, name)
SECTIONS(event, events, type)
SECTIONS(handler, handlers, name)
SECTIONS(url, urls, name)
SECTIONS(query, queries, name)
SECTIONS(source, sources, name)
SECTIONS(outbox, outboxes, name)

/* ------------------------------------------------------------------------------------------------ the list */

#define ONE(section) .keys = section##_keys, .offset = offsetof(struct settings, section)
#define MANY(section, word)                                                                                            \
    .keys = section##_keys, .argument = (word), .add = section##_add, .get = section##_get, .name_of = section##_name, \
    .line_of = section##_line

/* clang-format off */
const struct config_section config_sections[] = {
    {"service", ONE(service), .help = "the process itself"},
    {"redis", ONE(redis), .help = "Redis or Valkey, which holds the work"},
    {"opensearch", ONE(opensearch), .help = "OpenSearch, which holds the results"},
    {"http", ONE(http), .help = "the door for events, and the pages for health, metrics and statistics"},
    {"audit", ONE(audit), .help = "the audit log"},
    {"platform", ONE(platform), .help = "the queues a platform's own events and change notifications wait in (kombu's Redis transport)"},
    {"access-log", ONE(access_log), .help = "how a line of an access log is written, for `crier import access-log`"},
    {"report", ONE(report), .help = "what usage reports say besides numbers"},
    {"queue", MANY(queue, "NAME"), .check_name = check_name, .help = "one stream of events"},
    {"event", MANY(event, "TYPE"), .check_name = check_event_type,
     .help = "what is done to events of one type at the door"},
    {"source", MANY(source, "NAME"), .check_name = check_name,
     .help = "where handlers ask for the present state of what events speak of"},
    {"handler", MANY(handler, "NAME"), .check_name = check_name, .help = "what is done about the events of a queue"},
    {"url", MANY(url, "NAME"), .check_name = check_name,
     .help = "which lines of an access log are events, the first section that fits"},
    {"query", MANY(query, "NAME"), .check_name = check_name, .help = "one statistic that POST /stats answers"},
    {"outbox", MANY(outbox, "NAME"), .check_name = check_name,
     .help = "a table (PostgreSQL) in which the platform's transactions leave events; `crier outbox sql` makes it"},
    {0},
};
/* clang-format on */

const struct config_section *config_section_find(const char *name)
{
    for (const struct config_section *section = config_sections; section->name; section++)
        if (text_same(section->name, name))
            return section;
    return NULL;
}

void *config_section_get(const struct config_section *section, struct settings *s, size_t index)
{
    if (section->argument)
        return section->get(s, index);
    return index == 0 ? (char *)s + section->offset : NULL;
}

const void *config_section_read(const struct config_section *section, const struct settings *s, size_t index)
{
    return config_section_get(section, (struct settings *)(uintptr_t)s, index); /* nothing is written on this way */
}
