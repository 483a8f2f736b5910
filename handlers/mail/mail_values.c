#include "handlers/mail/mail_values.h"

#include <stdbool.h>
#include <string.h>

enum { NAME_BYTES_MOST = 200, ROOM_FIRST = 4 };

struct mail_values mail_values_new(struct arena *arena)
{
    return (struct mail_values){.arena = arena};
}

/* Most events have one or two: room for all that may be would be most of a batch's memory. */
void mail_values_add(struct mail_values *v, const char *text)
{
    if (v->count == v->room) {
        const char **more;

        v->room = v->room ? 2 * v->room : ROOM_FIRST;
        more = arena_alloc(v->arena, v->room * sizeof *more);
        for (size_t i = 0; i < v->count; i++)
            more[i] = v->items[i];
        v->items = more;
    }
    v->items[v->count++] = text;
}

static void take(struct mail_values *v, const json_t *value)
{
    bool number = json_is_integer(value);

    if (v->count == MAIL_VALUES_MOST || !(number || json_is_string(value)))
        v->wrong++;
    else if (number)
        mail_values_add(v, arena_printf(v->arena, "%lld", (long long)json_integer_value(value)));
    else
        mail_values_add(v, arena_text(v->arena, json_string_value(value)));
}

void mail_values_gather(struct mail_values *v, const json_t *value, const char *path)
{
    size_t length = strcspn(path, ".");
    char name[NAME_BYTES_MOST];
    const json_t *member;

    if (json_is_array(value)) {
        for (size_t i = 0; i < json_array_size(value); i++)
            mail_values_gather(v, json_array_get(value, i), path);
        return;
    }
    if (!*path) {
        take(v, value);
        return;
    }
    if (length >= sizeof name) {
        v->wrong++;
        return;
    }
    memcpy(name, path, length);
    name[length] = '\0';
    member = json_object_get(value, name);
    if (member)
        mail_values_gather(v, member, path[length] ? path + length + 1 : "");
    else
        v->missing++;
}
