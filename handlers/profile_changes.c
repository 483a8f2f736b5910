#include "handlers/profile_changes.h"

/*
 * As InvenioRDM writes its documents: names of indices (aliases, so that a new version of a mapping changes nothing
 * here), the fields in which a document keeps what it copied, `@v` as "uuid::revision". Mappings are strict: what is
 * not named in them must not be copied. A notification carries no content: that is asked for in the index of its own
 * documents, whose `_version` is the revision.
 */
/* clang-format off */

#define QUEUE(name) "[queue " name "]\nevents = {kind}.*\n"

#define SOURCE(name, alias) "[source " name "]\ntype = index\nindex = " alias "\n"

#define RELATION(of, name, queue, alias) \
    "[handler " name "]\n" \
    "type = denormalize\n" \
    "queue = " queue "\n" \
    "schedule = every 1s\n" \
    "index = " alias "\n" \
    "source = " of "\n" \
    "revision = .@v\n" \
    "revision_format = uuid\n"

/* Members and archived requests for membership have one mapping, and the alias is that of both. */
#define MEMBERS(of) \
    QUEUE(of) \
    SOURCE(of, of) \
    RELATION(of, of "-members", of, "communitymembers") \
    "single = yes\n" \
    "indexed_at = indexed_at\n"

/* Records and drafts; they do not say when they were indexed. */
#define RECORDS(of, queue) RELATION(of, of "-records", queue, "rdmrecords")

/* Vocabularies are named by ids of their own, while their indices go by uuids. */
#define VOCABULARY(of) QUEUE(of) SOURCE(of, of) "id = id\n" RECORDS(of, of)

/* One service has the others all, and ids that several of them have. */
#define GENERIC(name, type) SOURCE(name, "vocabularies") "id = id\nquery = {\"term\": {\"type.id\": \"" type "\"}}\n"

/* The address is left out: the platform's index has it only of those who show it. */
const char profile_users[] =
    MEMBERS("users")
    "match = user.id\n"
    "copy = .username<-data.username .profile<-data.profile .preferences<-data.preferences .active<-data.active\n"
    "    .confirmed<-data.confirmed .verified_at<-data.verified_at\n";

const char profile_groups[] =
    MEMBERS("groups")
    "match = group.id\n"
    "copy = .name<-data.name\n";

const char profile_requests[] =
    MEMBERS("requests")
    "match = request.id\n"
    "copy = .status<-data.status .expires_at<-data.expires_at .is_open<-data.is_open\n";

/* What a community copies of its parent is copied along. */
const char profile_communities[] =
    QUEUE("communities")
    SOURCE("communities", "communities")
    RECORDS("communities", "communities")
    "match = parent.communities.entries.id parent.communities.entries.parent.id\n"
    "copy = .slug<-data.slug .theme<-data.theme .is_verified<-data.is_verified .children.allow<-data.children.allow\n"
    "    .metadata.title<-data.metadata.title .metadata.type<-data.metadata.type\n"
    "    .metadata.website<-data.metadata.website .metadata.organizations<-data.metadata.organizations\n"
    "    .metadata.funding<-data.metadata.funding .version_id<-data.version_id .updated<-data.updated\n";

const char profile_affiliations[] =
    VOCABULARY("affiliations")
    "match = metadata.creators.affiliations.id metadata.contributors.affiliations.id\n"
    "copy = .name<-data.name .identifiers<-data.identifiers\n";

const char profile_funders[] =
    VOCABULARY("funders")
    "match = metadata.funding.funder.id\n"
    "copy = .name<-data.name .identifiers<-data.identifiers\n";

const char profile_awards[] =
    VOCABULARY("awards")
    "match = metadata.funding.award.id\n"
    "copy = .title<-data.title .number<-data.number .identifiers<-data.identifiers .acronym<-data.acronym\n"
    "    .program<-data.program\n";

const char profile_subjects[] =
    VOCABULARY("subjects")
    "match = metadata.subjects.id\n"
    "copy = .subject<-data.subject .scheme<-data.scheme\n";

/* Each relation hears of all, and takes its own. */
const char profile_vocabularies[] =
    QUEUE("vocabularies")
    GENERIC("languages", "languages")
    RECORDS("languages", "vocabularies")
    "unknown = ignore\n"
    "match = metadata.languages.id metadata.additional_titles.lang.id metadata.additional_descriptions.lang.id\n"
    "copy = .title<-data.title\n"

    GENERIC("licenses", "licenses")
    RECORDS("licenses", "vocabularies")
    "unknown = ignore\n"
    "match = metadata.rights.id\n"
    "copy = .title<-data.title .description<-data.description .icon<-data.icon .props.url<-data.props.url\n"
    "    .props.scheme<-data.props.scheme\n"

    GENERIC("resource-types", "resourcetypes")
    RECORDS("resource-types", "vocabularies")
    "unknown = ignore\n"
    "match = metadata.resource_type.id metadata.related_identifiers.resource_type.id\n"
    "copy = .title<-data.title metadata.resource_type.props.type<-data.props.type\n"
    "    metadata.resource_type.props.subtype<-data.props.subtype\n";

/* clang-format on */
