#include "notifier/operation/searchable.h"

#include "base/json.h"

enum { HANDLERS_MOST = 256 };

void searchable_add_handlers(json_t *names, const struct buf *operation)
{
    struct error err;
    json_t *told = json_text_parse(operation->data, operation->length, 8, &err);
    const json_t *pairs = json_object_get(told, "handlers");

    for (size_t i = 0; i < json_array_size(pairs); i++)
        json_object_set_new(names, json_member_text(json_array_get(pairs, i), "handler", ""), json_true());
    json_decref(told);
}

bool searchable_make(const struct searchable *s, json_t *names, struct error *err)
{
    const char *handlers[HANDLERS_MOST], *name;
    json_t *value;
    size_t count = 0;

    json_object_foreach(names, name, value) if (count < HANDLERS_MOST) handlers[count++] = name;
    return s->make(s->context, handlers, count, err);
}
