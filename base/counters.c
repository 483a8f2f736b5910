#include "base/counters.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/text.h"

struct member {
    struct counter counter; /* first: a counter handed out stays where it is */
    char *labels;           /* "" for none */
    struct member *next;
};

struct family {
    enum counter_kind kind;
    char *name, *help;
    struct member *members;
    struct family *next;
};

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static struct family *families;

/* Both lists grow at their end, so that the text keeps the order in which things were first named. */
static struct family *family_of(enum counter_kind kind, const char *name, const char *help)
{
    struct family **link = &families;

    while (*link && !text_same((*link)->name, name))
        link = &(*link)->next;
    if (!*link) {
        *link = xcalloc(1, sizeof **link);
        **link = (struct family){.kind = kind, .name = xstrdup(name), .help = xstrdup(help)};
    }
    return *link;
}

static struct member *member_of(struct family *f, const char *labels)
{
    struct member **link = &f->members;

    while (*link && !text_same((*link)->labels, labels))
        link = &(*link)->next;
    if (!*link) {
        *link = xcalloc(1, sizeof **link);
        (*link)->labels = xstrdup(labels);
    }
    return *link;
}

struct counter *counter_get(enum counter_kind kind, const char *name, const char *help, const char *labels)
{
    struct member *m;

    pthread_mutex_lock(&mutex);
    m = member_of(family_of(kind, name, help), labels ? labels : "");
    pthread_mutex_unlock(&mutex);
    return &m->counter;
}

/* Backslash and line feed, in a label's value also the quote (Prometheus text format 0.0.4). */
static void add_escaped(struct buf *out, const char *text, const char *also)
{
    for (; *text; text++) {
        if (*text == '\n') {
            buf_add_text(out, "\\n");
            continue;
        }
        if (*text == '\\' || strchr(also, *text))
            buf_add_char(out, '\\');
        buf_add_char(out, *text);
    }
}

void counter_label(struct buf *labels, const char *name, const char *value)
{
    buf_printf(labels, "%s%s=\"", labels->length > 0 ? "," : "", name);
    add_escaped(labels, value, "\"");
    buf_add_char(labels, '"');
}

struct counter *counter_with(enum counter_kind kind, const char *name, const char *help, ...)
{
    struct buf labels = BUF_INIT;
    const char *label, *value;
    struct counter *c;
    va_list pairs;

    va_start(pairs, help);
    while ((label = va_arg(pairs, const char *)))
        if ((value = va_arg(pairs, const char *)))
            counter_label(&labels, label, value);
    va_end(pairs);
    c = counter_get(kind, name, help, labels.data);
    buf_release(&labels);
    return c;
}

static void add_family(struct buf *out, const struct family *f)
{
    buf_printf(out, "# HELP %s ", f->name);
    add_escaped(out, f->help, "");
    buf_printf(out, "\n# TYPE %s %s\n", f->name, f->kind == COUNTER_TOTAL ? "counter" : "gauge");
    for (struct member *m = f->members; m; m = m->next) {
        buf_add_text(out, f->name);
        if (m->labels[0])
            buf_printf(out, "{%s}", m->labels);
        buf_add_char(out, ' ');
        buf_add_int(out, counter_value(&m->counter));
        buf_add_char(out, '\n');
    }
}

void counters_add_text(struct buf *out)
{
    pthread_mutex_lock(&mutex);
    for (const struct family *f = families; f; f = f->next)
        add_family(out, f);
    pthread_mutex_unlock(&mutex);
}
