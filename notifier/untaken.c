#include "notifier/untaken.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/text.h"
#include "notifier/pattern.h"

static void say_urls(const struct settings *s, struct buf *out)
{
    for (size_t i = 0; i < s->url_count; i++)
        if (!patterns_queue(s, s->urls[i].event))
            buf_printf(out, "[url %s]: no queue takes events of type %s: crier import refuses to begin\n",
                       s->urls[i].name, s->urls[i].event);
}

/* QUEUE=TYPE ..., as platform_queues_check has seen it. */
static void say_platform(const struct settings *s, struct buf *out)
{
    const char *at = s->platform.queues, *word;
    size_t length;

    while (text_word(&at, &word, &length)) {
        size_t name = strcspn(word, "=");
        char *type = xstrndup(word + name + 1, length - name - 1);

        if (!patterns_queue(s, type))
            buf_printf(out,
                       "[platform] queues: no queue takes events of type %s: the platform's queue %.*s is left alone\n",
                       type, (int)name, word);
        free(type);
    }
}

static void say_audit(const struct settings *s, struct buf *out)
{
    for (size_t i = 0; i < s->handler_count; i++)
        if (strcmp(s->handlers[i].type, "audit") == 0)
            return;
    if (*s->audit.file)
        buf_printf(out, "[audit] file: there is no handler of type audit: %s stays empty\n", s->audit.file);
}

void untaken_say(const struct settings *s, struct buf *out)
{
    say_urls(s, out);
    if (*s->platform.url)
        say_platform(s, out);
    say_audit(s, out);
}
