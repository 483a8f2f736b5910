#include "notifier/outbox/outbox_batch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/arena.h"
#include "base/clock.h"
#include "base/json.h"
#include "notifier/envelope.h"

/* ------------------------------------------------------------------------------------------- a row is an event */

/* PostgreSQL's to_json writes a time as RFC 3339, without offset where its column has none: UTC then. */
static bool set_time(struct event *e, struct span text, struct arena *arena, struct error *err)
{
    char utc[TIME_TEXT_BYTES];

    if (text.length == 0)
        return true;
    if (!time_parse(text.text, text.length, true, &e->time_us))
        return error_set(err, ERROR_INPUT, "time: \"%.40s\" is no time", text.text);
    e->time = span_of(arena_text(arena, time_text(e->time_us, utc)));
    return true;
}

static bool set_attributes(const struct outbox *o, struct event *e, const struct postgres_rows *rows, size_t row,
                           struct arena *arena, struct error *err)
{
    static const struct {
        const char *name;
        enum outbox_column column;
    } attributes[] = {
        {"id",          OUTBOX_ID         },
        {"type",        OUTBOX_TYPE       },
        {"subject",     OUTBOX_SUBJECT    },
        {"revision",    OUTBOX_REVISION   },
        {"actor",       OUTBOX_ACTOR      },
        {"operation",   OUTBOX_OPERATION  },
        {"traceparent", OUTBOX_TRACEPARENT},
    };

    for (size_t i = 0; i < ARRAY_LENGTH(attributes); i++) {
        struct span value = postgres_value(rows, row, (int)attributes[i].column);

        if (value.length > 0 && !envelope_attribute(e, attributes[i].name, value.text, arena, err))
            return false;
    }
    return envelope_attribute(e, "source", o->source.data, arena, err) &&
           set_time(e, postgres_value(rows, row, OUTBOX_TIME), arena, err) && envelope_complete(e, arena, err) &&
           envelope_admitted(e, err);
}

static bool read_payload(const struct outbox *o, const struct postgres_rows *rows, size_t row, json_t **data,
                         struct error *err)
{
    struct span text = postgres_value(rows, row, OUTBOX_PAYLOAD);

    if (postgres_is_null(rows, row, OUTBOX_BYTES))
        return true; /* no payload at all */
    if (postgres_is_null(rows, row, OUTBOX_PAYLOAD))
        return error_set(err, ERROR_INPUT, "payload: %s bytes, more than [http] event allows",
                         postgres_value(rows, row, OUTBOX_BYTES).text);
    *data = json_text_parse(text.text, text.length, (int)o->settings->http.depth, err);
    return *data || error_in(err, "payload");
}

static void add_row(const struct outbox *o, struct intake *in, const struct postgres_rows *rows, size_t row)
{
    struct event e = event_none;
    struct error err = ERROR_INIT;
    json_t *data = NULL;

    if (set_attributes(o, &e, rows, row, intake_arena(in), &err) && read_payload(o, rows, row, &data, &err))
        intake_add_event(in, &e, data);
    else
        intake_add_refused(in, err.text);
}

/* ---------------------------------------------------------------------------------------------- taking rows */

static void add_element(struct buf *array, struct span value)
{
    buf_add_char(array, array->length == 0 ? '{' : ',');
    buf_add_char(array, '"');
    buf_add(array, value.text, value.length);
    buf_add_char(array, '"');
}

static void array_of(const struct postgres_rows *rows, struct buf *array)
{
    for (size_t row = 0; row < postgres_row_count(rows); row++)
        add_element(array, postgres_value(rows, row, 0));
    buf_add_char(array, '}');
}

/*
 * The buckets this transaction holds now, as an array: half of those that have rows, so that other relays find work
 * too. "" where there is nothing to do.
 */
static bool hold_buckets(struct outbox *o, struct buf *buckets, struct buf *through, bool *held, struct error *err)
{
    struct postgres_rows *wanted = NULL, *got = NULL;
    struct buf all = BUF_INIT, half = BUF_INIT;
    size_t count = 0;
    bool ok = postgres_query(o->link, o->sql.window, NULL, 0, &wanted, err);

    if (ok && (count = postgres_row_count(wanted)) > 0) {
        array_of(wanted, &all);
        buf_add_text(through, postgres_value(wanted, 0, 1).text);
        buf_add_int(&half, (int64_t)(count + 1) / 2);
        ok = postgres_query(o->link, o->sql.hold,
                            (const struct span[]){
                                {all.data,  all.length },
                                {half.data, half.length}
        },
                            2, &got, err);
        if (ok && postgres_row_count(got) > 0)
            array_of(got, buckets);
    }
    *held = ok && count > 0 && buckets->length == 0;
    postgres_rows_free(wanted);
    postgres_rows_free(got);
    buf_release(&all);
    buf_release(&half);
    return ok;
}

static bool take_rows(struct outbox *o, struct postgres_rows **rows, bool *held, struct error *err)
{
    struct buf buckets = BUF_INIT, through = BUF_INIT;
    bool ok = postgres_script(o->link, o->sql.begin, err) && hold_buckets(o, &buckets, &through, held, err);

    if (ok && buckets.length > 0)
        ok = postgres_query(o->link, o->sql.take,
                            (const struct span[]){
                                {buckets.data, buckets.length},
                                {through.data, through.length}
        },
                            2, rows, err);
    buf_release(&buckets);
    buf_release(&through);
    return ok;
}

/* --------------------------------------------------------------------------------------------- what becomes of them */

typedef bool row_choice(enum intake_outcome outcome);

static bool was_sent(enum intake_outcome outcome)
{
    return outcome != INTAKE_REFUSED && outcome != INTAKE_UNAVAILABLE;
}

static bool was_refused(enum intake_outcome outcome)
{
    return outcome == INTAKE_REFUSED;
}

/* The statement with the places of the chosen rows, once per table: a partitioned one has the same place in each part.
 */
static bool for_rows(struct outbox *o, const char *sql, const struct postgres_rows *rows,
                     const struct intake_result *results, row_choice *chosen, struct error *err)
{
    size_t count = postgres_row_count(rows), left = 0;
    bool *settled = xcalloc(count + 1, sizeof *settled), ok = true;

    for (size_t row = 0; row < count; row++)
        left += !(settled[row] = !chosen(results[row].outcome));
    while (ok && left > 0) {
        struct buf places = BUF_INIT;
        struct span table = SPAN_NONE;

        for (size_t row = 0; row < count; row++) {
            struct span in = postgres_value(rows, row, OUTBOX_TABLE);

            if (settled[row] || (table.length > 0 && !span_is(in, table.text)))
                continue;
            table = in;
            add_element(&places, postgres_value(rows, row, OUTBOX_ROW));
            settled[row] = true;
            left--;
        }
        buf_add_char(&places, '}');
        ok = postgres_query(o->link, sql,
                            (const struct span[]){
                                {places.data, places.length},
                                table
        },
                            2, NULL, err);
        buf_release(&places);
    }
    free(settled);
    return ok;
}

static bool park_rows(struct outbox *o, const struct postgres_rows *rows, const struct intake_result *results,
                      struct outbox_moved *moved, struct error *err)
{
    for (size_t row = 0; row < postgres_row_count(rows); row++) {
        const char *reason = results[row].reason;

        if (!was_refused(results[row].outcome))
            continue;
        if (!postgres_query(o->link, o->sql.park,
                            (const struct span[]){postgres_value(rows, row, OUTBOX_ROW),
                                                  postgres_value(rows, row, OUTBOX_TABLE), span_of(reason)},
                            3, NULL, err))
            return error_in(err, "parking row %.80s", postgres_value(rows, row, OUTBOX_ID).text);
        if (!moved->refused_reason[0]) {
            snprintf(moved->refused_id, sizeof moved->refused_id, "%s", postgres_value(rows, row, OUTBOX_ID).text);
            snprintf(moved->refused_reason, sizeof moved->refused_reason, "%s", reason);
        }
    }
    return for_rows(o, o->sql.remove, rows, results, was_refused, err);
}

/* No row has left the outbox before the commit; where its reply is lost the rows may come again. */
static bool settle(struct outbox *o, const struct postgres_rows *rows, const struct intake_result *results,
                   struct outbox_moved *moved, struct error *err)
{
    if (!for_rows(o, o->sql.done, rows, results, was_sent, err) || !park_rows(o, rows, results, moved, err) ||
        !postgres_script(o->link, "COMMIT", err))
        return false;
    for (size_t row = 0; row < moved->rows; row++)
        moved->outcomes[results[row].outcome]++;
    return true;
}

static bool all_settled(const struct intake_result *results, size_t count, struct error *err)
{
    for (size_t row = 0; row < count; row++)
        if (results[row].outcome == INTAKE_UNAVAILABLE)
            return error_set(err, ERROR_AGAIN, "%s", results[row].reason);
    return true;
}

bool outbox_batch_relay(struct outbox *o, struct intake *in, struct outbox_moved *moved, struct error *err)
{
    const struct intake_result *results = NULL;
    struct postgres_rows *rows = NULL;
    bool ok;

    *moved = (struct outbox_moved){0};
    ok = take_rows(o, &rows, &moved->held, err);
    moved->rows = ok && rows ? postgres_row_count(rows) : 0;
    if (moved->rows > 0) {
        intake_start(in);
        for (size_t row = 0; row < moved->rows; row++)
            add_row(o, in, rows, row);
        results = intake_send(in);
        ok = settle(o, rows, results, moved, err);
    } else if (ok) {
        ok = postgres_script(o->link, "ROLLBACK", err);
    }
    if (!ok)
        postgres_drop(o->link); /* and with it the transaction */
    else
        ok = all_settled(results, moved->rows, err);
    postgres_rows_free(rows);
    return ok;
}
