/* The audit file: what is done to it afterwards is found, and by which line. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "handlers/audit/audit_chain.h"
#include "handlers/audit/audit_file.h"
#include "handlers/audit/audit_verify.h"
#include "support/chain_stage.h"
#include "support/server.h"

static char secret[] = SECRET;

static uint64_t seed;

static size_t below(size_t limit)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (size_t)(seed % limit);
}

struct lines {
    size_t start[200], count; /* one more start than lines */
};

static void find_lines(const struct buf *text, struct lines *l)
{
    l->count = 0;
    l->start[0] = 0;
    for (size_t i = 0; i < text->length; i++)
        if (text->data[i] == '\n')
            l->start[++l->count] = i + 1;
}

static void add_line(struct buf *out, const struct buf *text, const struct lines *l, size_t line)
{
    buf_add(out, text->data + l->start[line], l->start[line + 1] - l->start[line]);
}

/* One byte becomes another, goes, or is new. The line it is in, from 1; 0: it may as well be the next. */
static size_t edit(const struct buf *text, const struct lines *l, struct buf *out)
{
    enum { CHANGE, REMOVE, INSERT };
    size_t how = below(3), at = below(text->length), line = 0;
    char old = text->data[at], c = (char)(1 + below(255));

    if (c == old)
        c ^= 1;
    while (l->start[line + 1] <= at)
        line++;
    buf_add(out, text->data, at);
    if (how != REMOVE)
        buf_add_char(out, c);
    if (how == INSERT)
        buf_add_char(out, old);
    buf_add(out, text->data + at + 1, text->length - at - 1);
    return old == '\n' || c == '\n' || at == l->start[line] ? 0 : line + 1;
}

static void remove_line(const struct buf *text, const struct lines *l, struct buf *out)
{
    size_t gone = below(l->count);

    for (size_t i = 0; i < l->count; i++)
        if (i != gone)
            add_line(out, text, l, i);
}

/* Returns the first of the two, from 1. */
static size_t swap(const struct buf *text, const struct lines *l, struct buf *out)
{
    size_t a = below(l->count), b = below(l->count);

    if (a == b)
        b = (b + 1) % l->count;
    for (size_t i = 0; i < l->count; i++)
        add_line(out, text, l, i == a ? b : i == b ? a : i);
    return (a < b ? a : b) + 1;
}

static void write_twice(const struct buf *text, const struct lines *l, struct buf *out)
{
    size_t twice = below(l->count), after = below(l->count);

    for (size_t i = 0; i < l->count; i++) {
        add_line(out, text, l, i);
        if (i == after)
            add_line(out, text, l, twice);
    }
}

/* The end is missing: at any byte, or whole lines of it. */
static void cut(const struct buf *text, const struct lines *l, struct buf *out)
{
    buf_add(out, text->data, below(2) ? below(text->length) : l->start[below(l->count)]);
}

/* Does one thing to one of the files, and asks. */
static void tamper_once(char **files, size_t count, int round)
{
    const char *file = files[below(count)];
    struct buf text = BUF_INIT, changed = BUF_INIT;
    uint64_t began = seed;
    size_t line = 0;
    struct lines l;
    char place[400], *finding;

    chain_read_file(file, &text);
    find_lines(&text, &l);
    switch (round % 5) {
    case 0:
        line = edit(&text, &l, &changed);
        break;
    case 1:
        remove_line(&text, &l, &changed);
        break;
    case 2:
        line = swap(&text, &l, &changed);
        break;
    case 3:
        write_twice(&text, &l, &changed);
        break;
    default:
        cut(&text, &l, &changed);
        break;
    }
    chain_write_file(file, changed.data, changed.length);
    finding = chain_finding(chain.settings.key, false, NULL, NULL);
    snprintf(place, sizeof place, "%s:%zu: ", file, line);
    if (!*finding || (line > 0 && strncmp(finding, place, strlen(place)) != 0))
        fail_msg("round %d, seed %llx: %s found, %s wanted", round, (unsigned long long)began, finding, place);
    free(finding);
    chain_write_file(file, text.data, text.length);
    buf_release(&text);
    buf_release(&changed);
}

static void tamper(int rounds)
{
    struct error err;
    size_t count;
    char **files;

    chain.settings.rotate_bytes = 8000;
    chain_write(0, 100);
    chain_is_well(100);
    files = audit_files_list(chain.path, &count, &err);
    assert_non_null(files);
    assert_true(count >= 3);
    for (int i = 0; i < rounds; i++)
        tamper_once(files, count, i);
    chain_is_well(100);
    audit_files_free(files, count);
}

static void each_of_a_thousand_edits_deletions_swaps_and_cuts_is_found(void **state)
{
    (void)state;
    seed = 0x9e3779b97f4a7c15;
    tamper(1000);
}

static void they_are_found_in_a_signed_file_too(void **state)
{
    (void)state;
    chain.settings.key = secret;
    seed = 0x2545f4914f6cdd1d;
    tamper(1000);
}

static void a_file_of_a_rotation_that_is_gone_is_found(void **state)
{
    struct error err;
    size_t count;
    char **files, aside[400], *finding;

    (void)state;
    chain.settings.rotate_bytes = 8000;
    chain_write(0, 100);
    files = audit_files_list(chain.path, &count, &err);
    assert_non_null(files);
    assert_true(count >= 3);
    for (size_t i = 0; i < count; i++) {
        snprintf(aside, sizeof aside, "%s/aside", test_folder());
        assert_int_equal(rename(files[i], aside), 0);
        finding = chain_finding(chain.settings.key, false, NULL, NULL);
        if (!*finding)
            fail_msg("%s is gone, and nobody knows", files[i]);
        free(finding);
        assert_int_equal(rename(aside, files[i]), 0);
    }
    chain_is_well(100);
    audit_files_free(files, count);
}

static void a_cut_end_is_found_even_where_the_head_is_made_to_fit(void **state)
{
    struct buf text = BUF_INIT, head = BUF_INIT, path_of_head = BUF_INIT;
    struct audit_chained c;
    struct lines l;

    (void)state;
    chain.settings.key = secret;
    chain_write(0, 6);
    chain_read_file(chain.path, &text);
    find_lines(&text, &l);
    assert_true(audit_chain_read((struct span){text.data + l.start[3], l.start[4] - l.start[3] - 1}, &c));
    chain_write_file(chain.path, text.data, l.start[4]);
    buf_printf(&head, "{\"place\":4,\"digest\":\"%s\",\"signature\":\"%.*s\"}\n", c.link.digest,
               (int)c.signature.length, c.signature.text);
    audit_head_path(chain.path, &path_of_head);
    chain_write_file(path_of_head.data, head.data, head.length);
    chain_finding_is(".head is not signed by this key");
    assert_int_equal(unlink(path_of_head.data), 0);
    chain_finding_is(".head is missing");
    buf_release(&text);
    buf_release(&head);
    buf_release(&path_of_head);
}

/* Older file and older head, put back together: only who noted the end elsewhere can know. */
static void an_older_state_put_back_is_found_by_an_end_that_was_noted(void **state)
{
    struct buf text = BUF_INIT, head = BUF_INIT, path_of_head = BUF_INIT;
    struct audit_chained noted;
    struct error err;
    char *finding;
    bool found;

    (void)state;
    chain.settings.key = secret;
    audit_head_path(chain.path, &path_of_head);
    chain_write(0, 3);
    chain_read_file(chain.path, &text);
    chain_read_file(path_of_head.data, &head);
    chain_write(3, 6);
    assert_true(audit_head_load(chain.path, &path_of_head, &noted, &found, &err));
    finding = chain_finding(secret, false, &noted.link, NULL);
    assert_string_equal(finding, "");
    free(finding);
    chain_write_file(chain.path, text.data, text.length);
    buf_reset(&path_of_head);
    audit_head_path(chain.path, &path_of_head);
    chain_write_file(path_of_head.data, head.data, head.length);
    chain_is_well(3);
    finding = chain_finding(secret, false, &noted.link, NULL);
    assert_non_null(strstr(finding, "no line of place 6 with that digest is there"));
    free(finding);
    buf_release(&text);
    buf_release(&head);
    buf_release(&path_of_head);
}

static void what_is_written_after_a_cut_leaves_the_gap_to_be_seen(void **state)
{
    struct buf text = BUF_INIT, path_of_head = BUF_INIT;
    struct lines l;

    (void)state;
    chain_write(0, 6);
    chain_read_file(chain.path, &text);
    find_lines(&text, &l);
    chain_write_file(chain.path, text.data, l.start[4]);
    chain_write(6, 8);
    chain_finding_is("audit.ndjson:5: is the line of place 7 where 5 should be: 2 missing");
    unlink(chain.path);
    audit_head_path(chain.path, &path_of_head);
    unlink(path_of_head.data);
    chain_write(0, 4);
    unlink(path_of_head.data); /* whoever cuts the end removes the head, too */
    chain_write(4, 6);
    chain_finding_is("audit.ndjson:5: is the line of place 6 where 5 should be");
    unlink(chain.path);
    chain_finding_is("missing behind it");
    buf_release(&text);
    buf_release(&path_of_head);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(each_of_a_thousand_edits_deletions_swaps_and_cuts_is_found, chain_stage_setup),
        cmocka_unit_test_setup(they_are_found_in_a_signed_file_too, chain_stage_setup),
        cmocka_unit_test_setup(a_file_of_a_rotation_that_is_gone_is_found, chain_stage_setup),
        cmocka_unit_test_setup(a_cut_end_is_found_even_where_the_head_is_made_to_fit, chain_stage_setup),
        cmocka_unit_test_setup(an_older_state_put_back_is_found_by_an_end_that_was_noted, chain_stage_setup),
        cmocka_unit_test_setup(what_is_written_after_a_cut_leaves_the_gap_to_be_seen, chain_stage_setup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
