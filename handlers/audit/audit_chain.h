/*
 * handlers/audit/audit_chain.h - how the lines of the audit file hold together.
 *
 *     {"id":"...", ... ,"chain":{"place":12,"before":"HEX","digest":"HEX","signature":"HEX"}}
 *
 * place counts the lines from 1, over all files; before is the digest of the line before, of the first line 64 zeros,
 * or, where it goes on from lines that were written without a chain, the SHA-256 of all the bytes before it. digest is
 * the SHA-256 of the line from its beginning to what stands before ,"digest". The signature, of this digest, is there
 * where [audit] has a key.
 *
 * Beside the file, FILE.head says where it ends, so that a missing end is seen: {"place":12,"digest":"HEX",
 * "signature":"HEX"}. Its signature is over "head:PLACE:DIGEST". It is replaced once the lines are on disk, so after a
 * crash it may be behind them.
 */
#ifndef HANDLERS_AUDIT_AUDIT_CHAIN_H
#define HANDLERS_AUDIT_AUDIT_CHAIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attrs.h"
#include "base/buf.h"
#include "base/error.h"
#include "base/hash.h"
#include "base/signing_key.h"
#include "base/text.h"

/* A line by its place and digest. */
struct audit_link {
    int64_t place; /* 0: before the first */
    char digest[DIGEST_TEXT_BYTES];
};

extern const struct audit_link audit_link_none;

/* A line or a head as it was read; spans are lent by it. */
struct audit_chained {
    struct audit_link link;
    struct span before;    /* of a line */
    struct span signature; /* length 0: none */
    size_t covered;        /* bytes of a line that its digest is of */
};

/* Appends an entry (a JSON object) with its chain; key may be NULL. *link is what it is linked to, and becomes it. */
void audit_chain_add(struct raw_hash *hash, const struct signing_key *key, struct span entry, struct audit_link *link,
                     struct buf *out);

/* False: the line ends in no chain, to the byte as it would be written. */
bool audit_chain_read(struct span line, struct audit_chained *out) must_check;

/* The digest that a line should have. */
void audit_chain_digest(struct raw_hash *hash, struct span line, const struct audit_chained *c,
                        char out[DIGEST_TEXT_BYTES]);
bool audit_chain_signed(const struct signing_key *key, const struct audit_chained *c) must_check;

void audit_head_add(const struct signing_key *key, const struct audit_link *link, struct buf *out);
bool audit_head_read(struct span text, struct audit_chained *out) must_check;
bool audit_head_signed(const struct signing_key *key, const struct audit_chained *c) must_check;

/* FILE.head. */
void audit_head_path(const char *file, struct buf *out);

/* The head of a file. *found false: there is none. ERROR_AGAIN: it cannot be read; ERROR_INPUT: it is no head. */
bool audit_head_load(const char *file, struct buf *text, struct audit_chained *out, bool *found,
                     struct error *err) must_check;

#endif
