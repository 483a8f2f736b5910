/*
 * notifier/access/token.h - tokens for the door: made, listed and revoked here, kept in Redis without their secrets.
 *
 * A token is "crier_ID_SECRET", both hexadecimal. Redis has the SHA-256 of the secret, which is 256 random bits, so
 * that nothing kept there opens the door; the token itself is shown once, when it is made.
 */
#ifndef NOTIFIER_ACCESS_TOKEN_H
#define NOTIFIER_ACCESS_TOKEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/attrs.h"
#include "base/error.h"
#include "base/hash.h"
#include "base/redis.h"
#include "base/text.h"

enum {
    TOKEN_ID_BYTES = 13,     /* 12 hexadecimal digits and a NUL */
    TOKEN_SECRET_BYTES = 65, /* 64, likewise */
    TOKEN_TEXT_BYTES = 6 + 12 + 1 + 64 + 1,
    TOKEN_NAME_MOST = 60,
    TOKEN_EVENTS_MOST = 250,
};

struct token {
    char id[TOKEN_ID_BYTES];
    char name[TOKEN_NAME_MOST + 1];     /* whose it is, for people */
    char events[TOKEN_EVENTS_MOST + 1]; /* patterns of the types it may send and see; "": all */
    unsigned scopes;
    int64_t created_us, expires_us; /* expires_us 0: never */
    unsigned char digest[SHA256_BYTES];
};

/*
 * Makes a token of what is given (name, events, scopes, expires_us), fills in the rest and keeps it; text is what its
 * owner gets.
 */
bool token_create(struct redis *r, struct token *t, char text[TOKEN_TEXT_BYTES], struct error *err) must_check;

/* All there are, expired ones too, by id; in the arena. */
bool token_list(struct redis *r, struct arena *arena, struct token **out, size_t *count, struct error *err) must_check;

/* *was false: there was none of that id. */
bool token_revoke(struct redis *r, const char *id, bool *was, struct error *err) must_check;

/* A number that changes with every token made or revoked. */
bool token_generation(struct redis *r, struct arena *arena, int64_t *generation, struct error *err) must_check;

/* The two parts of a token's text. False: it is none. */
bool token_parse(const char *text, char id[TOKEN_ID_BYTES], char secret[TOKEN_SECRET_BYTES]);

/* Compares in the same time whatever differs. */
bool token_is(const struct token *t, const char secret[TOKEN_SECRET_BYTES]);

#endif
