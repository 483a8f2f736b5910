#include "scheduler/audit_search_call.h"

#include <stdio.h>
#include <string.h>

#include "base/listing.h"
#include "base/text.h"
#include "handlers/audit/audit_reading.h"
#include "handlers/audit/audit_search.h"
#include "handlers/query/timeline.h"
#include "scheduler/timeline_call.h"

struct search_call {
    struct verb_call *call;
    struct audit_trail trail;
    struct audit_filter filter;
    int64_t limit;
    bool csv;
    struct listing *listing; /* NULL: JSON, entry by entry */
    int64_t shown;
};

static bool take_texts(struct search_call *s, const char **handler, const char **from, const char **to,
                       struct error *err)
{
    const struct {
        const char *name, **value;
    } options[] = {
        {"actor",    &s->filter.actor   },
        {"action",   &s->filter.action  },
        {"resource", &s->filter.resource},
        {"outcome",  &s->filter.outcome },
        {"handler",  handler            },
        {"from",     from               },
        {"to",       to                 },
    };

    for (size_t i = 0; i < ARRAY_LENGTH(options); i++)
        if (verb_option(s->call, options[i].name, options[i].value) && !*options[i].value)
            return error_set(err, ERROR_INPUT, "--%s needs a value", options[i].name);
    return true;
}

static bool take_options(struct search_call *s, const char **handler, struct error *err)
{
    const char *from = NULL, *to = NULL;

    s->csv = verb_option(s->call, "csv", NULL);
    if (!take_texts(s, handler, &from, &to, err) || !timeline_call_limit(s->call, &s->limit, err) ||
        !time_range_between(from, to, &s->filter.range, err) || !audit_filter_check(&s->filter, err))
        return false;
    if (s->call->argc > 0)
        return error_set(err, ERROR_INPUT, "\"%.40s\" is no option of search", s->call->argv[0]);
    return !s->csv || !s->call->json || error_set(err, ERROR_INPUT, "either --csv or --json");
}

static void list_entry(struct search_call *s, const json_t *entry)
{
    static const char *const columns[] = {"time", "action", "outcome", "actor", "resource", "type", "id"};
    struct buf text = BUF_INIT;

    for (size_t i = 0; i < ARRAY_LENGTH(columns); i++) {
        buf_reset(&text);
        audit_entry_say(&s->trail, entry, columns[i], &text);
        listing_text(s->listing, text.length ? text.data : NULL);
    }
    buf_release(&text);
}

static bool search(struct search_call *s, struct client *c, struct error *err)
{
    struct buf after = BUF_INIT;
    bool ok = true;

    do {
        int64_t left = s->limit - s->shown;
        json_t *entries = NULL;

        ok = audit_search_page(c, &s->trail, &s->filter, left < TIMELINE_PAGE_MOST ? (size_t)left : TIMELINE_PAGE_MOST,
                               &after, &entries, err);
        for (size_t i = 0; i < json_array_size(entries); i++, s->shown++)
            if (s->listing)
                list_entry(s, json_array_get(entries, i));
            else
                timeline_call_print(json_array_get(entries, i), s->shown == 0);
        json_decref(entries);
    } while (ok && after.length > 0 && s->shown < s->limit);
    if (ok && after.length > 0)
        fprintf(stderr, "the newest %lld are shown; --limit N shows more\n", (long long)s->shown);
    buf_release(&after);
    return ok;
}

/* All pages of one state. */
static bool search_held(struct search_call *s, struct client *c, struct error *err)
{
    char *point;
    bool ok;

    if (!timeline_hold(c, s->trail.pattern, &point, err))
        return false;
    s->trail.point = point;
    ok = search(s, c, err);
    timeline_let_go(c, point);
    return ok;
}

static int show(struct search_call *s)
{
    struct client *c = client_new(&s->call->settings->opensearch);
    struct error err = ERROR_INIT;
    bool ok;

    if (!s->call->json)
        s->listing = listing_new("time action outcome actor resource event id");
    ok = audit_reading_by_verb(s->call->settings, &s->trail, &s->filter, &err) && search_held(s, c, &err);
    if (ok && !s->listing)
        puts(s->shown ? "]" : "[]");
    else if (ok && s->csv)
        listing_write_csv(s->listing, stdout);
    else if (ok)
        listing_write(s->listing, stdout, false);
    if (s->listing)
        listing_free(s->listing);
    client_free(c);
    return ok ? EXIT_DONE : verb_failed("audit search", &err);
}

int audit_search_call(struct verb_call *call)
{
    struct search_call s = {.call = call};
    const char *handler = NULL;
    struct error err = ERROR_INIT;
    int code;

    if (!take_options(&s, &handler, &err))
        return verb_usage("audit", err.text);
    if (!audit_trail_find(call->settings, handler, &s.trail, &err))
        return verb_failed("audit search", &err);
    code = show(&s);
    audit_trail_release(&s.trail);
    return code;
}
