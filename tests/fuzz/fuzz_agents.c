/*
 * Any text as what a visitor's program says of itself: its name, its address, where it came from; and as networks of
 * the configuration. Judged the same twice; what is kept of a name keeps the promises of its header.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/text.h"
#include "notifier/agents.h"
#include "notifier/networks.h"
#include "notifier/preview.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

static void expect(bool truth)
{
    if (!truth)
        abort();
}

static struct agents *agents_by(enum robot_rules rules)
{
    static char none[] = "";
    struct event_settings es = {.rules = (int)rules,
                                .robots_file = none,
                                .robots_except_file = none,
                                .machines_file = none,
                                .ignore_agents_file = none};
    struct error err = ERROR_INIT;
    struct agents *a = agents_new(&es, AGENTS_ROBOTS | AGENTS_MACHINES, &err);

    expect(a != NULL);
    return a;
}

static void try_agent(struct agents *a, const char *text, size_t length)
{
    struct agent once = agents_judge(a, text, length), again = agents_judge(a, text, length);
    char class[AGENT_CLASS_BYTES];
    size_t kept = agents_class(a, text, length, class);

    expect(once.robot == again.robot && once.machine == again.machine && !once.ignored);
    expect(kept == strlen(class) && kept < sizeof class);
    for (size_t i = 0; i < kept; i++)
        expect(class[i] >= ' ' && class[i] <= 'z' && !strchr("();@:", class[i]));
    agents_judge_class(a, class, kept);
}

static void try_preview(const char *text)
{
    json_t *data = json_pack("{s:s, s:s, s:s}", "referrer", text, "recid", "r", "file_key", "f.pdf");
    struct buf scratch = BUF_INIT;

    expect(data != NULL);
    if (preview_made_it(data, &scratch))
        expect(strstr(scratch.data, "/records/r/preview/f.pdf") != NULL);
    buf_release(&scratch);
    json_decref(data);
}

static void try_network(const char *text)
{
    struct error err = ERROR_INIT;
    struct networks *n = networks_new(text, &err);
    struct address a;

    expect(n || (err.kind == ERROR_CONFIG && err.text[0]));
    if (n && address_read(text, &a) && !strpbrk(text, "%/ \t\r\n\v\f"))
        expect(networks_hold(n, &a));
    networks_free(n);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    static struct agents *agents[RULES_REFERENCE + 1];
    char *text;

    if (length == 0 || memchr(bytes, 0, length) || text_utf8_valid((const char *)bytes, length) != length)
        return 0;
    text = xstrndup((const char *)bytes, length);
    for (int rules = 0; rules <= RULES_REFERENCE; rules++) {
        if (!agents[rules])
            agents[rules] = agents_by((enum robot_rules)rules);
        try_agent(agents[rules], text, length);
    }
    try_preview(text);
    try_network(text);
    free(text);
    return 0;
}
