#include "notifier/outbox/outbox_sql.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/postgres.h"

enum {
    WINDOW_BATCHES = 2,             /* so that a second relay finds rows beyond the first one's */
    WINDOW_BYTES = 8 * 1024 * 1024, /* of payloads as they are stored */
    IDLE_IN_TRANSACTION_S = 60,     /* a relay that stands still loses its hold after that */
    STATEMENTS = sizeof(struct outbox_sql) / sizeof(char *)
};

bool outbox_has(const char *name)
{
    return !text_same(name, "none");
}

bool outbox_section_check(const void *section, struct error *err)
{
    const struct outbox_settings *o = section;
    const char *missing = !outbox_has(o->id_column)        ? "id_column"
                          : !outbox_has(o->order_column)   ? "order_column"
                          : !outbox_has(o->type_column)    ? "type_column"
                          : !outbox_has(o->payload_column) ? "payload_column"
                                                           : NULL;

    if (missing)
        return error_set(err, ERROR_CONFIG, "[outbox %s] cannot do without %s", o->name, missing);
    if (o->after == OUTBOX_MARK && !outbox_has(o->mark_column))
        return error_set(err, ERROR_CONFIG, "[outbox %s] after = mark needs mark_column", o->name);
    if (text_same(o->table, o->parked))
        return error_set(err, ERROR_CONFIG, "[outbox %s] table and parked must be two tables", o->name);
    return true;
}

/* ------------------------------------------------------------------------------------------------- their pieces */

/*
 * The text with each word in braces replaced: {table} by the quoted name, {subject}, {time} ... by the quoted column,
 * or null where there is none; {unsent} by what holds for rows yet to be sent; {} stays.
 */
static void add_word(struct buf *out, const struct outbox_settings *o, const char *word, size_t length)
{
    const struct {
        const char *word, *name;
    } names[] = {
        {"table",       o->table             },
        {"parked",      o->parked            },
        {"channel",     o->channel           },
        {"id",          o->id_column         },
        {"order",       o->order_column      },
        {"type",        o->type_column       },
        {"time",        o->time_column       },
        {"subject",     o->subject_column    },
        {"revision",    o->revision_column   },
        {"actor",       o->actor_column      },
        {"operation",   o->operation_column  },
        {"traceparent", o->traceparent_column},
        {"payload",     o->payload_column    },
        {"mark",        o->mark_column       },
    };
    struct span wanted = {word, length};

    if (length == 0)
        buf_add_text(out, "{}"); /* the empty path of JSON */
    if (span_is(wanted, "unsent")) {
        if (o->after == OUTBOX_MARK)
            postgres_add_name(out, o->mark_column);
        buf_add_text(out, o->after == OUTBOX_MARK ? " IS NULL" : "true");
        return;
    }
    for (size_t i = 0; i < ARRAY_LENGTH(names); i++)
        if (span_is(wanted, names[i].word)) {
            if (outbox_has(names[i].name))
                postgres_add_name(out, names[i].name);
            else
                buf_add_text(out, "null::text");
        }
}

static void add_filled(struct buf *out, const struct outbox_settings *o, const char *text)
{
    for (const char *open; (open = strchr(text, '{')) != NULL; text = strchr(open, '}') + 1) {
        buf_add(out, text, (size_t)(open - text));
        add_word(out, o, open + 1, (size_t)(strchr(open, '}') - open - 1));
    }
    buf_add_text(out, text);
}

/* Numbers first, then the words in braces. */
static char *filled(const struct outbox_settings *o, const char *format, ...) printf_like(2, 3);

static char *filled(const struct outbox_settings *o, const char *format, ...)
{
    struct buf out = BUF_INIT;
    char text[2000];
    va_list numbers;

    va_start(numbers, format);
    vsnprintf(text, sizeof text, format, numbers);
    va_end(numbers);
    add_filled(&out, o, text);
    return buf_take(&out);
}

/* ------------------------------------------------------------------------------------------------ the statements */

/* Of rows without a subject none follows another: each is its own. */
#define BUCKET "(hashtext(coalesce(nullif({subject}::text, ''), {id}::text)) & %d)"

/*
 * Two relays that each skip what the other has locked would send rows of one subject in any order. So a relay first
 * holds a bucket of subjects (an advisory lock, gone with its transaction), and only then looks which rows there are:
 * it sees all that whoever held the bucket before has left, in order; which takes a snapshot of its own for each
 * statement, whatever the database's default is. SKIP LOCKED is for rows that somebody else, who is no relay, has
 * locked.
 */
static void init_relay(struct outbox_sql *sql, const struct outbox_settings *o, int64_t event_bytes)
{
    int mask = OUTBOX_BUCKETS - 1;

    /* Planned while the table is empty, a scan of all of it would look cheap, and be kept for when it is full. */
    sql->begin = filled(o,
                        "BEGIN ISOLATION LEVEL READ COMMITTED; SET LOCAL enable_seqscan = off;"
                        " SET LOCAL idle_in_transaction_session_timeout = '%ds'",
                        IDLE_IN_TRANSACTION_S);
    sql->window = filled(
        o,
        "WITH next AS (SELECT {order} AS place, " BUCKET " AS bucket, coalesce(pg_column_size({payload}), 0) AS size"
        " FROM {table} WHERE {unsent} ORDER BY {order} LIMIT %lld),"
        " counted AS (SELECT *, row_number() OVER (ORDER BY place) AS number, sum(size) OVER (ORDER BY place) AS bytes"
        " FROM next), near AS MATERIALIZED (SELECT * FROM counted WHERE number = 1 OR bytes <= %d)"
        " SELECT bucket, (SELECT place::text FROM near ORDER BY number DESC LIMIT 1) AS through"
        " FROM near GROUP BY bucket ORDER BY min(number)",
        mask, (long long)o->batch * WINDOW_BATCHES, WINDOW_BYTES);
    sql->hold = filled(o, "SELECT bucket FROM unnest($1::int[]) AS bucket WHERE pg_try_advisory_xact_lock("
                          "hashtext('crier outbox ' || '{table}'::regclass::oid), bucket) LIMIT $2");
    sql->take = filled(
        o,
        "SELECT ctid, tableoid, {id}::text, {type}::text, to_json({time}) #>> '{}', {subject}::text, {revision}::text,"
        " {actor}::text, {operation}::text, {traceparent}::text, octet_length({payload}::text),"
        " CASE WHEN octet_length({payload}::text) <= %lld THEN {payload}::text END"
        " FROM {table} WHERE {unsent} AND {order} <= $2 AND " BUCKET " = ANY($1::int[])"
        " ORDER BY {order} LIMIT %lld FOR UPDATE SKIP LOCKED",
        (long long)event_bytes, mask, (long long)o->batch);
    sql->remove = filled(o, "DELETE FROM {table} WHERE ctid = ANY($1::tid[]) AND tableoid = $2::oid");
    sql->done = filled(o, o->after == OUTBOX_DELETE
                              ? "DELETE FROM {table} WHERE ctid = ANY($1::tid[]) AND tableoid = $2::oid"
                              : "UPDATE {table} SET {mark} = clock_timestamp() WHERE ctid = ANY($1::tid[])"
                                " AND tableoid = $2::oid");
    sql->park = filled(o, "INSERT INTO {parked} (id, reason, \"row\") SELECT {id}::text, $3, to_json(crier_row)"
                          " FROM {table} AS crier_row WHERE ctid = $1::tid AND tableoid = $2::oid");
    sql->check =
        filled(o, "SELECT has_table_privilege('{table}', 'UPDATE') AND has_table_privilege('{table}', 'DELETE')"
                  " AND has_table_privilege('{parked}', 'INSERT') AS may, (SELECT count(*) FROM (SELECT {id},"
                  " {order}, {type}, {time}, {subject}, {revision}, {actor}, {operation}, {traceparent},"
                  " {payload} FROM {table} WHERE {unsent} AND false) AS rows), (SELECT count(*) FROM (SELECT"
                  " number, id, parked_at, reason, \"row\" FROM {parked} WHERE false) AS parked)");
}

static void init_looking(struct outbox_sql *sql, const struct outbox_settings *o)
{
    sql->state = filled(o,
                        "SELECT (SELECT count(*) FROM (SELECT 1 FROM {table} WHERE {unsent} LIMIT %d) AS waiting),"
                        " (SELECT to_json({time}) #>> '{}' FROM {table} WHERE {unsent} ORDER BY {order} LIMIT 1),"
                        " (SELECT count(*) FROM (SELECT 1 FROM {parked} LIMIT %d) AS parked)",
                        OUTBOX_COUNT_MOST + 1, OUTBOX_COUNT_MOST + 1);
    sql->parked = filled(o, "SELECT number, id, to_json(parked_at) #>> '{}', reason, \"row\" FROM {parked}"
                            " WHERE $2::bigint[] IS NULL OR number = ANY($2) ORDER BY number LIMIT $1");
    sql->retry = filled(o, "WITH back AS (DELETE FROM {parked} WHERE number = $1::bigint RETURNING \"row\")"
                           " INSERT INTO {table} OVERRIDING SYSTEM VALUE"
                           " SELECT (json_populate_record(NULL::{table}, \"row\")).* FROM back");
    sql->drop = filled(o, "DELETE FROM {parked} WHERE number = $1::bigint");
}

void outbox_sql_init(struct outbox_sql *sql, const struct outbox_settings *o, int64_t event_bytes)
{
    init_relay(sql, o, event_bytes);
    init_looking(sql, o);
}

void outbox_sql_release(struct outbox_sql *sql)
{
    char **all[STATEMENTS] = {&sql->begin,  &sql->window, &sql->hold,  &sql->take,   &sql->done,  &sql->park,
                              &sql->remove, &sql->check,  &sql->state, &sql->parked, &sql->retry, &sql->drop};

    for (size_t i = 0; i < STATEMENTS; i++)
        free(*all[i]);
    *sql = (struct outbox_sql){0};
}

/* ------------------------------------------------------------------------------------------------- for operators */

static void add_column(struct buf *out, const char *column, const char *type)
{
    if (!outbox_has(column))
        return;
    buf_add_text(out, "    ");
    postgres_add_name(out, column);
    buf_printf(out, " %s,\n", type);
}

/* A name made from the table's. */
static void add_derived(struct buf *out, const char *table, const char *end)
{
    struct buf name = BUF_INIT;

    buf_printf(&name, "%s%s", table, end);
    postgres_add_name(out, name.data);
    buf_release(&name);
}

static void add_outbox_table(const struct outbox_settings *o, struct buf *out)
{
    add_filled(out, o, "CREATE TABLE IF NOT EXISTS {table} (\n");
    if (text_same(o->id_column, o->order_column)) {
        add_column(out, o->id_column, "bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY");
    } else {
        add_column(out, o->order_column, "bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY");
        add_column(out, o->id_column, "uuid NOT NULL DEFAULT gen_random_uuid()");
    }
    add_column(out, o->type_column, "text NOT NULL");
    add_column(out, o->time_column, "timestamptz NOT NULL DEFAULT clock_timestamp()");
    add_column(out, o->subject_column, "text");
    add_column(out, o->revision_column, "bigint");
    add_column(out, o->actor_column, "text");
    add_column(out, o->operation_column, "text");
    add_column(out, o->traceparent_column, "text");
    add_column(out, o->payload_column, "jsonb");
    if (o->after == OUTBOX_MARK)
        add_column(out, o->mark_column, "timestamptz");
    out->length -= 2; /* the last comma */
    buf_add_text(out, "\n) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 10000);\n");
    if (o->after == OUTBOX_MARK) {
        const char *dot = strchr(o->table, '.');

        buf_add_text(out, "-- Rows that were sent stay: delete the old ones from time to time.\n"
                          "CREATE INDEX IF NOT EXISTS ");
        add_derived(out, dot ? dot + 1 : o->table, "_unsent");
        add_filled(out, o, " ON {table} ({order}) WHERE {mark} IS NULL;\n");
    }
}

static void add_trigger(const struct outbox_settings *o, struct buf *out)
{
    if (!outbox_has(o->channel))
        return;
    buf_add_text(out, "\n-- Wakes the relay at the end of each transaction that left a row.\n"
                      "CREATE OR REPLACE FUNCTION ");
    add_derived(out, o->table, "_notify");
    add_filled(out, o,
               "() RETURNS trigger LANGUAGE plpgsql AS $crier$ BEGIN NOTIFY {channel}; RETURN NULL; END $crier$;\n"
               "DROP TRIGGER IF EXISTS crier_notify ON {table};\n"
               "CREATE TRIGGER crier_notify AFTER INSERT ON {table} FOR EACH STATEMENT EXECUTE FUNCTION ");
    add_derived(out, o->table, "_notify");
    buf_add_text(out, "();\n");
}

/* A comment, so that who pipes all of it into the database changes no user there is. */
static void add_example(const struct outbox_settings *o, struct buf *out)
{
    add_filled(out, o,
               "\n-- In the transaction of the change itself, beside its other statements:\n"
               "-- BEGIN; UPDATE ...;\n"
               "-- INSERT INTO {table} ({type}");
    if (outbox_has(o->subject_column))
        add_filled(out, o, ", {subject}");
    if (outbox_has(o->revision_column))
        add_filled(out, o, ", {revision}");
    add_filled(out, o, ", {payload}) VALUES ('user.updated'");
    buf_printf(out, "%s%s, '{\"full_name\": \"Zoë\"}'); COMMIT;\n", outbox_has(o->subject_column) ? ", 'users/42'" : "",
               outbox_has(o->revision_column) ? ", 7" : "");
}

void outbox_sql_add_tables(const struct outbox_settings *o, struct buf *out)
{
    buf_printf(out, "-- [outbox %s]: run once, in the platform's database; again it does no harm.\n", o->name);
    add_outbox_table(o, out);
    buf_add_text(out, "\n-- Rows that can be no event: `crier outbox parked`.\n");
    add_filled(out, o,
               "CREATE TABLE IF NOT EXISTS {parked} (\n"
               "    number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,\n"
               "    parked_at timestamptz NOT NULL DEFAULT clock_timestamp(),\n"
               "    id text,\n    reason text NOT NULL,\n    \"row\" json NOT NULL\n);\n");
    add_trigger(o, out);
    add_filled(out, o,
               "\n-- Where crier comes as another user than the tables' owner:\n"
               "-- GRANT SELECT, INSERT, UPDATE, DELETE ON {table}, {parked} TO crier;\n");
    add_example(o, out);
}
