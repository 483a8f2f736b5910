#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/listing.h"
#include "notifier/outbox/outbox.h"
#include "notifier/verb_deed.h"
#include "notifier/verbs.h"

enum { LIST_DEFAULT = 100, PAGE = 500 };

struct outbox_call {
    struct verb_call *call;
    const struct outbox_settings *own; /* the one that is meant */
    struct outbox *outbox;             /* likewise, NULL for list and sql */
    bool all;
};

/* ---------------------------------------------------------------------------------------------------- looking */

/* False: its database is away; all but its name is unknown. */
static bool add_state(struct listing *l, struct outbox *o, struct error *err)
{
    struct outbox_state state;
    bool ok = outbox_state(o, &state, err);

    listing_text(l, o->own->name);
    listing_text(l, o->own->table);
    if (ok) {
        listing_int(l, state.waiting);
        listing_int(l, state.oldest_ms / 1000);
        listing_int(l, state.parked);
    } else {
        for (int column = 0; column < 3; column++)
            listing_text(l, NULL);
        error_in(err, "%s", o->own->name);
    }
    return ok;
}

static int list_all(struct outbox_call *c)
{
    const struct settings *s = c->call->settings;
    struct listing *l = listing_new("outbox table waiting oldest_seconds parked");
    int code = EXIT_DONE;

    for (size_t i = 0; i < s->outbox_count; i++) {
        struct outbox *o = outbox_new(s, &s->outboxes[i]);
        struct error err = ERROR_INIT;

        if (!add_state(l, o, &err))
            code = verb_failed("outbox list", &err);
        outbox_free(o);
    }
    listing_write(l, stdout, c->call->json);
    listing_free(l);
    return code;
}

static int print_sql(struct outbox_call *c)
{
    struct buf out = BUF_INIT, quoted = BUF_INIT;

    outbox_sql_add_tables(c->own, &out);
    if (c->call->json) {
        buf_add_text(&quoted, "{\"sql\":");
        buf_add_json(&quoted, out.data, out.length);
        buf_add_text(&quoted, "}\n");
    }
    fputs(c->call->json ? quoted.data : out.data, stdout);
    buf_release(&out);
    buf_release(&quoted);
    return EXIT_DONE;
}

static int list_parked(struct outbox_call *c)
{
    struct listing *l = listing_new("number id parked reason row");
    struct postgres_rows *rows = NULL;
    struct error err;
    bool ok = outbox_parked(c->outbox, c->all ? INT32_MAX : LIST_DEFAULT + 1, NULL, &rows, &err);
    size_t count = ok ? postgres_row_count(rows) : 0;

    for (size_t row = 0; row < count && (c->all || row < LIST_DEFAULT); row++) {
        listing_json(l, postgres_value(rows, row, PARKED_NUMBER).text);
        listing_text(l, postgres_is_null(rows, row, PARKED_ID) ? NULL : postgres_value(rows, row, PARKED_ID).text);
        listing_text(l, postgres_value(rows, row, PARKED_TIME).text);
        listing_text(l, postgres_value(rows, row, PARKED_REASON).text);
        listing_json(l, postgres_value(rows, row, PARKED_ROW).text);
    }
    if (ok)
        listing_write(l, stdout, c->call->json);
    if (!c->all && count > LIST_DEFAULT)
        fprintf(stderr, "and more; --all shows them\n");
    postgres_rows_free(rows);
    listing_free(l);
    return ok ? EXIT_DONE : verb_failed("outbox parked", &err);
}

/* ----------------------------------------------------------------------------------------------------- changing */

struct change {
    const char *verb, *event; /* "retry", "outbox.retried" */
    bool (*make)(struct outbox *o, const char *number, bool *was, struct error *err);
    int64_t done;
};

/* First said for the audit, then done. */
static bool change_row(struct outbox_call *c, struct change *change, const struct postgres_rows *rows, size_t row,
                       struct error *err)
{
    const char *number = postgres_value(rows, row, PARKED_NUMBER).text;
    struct buf subject = BUF_INIT;
    bool was = true, ok = true;
    json_t *data;

    if (!c->call->dry_run) {
        buf_printf(&subject, "outbox/%s/%s", c->own->name, number);
        data = json_pack("{s:s,s:s,s:s}", "outbox", c->own->name, "event_id", postgres_value(rows, row, PARKED_ID).text,
                         "reason", postgres_value(rows, row, PARKED_REASON).text);
        ok = verb_deed_begin(c->call->settings, change->event, subject.data, data, err) &&
             verb_deed_settle(change->make(c->outbox, number, &was, err), err);
        buf_release(&subject);
    }
    change->done += ok && was;
    return ok;
}

static bool change_rows(struct outbox_call *c, struct change *change, const struct postgres_rows *rows,
                        struct error *err)
{
    for (size_t row = 0; row < postgres_row_count(rows); row++)
        if (!change_row(c, change, rows, row, err))
            return false;
    return true;
}

/* "{1,2}" from the arguments. */
static bool numbers_of(const struct verb_call *call, struct buf *numbers)
{
    int64_t number;

    for (int i = 2; i < call->argc; i++) {
        if (!text_int(call->argv[i], strlen(call->argv[i]), &number) || number <= 0)
            return false;
        buf_printf(numbers, "%c%lld", i == 2 ? '{' : ',', (long long)number);
    }
    buf_add_char(numbers, '}');
    return true;
}

/* With --all those there are now: one that was tried again meanwhile, and came back, has a new number. */
static int change_parked(struct outbox_call *c, struct change change)
{
    struct postgres_rows *rows = NULL;
    struct buf numbers = BUF_INIT;
    struct error err;
    bool ok;

    if (c->all == (c->call->argc > 2) || (!c->all && !numbers_of(c->call, &numbers))) {
        buf_release(&numbers);
        return verb_usage("outbox", "name rows by their number (`crier outbox parked NAME` shows it), or give --all");
    }
    ok = outbox_parked(c->outbox, INT32_MAX, c->all ? NULL : numbers.data, &rows, &err) &&
         change_rows(c, &change, rows, &err);
    if (ok && !c->all && change.done < c->call->argc - 2)
        ok = error_set(&err, ERROR_INPUT, "%lld of these numbers name no parked row",
                       (long long)(c->call->argc - 2 - change.done));
    if (c->call->json)
        printf("{\"%s\":%lld,\"dry_run\":%s}\n", change.verb, (long long)change.done,
               c->call->dry_run ? "true" : "false");
    else
        printf("%s%s: %lld\n", change.verb, c->call->dry_run ? " (dry run)" : "", (long long)change.done);
    postgres_rows_free(rows);
    buf_release(&numbers);
    if (ok)
        return EXIT_DONE;
    return change.done ? (verb_failed("outbox", &err), EXIT_PART_FAILED) : verb_failed("outbox", &err);
}

/* ------------------------------------------------------------------------------------------------------ the verb */

static int dispatch_named(struct outbox_call *c, const char *what)
{
    if (strcmp(what, "sql") == 0 && c->call->argc == 2)
        return print_sql(c);
    if (strcmp(what, "parked") == 0 && c->call->argc == 2)
        return list_parked(c);
    if (strcmp(what, "retry") == 0)
        return change_parked(c, (struct change){.verb = "retry", .event = "outbox.retried", .make = outbox_retry});
    if (strcmp(what, "drop") == 0)
        return change_parked(c, (struct change){.verb = "drop", .event = "outbox.dropped", .make = outbox_drop});
    return verb_usage("outbox", "list | sql NAME | parked NAME | retry NAME NUMBER... | drop NAME NUMBER...");
}

int verb_outbox(struct verb_call *call)
{
    struct outbox_call c = {.call = call, .all = verb_option(call, "all", NULL)};
    const char *what = call->argc ? call->argv[0] : "list", *unknown = verb_unknown_option(call);
    int code;

    if (unknown)
        return verb_usage("outbox", unknown);
    if (strcmp(what, "list") == 0 && call->argc <= 1)
        return list_all(&c);
    if (call->argc < 2)
        return verb_usage("outbox", "list | sql NAME | parked NAME | retry NAME NUMBER... | drop NAME NUMBER...");
    if (!(c.own = settings_outbox(call->settings, call->argv[1])))
        return verb_usage("outbox", "there is no [outbox] of that name in the configuration");
    c.outbox = outbox_new(call->settings, c.own);
    code = dispatch_named(&c, what);
    outbox_free(c.outbox);
    return code;
}
