#include "support/audit_held.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/json.h"
#include "support/search_index.h"

/* What the service says of itself is an entry, too: a new leader. */
static bool is_change(const json_t *entry)
{
    return !text_starts(json_member_text(entry, "action", ""), "crier.");
}

static int64_t count_changes(const struct settings *direct)
{
    char path[100];
    json_t *answer;
    int64_t count;

    index_count(direct, "audit-*"); /* refreshes */
    snprintf(path, sizeof path, "/%saudit-*/_count", direct->opensearch.prefix);
    answer =
        index_ask(direct, "POST", path, "{\"query\":{\"bool\":{\"must_not\":{\"prefix\":{\"action\":\"crier.\"}}}}}");
    count = json_integer_value(json_object_get(answer, "count"));
    json_decref(answer);
    return count;
}

/* Whatever died meanwhile, the lines hold together. */
static void check_chain(const struct scene *s, const char *path)
{
    const char *arguments[] = {"audit", "verify", "--config", s->config_path, path, NULL};
    char *out;

    if (crier_run(&out, arguments) != 0)
        fail_msg("%s", out);
    free(out);
}

void audit_held_check(const struct scene *s, const struct settings *direct, const char *path, int64_t changes)
{
    struct buf text = BUF_INIT;
    struct error err;
    int64_t lines = 0;
    char **ids;

    assert_true(file_read(path, 256 * 1024 * 1024, &text, &err));
    for (size_t i = 0; i < text.length; i++)
        lines += text.data[i] == '\n';
    ids = calloc((size_t)lines + 1, sizeof *ids);
    assert_non_null(ids);
    lines = 0;
    for (char *line = text.data, *end; (end = strchr(line, '\n')); line = end + 1) {
        json_t *entry = json_text_parse(line, (size_t)(end - line), JSON_DEPTH_DEFAULT, &err);

        assert_non_null(entry); /* not torn */
        if (is_change(entry))
            ids[lines++] = strdup(json_member_text(entry, "id", ""));
        json_decref(entry);
    }
    assert_int_equal(lines, changes);
    for (int64_t i = 0; i < lines; i++)
        for (int64_t j = i + 1; j < lines; j++)
            if (strcmp(ids[i], ids[j]) == 0)
                fail_msg("audit entry %s is there twice", ids[i]);
    for (int64_t i = 0; i < lines; i++)
        free(ids[i]);
    free(ids);
    buf_release(&text);
    assert_int_equal(count_changes(direct), changes);
    check_chain(s, path);
}
