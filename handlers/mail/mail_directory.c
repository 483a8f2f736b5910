#include "handlers/mail/mail_directory.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/arena.h"
#include "base/json.h"
#include "handlers/mail/mail_values.h"
#include "handlers/source/source.h"

enum { ASKED_MOST = 200 /* documents of a source in memory at a time */ };

static const char addresses_name[] = "to", wrong_name[] = "wrong", language_name[] = "language";

struct mail_directory {
    const struct mail_options *options;
    struct source *source;          /* NULL: the event has the addresses */
    struct arena *asked;            /* what the source gives */
    json_t *people;                 /* by id: {"to": [...], "wrong": ..., "language": ...}; null: wanted, or nobody */
    const char *wanted[ASKED_MOST]; /* ids, keys of people */
    size_t wanted_count;
};

struct mail_directory *mail_directory_new(const struct settings *s, const struct mail_options *o, struct error *err)
{
    struct mail_directory *d = xcalloc(1, sizeof *d);

    d->options = o;
    d->asked = arena_new();
    d->people = json_object();
    if (!*o->source || (d->source = source_new(s, o->source, err)))
        return d;
    mail_directory_free(d);
    return NULL;
}

void mail_directory_free(struct mail_directory *d)
{
    if (!d)
        return;
    source_free(d->source);
    arena_free(d->asked);
    json_decref(d->people);
    free(d);
}

const struct mail_options *mail_directory_options(const struct mail_directory *d)
{
    return d->options;
}

bool mail_directory_has_source(const struct mail_directory *d)
{
    return d->source;
}

void mail_directory_forget(struct mail_directory *d)
{
    json_object_clear(d->people);
    d->wanted_count = 0;
}

bool mail_directory_has_room(const struct mail_directory *d, size_t count)
{
    return json_object_size(d->people) + count <= MAIL_DIRECTORY_MOST;
}

/* What of a document is of use; null where it has no address. */
static json_t *person_of(struct mail_directory *d, const struct source_document *doc)
{
    struct mail_values addresses = mail_values_new(d->asked), languages = mail_values_new(d->asked);
    struct error ignored;
    json_t *body, *to;

    if (!doc->found || doc->wrong)
        return json_null();
    body = json_text_parse(doc->body.text, doc->body.length, JSON_DEPTH_MOST, &ignored);
    if (!body)
        return json_null();
    mail_values_gather(&addresses, body, d->options->address);
    if (*d->options->recipient_language)
        mail_values_gather(&languages, body, d->options->recipient_language);
    json_decref(body);
    to = json_array();
    for (size_t i = 0; i < addresses.count; i++)
        json_array_append_new(to, json_string_nocheck(addresses.items[i]));
    return json_pack("{s:o, s:I, s:s}", addresses_name, to, wrong_name,
                     (json_int_t)(addresses.wrong + addresses.missing), language_name,
                     languages.count > 0 ? languages.items[0] : "");
}

static bool ask(struct mail_directory *d, struct error *err)
{
    struct source_document docs[ASKED_MOST];
    struct span spans[ASKED_MOST];

    arena_reset(d->asked);
    for (size_t i = 0; i < d->wanted_count; i++)
        spans[i] = span_of(d->wanted[i]);
    if (!source_get(d->source, spans, d->wanted_count, d->asked, docs, err))
        return false;
    for (size_t i = 0; i < d->wanted_count; i++) {
        if (docs[i].wrong && docs[i].may_pass)
            return error_set(err, ERROR_AGAIN, "source %s: %s", d->options->source, docs[i].wrong);
        json_object_set_new_nocheck(d->people, d->wanted[i], person_of(d, &docs[i]));
    }
    return true;
}

bool mail_directory_learn(struct mail_directory *d, struct error *err)
{
    if (d->wanted_count > 0 && !ask(d, err)) {
        mail_directory_forget(d); /* who was wanted is not nobody */
        return false;
    }
    d->wanted_count = 0;
    return true;
}

bool mail_directory_want(struct mail_directory *d, const char *id, struct error *err)
{
    if (json_object_get(d->people, id))
        return true;
    json_object_set_new_nocheck(d->people, id, json_null());
    d->wanted[d->wanted_count++] = json_object_iter_key(json_object_iter_at(d->people, id));
    return d->wanted_count < ASKED_MOST || mail_directory_learn(d, err);
}

struct mail_person mail_directory_find(const struct mail_directory *d, const char *id)
{
    const json_t *person = json_object_get(d->people, id);

    return (struct mail_person){.addresses = json_object_get(person, addresses_name),
                                .wrong = (size_t)json_integer_value(json_object_get(person, wrong_name)),
                                .language = json_member_text(person, language_name, "")};
}
