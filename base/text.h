/* base/text.h - words, nearness and what may be shown to a person. */
#ifndef BASE_TEXT_H
#define BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attrs.h"
#include "base/buf.h"

/* Bytes somewhere else, lent; text is NUL-ended where it comes from a reply or an arena, "" with length 0 for none. */
struct span {
    const char *text;
    size_t length;
};

#define SPAN_NONE ((struct span){"", 0})

struct span span_of(const char *text);
bool span_is(struct span s, const char *text);

bool text_same(const char *a, const char *b);
bool text_starts(const char *text, const char *with);

/*
 * The words of a text, separated by white space: *at starts as the text and moves on.
 * False: no word is left. The word is not NUL-ended.
 */
bool text_word(const char **at, const char **word, size_t *length);

/* Decimal, optionally signed, all of it. */
bool text_int(const char *text, size_t length, int64_t *number) must_check;

/* What a hexadecimal digit is worth; -1: it is none. */
int text_hex_digit(char c);

/* Whether a word is one of a list's, which are separated by white space. */
bool text_has_word(const char *words, const char *word, size_t length);

/* How many characters of a terminal it takes: code points of a text that text_add_escaped made. */
size_t text_width(const char *text);

/* Where the first byte that is not UTF-8 (RFC 3629) stands; length where there is none. */
size_t text_utf8_valid(const char *bytes, size_t length);

/* For one line on a terminal or in a log: control, bidirectional and broken characters as \xNN or \u{...}. */
void text_add_escaped(struct buf *out, const char *bytes, size_t length, size_t most);

/* JSON text with the same characters as \uXXXX, which says the same: for a file that people look at. */
void text_add_json_plain(struct buf *out, const char *json, size_t length);

/* A field of comma-separated values (RFC 4180); one that a spreadsheet would take for a formula begins with an '. */
void text_add_csv(struct buf *out, const char *text);

/* The candidate nearest to word by edit distance, at most a third of its length away; NULL where none is near. */
const char *text_nearest(const char *word, const char *const *candidates, size_t count);

#endif
