#include "support/log_stage.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "support/process.h"

static const char ini[] = "[redis]\nurl = REDIS\n[queue views]\nevents = record-view\n"
                          "[event record-view]\nprepare = ignore robots visitor\n"
                          "ignore_networks = 198.51.100.0/24\nunique = data.recid visitor_id time\n"
                          "[handler documents]\ntype = archive\nqueue = views\nfolder = FOLDER/views\n"
                          "[url page]\npattern = ^/records/(?<recid>[0-9]+)$\nevent = record-view\n";

static const char second_queue[] = "[queue others]\nevents = record-view\n"
                                   "[handler others]\ntype = archive\nqueue = others\nfolder = FOLDER/others\n";

/* Archives: they hear nothing but what is imported. */
static int open_with(void **state, const char *text)
{
    struct log_stage *f = xcalloc(1, sizeof *f);
    char *filled;

    folder_make("logs", f->folder, sizeof f->folder);
    filled = scene_replaced(text, "FOLDER", f->folder);
    f->scene = scene_open(filled);
    free(filled);
    *state = f;
    return 0;
}

int log_stage_open(void **state)
{
    return open_with(state, ini);
}

int log_stage_open_two(void **state)
{
    char text[sizeof ini + sizeof second_queue];

    snprintf(text, sizeof text, "%s%s", ini, second_queue);
    return open_with(state, text);
}

int log_stage_close(void **state)
{
    struct log_stage *f = *state;

    scene_close(f->scene);
    json_decref(f->summary);
    free(f->out);
    free(f);
    return 0;
}

const char *log_stage_path(struct log_stage *f, const char *name)
{
    return arena_printf(f->scene->arena, "%s/%s", f->folder, name);
}

/* Line number i: a view of a record each third time, a second later each time. */
static void add_line(struct buf *out, int i)
{
    int64_t us = INT64_C(1700000000000000) + i * US_PER_SECOND;
    char time[64];

    time_format(us, "%d/%b/%Y:%H:%M:%S +0000", time, sizeof time);
    buf_printf(out, "192.0.2.%d - - [%s] \"GET /%s/%d HTTP/1.1\" 200 512 \"-\" \"Mozilla/5.0 (X11; %d)\"\n", i % 250,
               time, i % 3 == 0 ? "records" : "static", i, i % 17);
}

void log_stage_add_lines(struct buf *out, int from, int to)
{
    for (int i = from; i < to; i++)
        add_line(out, i);
}

void log_stage_write(const char *path, const char *text, size_t length)
{
    FILE *out = fopen(path, "we");

    assert_non_null(out);
    assert_int_equal(fwrite(text, 1, length, out), length);
    fclose(out);
}

void log_stage_write_lines(struct log_stage *f, const char *name, int from, int to)
{
    struct buf text = BUF_INIT;

    log_stage_add_lines(&text, from, to);
    log_stage_write(log_stage_path(f, name), text.data, text.length);
    buf_release(&text);
}

void log_stage_write_gzip(struct log_stage *f, const char *name, int from, int to)
{
    struct buf text = BUF_INIT;
    gzFile out = gzopen(log_stage_path(f, name), "wb");

    log_stage_add_lines(&text, from, to);
    assert_int_equal(gzwrite(out, text.data, (unsigned)text.length), (int)text.length);
    gzclose(out);
    buf_release(&text);
}

int log_stage_import(struct log_stage *f, const char *a, const char *b, const char *c)
{
    const char *words[] = {"import", "--config", f->scene->config_path, "--json", "access-log", a, b, c, NULL};
    const char *line;
    int code;

    free(f->out);
    json_decref(f->summary);
    code = crier_run(&f->out, words);
    line = strstr(f->out, "{\"files\"");
    f->summary = line ? json_loads(line, JSON_DISABLE_EOF_CHECK, NULL) : NULL;
    return code;
}

void log_stage_count_is(struct log_stage *f, const char *what, int64_t number)
{
    json_t *value = json_object_get(f->summary, what);

    if (!json_is_integer(value) || json_integer_value(value) != number)
        fail_msg("%s is not %lld: %s", what, (long long)number, f->out);
}

static int compare(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

size_t log_stage_different(struct log_stage *f)
{
    const struct reply *all = scene_redis(f->scene, "XRANGE crier:{views}:stream - +");
    const char **ids = arena_alloc(f->scene->arena, (all->count + 1) * sizeof(const char *));
    size_t count = 0;

    for (size_t i = 0; i < all->count; i++)
        ids[i] = reply_field_text(&all->items[i].items[1], "unique");
    qsort(ids, all->count, sizeof(const char *), compare);
    for (size_t i = 0; i < all->count; i++)
        count += i == 0 || strcmp(ids[i], ids[i - 1]) != 0;
    return count;
}

int64_t log_stage_length(struct log_stage *f)
{
    return scene_redis(f->scene, "XLEN crier:{views}:stream")->integer;
}
