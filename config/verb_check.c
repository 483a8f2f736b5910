#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "config/verbs.h"

static int (*ask_servers)(const struct settings *s);

void verb_check_online(int (*ask)(const struct settings *s))
{
    ask_servers = ask;
}

/* "path:line: text" as an object. */
static void add_mistake(struct buf *out, const char *path, const char *line, size_t length)
{
    size_t before = strlen(path) + 1;
    const char *text = memchr(line + before, ' ', length - before);

    buf_printf(out, "\n {\"file\": ");
    buf_add_json_text(out, path);
    buf_printf(out, ", \"line\": %ld, \"text\": ", strtol(line + before, NULL, 10));
    buf_add_json(out, text + 1, length - (size_t)(text + 1 - line));
    buf_add_char(out, '}');
}

static void print_json(const char *path, const struct buf *mistakes)
{
    struct buf out = BUF_INIT;

    buf_add_char(&out, '[');
    for (const char *line = mistakes->data, *end; *line; line = end + 1) {
        end = strchr(line, '\n');
        if (line > mistakes->data)
            buf_add_char(&out, ',');
        add_mistake(&out, path, line, (size_t)(end - line));
    }
    buf_add_text(&out, mistakes->length > 0 ? "\n]\n" : "]\n");
    fwrite(out.data, 1, out.length, stdout);
    buf_release(&out);
}

static void print(const struct verb_call *call, const struct settings *s, const struct buf *mistakes)
{
    if (call->json)
        print_json(call->config_path, mistakes);
    else if (s)
        printf("%s: good: %zu queue%s, %zu handler%s\n", call->config_path, s->queue_count,
               s->queue_count == 1 ? "" : "s", s->handler_count, s->handler_count == 1 ? "" : "s");
    else
        fwrite(mistakes->data, 1, mistakes->length, stdout);
    fflush(stdout);
}

int verb_check(struct verb_call *call)
{
    bool online = verb_option(call, "online", NULL);
    struct buf mistakes = BUF_INIT;
    struct settings *s;
    struct error err;
    int status = EXIT_DONE;

    if (call->argc > 0)
        return verb_usage("check", "takes no arguments: the file is named with --config");
    s = settings_load(call->config_path, call->outside, &mistakes, &err);
    print(call, s, &mistakes);
    if (!s)
        status = verb_failed("check", &err);
    else if (online && ask_servers)
        status = ask_servers(s);
    settings_free(s);
    buf_release(&mistakes);
    return status;
}
