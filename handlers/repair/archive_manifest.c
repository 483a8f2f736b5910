#include "handlers/repair/archive_manifest.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/json.h"
#include "base/text.h"

#define MANIFEST "manifest.json"

enum { MANIFEST_BYTES_MOST = 64 * 1024 * 1024, FORMAT = 1 };

static void add_path(struct buf *out, const char *folder, const char *name)
{
    buf_printf(out, "%s/%s", folder, name);
}

void manifest_add_path(const char *folder, const json_t *file, struct buf *out)
{
    add_path(out, folder, json_member_text(file, "file", ""));
}

const json_t *manifest_files(const json_t *manifest)
{
    return json_object_get(manifest, "files");
}

const json_t *manifest_file_of(const json_t *manifest, const char *index)
{
    const json_t *files = manifest_files(manifest);

    for (size_t i = 0; i < json_array_size(files); i++)
        if (text_same(json_member_text(json_array_get(files, i), "index", ""), index))
            return json_array_get(files, i);
    return NULL;
}

/* -------------------------------------------------------------------------------------------- reading, writing */

/* A name that leads out of the folder is nobody's export. */
static bool is_plain(const char *name)
{
    return name[0] && name[0] != '.' && !strchr(name, '/');
}

static bool check_row(const json_t *file, struct error *err)
{
    static const char *const texts[] = {"handler", "index", "sha256", "content_sha256"};
    static const char *const numbers[] = {"documents", "bytes", "content_bytes"};
    static const char *const objects[] = {"mappings", "aliases", "settings"};
    const char *name = json_member_text(file, "file", "");
    bool ok = is_plain(name);

    for (size_t i = 0; i < ARRAY_LENGTH(texts); i++)
        ok = ok && json_is_string(json_object_get(file, texts[i]));
    for (size_t i = 0; i < ARRAY_LENGTH(numbers); i++)
        ok = ok && json_is_integer(json_object_get(file, numbers[i]));
    for (size_t i = 0; i < ARRAY_LENGTH(objects); i++)
        ok = ok && json_is_object(json_object_get(file, objects[i]));
    return ok || error_set(err, ERROR_INPUT, "the row of file \"%.100s\" is not whole", name);
}

static bool check_manifest(const json_t *m, struct error *err)
{
    const json_t *files = manifest_files(m);
    bool ok = true;

    if (json_integer_value(json_object_get(m, "format")) != FORMAT)
        return error_set(err, ERROR_INPUT, "it is of a format that this crier does not know");
    if (!json_is_array(files) || !json_is_boolean(json_object_get(m, "complete")))
        return error_set(err, ERROR_INPUT, "\"files\" or \"complete\" is missing");
    for (size_t i = 0; ok && i < json_array_size(files); i++)
        ok = check_row(json_array_get(files, i), err);
    return ok;
}

json_t *manifest_read(const char *folder, struct error *err)
{
    struct buf path = BUF_INIT, text = BUF_INIT;
    json_t *m = NULL;

    *err = (struct error)ERROR_INIT;
    add_path(&path, folder, MANIFEST);
    if (access(path.data, F_OK) == 0 && file_read(path.data, MANIFEST_BYTES_MOST, &text, err)) {
        m = json_text_parse(text.data, text.length, JSON_DEPTH_DEFAULT, err);
        if (!m || !check_manifest(m, err)) {
            error_in(err, "%s", path.data);
            json_decref(m);
            m = NULL;
        }
    }
    buf_release(&path);
    buf_release(&text);
    return m;
}

bool manifest_write(const char *folder, json_t *manifest, struct error *err)
{
    struct buf path = BUF_INIT;
    char *text;
    bool ok;

    json_object_set_new(manifest, "format", json_integer(FORMAT));
    text = json_dumps(manifest, JSON_INDENT(1));
    add_path(&path, folder, MANIFEST);
    ok = file_replace(path.data, 0600, text, strlen(text), err);
    free(text);
    buf_release(&path);
    return ok;
}

/* -------------------------------------------------------------------------------------------------- the files */

bool manifest_check_file(const char *folder, const json_t *file, struct error *err)
{
    struct buf path = BUF_INIT;
    char sha256[DIGEST_TEXT_BYTES];
    int64_t bytes;
    bool ok;

    manifest_add_path(folder, file, &path);
    ok = packed_sum(path.data, &bytes, sha256, err);
    if (!ok)
        err->kind = ERROR_INPUT;
    else if (bytes != json_integer_value(json_object_get(file, "bytes")) ||
             !text_same(sha256, json_member_text(file, "sha256", "")))
        ok = error_set(err, ERROR_INPUT, "%s is not the file that was exported: size or SHA-256 differs", path.data);
    buf_release(&path);
    return ok;
}

void manifest_set_sums(json_t *file, const struct packed_sums *sums)
{
    json_object_set_new(file, "documents", json_integer(sums->lines));
    json_object_set_new(file, "bytes", json_integer(sums->bytes));
    json_object_set_new(file, "sha256", json_string(sums->sha256));
    json_object_set_new(file, "content_bytes", json_integer(sums->content_bytes));
    json_object_set_new(file, "content_sha256", json_string(sums->content_sha256));
}
