/* Where the present state of subjects is asked for. */
#include "config/keys.h"

#include "config/settings.h"

/* Lined up, the columns would go beyond the edge of the page. */
/* clang-format off */

#define AT(field) offsetof(struct source_settings, field)
const struct config_key source_keys[] = {
    {"type", CONFIG_CHOICE, AT(type), NULL, 0, 0, "http postgres index", NULL,
     "what is asked: the platform's own interface, its database, or another index"},
    {"url", CONFIG_TEXT, AT(url), "", 0, 0, NULL, NULL,
     "http: of one document, with {id} in it; postgres: postgresql://user@host:port/database; index: of another "
     "cluster, empty: the one of [opensearch]"},
    {"user", CONFIG_TEXT, AT(user), "", 0, 0, NULL, NULL,
     "http, index: for basic authentication; empty: none"},
    {"password", CONFIG_SECRET, AT(password), "", 0, 0, NULL, NULL,
     "of the user"},
    {"token", CONFIG_SECRET, AT(token), "", 0, 0, NULL, NULL,
     "http: bearer token"},
    {"ca_file", CONFIG_TEXT, AT(ca_file), "", 0, 0, NULL, NULL,
     "http, index: certificates to trust (PEM); empty: those of the system"},
    {"connect", CONFIG_TIME, AT(connect_ms), "5s", 100, 60 * SECOND, NULL, NULL,
     "longest wait for a connection"},
    {"timeout", CONFIG_TIME, AT(timeout_ms), "30s", SECOND, HOUR, NULL, NULL,
     "longest wait for a whole reply"},
    {"id", CONFIG_TEXT, AT(id), "", 0, 0, NULL, NULL,
     "path (http, index) or column (postgres) of the id; empty: id, or an index's own _id"},
    {"version", CONFIG_TEXT, AT(version), "", 0, 0, NULL, NULL,
     "likewise of the version, a whole number; empty: revision_id (http), version (postgres), the index's own _version"},
    {"document", CONFIG_TEXT, AT(document), "", 0, 0, NULL, NULL,
     "likewise of the document; empty: all of it (http, index), or column document (postgres; null: it is gone)"},
    {"routing", CONFIG_TEXT, AT(routing), "", 0, 0, NULL, NULL,
     "likewise of the routing; empty: none, or the index's own _routing"},
    {"accept", CONFIG_TEXT, AT(accept), "application/json", 0, 0, NULL, NULL,
     "http: form of the reply that is asked for"},
    {"parallel", CONFIG_COUNT, AT(parallel), "4", 1, 64, NULL, NULL,
     "http: requests for single documents at a time"},
    {"reply", CONFIG_SIZE, AT(reply_bytes), "16MiB", KIB, 64 * MIB, NULL, NULL,
     "http: largest reply"},
    {"cache", CONFIG_SIZE, AT(cache_bytes), "4MiB", 0, 1024 * MIB, NULL, NULL,
     "http: documents kept with their entity tags, so that what did not change is not sent again; 0: none"},
    {"list_url", CONFIG_TEXT, AT(list_url), "", 0, 0, NULL, NULL,
     "http: of a page of all documents; {size}, and {after} (the last one's id, or what next says) or {page} (only for "
     "a list that grows at its end), else the links of next are followed"},
    {"since_url", CONFIG_TEXT, AT(since_url), "", 0, 0, NULL, NULL,
     "http: likewise of those changed at or after {since}"},
    {"items", CONFIG_TEXT, AT(items), "hits.hits", 0, 0, NULL, NULL,
     "http: path of the documents in a page; empty: the page is the array"},
    {"next", CONFIG_TEXT, AT(next), "", 0, 0, NULL, NULL,
     "http: path of the link to the next page, or of what {after} is to be; empty: links.next, or the last id"},
    {"total", CONFIG_TEXT, AT(total), "hits.total", 0, 0, NULL, NULL,
     "http: path of the number of all documents in a page"},
    {"page", CONFIG_COUNT, AT(page), "1000", 1, 10000, NULL, NULL,
     "most documents asked for at a time"},
    {"query", CONFIG_TEXT, AT(query), "", 0, 0, NULL, NULL,
     "postgres: rows of all documents, which crier narrows down itself; or with $1 in it, those whose id is = any($1); "
     "index: a query in JSON, which those documents meet that count; empty: all"},
    {"list_query", CONFIG_TEXT, AT(list_query), "", 0, 0, NULL, NULL,
     "postgres: for a query with $1: rows in the order of ids, after the id $1 (null: from the first), at most $2"},
    {"since_query", CONFIG_TEXT, AT(since_query), "", 0, 0, NULL, NULL,
     "postgres: likewise those changed at or after $3"},
    {"count_query", CONFIG_TEXT, AT(count_query), "", 0, 0, NULL, NULL,
     "postgres: for a query with $1: one row with the number of all"},
    {"index", CONFIG_TEXT, AT(index), "", 0, 0, NULL, NULL,
     "index: its name, or an alias of it"},
    {"order", CONFIG_TEXT, AT(order), "", 0, 0, NULL, NULL,
     "index: field that all documents have, by which they are walked; empty: in the order they were written"},
    {"changed", CONFIG_TEXT, AT(changed), "", 0, 0, NULL, NULL,
     "index, postgres: field or column that says when a document was changed; empty: that cannot be told"},
    CONFIG_END,
};
#undef AT

/* clang-format on */
