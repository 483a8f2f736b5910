/* Rounds of a comparison: subjects that are gone, kills, budgets, sources that are away, and mistakes in its section.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/http.h"
#include "support/fault_proxy.h"
#include "support/past.h"
#include "support/postgres_server.h"
#include "support/reconcile_stage.h"
#include "support/scene.h"
#include "support/search_index.h"

static int setup_clear(void **state)
{
    reconcile_stage_open(state,
                         RELATION(WITH_REVISION "on_delete = clear\n") INDEX_SOURCE RECONCILE("gone_most = 2\n"));
    return 0;
}

static int setup_slow(void **state)
{
    reconcile_stage_open(state, RELATION(WITH_REVISION) INDEX_SOURCE RECONCILE("page = 100\nrate = 400\n"));
    return 0;
}

static int setup_budget(void **state)
{
    reconcile_stage_open(state,
                         RELATION(WITH_REVISION) INDEX_SOURCE RECONCILE("page = 50\nrate = 1000\nbudget = 200ms\n"));
    return 0;
}

/* ------------------------------------------------------------------------------------------------- subjects gone */

static void delete_users(struct scene *s, int from, int to)
{
    struct buf lines = BUF_INIT;

    for (int user = from; user < to; user++)
        buf_printf(&lines, "{\"delete\":{\"_index\":\"%susers\",\"_id\":\"%d\"}}\n", s->settings->opensearch.prefix,
                   user);
    index_bulk(s->settings, lines.data);
    buf_release(&lines);
}

static void copies_of_a_subject_that_is_gone_go_as_on_delete_says(void **state)
{
    struct scene *s = *state;
    char *now;

    reconcile_load_users(s);
    reconcile_load_members(s, 0, 60, REVISION);
    delete_users(s, 4, 5);
    assert_int_equal(reconcile_run(s, "1 subjects behind"), 0);
    now = reconcile_members(s);
    assert_null(strstr(now, "User 4 at"));
    assert_non_null(strstr(now, "User 5 at"));
    free(now);
    assert_int_equal(reconcile_run(s, "0 subjects behind"), 0);
}

static void a_source_that_has_none_of_them_any_more_is_not_believed(void **state)
{
    struct scene *s = *state;
    char *before;

    reconcile_load_users(s);
    reconcile_load_members(s, 0, 60, REVISION);
    before = reconcile_members(s);
    delete_users(s, 0, 28);
    assert_int_equal(reconcile_run(s, "not believed"), 0);
    reconcile_members_are(s, before);
    free(before);
}

static void where_copies_are_kept_those_of_a_subject_that_is_gone_stay(void **state)
{
    struct scene *s = *state;
    char *before;

    reconcile_load_users(s);
    reconcile_load_members(s, 0, 60, REVISION);
    before = reconcile_members(s);
    delete_users(s, 4, 5);
    assert_int_equal(reconcile_run(s, "0 subjects behind"), 0);
    reconcile_members_are(s, before);
    free(before);
}

/* ---------------------------------------------------------------------------------------------- cut off, resumed */

static const char *round_field(struct scene *s, const char *field)
{
    return reply_field_text(scene_redis(s, "HGETALL crier:{changes}:reconcile:care"), field);
}

static int64_t number_before; /* of the document up to which it was when it was killed */

static bool is_further(struct scene *s)
{
    int64_t number = strtoll(round_field(s, "position"), NULL, 10);

    return number > number_before;
}

static void killed_in_the_middle_it_goes_on_and_nothing_is_left_behind(void **state)
{
    enum { MEMBERS = 3000 };
    struct scene *s = *state;
    char *right;
    int64_t writes;

    reconcile_load_users(s);
    reconcile_load_members(s, 0, MEMBERS, REVISION);
    right = reconcile_members(s);
    for (int member = 11; member < MEMBERS; member += 500)
        reconcile_load_members(s, member, member + 3, REVISION - 1);
    writes = index_writes(s->settings, "members");
    reconcile_refresh(s);
    number_before = 0;
    for (int kills = 0; kills < 2; kills++) {
        past_crier_killed_when(s, is_further, (const char *const[]){"run", "care", NULL});
        number_before = strtoll(round_field(s, "position"), NULL, 10);
    }
    assert_int_equal(reconcile_run(s, "care"), 0);
    assert_string_equal(round_field(s, "position"), "");
    assert_true(strtoll(round_field(s, "ended_documents"), NULL, 10) < MEMBERS + 500); /* not from the beginning */
    reconcile_members_are(s, right);
    assert_int_equal(index_writes(s->settings, "members") - writes, 18); /* none needlessly */
    free(right);
}

/* Each of them comes further by a page at least, of 50 documents, however slow it is. */
static void a_run_ends_with_its_budget_and_the_next_goes_on(void **state)
{
    enum { RUNS_MOST = 30 };
    struct scene *s = *state;
    char *right;
    int runs = 0;

    reconcile_load_users(s);
    reconcile_load_members(s, 0, 1000, REVISION);
    right = reconcile_members(s);
    reconcile_load_members(s, 0, 1, REVISION - 1);
    for (; runs == 0 || *round_field(s, "position"); runs++) {
        assert_true(runs < RUNS_MOST);
        assert_int_equal(reconcile_run(s, "care"), 0);
    }
    assert_true(runs > 2);
    assert_int_equal(strtoll(round_field(s, "ended_behind"), NULL, 10), 1);
    reconcile_members_are(s, right);
    free(right);
}

/* ------------------------------------------------------------------------------------------ a source of its own */

static void a_source_that_is_down_pauses_it_and_a_database_will_do(void **state)
{
    struct server *database = postgres_server_start();
    struct postgres *link = postgres_server_link(database);
    struct buf ini = BUF_INIT;
    struct scene *s;
    char *right, *out;

    postgres_do(link, "create table users (id text primary key, version bigint, json jsonb)");
    postgres_do(link, "insert into users select n::text, 7, jsonb_build_object('full_name', 'User ' || n || ' at 7') "
                      "from generate_series(0, 29) n");
    buf_printf(&ini,
               RELATION(WITH_REVISION) RECONCILE("") "[source users]\ntype = postgres\nurl = %s\nquery = select id, "
                                                     "version, json as document from users\nconnect = 1s\n",
               postgres_server_url(database));
    reconcile_stage_open(state, ini.data);
    s = *state;
    reconcile_load_members(s, 0, 200, REVISION);
    right = reconcile_members(s);
    reconcile_load_members(s, 123, 125, REVISION - 1);
    postgres_free(link);
    server_kill(database);
    reconcile_refresh(s);
    assert_int_equal(crier_run(&out, (const char *const[]){"run", "--config", s->config_path, "care", NULL}), 69);
    assert_non_null(strstr(out, "handler care: source users: "));
    free(out);
    server_restart(database);
    assert_int_equal(reconcile_run(s, "2 subjects behind"), 0);
    reconcile_members_are(s, right);
    server_free(database);
    buf_release(&ini);
    free(right);
}

/* ------------------------------------------------------------------------------------------------ configuration */

static void assert_mistake(const char *ini, const char *wanted)
{
    char path[300], *out;
    FILE *file;

    snprintf(path, sizeof path, "%s/mistake.ini", test_folder());
    file = fopen(path, "w");
    assert_non_null(file);
    fputs(ini, file);
    fclose(file);
    assert_int_equal(crier_run(&out, (const char *const[]){"check", "--config", path, NULL}), 78);
    if (!strstr(out, wanted))
        fail_msg("\"%s\" is not in: %s", wanted, out);
    free(out);
}

#define CHECKED "[queue changes]\nevents = user.*\n"
#define MEMBERS                                                                                                        \
    "[handler members]\ntype = denormalize\nqueue = changes\nindex = members\nmatch = user.id\n"                       \
    "copy = user.name<-data.full_name\n"

static void a_mistake_in_its_section_is_named_with_its_line(void **state)
{
    (void)state;
    assert_mistake(CHECKED MEMBERS INDEX_SOURCE "[handler care]\ntype = reconcile\nqueue = changes\nof = membrs\n",
                   "mistake.ini:13: ");
    assert_mistake(CHECKED MEMBERS INDEX_SOURCE "[handler care]\ntype = reconcile\nqueue = changes\nof = membrs\n",
                   "did you mean \"members\"?");
    assert_mistake(CHECKED MEMBERS "[handler care]\ntype = reconcile\nqueue = changes\nof = members\n",
                   "name a [source]");
    assert_mistake(CHECKED MEMBERS INDEX_SOURCE
                   "[handler care]\ntype = reconcile\nqueue = changes\nof = members\nsource = usrs\n",
                   "there is no [source usrs]");
}

/* A platform that writes a document, from an old state, whenever somebody else is about to. */
struct restless {
    struct scene *scene;
    struct settings past; /* the proxy */
    int version;
};

static void write_again(void *context)
{
    struct restless *r = context;
    struct buf line = BUF_INIT;

    buf_printf(&line,
               "{\"index\":{\"_index\":\"%smembers\",\"_id\":\"m00000\",\"version\":%d,\"version_type\":"
               "\"external_gte\"}}\n{\"user\":{\"id\":\"0\",\"name\":\"User 0 at 6\",\"@v\":\"0::6\"}}\n",
               r->past.opensearch.prefix, ++r->version);
    index_bulk(&r->past, line.data);
    buf_release(&line);
}

static void a_document_that_others_write_all_the_time_keeps_no_other_from_repair(void **state)
{
    struct fault_proxy *proxy = fault_proxy_start(server_port(opensearch_server_start()));
    struct restless restless = {.version = VERSION};
    struct buf ini = BUF_INIT;
    char *now;

    buf_printf(&ini,
               "[redis]\nurl = REDIS\n[opensearch]\nurl = %s\nprefix = PREFIX\n" CHANGES WITH_REVISION INDEX_SOURCE
                   RECONCILE("page = 2\n"),
               fault_proxy_url(proxy));
    reconcile_stage_open(state, ini.data);
    restless.scene = *state;
    restless.past = *restless.scene->settings;
    restless.past.opensearch.url = (char *)(uintptr_t)opensearch_server_url(opensearch_server_start());
    reconcile_load_users(restless.scene);
    reconcile_load_members(restless.scene, 0, 10, REVISION);
    reconcile_load_members(restless.scene, 0, 1, REVISION - 1);
    reconcile_load_members(restless.scene, 5, 6, REVISION - 1);
    fault_proxy_set(proxy, &(struct fault){.path_with = "_bulk", .meanwhile = write_again, .context = &restless});
    assert_int_equal(reconcile_run(restless.scene, "1 subjects could not be had or repaired"), 0);
    fault_proxy_set(proxy, NULL);
    now = reconcile_members(restless.scene);
    assert_non_null(strstr(now, "User 5 at 7"));
    free(now);
    reconcile_stage_close(state);
    fault_proxy_free(proxy);
    buf_release(&ini);
}

#define STAGED(test, open) cmocka_unit_test_setup_teardown(test, open, reconcile_stage_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        STAGED(copies_of_a_subject_that_is_gone_go_as_on_delete_says, setup_clear),
        STAGED(a_source_that_has_none_of_them_any_more_is_not_believed, setup_clear),
        STAGED(where_copies_are_kept_those_of_a_subject_that_is_gone_stay, reconcile_stage_setup),
        STAGED(killed_in_the_middle_it_goes_on_and_nothing_is_left_behind, setup_slow),
        STAGED(a_run_ends_with_its_budget_and_the_next_goes_on, setup_budget),
        cmocka_unit_test(a_document_that_others_write_all_the_time_keeps_no_other_from_repair),
        cmocka_unit_test_teardown(a_source_that_is_down_pauses_it_and_a_database_will_do, reconcile_stage_close),
        cmocka_unit_test(a_mistake_in_its_section_is_named_with_its_line),
    };

    http_global_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
