#include "handlers/audit.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/json.h"
#include "base/log.h"
#include "handlers/audit/audit_entry.h"
#include "handlers/audit/audit_fields.h"
#include "handlers/audit/audit_file.h"
#include "handlers/audit/audit_options.h"
#include "indexer/indices.h"
#include "notifier/service_event.h"
#include "notifier/template.h"

/* In an index's name, for what the service's own events lack of it: no index asks for what none of them can have. */
#define SERVICE_WORD "crier"

enum { INVENIO_FIELD_MOST = 24 * 1024 };

struct audit {
    struct template *index; /* NULL: the file only */
    struct audit_reader *reader;
    struct audit_file *file; /* NULL: none */
    struct bulk *bulk;
    struct buf name, text;
};

/* The platform's metadata is a flat_object: a value there has at most 32,766 bytes, with its path before it. */
static bool audit_check(const void *options, struct error *err)
{
    const struct audit_options *o = options;

    return o->form != AUDIT_FORM_INVENIO || o->field_bytes <= INVENIO_FIELD_MOST ||
           error_set(err, ERROR_CONFIG, "field: at most 24KiB with form = invenio, whose index takes no longer text");
}

static bool audit_open(struct handler *h, struct error *err)
{
    const struct audit_options *o = h->options;
    struct audit *a = h->state = xcalloc(1, sizeof *a);

    buf_init(&a->name);
    buf_init(&a->text);
    a->bulk = bulk_new(h->client, h->settings->opensearch.bulk_bytes);
    a->reader = audit_reader_new(o, err);
    if (!a->reader || (*o->index && !(a->index = template_new(o->index, err))))
        return false;
    if (*h->settings->audit.file && !(a->file = audit_file_open(&h->settings->audit, err)))
        return false;
    return true;
}

static void audit_close(struct handler *h)
{
    struct audit *a = h->state;

    if (!a)
        return;
    template_free(a->index);
    audit_reader_free(a->reader);
    audit_file_close(a->file);
    bulk_free(a->bulk);
    buf_release(&a->name);
    buf_release(&a->text);
    free(a);
}

/* Of indices that an older crier made, too: their mapping is strict, and lacks what was added since. Where somebody
 * mapped a field otherwise it is theirs. */
static bool add_properties(struct handler *h, const struct template *index, struct error *err)
{
    struct buf pattern = BUF_INIT, body = BUF_INIT;
    json_t *mapping, *answer = NULL;
    bool missing, ok;

    template_add_glob(index, &pattern);
    buf_printf(&body, "{\"properties\":%s}", audit_entry_properties);
    mapping = json_text_parse(body.data, body.length, JSON_DEPTH_DEFAULT, err);
    ok = mapping && indices_ask(h->client, "PUT", pattern.data, "/_mapping", mapping, &answer, &missing, err);
    if (!ok && err->kind == ERROR_INPUT) {
        log_warn("handler %s: the mapping of %s is left as it is: %s", h->common->name, pattern.data, err->text);
        ok = true;
    }
    json_decref(answer);
    json_decref(mapping);
    buf_release(&pattern);
    buf_release(&body);
    return ok;
}

/* The platform's own data stream has the platform's template. */
static bool audit_install(struct handler *h, struct error *err)
{
    const struct audit_options *o = h->options;
    struct audit *a = h->state;
    struct buf body = BUF_INIT;
    bool ok;

    if (!a->index || o->form == AUDIT_FORM_INVENIO)
        return true;
    buf_printf(&body, "{\"mappings\":{\"dynamic\":\"strict\",\"properties\":%s}}", audit_entry_properties);
    ok = handler_install_template(h, a->index, body.data, err) && add_properties(h, a->index, err);
    buf_release(&body);
    return ok;
}

struct entry {
    struct span line;     /* of the file */
    struct span document; /* of the index */
    size_t number;
};

typedef void adder(const struct event *e, const struct audit_fields *f, struct buf *out);

static struct span make_text(struct audit *a, struct batch *in, const struct event *e, const struct audit_fields *f,
                             adder *add)
{
    buf_reset(&a->text);
    add(e, f, &a->text);
    return (struct span){arena_copy(in->arena, a->text.data, a->text.length), a->text.length};
}

/* What an entry lacks makes its event dead. */
static void make_entry(struct handler *h, struct batch *in, struct delivery *d, struct entry *entry)
{
    const struct audit_options *o = h->options;
    struct audit *a = h->state;
    struct audit_fields fields;
    struct error err = ERROR_INIT;

    if (!audit_reader_read(a->reader, &d->event, &fields, &err)) {
        delivery_set(in, d, OUTCOME_DEAD, err.text, NULL);
        return;
    }
    entry->line = entry->document = make_text(a, in, &d->event, &fields, audit_entry_add);
    if (a->index && o->form == AUDIT_FORM_INVENIO)
        entry->document = make_text(a, in, &d->event, &fields, audit_entry_add_invenio);
}

static bool write_file(struct audit *a, const struct batch *in, const struct entry *entries, struct error *err)
{
    if (!a->file)
        return true;
    for (size_t i = 0; i < in->count; i++)
        if (in->items[i].outcome == OUTCOME_NONE)
            audit_file_add(a->file, entries[i].line);
    return audit_file_flush(a->file, err);
}

static void add_to_bulk(struct audit *a, struct batch *in, struct delivery *d, struct entry *entry)
{
    struct bulk_target target = {.action = BULK_CREATE, .version = -1, .seq_no = -1, .primary_term = -1};
    struct error err = ERROR_INIT;

    buf_reset(&a->name);
    template_stand_in(a->index, service_event_is(d->event.type) ? SERVICE_WORD : NULL);
    if (!template_add_index(a->index, &d->event, &a->name, &err)) {
        delivery_set(in, d, OUTCOME_DEAD, err.text, NULL);
        return;
    }
    target.index = a->name.data;
    target.id = d->event.unique.text;
    target.id_length = d->event.unique.length;
    buf_add(bulk_add(a->bulk, &target, &entry->number), entry->document.text, entry->document.length);
}

static bool write_index(struct audit *a, struct batch *in, struct entry *entries, struct error *err)
{
    bool ok;

    bulk_start(a->bulk);
    for (size_t i = 0; i < in->count; i++)
        if (in->items[i].outcome == OUTCOME_NONE)
            add_to_bulk(a, in, &in->items[i], &entries[i]);
    ok = bulk_send(a->bulk, err);
    for (size_t i = 0; i < in->count; i++)
        if (in->items[i].outcome == OUTCOME_NONE)
            handler_settle(in, &in->items[i], bulk_item(a->bulk, entries[i].number));
    return ok;
}

/* The file first: it takes entries also while OpenSearch is away. */
static bool audit_handle(struct handler *h, struct batch *in, struct error *err)
{
    struct audit *a = h->state;
    struct entry *entries = arena_zero(in->arena, in->count * sizeof *entries);

    for (size_t i = 0; i < in->count; i++)
        if (in->items[i].outcome == OUTCOME_NONE)
            make_entry(h, in, &in->items[i], &entries[i]);
    if (!write_file(a, in, entries, err))
        return false;
    if (a->index)
        return write_index(a, in, entries, err);
    for (size_t i = 0; i < in->count; i++)
        if (in->items[i].outcome == OUTCOME_NONE)
            in->items[i].outcome = OUTCOME_DONE;
    return true;
}

const struct handler_type audit_handler = {
    .name = "audit",
    .help = "each event becomes an audit entry, in an index and in the append-only file of [audit]",
    .keys = audit_option_keys,
    .size = sizeof(struct audit_options),
    .traits = KIND_HEARS_SERVICE | KIND_ONE_LANE,
    .check = audit_check,
    .install = audit_install,
    .open = audit_open,
    .handle = audit_handle,
    .close = audit_close,
};
