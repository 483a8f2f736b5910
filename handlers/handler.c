#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/counters.h"
#include "base/log.h"
#include "base/text.h"
#include "handlers/handler.h"
#include "handlers/registry.h"
#include "indexer/index_template.h"
#include "notifier/template.h"

struct handler *handler_new(const struct settings *s, const struct handler_settings *hs, struct error *err)
{
    struct handler *h = xcalloc(1, sizeof *h);

    h->type = handler_type_find(hs->type);
    h->settings = s;
    h->common = hs;
    h->options = hs->own;
    h->client = client_new(&s->opensearch);
    h->redis = settings_redis(s);
    if (h->type->open(h, err))
        return h;
    error_in(err, "handler %s", hs->name);
    handler_free(h);
    return NULL;
}

void handler_free(struct handler *h)
{
    if (!h)
        return;
    h->type->close(h);
    client_free(h->client);
    redis_free(h->redis);
    free(h);
}

bool handler_check(const void *handler_settings, struct error *err)
{
    const struct handler_settings *hs = handler_settings;
    const struct handler_type *type = handler_type_find(hs->type);

    return !type || !type->check || type->check(hs->own, err);
}

bool handler_fits(const struct settings *s, const struct handler_settings *hs, struct error *err)
{
    const struct handler_type *type = handler_type_find(hs->type);

    return !type || !type->fits || type->fits(s, hs, err);
}

bool handler_online(const struct handler_settings *hs, struct client *c, struct buf *notes, struct error *err)
{
    const struct handler_type *type = handler_type_find(hs->type);

    return !type || !type->online || type->online(hs->own, c, notes, err);
}

const struct handler_settings *handler_first(const struct settings *s, const struct handler_type *type)
{
    for (size_t i = 0; i < s->handler_count; i++)
        if (strcmp(s->handlers[i].type, type->name) == 0)
            return &s->handlers[i];
    return NULL;
}

const struct handler_settings *handler_named(const struct settings *s, const char *name,
                                             const struct handler_type *type, struct error *err)
{
    const struct handler_settings *hs = settings_handler(s, name);
    const char **names = xcalloc(s->handler_count + 1, sizeof *names), *nearest;
    size_t count = 0;

    for (size_t i = 0; i < s->handler_count; i++)
        if (strcmp(s->handlers[i].type, type->name) == 0)
            names[count++] = s->handlers[i].name;
    nearest = text_nearest(name, names, count);
    if (!hs || strcmp(hs->type, type->name) != 0) {
        error_set(err, ERROR_CONFIG, "there is no handler \"%s\" of type %s%s%s%s", name, type->name,
                  nearest ? "; did you mean \"" : "", nearest ? nearest : "", nearest ? "\"?" : "");
        hs = NULL;
    }
    free(names);
    return hs;
}

/* Nobody above could tell the operator what the state means. */
static void report_template(const struct handler *h, const char *name, enum template_state state)
{
    counter_set(counter_with(COUNTER_GAUGE, "crier_template_drifted",
                             "1 where the handler's index template is not as crier wrote it", "handler",
                             h->common->name, NULL),
                state == TEMPLATE_DRIFTED);
    if (state == TEMPLATE_DRIFTED)
        log_warn("handler %s: index template %s%s was edited, or is another's: it is left as it is", h->common->name,
                 client_prefix(h->client), name);
    else if (state != TEMPLATE_UNCHANGED)
        log_info("handler %s: index template %s%s %s", h->common->name, client_prefix(h->client), name,
                 state == TEMPLATE_INSTALLED ? "installed" : "upgraded");
}

bool handler_install_template(struct handler *h, const struct template *index, const char *body, struct error *err)
{
    struct buf pattern = BUF_INIT, name = BUF_INIT;
    enum template_state state;
    bool ok;

    template_add_glob(index, &pattern);
    buf_printf(&name, "crier-%s", pattern.data);
    for (char *star = name.data; (star = strchr(star, '*'));)
        *star = '_'; /* a star may not stand in a name */
    ok = index_template_install(h->client, name.data, pattern.data, body, &state, err);
    if (ok)
        report_template(h, name.data, state);
    buf_release(&pattern);
    buf_release(&name);
    return ok;
}

void handler_settle(struct batch *b, struct delivery *d, const struct bulk_item *item)
{
    switch (item->outcome) {
    case BULK_UNSENT:
        break;
    case BULK_DONE:
    case BULK_SUPERSEDED:
        d->outcome = OUTCOME_DONE;
        break;
    case BULK_CONFLICT:
        delivery_set(b, d, OUTCOME_RETRY, "the document changed between reading and writing", item->reason);
        break;
    case BULK_BUSY:
        delivery_set(b, d, OUTCOME_WAIT, "OpenSearch is busy", item->reason);
        break;
    case BULK_PAUSED:
        delivery_set(b, d, OUTCOME_WAIT, "the index takes no writes", item->reason);
        break;
    case BULK_DEAD:
        delivery_set(b, d, OUTCOME_DEAD, "OpenSearch refuses the document", item->reason);
        break;
    }
}
