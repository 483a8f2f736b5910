/* tests/support/chain_stage.h - an audit file in a fresh folder, and what a check finds in it. */
#ifndef TESTS_SUPPORT_CHAIN_STAGE_H
#define TESTS_SUPPORT_CHAIN_STAGE_H

#include <stddef.h>

#include "handlers/audit/audit_chain.h"
#include "handlers/audit/audit_file.h"
#include "handlers/audit/audit_verify.h"
#include "support/canary.h"
#include "support/process.h"

#define SECRET CANARY CANARY CANARY
#define ED25519                                                                                                        \
    "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIGNhbmFyeXNlY3JldGNhbmFyeXNlY3JldGNhbmFyeXNl\n"                  \
    "-----END PRIVATE KEY-----\n"
#define ED25519_PUBLIC                                                                                                 \
    "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEA3VB3UH05aKG84/E/5HlsmkNIzYgXXncMGHB7QoU7CTg=\n"                       \
    "-----END PUBLIC KEY-----\n"

struct chain_stage {
    char folder[300], path[320];
    struct audit_settings settings; /* of the file at that path */
};

/* Of the test under way. */
extern struct chain_stage chain;

int chain_stage_setup(void **state);
struct audit_file *chain_open(void);
void chain_add(struct audit_file *f, int number);
void chain_flush(struct audit_file *f);

/* Entries from..to-1, a few in each flush. */
void chain_write(int from, int to);

/* What is found; "" where all is well. Yours to free. */
char *chain_finding_of(struct signing_key *const keys[], size_t key_count, bool partial, const struct audit_link *holds,
                       int64_t *lines);
char *chain_finding(const char *key_text, bool partial, const struct audit_link *holds, int64_t *lines);
void chain_is_well(int64_t lines);
void chain_finding_is(const char *wanted);
void chain_read_file(const char *name, struct buf *out);
void chain_write_file(const char *name, const char *bytes, size_t length);

#endif
