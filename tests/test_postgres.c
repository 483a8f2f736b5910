/* The link to PostgreSQL, and what becomes of it. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/postgres.h"
#include "support/canary.h"
#include "support/postgres_server.h"
#include "support/server.h"

enum { TIMEOUT_MS = 1000, PATIENCE_MS = 20000 };

static struct server *server;

static int start(void **state)
{
    (void)state;
    server = postgres_server_start();
    return 0;
}

static int stop(void **state)
{
    (void)state;
    server_free(server);
    return 0;
}

static struct postgres *open_link_for(const char *url, int timeout_ms)
{
    return postgres_new(
        &(struct postgres_options){.url = url, .password = CANARY, .connect_ms = timeout_ms, .timeout_ms = timeout_ms});
}

static struct postgres *open_link(const char *url)
{
    return open_link_for(url, PATIENCE_MS);
}

static bool run(struct postgres *p, const char *sql, struct error *err)
{
    return postgres_query(p, sql, NULL, 0, NULL, err);
}

static void must_run(struct postgres *p, const char *sql)
{
    struct error err;

    if (!run(p, sql, &err))
        fail_msg("%s: %s", sql, err.text);
}

/* ---------------------------------------------------------------------------------------------------- statements */

static void a_row_comes_back_as_it_was_given(void **state)
{
    struct postgres *p = open_link(postgres_server_url(server));
    const struct span given[] = {
        {"it's \"Zoë\"; DROP TABLE x", 25},
        {NULL,                          0 },
        {"",                            0 },
        {"7 and more",                  1 }
    };
    struct postgres_rows *rows = NULL;
    struct error err;

    (void)state;
    if (!postgres_query(p, "SELECT $1::text AS a, $2::text AS b, $3::text AS \"C\", $4::int + 1 AS d", given, 4, &rows,
                        &err))
        fail_msg("%s", err.text);
    assert_int_equal(postgres_row_count(rows), 1);
    assert_int_equal(postgres_column_count(rows), 4);
    assert_string_equal(postgres_value(rows, 0, postgres_column(rows, "a")).text, "it's \"Zoë\"; DROP TABLE x");
    assert_int_equal(postgres_value(rows, 0, 0).length, 25);
    assert_true(postgres_is_null(rows, 0, postgres_column(rows, "b")));
    assert_false(postgres_is_null(rows, 0, postgres_column(rows, "C")));
    assert_int_equal(postgres_column(rows, "c"), -1);
    assert_string_equal(postgres_value(rows, 0, 3).text, "8");
    assert_string_equal(postgres_column_name(rows, 3), "d");
    postgres_rows_free(rows);
    postgres_free(p);
}

static void a_statement_is_prepared_once_per_link(void **state)
{
    struct postgres *p = open_link(postgres_server_url(server));

    (void)state;
    for (int i = 0; i < 3; i++)
        must_run(p, "SELECT 1");
    assert_int_equal(postgres_number(p, "SELECT count(*) FROM pg_prepared_statements WHERE statement = 'SELECT 1'"), 1);
    for (int i = 0; i < 200; i++) { /* what does not fit is sent all the same */
        char sql[40];

        snprintf(sql, sizeof sql, "SELECT %d + 1", i);
        assert_int_equal(postgres_number(p, sql), i + 1);
    }
    postgres_free(p);
}

static void rows_that_were_touched_are_counted(void **state)
{
    struct postgres *p = open_link(postgres_server_url(server));
    struct postgres_rows *rows = NULL;
    struct error err;

    (void)state;
    postgres_do(p, "CREATE TABLE touched (n int); INSERT INTO touched SELECT generate_series(1, 5)");
    assert_true(postgres_query(p, "DELETE FROM touched WHERE n > 2", NULL, 0, &rows, &err));
    assert_int_equal(postgres_affected(rows), 3);
    postgres_rows_free(rows);
    postgres_free(p);
}

static void an_error_says_in_the_servers_words_who_can_help(void **state)
{
    static const struct {
        const char *sql, *words, *sqlstate;
        enum error_kind kind;
    } cases[] = {
        {"SELECT * FROM nowhere",                                 "relation \"nowhere\" does not exist", "42P01", ERROR_CONFIG},
        {"SELECT 'seven'::int",                                   "invalid input syntax",                "22P02", ERROR_INPUT },
        {"DO 'BEGIN RAISE ''x'' USING ERRCODE = ''40001''; END'", "x",                                   "40001", ERROR_AGAIN },
        {"DO 'BEGIN RAISE ''x'' USING ERRCODE = ''53100''; END'", "x",                                   "53100", ERROR_AGAIN },
    };
    struct postgres *p = open_link(postgres_server_url(server));

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct error err = ERROR_INIT;

        assert_false(run(p, cases[i].sql, &err));
        assert_int_equal(err.kind, cases[i].kind);
        assert_non_null(strstr(err.text, cases[i].words));
        assert_non_null(strstr(err.text, cases[i].sqlstate));
        assert_true(postgres_is_open(p));
    }
    postgres_free(p);
}

static void a_table_that_changed_costs_one_failed_call(void **state)
{
    struct postgres *p = open_link(postgres_server_url(server));
    struct error err;

    (void)state;
    must_run(p, "CREATE TABLE changing (a int)");
    must_run(p, "SELECT * FROM changing");
    must_run(p, "ALTER TABLE changing ADD b int");
    assert_false(run(p, "SELECT * FROM changing", &err));
    assert_int_equal(err.kind, ERROR_AGAIN);
    must_run(p, "SELECT * FROM changing");
    postgres_free(p);
}

/* ------------------------------------------------------------------------------------------------------ the link */

static void a_link_that_was_cut_is_opened_again_by_the_next_call(void **state)
{
    struct postgres *p = open_link(postgres_server_url(server));
    struct error err;

    (void)state;
    must_run(p, "CREATE TABLE kept (n int)");
    must_run(p, "INSERT INTO kept VALUES (1)");
    server_kill(server);
    assert_false(run(p, "SELECT 1", &err));
    assert_int_equal(err.kind, ERROR_AGAIN);
    assert_false(postgres_is_open(p));
    assert_false(run(p, "SELECT 1", &err));
    assert_int_equal(err.kind, ERROR_AGAIN);
    server_restart(server);
    assert_int_equal(postgres_number(p, "SELECT n FROM kept"), 1);
    postgres_free(p);
}

static void dropping_the_link_ends_its_transaction(void **state)
{
    struct postgres *p = open_link(postgres_server_url(server));

    (void)state;
    must_run(p, "CREATE TABLE undone (n int)");
    must_run(p, "BEGIN");
    must_run(p, "INSERT INTO undone VALUES (1)");
    postgres_drop(p);
    assert_int_equal(postgres_number(p, "SELECT count(*) FROM undone"), 0);
    postgres_free(p);
}

/* A server that the kernel lets connect, and that never says a word. */
static int silent_server(char url[100])
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t length = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (bind(fd, (struct sockaddr *)&address, sizeof address) != 0 || listen(fd, 8) != 0 ||
        getsockname(fd, (struct sockaddr *)&address, &length) != 0)
        fail_msg("no listening socket");
    snprintf(url, 100, "postgresql://crier@127.0.0.1:%d/crier", ntohs(address.sin_port));
    return fd;
}

/* Half a minute's work is given up in the link's time, be it by the server or by us. Returns whose words say it. */
static bool sleep_is_given_up(struct postgres *p, const char *words)
{
    int64_t began_ms = clock_monotonic_ms();
    struct error err;

    assert_false(run(p, "SELECT pg_sleep(30)", &err));
    assert_int_equal(err.kind, ERROR_AGAIN);
    assert_true(clock_monotonic_ms() - began_ms < 25 * TIMEOUT_MS);
    return strstr(err.text, words);
}

/* A server that is slow to answer may be too late for a link of so short a time. */
static void comes_to_run(struct postgres *p, const char *sql)
{
    int64_t until_ms = clock_monotonic_ms() + 60 * TIMEOUT_MS;
    struct error err;

    while (!run(p, sql, &err))
        if (clock_monotonic_ms() > until_ms)
            fail_msg("%s: %s", sql, err.text);
}

static void no_call_outlives_its_time(void **state)
{
    enum { TRIES = 20 };
    char url[100];
    int fd = silent_server(url);
    struct postgres *silent = open_link_for(url, TIMEOUT_MS),
                    *p = open_link_for(postgres_server_url(server), TIMEOUT_MS);
    int64_t began_ms = clock_monotonic_ms();
    struct error err;
    int tries = 0;

    (void)state;
    assert_false(run(silent, "SELECT 1", &err));
    assert_int_equal(err.kind, ERROR_AGAIN);
    assert_non_null(strstr(err.text, "longer than 1000 ms"));
    assert_true(clock_monotonic_ms() - began_ms < 25 * TIMEOUT_MS);
    while (!sleep_is_given_up(p, "57014")) /* the server itself gives up, if only a moment before us */
        assert_true(++tries < TRIES);
    comes_to_run(p, "SELECT 1");
    server_pause(
        server); /* its backends too wait for nothing but us: the one that has our link is a child of its own */
    postgres_drop(p);
    assert_false(run(p, "SELECT 1", &err));
    assert_int_equal(err.kind, ERROR_AGAIN);
    server_resume(server);
    comes_to_run(p, "SET statement_timeout = 0");
    assert_true(sleep_is_given_up(p, "a reply took longer")); /* nor does it depend on the server's help */
    assert_false(postgres_is_open(p));
    postgres_free(p);
    postgres_free(silent);
    close(fd);
}

static void the_password_is_in_no_error(void **state)
{
    static const char *const bad[] = {"postgresql://crier:" CANARY "@127.0.0.1/crier", "host=x password=" CANARY,
                                      CANARY, "postgresql://crier@127.0.0.1/crier?password=" CANARY};
    struct postgres *p;
    char url[100];
    struct error err;

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(bad); i++) {
        assert_false(postgres_url_check(bad[i], &err));
        assert_null(strstr(err.text, CANARY));
    }
    assert_true(postgres_url_check(postgres_server_url(server), &err));
    assert_true(postgres_url_check("host=db.example.org dbname=invenio user=crier", &err));
    snprintf(url, sizeof url, "postgresql://crier@127.0.0.1:%d/nowhere", server_port(server));
    p = open_link(url);
    assert_false(run(p, "SELECT 1", &err));
    assert_non_null(strstr(err.text, "database \"nowhere\" does not exist"));
    assert_null(strstr(err.text, CANARY));
    assert_null(strchr(err.text, '\n'));
    postgres_free(p);
}

/* ------------------------------------------------------------------------------------------------- notifications */

static bool wait_for_one(struct postgres *p, int wait_ms)
{
    bool notified = false;
    struct error err;

    if (!postgres_wait(p, wait_ms, &notified, &err))
        fail_msg("%s", err.text);
    return notified;
}

static void a_notification_wakes_who_listens_also_on_a_new_link(void **state)
{
    struct postgres *p = open_link(postgres_server_url(server)), *other = open_link(postgres_server_url(server));
    int64_t began_ms;
    struct error err;

    (void)state;
    assert_true(postgres_listen(p, "Some Channel", &err));
    assert_true(wait_for_one(p, 0)); /* what was said before it is unknown */
    assert_false(wait_for_one(p, 50));
    for (int i = 0; i < 2; i++) {
        must_run(other, "NOTIFY \"Some Channel\"");
        began_ms = clock_monotonic_ms();
        assert_true(wait_for_one(p, 60000));
        assert_true(clock_monotonic_ms() - began_ms < 30000);
        assert_false(wait_for_one(p, 50));
        postgres_drop(p);
        assert_true(wait_for_one(p, 0));
    }
    postgres_free(p);
    postgres_free(other);
}

static void a_name_is_quoted_part_by_part(void **state)
{
    struct buf out = BUF_INIT;

    (void)state;
    postgres_add_name(&out, "public.out\"box");
    assert_string_equal(out.data, "\"public\".\"out\"\"box\"");
    buf_release(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_row_comes_back_as_it_was_given),
        cmocka_unit_test(a_statement_is_prepared_once_per_link),
        cmocka_unit_test(rows_that_were_touched_are_counted),
        cmocka_unit_test(an_error_says_in_the_servers_words_who_can_help),
        cmocka_unit_test(a_table_that_changed_costs_one_failed_call),
        cmocka_unit_test(a_link_that_was_cut_is_opened_again_by_the_next_call),
        cmocka_unit_test(dropping_the_link_ends_its_transaction),
        cmocka_unit_test(no_call_outlives_its_time),
        cmocka_unit_test(the_password_is_in_no_error),
        cmocka_unit_test(a_notification_wakes_who_listens_also_on_a_new_link),
        cmocka_unit_test(a_name_is_quoted_part_by_part),
    };

    return cmocka_run_group_tests(tests, start, stop);
}
