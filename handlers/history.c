#include "handlers/history.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "notifier/archived.h"
#include "notifier/template.h"

enum { DATA_BYTES_MOST = 16 * 1024 * 1024 };

struct options {
    char *index;
    int64_t data_bytes;
};

/* Lined up, the columns would go beyond the edge of the page. */
/* clang-format off */
#define AT(field) offsetof(struct options, field)
static const struct config_key keys[] = {
    {"index", CONFIG_TEXT, AT(index), "history-{time:%Y-%m}", 0, 0, NULL, template_check_index,
     "index of an event's document; placeholders such as {time:%Y-%m}"},
    {"data", CONFIG_SIZE, AT(data_bytes), "256KiB", 0, DATA_BYTES_MOST, NULL, NULL,
     "an event's data that is longer is left out of its document; the rest of the event is kept"},
    CONFIG_END,
};
#undef AT
/* clang-format on */

/* What nobody asks for is stored only. A member that a newer crier adds is kept as well. */
static const char template_body[] =
    "{\"settings\":{\"index\":{\"refresh_interval\":\"5s\"}},\"mappings\":{\"dynamic\":false,\"properties\":{"
    "\"id\":{\"type\":\"keyword\"},\"source\":{\"type\":\"keyword\"},\"type\":{\"type\":\"keyword\"},"
    "\"time\":{\"type\":\"date\",\"format\":\"strict_date_optional_time\"},\"subject\":{\"type\":\"keyword\"},"
    "\"actor\":{\"type\":\"keyword\"},\"operation\":{\"type\":\"keyword\"},\"crierunique\":{\"type\":\"keyword\"},"
    "\"data\":{\"type\":\"object\",\"enabled\":false}}}}";

struct history {
    struct template *index;
    struct bulk *bulk;
    struct buf name; /* of the index, filled for one event */
};

static bool history_open(struct handler *h, struct error *err)
{
    const struct options *o = h->options;
    struct history *y = h->state = xcalloc(1, sizeof *y);

    buf_init(&y->name);
    y->bulk = bulk_new(h->client, h->settings->opensearch.bulk_bytes);
    y->index = template_new(o->index, err);
    return y->index != NULL;
}

static void history_close(struct handler *h)
{
    struct history *y = h->state;

    if (!y)
        return;
    template_free(y->index);
    bulk_free(y->bulk);
    buf_release(&y->name);
    free(y);
}

static bool history_install(struct handler *h, struct error *err)
{
    const struct history *y = h->state;

    return handler_install_template(h, y->index, template_body, err);
}

static void add_document(const struct event *e, int64_t data_bytes, struct buf *out)
{
    struct event without = *e;

    if (e->data.length <= (size_t)data_bytes) {
        archived_add(e, out);
        return;
    }
    without.data = SPAN_NONE;
    archived_add(&without, out);
    out->length--; /* its closing brace */
    buf_printf(out, ",\"" HISTORY_LEFT_OUT "\":%zu}", e->data.length);
}

static void add_event(const struct handler *h, struct batch *in, struct delivery *d, size_t *number)
{
    const struct options *o = h->options;
    struct history *y = h->state;
    struct bulk_target target = {.action = BULK_INDEX, .seq_no = -1, .primary_term = -1};
    struct error err = ERROR_INIT;

    buf_reset(&y->name);
    if (!template_add_index(y->index, &d->event, &y->name, &err)) {
        delivery_set(in, d, OUTCOME_DEAD, err.text, NULL);
        return;
    }
    target.index = y->name.data;
    target.id = d->event.unique.text;
    target.id_length = d->event.unique.length;
    target.version = d->event.time_us;
    add_document(&d->event, o->data_bytes, bulk_add(y->bulk, &target, number));
}

static bool history_handle(struct handler *h, struct batch *in, struct error *err)
{
    struct history *y = h->state;
    size_t *numbers = arena_zero(in->arena, in->count * sizeof *numbers);
    bool ok;

    bulk_start(y->bulk);
    for (size_t i = 0; i < in->count; i++)
        if (in->items[i].outcome == OUTCOME_NONE)
            add_event(h, in, &in->items[i], &numbers[i]);
    ok = bulk_send(y->bulk, err);
    for (size_t i = 0; i < in->count; i++)
        if (in->items[i].outcome == OUTCOME_NONE)
            handler_settle(in, &in->items[i], bulk_item(y->bulk, numbers[i]));
    return ok;
}

const struct handler_type history_handler = {
    .name = "history",
    .help = "every event becomes a document that `crier history` finds, to be sent again by `crier replay --history`",
    .keys = keys,
    .size = sizeof(struct options),
    .install = history_install,
    .open = history_open,
    .handle = history_handle,
    .close = history_close,
};
