#include "config/settings.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/text.h"
#include "config/load.h"
#include "config/section.h"

enum { FILE_BYTES_MOST = 1024 * 1024 };

struct settings *settings_new(const char *path)
{
    struct settings *s = xcalloc(1, sizeof *s);

    s->path = xstrdup(path);
    for (const struct config_section *section = config_sections; section->name; section++)
        if (!section->argument)
            config_defaults(section->keys, config_section_get(section, s, 0));
    return s;
}

static void sections_release(struct settings *s)
{
    for (const struct config_section *section = config_sections; section->name; section++) {
        void *one;

        for (size_t i = 0; (one = config_section_get(section, s, i)); i++)
            config_release(section->keys, one);
    }
}

void settings_free(struct settings *s)
{
    if (!s)
        return;
    sections_release(s);
    for (size_t i = 0; i < s->queue_count; i++)
        free(s->queues[i].name);
    for (size_t i = 0; i < s->event_count; i++)
        free(s->events[i].type);
    for (size_t i = 0; i < s->handler_count; i++) {
        struct handler_settings *h = &s->handlers[i];

        if (h->kind)
            config_release(h->kind->keys, h->own);
        free(h->own);
        free(h->name);
    }
    for (size_t i = 0; i < s->url_count; i++)
        free(s->urls[i].name);
    for (size_t i = 0; i < s->query_count; i++)
        free(s->queries[i].name);
    for (size_t i = 0; i < s->source_count; i++)
        free(s->sources[i].name);
    for (size_t i = 0; i < s->outbox_count; i++)
        free(s->outboxes[i].name);
    redis_address_release(&s->redis.address);
    redis_address_release(&s->platform.address);
    seal_free(s->redis.seal);
    free(s->queues);
    free(s->events);
    free(s->handlers);
    free(s->urls);
    free(s->queries);
    free(s->sources);
    free(s->outboxes);
    free(s->path);
    free(s);
}

struct settings *settings_load(const char *path, const struct config_outside *outside, struct buf *mistakes,
                               struct error *err)
{
    struct settings *s = NULL;
    struct buf text = BUF_INIT;

    if (file_read(path, FILE_BYTES_MOST, &text, err))
        s = settings_parse(path, text.data, text.length, outside, mistakes, err);
    buf_release(&text);
    return s;
}

struct redis *settings_redis(const struct settings *s)
{
    return redis_new(&(struct redis_options){&s->redis.address, (int)s->redis.timeout_ms});
}

const struct queue_settings *settings_queue(const struct settings *s, const char *name)
{
    for (size_t i = 0; i < s->queue_count; i++)
        if (text_same(s->queues[i].name, name))
            return &s->queues[i];
    return NULL;
}

const struct handler_settings *settings_handler(const struct settings *s, const char *name)
{
    for (size_t i = 0; i < s->handler_count; i++)
        if (text_same(s->handlers[i].name, name))
            return &s->handlers[i];
    return NULL;
}

const struct source_settings *settings_source(const struct settings *s, const char *name)
{
    for (size_t i = 0; i < s->source_count; i++)
        if (text_same(s->sources[i].name, name))
            return &s->sources[i];
    return NULL;
}

const struct outbox_settings *settings_outbox(const struct settings *s, const char *name)
{
    for (size_t i = 0; i < s->outbox_count; i++)
        if (text_same(s->outboxes[i].name, name))
            return &s->outboxes[i];
    return NULL;
}
