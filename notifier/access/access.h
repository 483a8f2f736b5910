/*
 * notifier/access/access.h - who stands at the door, and whether they may do what they ask for.
 *
 * `access = loopback`: from this machine everything may be asked without a token; from elsewhere a token is needed, and
 * from this machine too by a Host that is not its own: there a browser asks for a web page whose name leads here.
 * `access = tokens`: a token is always needed, as behind a proxy, where every request comes from this machine. The
 * tokens are read again within a second of a change, by a thread of its own, so that no request waits for Redis; while
 * Redis is away those known last count.
 */
#ifndef NOTIFIER_ACCESS_ACCESS_H
#define NOTIFIER_ACCESS_ACCESS_H

#include <stdbool.h>

#include "base/attrs.h"
#include "config/settings.h"
#include "notifier/access/scope.h"
#include "notifier/access/token.h"

/* Who asks. */
struct caller {
    char id[TOKEN_ID_BYTES]; /* of the token; "": somebody on this machine, without one */
    char name[TOKEN_NAME_MOST + 1];
    char events[TOKEN_EVENTS_MOST + 1]; /* patterns of types; "": all */
    unsigned scopes;
};

/* Where a request comes from. */
enum asked_from {
    FROM_ELSEWHERE,
    FROM_THIS_MACHINE,
    FROM_THIS_MACHINE_BY_A_NAME, /* not localhost or its address, but one that anybody may have made lead here */
};

struct access;

struct access *access_new(const struct settings *s);
void access_free(struct access *a); /* NULL is fine */

/*
 * An Authorization header (NULL: none) and where the request comes from. 0: here they are; else 401, 403, or 503 where
 * no token can be told from another yet, with the reason.
 */
unsigned access_check(struct access *a, const char *authorization, enum asked_from from, enum scope needed,
                      struct caller *out, const char **reason) must_check;

/* Whether a caller may send or see events of that type. */
bool caller_may_see(const struct caller *c, struct span type);

#endif
