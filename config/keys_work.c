/* What travels, and what is done about it. */
#include "config/keys.h"

#include "config/check.h"
#include "config/settings.h"

/* Lined up, the columns would go beyond the edge of the page. */
/* clang-format off */

#define AT(field) offsetof(struct queue_settings, field)
const struct config_key queue_keys[] = {
    {"events", CONFIG_TEXT, AT(events), NULL, 0, 0, NULL, NULL,
     "types it takes: patterns separated by spaces; * stands for one part, ** for any number of parts"},
    {"window", CONFIG_TIME, AT(window_ms), "24h", SECOND, 366 * DAY, NULL, NULL,
     "how long an event's unique id is remembered, so that the event is taken once"},
    {"retain", CONFIG_TIME, AT(retain_ms), "1h", 0, 366 * DAY, NULL, NULL,
     "how long an event stays in the stream once every handler is done with it"},
    CONFIG_END,
};
#undef AT

#define AT(field) offsetof(struct event_settings, field)
const struct config_key event_keys[] = {
    {"profile", CONFIG_TEXT, AT(profile), "", 0, 0, NULL, NULL,
     "a ready-made configuration of this event and all that follows; keys given in the file take precedence"},
    {"prepare", CONFIG_TEXT, AT(prepare), "", 0, 0, NULL, NULL,
     "what is done to data at the door, in order: ignore previews robots machines via-api country visitor record-id "
     "file-id timestamp"},
    {"fields", CONFIG_TEXT, AT(fields), "", 0, 0, NULL, NULL,
     "members of data that are kept, the others are dropped; empty: all"},
    {"unique", CONFIG_TEXT, AT(unique), "", 0, 0, NULL, NULL,
     "fields that make events the same one: data.PATH, attributes, time/SPAN; empty: source and id"},
    {"id", CONFIG_CHOICE, AT(id), "digest", 0, 0, "digest reference", NULL,
     "how the unique id is written: as a digest, or as invenio-stats does (start of the window and SHA-1)"},
    {"clicks", CONFIG_TEXT, AT(clicks), "", 0, 0, NULL, NULL,
     "of clicks of one visitor on one thing, which count: window SPAN (one of a fixed window), cop51 (those that no "
     "other follows within 30 s); empty: as unique says"},
    {"lateness", CONFIG_TIME, AT(lateness_ms), "10m", SECOND, DAY, NULL, NULL,
     "how much later than its neighbours a click may come and still be told to follow one (clicks = cop51)"},
    {"rules", CONFIG_CHOICE, AT(rules), "cop51", 0, 0, "cop51 coprd reference", NULL,
     "whose rules say what is a robot: COUNTER 5.1, COUNTER for research data (machines first), or invenio-stats "
     "(with regard to case)"},
    {"robots", CONFIG_CHOICE, AT(robots), "drop", 0, 0, "drop flag", NULL,
     "what becomes of events of robots: left out at the door, or taken with is_robot = true"},
    {"machines", CONFIG_CHOICE, AT(machines), "flag", 0, 0, "drop flag", NULL,
     "what becomes of events of machines: likewise, with is_machine = true"},
    {"robots_file", CONFIG_TEXT, AT(robots_file), "", 0, 0, NULL, NULL,
     "patterns of user agents that are robots; empty: the list that ships with crier"},
    {"robots_except_file", CONFIG_TEXT, AT(robots_except_file), "", 0, 0, NULL, NULL,
     "patterns of user agents that are none all the same (cop51, coprd); empty: the list that ships with crier"},
    {"machines_file", CONFIG_TEXT, AT(machines_file), "", 0, 0, NULL, NULL,
     "patterns of user agents that are machines; empty: the list that ships with crier"},
    {"country_file", CONFIG_TEXT, AT(country_file), "", 0, 0, NULL, NULL,
     "MaxMind database (mmdb) that tells the country of an address; empty: none is told"},
    {"ignore_agents_file", CONFIG_TEXT, AT(ignore_agents_file), "", 0, 0, NULL, NULL,
     "patterns of user agents that are never counted, such as one's own monitors; empty: none"},
    {"ignore_networks", CONFIG_TEXT, AT(ignore_networks), "", 0, 0, NULL, NULL,
     "addresses and networks (10.0.0.0/8 2001:db8::/32) that are never counted"},
    {"visitor", CONFIG_CHOICE, AT(visitor), "keyed", 0, 0, "keyed reference", NULL,
     "how visitor and session ids are made: HMAC-SHA-256 cut to 128 bits, or SHA-224 as invenio-stats does"},
    {"agent_class", CONFIG_FLAG, AT(agent_class), "no", 0, 0, NULL, NULL,
     "keep the names of products in the user agent, without versions, for `crier statistics reclassify`"},
    CONFIG_END,
};
#undef AT

#define AT(field) offsetof(struct handler_settings, field)
const struct config_key handler_keys[] = {
    {"type", CONFIG_TEXT, AT(type), NULL, 0, 0, NULL, NULL,
     "what it does; its keys are listed with its type"},
    {"queue", CONFIG_TEXT, AT(queue), NULL, 0, 0, NULL, NULL,
     "the queue it reads"},
    {"events", CONFIG_TEXT, AT(events), "", 0, 0, NULL, NULL,
     "types it takes out of its queue: patterns separated by spaces; empty: all of them"},
    {"schedule", CONFIG_TEXT, AT(schedule), "every 5s", 0, 0, NULL, NULL,
     "when it runs: every 10s (at most so often), cron 0 3 * * * [ZONE], or at once; of denormalize: every 500ms"},
    {"batch", CONFIG_COUNT, AT(batch), "1000", 1, 10000, NULL, NULL,
     "most events in one pass"},
    {"parallel", CONFIG_COUNT, AT(parallel), "2", 1, 16, NULL, NULL,
     "lanes in one process, each with its own links"},
    {"deadline", CONFIG_TIME, AT(deadline_ms), "60s", SECOND, HOUR, NULL, NULL,
     "longest time for one pass"},
    {"tries", CONFIG_COUNT, AT(tries), "10", 1, 1000, NULL, NULL,
     "tries before an event is a dead letter; an outage costs none"},
    {"jitter", CONFIG_TIME, AT(jitter_ms), "0s", 0, HOUR, NULL, NULL,
     "each run is late by up to so much, at random"},
    {"catch-up", CONFIG_CHOICE, AT(catch_up), "none", 0, 0, "none one", NULL,
     "runs that were missed while no crier served: none of them, or one for all"},
    CONFIG_END,
};
#undef AT

/* clang-format on */
