/* The rules for a dataset report: those of the hub's schema (datacite/sashimi, sushi_usage_schema.json) and of the
 * Code of Practice for Research Data, whose counts also have a volume. */
#include <string.h>

#include "base/json.h"
#include "handlers/report/report_coprd.h"
#include "handlers/report/report_shape.h"

#define TEXT(key, must)   .name = (key), .required = (must), .type = SHAPE_TEXT
#define ARRAY(key, must)  .name = (key), .required = (must), .type = SHAPE_ARRAY
#define OBJECT(key, must) .name = (key), .required = (must), .type = SHAPE_OBJECT
#define COUNT(key, must)  .name = (key), .required = (must), .type = SHAPE_COUNT
#define NUMBER(key, must) .name = (key), .required = (must), .type = SHAPE_NUMBER
#define END               .name = NULL

/* clang-format off */

/* A shape of {"type": one of kinds, "value": any text}, and an array's items that have it. */
#define TYPED(what, kinds)                                                                                             \
    static const struct shape what##_shape = {.members = (const struct shape_value[]){                                 \
        {TEXT("type", true), .words = (kinds)},                                                                        \
        {TEXT("value", true)},                                                                                         \
        {END},                                                                                                         \
    }};                                                                                                                \
    static const struct shape_value what[] = {{.type = SHAPE_OBJECT, .of = &what##_shape}}

TYPED(dataset_ids, "doi DOI proprietary uri");
TYPED(publisher_ids, "isni orcid grid urn client-id");
TYPED(contributors, "name orcid isni");
TYPED(dates, "pub-date first-accessed-online proprietary");
TYPED(attributes, "dataset-version dataset_type proprietary");

static const struct shape named = {.members = (const struct shape_value[]){
    {TEXT("name", true)},
    {TEXT("value", true)},
    {END},
}};
static const struct shape_value nameds[] = {{.type = SHAPE_OBJECT, .of = &named}};

static bool period_fits(const json_t *object, struct error *err)
{
    return strcmp(json_member_text(object, "begin-date", ""), json_member_text(object, "end-date", "")) <= 0 ||
           error_set(err, ERROR_INPUT, "ends before it begins");
}

static const struct shape period = {.members = (const struct shape_value[]){
    {TEXT("begin-date", true), .form = FORM_DATE},
    {TEXT("end-date", true), .form = FORM_DATE},
    {END},
}, .also = period_fits};

/* ---------------------------------------------------------------------------------------------------- the header */

static const struct shape exception = {.members = (const struct shape_value[]){
    {COUNT("code", true)},
    {TEXT("severity", true), .words = "fatal error warning debug info"},
    {TEXT("message", true), .least = 2},
    {TEXT("help-url", false), .form = FORM_URI},
    {TEXT("data", false)},
    {END},
}};
static const struct shape_value exceptions[] = {{.type = SHAPE_OBJECT, .of = &exception}};

static const struct shape header = {.members = (const struct shape_value[]){
    {TEXT("report-name", true), .is = "dataset report"},
    {TEXT("report-id", true), .is = "DSR"},
    {TEXT("release", true), .is = "rd1"},
    {TEXT("created", true), .form = FORM_TIME},
    {TEXT("created-by", true), .least = 1},
    {OBJECT("reporting-period", true), .of = &period},
    {ARRAY("report-filters", true), .items = nameds},
    {ARRAY("report-attributes", true), .items = nameds},
    {ARRAY("exceptions", true), .unique = true, .items = exceptions},
    {END},
}};

/* ------------------------------------------------------------------------------------------------------- numbers */

static const struct shape country_counts = {
    .others = (const struct shape_value[]){{.type = SHAPE_COUNT, .least = 1}},
    .other_names = FORM_COUNTRY,
};

static bool countries_fit(const json_t *object, struct error *err)
{
    json_t *countries = json_object_get(object, "country-counts");
    json_int_t sum = 0;
    const json_t *count;
    const char *name;

    json_object_foreach(countries, name, count) sum += json_integer_value(count);
    return sum <= json_integer_value(json_object_get(object, "count")) ||
           error_set(err, ERROR_INPUT, "its countries have more than its count");
}

static const struct shape instance = {.members = (const struct shape_value[]){
    {TEXT("metric-type", true), .words = "total-dataset-investigations total-dataset-requests "
                                         "unique-dataset-investigations unique-dataset-requests"},
    {TEXT("access-method", true), .words = "regular machine"},
    {COUNT("count", true), .least = 1},
    {OBJECT("country-counts", false), .least = 1, .of = &country_counts},
    {NUMBER("volume", false)},
    {END},
}, .also = countries_fit};
static const struct shape_value instances[] = {{.type = SHAPE_OBJECT, .of = &instance}};

static const struct shape month = {.members = (const struct shape_value[]){
    {OBJECT("period", true), .of = &period},
    {ARRAY("instance", true), .least = 1, .unique = true, .items = instances},
    {END},
}};
static const struct shape_value months[] = {{.type = SHAPE_OBJECT, .of = &month}};

/* ------------------------------------------------------------------------------------------------------ datasets */

static const struct shape dataset = {.members = (const struct shape_value[]){
    {TEXT("dataset-title", true)},
    {ARRAY("dataset-id", true), .least = 1, .items = dataset_ids},
    {ARRAY("dataset-contributors", false), .least = 1, .items = contributors},
    {ARRAY("dataset-dates", false), .least = 1, .items = dates},
    {ARRAY("dataset-attributes", false), .least = 1, .items = attributes},
    {TEXT("platform", true), .least = 1},
    {TEXT("publisher", true)},
    {ARRAY("publisher-id", true), .items = publisher_ids},
    {TEXT("data-type", true), .is = "dataset"},
    {TEXT("yop", false), .form = FORM_YEAR},
    {ARRAY("performance", true), .least = 1, .items = months},
    {END},
}};
static const struct shape_value datasets[] = {{.type = SHAPE_OBJECT, .of = &dataset}};

static const struct shape report = {.members = (const struct shape_value[]){
    {OBJECT("report-header", true), .of = &header},
    {ARRAY("report-datasets", true), .items = datasets},
    {END},
}};

/* clang-format on */

bool report_check_coprd(const json_t *document, struct error *err)
{
    static const struct shape_value whole = {.type = SHAPE_OBJECT, .of = &report};

    return shape_check(document, &whole, err);
}
