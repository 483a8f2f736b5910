/* Files of access logs read: gzipped or not, cut, broken, without end, and by how much a log is known. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <zlib.h>

#include <cmocka.h>

#include "notifier/access_log/access_log_file.h"
#include "notifier/access_log/access_log_line.h"
#include "notifier/access_log/access_log_past.h"
#include "support/server.h"

#define LINE                                                                                                           \
    "192.0.2.7 - ada [20/Nov/2026:21:40:00 +0100] \"GET /records/abc?x=1 HTTP/1.1\" 200 512 "                          \
    "\"https://example.org/a\" \"Mozilla/5.0 (X11)\""

static const char *write_log(const char *content, size_t length, bool gzip)
{
    static char path[400];

    snprintf(path, sizeof path, "%s/log", test_folder());
    if (gzip) {
        gzFile out = gzopen(path, "wb");

        assert_int_equal(gzwrite(out, content, (unsigned)length), (int)length);
        gzclose(out);
    } else {
        FILE *out = fopen(path, "we");

        assert_non_null(out);
        assert_int_equal(fwrite(content, 1, length, out), length);
        fclose(out);
    }
    return path;
}

/* Reads all lines; a digest of the content and how many lines there were. */
static int read_all(const char *path, char digest[RAW_HASH_TEXT_BYTES], int *too_long, bool *cut)
{
    struct error err = ERROR_INIT;
    struct access_file *f = access_file_open(path, &err);
    enum line_kind kind;
    struct span line;
    int count = 0;

    *too_long = 0;
    if (!f)
        fail_msg("%s", err.text);
    while ((kind = access_file_next(f, &line, &err)) == LINE_TEXT || kind == LINE_TOO_LONG) {
        count++;
        *too_long += kind == LINE_TOO_LONG;
        assert_int_equal(access_file_line(f), count);
    }
    if (kind == LINE_FAILED)
        count = -1;
    access_file_digest(f, digest);
    *cut = access_file_cut(f);
    access_file_close(f);
    return count;
}

static void a_file_reads_the_same_gzipped_or_not(void **state)
{
    char plain[RAW_HASH_TEXT_BYTES], packed[RAW_HASH_TEXT_BYTES];
    struct buf text = BUF_INIT;
    int too_long;
    bool cut;

    (void)state;
    for (int i = 0; i < 20000; i++)
        buf_printf(&text, "%d %s\n", i, LINE);
    assert_int_equal(read_all(write_log(text.data, text.length, false), plain, &too_long, &cut), 20000);
    assert_false(cut);
    assert_int_equal(read_all(write_log(text.data, text.length, true), packed, &too_long, &cut), 20000);
    assert_false(cut);
    assert_string_equal(plain, packed);
    assert_int_equal(read_all(write_log(text.data, text.length - 1, false), plain, &too_long, &cut), 19999);
    assert_true(cut);
    assert_string_not_equal(plain, packed);
    assert_int_equal(read_all(write_log("", 0, false), plain, &too_long, &cut), 0);
    buf_release(&text);
}

static void a_line_without_end_does_not_fill_the_memory(void **state)
{
    char digest[RAW_HASH_TEXT_BYTES];
    struct buf text = BUF_INIT;
    int too_long;
    bool cut;

    (void)state;
    buf_add_text(&text, "a\n");
    memset(buf_grow(&text, 3000000), 'x', 3000000);
    buf_grown(&text, 3000000);
    buf_add_text(&text, "\nb\n");
    memset(buf_grow(&text, ACCESS_LINE_BYTES_MOST + 1), 'y', ACCESS_LINE_BYTES_MOST + 1);
    buf_grown(&text, ACCESS_LINE_BYTES_MOST + 1);
    buf_add_text(&text, "\nc\n");
    assert_int_equal(read_all(write_log(text.data, text.length, false), digest, &too_long, &cut), 5);
    assert_int_equal(too_long, 2);
    assert_int_equal(read_all(write_log(text.data, text.length, true), digest, &too_long, &cut), 5);
    assert_int_equal(too_long, 2);
    buf_release(&text);
}

static void a_gzipped_file_that_is_cut_or_broken_is_an_error(void **state)
{
    char digest[RAW_HASH_TEXT_BYTES], *bytes;
    struct buf text = BUF_INIT, packed = BUF_INIT;
    struct error err;
    int too_long;
    bool cut;
    FILE *file;

    (void)state;
    for (int i = 0; i < 1000; i++)
        buf_printf(&text, "%d %d\n", i, i * 7919);
    file = fopen(write_log(text.data, text.length, true), "re");
    bytes = buf_grow(&packed, 100000);
    buf_grown(&packed, fread(bytes, 1, 100000, file));
    fclose(file);
    assert_int_equal(read_all(write_log(packed.data, packed.length / 2, false), digest, &too_long, &cut), -1);
    packed.data[packed.length / 2] ^= 0x55;
    assert_int_equal(read_all(write_log(packed.data, packed.length, false), digest, &too_long, &cut), -1);
    assert_null(access_file_open("/nonexistent/log", &err));
    buf_release(&text);
    buf_release(&packed);
}

static void two_gzipped_files_one_behind_the_other_are_one(void **state)
{
    char digest[RAW_HASH_TEXT_BYTES], path[400];
    int too_long;
    bool cut;

    (void)state;
    snprintf(path, sizeof path, "%s", write_log("a\nb\n", 4, true));
    for (int i = 0; i < 2; i++) {
        gzFile out = gzopen(path, "ab");

        assert_int_equal(gzwrite(out, "c\n", 2), 2);
        gzclose(out);
    }
    assert_int_equal(read_all(path, digest, &too_long, &cut), 4);
}

static void of_a_short_content_too_little_is_kept_to_find_out_whose_it_is(void **state)
{
    char out[PAST_DIGEST_BYTES];

    (void)state;
    past_digest("0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef", 200, out);
    assert_string_equal(out, "0123"); /* by eight, hardly another IPv4 address would fit */
    past_digest("0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef", 100000, out);
    assert_string_equal(out, "0123456789abcdef0123456789abcdef");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_reads_the_same_gzipped_or_not),
        cmocka_unit_test(a_line_without_end_does_not_fill_the_memory),
        cmocka_unit_test(a_gzipped_file_that_is_cut_or_broken_is_an_error),
        cmocka_unit_test(two_gzipped_files_one_behind_the_other_are_one),
        cmocka_unit_test(of_a_short_content_too_little_is_kept_to_find_out_whose_it_is),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
