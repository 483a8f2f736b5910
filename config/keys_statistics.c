/* What statistics need besides events and handlers: other doors, queries, reports. */
#include "config/keys.h"

#include "config/check.h"
#include "config/settings.h"

/* Lined up, the columns would go beyond the edge of the page. */
/* clang-format off */

#define AT(field) offsetof(struct platform_settings, field)
const struct config_key platform_keys[] = {
    {"url", CONFIG_TEXT, AT(url), "", 0, 0, NULL, check_redis_url,
     "the Redis that is the platform's message broker; empty: its queues are not read"},
    {"password", CONFIG_SECRET, AT(password), "", 0, 0, NULL, NULL,
     "instead of a password in the url"},
    {"queues", CONFIG_TEXT, AT(queues), "stats-record-view=record-view stats-file-download=file-download", 0, 0, NULL, NULL,
     "which queues are read, and which type their events get: QUEUE=TYPE, separated by spaces"},
    {"notifications", CONFIG_TEXT, AT(notifications), "", 0, 0, NULL, NULL,
     "queues that the platform's task send_change_notifications, and no other one, is routed to, separated by spaces; "
     "crier does these calls in place of the platform's workers"},
    {"exchange", CONFIG_TEXT, AT(exchange), "events", 0, 0, NULL, NULL,
     "the exchange the platform publishes to: its bindings are kept, so that nothing published is lost"},
    {"poll", CONFIG_TIME, AT(poll_ms), "1s", 10, HOUR, NULL, NULL,
     "how often an empty queue is looked at"},
    {"batch", CONFIG_COUNT, AT(batch), "1000", 1, 10000, NULL, NULL,
     "most events taken over at a time"},
    CONFIG_END,
};
#undef AT

#define AT(field) offsetof(struct access_log_settings, field)
const struct config_key access_log_keys[] = {
    {"pattern", CONFIG_TEXT, AT(pattern), "combined", 0, 0, NULL, NULL,
     "combined, or a pattern of one's own in which words such as {address} {time} {request} stand for a field"},
    CONFIG_END,
};
#undef AT

#define AT(field) offsetof(struct url_settings, field)
const struct config_key url_keys[] = {
    {"pattern", CONFIG_TEXT, AT(pattern), NULL, 0, 0, NULL, NULL,
     "regular expression (PCRE2) for the path and query of a request; (?<name>...) becomes data.name"},
    {"event", CONFIG_TEXT, AT(event), NULL, 0, 0, NULL, check_event_type,
     "type of the event that such a line is"},
    {"methods", CONFIG_TEXT, AT(methods), "GET", 0, 0, NULL, NULL,
     "methods of requests that are counted, separated by spaces"},
    {"status", CONFIG_TEXT, AT(status), "200 304", 0, 0, NULL, NULL,
     "status codes of replies that are counted, separated by spaces"},
    {"data", CONFIG_TEXT, AT(data), "", 0, 0, NULL, NULL,
     "further fields of data, FIELD=VALUE separated by spaces; {name} is what the pattern or the line has of that name"},
    CONFIG_END,
};
#undef AT

#define AT(field) offsetof(struct query_settings, field)
const struct config_key query_keys[] = {
    {"index", CONFIG_TEXT, AT(index), NULL, 0, 0, NULL, NULL,
     "index or alias of the aggregates it reads"},
    {"kind", CONFIG_CHOICE, AT(kind), "terms", 0, 0, "terms histogram", NULL,
     "one result for all time asked for (terms), or one for each year, quarter, month, week or day (histogram)"},
    {"time_field", CONFIG_TEXT, AT(time_field), "timestamp", 0, 0, NULL, NULL,
     "field of an aggregate that holds its time"},
    {"required", CONFIG_TEXT, AT(required), "", 0, 0, NULL, NULL,
     "parameters a request must give, PARAMETER=FIELD separated by spaces"},
    {"metrics", CONFIG_TEXT, AT(metrics), NULL, 0, 0, NULL, NULL,
     "what is computed, NAME=sum(FIELD) separated by spaces; also avg, min, max, cardinality"},
    {"copy", CONFIG_TEXT, AT(copy), "", 0, 0, NULL, NULL,
     "fields taken over from the latest aggregate, NAME=FIELD separated by spaces"},
    {"group", CONFIG_TEXT, AT(group), "", 0, 0, NULL, NULL,
     "fields by which a terms query is divided into buckets, one within the other"},
    CONFIG_END,
};
#undef AT

#define AT(field) offsetof(struct report_settings, field)
const struct config_key report_keys[] = {
    {"platform", CONFIG_TEXT, AT(platform), "", 0, 0, NULL, NULL,
     "name of the platform"},
    {"created_by", CONFIG_TEXT, AT(created_by), "", 0, 0, NULL, NULL,
     "who makes the reports; empty: the platform"},
    {"institution", CONFIG_TEXT, AT(institution), "The World", 0, 0, NULL, NULL,
     "whose use is reported"},
    {"institution_id", CONFIG_TEXT, AT(institution_id), "0000000000000000", 0, 0, NULL, NULL,
     "its customer id"},
    {"publisher", CONFIG_TEXT, AT(publisher), "", 0, 0, NULL, NULL,
     "publisher of records that name none"},
    {"namespace", CONFIG_TEXT, AT(namespace), "local", 0, 0, NULL, NULL,
     "what the platform's own identifiers begin with: its id in COUNTER's registry"},
    {"registry_record", CONFIG_TEXT, AT(registry_record), "", 0, 0, NULL, NULL,
     "the platform's record in COUNTER's registry; empty: none"},
    {"publisher_id", CONFIG_TEXT, AT(publisher_id), "", 0, 0, NULL, NULL,
     "its identifier, TYPE:VALUE (grid:grid.9132.9)"},
    {"records", CONFIG_TEXT, AT(records), "rdmrecords-records", 0, 0, NULL, NULL,
     "index or alias of the platform's record documents, which tell titles"},
    {"id_field", CONFIG_TEXT, AT(id_field), "id", 0, 0, NULL, NULL,
     "field of a record document that recid of an event names"},
    {"title_field", CONFIG_TEXT, AT(title_field), "metadata.title", 0, 0, NULL, NULL, "where its title stands"},
    {"doi_field", CONFIG_TEXT, AT(doi_field), "pids.doi.identifier", 0, 0, NULL, NULL, "where its DOI stands"},
    {"parent_doi_field", CONFIG_TEXT, AT(parent_doi_field), "parent.pids.doi.identifier", 0, 0, NULL, NULL,
     "where the DOI of all its versions stands"},
    {"version_field", CONFIG_TEXT, AT(version_field), "metadata.version", 0, 0, NULL, NULL,
     "where its version stands"},
    {"authors_field", CONFIG_TEXT, AT(authors_field), "metadata.creators.person_or_org.name", 0, 0, NULL, NULL,
     "where the names of its authors stand, of whom three are reported"},
    {"access_field", CONFIG_TEXT, AT(access_field), "access.files", 0, 0, NULL, NULL,
     "where it stands whether it is open to all (public, open)"},
    {"date_field", CONFIG_TEXT, AT(date_field), "metadata.publication_date", 0, 0, NULL, NULL,
     "where its date of publication stands"},
    {"type_field", CONFIG_TEXT, AT(type_field), "metadata.resource_type.id", 0, 0, NULL, NULL,
     "where its type stands"},
    {"data_types", CONFIG_TEXT, AT(data_types), "", 0, 0, NULL, NULL,
     "TYPE=DATA_TYPE separated by spaces: what COUNTER calls types of records other than InvenioRDM's, or those it is to call otherwise"},
    {"publisher_field", CONFIG_TEXT, AT(publisher_field), "metadata.publisher", 0, 0, NULL, NULL,
     "where its publisher stands"},
    {"views", CONFIG_TEXT, AT(views), "", 0, 0, NULL, NULL,
     "handler of type statistics whose events are investigations"},
    {"downloads", CONFIG_TEXT, AT(downloads), "", 0, 0, NULL, NULL,
     "handler of type statistics whose events are requests"},
    {"hub_url", CONFIG_TEXT, AT(hub_url), "", 0, 0, NULL, check_http_urls,
     "where `crier report --send` delivers"},
    {"hub_token", CONFIG_SECRET, AT(hub_token), "", 0, 0, NULL, NULL,
     "bearer token for it"},
    CONFIG_END,
};
#undef AT

/* clang-format on */
