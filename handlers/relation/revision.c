#include "handlers/relation/revision.h"

#include <string.h>

#include "base/json.h"

#define SEPARATOR "::"

static struct span uuid_of(const struct subject *s)
{
    return s->uuid.length ? s->uuid : s->id;
}

/* Where the revision stands behind whatever uuid; NULL: the text is not of that form. */
static const char *behind_any_uuid(const char *text)
{
    const char *found = NULL;

    for (const char *at = text; (at = strstr(at, SEPARATOR)); at++)
        found = at;
    return found && found > text ? found + strlen(SEPARATOR) : NULL;
}

/* Where the revision stands behind the subject's own uuid; NULL: the text is not of that form, or another's. */
static const char *behind_uuid(const char *text, const struct subject *s)
{
    struct span uuid = uuid_of(s);
    size_t length = strlen(text);

    if (s->uuid_unknown)
        return behind_any_uuid(text);
    if (length < uuid.length + strlen(SEPARATOR) || memcmp(text, uuid.text, uuid.length) != 0 ||
        !text_starts(text + uuid.length, SEPARATOR))
        return NULL;
    return text + uuid.length + strlen(SEPARATOR);
}

enum revision_state revision_compare(enum revision_format format, const json_t *held, const struct subject *s)
{
    struct buf scratch = BUF_INIT;
    const char *text = json_scalar_text(held, &scratch);
    enum revision_state state = REVISION_BEHIND;
    int64_t revision;

    if (text && format == REVISION_UUID)
        text = behind_uuid(text, s);
    if (text && text_int(text, strlen(text), &revision) && revision >= s->revision)
        state = revision == s->revision ? REVISION_SAME : REVISION_NEWER;
    buf_release(&scratch);
    return state;
}

static void add_uuid(const json_t *held, const struct subject *s, struct buf *text)
{
    const char *there = s->uuid_unknown ? json_string_value(held) : NULL, *revision;

    if (there && (revision = behind_any_uuid(there))) {
        buf_add(text, there, (size_t)(revision - there));
        return;
    }
    buf_add(text, uuid_of(s).text, uuid_of(s).length);
    buf_add_text(text, SEPARATOR);
}

json_t *revision_make(enum revision_format format, const json_t *held, const struct subject *s)
{
    struct buf text = BUF_INIT;
    json_t *value;

    if (format == REVISION_NUMBER && !json_is_string(held))
        return json_integer(s->revision);
    if (format == REVISION_UUID)
        add_uuid(held, s, &text);
    buf_add_int(&text, s->revision);
    value = json_stringn(text.data, text.length);
    buf_release(&text);
    return value;
}
