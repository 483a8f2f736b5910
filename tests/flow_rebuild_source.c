/* An index made anew, or brought up to date where it is, from the database or from a file. */
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"
#include "handlers/reindex/rebuild_state.h"
#include "indexer/client.h"
#include "support/past.h"
#include "support/pause.h"
#include "support/postgres_server.h"
#include "support/process.h"
#include "support/search_index.h"

enum { ROWS = 2000, WRITES_LEAST = 50, PATIENCE_MS = 60000 };

static const char ini[] = "[redis]\nurl = REDIS\n[opensearch]\nurl = SEARCH\nprefix = PREFIX\n"
                          "[source db]\ntype = postgres\nurl = POSTGRES\nchanged = changed\n"
                          "query = select id, version, document, changed from persons\n";

/* PostgreSQL is the same for all tests, with a fresh table for each. */
struct stage {
    struct scene *scene;
    struct postgres *db;
};

static struct server *postgres;

static int begin_server(void **state)
{
    (void)state;
    postgres = postgres_server_start();
    return 0;
}

static int end_server(void **state)
{
    (void)state;
    server_free(postgres);
    return 0;
}

static void make_rows(struct stage *st)
{
    char sql[600];

    postgres_do(st->db, "drop table if exists persons");
    postgres_do(st->db,
                "create table persons (id text primary key, version bigint, document jsonb, changed timestamptz)");
    snprintf(sql, sizeof sql,
             "insert into persons select 'p' || n, 5, jsonb_build_object('name', 'Person ' || n, 'n', n), "
             "'2026-01-01' from generate_series(1, %d) n",
             ROWS);
    postgres_do(st->db, sql);
}

static json_t *ask(struct stage *st, const char *method, const char *rest, const char *body)
{
    char path[300];

    snprintf(path, sizeof path, "/%s%s", st->scene->settings->opensearch.prefix, rest);
    return index_ask(st->scene->settings, method, path, body);
}

/* An index that has half of them, of an older version, and one that the database does not have. */
static void make_index(struct stage *st)
{
    const char *prefix = st->scene->settings->opensearch.prefix;
    struct buf lines = BUF_INIT;
    char body[400];

    snprintf(body, sizeof body,
             "{\"settings\":{\"number_of_shards\":2,\"number_of_replicas\":0},\"aliases\":{\"%spersons\":{}}}", prefix);
    json_decref(ask(st, "PUT", "persons-1", body));
    for (int i = 1; i <= ROWS / 2; i++)
        buf_printf(
            &lines,
            "{\"index\":{\"_index\":\"%spersons\",\"_id\":\"p%d\",\"version\":4,\"version_type\":\"external\"}}\n"
            "{\"name\":\"old\",\"n\":%d}\n",
            prefix, i, i);
    buf_printf(&lines,
               "{\"index\":{\"_index\":\"%spersons\",\"_id\":\"gone\",\"version\":4,\"version_type\":\"external\"}}\n"
               "{\"name\":\"gone\",\"n\":0}\n",
               prefix);
    index_bulk(st->scene->settings, lines.data);
    buf_release(&lines);
}

static int setup(void **state)
{
    struct stage *st = calloc(1, sizeof *st);
    char *text = scene_replaced(ini, "POSTGRES", postgres_server_url(postgres));

    assert_non_null(st);
    st->scene = scene_open(text);
    free(text);
    st->db = postgres_server_link(postgres);
    make_rows(st);
    make_index(st);
    *state = st;
    return 0;
}

static int teardown(void **state)
{
    struct stage *st = *state;
    json_t *there = ask(st, "GET", "persons*", NULL), *index;
    const char *name;

    json_object_foreach(there, name, index)
        json_decref(ask(st, "DELETE", name + strlen(st->scene->settings->opensearch.prefix), NULL));
    json_decref(there);
    postgres_free(st->db);
    scene_close(st->scene);
    free(st);
    return 0;
}

/* The index behind the alias is as the database is: ids, versions and names. */
static void check_same(struct stage *st)
{
    char *wanted =
             postgres_text(st->db, "select coalesce(string_agg(id || ' ' || version || ' ' || (document->>'name'), "
                                   "e'\\n' order by id collate \"C\"), '') from persons"),
         *dump = past_dump(st->scene, "persons", false);
    struct buf got = BUF_INIT;

    for (char *line = strtok(dump, "\n"); line; line = strtok(NULL, "\n")) {
        const char *source = strchr(line, '{');
        json_t *document = json_loads(source, 0, NULL);

        buf_printf(&got, "%s%.*s%s", got.length ? "\n" : "", (int)(source - line), line,
                   json_member_text(document, "name", ""));
        json_decref(document);
    }
    if (strcmp(wanted, got.data) != 0) {
        size_t at = 0;

        while (wanted[at] && wanted[at] == got.data[at])
            at++;
        at = at > 30 ? at - 30 : 0;
        fail_msg("wanted ...%.100s, there is ...%.100s", wanted + at, got.data + at);
    }
    free(wanted);
    free(dump);
    buf_release(&got);
}

/* --------------------------------------------------------------------------------------------- a new index */

static void the_new_index_has_what_the_database_has(void **state)
{
    struct stage *st = *state;

    assert_int_equal(
        past_crier(st->scene, "is kept", (const char *const[]){"reindex", "persons", "--source", "db", NULL}), 0);
    assert_true(past_is_alias(st->scene, "persons"));
    check_same(st);
}

static void lines_of_a_file_become_the_new_index(void **state)
{
    struct stage *st = *state;
    struct buf lines = BUF_INIT;
    char path[400], *dump;
    struct error err;

    snprintf(path, sizeof path, "%s/lines.ndjson", test_folder());
    buf_add_text(&lines,
                 "{\"_index\":\"x\",\"_id\":\"a\",\"_version\":7,\"_source\":{\"n\":1,\"name\":\"a \\\"b\\\"\"}}\n\n"
                 "{\"id\":\"plain\",\"n\":2}\n");
    assert_true(file_replace(path, 0600, lines.data, lines.length, &err));
    assert_int_equal(past_crier(st->scene, "", (const char *const[]){"reindex", "persons", "--source", path, NULL}), 0);
    dump = past_dump(st->scene, "persons", false);
    assert_string_equal(dump, "a 7 {\"n\":1,\"name\":\"a \\\"b\\\"\"}\nplain 1 {\"id\":\"plain\",\"n\":2}\n");
    free(dump);
    assert_int_equal(past_crier(st->scene, "no [source sauce]",
                                (const char *const[]){"reindex", "persons", "--source", "sauce", NULL}),
                     1);
    buf_add_text(&lines, "{\"n\":3}\n");
    assert_true(file_replace(path, 0600, lines.data, lines.length, &err));
    assert_int_equal(past_crier(st->scene, "lines.ndjson line 4: there is neither",
                                (const char *const[]){"reindex", "persons", "--source", path, NULL}),
                     1);
    assert_int_equal(past_crier(st->scene, "", (const char *const[]){"reindex", "cancel", "persons", NULL}), 0);
    buf_release(&lines);
}

/* ----------------------------------------------------------------------------------------- while both are in use */

/* Changes rows, and then the documents, as a platform does. */
struct platform_at_work {
    struct stage *stage;
    pthread_t thread;
    atomic_bool ending;
    char wrong[600]; /* the thread's, until it ends */
    atomic_int writes;
};

static bool change_row(struct platform_at_work *w, struct postgres *db, int n, int64_t *version, bool *gone)
{
    const char *const sql[] = {
        "delete from persons where id = $1 returning version + 1",
        "insert into persons values ($1, 5, jsonb_build_object('name', 'anew ' || $2), now()) on conflict (id) do "
        "update "
        "set version = persons.version + 1, document = jsonb_build_object('name', 'anew ' || $2), changed = now() "
        "returning version",
    };
    char id[20], number[20];
    struct span parameters[2];
    struct postgres_rows *rows;
    struct error err;

    *gone = w->writes % 9 == 0;
    snprintf(id, sizeof id, "p%d", n);
    snprintf(number, sizeof number, "%d", w->writes);
    parameters[0] = span_of(id);
    parameters[1] = span_of(number);
    if (!postgres_query(db, sql[!*gone], parameters, *gone ? 1 : 2, &rows, &err)) {
        snprintf(w->wrong, sizeof w->wrong, "%s", err.text);
        return false;
    }
    *version = postgres_row_count(rows) ? strtoll(postgres_value(rows, 0, 0).text, NULL, 10) : 0;
    postgres_rows_free(rows);
    return true;
}

static bool change_document(struct platform_at_work *w, struct client *c, int n, int64_t version, bool gone)
{
    const struct http_reply *reply;
    struct buf lines = BUF_INIT;
    struct error err;
    bool ok;

    buf_printf(
        &lines,
        "{\"%s\":{\"_index\":\"%spersons\",\"_id\":\"p%d\",\"version\":%lld,\"version_type\":\"external_gte\"}}\n",
        gone ? "delete" : "index", client_prefix(c), n, (long long)version);
    if (!gone)
        buf_printf(&lines, "{\"name\":\"anew %d\"}\n", w->writes);
    ok = client_send(c, "POST", "/_bulk", "application/x-ndjson", lines.data, lines.length, &reply, &err);
    if (!ok || !strstr(reply->body.data, "\"errors\":false"))
        snprintf(w->wrong, sizeof w->wrong, "%.500s", ok ? reply->body.data : err.text);
    buf_release(&lines);
    return !w->wrong[0];
}

static void *work(void *context)
{
    struct platform_at_work *w = context;
    struct postgres *db = postgres_new(
        &(struct postgres_options){.url = postgres_server_url(postgres), .connect_ms = 5000, .timeout_ms = 30000});
    struct client *c = client_new(&w->stage->scene->settings->opensearch);
    int64_t version;
    bool gone;

    while (!atomic_load(&w->ending)) {
        /* never again the id of one that was deleted: its version would begin anew */
        int n = w->writes % 9 == 0   ? 1 + w->writes / 9
                : w->writes % 9 == 1 ? ROWS + 1 + w->writes
                                     : ROWS / 2 + w->writes % 400;

        if (!change_row(w, db, n, &version, &gone) || (version && !change_document(w, c, n, version, gone)))
            break;
        w->writes++;
        nanosleep(&(struct timespec){.tv_nsec = 4000000}, NULL);
    }
    client_free(c);
    postgres_free(db);
    return NULL;
}

static void begin_work(struct platform_at_work *w, struct stage *st)
{
    *w = (struct platform_at_work){.stage = st};
    assert_int_equal(pthread_create(&w->thread, NULL, work, w), 0);
}

/* Not before it has written a little, on whatever machine. */
static void end_work(struct platform_at_work *w)
{
    int64_t until_ms = clock_monotonic_ms() + PATIENCE_MS;

    while (atomic_load(&w->writes) <= WRITES_LEAST && clock_monotonic_ms() < until_ms)
        pause_ms(20);
    atomic_store(&w->ending, true);
    pthread_join(w->thread, NULL);
    if (w->wrong[0])
        fail_msg("%s", w->wrong);
    assert_true(atomic_load(&w->writes) > WRITES_LEAST);
}

static void what_changes_in_the_database_meanwhile_is_in_the_new_index(void **state)
{
    struct stage *st = *state;
    struct platform_at_work w;

    begin_work(&w, st);
    assert_int_equal(
        past_crier(st->scene, "",
                   (const char *const[]){"reindex", "persons", "--source", "db", "--rate", "1000", "--drop", NULL}),
        0);
    end_work(&w);
    check_same(st);
}

/* So many rows are read, long before the end at the rate below. */
static bool is_read(struct scene *s, int64_t rows)
{
    struct rebuild_state now;
    struct error err;
    bool found, read;

    rebuild_state_init(&now);
    if (!rebuild_state_load(s->redis, "persons", &now, &found, &err))
        fail_msg("%s", err.text);
    read = found && (now.phase > REBUILD_FILL || (now.phase == REBUILD_FILL && now.done >= rows));
    rebuild_state_release(&now);
    return read;
}

static bool some_are_read(struct scene *s)
{
    return is_read(s, ROWS / 10);
}

static bool more_are_read(struct scene *s)
{
    return is_read(s, ROWS / 4);
}

static void killed_while_it_reads_the_database_it_goes_on(void **state)
{
    struct stage *st = *state;
    struct platform_at_work w;
    const char *const words[] = {"reindex", "persons", "--source", "db", "--rate", "200", NULL};

    begin_work(&w, st);
    past_crier_killed_when(st->scene, some_are_read, words);
    scene_redis(st->scene, "DEL crier:{lease:rebuild:persons}:holder");
    past_crier_killed_when(st->scene, more_are_read, words);
    scene_redis(st->scene, "DEL crier:{lease:rebuild:persons}:holder");
    assert_int_equal(
        past_crier(st->scene, "", (const char *const[]){"reindex", "persons", "--resume", "--rate", "2000", NULL}), 0);
    end_work(&w);
    check_same(st);
}

/* -------------------------------------------------------------------------------------------------- where it is */

static void only_what_is_stale_is_written_and_what_is_gone_goes(void **state)
{
    struct stage *st = *state;
    const char *const words[] = {"reindex", "persons", "--source", "db", "--only", "stale", "--json", NULL};

    assert_int_equal(past_crier(st->scene, "\"behind\":1000,\"missing\":1000,\"gone\":1,\"written\":0",
                                (const char *const[]){"reindex", "persons", "--source", "db", "--only", "stale",
                                                      "--json", "--dry-run", NULL}),
                     0);
    assert_int_equal(past_crier(st->scene, "\"behind\":1000,\"missing\":1000,\"gone\":1,\"written\":2001", words), 0);
    check_same(st);
    assert_int_equal(past_crier(st->scene, "\"behind\":0,\"missing\":0,\"gone\":0,\"written\":0", words), 0);
}

static void ids_a_query_or_a_time_say_which_documents(void **state)
{
    struct stage *st = *state;
    char path[400];
    struct error err;

    snprintf(path, sizeof path, "%s/ids", test_folder());
    assert_true(file_replace(path, 0600, "p1\np2000\ngone\nnever\n", 21, &err));
    assert_int_equal(
        past_crier(st->scene, "\"looked_at\":4,\"behind\":1,\"missing\":1,\"gone\":1,\"written\":3",
                   (const char *const[]){"reindex", "persons", "--source", "db", "--ids", path, "--json", NULL}),
        0);
    assert_int_equal(past_crier(st->scene, "\"looked_at\":9,\"behind\":9,\"missing\":0,\"gone\":0,\"written\":9",
                                (const char *const[]){"reindex", "persons", "--source", "db", "--query",
                                                      "{\"range\":{\"n\":{\"gte\":2,\"lte\":10}}}", "--json", NULL}),
                     0);
    postgres_do(st->db, "update persons set version = 6, changed = '2026-02-02' where id in ('p1', 'p500', 'p1500')");
    assert_int_equal(
        past_crier(st->scene, "\"looked_at\":3,\"behind\":2,\"missing\":1,\"gone\":0,\"written\":3",
                   (const char *const[]){"reindex", "persons", "--source", "db", "--since", "2026-02", "--json", NULL}),
        0);
    assert_int_equal(
        past_crier(st->scene, "need the --source", (const char *const[]){"reindex", "persons", "--ids", path, NULL}),
        2);
}

#define ON_STAGE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(int argc, char **argv)
{
    cmocka_set_test_filter(argc > 1 ? argv[1] : NULL);
    const struct CMUnitTest tests[] = {
        ON_STAGE(the_new_index_has_what_the_database_has),
        ON_STAGE(lines_of_a_file_become_the_new_index),
        ON_STAGE(what_changes_in_the_database_meanwhile_is_in_the_new_index),
        ON_STAGE(killed_while_it_reads_the_database_it_goes_on),
        ON_STAGE(only_what_is_stale_is_written_and_what_is_gone_goes),
        ON_STAGE(ids_a_query_or_a_time_say_which_documents),
    };

    return cmocka_run_group_tests(tests, begin_server, end_server);
}
