#include <string.h>

#include "base/json.h"
#include "base/text.h"
#include "handlers/repair/archive.h"
#include "handlers/repair/archive_manifest.h"
#include "handlers/repair/import_marks.h"
#include "handlers/repair/writer.h"
#include "indexer/indices.h"
#include "indexer/search.h"

enum {
    LINE_BYTES_MOST = 64 * 1024 * 1024,
    TOGETHER = 1000, /* documents that are durable before the next are read */
};

struct import {
    const struct settings *settings;
    struct client *client;
    struct clock_run *run;
    struct writer *writer;
    struct buf source;

    /* Of the file in hand; NULL: its handler is not configured. */
    struct handler *handler;
    struct import_marks *marks;
    int64_t waiting, waiting_bytes; /* documents that were added since the last were durable */
};

/* ------------------------------------------------------------------------------------------------- the index */

/* The handler it was exported from, with its template; of one that is not configured the export's mapping has to do. */
static bool open_handler(struct import *im, const char *name, struct error *err)
{
    const struct handler_settings *hs = settings_handler(im->settings, name);

    if (!hs)
        return true;
    im->handler = handler_new(im->settings, hs, err);
    if (!im->handler || (im->handler->type->install && !im->handler->type->install(im->handler, err)))
        return false;
    im->marks = import_marks_new(im->handler);
    return true;
}

static void close_handler(struct import *im)
{
    import_marks_free(im->marks);
    handler_free(im->handler);
    im->marks = NULL;
    im->handler = NULL;
}

/* What an import needs of its aliases; the server has their names with the prefix. */
static json_t *prefixed_aliases(const struct client *c, const json_t *aliases)
{
    json_t *all = json_object(), *properties;
    struct buf name = BUF_INIT;
    const char *alias;

    json_object_foreach((json_t *)(uintptr_t)aliases, alias, properties)
    {
        buf_reset(&name);
        buf_printf(&name, "%s%s", client_prefix(c), alias);
        json_object_set(all, name.data, properties);
    }
    buf_release(&name);
    return all;
}

/* Also where only the name is there, as the alias of an index that holds more. */
static bool make_index(struct import *im, const json_t *file, struct error *err)
{
    const char *index = json_member_text(file, "index", "");
    json_t *there = NULL, *body = NULL;
    bool ok = indices_describe(im->client, index, &there, err);

    if (ok && json_object_size(there) == 0) {
        body = json_pack("{s:O, s:O, s:o}", "settings", json_object_get(file, "settings"), "mappings",
                         json_object_get(file, "mappings"), "aliases",
                         prefixed_aliases(im->client, json_object_get(file, "aliases")));
        ok = indices_create(im->client, index, body, err);
    }
    json_decref(body);
    json_decref(there);
    return ok;
}

/* --------------------------------------------------------------------------------------------- its documents */

static bool write_document(struct import *im, const json_t *line, const char *index, struct error *err)
{
    const json_t *version = json_object_get(line, "_version"), *source = json_object_get(line, "_source");
    struct bulk_target target = {.action = BULK_INDEX, .index = index, .seq_no = -1, .primary_term = -1};

    target.id = json_member_text(line, "_id", "");
    target.routing = json_member_text(line, "_routing", NULL);
    target.version = json_integer_value(version);
    if (!json_is_integer(version) || target.version < 0 || !target.id[0] || !json_is_object(source) ||
        !text_same(json_member_text(line, "_index", ""), index))
        return error_set(err, ERROR_INPUT, "a line is no document of this index");
    buf_reset(&im->source);
    json_add(&im->source, source);
    im->waiting++;
    im->waiting_bytes += (int64_t)im->source.length;
    if (im->marks)
        import_marks_add(im->marks, target.id, target.version, source,
                         (struct span){im->source.data, im->source.length});
    return writer_add(im->writer, &target, im->source.data, im->source.length, err);
}

/* Documents are their owner's: what the search engine took is not refused here for its depth. */
static bool write_line(struct import *im, struct span line, const char *index, struct error *err)
{
    json_error_t wrong;
    json_t *document = json_loadb(line.text, line.length, JSON_ALLOW_NUL, &wrong);
    bool ok = document
                  ? write_document(im, document, index, err)
                  : error_set(err, ERROR_INPUT, "a line cannot be read: %s at byte %d", wrong.text, wrong.position);

    json_decref(document);
    return ok;
}

/* Marked once they are durable: a run that took the marks before would not see them. */
static bool settle(struct import *im, struct error *err)
{
    bool ok = writer_flush(im->writer, err) && (!im->marks || import_marks_set(im->marks, err));

    if (ok)
        im->run->did(im->run, im->waiting);
    im->waiting = im->waiting_bytes = 0;
    return ok;
}

static bool write_lines(struct import *im, struct packed_reader *r, const json_t *file, struct error *err)
{
    const char *index = json_member_text(file, "index", "");
    int64_t documents = 0;
    struct span line;
    bool ended;

    for (;; documents++) {
        if (!packed_line(r, LINE_BYTES_MOST, &line, &ended, err))
            return false;
        if (ended)
            break;
        if (!write_line(im, line, index, err))
            return error_in(err, "document %lld", (long long)documents + 1);
        if ((im->waiting >= TOGETHER || im->waiting_bytes >= im->settings->opensearch.bulk_bytes) &&
            (!settle(im, err) || !im->run->may_go_on(im->run, err)))
            return false;
    }
    return documents == json_integer_value(json_object_get(file, "documents")) ||
           error_set(err, ERROR_INPUT, "it holds another number of documents than the manifest says");
}

static bool import_file(struct import *im, const char *folder, const json_t *file, struct error *err)
{
    struct buf path = BUF_INIT;
    struct packed_reader *r = NULL;
    bool ok;

    manifest_add_path(folder, file, &path);
    ok = open_handler(im, json_member_text(file, "handler", ""), err) && make_index(im, file, err) &&
         (r = packed_open(path.data, err)) && write_lines(im, r, file, err) && settle(im, err) &&
         search_refresh(im->client, json_member_text(file, "index", ""), err);
    packed_close(r);
    close_handler(im);
    if (!ok)
        error_in(err, "%s", json_member_text(file, "file", ""));
    buf_release(&path);
    return ok;
}

bool archive_import(const struct settings *s, struct client *c, const char *folder, struct clock_run *run,
                    struct archive_tally *tally, struct error *err)
{
    struct import im = {.settings = s, .client = c, .run = run, .source = BUF_INIT};
    json_t *manifest = NULL;
    const json_t *files;
    bool ok = archive_check(folder, tally, err) && (manifest = manifest_read(folder, err));

    im.writer = writer_new(c, s->opensearch.bulk_bytes, run);
    files = manifest_files(manifest);
    for (size_t i = 0; ok && i < json_array_size(files); i++)
        ok = import_file(&im, folder, json_array_get(files, i), err);
    tally->written = writer_counts(im.writer)->written;
    tally->superseded = writer_counts(im.writer)->superseded;
    tally->refused = writer_counts(im.writer)->refused;
    memcpy(tally->refusal, writer_counts(im.writer)->refusal, sizeof tally->refusal);
    writer_free(im.writer);
    buf_release(&im.source);
    json_decref(manifest);
    return ok;
}
