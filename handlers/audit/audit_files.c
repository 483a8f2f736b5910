/* Which files there are. */
#include <dirent.h>
#include <errno.h>
#include <libgen.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "handlers/audit/audit_file.h"

enum { PLACE_DIGITS = 12 };

/* NAME.PLACE, which has at least 12 digits. */
static bool is_moved(const char *entry, const char *name)
{
    size_t length = strlen(name);
    const char *digits = entry + length + 1;

    return strncmp(entry, name, length) == 0 && entry[length] == '.' && strlen(digits) >= PLACE_DIGITS &&
           strspn(digits, "0123456789") == strlen(digits);
}

/* By place: a longer number is a larger one. */
static int by_place(const void *a, const void *b)
{
    const char *left = *(char *const *)a, *right = *(char *const *)b;
    size_t left_length = strlen(left), right_length = strlen(right);

    return left_length == right_length ? strcmp(left, right) : left_length < right_length ? -1 : 1;
}

static void keep(char ***files, size_t *count, char *path)
{
    *files = xrealloc(*files, (*count + 1) * sizeof **files);
    (*files)[(*count)++] = path;
}

static void list_moved(DIR *folder, const char *file, const char *name, char ***files, size_t *count)
{
    const struct dirent *entry;

    while ((entry = readdir(folder))) {
        struct buf path = BUF_INIT;

        if (!is_moved(entry->d_name, name))
            continue;
        buf_printf(&path, "%s%s", file, entry->d_name + strlen(name));
        keep(files, count, buf_take(&path));
    }
}

char **audit_files_list(const char *file, size_t *count, struct error *err)
{
    char *for_folder = xstrdup(file), *for_name = xstrdup(file), **files = xcalloc(1, sizeof *files);
    const char *path = dirname(for_folder);
    DIR *folder = opendir(path);

    *count = 0;
    if (folder) {
        list_moved(folder, file, basename(for_name), &files, count);
        qsort(files, *count, sizeof *files, by_place);
        if (access(file, F_OK) == 0)
            keep(&files, count, xstrdup(file));
        closedir(folder);
    } else {
        error_set(err, ERROR_INPUT, "folder %s: %s", path, strerror(errno));
        audit_files_free(files, 0);
        files = NULL;
    }
    free(for_folder);
    free(for_name);
    return files;
}

void audit_files_free(char **files, size_t count)
{
    for (size_t i = 0; i < count; i++)
        free(files[i]);
    free(files);
}
