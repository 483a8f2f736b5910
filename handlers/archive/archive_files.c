#include "handlers/archive/archive_files.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/text.h"
#include "handlers/archive/archive_name.h"

/* What a file of an archive is called up to here stays when it is sealed. */
static size_t stem_of(const char *path)
{
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path, *end = strstr(name, ".ndjson");
    struct archive_name n;

    return end && archive_name_read(name, &n) ? (size_t)(end - path) : strlen(path);
}

static bool add_file(struct archive_files *f, const char *path, enum archive_kind kind, struct error *err)
{
    struct archive_file *one;

    f->items = xrealloc(f->items, (f->count + 1) * sizeof *f->items);
    one = &f->items[f->count++];
    *one = (struct archive_file){.path = xstrdup(path), .stem = stem_of(path), .open = kind == ARCHIVE_OPEN};
    return one->open || text_same(path, "-") || archive_seal_read(path, &one->seal, &one->sealed, err);
}

/* ---------------------------------------------------------------------------------------------------- a folder */

static bool is_there(const char *path)
{
    return access(path, F_OK) == 0;
}

/* A digest without its file: something was taken away. While a day is being sealed its open file is still there. */
static bool check_digest(const char *folder, const char *path, const struct archive_name *n, struct error *err)
{
    struct buf file = BUF_INIT, open = BUF_INIT;
    bool ok;

    buf_add(&file, path, strlen(path) - strlen(".sha256"));
    buf_printf(&open, "%s/%.*s.%.*s.ndjson.open", folder, (int)n->day.length, n->day.text, (int)n->handler.length,
               n->handler.text);
    ok = is_there(file.data) || is_there(open.data) ||
         error_set(err, ERROR_INPUT, "%s is not there, but its digest is", file.data);
    buf_release(&file);
    buf_release(&open);
    return ok;
}

static bool add_named(struct archive_files *f, const char *folder, const char *name, struct error *err)
{
    struct buf path = BUF_INIT;
    struct archive_name n;
    bool ok = true;

    if (!archive_name_read(name, &n))
        return true;
    buf_printf(&path, "%s/%s", folder, name);
    if (n.kind == ARCHIVE_DIGEST)
        ok = check_digest(folder, path.data, &n, err);
    else
        ok = add_file(f, path.data, n.kind, err) &&
             (n.kind == ARCHIVE_OPEN || f->items[f->count - 1].sealed ||
              error_set(err, ERROR_INPUT,
                        "%s has no digest (%s.sha256) any more: name the file itself to take it "
                        "without",
                        path.data, name));
    buf_release(&path);
    return ok;
}

static int by_stem(const void *a, const void *b)
{
    const struct archive_file *left = a, *right = b;
    int order = strncmp(left->path, right->path, left->stem < right->stem ? left->stem : right->stem);

    if (order == 0)
        order = left->stem < right->stem ? -1 : left->stem > right->stem;
    return order ? order : strcmp(left->path, right->path);
}

static bool add_folder(struct archive_files *f, const char *folder, struct error *err)
{
    struct dirent **names;
    size_t before = f->count;
    int count = scandir(folder, &names, NULL, alphasort);
    bool ok = true;

    if (count < 0)
        return error_set(err, ERROR_INPUT, "%s: %s", folder, strerror(errno));
    for (int i = 0; i < count; i++) {
        ok = ok && add_named(f, folder, names[i]->d_name, err);
        free(names[i]);
    }
    free(names);
    if (ok && f->count == before)
        return error_set(err, ERROR_INPUT, "%s: no file of an archive is in it", folder);
    if (ok)
        qsort(f->items + before, f->count - before, sizeof *f->items, by_stem);
    return ok;
}

/* ------------------------------------------------------------------------------------------------------ the list */

static bool add_path(struct archive_files *f, const char *name, struct error *err)
{
    struct buf path = BUF_INIT;
    const char *slash = strrchr(name, '/');
    struct archive_name n;
    struct stat about;
    bool ok;

    if (text_same(name, "-"))
        return add_file(f, name, ARCHIVE_PLAIN, err);
    if (stat(name, &about) != 0)
        return error_set(err, ERROR_INPUT, "%s: %s", name, strerror(errno));
    buf_add_text(&path, name);
    while (path.length > 1 && path.data[path.length - 1] == '/')
        path.data[--path.length] = '\0';
    if (S_ISDIR(about.st_mode))
        ok = add_folder(f, path.data, err);
    else
        ok = add_file(f, name, archive_name_read(slash ? slash + 1 : name, &n) ? n.kind : ARCHIVE_PLAIN, err);
    buf_release(&path);
    return ok;
}

bool archive_files_find(const char *const *names, size_t count, struct archive_files *out, struct error *err)
{
    *out = (struct archive_files){NULL, 0};
    for (size_t i = 0; i < count; i++)
        if (!add_path(out, names[i], err))
            return false;
    return true;
}

void archive_files_release(struct archive_files *f)
{
    for (size_t i = 0; i < f->count; i++)
        free(f->items[i].path);
    free(f->items);
    *f = (struct archive_files){NULL, 0};
}

bool archive_file_check(const struct archive_file *f, struct error *err)
{
    return !f->sealed || archive_seal_check(f->path, &f->seal, err);
}

bool archive_file_covers(const struct archive_file *f, struct time_range range)
{
    return !f->sealed || (f->seal.events > 0 && f->seal.first_us < range.to_us && f->seal.last_us >= range.from_us);
}

/* Whether the file comes in the same folder, and not before. */
static bool follows(const struct archive_file *f, const char *path, size_t stem)
{
    const char *slash = strrchr(path, '/');
    size_t folder = slash ? (size_t)(slash - path) + 1 : 0;
    struct archive_file other = {.path = (char *)(uintptr_t)path, .stem = stem};

    return folder > 0 && strncmp(f->path, path, folder) == 0 && by_stem(f, &other) > 0;
}

size_t archive_files_at(const struct archive_files *f, const char *path, bool *same)
{
    size_t stem = stem_of(path);

    *same = true;
    for (size_t i = 0; i < f->count; i++)
        if (text_same(f->items[i].path, path))
            return i;
    for (size_t i = 0; i < f->count; i++)
        if (f->items[i].stem == stem && strncmp(f->items[i].path, path, stem) == 0)
            return i; /* sealed meanwhile */
    *same = false;
    for (size_t i = 0; i < f->count; i++)
        if (follows(&f->items[i], path, stem))
            return i;
    return f->count;
}
