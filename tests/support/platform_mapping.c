#include "support/platform_mapping.h"

#define KEYWORD "{\"type\":\"keyword\"}"
#define TEXT    "{\"type\":\"text\"}"
#define DATE    "{\"type\":\"date\"}"
#define FLAG    "{\"type\":\"boolean\"}"
#define LONG    "{\"type\":\"long\"}"
#define BOTH    "{\"type\":\"text\",\"fields\":{\"keyword\":{\"type\":\"keyword\"}}}"
#define ANY     "{\"type\":\"object\",\"dynamic\":\"true\"}"
#define OF(p)   "{\"type\":\"object\",\"properties\":{" p "}}"

#define META     "\"uuid\":" KEYWORD ",\"created\":" DATE ",\"updated\":" DATE ",\"version_id\":" LONG ",\"id\":" KEYWORD
#define COPY     "\"@v\":" KEYWORD ",\"id\":" KEYWORD
#define TITLED   OF(COPY ",\"title\":" ANY)
#define SCHEMES  OF("\"identifier\":" KEYWORD ",\"scheme\":" KEYWORD)
#define NAMED    OF(COPY ",\"name\":" TEXT ",\"identifiers\":" SCHEMES)
#define PEOPLE   OF("\"affiliations\":" NAMED ",\"role\":" TITLED ",\"person_or_org\":" OF("\"name\":" TEXT))
#define RESOURCE OF(COPY ",\"title\":" ANY ",\"props\":" OF("\"type\":" KEYWORD ",\"subtype\":" KEYWORD))

/* clang-format off */
#define USER OF(COPY ",\"username\":" KEYWORD ",\"email\":" KEYWORD ",\"active\":" FLAG ",\"confirmed\":" FLAG \
    ",\"verified_at\":" DATE ",\"profile\":" OF("\"full_name\":" BOTH ",\"affiliations\":" TEXT) \
    ",\"preferences\":" OF("\"visibility\":" KEYWORD ",\"email_visibility\":" KEYWORD ",\"locale\":" KEYWORD))

#define REQUEST OF(COPY ",\"status\":" KEYWORD ",\"expires_at\":" DATE ",\"is_open\":" FLAG)

#define MEMBER META ",\"indexed_at\":" DATE ",\"community_id\":" KEYWORD ",\"user_id\":" KEYWORD ",\"user\":" USER \
    ",\"group_id\":" KEYWORD ",\"group\":" OF(COPY ",\"name\":" KEYWORD) ",\"request_id\":" KEYWORD \
    ",\"request\":" REQUEST ",\"role\":" KEYWORD ",\"visible\":" FLAG ",\"active\":" FLAG

#define ENTRY META ",\"@v\":" KEYWORD ",\"is_verified\":" FLAG ",\"slug\":" KEYWORD \
    ",\"children\":" OF("\"allow\":" FLAG) ",\"theme\":" OF("\"enabled\":" FLAG ",\"brand\":" KEYWORD) \
    ",\"metadata\":" OF("\"title\":" TEXT ",\"website\":" KEYWORD ",\"type\":" TITLED ",\"organizations\":" NAMED \
    ",\"funding\":" OF("\"funder\":" NAMED))

#define AWARD OF(COPY ",\"title\":" ANY ",\"number\":" BOTH ",\"acronym\":" KEYWORD ",\"program\":" KEYWORD \
    ",\"identifiers\":" SCHEMES)

#define METADATA OF("\"title\":" TEXT ",\"creators\":" PEOPLE ",\"contributors\":" PEOPLE \
    ",\"funding\":" OF("\"funder\":" NAMED ",\"award\":" AWARD) \
    ",\"subjects\":" OF(COPY ",\"subject\":" BOTH ",\"scheme\":" KEYWORD) ",\"languages\":" TITLED \
    ",\"additional_titles\":" OF("\"title\":" TEXT ",\"lang\":" TITLED ",\"type\":" TITLED) \
    ",\"additional_descriptions\":" OF("\"description\":" TEXT ",\"lang\":" TITLED ",\"type\":" TITLED) \
    ",\"rights\":" OF(COPY ",\"title\":" ANY ",\"description\":" ANY ",\"icon\":" KEYWORD \
    ",\"props\":" OF("\"url\":" KEYWORD ",\"scheme\":" KEYWORD)) \
    ",\"resource_type\":" RESOURCE \
    ",\"related_identifiers\":" OF("\"identifier\":" KEYWORD ",\"relation_type\":" TITLED ",\"resource_type\":" TITLED))

/* clang-format on */

static const char strict[] = "{\"aliases\":{\"%s%s\":{},\"%s%s-%s\":{}},\"mappings\":{\"dynamic\":\"strict\","
                             "\"date_detection\":false,\"properties\":{%s}}}";

const char *platform_members_mapping(struct arena *arena, const char *prefix, const char *kind)
{
    static const char alias[] = "communitymembers";

    return arena_printf(arena, strict, prefix, alias, prefix, alias, kind, MEMBER);
}

const char *platform_records_mapping(struct arena *arena, const char *prefix, const char *kind)
{
    static const char alias[] = "rdmrecords";
    static const char parent[] = OF(META ",\"communities\":%s");
    static const char communities[] = OF("\"ids\":" KEYWORD ",\"default\":" KEYWORD ",\"entries\":%s");
    static const char entry[] = OF(ENTRY "%s");
    const char *of_parent = arena_printf(arena, entry, "");
    const char *entries = arena_printf(arena, entry, arena_printf(arena, ",\"parent\":%s", of_parent));
    const char *parents = arena_printf(arena, parent, arena_printf(arena, communities, entries));

    return arena_printf(arena, strict, prefix, alias, prefix, alias, kind,
                        arena_printf(arena, META ",\"metadata\":%s,\"parent\":%s", METADATA, parents));
}

const char platform_subjects_mapping[] =
    "{\"mappings\":{\"dynamic_templates\":[{\"text\":{\"match_mapping_type\":\"string\",\"mapping\":" KEYWORD "}}]}}";
