#include "support/chain_stage.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/file.h"
#include "handlers/audit/audit_chain.h"
#include "handlers/audit/audit_file.h"
#include "handlers/audit/audit_verify.h"
#include "support/process.h"

struct chain_stage chain;

static char empty[] = "";

int chain_stage_setup(void **state)
{
    (void)state;
    folder_make("audit", chain.folder, sizeof chain.folder);
    snprintf(chain.path, sizeof chain.path, "%s/audit.ndjson", chain.folder);
    chain.settings = (struct audit_settings){.file = chain.path, .key = empty};
    return 0;
}

struct audit_file *chain_open(void)
{
    struct error err;
    struct audit_file *f = audit_file_open(&chain.settings, &err);

    if (!f)
        fail_msg("%s", err.text);
    return f;
}

void chain_add(struct audit_file *f, int number)
{
    char entry[200];

    snprintf(entry, sizeof entry, "{\"id\":\"e%d\",\"action\":\"user.updated\",\"data\":{\"full_name\":\"Ada %d\"}}",
             number, number);
    audit_file_add(f, span_of(entry));
}

void chain_flush(struct audit_file *f)
{
    struct error err;

    if (!audit_file_flush(f, &err))
        fail_msg("%s", err.text);
}

void chain_write(int from, int to)
{
    struct audit_file *f = chain_open();

    for (int i = from; i < to; i++) {
        chain_add(f, i);
        if (i % 3 == 0)
            chain_flush(f);
    }
    chain_flush(f);
    audit_file_close(f);
}

char *chain_finding_of(struct signing_key *const keys[], size_t key_count, bool partial, const struct audit_link *holds,
                       int64_t *lines)
{
    struct error err;
    struct audit_verified result = AUDIT_VERIFIED_INIT;
    struct audit_verify ask = {
        .keys = keys, .key_count = key_count, .file = chain.path, .partial = partial, .holds = holds};
    size_t count;
    char **files = audit_files_list(chain.path, &count, &err);

    assert_non_null(files);
    ask.files = files;
    ask.file_count = count;
    if (!audit_verify(&ask, &result, &err))
        fail_msg("%s", err.text);
    if (lines)
        *lines = result.lines;
    audit_files_free(files, count);
    return buf_take(&result.finding);
}

char *chain_finding(const char *key_text, bool partial, const struct audit_link *holds, int64_t *lines)
{
    struct error err;
    struct signing_key *key = *key_text ? signing_key_new(key_text, &err) : NULL;
    char *finding = chain_finding_of(&key, key ? 1 : 0, partial, holds, lines);

    signing_key_free(key);
    return finding;
}

void chain_is_well(int64_t lines)
{
    int64_t seen;
    char *finding = chain_finding(chain.settings.key, false, NULL, &seen);

    assert_string_equal(finding, "");
    assert_int_equal(seen, lines);
    free(finding);
}

void chain_finding_is(const char *wanted)
{
    char *finding = chain_finding(chain.settings.key, false, NULL, NULL);

    if (!strstr(finding, wanted))
        fail_msg("\"%s\" does not say \"%s\"", finding, wanted);
    free(finding);
}

void chain_read_file(const char *name, struct buf *out)
{
    struct error err;

    buf_reset(out);
    if (!file_read(name, 16 * 1024 * 1024, out, &err))
        fail_msg("%s", err.text);
}

void chain_write_file(const char *name, const char *bytes, size_t length)
{
    FILE *file = fopen(name, "we");

    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, length, file), length);
    assert_int_equal(fclose(file), 0);
}
