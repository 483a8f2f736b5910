#include "handlers/mail/mail_recipients.h"

#include <string.h>

#include "handlers/mail/mail_digest.h"

enum { ROOM_FIRST = 4 };

static const char data_prefix[] = "data.", subject_itself[] = "subject";

/* ------------------------------------------------------------------------------------------------- configuration */

static bool is_path(const char *to)
{
    return text_starts(to, data_prefix) && to[strlen(data_prefix)];
}

bool mail_to_check(const char *to, struct error *err)
{
    if (is_path(to) || strcmp(to, subject_itself) == 0 || mail_address_check(span_of(to), err))
        return true;
    return error_set(err, ERROR_CONFIG,
                     "data. and a path to one or several addresses, or one address; with a source subject, or data. "
                     "and a path to one or several ids");
}

bool mail_recipients_check(const struct mail_options *o, struct error *err)
{
    if (!*o->source && *o->recipient_language)
        return error_set(err, ERROR_CONFIG,
                         "recipient_language: it is in the documents of a source, and none is named");
    if (!*o->source)
        return strcmp(o->to, subject_itself) != 0 ||
               error_set(err, ERROR_CONFIG, "to = subject is an id: name the source that has its address");
    if (!*o->address)
        return error_set(err, ERROR_CONFIG, "address: the source's documents have the address somewhere, as in email");
    return strchr(o->to, '@') == NULL ||
           error_set(err, ERROR_CONFIG, "source: to is an address already; with a source it says where ids are");
}

/* ------------------------------------------------------------------------------------------------ the addresses */

/* A language as templates have it; else that of the event counts. */
static const char *language_of(const char *said, struct arena *arena)
{
    struct error ignored;

    return *said && mail_language_check(said, &ignored) ? arena_text(arena, said) : "";
}

static void make_room(struct mail_recipients *r, struct arena *arena)
{
    const char **items, **languages;

    r->room = r->room ? 2 * r->room : ROOM_FIRST;
    items = arena_alloc(arena, r->room * sizeof *items);
    languages = arena_alloc(arena, r->room * sizeof *languages);
    for (size_t i = 0; i < r->count; i++) {
        items[i] = r->items[i];
        languages[i] = r->languages[i];
    }
    r->items = items;
    r->languages = languages;
}

static void add_recipient(struct mail_recipients *r, const char *text, const char *language, struct arena *arena)
{
    struct error err;
    char *address;

    if (r->count == MAIL_RECIPIENTS_MOST || !mail_address_check(span_of(text), &err)) {
        r->wrong++;
        return;
    }
    address = arena_text(arena, text);
    for (char *c = strchr(address, '@'); *c; c++)
        if (*c >= 'A' && *c <= 'Z')
            *c = (char)(*c - 'A' + 'a');
    for (size_t i = 0; i < r->count; i++)
        if (strcmp(r->items[i], address) == 0)
            return;
    if (r->count == r->room)
        make_room(r, arena);
    r->languages[r->count] = language;
    r->items[r->count++] = address;
}

static void add_person(struct mail_recipients *r, const struct mail_person *p, struct arena *arena)
{
    const char *language = language_of(p->language, arena);

    r->wrong += p->addresses ? p->wrong : 1;
    for (size_t i = 0; i < json_array_size(p->addresses); i++)
        add_recipient(r, json_string_value(json_array_get(p->addresses, i)), language, arena);
}

/* Where `to` leads in the event: addresses, or ids of people. */
static struct mail_values values_of(const char *to, const struct event *e, const json_t *data, struct arena *arena)
{
    struct mail_values values = mail_values_new(arena);
    struct span id;

    if (is_path(to)) {
        mail_values_gather(&values, data, to + strlen(data_prefix));
    } else if (strcmp(to, subject_itself) == 0) {
        id = event_subject_id(e);
        if (id.length > 0)
            mail_values_add(&values, arena_copy(arena, id.text, id.length));
        else
            values.missing++;
    } else {
        mail_values_add(&values, to);
    }
    return values;
}

/* A digest has its address itself. */
static bool is_looked_up(const struct mail_directory *d, const struct event *e)
{
    return mail_directory_has_source(d) && !span_is(e->type, MAIL_DIGEST_TYPE);
}

static bool want(struct mail_directory *d, const struct mail_values *ids, struct error *err)
{
    bool ok = true;

    for (size_t i = 0; ok && i < ids->count; i++)
        ok = mail_directory_want(d, ids->items[i], err);
    return ok;
}

bool mail_recipients_prepare(struct mail_directory *d, const struct event *e, const json_t *data, struct arena *arena,
                             struct error *err)
{
    struct mail_values ids;

    if (!is_looked_up(d, e))
        return true;
    ids = values_of(mail_directory_options(d)->to, e, data, arena);
    return !mail_directory_has_room(d, ids.count) || want(d, &ids, err);
}

static bool look_up(struct mail_directory *d, const struct mail_values *ids, struct mail_recipients *out,
                    struct error *err)
{
    if (!mail_directory_learn(d, err))
        return false;
    if (!mail_directory_has_room(d, ids->count))
        mail_directory_forget(d);
    if (!want(d, ids, err) || !mail_directory_learn(d, err))
        return false;
    for (size_t i = 0; i < ids->count; i++) {
        struct mail_person person = mail_directory_find(d, ids->items[i]);

        add_person(out, &person, ids->arena);
    }
    return true;
}

bool mail_recipients_find(struct mail_directory *d, const struct event *e, const json_t *data, struct arena *arena,
                          struct mail_recipients *out, struct error *err)
{
    bool digest = span_is(e->type, MAIL_DIGEST_TYPE);
    struct mail_values values = values_of(digest ? "data.to" : mail_directory_options(d)->to, e, data, arena);

    *out =
        (struct mail_recipients){.wrong = values.wrong + values.missing, .nowhere = values.count + values.wrong == 0};
    if (is_looked_up(d, e))
        return look_up(d, &values, out, err);
    for (size_t i = 0; i < values.count; i++)
        add_recipient(out, values.items[i], "", arena);
    return true;
}
