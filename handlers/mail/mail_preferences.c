#include "handlers/mail/mail_preferences.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/text.h"

static const char key[] = MAIL_PREFERENCES_KEY;

static const char *const words[] = {
    [MAIL_AT_ONCE] = "at-once", [MAIL_OFF] = "off", [MAIL_DAILY] = "daily", [MAIL_WEEKLY] = "weekly"};

bool mail_frequency_read(const char *word, enum mail_frequency *out)
{
    for (size_t i = 0; i < ARRAY_LENGTH(words); i++)
        if (text_same(word, words[i])) {
            *out = (enum mail_frequency)i;
            return true;
        }
    *out = MAIL_AT_ONCE;
    return text_same(word, "on");
}

const char *mail_frequency_word(enum mail_frequency f)
{
    return words[f];
}

void mail_preference_digest(const char *address, char out[ID_TEXT_BYTES])
{
    struct digest *d = digest_new();
    char *small = xstrdup(address);

    for (char *c = small; *c; c++)
        if (*c >= 'A' && *c <= 'Z')
            *c = (char)(*c - 'A' + 'a');
    digest_start(d);
    digest_part(d, small, strlen(small));
    digest_end_id(d, out);
    digest_free(d);
    free(small);
}

/* An unknown word, of a newer crier, counts as none. */
static enum mail_frequency effective(const struct reply *all, const struct reply *own)
{
    enum mail_frequency f = MAIL_AT_ONCE;

    if (all->text && mail_frequency_read(all->text, &f) && f == MAIL_OFF)
        return f;
    if (own->text && mail_frequency_read(own->text, &f))
        return f;
    return all->text && mail_frequency_read(all->text, &f) ? f : MAIL_AT_ONCE;
}

enum mail_frequency mail_preference_of(const struct reply *values)
{
    return values->count == 2 ? effective(&values->items[0], &values->items[1]) : MAIL_AT_ONCE;
}

bool mail_preferences_get(struct redis *r, const char *handler, const char *const *addresses, size_t count,
                          struct arena *arena, enum mail_frequency *out, struct error *err)
{
    struct args args = ARGS_INIT;
    const struct reply *reply;
    bool ok;

    args_text(&args, "HMGET");
    args_text(&args, key);
    for (size_t i = 0; i < count; i++) {
        char digest[ID_TEXT_BYTES];
        const char *all;

        mail_preference_digest(addresses[i], digest);
        args_text(&args, all = arena_text(arena, digest));
        args_text(&args, arena_printf(arena, "%s:%s", all, handler));
    }
    ok = count == 0 || (redis_call(r, &args, arena, &reply, err) && reply_ok(reply, err));
    for (size_t i = 0; ok && i < count; i++)
        out[i] = reply->count == 2 * count ? effective(&reply->items[2 * i], &reply->items[2 * i + 1]) : MAIL_AT_ONCE;
    args_release(&args);
    return ok;
}

bool mail_preference_get(struct redis *r, const char *handler, const char *address, struct arena *arena,
                         enum mail_frequency *out, struct error *err)
{
    return mail_preferences_get(r, handler, &address, 1, arena, out, err);
}

/* At once is what holds for all where nothing is said; of a handler it is said, as it may differ from all. */
bool mail_preference_set_digest(struct redis *r, const char *handler, const char *digest, enum mail_frequency f,
                                struct arena *arena, struct error *err)
{
    const struct reply *reply;

    if (handler)
        return redis_do(r, arena, &reply, err, "HSET %s %s:%s %s", key, digest, handler, words[f]);
    return f == MAIL_AT_ONCE ? redis_do(r, arena, &reply, err, "HDEL %s %s", key, digest)
                             : redis_do(r, arena, &reply, err, "HSET %s %s %s", key, digest, words[f]);
}

bool mail_preference_set(struct redis *r, const char *handler, const char *address, enum mail_frequency f,
                         struct arena *arena, struct error *err)
{
    char digest[ID_TEXT_BYTES];

    mail_preference_digest(address, digest);
    return mail_preference_set_digest(r, handler, digest, f, arena, err);
}
