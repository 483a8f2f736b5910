/* Words of the configuration that say what is computed, and what is called otherwise. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "handlers/metric.h"

static void every_function_becomes_the_aggregation_it_names(void **state)
{
    struct metrics m;
    struct error err;
    json_t *aggs = json_object();
    char *text;

    (void)state;
    assert_true(metrics_parse(
        "a=sum(x) b=min(x)\n c=max(x.y) d=avg(x) e=cardinality(x,1000) f=cardinality(x) g=unique(x)", &m, &err));
    assert_int_equal(m.count, 7);
    assert_int_equal(m.items[6].function, METRIC_UNIQUE);
    metrics_add_aggregations(&m, 0, aggs);
    text = json_dumps(aggs, JSON_COMPACT);
    assert_string_equal(text, "{\"a\":{\"sum\":{\"field\":\"x\"}},\"b\":{\"min\":{\"field\":\"x\"}},"
                              "\"c\":{\"max\":{\"field\":\"x.y\"}},\"d\":{\"avg\":{\"field\":\"x\"}},"
                              "\"e\":{\"cardinality\":{\"field\":\"x\",\"precision_threshold\":1000}},"
                              "\"f\":{\"cardinality\":{\"field\":\"x\"}}}");
    free(text);
    json_decref(aggs);
    metrics_release(&m);
}

static void a_limit_of_precision_is_for_cardinalities_and_few_documents(void **state)
{
    struct metrics m;
    struct error err;
    json_t *aggs = json_object();
    char *text;

    (void)state;
    assert_true(metrics_parse("a=sum(x) b=cardinality(x,1000) c=cardinality(x,20) d=cardinality(x)", &m, &err));
    metrics_add_aggregations(&m, 50, aggs);
    text = json_dumps(aggs, JSON_COMPACT);
    assert_string_equal(text, "{\"a\":{\"sum\":{\"field\":\"x\"}},"
                              "\"b\":{\"cardinality\":{\"field\":\"x\",\"precision_threshold\":50}},"
                              "\"c\":{\"cardinality\":{\"field\":\"x\",\"precision_threshold\":20}},"
                              "\"d\":{\"cardinality\":{\"field\":\"x\",\"precision_threshold\":50}}}");
    assert_false(metrics_need_precision(&m, 50, 50));
    assert_true(metrics_need_precision(&m, 50, 51));
    free(text);
    json_decref(aggs);
    metrics_release(&m);
    assert_true(metrics_parse("a=sum(x) c=cardinality(x,20)", &m, &err));
    assert_false(metrics_need_precision(&m, 50, 100000));
    metrics_release(&m);
}

static void refused(bool (*check)(const char *words, struct error *err), const char *words, const char *why)
{
    struct error err = ERROR_INIT;

    assert_false(check(words, &err));
    assert_int_equal(err.kind, ERROR_CONFIG);
    if (!strstr(err.text, why))
        fail_msg("\"%s\" is refused with \"%s\"", words, err.text);
}

static void a_wrong_metric_is_refused_with_what_is_wanted(void **state)
{
    static const char *const forms[] = {"volume",  "volume=",  "=sum(x)", "a=sum",
                                        "a=sum(x", "a=sum x)", "a=(x)",   "a[0]=sum(x)"};

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(forms); i++)
        refused(metrics_check, forms[i], i == 6 ? "unknown function" : "NAME=FUNCTION(FIELD)");
    refused(metrics_check, "a=sun(x)", "did you mean \"sum\"?");
    refused(metrics_check, "a=sum()", "a field is wanted");
    refused(metrics_check, "a=sum(x,5)", "only cardinality takes a precision");
    refused(metrics_check, "a=cardinality(x,)", "from 1 to 40000");
    refused(metrics_check, "a=cardinality(x,0)", "from 1 to 40000");
    refused(metrics_check, "a=cardinality(x,40001)", "from 1 to 40000");
    refused(metrics_check, "a=cardinality(x,99999999999999999999)", "from 1 to 40000");
    refused(metrics_check, "a=sum(x) a=min(x)", "twice");
}

static void more_words_than_a_hundred_are_refused(void **state)
{
    struct buf words = BUF_INIT;

    (void)state;
    for (int i = 0; i < 101; i++)
        buf_printf(&words, "m%d=sum(x) ", i);
    refused(metrics_check, words.data, "more than 100");
    buf_release(&words);
}

static void a_rename_is_a_name_or_a_pair_of_names(void **state)
{
    struct renames r;
    struct error err;

    (void)state;
    assert_true(renames_parse(" recid  parent=parent_recid ", &r, &err));
    assert_int_equal(r.count, 2);
    assert_string_equal(r.items[0].to, "recid");
    assert_string_equal(r.items[0].from, "recid");
    assert_string_equal(r.items[1].to, "parent");
    assert_string_equal(r.items[1].from, "parent_recid");
    renames_release(&r);
    assert_true(renames_parse("", &r, &err));
    assert_int_equal(r.count, 0);
    refused(renames_check, "a=", "NAME or NAME=FIELD");
    refused(renames_check, "=a", "NAME or NAME=FIELD");
    refused(renames_check, "a=b=c", "NAME or NAME=FIELD");
    refused(renames_check, "a b a=c", "twice");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_function_becomes_the_aggregation_it_names),
        cmocka_unit_test(a_limit_of_precision_is_for_cardinalities_and_few_documents),
        cmocka_unit_test(a_wrong_metric_is_refused_with_what_is_wanted),
        cmocka_unit_test(more_words_than_a_hundred_are_refused),
        cmocka_unit_test(a_rename_is_a_name_or_a_pair_of_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
