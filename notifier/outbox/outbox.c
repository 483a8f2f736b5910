#include "notifier/outbox/outbox.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/clock.h"

struct outbox *outbox_new(const struct settings *s, const struct outbox_settings *own)
{
    struct outbox *o = xcalloc(1, sizeof *o);

    o->settings = s;
    o->own = own;
    o->link = postgres_new(&(struct postgres_options){.url = own->url,
                                                      .password = own->password,
                                                      .connect_ms = (int)own->connect_ms,
                                                      .timeout_ms = (int)own->timeout_ms});
    outbox_sql_init(&o->sql, own, s->http.event_bytes);
    buf_init(&o->source);
    if (own->source[0])
        buf_add_text(&o->source, own->source);
    else
        buf_printf(&o->source, "outbox:%s", own->name);
    return o;
}

void outbox_free(struct outbox *o)
{
    if (!o)
        return;
    postgres_free(o->link);
    outbox_sql_release(&o->sql);
    buf_release(&o->source);
    free(o);
}

bool outbox_check(struct outbox *o, struct error *err)
{
    struct postgres_rows *rows = NULL;
    bool ok = postgres_query(o->link, o->sql.check, NULL, 0, &rows, err);

    if (!ok && err->kind == ERROR_CONFIG)
        error_in(err, "`crier outbox sql %s` prints what makes the tables", o->own->name);
    if (ok && !span_is(postgres_value(rows, 0, 0), "t"))
        ok = error_set(err, ERROR_CONFIG, "its user needs UPDATE and DELETE on %s, and INSERT on %s", o->own->table,
                       o->own->parked);
    postgres_rows_free(rows);
    return ok;
}

static int64_t number_at(const struct postgres_rows *rows, int column)
{
    struct span text = postgres_value(rows, 0, column);
    int64_t number;

    return text_int(text.text, text.length, &number) ? number : 0;
}

/* In a transaction of its own for the sake of its settings (outbox_sql.c). */
bool outbox_state(struct outbox *o, struct outbox_state *state, struct error *err)
{
    struct postgres_rows *rows = NULL;
    struct span oldest;
    int64_t oldest_us;

    if (!postgres_script(o->link, o->sql.begin, err) || !postgres_query(o->link, o->sql.state, NULL, 0, &rows, err) ||
        !postgres_script(o->link, "ROLLBACK", err)) {
        postgres_rows_free(rows);
        postgres_drop(o->link);
        return false;
    }
    oldest = postgres_value(rows, 0, 1);
    *state = (struct outbox_state){.waiting = number_at(rows, 0), .parked = number_at(rows, 2)};
    if (time_parse(oldest.text, oldest.length, true, &oldest_us))
        state->oldest_ms = (clock_wall_us() - oldest_us) / 1000;
    if (state->oldest_ms < 0)
        state->oldest_ms = 0; /* the database's clock is ahead of ours */
    postgres_rows_free(rows);
    return true;
}

bool outbox_parked(struct outbox *o, int64_t most, const char *numbers, struct postgres_rows **rows, struct error *err)
{
    char limit[24];

    snprintf(limit, sizeof limit, "%lld", (long long)most);
    return postgres_query(o->link, o->sql.parked,
                          (const struct span[]){
                              span_of(limit), numbers ? span_of(numbers) : (struct span){NULL, 0}
    },
                          2, rows, err);
}

static bool change_parked(struct outbox *o, const char *sql, const char *number, bool *was, struct error *err)
{
    struct postgres_rows *rows = NULL;
    const struct span parameter = span_of(number);

    if (!postgres_query(o->link, sql, &parameter, 1, &rows, err))
        return false;
    *was = postgres_affected(rows) > 0;
    postgres_rows_free(rows);
    return true;
}

bool outbox_retry(struct outbox *o, const char *number, bool *was, struct error *err)
{
    return change_parked(o, o->sql.retry, number, was, err);
}

bool outbox_drop(struct outbox *o, const char *number, bool *was, struct error *err)
{
    return change_parked(o, o->sql.drop, number, was, err);
}
