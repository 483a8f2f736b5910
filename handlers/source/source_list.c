#include "handlers/source/source_list.h"

#include <string.h>

#include "base/http.h"
#include "base/json_compact.h"
#include "handlers/source/source_url.h"

#define END "end"

bool source_list_ended(struct span position)
{
    return span_is(position, END);
}

/* What a position says behind that word; the position is NUL-ended then. False: it begins with another. */
static bool position_value(struct span position, const char *word, struct span *value)
{
    size_t length = strlen(word);

    if (position.length <= length || memcmp(position.text, word, length) != 0)
        return false;
    *value = (struct span){position.text + length, position.length - length};
    return true;
}

static bool is_paged(const struct source_list *list)
{
    return source_url_has(list->url, "page");
}

static bool is_keyed(const struct source_list *list)
{
    return source_url_has(list->url, "after");
}

bool source_list_add_url(const struct source_list *list, const struct source_walk *walk, struct buf *out,
                         struct error *err)
{
    struct source_url_values v = {.after = SPAN_NONE, .page = 1, .size = walk->most, .since_us = list->since_us};
    struct span link = SPAN_NONE, page;
    bool good = walk->position.length == 0;

    if (is_paged(list))
        good = good || (position_value(walk->position, "page ", &page) && text_int(page.text, page.length, &v.page) &&
                        v.page > 0);
    else if (is_keyed(list))
        good = good || position_value(walk->position, "after ", &v.after);
    else
        good = good || position_value(walk->position, "next ", &link);
    if (good && link.length)
        good = source_url_follow(list->url, link, out);
    else if (good)
        source_url_add(list->url, &v, out);
    return good || error_set(err, ERROR_INPUT, "\"%.*s\" is no position in its list",
                             (int)(walk->position.length < 100 ? walk->position.length : 100), walk->position.text);
}

/* --------------------------------------------------------------------------------------------------- one page */

static size_t count_items(struct span items)
{
    struct span item;
    size_t count = 0;

    for (size_t at = 0; json_compact_next(items, &at, &item);)
        count++;
    return count;
}

static void read_items(const struct source_list *list, struct span items, struct arena *arena,
                       struct source_document **out, size_t *count)
{
    struct span item;
    size_t at = 0, i = 0;

    *count = count_items(items);
    *out = arena_zero(arena, (*count + 1) * sizeof **out);
    for (; json_compact_next(items, &at, &item); i++) {
        (*out)[i] =
            (struct source_document){.id = SPAN_NONE, .version = VERSION_NONE, .body = SPAN_NONE, .routing = SPAN_NONE};
        source_read(&list->paths, item, arena, &(*out)[i]);
    }
}

/* The text at a path, where there is one that says something. */
static bool said_at(struct span text, const char *path, struct arena *arena, struct span *out)
{
    struct span value;

    return json_compact_at(text, path, &value) && json_compact_text(value, arena, out) && out->length > 0;
}

/* What {after} is to be, percent-encoded as it stands in the address and in the position. */
static const char *after_text(const struct source_list *list, struct span text, const struct source_document *docs,
                              size_t count, struct arena *arena)
{
    struct buf encoded = BUF_INIT;
    struct span after = SPAN_NONE;
    const char *out = END;

    if (*list->next ? said_at(text, list->next, arena, &after) : count > 0) {
        if (!*list->next)
            after = docs[count - 1].id;
        http_add_segment(&encoded, after.text, after.length);
        out = arena_printf(arena, "after %s", encoded.data);
    }
    buf_release(&encoded);
    return out;
}

static const char *page_text(const struct source_walk *walk, size_t count, struct arena *arena)
{
    struct span page;
    int64_t number = 1;

    if (count == 0)
        return END;
    if (position_value(walk->position, "page ", &page) && !text_int(page.text, page.length, &number))
        number = 1;
    return arena_printf(arena, "page %lld", (long long)number + 1);
}

static const char *link_text(const struct source_list *list, struct span text, struct arena *arena)
{
    struct span link;

    return said_at(text, *list->next ? list->next : "links.next", arena, &link)
               ? arena_printf(arena, "next %s", link.text)
               : END;
}

static bool move_on(const struct source_list *list, struct span text, struct source_walk *walk, struct arena *arena,
                    const struct source_document *docs, size_t count, struct error *err)
{
    struct span next = span_of(is_paged(list)   ? page_text(walk, count, arena)
                               : is_keyed(list) ? after_text(list, text, docs, count, arena)
                                                : link_text(list, text, arena));
    struct source_walk there = {.position = next, .most = 1};
    struct buf url = BUF_INIT;
    bool ok = source_list_ended(next) || source_list_add_url(list, &there, &url, err);

    if (ok && next.length == walk->position.length && memcmp(next.text, walk->position.text, next.length) == 0)
        ok = error_set(err, ERROR_INPUT, "its list goes in circles: the page behind \"%.100s\" is that page itself",
                       next.text);
    walk->position = ok ? next : walk->position;
    buf_release(&url);
    return ok;
}

bool source_list_read(const struct source_list *list, struct span text, struct source_walk *walk, struct arena *arena,
                      struct source_document **out, size_t *count, struct error *err)
{
    struct span items;

    if (!json_compact_at(text, list->items, &items) || items.text[0] != '[')
        return error_set(err, ERROR_INPUT, "its list has no array at %s", *list->items ? list->items : "its top");
    read_items(list, items, arena, out, count);
    return move_on(list, text, walk, arena, *out, *count, err);
}
