#include "handlers/reconcile/reconcile_options.h"

#include <stddef.h>
#include <string.h>

#include "base/text.h"
#include "handlers/denormalize.h"
#include "handlers/handler.h"
#include "handlers/record.h"
#include "handlers/record/record_options.h"
#include "handlers/source/source.h"
#include "handlers/spread/spread.h"

enum { DAY = 24 * 60 * 60 * 1000 };

static const char *const walk_names[] = {"index", "source"};

#define AT(field) offsetof(struct reconcile_options, field)

/* clang-format off */
const struct config_key reconcile_keys[] = {
    {"of", CONFIG_TEXT, AT(of), NULL, 0, 0, NULL, NULL,
     "handler of type denormalize whose copies are looked after, or of type record whose documents are"},
    {"source", CONFIG_TEXT, AT(source), "", 0, 0, NULL, NULL,
     "NAME of the [source] that has the subjects as they are; empty: that of the handler `of`"},
    {"walk", CONFIG_CHOICE, AT(walk), "index", 0, 0, "index source", NULL,
     "through all documents of the index (finds those of subjects that are gone, too), or all subjects of the source"},
    {"changed_at", CONFIG_TEXT, AT(changed_at), "updated", 0, 0, NULL, NULL,
     "field of a subject that tells when it changed: from then on a copy was behind; empty: none"},
    {"page", CONFIG_COUNT, AT(page), "500", 1, 10000, NULL, NULL, "documents, or subjects, read at a time"},
    {"rate", CONFIG_COUNT, AT(rate), "2000", 0, 1000000, NULL, NULL,
     "documents, or subjects, looked at in a second; 0: no limit"},
    {"budget", CONFIG_TIME, AT(budget_ms), "10m", 0, 7 * DAY, NULL, NULL,
     "how long a run may take; the next one goes on from there; 0s: to the end of the round"},
    {"period", CONFIG_TIME, AT(period_ms), "24h", 0, INT64_C(366) * DAY, NULL, NULL,
     "a round that takes longer is told as a warning"},
    {"gone_most", CONFIG_COUNT, AT(gone_most), "20", 0, 1000000, NULL, NULL,
     "where more subjects of a page are gone, and most of it, the source is not believed; 0: it always is"},
    CONFIG_END,
};
/* clang-format on */

const char *reconcile_walk_name(const struct reconcile_options *o)
{
    return walk_names[o->walk];
}

static bool is_record(const struct handler_settings *of)
{
    return text_same(of->type, record_handler.name);
}

const struct handler_settings *reconcile_of(const struct settings *s, const struct reconcile_options *o,
                                            struct error *err)
{
    const struct handler_settings *of = settings_handler(s, o->of);

    if (of && is_record(of))
        return of;
    of = handler_named(s, o->of, &denormalize_handler, err);
    if (!of)
        error_in(err, "of");
    return of;
}

/* A document that is found by its id alone, in an index that is known without an event. */
static bool record_fits(const struct handler_settings *of, const char *source, struct error *err)
{
    const struct record_options *o = of->own;

    if (strchr(o->index, '{') || !text_same(o->id, "{subject.id}") || strchr(o->routing, '{'))
        return error_set(err, ERROR_CONFIG,
                         "of: only an event tells which index, id or routing %s writes to: that cannot be walked",
                         of->name);
    return text_same(source, o->source) ||
           error_set(err, ERROR_CONFIG, "source: %s takes its documents from \"%s\", and repairs from there", of->name,
                     o->source);
}

const char *reconcile_source(const struct reconcile_options *o, const struct handler_settings *of, struct error *err)
{
    const char *own = is_record(of) ? ((const struct record_options *)of->own)->source
                                    : ((const struct spread_options *)of->own)->relation.source;

    if (*o->source && !(is_record(of) && text_same(own, "payload")))
        return o->source;
    if (!text_same(own, "payload"))
        return own;
    error_set(err, ERROR_CONFIG, "source: name a [source]: what %s knows comes with the events only", of->name);
    return NULL;
}

bool reconcile_fits(const struct settings *s, const struct handler_settings *hs, struct error *err)
{
    const struct reconcile_options *o = hs->own;
    const struct handler_settings *of = reconcile_of(s, o, err);
    const char *source = of ? reconcile_source(o, of, err) : NULL;

    return source && source_named(s, source, err) && (!is_record(of) || record_fits(of, source, err));
}
