#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/listing.h"
#include "handlers/handler.h"
#include "handlers/webhook.h"
#include "notifier/verb_deed.h"
#include "scheduler/verbs.h"
#include "scheduler/webhooks_call.h"

enum { ATTEMPTS_DEFAULT = 100, SHOWN_BYTES = 80 };

/* ------------------------------------------------------------------------------------------------------ looking */

static const char *time_of(const struct webhooks_call *w, int64_t us)
{
    char text[TIME_TEXT_BYTES];

    return us ? arena_text(w->arena, time_text(us / US_PER_SECOND * US_PER_SECOND, text)) : NULL;
}

static const char *or_null(const char *text)
{
    return *text ? text : NULL;
}

static bool list_one(struct webhooks_call *w, struct listing *l, const struct webhook_named *n, struct error *err)
{
    struct webhook_options o = webhook_named_options(n, w->arena);
    const struct subscription *s = n->subscription;
    struct webhook_store *store = webhook_store_new(w->redis, n->name);
    struct webhook_target_state state;
    bool ok = webhook_store_state(store, w->arena, &state, err);

    if (ok) {
        listing_text(l, n->name);
        listing_text(l, n->handler->name);
        listing_text(l, webhook_host(&o, w->arena));
        listing_text(l, webhook_state_word(n, &state));
        listing_text(l, or_null(webhook_state_reason(n, &state)));
        listing_text(l, time_of(w, state.off_since_us ? state.off_since_us : state.paused_since_us));
        listing_text(l, time_of(w, state.failing_since_us));
        listing_int(l, state.waiting);
        listing_text(l, time_of(w, state.next_us));
        listing_text(l, or_null(s ? s->events : n->handler->events));
        listing_text(l, or_null(o.condition));
        listing_text(l, s ? or_null(s->owner) : NULL);
        listing_text(l, or_null(o.owner_mail));
        listing_text(l, or_null(webhook_public_keys(&o, w->arena)));
    }
    webhook_store_free(store);
    return ok;
}

/* Its own target, or the subscriptions it serves. */
static bool list_handler(struct webhooks_call *w, struct listing *l, const struct handler_settings *hs,
                         struct error *err)
{
    struct subscriptions all = webhook_subscriptions(w->call->settings, w->redis, hs);
    struct subscription *subscriptions;
    size_t count;
    bool ok;

    if (webhook_handler_has_target(hs))
        return list_one(w, l, &(struct webhook_named){hs->name, hs, NULL}, err);
    ok = subscription_list(&all, w->arena, &subscriptions, &count, err);
    for (size_t i = 0; ok && i < count; i++)
        ok = list_one(w, l, &(struct webhook_named){subscriptions[i].id, hs, &subscriptions[i]}, err);
    return ok;
}

/* All targets, or the one that is named. */
static int list(struct webhooks_call *w)
{
    const struct settings *s = w->call->settings;
    struct listing *l = listing_new(
        "name handler host state reason since failing_since waiting next events condition owner owner_mail public_key");
    struct error err = ERROR_INIT;
    bool ok = !w->named.name || list_one(w, l, &w->named, &err);

    for (size_t i = 0; ok && !w->named.name && i < s->handler_count; i++)
        if (webhook_handler_is(&s->handlers[i]))
            ok = list_handler(w, l, &s->handlers[i], &err);
    if (ok)
        listing_write(l, stdout, w->call->json);
    listing_free(l);
    return ok ? EXIT_DONE : verb_failed("webhooks list", &err);
}

/* On paper its beginning, as JSON all that was kept. */
static const char *shown(const struct webhooks_call *w, const char *reply)
{
    if (!*reply)
        return NULL;
    return w->call->json ? reply : arena_printf(w->arena, "%.*s", SHOWN_BYTES, reply);
}

static void list_attempt(const struct webhooks_call *w, struct listing *l, const struct reply *fields)
{
    static const char *const plain[] = {"id", "event", "type", "number", "fate", "status", "took_ms"};
    const char *error = reply_field_text(fields, "error");

    listing_text(l, time_of(w, strtoll(reply_field_text(fields, "started_us"), NULL, 10)));
    for (size_t i = 0; i < ARRAY_LENGTH(plain); i++)
        listing_text(l, reply_field_text(fields, plain[i]));
    listing_text(l, *error ? error : NULL);
    listing_text(l, shown(w, reply_field_text(fields, "reply")));
}

static int attempts(struct webhooks_call *w)
{
    struct listing *l = listing_new("time id event type number fate status took_ms error reply");
    struct error err = ERROR_INIT;
    const struct reply *entries;
    const char *limit = NULL;
    int64_t most = ATTEMPTS_DEFAULT;
    bool ok = true;

    if (verb_option(w->call, "limit", &limit) &&
        (!limit || !text_int(limit, strlen(limit), &most) || most < 1 || most > WEBHOOK_ATTEMPTS_MOST))
        ok = error_set(&err, ERROR_INPUT, "--limit: a number from 1 to %d", WEBHOOK_ATTEMPTS_MOST);
    ok = ok && webhook_store_attempts(w->store, (size_t)most, w->arena, &entries, &err);
    for (size_t i = 0; ok && i < entries->count; i++)
        list_attempt(w, l, &entries->items[i].items[1]);
    if (ok)
        listing_write(l, stdout, w->call->json);
    listing_free(l);
    return ok ? EXIT_DONE : verb_failed("webhooks attempts", &err);
}

/* ------------------------------------------------------------------------------------------------------- doing */

bool webhooks_record(const struct webhooks_call *w, const char *type, struct error *err)
{
    return verb_deed_begin(w->call->settings, type, arena_printf(w->arena, "webhooks/%s", w->named.name),
                           json_pack("{s:s}", "handler", w->named.handler->name), err);
}

int webhooks_done(const struct webhooks_call *w, const char *what, bool ok, const struct error *err)
{
    if (!ok)
        return verb_failed("webhooks", err);
    if (w->call->json)
        printf("{\"webhook\":\"%s\",\"done\":\"%s\",\"dry_run\":%s}\n", w->named.name, what,
               w->call->dry_run ? "true" : "false");
    else
        printf("%s: %s%s\n", w->named.name, w->call->dry_run ? "would be " : "", what);
    return EXIT_DONE;
}

static int pause_target(struct webhooks_call *w)
{
    struct error err = ERROR_INIT;
    bool ok = w->call->dry_run ||
              (webhooks_record(w, "webhook.paused", &err) && webhook_store_pause(w->store, clock_wall_us(), &err));

    return webhooks_done(w, "paused", ok, &err);
}

static int resume(struct webhooks_call *w)
{
    struct error err = ERROR_INIT;
    bool ok =
        w->call->dry_run || (webhooks_record(w, "webhook.resumed", &err) && webhook_store_turn_on(w->store, &err));

    return webhooks_done(w, "resumed", ok, &err);
}

static void print_answer(const struct webhooks_call *w, const struct delivery_attempt *a)
{
    struct listing *l = listing_new("webhook status took_ms error reply");

    listing_text(l, w->named.name);
    listing_int(l, a->status);
    listing_int(l, a->took_ms);
    listing_text(l, *a->error ? a->error : NULL);
    listing_text(l, shown(w, a->reply.text));
    listing_write(l, stdout, w->call->json);
    listing_free(l);
}

static int test(struct webhooks_call *w)
{
    struct error err = ERROR_INIT;
    struct webhook_answer answer;

    if (w->call->dry_run)
        return EXIT_DONE;
    if (!webhooks_record(w, "webhook.tested", &err) || !webhook_named_test(&w->named, w->arena, &answer, &err))
        return verb_failed("webhooks test", &err);
    print_answer(w, &answer.attempt);
    return verb_deed_settle(delivery_attempt_done(&answer.attempt, &err), &err) ? EXIT_DONE : EXIT_FAILED;
}

static int resend(struct webhooks_call *w)
{
    struct error err = ERROR_INIT;
    bool ok;

    if (w->call->argc != 3)
        return verb_usage("webhooks", "resend NAME ID: crier webhooks attempts NAME shows the ids");
    ok = w->call->dry_run ||
         (webhooks_record(w, "webhook.resent", &err) &&
          webhook_named_resend(w->call->settings, w->redis, &w->named, w->call->argv[2], w->arena, &err));
    return webhooks_done(w, "sent again", ok, &err);
}

/* ------------------------------------------------------------------------------------------------------ the verb */

struct action {
    const char *name;
    bool named; /* about one target */
    int (*run)(struct webhooks_call *w);
};

static const char usage[] = "say list, seal, add URL, or show, attempts, test, pause, resume, resend, rotate or remove "
                            "with a NAME that list shows";

static const struct action *action_find(const char *name)
{
    static const struct action actions[] = {
        {"list",     false, list           },
        {"add",      false, webhooks_add   },
        {"seal",     false, webhooks_seal  },
        {"show",     true,  list           },
        {"attempts", true,  attempts       },
        {"test",     true,  test           },
        {"pause",    true,  pause_target   },
        {"resume",   true,  resume         },
        {"resend",   true,  resend         },
        {"rotate",   true,  webhooks_rotate},
        {"remove",   true,  webhooks_remove},
    };

    for (size_t i = 0; i < ARRAY_LENGTH(actions); i++)
        if (strcmp(name, actions[i].name) == 0)
            return &actions[i];
    return NULL;
}

static bool name_target(struct webhooks_call *w, const char *name, struct error *err)
{
    const struct handler_settings *hs;

    if (!webhook_named_find(w->call->settings, w->redis, name, w->arena, &w->named, err))
        return false;
    if (w->named.name)
        return true;
    hs = handler_named(w->call->settings, name, &webhook_handler, err);
    return hs && error_set(err, ERROR_INPUT, "%s serves subscriptions: name one of them by its id", name);
}

static int run_named(struct webhooks_call *w, const struct action *action)
{
    struct error err = ERROR_INIT;
    int status;

    if (!name_target(w, w->call->argv[1], &err))
        return err.kind == ERROR_AGAIN ? verb_failed("webhooks", &err) : verb_usage("webhooks", err.text);
    w->store = webhook_store_new(w->redis, w->named.name);
    status = action->run(w);
    webhook_store_free(w->store);
    return status;
}

int verb_webhooks(struct verb_call *call)
{
    struct webhooks_call w = {.call = call};
    const struct action *action = call->argc > 0 ? action_find(call->argv[0]) : NULL;
    int status;

    if (!action || (action->named && call->argc < 2))
        return verb_usage("webhooks", usage);
    w.redis = settings_redis(call->settings);
    w.arena = arena_new();
    status = action->named ? run_named(&w, action) : action->run(&w);
    arena_free(w.arena);
    redis_free(w.redis);
    return status;
}
