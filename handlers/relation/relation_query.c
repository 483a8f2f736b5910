#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "handlers/relation/relation_parts.h"
#include "handlers/relation/revision.h"
#include "notifier/event.h"

static const char *id_field(const struct match *m)
{
    return m->id_mapped.field ? m->id_mapped.field : m->id;
}

static const char *revision_field(const struct match *m)
{
    return m->revision_mapped.field ? m->revision_mapped.field : m->revision;
}

/* The same object holds both where the container is what is nested: then no other copy can answer for this one. */
static bool is_alone(const struct relation *r, const struct match *m)
{
    const char *nested = m->id_mapped.nested;

    if (r->options->single)
        return true;
    return nested && strlen(nested) == m->container && m->revision_mapped.nested &&
           text_same(nested, m->revision_mapped.nested);
}

/* UUID::7 is one subject's alone, wherever it stands; 7 may be another's. */
static bool can_leave_out(const struct relation *r, const struct match *m)
{
    if (!m->revision || m->revision_mapped.analysed)
        return false;
    return r->options->revision_format == REVISION_UUID ? !m->revision_mapped.number : is_alone(r, m);
}

bool relation_finds_behind(const struct relation *r)
{
    for (size_t i = 0; i < r->match_count; i++)
        if (!can_leave_out(r, &r->matches[i]))
            return false;
    return true;
}

/* An analysed id is found by its words: more than it, which are told apart in the documents. */
static json_t *id_is(const struct match *m, const struct subject *s)
{
    return json_pack("{s:{s:s%}}", m->id_mapped.analysed ? "match_phrase" : "term", id_field(m), s->id.text,
                     s->id.length);
}

/* A copy that is at the subject's revision; as a number also one at a newer one. */
static json_t *revision_reached(const struct relation *r, const struct match *m, const struct subject *s)
{
    json_t *text;

    if (m->revision_mapped.number)
        return json_pack("{s:{s:{s:I}}}", "range", revision_field(m), "gte", (json_int_t)s->revision);
    text = r->options->revision_format == REVISION_UUID ? revision_make(REVISION_UUID, NULL, s)
                                                        : json_integer(s->revision);
    return json_pack("{s:{s:o}}", "term", revision_field(m), text);
}

static json_t *in_nested(const struct match *m, json_t *query)
{
    if (!m->id_mapped.nested)
        return query;
    return json_pack("{s:{s:s,s:o,s:b}}", "nested", "path", m->id_mapped.nested, "query", query, "ignore_unmapped", 1);
}

static json_t *clause(const struct relation *r, const struct match *m, const struct subject *s, bool only_behind)
{
    json_t *query;

    if (only_behind && !s->deleted && s->revision >= 0 && can_leave_out(r, m))
        query = json_pack("{s:{s:[o],s:[o]}}", "bool", "must", id_is(m, s), "must_not", revision_reached(r, m, s));
    else
        query = id_is(m, s);
    return in_nested(m, query);
}

static void add_filter(json_t *inner, const char *field, int64_t before_us)
{
    char time[TIME_TEXT_BYTES];
    size_t length = strlen(time_text_long(before_us, time)) - strlen("+00:00"); /* as Python's isoformat, in UTC */

    json_object_set_new(inner, "filter", json_pack("[{s:{s:{s:s%}}}]", "range", field, "lte", time, length));
}

json_t *relation_query(const struct relation *r, const struct subject *const *subjects, size_t count, bool only_behind,
                       int64_t before_us)
{
    json_t *should = json_array(), *inner;

    for (size_t i = 0; i < count; i++)
        for (size_t j = 0; j < r->match_count; j++)
            if (!relation_keeps(r, subjects[i]))
                json_array_append_new(should, clause(r, &r->matches[j], subjects[i], only_behind));
    if (json_array_size(should) == 0) {
        json_decref(should);
        return NULL;
    }
    inner = json_pack("{s:o,s:i}", "should", should, "minimum_should_match", 1);
    if (*r->options->indexed_at && before_us > 0)
        add_filter(inner, r->options->indexed_at, before_us);
    return json_pack("{s:o}", "bool", inner);
}

json_t *relation_query_all(const struct relation *r)
{
    json_t *should = json_array();

    for (size_t i = 0; i < r->match_count; i++) {
        const struct match *m = &r->matches[i];

        json_array_append_new(should, in_nested(m, json_pack("{s:{s:s}}", "exists", "field", m->id)));
    }
    return json_pack("{s:{s:o,s:i}}", "bool", "should", should, "minimum_should_match", 1);
}

size_t relation_subjects_most(const struct relation *r)
{
    size_t most = (size_t)r->options->clauses / r->match_count;

    return most > 0 ? most : 1;
}
