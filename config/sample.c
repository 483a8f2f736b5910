/* The sample: a file that works as it is, with every other key as a comment that holds its default. */
#include "base/text.h"
#include "config/profile.h"
#include "config/section.h"
#include "config/value.h"

enum { COMMENT_COLUMN = 40 };

static const char introduction[] =
    "; Configuration of crier. What is set here is an example that works; what is commented out is the default.\n"
    "; `crier check` names every mistake, `crier config reference` lists every key, `crier config show` what is in\n"
    "; force. A value may hold ${NAME} from the environment; one too long for its line goes on in the next, "
    "indented.\n";

/* What the example sets. A row without key starts a section. */
static const struct sample_row {
    const char *section, *name; /* "queue", "statistics" */
    const char *key, *value, *comment;
} rows[] = {
#define SECTION(section, name)                                                                                         \
    {                                                                                                                  \
        section, name, NULL, NULL, NULL                                                                                \
    }
#define KEY(key, value, comment)                                                                                       \
    {                                                                                                                  \
        NULL, NULL, key, value, comment                                                                                \
    }
    SECTION("service", NULL),
    SECTION("redis", NULL),
    KEY("url", "redis://127.0.0.1:6379/0",
        "also redis://user:pass@…, unix:///path?db=0, rediss:// where built with TLS"),
    SECTION("opensearch", NULL),
    KEY("url", "http://127.0.0.1:9200", "several, separated by spaces; user, password_file, ca_file"),
    KEY("prefix", "", "before every index name"),
    SECTION("http", NULL),
    KEY("listen", "127.0.0.1:8960", NULL),
    SECTION("audit", NULL),
    KEY("file", "audit.ndjson", "besides the index"),
    SECTION("queue", "statistics"),
    KEY("events", "record-view file-download", NULL),
    SECTION("queue", "changes"),
    KEY("events", "user.* record.*", NULL),
    SECTION("event", "record-view"),
    KEY("prepare", "robots machines visitor", "what is done to data at the door, in order"),
    KEY("unique", "data.recid visitor_id time/10s", NULL),
    SECTION("handler", "views"),
    KEY("type", "statistics", NULL),
    KEY("queue", "statistics", NULL),
    KEY("schedule", "every 5s", NULL),
    KEY("index", "events-stats-{type}-{time:%Y-%m}", NULL),
    SECTION("handler", "members"),
    KEY("type", "denormalize", NULL),
    KEY("queue", "changes", NULL),
    KEY("events", "user.updated", NULL),
    KEY("schedule", "every 2s", NULL),
    KEY("index", "members", "where the copies are"),
    KEY("match", "user.id", "field of the copy that holds the subject's id"),
    KEY("copy", "user.name<-data.full_name user.affiliation<-data.affiliation", NULL),
    KEY("revision", "user.@v", "the copy's revision"),
    SECTION("handler", "trail"),
    KEY("type", "audit", NULL),
    KEY("queue", "changes", NULL),
    KEY("schedule", "every 1s", NULL),
    KEY("action", "{type}", NULL),
    KEY("index", "audit-{time:%Y-%m}", NULL),
    {0},
#undef SECTION
#undef KEY
};

/* The rows of a section end where the next one starts. */
static bool in_section(const struct sample_row *row)
{
    return row->key != NULL;
}

static const char *value_in(const struct sample_row *head, const char *key)
{
    for (const struct sample_row *row = head + 1; in_section(row); row++)
        if (text_same(row->key, key))
            return row->value;
    return NULL;
}

static void add_row(struct buf *out, const struct sample_row *row)
{
    size_t start = out->length;

    buf_printf(out, "%s =%s%s", row->key, row->value[0] ? " " : "", row->value);
    if (row->comment) {
        do
            buf_add_char(out, ' ');
        while (out->length - start < COMMENT_COLUMN);
        buf_printf(out, "; %s", row->comment);
    }
    buf_add_char(out, '\n');
}

/* A key that the example leaves alone: what it is, then the line as it would be written. */
static void add_default(struct buf *out, const struct config_outside *outside, const struct config_key *key)
{
    const struct config_profile *p = profiles_of(outside, key);

    buf_printf(out, "; %s%s", key->help, config_key_required(key) ? " [required]" : "");
    if (key->type == CONFIG_SECRET) {
        buf_printf(out, " [or %s_file = FILE]", key->name);
    } else if (key->type != CONFIG_TEXT) {
        buf_add_text(out, " [");
        config_value_add_allowed(key, false, out);
        buf_add_char(out, ']');
    }
    for (; p && p->name; p++)
        buf_printf(out, "\n;   %s: %s", p->name, p->help);
    buf_printf(out, "\n;%s =", key->name);
    if (!config_key_required(key) && key->fallback[0])
        buf_printf(out, " %s", key->fallback);
    buf_add_char(out, '\n');
}

static void add_defaults(struct buf *out, const struct config_outside *outside, const struct config_key *keys,
                         const struct sample_row *head)
{
    for (const struct config_key *key = keys; key && key->name; key++)
        if (!head || !value_in(head, key->name))
            add_default(out, outside, key);
}

/* Keys that a section before showed as comments are not shown again. */
static bool first_of_its_kind(const struct sample_row *head)
{
    for (const struct sample_row *row = rows; row < head; row++)
        if (row->section && text_same(row->section, head->section))
            return false;
    return true;
}

static const struct config_kind *kind_of(const struct config_outside *outside, const struct sample_row *head)
{
    const char *type = text_same(head->section, "handler") ? value_in(head, "type") : NULL;

    for (const struct config_kind *kind = outside ? outside->kinds : NULL; type && kind && kind->name; kind++)
        if (text_same(kind->name, type))
            return kind;
    return NULL;
}

static void add_section(struct buf *out, const struct config_outside *outside, const struct sample_row *head)
{
    const struct config_section *section = config_section_find(head->section);
    const struct config_kind *kind = kind_of(outside, head);

    buf_printf(out, "\n; %s%s%s\n", kind ? kind->name : "", kind ? ": " : "", kind ? kind->help : section->help);
    buf_printf(out, "[%s%s%s]\n", head->section, head->name ? " " : "", head->name ? head->name : "");
    for (const struct sample_row *row = head + 1; in_section(row); row++)
        add_row(out, row);
    if (kind)
        add_defaults(out, outside, kind->keys, head);
    if (first_of_its_kind(head))
        add_defaults(out, outside, section->keys, head);
}

static bool has_example(const struct config_outside *outside, const struct config_kind *kind)
{
    for (const struct sample_row *row = rows; row->section || row->key; row++)
        if (row->section && kind_of(outside, row) == kind)
            return true;
    return false;
}

/* A type of handler that the example does not use: all of it is a comment. */
static void add_unused(struct buf *out, const struct config_outside *outside, const struct config_kind *kind)
{
    buf_printf(out, "\n; %s: %s\n;[handler NAME]\n;type = %s\n;queue =\n", kind->name, kind->help, kind->name);
    add_defaults(out, outside, kind->keys, NULL);
}

void settings_add_sample(const struct config_outside *outside, struct buf *out)
{
    buf_add_text(out, introduction);
    for (const struct sample_row *row = rows; row->section || row->key; row++)
        if (row->section)
            add_section(out, outside, row);
    for (const struct config_kind *kind = outside ? outside->kinds : NULL; kind && kind->name; kind++)
        if (!has_example(outside, kind))
            add_unused(out, outside, kind);
}
