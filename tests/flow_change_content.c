/* What is written into copies, for each shipped relation: line 5 of the reference's checklist, and content from
 * indices. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/http.h"
#include "handlers/relation/relation.h"
#include "support/change_stage.h"
#include "support/platform_mapping.h"
#include "support/search_index.h"

/* The content of these tests comes with the events. */
#define PAYLOAD(handler) "[handler " handler "]\nsource = payload\nschedule = at once\n"
#define USERS            "[event users.updated]\nprofile = invenio-users\n" PAYLOAD("users-members")

static int teardown(void **state)
{
    change_stage_close(*state);
    return 0;
}

#define SETUP(name, ini)                                                                                               \
    static int name(void **state)                                                                                      \
    {                                                                                                                  \
        *state = change_stage_open(ini);                                                                               \
        return 0;                                                                                                      \
    }

/* ------------------------------------------------------------------------------------------------------------- 5 */

/* clang-format off */
#define PROFILE(type, name) "[event " type ".updated]\nprofile = invenio-" name "\n"

static const char all[] =
    PROFILE("users", "users") PROFILE("groups", "groups") PROFILE("requests", "requests")
    PROFILE("communities", "communities") PROFILE("affiliations", "affiliations") PROFILE("funders", "funders")
    PROFILE("awards", "awards") PROFILE("subjects", "subjects") PROFILE("vocabularies", "vocabularies")
    PAYLOAD("users-members") PAYLOAD("groups-members") PAYLOAD("requests-members") PAYLOAD("communities-records")
    PAYLOAD("affiliations-records") PAYLOAD("funders-records") PAYLOAD("awards-records") PAYLOAD("subjects-records")
    PAYLOAD("languages-records") PAYLOAD("licenses-records") PAYLOAD("resource-types-records")
    "[handler nested]\ntype = denormalize\nqueue = subjects\nindex = nested\nmatch = deep.list.id\n"
    "copy = .subject<-data.subject\nrevision = .@v\nrevision_format = uuid\n";
/* clang-format on */

SETUP(setup_all, all)

#define INDEXED "\"indexed_at\":\"2026-11-20T10:00:00\","

struct spread_case {
    const char *handler, *type, *id;
    const char *data;                  /* what the subject is now, at revision 5 of uuid "u" */
    const char *index, *before, *path; /* the document, and where its copy is */
    const char *after;                 /* what is there then */
};

static const char *case_id(struct change_stage *st, const struct spread_case *c)
{
    return arena_printf(st->scene->arena, "d-%s", c->handler);
}

static void compare(struct change_stage *st, const struct spread_case *c)
{
    const char *now = document_at(st, c->index, case_id(st, c), c->path);

    if (strcmp(now, c->after) != 0)
        fail_msg("%s: %s\nnot %s", c->handler, now, c->after);
    assert_string_equal(document_at(st, c->index, case_id(st, c), "_version"), "4");
}

/* clang-format off */
static const struct spread_case cases[] = {
    {"users-members", "users.updated", "1",
     "{\"username\":\"ada\",\"profile\":{\"full_name\":\"Ada L\"},\"preferences\":{\"visibility\":\"public\"},"
     "\"active\":true,\"confirmed\":true,\"verified_at\":null,\"domain\":\"example.org\"}",
     "archived",
     "{" INDEXED "\"user\":{\"id\":\"1\",\"@v\":\"u::4\",\"username\":\"old\",\"email\":\"a@example.org\",\"profile\":"
     "{\"full_name\":\"Old\",\"affiliations\":\"X\"}},\"role\":\"reader\"}",
     "_source",
     "{" INDEXED "\"user\":{\"id\":\"1\",\"@v\":\"u::5\",\"username\":\"ada\",\"email\":\"a@example.org\",\"profile\":"
     "{\"full_name\":\"Ada L\"},\"preferences\":{\"visibility\":\"public\"},\"active\":true,\"confirmed\":true,"
     "\"verified_at\":null},\"role\":\"reader\"}"},
    {"groups-members", "groups.updated", "curators", "{\"name\":\"Curators\",\"description\":\"x\"}", "members",
     "{" INDEXED "\"group\":{\"id\":\"curators\",\"name\":\"old\",\"@v\":\"u::1\"},\"user\":{\"id\":\"curators\"}}", "_source",
     "{" INDEXED "\"group\":{\"id\":\"curators\",\"name\":\"Curators\",\"@v\":\"u::5\"},\"user\":{\"id\":\"curators\"}}"},
    {"requests-members", "requests.updated", "r-1",
     "{\"status\":\"accepted\",\"is_open\":false,\"expires_at\":null,\"type\":\"community-invitation\"}", "members",
     "{" INDEXED "\"request\":{\"id\":\"r-1\",\"@v\":\"u::1\",\"status\":\"submitted\",\"is_open\":true}}", "_source.request",
     "{\"id\":\"r-1\",\"@v\":\"u::5\",\"status\":\"accepted\",\"is_open\":false,\"expires_at\":null}"},
    {"communities-records", "communities.updated", "c-1",
     "{\"slug\":\"new\",\"version_id\":6,\"metadata\":{\"title\":\"New\",\"description\":\"not copied\"},"
     "\"access\":{\"visibility\":\"public\"}}",
     "drafts",
     "{\"parent\":{\"communities\":{\"ids\":[\"c-0\",\"c-1\"],\"entries\":[{\"id\":\"c-0\",\"slug\":\"zero\",\"parent\":"
     "{\"id\":\"c-1\",\"slug\":\"old\"}},{\"id\":\"c-1\",\"slug\":\"old\",\"version_id\":2,\"metadata\":{\"title\":"
     "\"Old\",\"website\":\"w\"}}]}}}",
     "_source.parent.communities.entries",
     "[{\"id\":\"c-0\",\"slug\":\"zero\",\"parent\":{\"id\":\"c-1\",\"slug\":\"new\",\"metadata\":{\"title\":\"New\"},"
     "\"version_id\":6,\"@v\":\"u::5\"}},{\"id\":\"c-1\",\"slug\":\"new\",\"version_id\":6,\"metadata\":{\"title\":"
     "\"New\",\"website\":\"w\"},\"@v\":\"u::5\"}]"},
    {"affiliations-records", "affiliations.updated", "01ggx4157",
     "{\"name\":\"CERN\",\"identifiers\":[{\"identifier\":\"01ggx4157\",\"scheme\":\"ror\"}],\"title\":{\"en\":\"x\"}}",
     "records",
     "{\"metadata\":{\"creators\":[{\"affiliations\":[{\"id\":\"01ggx4157\",\"name\":\"Cern\",\"@v\":\"u::1\"},{\"id\":"
     "\"other\",\"name\":\"Other\"},{\"name\":\"free text\"}]},{\"person_or_org\":{\"name\":\"B\"}}],\"contributors\":"
     "[{\"affiliations\":[{\"id\":\"01ggx4157\",\"name\":\"Cern\",\"@v\":\"u::5\"}]}]}}",
     "_source.metadata",
     "{\"creators\":[{\"affiliations\":[{\"id\":\"01ggx4157\",\"name\":\"CERN\",\"@v\":\"u::5\",\"identifiers\":"
     "[{\"identifier\":\"01ggx4157\",\"scheme\":\"ror\"}]},{\"id\":\"other\",\"name\":\"Other\"},{\"name\":"
     "\"free text\"}]},{\"person_or_org\":{\"name\":\"B\"}}],\"contributors\":[{\"affiliations\":[{\"id\":"
     "\"01ggx4157\",\"name\":\"Cern\",\"@v\":\"u::5\"}]}]}"},
    {"funders-records", "funders.updated", "00k4n6c32", "{\"name\":\"European Commission\"}", "records",
     "{\"metadata\":{\"funding\":[{\"funder\":{\"id\":\"00k4n6c32\",\"name\":\"EC\",\"@v\":\"u::1\"},\"award\":{\"id\":"
     "\"a\"}},{\"funder\":{\"id\":\"x\"}}]}}",
     "_source.metadata.funding",
     "[{\"funder\":{\"id\":\"00k4n6c32\",\"name\":\"European Commission\",\"@v\":\"u::5\"},\"award\":{\"id\":\"a\"}},"
     "{\"funder\":{\"id\":\"x\"}}]"},
    {"awards-records", "awards.updated", "00k4n6c32::101122956",
     "{\"title\":{\"en\":\"Wide\"},\"number\":\"101122956\",\"acronym\":\"W\"}", "records",
     "{\"metadata\":{\"funding\":[{\"award\":{\"id\":\"00k4n6c32::101122956\",\"number\":\"1\"}}]}}",
     "_source.metadata.funding",
     "[{\"award\":{\"id\":\"00k4n6c32::101122956\",\"number\":\"101122956\",\"title\":{\"en\":\"Wide\"},\"acronym\":"
     "\"W\",\"@v\":\"u::5\"}}]"},
    {"subjects-records", "subjects.updated", "https://id.example.org/D000007",
     "{\"subject\":\"Injuries\",\"scheme\":\"MeSH\"}", "records",
     "{\"metadata\":{\"subjects\":[{\"subject\":\"free\"},{\"id\":\"https://id.example.org/D000007\",\"subject\":"
     "\"Abdominal\",\"scheme\":\"MeSH\",\"@v\":\"u::4\"}]}}",
     "_source.metadata.subjects",
     "[{\"subject\":\"free\"},{\"id\":\"https://id.example.org/D000007\",\"subject\":\"Injuries\",\"scheme\":\"MeSH\","
     "\"@v\":\"u::5\"}]"},
    {"languages-records", "vocabularies.updated", "eng", "{\"title\":{\"en\":\"English\",\"da\":\"Engelsk\"}}",
     "records",
     "{\"metadata\":{\"languages\":[{\"id\":\"eng\",\"title\":{\"en\":\"Eng\"}},{\"id\":\"dan\"}],\"additional_titles\":"
     "[{\"title\":\"T\",\"lang\":{\"id\":\"eng\"},\"type\":{\"id\":\"eng\"}}]}}",
     "_source.metadata",
     "{\"languages\":[{\"id\":\"eng\",\"title\":{\"en\":\"English\",\"da\":\"Engelsk\"},\"@v\":\"u::5\"},{\"id\":"
     "\"dan\"}],\"additional_titles\":[{\"title\":\"T\",\"lang\":{\"id\":\"eng\",\"title\":{\"en\":\"English\",\"da\":"
     "\"Engelsk\"},\"@v\":\"u::5\"},\"type\":{\"id\":\"eng\"}}]}"},
    {"licenses-records", "vocabularies.updated", "cc-by-4.0",
     "{\"title\":{\"en\":\"CC BY\"},\"props\":{\"url\":\"https://l.example.org\",\"osi\":\"no\"}}", "records",
     "{\"metadata\":{\"rights\":[{\"id\":\"cc-by-4.0\",\"title\":{\"en\":\"old\"},\"icon\":\"i\"},{\"title\":"
     "{\"en\":\"own\"}}]}}",
     "_source.metadata.rights",
     "[{\"id\":\"cc-by-4.0\",\"title\":{\"en\":\"CC BY\"},\"icon\":\"i\",\"props\":{\"url\":\"https://l.example.org\"},"
     "\"@v\":\"u::5\"},{\"title\":{\"en\":\"own\"}}]"},
    {"resource-types-records", "vocabularies.updated", "publication-article",
     "{\"title\":{\"en\":\"Article\"},\"props\":{\"type\":\"publication\",\"subtype\":\"article\",\"csl\":\"x\"}}",
     "records",
     "{\"metadata\":{\"resource_type\":{\"id\":\"publication-article\"},\"related_identifiers\":[{\"identifier\":\"i\","
     "\"resource_type\":{\"id\":\"publication-article\",\"@v\":\"u::1\"}}]}}",
     "_source.metadata",
     "{\"resource_type\":{\"id\":\"publication-article\",\"title\":{\"en\":\"Article\"},\"props\":{\"type\":"
     "\"publication\",\"subtype\":\"article\"},\"@v\":\"u::5\"},\"related_identifiers\":[{\"identifier\":\"i\","
     "\"resource_type\":{\"id\":\"publication-article\",\"@v\":\"u::5\",\"title\":{\"en\":\"Article\"}}}]}"},
    {"nested", "subjects.updated", "n-1", "{\"subject\":\"New\"}", "nested",
     "{\"deep\":[{\"list\":[{\"id\":\"n-1\",\"subject\":\"old\",\"@v\":\"u::2\"},{\"id\":\"n-2\"}]}]}", "_source",
     "{\"deep\":[{\"list\":[{\"id\":\"n-1\",\"subject\":\"New\",\"@v\":\"u::5\"},{\"id\":\"n-2\"}]}]}"},
};
/* clang-format on */

static void line_05_objects_arrays_arrays_in_arrays_and_nested_paths_are_reached(void **state)
{
    struct change_stage *st = *state;

    change_stage_add_records(st);
    json_decref(index_ask(&st->platform, "PUT",
                          arena_printf(st->scene->arena, "/%snested", st->platform.opensearch.prefix),
                          "{\"mappings\":{\"properties\":{\"deep\":{\"type\":\"nested\",\"properties\":{\"list\":{"
                          "\"type\":\"nested\",\"properties\":{\"id\":{\"type\":\"keyword\"},\"@v\":{\"type\":"
                          "\"keyword\"}}}}}}}}"));
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        assert_int_equal(platform_put(st, cases[i].index, case_id(st, &cases[i]), 4, cases[i].before), 201);
        change_tell(st, cases[i].type, cases[i].id, "u", 5, cases[i].data);
    }
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++)
        change_work(st, cases[i].handler);
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++)
        compare(st, &cases[i]);
}

/* Mappings are strict: a field that a relation copies and that they lack would be refused with its document. */
static void every_field_of_the_shipped_relations_is_in_the_platforms_mappings(void **state)
{
    static const char *const indices[] = {"users",   "groups", "requests", "communities", "affiliations",
                                          "funders", "awards", "subjects", "vocabularies"};
    struct change_stage *st = *state;
    char *out;

    change_stage_add_records(st);
    for (size_t i = 0; i < ARRAY_LENGTH(indices); i++)
        platform_put(st, indices[i], "x", 1, "{\"id\":\"x\"}");
    json_decref(
        index_ask(&st->platform, "PUT", arena_printf(st->scene->arena, "/%snested", st->platform.opensearch.prefix),
                  "{\"mappings\":{\"properties\":{\"deep\":{\"properties\":{\"list\":{\"properties\":{\"id\":{"
                  "\"type\":\"keyword\"},\"@v\":{\"type\":\"keyword\"},\"subject\":{\"type\":\"keyword\"}}}}}}}}"));
    if (crier_run(&out, (const char *const[]){"check", "--online", "--config", st->scene->config_path, NULL}) != 0) {
        puts(out);
        fail();
    }
    free(out);
}

/* ------------------------------------------------------------------------------------------- content from indices */

/* clang-format off */
static const char light[] = PROFILE("users", "users") PROFILE("affiliations", "affiliations")
    PROFILE("vocabularies", "vocabularies");
/* clang-format on */

SETUP(setup_light, light)

/* Ids that vocabularies share, each with another uuid. */
static void notifications_take_the_content_from_the_platforms_own_indices(void **state)
{
    static const char *const subjects[][4] = {
        {"users",        "1",     "7", "{\"id\":1,\"uuid\":\"1\",\"username\":\"ada\",\"active\":true}"         },
        {"affiliations", "u-aff", "4", "{\"id\":\"cern\",\"uuid\":\"u-aff\",\"name\":\"CERN\"}"                 },
        {"vocabularies", "u-lng", "3",
         "{\"id\":\"mit\",\"uuid\":\"u-lng\",\"type\":{\"id\":\"languages\"},\"title\":{\"en\":\"Mixtec\"}}"    },
        {"vocabularies", "u-lic", "2",
         "{\"id\":\"mit\",\"uuid\":\"u-lic\",\"type\":{\"id\":\"licenses\"},\"title\":{\"en\":\"MIT License\"}}"},
    };
    struct change_stage *st = *state;

    change_stage_add_records(st);
    json_decref(index_ask(&st->platform, "PUT",
                          arena_printf(st->scene->arena, "/%svocabularies", st->platform.opensearch.prefix),
                          platform_subjects_mapping));
    json_decref(index_ask(&st->platform, "PUT",
                          arena_printf(st->scene->arena, "/%saffiliations", st->platform.opensearch.prefix),
                          platform_subjects_mapping));
    for (size_t i = 0; i < ARRAY_LENGTH(subjects); i++)
        platform_put(st, subjects[i][0], subjects[i][1], atoi(subjects[i][2]), subjects[i][3]);
    members_put(st, 2, 2);
    platform_put(st, "records", "r", 9,
                 "{\"metadata\":{\"creators\":[{\"affiliations\":[{\"id\":\"cern\",\"@v\":\"u-aff::1\"}]}],"
                 "\"languages\":[{\"id\":\"mit\",\"@v\":\"u-lng::1\"}],\"rights\":[{\"id\":\"mit\",\"@v\":"
                 "\"u-lic::1\"}]}}");
    change_notify(st, "[\"users\",[[1,\"1\",6]]]");
    change_notify(st, "[\"affiliations\",[[\"cern\",\"u-aff\",4]]]");
    change_notify(st, "[\"vocabularies\",[[\"mit\",\"u-lng\",3]]]");
    change_work(st, "users-members");
    change_work(st, "affiliations-records");
    change_work(st, "languages-records");
    change_work(st, "licenses-records");
    change_work(st, "resource-types-records");
    assert_string_equal(document_at(st, "members", "m1", "_source.user"),
                        "{\"id\":\"1\",\"@v\":\"1::7\",\"username\":\"ada\",\"email\":\"u1@example.org\",\"active\":"
                        "true}");
    assert_string_equal(document_at(st, "records", "r", "_source.metadata"),
                        "{\"creators\":[{\"affiliations\":[{\"id\":\"cern\",\"@v\":\"u-aff::4\",\"name\":\"CERN\"}]}],"
                        "\"languages\":[{\"id\":\"mit\",\"@v\":\"u-lng::3\",\"title\":{\"en\":\"Mixtec\"}}],"
                        "\"rights\":[{\"id\":\"mit\",\"@v\":\"u-lic::1\"}]}");
    assert_string_equal(document_at(st, "records", "r", "_version"), "9");
    change_notify(st, "[\"vocabularies\",[[\"mit\",\"u-lic\",2]]]");
    change_work(st, "licenses-records");
    change_work(st, "languages-records");
    assert_string_equal(document_at(st, "records", "r", "_source.metadata.rights"),
                        "[{\"id\":\"mit\",\"@v\":\"u-lic::2\",\"title\":{\"en\":\"MIT License\"}}]");
    assert_string_equal(document_at(st, "records", "r", "_source.metadata.languages"),
                        "[{\"id\":\"mit\",\"@v\":\"u-lng::3\",\"title\":{\"en\":\"Mixtec\"}}]");
    assert_int_equal(change_open_events(st, "vocabularies", "licenses-records"), 0);
    assert_int_equal(change_open_events(st, "vocabularies", "languages-records"), 0);
    assert_int_equal(change_dead(st, "vocabularies"), 0);
}

int main(void)
{
#define LINE(test, setup) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        LINE(line_05_objects_arrays_arrays_in_arrays_and_nested_paths_are_reached, setup_all),
        LINE(every_field_of_the_shipped_relations_is_in_the_platforms_mappings, setup_all),
        LINE(notifications_take_the_content_from_the_platforms_own_indices, setup_light),
    };

    http_global_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
