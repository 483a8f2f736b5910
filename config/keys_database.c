/* What stands in the platform's database. */
#include "config/keys.h"

#include "base/postgres.h"
#include "config/check.h"
#include "config/settings.h"

/* Lined up, the columns would go beyond the edge of the page. */
/* clang-format off */

#define AT(field) offsetof(struct outbox_settings, field)
const struct config_key outbox_keys[] = {
    {"url", CONFIG_TEXT, AT(url), NULL, 0, 0, NULL, postgres_url_check,
     "the database: postgresql://user@host:port/database, or words as libpq takes them (host=... dbname=...)"},
    {"password", CONFIG_SECRET, AT(password), "", 0, 0, NULL, NULL,
     "of the user; empty: none"},
    {"table", CONFIG_TEXT, AT(table), "crier_outbox", 0, 0, NULL, check_sql_table,
     "table of events to be sent, also as SCHEMA.TABLE; `crier outbox sql NAME` prints what makes it"},
    {"parked", CONFIG_TEXT, AT(parked), "crier_outbox_parked", 0, 0, NULL, check_sql_table,
     "table to which rows go that can be no event, with the reason; `crier outbox parked NAME` shows them"},
    {"source", CONFIG_TEXT, AT(source), "", 0, 0, NULL, NULL,
     "attribute source of its events, which makes their ids unique; empty: outbox:NAME"},
    {"channel", CONFIG_TEXT, AT(channel), "crier_outbox", 0, 0, NULL, check_sql_name,
     "channel on which the table's trigger tells of new rows (NOTIFY); none: the table is only looked at"},
    {"poll", CONFIG_TIME, AT(poll_ms), "5s", 100, HOUR, NULL, NULL,
     "how often the table is looked at when nothing was told"},
    {"batch", CONFIG_COUNT, AT(batch), "1000", 1, 10000, NULL, NULL,
     "most rows in one transaction"},
    {"after", CONFIG_CHOICE, AT(after), "delete", 0, 0, "delete mark", NULL,
     "what becomes of a row that was sent: it is deleted, or mark_column gets the time"},
    {"mark_column", CONFIG_TEXT, AT(mark_column), "relayed_at", 0, 0, NULL, check_sql_name,
     "column of after = mark; rows in which it is null are yet to be sent"},
    {"id_column", CONFIG_TEXT, AT(id_column), "id", 0, 0, NULL, check_sql_name,
     "column that is the event's id, never used twice"},
    {"order_column", CONFIG_TEXT, AT(order_column), "position", 0, 0, NULL, check_sql_name,
     "column by which rows are sent, which grows with each row and has an index"},
    {"type_column", CONFIG_TEXT, AT(type_column), "type", 0, 0, NULL, check_sql_name,
     "column that is the event's type"},
    {"time_column", CONFIG_TEXT, AT(time_column), "time", 0, 0, NULL, check_sql_name,
     "column that is its time; none: the time at which it is sent"},
    {"subject_column", CONFIG_TEXT, AT(subject_column), "subject", 0, 0, NULL, check_sql_name,
     "column that says what it is about (users/42); rows with the same subject keep their order; none: there is none"},
    {"revision_column", CONFIG_TEXT, AT(revision_column), "revision", 0, 0, NULL, check_sql_name,
     "column that is the subject's revision after the change; none: there is none"},
    {"actor_column", CONFIG_TEXT, AT(actor_column), "actor", 0, 0, NULL, check_sql_name,
     "column that says who did it (users/7); none: there is none"},
    {"operation_column", CONFIG_TEXT, AT(operation_column), "operation", 0, 0, NULL, check_sql_name,
     "column that names the operation it belongs to; none: there is none"},
    {"traceparent_column", CONFIG_TEXT, AT(traceparent_column), "traceparent", 0, 0, NULL, check_sql_name,
     "column with the trace context (W3C); none: there is none"},
    {"payload_column", CONFIG_TEXT, AT(payload_column), "payload", 0, 0, NULL, check_sql_name,
     "column with the event's data, a JSON object as jsonb, json or text"},
    {"connect", CONFIG_TIME, AT(connect_ms), "5s", 100, 60 * SECOND, NULL, NULL,
     "longest wait for a connection"},
    {"timeout", CONFIG_TIME, AT(timeout_ms), "30s", SECOND, HOUR, NULL, NULL,
     "longest wait for a reply"},
    CONFIG_END,
};
#undef AT

/* clang-format on */
