#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/listing.h"
#include "config/key.h"
#include "notifier/access/scope.h"
#include "notifier/access/token.h"
#include "notifier/pattern.h"
#include "notifier/service_event.h"
#include "notifier/verb_deed.h"
#include "notifier/verbs.h"

struct tokens_call {
    struct verb_call *call;
    struct redis *redis;
    struct arena *arena;
};

static const char *subject_of(const struct tokens_call *t, const char *id)
{
    return arena_printf(t->arena, "tokens/%s", id);
}

/* ------------------------------------------------------------------------------------------------------ create */

static bool read_name(const char *name, struct token *t, struct error *err)
{
    if (!*name || strlen(name) > TOKEN_NAME_MOST || text_utf8_valid(name, strlen(name)) < strlen(name))
        return error_set(err, ERROR_INPUT, "a token's name has 1 to %d bytes of UTF-8", TOKEN_NAME_MOST);
    memcpy(t->name, name, strlen(name) + 1);
    return true;
}

static bool read_events(const char *events, struct token *t, struct error *err)
{
    if (strlen(events) > TOKEN_EVENTS_MOST)
        return error_set(err, ERROR_INPUT, "--events: at most %d bytes", TOKEN_EVENTS_MOST);
    memcpy(t->events, events, strlen(events) + 1);
    return !*events || patterns_check(events, err) || error_in(err, "--events");
}

static bool read_expiry(const char *span, struct token *t, struct error *err)
{
    static const struct config_key key = {
        .name = "--expires", .type = CONFIG_TIME, .least = 1000, .most = 3660 * MS_PER_DAY};
    int64_t ms = 0;

    if (!config_value_set(&key, span, &ms, err))
        return error_in(err, "--expires");
    t->expires_us = clock_wall_us() + ms * 1000;
    return true;
}

/* An option that is there without its value; it is taken in any case. */
static bool option_lacks(struct tokens_call *t, const char *name, const char **value)
{
    return verb_option(t->call, name, value) && !*value;
}

static bool read_token(struct tokens_call *t, struct token *out, struct error *err)
{
    const char *events = "", *expires = NULL, *scopes = "";
    bool lacks = option_lacks(t, "events", &events);

    lacks = option_lacks(t, "expires", &expires) || lacks;
    lacks = option_lacks(t, "scope", &scopes) || lacks;
    *out = (struct token){.scopes = 0};
    if (lacks)
        return error_set(err, ERROR_INPUT, "an option lacks its value");
    if (t->call->argc != 2)
        return error_set(err, ERROR_INPUT, "give one name: crier tokens create NAME --scope \"emit stats:read\"");
    if (!scopes_read(scopes, &out->scopes, err))
        return false;
    if (!out->scopes)
        return error_set(err, ERROR_INPUT, "say what it may: --scope \"emit stats:read\"");
    return read_name(t->call->argv[1], out, err) && read_events(events, out, err) &&
           (!expires || read_expiry(expires, out, err));
}

/* What it may is recorded, and the token itself shown this once: one that could not be recorded nobody ever sees. */
static int create(struct tokens_call *t)
{
    char text[TOKEN_TEXT_BYTES];
    struct buf scopes = BUF_INIT;
    struct error err = ERROR_INIT;
    struct token token;
    bool ok;

    if (!read_token(t, &token, &err))
        return verb_usage("tokens", err.text);
    scopes_add(token.scopes, &scopes);
    ok = t->call->dry_run ||
         (token_create(t->redis, &token, text, &err) &&
          service_event_send(
              t->call->settings, t->redis, "token.created", subject_of(t, token.id), NULL,
              json_pack("{s:s, s:s, s:s}", "name", token.name, "scopes", scopes.data, "events", token.events), &err));
    if (ok && t->call->dry_run)
        printf("would make a token for %s: %s\n", token.name, scopes.data);
    else if (ok && t->call->json)
        printf("{\"id\":\"%s\",\"token\":\"%s\"}\n", token.id, text);
    else if (ok)
        printf("%s\n", text);
    OPENSSL_cleanse(text, sizeof text);
    buf_release(&scopes);
    return ok ? EXIT_DONE : verb_failed("tokens create", &err);
}

/* -------------------------------------------------------------------------------------------------- list, revoke */

static void list_token(struct listing *l, const struct token *t)
{
    struct buf scopes = BUF_INIT;
    char time[TIME_TEXT_BYTES];

    scopes_add(t->scopes, &scopes);
    listing_text(l, t->id);
    listing_text(l, t->name);
    listing_text(l, scopes.data);
    listing_text(l, t->events[0] ? t->events : NULL);
    listing_text(l, time_text(t->created_us / US_PER_SECOND * US_PER_SECOND, time));
    listing_text(l, t->expires_us ? time_text(t->expires_us / US_PER_SECOND * US_PER_SECOND, time) : NULL);
    buf_release(&scopes);
}

static int list(struct tokens_call *t)
{
    struct listing *l = listing_new("id name scopes events created expires");
    struct error err = ERROR_INIT;
    struct token *tokens;
    size_t count = 0;
    bool ok = token_list(t->redis, t->arena, &tokens, &count, &err);

    for (size_t i = 0; ok && i < count; i++)
        list_token(l, &tokens[i]);
    if (ok)
        listing_write(l, stdout, t->call->json);
    listing_free(l);
    return ok ? EXIT_DONE : verb_failed("tokens list", &err);
}

static int revoke(struct tokens_call *t)
{
    struct error err = ERROR_INIT;
    bool was = false, ok = true;

    if (t->call->argc != 2)
        return verb_usage("tokens", "give the id of one token: crier tokens list shows them");
    if (!t->call->dry_run)
        ok = verb_deed_begin(t->call->settings, "token.revoked", subject_of(t, t->call->argv[1]), NULL, &err) &&
             token_revoke(t->redis, t->call->argv[1], &was, &err) &&
             (was || error_set(&err, ERROR_INPUT, "there is no token %s", t->call->argv[1]));
    if (ok && !t->call->json)
        printf("%s %s\n", t->call->dry_run ? "would revoke" : "revoked", t->call->argv[1]);
    return ok ? EXIT_DONE : verb_failed("tokens revoke", &err);
}

int verb_tokens(struct verb_call *call)
{
    static const struct {
        const char *name;
        int (*run)(struct tokens_call *t);
    } actions[] = {
        {"create", create},
        {"list",   list  },
        {"revoke", revoke},
    };
    struct tokens_call t = {.call = call};
    int status = -1;

    if (call->argc == 0)
        return verb_usage("tokens", "say create NAME, list or revoke ID");
    t.redis = settings_redis(call->settings);
    t.arena = arena_new();
    for (size_t i = 0; i < ARRAY_LENGTH(actions) && status < 0; i++)
        if (strcmp(call->argv[0], actions[i].name) == 0)
            status = actions[i].run(&t);
    arena_free(t.arena);
    redis_free(t.redis);
    return status < 0 ? verb_usage("tokens", "say create NAME, list or revoke ID") : status;
}
