/* Reports from events in a real OpenSearch: the numbers in them, and what they say of records. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/json.h"
#include "base/text.h"
#include "handlers/repair/restated.h"
#include "support/report_stage.h"
#include "support/search_index.h"

/* Compares as compact JSON with sorted keys, ' for ". */
static void check_json(const json_t *value, const char *wanted)
{
    struct buf found = BUF_INIT;

    if (!value)
        fail_msg("nothing there, where %s was wanted", wanted);
    json_add_sorted(&found, value);
    for (size_t i = 0; i < found.length; i++)
        if (found.data[i] == '"')
            found.data[i] = '\'';
    assert_string_equal(found.data, wanted);
    buf_release(&found);
}

/* The item with an own id, of an item report. */
static const json_t *item_of(const json_t *report, const char *id)
{
    const json_t *items = json_object_get(json_array_get(json_object_get(report, "Report_Items"), 0), "Items"), *item;
    size_t i;

    json_array_foreach(items, i,
                       item) if (strcmp(json_string_value(json_at(item, "Item_ID.Proprietary")), id) == 0) return item;
    return NULL;
}

static const json_t *use_of(const json_t *item)
{
    return json_array_get(json_object_get(item, "Attribute_Performance"), 0);
}

static const json_t *dataset_of(const json_t *report, const char *id)
{
    const json_t *dataset;
    size_t i;

    json_array_foreach(json_object_get(report, "report-datasets"), i, dataset)
    {
        const json_t *first = json_array_get(json_object_get(dataset, "dataset-id"), 0);

        if (strcmp(json_member_text(first, "value", ""), id) == 0)
            return dataset;
    }
    return NULL;
}

/* ------------------------------------------------------------------------------------------------------- the numbers
 */

static void an_item_counts_once_in_a_session_whatever_its_files(void **state)
{
    struct report_stage *f = *state;
    const json_t *report = report_stage_make(f, REPORT_IR, "2024-10", "2024-10");

    check_json(json_object_get(use_of(item_of(report, "testrepo:a1")), "Performance"),
               "{'Total_Item_Investigations':{'2024-10':8},'Total_Item_Requests':{'2024-10':3},"
               "'Unique_Item_Investigations':{'2024-10':5},'Unique_Item_Requests':{'2024-10':1}}");
    check_json(json_object_get(use_of(item_of(report, "testrepo:a2")), "Performance"),
               "{'Total_Item_Investigations':{'2024-10':1},'Unique_Item_Investigations':{'2024-10':1}}");
    check_json(json_object_get(use_of(item_of(report, "testrepo:b1")), "Performance"),
               "{'Total_Item_Investigations':{'2024-10':2},'Total_Item_Requests':{'2024-10':1},"
               "'Unique_Item_Investigations':{'2024-10':1},'Unique_Item_Requests':{'2024-10':1}}");
}

static void an_item_says_what_its_record_says(void **state)
{
    struct report_stage *f = *state;
    const json_t *report = report_stage_make(f, REPORT_IR, "2024-10", "2024-10"),
                 *item = item_of(report, "testrepo:a1");

    check_json(json_object_get(item, "Item_ID"),
               "{'DOI':'10.1234/a1','Proprietary':'testrepo:a1','URI':'https://doi.org/10.1234/a1'}");
    check_json(json_object_get(item, "Publisher_ID"), "{'Proprietary':['grid:grid.1.2']}");
    check_json(json_object_get(item, "Authors"), "[{'Name':'Doe, Ann'},{'Name':'Roe, \\'B\\''}]");
    assert_string_equal(json_member_text(item, "Item", ""), "Data A");
    assert_string_equal(json_member_text(item, "Publication_Date", ""), "2024-02-01");
    assert_string_equal(json_member_text(use_of(item), "Data_Type", ""), "Dataset");
    assert_string_equal(json_member_text(use_of(item), "Access_Type", ""), "Open");
    assert_string_equal(json_member_text(use_of(item), "Access_Method", ""), "Regular");
    item = item_of(report, "testrepo:b1");
    assert_string_equal(json_member_text(item, "Publisher", ""), "Others");
    assert_null(json_object_get(item, "Publisher_ID"));
    assert_string_equal(json_member_text(use_of(item), "YOP", ""), "2023");
    assert_string_equal(json_member_text(use_of(item), "Access_Type", ""), "Controlled");
}

/* One bad word in a record is not known; it does not cost the report. */
static void a_record_that_is_gone_or_odd_is_still_reported(void **state)
{
    struct report_stage *f = *state;
    const json_t *report = report_stage_make(f, REPORT_IR, "2024-10", "2024-10"),
                 *item = item_of(report, "testrepo:gone");

    check_json(json_object_get(item, "Item_ID"), "{'Proprietary':'testrepo:gone'}");
    assert_string_equal(json_member_text(use_of(item), "Data_Type", ""), "Unspecified");
    assert_string_equal(json_member_text(use_of(item), "YOP", ""), "0001");
    assert_int_equal(f->report->unknown_count, 1);
    item = item_of(report, "testrepo:a2");
    check_json(json_object_get(item, "Item_ID"), "{'Proprietary':'testrepo:a2'}");
    assert_null(json_object_get(item, "Publication_Date"));
    assert_string_equal(json_member_text(use_of(item), "YOP", ""), "2024");
}

static void the_platform_is_told_by_data_type(void **state)
{
    struct report_stage *f = *state;
    const json_t *report = report_stage_make(f, REPORT_PR, "2024-10", "2024-10");

    check_json(json_object_get(report, "Report_Items"),
               "[{'Attribute_Performance':[{'Access_Method':'Regular','Data_Type':'Article','Performance':{"
               "'Total_Item_Investigations':{'2024-10':2},'Total_Item_Requests':{'2024-10':1},"
               "'Unique_Item_Investigations':{'2024-10':1},'Unique_Item_Requests':{'2024-10':1}}},"
               "{'Access_Method':'Regular','Data_Type':'Dataset','Performance':{"
               "'Total_Item_Investigations':{'2024-10':9},'Total_Item_Requests':{'2024-10':3},"
               "'Unique_Item_Investigations':{'2024-10':6},'Unique_Item_Requests':{'2024-10':1}}},"
               "{'Access_Method':'Regular','Data_Type':'Unspecified','Performance':{"
               "'Total_Item_Investigations':{'2024-10':1},'Unique_Item_Investigations':{'2024-10':1}}}],"
               "'Platform':'Test Repository'}]");
    check_json(json_at(report, "Report_Header.Institution_ID"), "{'Proprietary':['testrepo:0000000000000000']}");
    check_json(json_at(report, "Report_Header.Report_Filters"), "{'Begin_Date':'2024-10-01','End_Date':'2024-10-31'}");
}

static void only_requests_of_articles_are_in_their_view(void **state)
{
    struct report_stage *f = *state;
    const json_t *report = report_stage_make(f, REPORT_IR_A1, "2024-10", "2024-10");

    assert_int_equal(
        json_array_size(json_object_get(json_array_get(json_object_get(report, "Report_Items"), 0), "Items")), 1);
    check_json(use_of(item_of(report, "testrepo:b1")),
               "{'Access_Type':'Controlled','Performance':{'Total_Item_Requests':{'2024-10':1},"
               "'Unique_Item_Requests':{'2024-10':1}}}");
}

static void months_end_at_midnight_utc(void **state)
{
    struct report_stage *f = *state;
    const json_t *report = report_stage_make(f, REPORT_IR, "2024-09", "2024-11");

    check_json(json_object_get(use_of(item_of(report, "testrepo:a1")), "Performance"),
               "{'Total_Item_Investigations':{'2024-09':1,'2024-10':8,'2024-11':1},'Total_Item_Requests':"
               "{'2024-10':3},'Unique_Item_Investigations':{'2024-09':1,'2024-10':5,'2024-11':1},"
               "'Unique_Item_Requests':{'2024-10':1}}");
}

static void more_sessions_than_a_page_holds_are_each_counted_once(void **state)
{
    struct report_stage *f = *state;
    const json_t *report = report_stage_make(f, REPORT_IR, "2024-12", "2024-12");
    char wanted[200];

    snprintf(wanted, sizeof wanted,
             "{'Total_Item_Investigations':{'2024-12':%d},'Unique_Item_Investigations':{'2024-12':%d}}",
             2 * MANY_SESSIONS, MANY_SESSIONS);
    check_json(json_object_get(use_of(item_of(report, "testrepo:a1")), "Performance"), wanted);
}

#define OCTOBER "'period':{'begin-date':'2024-10-01','end-date':'2024-10-31'}"

static void a_dataset_tells_people_from_machines_with_countries_and_volume(void **state)
{
    struct report_stage *f = *state;
    const json_t *report = report_stage_make(f, REPORT_DSR, "2024-10", "2024-10");

    check_json(
        json_object_get(dataset_of(report, "10.1234/a1"), "performance"),
        "[{'instance':["
        "{'access-method':'regular','count':8,'country-counts':{'ch':5},'metric-type':'total-dataset-investigations',"
        "'volume':0.0004},"
        "{'access-method':'regular','count':3,'country-counts':{'ch':3},'metric-type':'total-dataset-requests',"
        "'volume':0.0004},"
        "{'access-method':'regular','count':5,'country-counts':{'ch':2},'metric-type':'unique-dataset-investigations',"
        "'volume':0.0003},"
        "{'access-method':'regular','count':1,'country-counts':{'ch':1},'metric-type':'unique-dataset-requests',"
        "'volume':0.0003},"
        "{'access-method':'machine','count':1,'country-counts':{'de':1},'metric-type':'total-dataset-investigations',"
        "'volume':0.0001},"
        "{'access-method':'machine','count':1,'country-counts':{'de':1},'metric-type':'total-dataset-requests',"
        "'volume':0.0001},"
        "{'access-method':'machine','count':1,'country-counts':{'de':1},'metric-type':'unique-dataset-investigations',"
        "'volume':0.0001},"
        "{'access-method':'machine','count':1,'country-counts':{'de':1},'metric-type':'unique-dataset-requests',"
        "'volume':0.0001}]," OCTOBER "}]");
}

static void all_versions_of_a_dataset_have_numbers_of_their_own(void **state)
{
    struct report_stage *f = *state;
    const json_t *report = report_stage_make(f, REPORT_DSR, "2024-10", "2024-10"),
                 *all = dataset_of(report, "10.1234/a"), *list;

    assert_int_equal(json_array_size(json_object_get(report, "report-datasets")), 3); /* a1, a2 and both */
    check_json(json_object_get(all, "dataset-attributes"), "[{'type':'dataset-version','value':'All'}]");
    check_json(json_object_get(all, "publisher-id"), "[{'type':'grid','value':'grid.1.2'}]");
    list = json_object_get(json_array_get(json_object_get(all, "performance"), 0), "instance");
    check_json(json_array_get(list, 0), "{'access-method':'regular','count':9,'country-counts':{'ch':6},"
                                        "'metric-type':'total-dataset-investigations','volume':0.0004}");
    check_json(json_array_get(list, 2), "{'access-method':'regular','count':5,'country-counts':{'ch':2},"
                                        "'metric-type':'unique-dataset-investigations','volume':0.0003}");
    check_json(json_at(report, "report-header.exceptions"),
               "[{'code':3040,'data':'1 records are not known to the platform any more','message':'Partial Data "
               "Returned','severity':'warning'}]");
}

static void a_month_without_use_says_so(void **state)
{
    struct report_stage *f = *state;
    const json_t *report = report_stage_make(f, REPORT_PR, "2023-01", "2023-01");

    assert_true(report_is_empty(f->report));
    check_json(json_at(report, "Report_Header.Exceptions"),
               "[{'Code':3030,'Message':'No Usage Available for Requested Dates'}]");
    report_stage_make(f, REPORT_DSR, "2023-01", "2023-01");
    assert_true(report_is_empty(f->report));
}

static void restate(struct report_stage *f, const char *handler, const char *month, const char *reason)
{
    const struct handler_settings *hs = settings_handler(f->scene->settings, handler);
    struct handler *h = handler_new(f->scene->settings, hs, &f->err);
    json_t *nothing = json_object();

    if (!h || !restated_note(h, month, reason, nothing, nothing, &f->err))
        fail_msg("%s", f->err.text);
    json_decref(nothing);
    handler_free(h);
}

static void a_restated_month_is_named_in_reports_of_it(void **state)
{
    struct report_stage *f = *state;
    const json_t *named;
    const char *data;

    restate(f, "views", "2024-10", "a robot was counted");
    restate(f, "views", "2024-12", "other");
    named = json_at(report_stage_make(f, REPORT_PR, "2024-10", "2024-11"), "Report_Header.Exceptions");
    assert_int_equal(json_array_size(named), 1);
    data = json_member_text(json_array_get(named, 0), "Data", "");
    assert_true(text_starts(data, "2024-10 at 20"));
    assert_non_null(strstr(data, "Z: a robot was counted"));
    assert_null(json_at(report_stage_make(f, REPORT_PR, "2024-11", "2024-11"), "Report_Header.Exceptions"));
    assert_int_equal(
        json_array_size(json_at(report_stage_make(f, REPORT_DSR, "2024-10", "2024-10"), "report-header.exceptions")),
        2);
    index_delete(f->scene->settings, RESTATED_INDEX);
}

/* ------------------------------------------------------------------------------------------------------------- tables
 */

static void a_table_has_a_header_and_a_line_for_each_metric(void **state)
{
    struct report_stage *f = *state;
    struct buf text = BUF_INIT;

    report_stage_make(f, REPORT_PR, "2024-10", "2024-11");
    report_add_csv(f->report, &text);
    check_holds(text.data, "Report_Name,Platform Report\r\nReport_ID,PR\r\nRelease,5.1\r\n");
    check_holds(text.data, "Reporting_Period,Begin_Date=2024-10-01; End_Date=2024-11-30\r\n");
    check_holds(text.data, "\r\nRegistry_Record,\r\n\r\nPlatform,Data_Type,Access_Method,Metric_Type,"
                           "Reporting_Period_Total,Oct-2024,Nov-2024\r\n");
    check_holds(text.data, "\r\nTest Repository,Dataset,Regular,Total_Item_Investigations,10,9,1\r\n");
    check_holds(text.data, "\r\nTest Repository,Dataset,Regular,Total_Item_Requests,3,3,0\r\n");
    buf_reset(&text);
    report_stage_make(f, REPORT_IR, "2024-10", "2024-10");
    report_add_csv(f->report, &text);
    check_holds(text.data, "\r\nData A,Test Press,grid:grid.1.2,Test Repository,\"Doe, Ann; Roe, \"\"B\"\"\","
                           "2024-02-01,10.1234/a1,testrepo:a1,,,,https://doi.org/10.1234/a1,Dataset,2024,Open,Regular,"
                           "Unique_Item_Requests,1,1\r\n");
    buf_reset(&text);
    report_stage_make(f, REPORT_IR_A1, "2024-10", "2024-10");
    report_add_csv(f->report, &text);
    check_holds(text.data, "Metric_Types,Total_Item_Requests; Unique_Item_Requests\r\n"
                           "Report_Filters,Data_Type=Article; Access_Method=Regular\r\n");
    check_holds(text.data, "\"Article, B\",Others,,Test Repository,,,,,testrepo:b1,,,,,,,,,,,,Controlled,");
    buf_reset(&text);
    report_stage_make(f, REPORT_DSR, "2024-10", "2024-10");
    report_add_csv(f->report, &text);
    check_holds(text.data, "\r\nData A,Test Press,grid:grid.1.2,\"Doe, Ann; Roe, \"\"B\"\"\",2024-02-01,v1,10.1234/a1,"
                           ",,2024,Machine,Unique_Dataset_Requests,1,1\r\n");
    buf_release(&text);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, report_stage_start, report_stage_end)
    const struct CMUnitTest tests[] = {
        TEST(an_item_counts_once_in_a_session_whatever_its_files),
        TEST(an_item_says_what_its_record_says),
        TEST(a_record_that_is_gone_or_odd_is_still_reported),
        TEST(the_platform_is_told_by_data_type),
        TEST(only_requests_of_articles_are_in_their_view),
        TEST(months_end_at_midnight_utc),
        TEST(more_sessions_than_a_page_holds_are_each_counted_once),
        TEST(a_dataset_tells_people_from_machines_with_countries_and_volume),
        TEST(all_versions_of_a_dataset_have_numbers_of_their_own),
        TEST(a_month_without_use_says_so),
        TEST(a_restated_month_is_named_in_reports_of_it),
        TEST(a_table_has_a_header_and_a_line_for_each_metric),
    };

    return cmocka_run_group_tests(tests, report_stage_open, report_stage_close);
}
