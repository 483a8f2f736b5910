#include "handlers/report/report_records.h"

#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/text.h"
#include "handlers/report/report_form.h"

enum { RECORDS_A_SEARCH = 500, NAME_LEAST = 2 };

/* What COUNTER calls the types of InvenioRDM; a type also stands for those that begin with it and a hyphen. */
static const char known_types[] =
    "publication-article=Article publication-preprint=Article publication-datapaper=Article "
    "publication-book=Book_Segment publication-section=Book_Segment publication-conferencepaper=Conference_Item "
    "publication-conferenceproceeding=Conference_Item poster=Conference_Item presentation=Conference_Item "
    "publication-thesis=Thesis_or_Dissertation publication-report=Report publication-technicalnote=Report "
    "publication-workingpaper=Report publication-deliverable=Report publication-milestone=Report "
    "publication-patent=Patent publication-standard=Standard dataset=Dataset software=Software image=Image "
    "video=Audiovisual audio=Sound";

struct reading {
    struct client *client;
    const struct report_settings *settings;
    const struct usage *usage;
    struct arena *arena;
    const struct report_record **records;
};

/* ------------------------------------------------------------------------------------------------------- types */

bool report_data_types_check(const char *words, struct error *err)
{
    const char *word;
    size_t length;

    while (text_word(&words, &word, &length)) {
        const char *equals = memchr(word, '=', length);
        size_t name = equals ? length - (size_t)(equals + 1 - word) : 0;

        if (!equals || equals == word || !text_has_word(REPORT_ITEM_TYPES, equals + 1, name))
            return error_set(err, ERROR_CONFIG, "\"%.*s\" is not TYPE=DATA_TYPE; data types are " REPORT_ITEM_TYPES,
                             (int)length, word);
    }
    return true;
}

/* The data type of the longest word whose type is this one or begins it; NULL: none. */
static const char *find_type(const char *words, const char *type, struct arena *arena)
{
    const char *word, *found = NULL;
    size_t length, best = 0, found_length = 0;

    while (text_word(&words, &word, &length)) {
        size_t name = strcspn(word, "=");

        if (name < length && name > best && strncmp(word, type, name) == 0 && (!type[name] || type[name] == '-')) {
            best = name;
            found = word + name + 1;
            found_length = length - name - 1;
        }
    }
    return found ? arena_copy(arena, found, found_length) : NULL;
}

static const char *data_type(const struct reading *r, const char *type)
{
    const char *found = find_type(r->settings->data_types, type, r->arena);

    if (!found)
        found = find_type(known_types, type, r->arena);
    if (found)
        return found;
    return *type ? "Other" : REPORT_TYPE_UNKNOWN;
}

/* --------------------------------------------------------------------------------------------- a record's words */

/* Calls visit for every text at a dotted path, through arrays, until it returns false. */
static bool each_text(const json_t *value, const char *path, bool (*visit)(void *context, const char *text),
                      void *context)
{
    size_t i, length = strcspn(path, ".");
    const json_t *one;
    char name[256];

    if (json_is_array(value)) {
        json_array_foreach(value, i, one) if (!each_text(one, path, visit, context)) return false;
        return true;
    }
    if (!*path)
        return !json_is_string(value) || visit(context, json_string_value(value));
    if (length >= sizeof name || !json_is_object(value))
        return true;
    memcpy(name, path, length);
    name[length] = '\0';
    return each_text(json_object_get(value, name), path + length + (path[length] == '.'), visit, context);
}

static bool take_first(void *context, const char *text)
{
    *(const char **)context = text;
    return false;
}

/* The first text there, in the arena. */
static const char *text_at(const struct reading *r, const json_t *source, const char *path)
{
    const char *found = "";

    each_text(source, path, take_first, &found);
    return arena_text(r->arena, found);
}

static bool take_author(void *context, const char *text)
{
    struct report_record *record = context;

    if (strlen(text) >= NAME_LEAST)
        record->authors[record->author_count++] = text;
    return record->author_count < REPORT_AUTHORS_MOST;
}

static const char *formed(const char *text, enum report_form form)
{
    return report_form_is(form, text) ? text : "";
}

static void read_year(struct report_record *record, const char *date)
{
    bool known = strlen(date) >= 4 && strspn(date, "0123456789") == 4;

    memcpy(record->year, known ? date : "0001", 4);
}

static struct report_record *read_record(const struct reading *r, const json_t *source)
{
    const struct report_settings *s = r->settings;
    struct report_record *record = arena_zero(r->arena, sizeof *record);
    const char *date = text_at(r, source, s->date_field), *access = text_at(r, source, s->access_field);

    record->title = text_at(r, source, s->title_field);
    record->publisher = text_at(r, source, s->publisher_field);
    if (!*record->publisher)
        record->publisher = s->publisher;
    record->doi = formed(text_at(r, source, s->doi_field), FORM_DOI);
    record->parent_doi = formed(text_at(r, source, s->parent_doi_field), FORM_DOI);
    record->version = text_at(r, source, s->version_field);
    record->date = formed(date, FORM_DATE);
    read_year(record, date);
    each_text(source, s->authors_field, take_author, record);
    for (size_t i = 0; i < record->author_count; i++)
        record->authors[i] = arena_text(r->arena, record->authors[i]);
    record->data_type = data_type(r, text_at(r, source, s->type_field));
    record->open = !*access || strcmp(access, "public") == 0 || strcmp(access, "open") == 0;
    return record;
}

/* -------------------------------------------------------------------------------------------------- the searches */

/* An item's own record is asked for; the parents' is one of these. */
static json_t *some_ids(const struct reading *r, size_t *at)
{
    size_t count;
    const struct usage_item *const *items = usage_items(r->usage, &count);
    json_t *ids = json_array();

    for (; *at < count && json_array_size(ids) < RECORDS_A_SEARCH; ++*at)
        if (!items[*at]->is_parent)
            json_array_append_new(ids, json_string(items[*at]->id));
    return ids;
}

static json_t *search_request(const struct reading *r, json_t *ids)
{
    const struct report_settings *s = r->settings;
    const char *fields[] = {s->id_field,      s->title_field,   s->publisher_field, s->doi_field,  s->parent_doi_field,
                            s->version_field, s->authors_field, s->access_field,    s->date_field, s->type_field};
    json_t *wanted = json_array();

    for (size_t i = 0; i < ARRAY_LENGTH(fields); i++)
        if (*fields[i])
            json_array_append_new(wanted, json_string(fields[i]));
    return json_pack("{s:i, s:o, s:b, s:{s:{s:o}}}", "size", RECORDS_A_SEARCH, "_source", wanted, "track_total_hits", 0,
                     "query", "terms", s->id_field, ids);
}

static void take_hits(const struct reading *r, const json_t *answer)
{
    const json_t *hits = json_object_get(json_object_get(answer, "hits"), "hits"), *hit;
    size_t i;

    json_array_foreach(hits, i, hit)
    {
        const json_t *source = json_object_get(hit, "_source");
        const char *id = "";
        const struct usage_item *item;

        each_text(source, r->settings->id_field, take_first, &id);
        item = usage_find(r->usage, id, false);
        if (item)
            r->records[item->number] = read_record(r, source);
    }
}

static void make_path(const struct reading *r, struct buf *path)
{
    buf_add_char(path, '/');
    http_add_segment(path, client_prefix(r->client), strlen(client_prefix(r->client)));
    http_add_segment(path, r->settings->records, strlen(r->settings->records));
    buf_add_text(path, "/_search?allow_partial_search_results=false");
}

static bool search_some(const struct reading *r, const char *path, json_t *ids, struct error *err)
{
    json_t *request = search_request(r, ids), *answer = NULL;
    bool missing, ok = client_json(r->client, "POST", path, request, &answer, &missing, err);

    if (ok)
        take_hits(r, answer);
    json_decref(answer);
    json_decref(request);
    return ok || error_in(err, "records in %s", r->settings->records);
}

static bool search_all(const struct reading *r, struct error *err)
{
    struct buf path = BUF_INIT;
    size_t at = 0, count;
    bool ok = true;

    usage_items(r->usage, &count);
    make_path(r, &path);
    while (ok && at < count)
        ok = search_some(r, path.data, some_ids(r, &at), err);
    buf_release(&path);
    return ok;
}

/* The later date; of one date, the id that sorts last. */
static bool is_later(const struct report_record *a, const struct usage_item *a_item, const struct report_record *b,
                     const struct usage_item *b_item)
{
    int order = strcmp(a->date, b->date);

    if (order == 0)
        order = strcmp(a->year, b->year);
    return order ? order > 0 : strcmp(a_item->id, b_item->id) > 0;
}

static void lend_to_parents(const struct reading *r)
{
    size_t count;
    const struct usage_item *const *items = usage_items(r->usage, &count);
    const struct usage_item **latest = arena_zero(r->arena, (count + 1) * sizeof(struct usage_item *));

    for (size_t i = 0; i < count; i++) {
        const struct usage_item *parent = items[i]->parent;
        const struct report_record *own = r->records[i];

        if (!parent || !own)
            continue;
        if (latest[parent->number] && !is_later(own, items[i], r->records[parent->number], latest[parent->number]))
            continue;
        latest[parent->number] = items[i];
        r->records[parent->number] = own;
    }
}

bool report_records_read(struct client *c, const struct report_settings *s, const struct usage *u, struct arena *arena,
                         const struct report_record ***records, struct error *err)
{
    struct reading r = {.client = c, .settings = s, .usage = u, .arena = arena};
    size_t count;

    usage_items(u, &count);
    r.records = arena_zero(arena, (count + 1) * sizeof(struct report_record *));
    if (*s->records && !search_all(&r, err))
        return false;
    lend_to_parents(&r);
    *records = r.records;
    return true;
}
