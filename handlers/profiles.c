#include "handlers/profiles.h"

#include "handlers/profile_changes.h"

/*
 * As InvenioRDM configures invenio-stats: the names of indices and aliases, the fields of documents and their types,
 * and the names of queries are those that its own pages, queries and templates ask for.
 */
static const char record_view[] =
    "[queue stats-record-view]\n"
    "events = {type}\n"

    "[event {type}]\n"
    "prepare = robots machines country visitor via-api record-id timestamp\n"
    "fields = timestamp labels record_id recid parent_id parent_recid referrer via_api is_robot is_machine\n"
    "    country visitor_id unique_session_id unique_id\n"
    "unique = data.unique_id visitor_id\n"
    "id = reference\n"
    "clicks = window 10s\n"
    "rules = reference\n"
    "visitor = reference\n"

    "[handler events-stats-record-view]\n"
    "type = statistics\n"
    "queue = stats-record-view\n"
    "schedule = every 5s\n"
    "index = events-stats-record-view-{time:%Y-%m}\n"
    "alias = events-stats-record-view\n"
    "id_field =\n"
    "updated_field = updated_timestamp\n"
    "fields = labels:keyword country:keyword visitor_id:keyword is_machine:boolean is_robot:boolean\n"
    "    unique_id:keyword unique_session_id:keyword referrer:keyword ip_address:keyword user_agent:keyword\n"
    "    user_id:keyword session_id:keyword record_id:keyword recid:keyword parent_id:keyword\n"
    "    parent_recid:keyword via_api:boolean\n"

    "[handler record-view-agg]\n"
    "type = aggregate\n"
    "queue = stats-record-view\n"
    "schedule = every 10s\n"
    "of = events-stats-record-view\n"
    "field = unique_id\n"
    "interval = day\n"
    "index = stats-record-view-{time:%Y-%m}\n"
    "alias = stats-record-view\n"
    "updated_field = updated_timestamp\n"
    "metrics = unique_count=cardinality(unique_session_id,1000)\n"
    "copy = recid parent_recid via_api\n"
    "where = via_api=false is_robot!=true\n"
    "record = recid\n"
    "parent = parent_recid\n"
    "fields = count:integer unique_count:integer record_id:keyword recid:keyword parent_id:keyword\n"
    "    parent_recid:keyword unique_id:keyword via_api:boolean\n"
    "bookmarks = reference\n"

    "[handler record-stats]\n"
    "type = record-stats\n"
    "queue = stats-record-view\n"
    "schedule = every 10s\n"
    "views = record-view-agg\n"

    "[query record-view]\n"
    "index = stats-record-view\n"
    "required = recid\n"
    "metrics = views=sum(count) unique_views=sum(unique_count)\n"
    "copy = recid parent_recid\n"

    "[query record-view-all-versions]\n"
    "index = stats-record-view\n"
    "required = parent_recid\n"
    "metrics = views=sum(count) unique_views=sum(unique_count)\n"
    "copy = parent_recid\n"

    "[report]\n"
    "views = events-stats-record-view\n";

static const char file_download[] =
    "[queue stats-file-download]\n"
    "events = {type}\n"

    "[event {type}]\n"
    "prepare = previews robots machines country visitor via-api file-id timestamp\n"
    "fields = timestamp bucket_id file_id file_key size record_id recid parent_id parent_recid referrer via_api\n"
    "    is_robot is_machine country visitor_id unique_session_id unique_id\n"
    "unique = data.unique_id visitor_id\n"
    "id = reference\n"
    "clicks = window 10s\n"
    "rules = reference\n"
    "visitor = reference\n"

    "[handler events-stats-file-download]\n"
    "type = statistics\n"
    "queue = stats-file-download\n"
    "schedule = every 5s\n"
    "index = events-stats-file-download-{time:%Y-%m}\n"
    "alias = events-stats-file-download\n"
    "id_field =\n"
    "updated_field = updated_timestamp\n"
    "fields = bucket_id:keyword file_id:keyword file_key:keyword unique_id:keyword country:keyword\n"
    "    visitor_id:keyword is_machine:boolean is_robot:boolean unique_session_id:keyword size:double\n"
    "    referrer:keyword ip_address:keyword user_agent:keyword user_id:keyword session_id:keyword\n"
    "    record_id:keyword recid:keyword parent_id:keyword parent_recid:keyword via_api:boolean\n"

    "[handler file-download-agg]\n"
    "type = aggregate\n"
    "queue = stats-file-download\n"
    "schedule = every 10s\n"
    "of = events-stats-file-download\n"
    "field = unique_id\n"
    "interval = day\n"
    "index = stats-file-download-{time:%Y-%m}\n"
    "alias = stats-file-download\n"
    "updated_field = updated_timestamp\n"
    "metrics = unique_count=cardinality(unique_session_id,1000) volume=sum(size)\n"
    "copy = file_id file_key bucket_id recid parent_recid\n"
    "where = is_robot=false\n"
    "record = recid\n"
    "parent = parent_recid\n"
    "fields = count:integer unique_count:integer file_id:keyword file_key:keyword bucket_id:keyword\n"
    "    volume:double unique_id:keyword record_id:keyword recid:keyword parent_id:keyword\n"
    "    parent_recid:keyword via_api:boolean\n"
    "bookmarks = reference\n"

    "[handler record-stats]\n"
    "type = record-stats\n"
    "queue = stats-file-download\n"
    "schedule = every 10s\n"
    "downloads = file-download-agg\n"

    "[query record-download]\n"
    "index = stats-file-download\n"
    "required = recid\n"
    "metrics = downloads=sum(count) unique_downloads=sum(unique_count) data_volume=sum(volume)\n"
    "copy = recid parent_recid\n"

    "[query record-download-all-versions]\n"
    "index = stats-file-download\n"
    "required = parent_recid\n"
    "metrics = downloads=sum(count) unique_downloads=sum(unique_count) data_volume=sum(volume)\n"
    "copy = parent_recid\n"

    "[report]\n"
    "downloads = events-stats-file-download\n";

/* Lined up, the columns would go beyond the edge of the page. */
/* clang-format off */
const struct config_profile handler_profiles[] = {
    {"invenio-record-view", "views of records, from the click to the record's counters, as InvenioRDM has them",
     record_view},
    {"invenio-file-download", "downloads of files, likewise", file_download},
    {"invenio-users", "users, copied into members and archived invitations; content from the platform's index users",
     profile_users},
    {"invenio-groups", "groups, likewise into members", profile_groups},
    {"invenio-requests", "requests, likewise into members", profile_requests},
    {"invenio-communities", "communities, likewise into records and drafts", profile_communities},
    {"invenio-affiliations", "affiliations, likewise into creators and contributors of records and drafts",
     profile_affiliations},
    {"invenio-funders", "funders, likewise into records and drafts", profile_funders},
    {"invenio-awards", "awards, likewise", profile_awards},
    {"invenio-subjects", "subjects, likewise", profile_subjects},
    {"invenio-vocabularies", "languages, licences and types of resources, likewise", profile_vocabularies},
    {0},
};
/* clang-format on */
