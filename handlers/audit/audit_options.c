#include "handlers/audit/audit_options.h"

#include <stddef.h>
#include <string.h>

#include "base/text.h"
#include "handlers/audit/audit_pairs.h"
#include "notifier/template.h"

static bool check_words(const char *text, const char *const known[], struct error *err)
{
    const char *word;
    size_t length;

    while (text_word(&text, &word, &length)) {
        size_t i = 0;

        while (known[i] && (strlen(known[i]) != length || memcmp(known[i], word, length) != 0))
            i++;
        if (!known[i])
            return error_set(err, ERROR_CONFIG, "\"%.*s\" is none of ip user_agent session", (int)length, word);
    }
    return true;
}

static bool check_request(const char *text, struct error *err)
{
    static const char *const known[] = {"ip", "user_agent", "session", NULL};

    return check_words(text, known, err);
}

/* Every one begins in data, and no part is empty. */
static bool check_paths(const char *text, struct error *err)
{
    const char *word;
    size_t length;

    while (text_word(&text, &word, &length))
        if (length <= 5 || memcmp(word, "data.", 5) != 0 || word[length - 1] == '.' || memmem(word, length, "..", 2))
            return error_set(err, ERROR_CONFIG, "\"%.*s\" is no path such as data.before.email", (int)length, word);
    return true;
}

static bool check_path(const char *text, struct error *err)
{
    return check_paths(text, err) &&
           (!strpbrk(text, " \t\n*") || error_set(err, ERROR_CONFIG, "one path is wanted: data.actor_name"));
}

static bool check_actions(const char *text, struct error *err)
{
    struct audit_pairs pairs = {0};
    bool ok = audit_pairs_read(&pairs, text, err);

    audit_pairs_release(&pairs);
    return ok;
}

/* Lined up, the columns would go beyond the edge of the page. */
/* clang-format off */
#define AT(field) offsetof(struct audit_options, field)
const struct config_key audit_option_keys[] = {
    {"action", CONFIG_TEXT, AT(action), "{type}", 0, 0, NULL, template_check,
     "what was done, as an entry says it; placeholders such as {type}"},
    {"actions", CONFIG_TEXT, AT(actions), "", 0, 0, NULL, check_actions,
     "other words for some types of events: PATTERN=ACTION ..., the first that fits; action is for the others"},
    {"index", CONFIG_TEXT, AT(index), "audit-{time:%Y-%m}", 0, 0, NULL, template_check_index,
     "index of an event's entry; empty: the file only"},
    {"form", CONFIG_CHOICE, AT(form), "crier", 0, 0, "crier invenio", NULL,
     "of what is in the index: invenio is the platform's own audit log, where index is its data stream"},
    {"actor_name", CONFIG_TEXT, AT(actor_name), "data.actor_name", 0, 0, NULL, check_path,
     "where an event says the actor's name"},
    {"on_behalf_of", CONFIG_TEXT, AT(on_behalf_of), "data.on_behalf_of", 0, 0, NULL, check_path,
     "where an event says for whom it was done, KIND/ID"},
    {"request", CONFIG_TEXT, AT(request), "", 0, 0, NULL, check_request,
     "what is kept of data.ip_address, user_agent and session_id: ip user_agent session; empty: none of them"},
    {"mask", CONFIG_TEXT, AT(mask), "", 0, 0, NULL, check_paths,
     "values that no entry shows: data.before.email data.*.email ..., * for any name"},
    {"field", CONFIG_SIZE, AT(field_bytes), "8KiB", 64, 1024 * 1024, NULL, NULL,
     "where a longer text is cut, with a mark"},
    CONFIG_END,
};
#undef AT
/* clang-format on */
