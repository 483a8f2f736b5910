#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "config/mistakes.h"
#include "config/verbs.h"

static int (*ask_servers)(const struct settings *s);
static void (*find_notes)(const struct settings *s, struct buf *out);
static void (*look_at)(const struct settings *s, struct buf *wrong);

void verb_check_notes(void (*find)(const struct settings *s, struct buf *out))
{
    find_notes = find;
}

void verb_check_online(int (*ask)(const struct settings *s))
{
    ask_servers = ask;
}

void verb_check_look(void (*look)(const struct settings *s, struct buf *wrong))
{
    look_at = look;
}

/* Settings that are no good after all are freed: NULL. */
static struct settings *look_closer(struct settings *s, struct buf *mistakes, struct error *err)
{
    struct buf wrong = BUF_INIT;
    struct mistakes found;

    if (!s || !look_at)
        return s;
    look_at(s, &wrong);
    if (wrong.length > 0) {
        mistakes_init(&found, s->path);
        mistake_add(&found, s->http.line, "certificate: %s", wrong.data);
        mistakes_write(&found, mistakes);
        mistakes_release(&found);
        error_set(err, ERROR_CONFIG, "%s: 1 mistake", s->path);
        settings_free(s);
        s = NULL;
    }
    buf_release(&wrong);
    return s;
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

/* Beside the list of mistakes, which stays empty. */
static void print_notes(const struct verb_call *call, const struct settings *s)
{
    struct buf notes = BUF_INIT;

    if (find_notes)
        find_notes(s, &notes);
    for (const char *line = notes.data, *end; line && *line; line = end + 1) {
        end = strchr(line, '\n');
        fprintf(call->json ? stderr : stdout, "%s: note: %.*s\n", call->config_path, (int)(end - line), line);
    }
    fflush(stdout);
    buf_release(&notes);
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
    s = look_closer(settings_load(call->config_path, call->outside, &mistakes, &err), &mistakes, &err);
    print(call, s, &mistakes);
    if (s)
        print_notes(call, s);
    if (!s)
        status = verb_failed("check", &err);
    else if (online && ask_servers)
        status = ask_servers(s);
    settings_free(s);
    buf_release(&mistakes);
    return status;
}
