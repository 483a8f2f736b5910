#include <stdio.h>
#include <string.h>

#include "notifier/verb_deed.h"
#include "scheduler/webhooks_call.h"

/* An option that is there without its value; "" where it is not given. */
static bool option_lacks(struct webhooks_call *w, const char *name, const char **value)
{
    bool lacks = verb_option(w->call, name, value) && !*value;

    if (!*value)
        *value = "";
    return lacks;
}

static bool read_subscription(struct webhooks_call *w, struct subscription *s, const char **handler,
                              enum signature_kind *kind, struct error *err)
{
    const char *signature = NULL;
    const struct {
        const char *name, **value;
    } options[] = {
        {"events",     &s->events    },
        {"condition",  &s->condition },
        {"payload",    &s->payload   },
        {"headers",    &s->headers   },
        {"owner",      &s->owner     },
        {"owner-mail", &s->owner_mail},
        {"handler",    handler       },
        {"signature",  &signature    },
    };
    bool lacks = false;

    *s = (struct subscription){.id = "", .secret = "", .within = "", .owner_id = "", .closed = ""};
    for (size_t i = 0; i < ARRAY_LENGTH(options); i++)
        lacks = option_lacks(w, options[i].name, options[i].value) || lacks;
    if (lacks)
        return error_set(err, ERROR_INPUT, "an option lacks its value");
    if (w->call->argc != 2)
        return error_set(err, ERROR_INPUT, "give one URL: crier webhooks add URL [--events PATTERNS] [--condition C]");
    s->url = w->call->argv[1];
    return subscription_kind(signature, kind, err);
}

static struct subscriptions served(const struct webhooks_call *w)
{
    return webhook_subscriptions(w->call->settings, w->redis, w->named.handler);
}

/* Of one that is signed by v1a nobody is shown more than what verifies. */
static void print_made(const struct webhooks_call *w)
{
    const struct subscription *s = w->named.subscription;
    bool public;
    const char *shown = subscription_shown(s, &public, w->arena);

    if (w->call->json)
        printf("{\"id\":\"%s\",\"%s\":\"%s\"}\n", s->id, public ? "public_key" : "secret", shown);
    else
        printf("%s\n%s\n", s->id, shown);
}

/* Its secret is shown this once. */
int webhooks_add(struct webhooks_call *w)
{
    struct error err = ERROR_INIT;
    struct subscriptions all;
    struct subscription s;
    enum signature_kind kind;
    const char *handler = NULL;

    if (!read_subscription(w, &s, &handler, &kind, &err) ||
        !(w->named.handler = webhook_serving(w->call->settings, *handler ? handler : NULL, &err)) ||
        !subscription_admit(&s, w->named.handler->own, &err))
        return verb_usage("webhooks", err.text);
    if (w->call->dry_run) {
        printf("would be added\n");
        return EXIT_DONE;
    }
    subscription_make(&s, kind, w->arena);
    w->named.subscription = &s;
    w->named.name = s.id;
    all = served(w);
    if (!webhooks_record(w, "webhook.created", &err) || !subscription_add(&all, &s, w->arena, &err))
        return verb_failed("webhooks add", &err);
    print_made(w);
    return EXIT_DONE;
}

static int only_subscriptions(const char *what)
{
    char text[200];

    snprintf(text, sizeof text, "%s is for subscriptions; the secret and URL of a handler stand in the configuration",
             what);
    return verb_usage("webhooks", text);
}

int webhooks_rotate(struct webhooks_call *w)
{
    struct error err = ERROR_INIT;
    bool over = verb_option(w->call, "over", NULL), ok;
    const char *kind = NULL;
    enum signature_kind ignored;
    struct subscriptions all;

    if (!w->named.subscription)
        return only_subscriptions("rotate");
    if (verb_option(w->call, "signature", &kind) && (!kind || !subscription_kind(kind, &ignored, &err)))
        return verb_usage("webhooks", "--signature v1 or v1a");
    all = served(w);
    if (w->call->dry_run)
        return webhooks_done(w, "rotated", true, &err);
    ok = webhooks_record(w, "webhook.rotated", &err) &&
         subscription_rotate(&all, w->named.subscription, over, kind ? kind : "", w->arena, &err);
    if (!ok || over)
        return webhooks_done(w, "signed by the newest secret alone", ok, &err);
    print_made(w);
    return EXIT_DONE;
}

int webhooks_remove(struct webhooks_call *w)
{
    struct error err = ERROR_INIT;
    bool was = true, ok;
    struct subscriptions all;

    if (!w->named.subscription)
        return only_subscriptions("remove");
    all = served(w);
    ok = w->call->dry_run ||
         (webhooks_record(w, "webhook.removed", &err) && subscription_remove(&all, w->named.name, &was, &err) &&
          (was || error_set(&err, ERROR_INPUT, "it was removed already")));
    return webhooks_done(w, "removed", ok, &err);
}

/* One that was changed meanwhile was sealed with that. */
static bool seal_one(struct webhooks_call *w, const struct subscriptions *all, const struct subscription *s,
                     size_t *sealed, struct error *err)
{
    bool was = true, ok;

    if (*s->closed)
        return error_set(err, ERROR_CONFIG, "%s: %s", s->id, s->closed);
    if (!s->seal_old)
        return true;
    ok = w->call->dry_run || (webhooks_record(w, "webhook.sealed", err) &&
                              verb_deed_settle(subscription_seal(all, s->id, w->arena, &was, err), err));
    *sealed += ok && was;
    return ok;
}

/* The others go on where one does not open. */
static bool seal_handler(struct webhooks_call *w, size_t *sealed, size_t *closed, struct error *err)
{
    struct subscriptions all = served(w);
    struct subscription *list;
    size_t count;

    if (!subscription_list(&all, w->arena, &list, &count, err))
        return false;
    for (size_t i = 0; i < count; i++) {
        w->named.name = list[i].id;
        if (seal_one(w, &all, &list[i], sealed, err))
            continue;
        if (err->kind == ERROR_AGAIN)
            return false;
        fprintf(stderr, "%s\n", err->text);
        ++*closed;
    }
    return true;
}

int webhooks_seal(struct webhooks_call *w)
{
    const struct settings *s = w->call->settings;
    struct error err = ERROR_INIT;
    size_t sealed = 0, closed = 0;
    bool ok = s->redis.seal || error_set(&err, ERROR_CONFIG, "there is no [redis] sealing_key");

    for (size_t i = 0; ok && i < s->handler_count; i++) {
        w->named.handler = &s->handlers[i];
        if (webhook_handler_is(w->named.handler) && !webhook_handler_has_target(w->named.handler))
            ok = seal_handler(w, &sealed, &closed, &err);
    }
    if (!ok)
        return verb_failed("webhooks seal", &err);
    if (w->call->json)
        printf("{\"sealed\":%zu,\"closed\":%zu,\"dry_run\":%s}\n", sealed, closed, w->call->dry_run ? "true" : "false");
    else
        printf("%zu %s by the newest key, %zu do not open\n", sealed, w->call->dry_run ? "would be sealed" : "sealed",
               closed);
    return closed > 0 ? EXIT_PART_FAILED : EXIT_DONE;
}
