#include "support/canary.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/text.h"

/* Plain, and in base64 by each of the three places that it may begin at; tests/CMakeLists.txt has the same. */
static const char *const forms[] = {CANARY, "Y2FuYXJ5c2VjcmV0", "NhbmFyeXNlY3Jld", "jYW5hcnlzZWNyZX"};

/* What secrets that crier makes look like; the first `open` characters, the id of a token, are none. */
static const struct {
    const char *prefix, *of;
    size_t open, least;
} kinds[] = {
    {"crier_", "0123456789abcdef_",                                                 13, 13 + 64},
    {"whsec_", "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=", 0,  32     },
};

enum { LEARNED_MOST = 500 };

static char *learned[LEARNED_MOST];
static size_t learned_count;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

static void fail_at(const char *where, const char *text, const char *at)
{
    while (at > text && at[-1] != '\n')
        at--;
    fail_msg("%s shows a secret: %.*s", where, (int)strcspn(at, "\n"), at);
}

static const char *find_learned(const char *text)
{
    const char *at = NULL;

    pthread_mutex_lock(&mutex);
    for (size_t i = 0; !at && i < learned_count; i++)
        at = strstr(text, learned[i]);
    pthread_mutex_unlock(&mutex);
    return at;
}

void canary_check(const char *where, const char *text)
{
    const char *at = find_learned(text);

    for (size_t i = 0; !at && i < ARRAY_LENGTH(forms); i++)
        at = strstr(text, forms[i]);
    if (at)
        fail_at(where, text, at);
}

static void learn(const char *secret, size_t length)
{
    pthread_mutex_lock(&mutex);
    if (learned_count == LEARNED_MOST)
        fail_msg("more than %d secrets", LEARNED_MOST);
    learned[learned_count++] = xstrndup(secret, length);
    pthread_mutex_unlock(&mutex);
}

void canary_learn(const char *text)
{
    for (size_t i = 0; i < ARRAY_LENGTH(kinds); i++)
        for (const char *at = text; (at = strstr(at, kinds[i].prefix));) {
            size_t length = strspn(at += strlen(kinds[i].prefix), kinds[i].of);

            if (length >= kinds[i].least)
                learn(at + kinds[i].open, length - kinds[i].open);
        }
}
