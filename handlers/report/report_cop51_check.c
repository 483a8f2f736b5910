/* The rules of COUNTER_API.json (Project-Counter/cop5, release 5.1) for the reports that are written here. */
#include <string.h>

#include "base/json.h"
#include "handlers/report/report_cop51.h"
#include "handlers/report/report_shape.h"

#define TEXT(key, must)   .name = (key), .required = (must), .type = SHAPE_TEXT
#define ARRAY(key, must)  .name = (key), .required = (must), .type = SHAPE_ARRAY
#define OBJECT(key, must) .name = (key), .required = (must), .type = SHAPE_OBJECT
#define COUNT(key, must)  .name = (key), .required = (must), .type = SHAPE_COUNT
#define END               .name = NULL
#define TEXTS_OF(form_)                                                                                                \
    (const struct shape_value[])                                                                                       \
    {                                                                                                                  \
        {                                                                                                              \
            .form = (form_)                                                                                            \
        }                                                                                                              \
    }
#define ONE_OF(words_)                                                                                                 \
    (const struct shape_value[])                                                                                       \
    {                                                                                                                  \
        {                                                                                                              \
            .words = (words_)                                                                                          \
        }                                                                                                              \
    }

/* clang-format off */

/* --------------------------------------------------------------------------------------------------- identifiers */

static const struct shape institution_id = {.members = (const struct shape_value[]){
    {ARRAY("ISNI", false), .least = 1, .unique = true, .items = TEXTS_OF(FORM_ISNI)},
    {ARRAY("ROR", false), .least = 1, .unique = true, .items = TEXTS_OF(FORM_ROR)},
    {ARRAY("ISIL", false), .least = 1, .unique = true, .items = TEXTS_OF(FORM_ISIL)},
    {ARRAY("OCLC", false), .least = 1, .unique = true, .items = TEXTS_OF(FORM_OCLC)},
    {ARRAY("Proprietary", false), .least = 1, .unique = true, .items = TEXTS_OF(FORM_PROPRIETARY)},
    {END},
}};

static const struct shape publisher_id = {.members = (const struct shape_value[]){
    {ARRAY("ISNI", false), .least = 1, .unique = true, .items = TEXTS_OF(FORM_ISNI)},
    {ARRAY("ROR", false), .least = 1, .unique = true, .items = TEXTS_OF(FORM_ROR)},
    {ARRAY("Proprietary", false), .least = 1, .unique = true, .items = TEXTS_OF(FORM_PROPRIETARY)},
    {END},
}};

static const struct shape item_id = {.members = (const struct shape_value[]){
    {TEXT("DOI", false), .form = FORM_DOI},
    {TEXT("Proprietary", false), .form = FORM_PROPRIETARY},
    {TEXT("URI", false), .form = FORM_URI},
    {END},
}};

/* ---------------------------------------------------------------------------------------------------- the header */

static const struct shape exception = {.members = (const struct shape_value[]){
    {COUNT("Code", true)},
    {TEXT("Message", true), .least = 2},
    {TEXT("Help_URL", false), .form = FORM_URI},
    {TEXT("Data", false)},
    {END},
}};
static const struct shape_value exceptions[] = {{.type = SHAPE_OBJECT, .of = &exception}};

static const struct shape filters = {.members = (const struct shape_value[]){
    {TEXT("Begin_Date", true), .form = FORM_DATE},
    {TEXT("End_Date", true), .form = FORM_DATE},
    {TEXT("Platform", false), .least = 2},
    {END},
}};

static const struct shape article_filters = {.members = (const struct shape_value[]){
    {TEXT("Begin_Date", true), .form = FORM_DATE},
    {TEXT("End_Date", true), .form = FORM_DATE},
    {TEXT("Platform", false), .least = 2},
    {ARRAY("Access_Method", true), .least = 1, .unique = true, .items = ONE_OF("Regular")},
    {ARRAY("Data_Type", true), .least = 1, .unique = true, .items = ONE_OF("Article")},
    {ARRAY("Metric_Type", true), .least = 2, .unique = true, .items = ONE_OF("Total_Item_Requests Unique_Item_Requests")},
    {END},
}};

static const struct shape platform_attributes = {.members = (const struct shape_value[]){
    {ARRAY("Attributes_To_Show", false), .least = 1, .unique = true, .items = ONE_OF("Access_Method")},
    {END},
}};

static const struct shape item_attributes = {.members = (const struct shape_value[]){
    {ARRAY("Attributes_To_Show", false), .least = 1, .unique = true,
     .items = ONE_OF("YOP Access_Type Access_Method Authors Publication_Date Article_Version")},
    {END},
}};

#define HEADER(id, title)                                                                                              \
    {TEXT("Report_ID", true), .is = (id)},                                                                             \
    {TEXT("Report_Name", true), .is = (title)},                                                                        \
    {TEXT("Release", true), .is = "5.1"},                                                                              \
    {TEXT("Institution_Name", true), .least = 2},                                                                      \
    {OBJECT("Institution_ID", true), .least = 1, .of = &institution_id},                                               \
    {ARRAY("Exceptions", false), .least = 1, .unique = true, .items = exceptions},                                     \
    {TEXT("Created", true), .form = FORM_TIME},                                                                        \
    {TEXT("Created_By", true), .least = 2},                                                                            \
    {TEXT("Registry_Record", true), .form = FORM_REGISTRY}

static const struct shape platform_header = {.members = (const struct shape_value[]){
    HEADER("PR", "Platform Report"),
    {OBJECT("Report_Filters", true), .of = &filters},
    {OBJECT("Report_Attributes", false), .least = 1, .of = &platform_attributes},
    {END},
}};

static const struct shape item_header = {.members = (const struct shape_value[]){
    HEADER("IR", "Item Report"),
    {OBJECT("Report_Filters", true), .of = &filters},
    {OBJECT("Report_Attributes", false), .least = 1, .of = &item_attributes},
    {END},
}};

static const struct shape article_header = {.members = (const struct shape_value[]){
    HEADER("IR_A1", "Journal Article Requests"),
    {OBJECT("Report_Filters", true), .of = &article_filters},
    {END},
}};

/* ------------------------------------------------------------------------------------------------------- numbers */

/* Whether in no month the first is more than the second. */
static bool not_more(const json_t *object, const char *less, const char *more, struct error *err)
{
    const json_t *count, *others = json_object_get(object, more);
    json_t *counts = json_object_get(object, less);
    const char *month;

    json_object_foreach(counts, month, count)
        if (json_integer_value(count) > json_integer_value(json_object_get(others, month)))
            return error_set(err, ERROR_INPUT, "in %s there are more %s than %s", month, less, more);
    return true;
}

static bool requests_fit(const json_t *object, struct error *err)
{
    return not_more(object, "Unique_Item_Requests", "Total_Item_Requests", err);
}

static bool numbers_fit(const json_t *object, struct error *err)
{
    return requests_fit(object, err) &&
           not_more(object, "Unique_Item_Investigations", "Total_Item_Investigations", err) &&
           not_more(object, "Total_Item_Requests", "Total_Item_Investigations", err) &&
           not_more(object, "Unique_Item_Requests", "Unique_Item_Investigations", err);
}

static const struct shape counts = {
    .others = (const struct shape_value[]){{.type = SHAPE_COUNT}},
    .other_names = FORM_MONTH,
};

static const struct shape performance = {.members = (const struct shape_value[]){
    {OBJECT("Total_Item_Investigations", false), .least = 1, .of = &counts},
    {OBJECT("Total_Item_Requests", false), .least = 1, .of = &counts},
    {OBJECT("Unique_Item_Investigations", false), .least = 1, .of = &counts},
    {OBJECT("Unique_Item_Requests", false), .least = 1, .of = &counts},
    {END},
}, .also = numbers_fit};

static const struct shape article_performance = {.members = (const struct shape_value[]){
    {OBJECT("Total_Item_Requests", false), .least = 1, .of = &counts},
    {OBJECT("Unique_Item_Requests", false), .least = 1, .of = &counts},
    {END},
}, .also = requests_fit};

/* -------------------------------------------------------------------------------------------------------- bodies */

static const struct shape platform_use = {.members = (const struct shape_value[]){
    {TEXT("Data_Type", true), .words = REPORT_ITEM_TYPES " Book Conference Journal Newspaper_or_Newsletter Reference_Work"},
    {TEXT("Access_Method", false), .words = "Regular TDM"},
    {OBJECT("Performance", true), .least = 2, .of = &performance},
    {END},
}};
static const struct shape_value platform_uses[] = {{.type = SHAPE_OBJECT, .of = &platform_use}};

static const struct shape platform = {.members = (const struct shape_value[]){
    {TEXT("Platform", true), .least = 2},
    {ARRAY("Attribute_Performance", true), .least = 1, .items = platform_uses},
    {END},
}};
static const struct shape_value platforms[] = {{.type = SHAPE_OBJECT, .of = &platform}};

static const struct shape item_use = {.members = (const struct shape_value[]){
    {TEXT("Data_Type", true), .words = REPORT_ITEM_TYPES},
    {TEXT("YOP", false), .form = FORM_YEAR},
    {TEXT("Access_Type", false), .words = "Controlled Open Free_To_Read"},
    {TEXT("Access_Method", false), .words = "Regular TDM"},
    {OBJECT("Performance", true), .least = 1, .of = &performance},
    {END},
}};
static const struct shape_value item_uses[] = {{.type = SHAPE_OBJECT, .of = &item_use}};

static const struct shape article_use = {.members = (const struct shape_value[]){
    {TEXT("Access_Type", true), .words = "Controlled Open Free_To_Read"},
    {OBJECT("Performance", true), .least = 2, .of = &article_performance},
    {END},
}};
static const struct shape_value article_uses[] = {{.type = SHAPE_OBJECT, .of = &article_use}};

static const struct shape author = {.members = (const struct shape_value[]){
    {TEXT("Name", true), .least = 2},
    {END},
}};
static const struct shape_value authors[] = {{.type = SHAPE_OBJECT, .of = &author}};

/* What has neither title nor identifier would be nothing. */
static bool item_is_named(const json_t *object, struct error *err)
{
    return *json_member_text(object, "Item", "") || json_object_size(json_object_get(object, "Item_ID")) > 0 ||
           error_set(err, ERROR_INPUT, "has neither title nor identifier");
}

#define ITEM                                                                                                           \
    {TEXT("Item", true)},                                                                                              \
    {TEXT("Publisher", true)},                                                                                         \
    {OBJECT("Publisher_ID", false), .least = 1, .of = &publisher_id},                                                  \
    {TEXT("Platform", true), .least = 2},                                                                              \
    {ARRAY("Authors", false), .least = 1, .most = 3, .unique = true, .items = authors},                                \
    {TEXT("Publication_Date", false), .form = FORM_DATE},                                                              \
    {OBJECT("Item_ID", false), .least = 1, .of = &item_id}

static const struct shape item = {.members = (const struct shape_value[]){
    ITEM,
    {ARRAY("Attribute_Performance", true), .least = 1, .items = item_uses},
    {END},
}, .also = item_is_named};
static const struct shape_value items[] = {{.type = SHAPE_OBJECT, .of = &item}};

static const struct shape article = {.members = (const struct shape_value[]){
    ITEM,
    {ARRAY("Attribute_Performance", true), .least = 1, .items = article_uses},
    {END},
}, .also = item_is_named};
static const struct shape_value articles[] = {{.type = SHAPE_OBJECT, .of = &article}};

static const struct shape items_of_none = {.members = (const struct shape_value[]){
    {ARRAY("Items", true), .least = 1, .items = items},
    {END},
}};
static const struct shape_value item_parents[] = {{.type = SHAPE_OBJECT, .of = &items_of_none}};

static const struct shape articles_of_none = {.members = (const struct shape_value[]){
    {ARRAY("Items", true), .least = 1, .items = articles},
    {END},
}};
static const struct shape_value article_parents[] = {{.type = SHAPE_OBJECT, .of = &articles_of_none}};

/* ------------------------------------------------------------------------------------------------------- reports */

static const struct shape platform_report = {.members = (const struct shape_value[]){
    {OBJECT("Report_Header", true), .of = &platform_header},
    {ARRAY("Report_Items", true), .items = platforms},
    {END},
}};

static const struct shape item_report = {.members = (const struct shape_value[]){
    {OBJECT("Report_Header", true), .of = &item_header},
    {ARRAY("Report_Items", true), .items = item_parents},
    {END},
}};

static const struct shape article_report = {.members = (const struct shape_value[]){
    {OBJECT("Report_Header", true), .of = &article_header},
    {ARRAY("Report_Items", true), .items = article_parents},
    {END},
}};

/* clang-format on */

static const struct {
    const char *id;
    struct shape_value report;
} reports[] = {
    {"PR",    {.type = SHAPE_OBJECT, .of = &platform_report}},
    {"IR",    {.type = SHAPE_OBJECT, .of = &item_report}    },
    {"IR_A1", {.type = SHAPE_OBJECT, .of = &article_report} },
};

static bool period_check(const json_t *header, struct error *err)
{
    const json_t *f = json_object_get(header, "Report_Filters");

    if (strcmp(json_member_text(f, "Begin_Date", ""), json_member_text(f, "End_Date", "")) <= 0)
        return true;
    return error_set(err, ERROR_INPUT, "Report_Header.Report_Filters: ends before it begins");
}

bool report_check_cop51(const json_t *document, struct error *err)
{
    const json_t *header = json_object_get(document, "Report_Header");
    const char *id = json_member_text(header, "Report_ID", "");

    for (size_t i = 0; i < ARRAY_LENGTH(reports); i++)
        if (strcmp(reports[i].id, id) == 0)
            return shape_check(document, &reports[i].report, err) && period_check(header, err);
    return error_set(err, ERROR_INPUT, "Report_Header.Report_ID: must be PR, IR or IR_A1");
}
