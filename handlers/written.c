#include "handlers/written.h"

#include <string.h>

#include "indexer/search.h"
#include "notifier/template.h"

const char *handler_option_text(const struct handler_settings *hs, const char *name)
{
    for (const struct config_key *key = hs->kind->keys; key->name; key++)
        if (text_same(key->name, name) && key->type == CONFIG_TEXT) {
            char *value;

            memcpy(&value, (const char *)hs->own + key->offset, sizeof value);
            return value ? value : "";
        }
    return "";
}

bool written_index(const struct handler_settings *hs, struct buf *out)
{
    const char *index = handler_option_text(hs, "index");
    struct template *t;
    struct error err;

    buf_reset(out);
    if (!*index)
        return false;
    if (!strchr(index, '{')) {
        buf_add_text(out, index);
        return true;
    }
    t = template_new(index, &err);
    if (t)
        template_add_glob(t, out);
    template_free(t);
    return t != NULL;
}

bool written_refresh(const struct settings *s, struct client *c, const char *const *handlers, size_t count,
                     struct error *err)
{
    struct buf index = BUF_INIT, before = BUF_INIT;
    bool ok = true;

    for (size_t i = 0; ok && i < count; i++) {
        const struct handler_settings *hs = settings_handler(s, handlers[i]);

        if (!hs || !written_index(hs, &index) || text_same(index.data, before.length ? before.data : ""))
            continue;
        ok = search_refresh(c, index.data, err);
        buf_reset(&before);
        buf_add(&before, index.data, index.length);
    }
    buf_release(&index);
    buf_release(&before);
    return ok;
}
