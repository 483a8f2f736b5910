/*
 * base/listing.h - what a verb shows: aligned columns for people, one JSON array of objects with --json, or CSV.
 *
 * Rows are added cell by cell in the order of the columns. Text from outside is escaped for the terminal.
 */
#ifndef BASE_LISTING_H
#define BASE_LISTING_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct listing;

/* columns: names separated by spaces, as JSON keys; on paper '_' shows as a space. */
struct listing *listing_new(const char *columns);
void listing_free(struct listing *l);
void listing_text(struct listing *l, const char *text); /* NULL shows as "-", null in JSON */
void listing_int(struct listing *l, int64_t number);
void listing_json(struct listing *l, const char *json);     /* already JSON; shown as it is */
void listing_write_csv(const struct listing *l, FILE *out); /* RFC 4180, with a line of names */
void listing_write(const struct listing *l, FILE *out, bool json);

#endif
