/* Templates on a real OpenSearch: installed once, upgraded, and left alone where somebody edited them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/json.h"
#include "indexer/index_template.h"
#include "support/fault_proxy.h"
#include "support/server.h"

static const char body[] =
    "{\"settings\":{\"number_of_shards\":1,\"index.refresh_interval\":\"5s\",\"index\":{\"number_of_replicas\":0,"
    "\"codec\":\"best_compression\",\"mapping\":{\"total_fields\":{\"limit\":2000}},\"sort.field\":[\"b\"]}},"
    "\"mappings\":{\"dynamic\":false,\"dynamic_templates\":[{\"text\":{\"match_mapping_type\":\"string\",\"mapping\":"
    "{\"type\":\"keyword\",\"ignore_above\":256}}}],\"properties\":{\"a\":{\"type\":\"keyword\"},"
    "\"b\":{\"type\":\"date\"},\"c\":{\"properties\":{\"d\":{\"type\":\"float\",\"boost\":1.5}}}}}}";

struct fixture {
    struct fault_proxy *proxy;
    struct client *client;
    struct error err;
    char name[20]; /* of this test alone */
};

static int setup(void **state)
{
    static int number;
    struct fixture *f = xcalloc(1, sizeof *f);
    char url[100], prefix[60];
    struct opensearch_settings o = {.url = url, .prefix = prefix, .connect_ms = 2000, .timeout_ms = 20000};

    f->proxy = fault_proxy_start(server_port(opensearch_server_start()));
    snprintf(url, sizeof url, "%s", fault_proxy_url(f->proxy));
    snprintf(prefix, sizeof prefix, "%s", test_prefix());
    f->client = client_new(&o);
    snprintf(f->name, sizeof f->name, "made-%d", ++number);
    *state = f;
    return 0;
}

static json_t *ask(struct fixture *f, const char *method, const char *where, const char *what, const json_t *request)
{
    char path[200];
    json_t *answer;
    bool missing;

    snprintf(path, sizeof path, "%s%s%s", where, test_prefix(), what);
    if (!client_json(f->client, method, path, request, &answer, &missing, &f->err))
        fail_msg("%s", f->err.text);
    return answer;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    json_decref(ask(f, "DELETE", "/_index_template/", f->name, NULL));
    client_free(f->client);
    fault_proxy_free(f->proxy);
    free(f);
    return 0;
}

static void installing_ends_as(struct fixture *f, const char *patterns, const char *text, enum template_state expected)
{
    enum template_state state;

    if (!index_template_install(f->client, f->name, patterns, text, &state, &f->err))
        fail_msg("%s", f->err.text);
    assert_int_equal(state, expected);
}

static const char *pattern(struct fixture *f, char out[60])
{
    snprintf(out, 60, "%s-*", f->name);
    return out;
}

/* The template as it is there, after an edit of its own by the caller. */
static json_t *there(struct fixture *f)
{
    json_t *answer = ask(f, "GET", "/_index_template/", f->name, NULL);
    json_t *one =
        json_incref(json_object_get(json_array_get(json_object_get(answer, "index_templates"), 0), "index_template"));

    json_decref(answer);
    return one;
}

static void put_back(struct fixture *f, json_t *edited)
{
    json_decref(ask(f, "PUT", "/_index_template/", f->name, edited));
    json_decref(edited);
}

static void a_template_is_installed_once_and_then_unchanged(void **state)
{
    struct fixture *f = *state;
    char p[60];

    installing_ends_as(f, pattern(f, p), body, TEMPLATE_INSTALLED);
    fault_proxy_forget(f->proxy);
    for (int i = 0; i < 3; i++)
        installing_ends_as(f, pattern(f, p), body, TEMPLATE_UNCHANGED);
    assert_int_equal(fault_proxy_counts(f->proxy).requests, 3); /* looked at, and not written */
}

static void a_new_index_is_made_by_the_template(void **state)
{
    struct fixture *f = *state;
    char p[60], name[60], setting[100];
    json_t *made;

    installing_ends_as(f, pattern(f, p), body, TEMPLATE_INSTALLED);
    snprintf(name, sizeof name, "%s-2026-11", f->name);
    json_decref(ask(f, "PUT", "/", name, NULL));
    made = ask(f, "GET", "/", name, NULL);
    snprintf(setting, sizeof setting, "%s%s", test_prefix(), name);
    assert_string_equal(json_member_text(json_at(json_object_get(made, setting), "settings.index"), "codec", ""),
                        "best_compression");
    assert_non_null(json_at(json_object_get(made, setting), "mappings.properties.c.properties.d"));
    json_decref(made);
    json_decref(ask(f, "DELETE", "/", name, NULL));
}

static void the_order_of_keys_is_no_difference(void **state)
{
    struct fixture *f = *state;
    char p[60];

    installing_ends_as(f, pattern(f, p),
                       "{\"mappings\":{\"properties\":{\"a\":{\"type\":\"date\"},\"b\":{\"type\":\"long\"}}}}",
                       TEMPLATE_INSTALLED);
    installing_ends_as(f, pattern(f, p),
                       "{\"mappings\":{\"properties\":{\"b\":{\"type\":\"long\"},\"a\":{\"type\":\"date\"}}}}",
                       TEMPLATE_UNCHANGED);
}

static void another_body_or_pattern_is_an_upgrade(void **state)
{
    struct fixture *f = *state;
    char p[60], two[200];

    installing_ends_as(f, pattern(f, p), body, TEMPLATE_INSTALLED);
    installing_ends_as(f, p, "{\"settings\":{\"number_of_shards\":2}}", TEMPLATE_UPGRADED);
    installing_ends_as(f, p, "{\"settings\":{\"number_of_shards\":2}}", TEMPLATE_UNCHANGED);
    snprintf(two, sizeof two, "%s %s-more-*", p, f->name);
    installing_ends_as(f, two, "{\"settings\":{\"number_of_shards\":2}}", TEMPLATE_UPGRADED);
    installing_ends_as(f, two, "{\"settings\":{\"number_of_shards\":2}}", TEMPLATE_UNCHANGED);
}

static void an_edited_setting_is_seen_and_left(void **state)
{
    struct fixture *f = *state;
    char p[60];
    json_t *edited, *after;

    installing_ends_as(f, pattern(f, p), body, TEMPLATE_INSTALLED);
    edited = there(f);
    json_object_set_new(json_at(edited, "template.settings.index"), "refresh_interval", json_string("30s"));
    put_back(f, edited);
    installing_ends_as(f, p, body, TEMPLATE_DRIFTED);
    installing_ends_as(f, p, body, TEMPLATE_DRIFTED);
    after = there(f);
    assert_string_equal(json_member_text(json_at(after, "template.settings.index"), "refresh_interval", ""), "30s");
    json_decref(after);
}

static void an_edited_mapping_is_seen(void **state)
{
    struct fixture *f = *state;
    char p[60];
    json_t *edited;

    installing_ends_as(f, pattern(f, p), body, TEMPLATE_INSTALLED);
    edited = there(f);
    json_object_set_new(json_at(edited, "template.mappings.properties"), "e", json_pack("{s:s}", "type", "long"));
    put_back(f, edited);
    installing_ends_as(f, p, body, TEMPLATE_DRIFTED);
}

static void anothers_template_of_the_same_name_is_left(void **state)
{
    struct fixture *f = *state;
    char p[60], full[120];

    snprintf(full, sizeof full, "%s%s", test_prefix(), pattern(f, p));
    put_back(f, json_pack("{s:[s]}", "index_patterns", full));
    installing_ends_as(f, p, body, TEMPLATE_DRIFTED);
}

static void the_pattern_that_says_more_goes_first(void **state)
{
    struct fixture *f = *state;
    char general[60], special[60], name[20];

    snprintf(name, sizeof name, "%s", f->name);
    installing_ends_as(f, pattern(f, general), body, TEMPLATE_INSTALLED);
    snprintf(special, sizeof special, "%s-views-*", name);
    snprintf(f->name, sizeof f->name, "%.10s-more", name);
    installing_ends_as(f, special, body, TEMPLATE_INSTALLED); /* though it overlaps */
    json_decref(ask(f, "DELETE", "/_index_template/", f->name, NULL));
    snprintf(f->name, sizeof f->name, "%s", name);
}

static void what_the_server_refuses_is_told_in_its_words(void **state)
{
    struct fixture *f = *state;
    enum template_state ends;

    assert_false(
        index_template_install(f->client, f->name, "x-*", "{\"settings\":{\"index.no_such\":1}}", &ends, &f->err));
    assert_int_equal(f->err.kind, ERROR_INPUT);
    assert_non_null(strstr(f->err.text, "index.no_such"));
    assert_false(index_template_install(f->client, f->name, "x-*", "{\"settings\":", &ends, &f->err));
    fault_proxy_down(f->proxy);
    assert_false(index_template_install(f->client, f->name, "x-*", body, &ends, &f->err));
    assert_int_equal(f->err.kind, ERROR_AGAIN);
    fault_proxy_up(f->proxy);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_template_is_installed_once_and_then_unchanged),
        TEST(a_new_index_is_made_by_the_template),
        TEST(the_order_of_keys_is_no_difference),
        TEST(another_body_or_pattern_is_an_upgrade),
        TEST(an_edited_setting_is_seen_and_left),
        TEST(an_edited_mapping_is_seen),
        TEST(anothers_template_of_the_same_name_is_left),
        TEST(the_pattern_that_says_more_goes_first),
        TEST(what_the_server_refuses_is_told_in_its_words),
    };

    http_global_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
