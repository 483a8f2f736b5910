#include "base/postgres.h"

#include <libpq-fe.h>

/* What a query gave is libpq's own result; nothing is copied. */
static const PGresult *result_of(const struct postgres_rows *r)
{
    return (const PGresult *)r;
}

size_t postgres_row_count(const struct postgres_rows *r)
{
    return (size_t)PQntuples(result_of(r));
}

size_t postgres_column_count(const struct postgres_rows *r)
{
    return (size_t)PQnfields(result_of(r));
}

/* PQfnumber folds case, as SQL does; a name here is meant as it stands. */
int postgres_column(const struct postgres_rows *r, const char *name)
{
    for (int i = 0; i < PQnfields(result_of(r)); i++)
        if (text_same(PQfname(result_of(r), i), name))
            return i;
    return -1;
}

const char *postgres_column_name(const struct postgres_rows *r, size_t column)
{
    return PQfname(result_of(r), (int)column);
}

bool postgres_is_null(const struct postgres_rows *r, size_t row, int column)
{
    return PQgetisnull(result_of(r), (int)row, column) != 0;
}

struct span postgres_value(const struct postgres_rows *r, size_t row, int column)
{
    if (postgres_is_null(r, row, column))
        return SPAN_NONE;
    return (struct span){PQgetvalue(result_of(r), (int)row, column),
                         (size_t)PQgetlength(result_of(r), (int)row, column)};
}

int64_t postgres_affected(const struct postgres_rows *r)
{
    const char *count = PQcmdTuples((PGresult *)(uintptr_t)r); /* libpq's declaration lacks a const */
    int64_t number = 0;

    return text_int(count, span_of(count).length, &number) ? number : 0;
}

void postgres_rows_free(struct postgres_rows *r)
{
    PQclear((PGresult *)r);
}
