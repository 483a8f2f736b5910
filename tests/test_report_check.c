/* The standards' rules for a report: each good one passes, and each mistake is found, with the path to it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "handlers/report/report_cop51.h"
#include "handlers/report/report_coprd.h"
#include "handlers/report/report_form.h"

#define HEADER(id, name, more)                                                                                         \
    "'Report_Header':{'Release':'5.1','Report_ID':'" id "','Report_Name':'" name                                       \
    "','Created':'2026-11-02T08:00:00Z','Created_By':'P1','Institution_Name':'The World','Institution_ID':"            \
    "{'Proprietary':['p1:0000000000000000'],'ISNI':['0000 0001 2345 678X']},'Registry_Record':'','Report_Filters':"    \
    "{'Begin_Date':'2026-10-01','End_Date':'2026-10-31'" more "}}"
#define COUNTS                                                                                                         \
    "'Total_Item_Investigations':{'2026-10':3},'Unique_Item_Investigations':{'2026-10':2},"                            \
    "'Total_Item_Requests':{'2026-10':2},'Unique_Item_Requests':{'2026-10':1}"

static const char platform_report[] =
    "{" HEADER("PR", "Platform Report", "") ",'Report_Items':[{'Platform':'P1','Attribute_Performance':[{'Data_Type':"
                                            "'Dataset','Access_Method':'Regular','Performance':{" COUNTS "}}]}]}";
static const char item_report[] =
    "{" HEADER("IR", "Item Report", "") ",'Report_Items':[{'Items':[{'Item':'T','Publisher':'P','Platform':'P1',"
                                        "'Authors':[{'Name':'Ann'}],'Publication_Date':'2026-02-28','Item_ID':{'DOI':"
                                        "'10.5281/x.1','Proprietary':'p1:7','URI':'https://doi.org/10.5281/x.1'},"
                                        "'Publisher_ID':{'ROR':['012a3bc45']},'Attribute_Performance':[{'Data_Type':"
                                        "'Dataset','YOP':'2026','Access_Type':'Open','Access_Method':'Regular',"
                                        "'Performance':{" COUNTS "}}]}]}]}";
static const char article_report[] =
    "{" HEADER("IR_A1", "Journal Article Requests",
               ",'Access_Method':['Regular'],'Data_Type':['Article'],'Metric_Type':['Total_Item_Requests',"
               "'Unique_Item_Requests']") ",'Report_Items':[{'Items':[{'Item':'T','Publisher':'P','Platform':'P1',"
                                          "'Item_ID':{'Proprietary':'p1:7'},'Attribute_Performance':[{'Access_Type':"
                                          "'Open','Performance':{'Total_Item_Requests':{'2026-10':2},"
                                          "'Unique_Item_Requests':{'2026-10':1}}}]}]}]}";
static const char dataset_report[] =
    "{'report-header':{'report-name':'dataset report','report-id':'DSR','release':'rd1','created':"
    "'2026-11-02T08:00:00Z','created-by':'p1','reporting-period':{'begin-date':'2026-10-01','end-date':'2026-10-31'},"
    "'report-filters':[],'report-attributes':[],'exceptions':[{'code':69,'severity':'warning','message':'m m'}]},"
    "'report-datasets':[{'dataset-title':'','dataset-id':[{'type':'doi','value':'10.5281/x.1'}],'dataset-dates':"
    "[{'type':'pub-date','value':'2026-01-01'}],'platform':'p1','publisher':'','publisher-id':[],'data-type':"
    "'dataset','yop':'2026','performance':[{'period':{'begin-date':'2026-10-01','end-date':'2026-10-31'},'instance':"
    "[{'metric-type':'total-dataset-requests','access-method':'machine','count':3,'country-counts':{'ch':2,'de':1},"
    "'volume':0.5}]}]}]}";

typedef bool check_function(const json_t *document, struct error *err);

/* The document with ' for ", and one text replaced by another. */
static json_t *changed(const char *document, const char *from, const char *to)
{
    struct buf text = BUF_INIT;
    const char *at = strstr(document, from);
    json_t *value;
    json_error_t why;

    if (!at)
        fail_msg("no %s there", from);
    buf_add(&text, document, (size_t)(at - document));
    buf_add_text(&text, to);
    buf_add_text(&text, at + strlen(from));
    for (size_t i = 0; i < text.length; i++)
        if (text.data[i] == '\'')
            text.data[i] = '"';
    value = json_loads(text.data, 0, &why);
    if (!value)
        fail_msg("%s: %s", why.text, text.data);
    buf_release(&text);
    return value;
}

static void passes(check_function *check, const char *document)
{
    json_t *value = changed(document, "{", "{");
    struct error err;

    if (!check(value, &err))
        fail_msg("%s", err.text);
    json_decref(value);
}

static void fails(check_function *check, const char *document, const char *from, const char *to, const char *said)
{
    json_t *value = changed(document, from, to);
    struct error err = ERROR_INIT;

    if (check(value, &err))
        fail_msg("%s for %s passed", to, from);
    assert_int_equal(err.kind, ERROR_INPUT);
    if (!strstr(err.text, said))
        fail_msg("\"%s\" is not in \"%s\"", said, err.text);
    json_decref(value);
}

static void good_reports_pass(void **state)
{
    (void)state;
    passes(report_check_cop51, platform_report);
    passes(report_check_cop51, item_report);
    passes(report_check_cop51, article_report);
    passes(report_check_coprd, dataset_report);
}

static void a_header_that_breaks_a_rule_is_named(void **state)
{
    static const char *const rows[][3] = {
        {"'Report_ID':'PR'",                                                     "'Report_ID':'TR'",                                                             "Report_Header.Report_ID: must be PR, IR or IR_A1"       },
        {"'Report_Name':'Platform Report'",                                      "'Report_Name':'platform report'",
         "Report_Header.Report_Name: must be Platform Report"                                                                                                                                                             },
        {"'5.1'",                                                                "5.1",                                                                          "Report_Header.Release: is no text"                      },
        {"'Release':'5.1',",                                                     "",                                                                             "Report_Header: lacks Release"                           },
        {"'Registry_Record':'',",                                                "",                                                                             "Report_Header: lacks Registry_Record"                   },
        {"'Registry_Record':''",                                                 "'Registry_Record':'https://example.org'",                                      "Report_Header.Registry_Record: must be"                 },
        {"2026-11-02T08:00:00Z",                                                 "2026-11-02",                                                                   "Report_Header.Created: must be a time"                  },
        {"2026-11-02T08:00:00Z",                                                 "2026-11-31T08:00:00Z",                                                         "Report_Header.Created: must be a time"                  },
        {"'The World'",                                                          "'T'",                                                                          "Report_Header.Institution_Name: is too short: 1 bytes"  },
        {"'Proprietary':['p1:0000000000000000'],'ISNI':['0000 0001 2345 678X']", "",
         "Report_Header.Institution_ID: is too short: 0 members"                                                                                                                                                          },
        {"'p1:0000000000000000'",                                                "'0000000000000000'",
         "Report_Header.Institution_ID.Proprietary[0]: must be NAMESPACE"                                                                                                                                                 },
        {"678X",                                                                 "678Y",                                                                         "Report_Header.Institution_ID.ISNI[0]: must be an ISNI"  },
        {"'2026-10-01'",                                                         "'2026-10-1'",                                                                  "Report_Header.Report_Filters.Begin_Date: must be a date"},
        {"'2026-10-31'",                                                         "'2026-02-31'",                                                                 "Report_Header.Report_Filters.End_Date: must be a date"  },
        {"'2026-10-31'",                                                         "'2026-09-30'",                                                                 "ends before it begins"                                  },
        {"'Release'",                                                            "'Surplus':1,'Release'",                                                        "Report_Header.Surplus: is no member"                    },
        {"'Release'",                                                            "'Exceptions':[],'Release'",                                                    "Report_Header.Exceptions: is too short: 0 items"        },
        {"'Release'",                                                            "'Exceptions':[{'Code':1}],'Release'",                                          "Report_Header.Exceptions[0]: lacks Message"             },
        {"'Release'",                                                            "'Exceptions':[{'Code':1,'Message':'ab'},{'Code':1,'Message':'ab'}],'Release'",
         "Report_Header.Exceptions[1]: comes twice"                                                                                                                                                                       },
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        fails(report_check_cop51, platform_report, rows[i][0], rows[i][1], rows[i][2]);
}

static void a_platform_that_breaks_a_rule_is_named(void **state)
{
    static const char use[] = "Report_Items[0].Attribute_Performance[0]";
    char said[200];

    (void)state;
    snprintf(said, sizeof said, "%s.Data_Type: must be one of", use);
    fails(report_check_cop51, platform_report, "'Dataset'", "'Data'", said);
    snprintf(said, sizeof said, "%s.Access_Method: must be one of Regular TDM", use);
    fails(report_check_cop51, platform_report, "'Regular'", "'Machine'", said);
    snprintf(said, sizeof said, "%s.Performance: is too short: 1 members", use);
    fails(report_check_cop51, platform_report, COUNTS, "'Total_Item_Requests':{'2026-10':2}", said);
    snprintf(said, sizeof said, "%s.Performance.Total_Item_Investigations.2026-13: is no member", use);
    fails(report_check_cop51, platform_report, "'2026-10':3", "'2026-13':3", said);
    snprintf(said, sizeof said, "%s.Performance.Total_Item_Investigations.2026-10: is no whole number", use);
    fails(report_check_cop51, platform_report, "'2026-10':3", "'2026-10':3.0", said);
    snprintf(said, sizeof said, "%s.Performance.Total_Item_Investigations.2026-10: is too small", use);
    fails(report_check_cop51, platform_report, "'2026-10':3", "'2026-10':-3", said);
    snprintf(said, sizeof said,
             "%s.Performance: in 2026-10 there are more Unique_Item_Investigations than Total_Item_Investigations",
             use);
    fails(report_check_cop51, platform_report, "'2026-10':3", "'2026-10':1", said);
    fails(report_check_cop51, platform_report, "'Platform':'P1'", "'Platform':''",
          "Report_Items[0].Platform: is too short");
    fails(report_check_cop51, platform_report, "'Report_Items':[", "'Report_Items':{},'x':[",
          "Report_Items: is no array");
}

static void an_item_that_breaks_a_rule_is_named(void **state)
{
    static const char *const rows[][3] = {
        {"'DOI':'10.5281/x.1'",           "'DOI':'doi:10.5281/x.1'",                                   "Item_ID.DOI: must be a DOI"                          },
        {"'p1:7'",                        "'7'",                                                       "Item_ID.Proprietary: must be NAMESPACE:ID"           },
        {"'https://doi.org/10.5281/x.1'", "'doi.org/10.5281/x.1'",                                     "Item_ID.URI: must be a URI"                          },
        {"'ROR':['012a3bc45']",           "'ROR':['https://ror.org/012a3bc45']",                       "Publisher_ID.ROR[0]: must be a ROR id"               },
        {"'ROR':['012a3bc45']",           "'ISIL':['DE-1']",                                           "Publisher_ID.ISIL: is no member"                     },
        {"[{'Name':'Ann'}]",              "[{'Name':'A'}]",                                            "Authors[0].Name: is too short"                       },
        {"[{'Name':'Ann'}]",              "[{'Name':'A1'},{'Name':'A2'},{'Name':'A3'},{'Name':'A4'}]", "Authors: is too long"                                },
        {"2026-02-28",                    "2026-02",                                                   "Publication_Date: must be a date"                    },
        {"2026-02-28",                    "2026-02-29",                                                "Publication_Date: must be a date"                    },
        {"'YOP':'2026'",                  "'YOP':'26'",                                                "Attribute_Performance[0].YOP: must be a year"        },
        {"'YOP':'2026'",                  "'YOP':2026",                                                "Attribute_Performance[0].YOP: is no text"            },
        {"'Dataset'",                     "'Book'",                                                    "Attribute_Performance[0].Data_Type: must be one of"  },
        {"'Open'",                        "'open'",                                                    "Attribute_Performance[0].Access_Type: must be one of"},
        {"'Item':'T',",                   "",                                                          "Report_Items[0].Items[0]: lacks Item"                },
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        fails(report_check_cop51, item_report, rows[i][0], rows[i][1], rows[i][2]);
    fails(report_check_cop51, article_report, "'Article'", "'Dataset'",
          "Report_Header.Report_Filters.Data_Type[0]: must be one of Article");
    fails(report_check_cop51, article_report, "'Access_Type':'Open',", "",
          "Attribute_Performance[0]: lacks Access_Type");
    fails(report_check_cop51, article_report,
          "'Item':'T','Publisher':'P','Platform':'P1','Item_ID':{'Proprietary':'p1:7'}",
          "'Item':'','Publisher':'P','Platform':'P1'", "Report_Items[0].Items[0]: has neither title nor identifier");
}

static void a_dataset_report_that_breaks_a_rule_is_named(void **state)
{
    static const char *const rows[][3] = {
        {"'rd1'",                                  "'5.1'",                    "report-header.release: must be rd1"                                      },
        {"'created-by':'p1',",                     "",                         "report-header: lacks created-by"                                         },
        {"'severity':'warning'",                   "'severity':'bad'",         "report-header.exceptions[0].severity: must be one of"                    },
        {"'end-date':'2026-10-31'",                "'end-date':'2026-09-30'",  "report-header.reporting-period: ends before it begins"                   },
        {"'type':'doi'",                           "'type':'ark'",             "report-datasets[0].dataset-id[0].type: must be one of doi DOI"           },
        {"[{'type':'doi','value':'10.5281/x.1'}]", "[]",                       "report-datasets[0].dataset-id: is too short"                             },
        {"'data-type':'dataset'",                  "'data-type':'Dataset'",    "report-datasets[0].data-type: must be dataset"                           },
        {"'publisher-id':[],",                     "",                         "report-datasets[0]: lacks publisher-id"                                  },
        {"'machine'",                              "'Machine'",                "performance[0].instance[0].access-method: must be one of regular machine"},
        {"'total-dataset-requests'",               "'total_dataset_requests'", "instance[0].metric-type: must be one of"                                 },
        {"'count':3",                              "'count':0",                "instance[0].count: is too small"                                         },
        {"'count':3",                              "'count':2",                "instance[0]: its countries have more than its count"                     },
        {"'ch':2",                                 "'CH':2",                   "instance[0].country-counts.CH: is no member"                             },
        {"'volume':0.5",                           "'volume':'0.5'",           "instance[0].volume: is no number"                                        },
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        fails(report_check_coprd, dataset_report, rows[i][0], rows[i][1], rows[i][2]);
}

static void forms_are_those_of_the_schemas(void **state)
{
    (void)state;
    assert_true(report_form_is(FORM_PROPRIETARY, "zenodo:1"));
    assert_false(report_form_is(FORM_PROPRIETARY, "z:1")); /* a namespace of one letter */
    assert_false(report_form_is(FORM_PROPRIETARY, "zenodo:"));
    assert_true(report_form_is(FORM_DOI, "10.5281/zenodo.1"));
    assert_false(report_form_is(FORM_DOI, "10.05/x"));
    assert_true(report_form_is(FORM_YEAR, "0001"));
    assert_true(report_form_is(FORM_REGISTRY,
                               "https://registry.countermetrics.org/platform/99999999-9999-9999-9999-999999999999"));
    assert_false(report_form_is(FORM_DATE, "2026-10-01T00:00:00Z"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_reports_pass),
        cmocka_unit_test(a_header_that_breaks_a_rule_is_named),
        cmocka_unit_test(a_platform_that_breaks_a_rule_is_named),
        cmocka_unit_test(an_item_that_breaks_a_rule_is_named),
        cmocka_unit_test(a_dataset_report_that_breaks_a_rule_is_named),
        cmocka_unit_test(forms_are_those_of_the_schemas),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
