#include "notifier/access_log/access_log.h"

#include <string.h>

bool access_log_is_standard_input(const struct access_log *l)
{
    return text_same(l->path, "-");
}

void access_log_close(struct access_log *l)
{
    access_file_close(l->file);
    l->file = NULL;
}

static int64_t first_time(const struct access_form *form, struct span beginning)
{
    const char *at = beginning.text, *end = at + beginning.length, *feed;
    struct access_line line;

    for (; at < end && (feed = memchr(at, '\n', (size_t)(end - at))); at = feed + 1)
        if (access_line_read(form, (struct span){at, (size_t)(feed - at)}, &line))
            return line.time_us;
    return 0;
}

bool access_log_open(struct access_log *l, const struct access_form *form, struct error *err)
{
    struct span beginning;

    access_log_close(l);
    l->file = access_file_open(l->path, err);
    if (!l->file || !access_file_beginning(l->file, &beginning, err))
        return error_in(err, "%s", l->path);
    l->first_us = first_time(form, beginning);
    return true;
}

/* On to the offset or to the line behind it; *there: exactly to it. */
static bool skip_to(struct access_log *l, int64_t offset, bool *there, struct error *err)
{
    enum line_kind kind = LINE_TEXT;
    struct span line;

    while (access_file_offset(l->file) < offset && kind != LINE_END)
        if ((kind = access_file_next(l->file, &line, err)) == LINE_FAILED)
            return error_in(err, "%s", l->path);
    *there = access_file_offset(l->file) == offset;
    return true;
}

static bool digest_is(struct access_log *l, const struct past *past)
{
    char whole[RAW_HASH_TEXT_BYTES], digest[PAST_DIGEST_BYTES];

    access_file_digest(l->file, whole);
    past_digest(whole, past->offset, digest);
    return text_same(digest, past->digest);
}

bool access_log_resume(struct access_log *l, const struct access_form *form, const struct past *pasts, size_t count,
                       struct error *err)
{
    bool there = true;

    l->past = (struct past){0, ""};
    for (size_t i = 0; i < count; i++) {
        if (!skip_to(l, pasts[i].offset, &there, err))
            return false;
        if (there && digest_is(l, &pasts[i])) {
            l->past = pasts[i];
            if (access_log_is_standard_input(l)) /* there is no way back from looking for more */
                break;
        }
    }
    if (access_file_offset(l->file) != l->past.offset && !access_log_is_standard_input(l) &&
        (!access_log_open(l, form, err) || !skip_to(l, l->past.offset, &there, err)))
        return false;
    if (access_file_offset(l->file) == l->past.offset)
        return true;
    return error_set(
        err, ERROR_INPUT, "%s",
        access_log_is_standard_input(l)
            ? "standard input begins in the same second as another log that was imported: give it as a file"
            : "a log changed while it was read");
}
