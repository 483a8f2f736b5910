/*
 * handlers/audit/audit_verify.h - whether the audit file is as it was written: the first line that is not is named.
 *
 * What is found: any byte that was changed, lines that are missing, were added or stand elsewhere, and a missing end,
 * as long as FILE.head is what crier wrote. Who can write both file and head can make all anew; with a key that is
 * found, too, but for one thing: an older state of both, put back. Who notes place and digest elsewhere finds this.
 */
#ifndef HANDLERS_AUDIT_AUDIT_VERIFY_H
#define HANDLERS_AUDIT_AUDIT_VERIFY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attrs.h"
#include "base/buf.h"
#include "base/error.h"
#include "handlers/audit/audit_chain.h"

struct audit_verify {
    char *const *files; /* in the order they were written */
    size_t file_count;
    struct signing_key *const *keys; /* the oldest first: what one has signed none before it signs any more */
    size_t key_count;                /* 0: signatures are not looked at */
    const char *file;                /* the one that is still written to: its head must fit; NULL: none */
    bool partial;                    /* the files before may be missing */
    const struct audit_link *holds;  /* a line that must be among them; NULL: none */
};

struct audit_verified {
    int64_t lines;           /* with a chain */
    int64_t before;          /* lines that were there before there was a chain */
    int64_t signed_lines;    /* whose signature was looked at */
    struct audit_link first; /* place 0: no line has a chain */
    struct audit_link end;
    struct buf finding; /* "FILE:LINE: what"; empty: all is well */
};

#define AUDIT_VERIFIED_INIT                                                                                            \
    {                                                                                                                  \
        .finding = BUF_INIT                                                                                            \
    }

/* False: a file cannot be read (ERROR_INPUT). */
bool audit_verify(const struct audit_verify *v, struct audit_verified *out, struct error *err) must_check;

#endif
