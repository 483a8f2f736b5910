/* `crier history`: events of the past, looked up. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/listing.h"
#include "base/text.h"
#include "handlers/history/history_search.h"
#include "scheduler/timeline_call.h"
#include "scheduler/verbs.h"

enum { LIMIT_SHOW = 1000 };

static const char columns[] = "time type subject actor operation id";
static const char *const column_names[] = {"time", "type", "subject", "actor", "operation", "id"};

struct history_call {
    struct verb_call *call;
    const char *handler;
    struct history_place place;
    struct history_filter filter;
    int64_t limit;
    bool csv, whole; /* whole: each event with all it has */
    int64_t shown;
};

/* ------------------------------------------------------------------------------------------------------ an event */

static void print_line(const json_t *event)
{
    struct buf line = BUF_INIT;

    for (size_t i = 0; i < ARRAY_LENGTH(column_names); i++) {
        if (i > 0)
            buf_add_char(&line, ',');
        text_add_csv(&line, json_member_text(event, column_names[i], ""));
    }
    printf("%s\r\n", line.data);
    buf_release(&line);
}

static void print_whole(const json_t *event)
{
    char *text = json_dumps(event, JSON_INDENT(2));
    struct buf plain = BUF_INIT;

    /* line by line, as a line feed is no character to be shown either */
    for (const char *line = text; line && *line; line += *line == '\n') {
        size_t length = strcspn(line, "\n");

        text_add_json_plain(&plain, line, length);
        buf_add_char(&plain, '\n');
        line += length;
    }
    fputs(plain.data, stdout);
    buf_release(&plain);
    free(text);
}

/* Columns are as wide as a page needs them. */
static void print_table(const json_t *events)
{
    struct listing *listing = listing_new(columns);

    for (size_t i = 0; i < json_array_size(events); i++)
        for (size_t c = 0; c < ARRAY_LENGTH(column_names); c++)
            listing_text(listing, json_member_text(json_array_get(events, i), column_names[c], NULL));
    listing_write(listing, stdout, false);
    listing_free(listing);
}

static void print_page(struct history_call *h, const json_t *events)
{
    bool table = !h->call->json && !h->csv && !h->whole;

    if (table && (h->shown == 0 || json_array_size(events) > 0))
        print_table(events);
    for (size_t i = 0; i < json_array_size(events); i++, h->shown++) {
        const json_t *event = json_array_get(events, i);

        if (h->call->json)
            timeline_call_print(event, h->shown == 0);
        else if (h->csv)
            print_line(event);
        else if (h->whole)
            print_whole(event);
    }
}

/* ----------------------------------------------------------------------------------------------------- the search */

static bool search(struct history_call *h, struct client *c, struct error *err)
{
    struct buf after = BUF_INIT;
    bool ok;

    if (h->csv)
        fputs("time,type,subject,actor,operation,id\r\n", stdout);
    do {
        int64_t left = h->limit - h->shown;
        json_t *events = NULL;

        ok = history_page(c, &h->place, &h->filter, left < TIMELINE_PAGE_MOST ? (size_t)left : TIMELINE_PAGE_MOST,
                          &after, &events, err);
        if (ok)
            print_page(h, events);
        json_decref(events);
    } while (ok && after.length > 0 && h->shown < h->limit);
    if (ok && h->call->json)
        puts(h->shown ? "]" : "[]");
    if (ok && after.length > 0)
        fprintf(stderr, "the newest %lld are shown; --limit N shows more, --all all\n", (long long)h->shown);
    buf_release(&after);
    return ok;
}

/* All pages of one state. */
static bool search_held(struct history_call *h, struct client *c, struct error *err)
{
    char *point;
    bool ok;

    if (!timeline_hold(c, h->place.pattern.data, &point, err))
        return false;
    h->place.point = point;
    ok = search(h, c, err);
    timeline_let_go(c, point);
    return ok;
}

static int run(struct history_call *h)
{
    struct error err = ERROR_INIT;
    struct client *c;
    bool ok;

    ok = history_find(h->call->settings, h->handler, &h->place, &err);
    if (ok) {
        c = client_new(&h->call->settings->opensearch);
        ok = search_held(h, c, &err);
        client_free(c);
    }
    history_place_release(&h->place);
    if (!ok)
        return verb_failed("history", &err);
    if (!h->whole || h->shown > 0)
        return EXIT_DONE;
    fputs("crier history: there is no event of that id\n", stderr);
    return EXIT_FAILED;
}

/* ------------------------------------------------------------------------------------------------------- options */

static bool take_texts(struct history_call *h, const char **from, const char **to, struct error *err)
{
    const struct {
        const char *name, **value;
    } options[] = {
        {"id",        &h->filter.id       },
        {"subject",   &h->filter.subject  },
        {"type",      &h->filter.type     },
        {"actor",     &h->filter.actor    },
        {"operation", &h->filter.operation},
        {"handler",   &h->handler         },
        {"from",      from                },
        {"to",        to                  },
    };

    for (size_t i = 0; i < ARRAY_LENGTH(options); i++)
        if (verb_option(h->call, options[i].name, options[i].value) && !*options[i].value)
            return error_set(err, ERROR_INPUT, "--%s needs a value", options[i].name);
    return true;
}

/* "show ID" is the whole of the events with that id. */
static bool take_show(struct history_call *h, struct error *err)
{
    struct verb_call *call = h->call;

    if (call->argc > 0 && text_same(call->argv[0], "show")) {
        if (call->argc != 2 || h->filter.id || h->csv)
            return error_set(err, ERROR_INPUT, "show takes the id of an event");
        h->filter.id = call->argv[1];
        h->limit = LIMIT_SHOW;
        h->whole = true;
        return true;
    }
    return call->argc == 0 || error_set(err, ERROR_INPUT, "\"%.40s\" is no option of history", call->argv[0]);
}

static bool take_options(struct history_call *h, struct error *err)
{
    const char *from = NULL, *to = NULL;
    bool all = verb_option(h->call, "all", NULL);

    h->csv = verb_option(h->call, "csv", NULL);
    if (!take_texts(h, &from, &to, err) || !timeline_call_limit(h->call, &h->limit, err) ||
        !time_range_between(from, to, &h->filter.range, err) || !take_show(h, err) ||
        !history_filter_check(&h->filter, err))
        return false;
    if (all)
        h->limit = INT64_MAX;
    return !h->csv || !h->call->json || error_set(err, ERROR_INPUT, "either --csv or --json");
}

int verb_history(struct verb_call *call)
{
    struct history_call h = {.call = call};
    struct error err = ERROR_INIT;

    if (!take_options(&h, &err))
        return verb_usage("history", err.text);
    return run(&h);
}
