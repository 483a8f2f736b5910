#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/text.h"
#include "handlers/repair/archive.h"
#include "handlers/repair/archive_manifest.h"
#include "handlers/repair/pages.h"
#include "indexer/indices.h"
#include "indexer/search.h"

struct export
{
    struct client *client;
    struct time_range period;
    const char *folder;
    struct clock_run *run;
    json_t *manifest;
};

bool archive_count(struct client *c, const struct store *stores, size_t count, struct time_range p, int64_t *documents,
                   struct error *err)
{
    bool ok = true;

    *documents = 0;
    for (size_t i = 0; ok && i < count; i++) {
        json_t *query = store_query(&stores[i], p);
        int64_t some;

        ok = indices_count(c, stores[i].source, query, &some, err);
        *documents += ok ? some : 0;
        json_decref(query);
    }
    return ok;
}

/* ------------------------------------------------------------------------------------------------- one index */

struct lines {
    const struct client *client;
    struct packed_writer *file;
    struct buf line;
};

static void add_line(struct lines *l, const json_t *hit)
{
    const char *index = json_member_text(hit, "_index", ""), *routing = json_member_text(hit, "_routing", NULL);

    buf_reset(&l->line);
    buf_add_text(&l->line, "{\"_index\":");
    buf_add_json_text(&l->line, index + strlen(client_prefix(l->client)));
    buf_add_text(&l->line, ",\"_id\":");
    buf_add_json_text(&l->line, json_member_text(hit, "_id", ""));
    if (routing) {
        buf_add_text(&l->line, ",\"_routing\":");
        buf_add_json_text(&l->line, routing);
    }
    buf_add_text(&l->line, ",\"_version\":");
    buf_add_int(&l->line, json_integer_value(json_object_get(hit, "_version")));
    buf_add_text(&l->line, ",\"_source\":");
    json_add(&l->line, json_object_get(hit, "_source"));
    buf_add_char(&l->line, '}');
}

static bool write_page(const json_t *hits, void *context, struct error *err)
{
    struct lines *l = context;

    for (size_t i = 0; i < json_array_size(hits); i++) {
        add_line(l, json_array_get(hits, i));
        if (!packed_add(l->file, l->line.data, l->line.length, err))
            return false;
    }
    return true;
}

static bool write_file(struct export *e, const char *path, const char *index, const json_t *query,
                       struct packed_sums *sums, struct error *err)
{
    struct lines l = {e->client, packed_create(path, err), BUF_INIT};
    bool ok = l.file && search_refresh(e->client, index, err) &&
              pages_each(e->client, index, query, e->run, write_page, &l, err);

    if (ok)
        ok = packed_finish(l.file, sums, err);
    else
        packed_discard(l.file);
    buf_release(&l.line);
    return ok;
}

/* What an index needs to be made anew. */
static json_t *row_new(const struct store *s, const char *index, const json_t *described)
{
    const json_t *shards = json_at(described, "settings.index.number_of_shards");
    json_t *row = json_pack("{s:s, s:s, s:s}", "handler", s->handler->name, "type", s->handler->type, "index", index);
    struct buf file = BUF_INIT;
    char now[TIME_TEXT_BYTES];

    buf_printf(&file, "%s.ndjson.gz", index);
    json_object_set_new(row, "file", json_string(file.data));
    json_object_set_new(row, "exported", json_string(time_text(clock_wall_us(), now)));
    json_object_set(row, "mappings", json_object_get(described, "mappings"));
    json_object_set(row, "aliases", json_object_get(described, "aliases"));
    json_object_set_new(row, "settings", shards ? json_pack("{s:O}", "number_of_shards", shards) : json_object());
    buf_release(&file);
    return row;
}

static bool export_index(struct export *e, const struct store *s, const char *index, const json_t *described,
                         struct error *err)
{
    json_t *query = store_query(s, e->period), *row = row_new(s, index, described);
    struct buf path = BUF_INIT;
    struct packed_sums sums;
    int64_t documents;
    bool ok, some;

    manifest_add_path(e->folder, row, &path);
    ok = indices_count(e->client, index, query, &documents, err);
    some = documents > 0 || store_all(e->period);
    if (ok && some && write_file(e, path.data, index, query, &sums, err)) {
        manifest_set_sums(row, &sums);
        json_array_append(json_object_get(e->manifest, "files"), row);
        ok = manifest_write(e->folder, e->manifest, err);
    } else if (some) {
        ok = false;
    }
    json_decref(query);
    json_decref(row);
    buf_release(&path);
    return ok || error_in(err, "index %s", index);
}

/* Those that the manifest has are on disk: they were, before it named them. */
static bool export_store(struct export *e, const struct store *s, struct error *err)
{
    json_t *indices, *described;
    const char *index;
    bool ok = indices_describe(e->client, s->source, &indices, err);

    json_object_foreach(indices, index, described)
    {
        const json_t *there = manifest_file_of(e->manifest, index);

        if (ok && there && manifest_check_file(e->folder, there, err))
            e->run->did(e->run, json_integer_value(json_object_get(there, "documents")));
        else if (ok)
            ok = !there && export_index(e, s, index, described, err);
    }
    json_decref(indices);
    return ok;
}

/* -------------------------------------------------------------------------------------------------- the whole */

/* What makes two exports the same one. */
static json_t *wanted(const struct store *stores, size_t count, struct time_range p)
{
    json_t *handlers = json_array();
    char time[TIME_TEXT_BYTES];

    for (size_t i = 0; i < count; i++)
        json_array_append_new(handlers, json_string(stores[i].handler->name));
    return json_pack("{s:o, s:o, s:o}", "handlers", handlers, "from",
                     p.from_us == time_range_all.from_us ? json_null() : json_string(time_text(p.from_us, time)), "to",
                     p.to_us == time_range_all.to_us ? json_null() : json_string(time_text(p.to_us, time)));
}

static bool begin(struct export *e, json_t *asked, struct error *err)
{
    char now[TIME_TEXT_BYTES];

    if (mkdir(e->folder, 0700) != 0 && errno != EEXIST)
        return error_set(err, ERROR_CONFIG, "%s: %s", e->folder, strerror(errno));
    e->manifest = manifest_read(e->folder, err);
    if (!e->manifest && err->kind != ERROR_NONE)
        return false;
    if (!e->manifest)
        e->manifest = json_pack("{s:s, s:s, s:O, s:b, s:[]}", "crier", CRIER_VERSION, "started",
                                time_text(clock_wall_us(), now), "wanted", asked, "complete", 0, "files");
    if (json_is_true(json_object_get(e->manifest, "complete")))
        return error_set(err, ERROR_INPUT, "%s holds a whole export already: name another folder", e->folder);
    return json_equal(json_object_get(e->manifest, "wanted"), asked) ||
           error_set(err, ERROR_INPUT, "%s holds the beginning of an export of other handlers or of another period",
                     e->folder);
}

static bool end(struct export *e, struct error *err)
{
    char now[TIME_TEXT_BYTES];

    json_object_set_new(e->manifest, "complete", json_true());
    json_object_set_new(e->manifest, "ended", json_string(time_text(clock_wall_us(), now)));
    return manifest_write(e->folder, e->manifest, err);
}

static void tally_files(const json_t *manifest, struct archive_tally *tally)
{
    const json_t *files = manifest_files(manifest);

    for (size_t i = 0; i < json_array_size(files); i++) {
        tally->files++;
        tally->documents += json_integer_value(json_object_get(json_array_get(files, i), "documents"));
        tally->bytes += json_integer_value(json_object_get(json_array_get(files, i), "bytes"));
    }
}

bool archive_export(struct client *c, const struct store *stores, size_t count, struct time_range p, const char *folder,
                    struct clock_run *run, struct archive_tally *tally, struct error *err)
{
    struct export e = {.client = c, .period = p, .folder = folder, .run = run};
    json_t *asked = wanted(stores, count, p);
    bool ok = begin(&e, asked, err);

    for (size_t i = 0; ok && i < count; i++)
        ok = export_store(&e, &stores[i], err);
    ok = ok && end(&e, err);
    *tally = (struct archive_tally){0};
    if (ok)
        tally_files(e.manifest, tally);
    json_decref(e.manifest);
    json_decref(asked);
    return ok;
}

bool archive_check(const char *folder, struct archive_tally *tally, struct error *err)
{
    json_t *manifest = manifest_read(folder, err);
    const json_t *files = manifest_files(manifest);
    bool ok = manifest != NULL;

    *tally = (struct archive_tally){0};
    if (!ok && err->kind == ERROR_NONE)
        error_set(err, ERROR_INPUT, "%s has no manifest.json: it holds no export", folder);
    if (ok && !json_is_true(json_object_get(manifest, "complete")))
        ok = error_set(err, ERROR_INPUT, "%s holds an export that was cut off: run `crier statistics export` again",
                       folder);
    for (size_t i = 0; ok && i < json_array_size(files); i++)
        ok = manifest_check_file(folder, json_array_get(files, i), err);
    if (ok)
        tally_files(manifest, tally);
    json_decref(manifest);
    return ok;
}
