#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "base/text.h"
#include "handlers/webhook/webhook_visit.h"
#include "notifier/deed.h"

enum { DEPTH_MOST = 4, SUBSCRIPTIONS_OF_ONE = 20, LONG_VISITS_MOST = 2 };

/* Before the deed: what cannot be noted is not done. */
static bool record(struct webhook_visit *v, const char *type)
{
    const struct caller *c = v->request->caller;
    const char *actor = *c->id ? arena_printf(v->arena, "tokens/%s", c->id) : "services/door";

    v->deed = deed_begin(v->pages->settings, v->redis, type, arena_printf(v->arena, "webhooks/%s", v->named.name),
                         actor, json_pack("{s:s}", "handler", v->named.handler->name), &v->err);
    return v->deed != NULL;
}

/* After it: how it ended, by v->err where it failed. */
static bool settle(struct webhook_visit *v, bool done)
{
    return deed_settle(v->deed, v->redis, done, &v->err);
}

/* Of one that is signed by v1a nobody is shown more than what verifies. */
static unsigned show_secret(struct webhook_visit *v, unsigned status)
{
    const struct subscription *s = v->named.subscription;
    bool public;
    const char *shown = subscription_shown(s, &public, v->arena);

    buf_printf(v->body, "{\"id\":\"%s\",\"%s\":\"%s\"}", s->id, public ? "public_key" : "secret", shown);
    return status;
}

/* -------------------------------------------------------------------------------------------------------- adding */

/* What is said beside the subscription itself. */
struct wish {
    const char *handler, *signature;
    enum signature_kind kind;
};

/* Unknown members are refused: a misspelt condition would let everything through. */
static bool read_members(struct webhook_visit *v, json_t *object, struct subscription *s, struct wish *w)
{
    const struct {
        const char *name, **value;
    } members[] = {
        {"url",        &s->url       },
        {"events",     &s->events    },
        {"condition",  &s->condition },
        {"payload",    &s->payload   },
        {"headers",    &s->headers   },
        {"secret",     &s->secret    },
        {"owner",      &s->owner     },
        {"owner_mail", &s->owner_mail},
        {"handler",    &w->handler   },
        {"signature",  &w->signature },
    };
    const char *name;
    json_t *value;

    json_object_foreach(object, name, value)
    {
        size_t i = 0;

        while (i < ARRAY_LENGTH(members) && strcmp(name, members[i].name) != 0)
            i++;
        if (i == ARRAY_LENGTH(members))
            return error_set(&v->err, ERROR_INPUT, "there is no member %.40s", name);
        if (!json_is_string(value))
            return error_set(&v->err, ERROR_INPUT, "%s must be a string", name);
        *members[i].value = arena_copy(v->arena, json_string_value(value), json_string_length(value));
    }
    return true;
}

static bool read_body(struct webhook_visit *v, struct subscription *s, struct wish *w)
{
    json_t *object = json_text_parse(v->request->bytes, v->request->length, DEPTH_MOST, &v->err);
    bool ok = object && (json_is_object(object) || error_set(&v->err, ERROR_INPUT, "an object is wanted"));

    *s = (struct subscription){"", "", "", "", "", "", "", "", "", "", "", "", false, 0, ""};
    ok = ok && read_members(v, object, s, w);
    json_decref(object);
    return ok;
}

/* Each costs requests under way and questions to Redis: one token must not take those of all. */
static bool has_room(struct webhook_visit *v)
{
    const struct caller *c = v->request->caller;
    const struct settings *s = v->pages->settings;
    struct subscription *all;
    size_t count, own = 0;

    if (!*c->id || (c->scopes & SCOPE_ADMIN))
        return true;
    for (size_t i = 0; i < s->handler_count; i++) {
        struct subscriptions served = webhook_subscriptions(s, v->redis, &s->handlers[i]);

        if (!webhook_handler_is(&s->handlers[i]) || webhook_handler_has_target(&s->handlers[i]))
            continue;
        if (!subscription_list(&served, v->arena, &all, &count, &v->err))
            return false;
        for (size_t j = 0; j < count; j++)
            own += strcmp(all[j].owner_id, c->id) == 0;
    }
    return own < SUBSCRIPTIONS_OF_ONE ||
           error_set(&v->err, ERROR_INPUT, "a token may have %d subscriptions, and has them", SUBSCRIPTIONS_OF_ONE);
}

static bool read_new(struct webhook_visit *v, struct subscription *s, struct wish *w)
{
    const struct caller *c = v->request->caller;

    *w = (struct wish){"", "", SIGNATURE_HMAC};
    if (!read_body(v, s, w) || !subscription_kind(w->signature, &w->kind, &v->err) ||
        !(v->named.handler = webhook_serving(v->pages->settings, *w->handler ? w->handler : NULL, &v->err)))
        return false;
    s->within = c->events;
    s->owner_id = c->id;
    if (!*s->owner)
        s->owner = c->name;
    return subscription_admit(s, v->named.handler->own, &v->err) && has_room(v);
}

static struct subscriptions served(const struct webhook_visit *v)
{
    return webhook_subscriptions(v->pages->settings, v->redis, v->named.handler);
}

unsigned webhook_page_add(struct webhook_visit *v)
{
    struct subscriptions all;
    struct subscription s;
    struct wish w;

    if (!read_new(v, &s, &w))
        return webhook_visit_refuse(v);
    all = served(v);
    subscription_make(&s, w.kind, v->arena);
    v->named.name = s.id;
    v->named.subscription = &s;
    if (!record(v, "webhook.created") || !settle(v, subscription_add(&all, &s, v->arena, &v->err)))
        return webhook_visit_refuse(v);
    return show_secret(v, 201);
}

/* ------------------------------------------------------------------------------------------------------ changing */

static bool is_subscription(struct webhook_visit *v)
{
    return v->named.subscription ||
           error_set(&v->err, ERROR_INPUT, "that is for subscriptions; %s stands in the configuration", v->named.name);
}

unsigned webhook_page_remove(struct webhook_visit *v)
{
    struct subscriptions all = served(v);
    bool was;

    if (!is_subscription(v) || !record(v, "webhook.removed") ||
        !settle(v, subscription_remove(&all, v->named.name, &was, &v->err)))
        return webhook_visit_refuse(v);
    buf_add_text(v->body, "{\"removed\":true}");
    return 200;
}

unsigned webhook_page_rotate(struct webhook_visit *v)
{
    struct subscriptions all = served(v);
    const char *over = page_argument(v->request, "over"), *kind = page_argument(v->request, "signature");
    enum signature_kind ignored;

    if (!kind)
        kind = "";
    if (!is_subscription(v) || !subscription_kind(kind, &ignored, &v->err) || !record(v, "webhook.rotated") ||
        !settle(v, subscription_rotate(&all, v->named.subscription, over != NULL, kind, v->arena, &v->err)))
        return webhook_visit_refuse(v);
    if (!over)
        return show_secret(v, 200);
    buf_add_text(v->body, "{\"over\":true}");
    return 200;
}

static unsigned set_state(struct webhook_visit *v, bool pause)
{
    struct webhook_store *store = webhook_store_new(v->redis, v->named.name);
    const char *type = pause ? "webhook.paused" : "webhook.resumed";
    bool ok = record(v, type) && settle(v, pause ? webhook_store_pause(store, clock_wall_us(), &v->err)
                                                 : webhook_store_turn_on(store, &v->err));

    webhook_store_free(store);
    return ok ? webhook_page_show(v) : webhook_visit_refuse(v);
}

unsigned webhook_page_pause(struct webhook_visit *v)
{
    return set_state(v, true);
}

unsigned webhook_page_resume(struct webhook_visit *v)
{
    return set_state(v, false);
}

/* ------------------------------------------------------------------------------------------- what asks others too */

/* Targets that hang, or an OpenSearch that does, must not keep all threads that answer: 429 for those beyond. */
static bool begin_long(struct webhook_visit *v)
{
    bool may;

    pthread_mutex_lock(&v->pages->mutex);
    may = v->pages->long_visits < LONG_VISITS_MOST;
    v->pages->long_visits += may;
    pthread_mutex_unlock(&v->pages->mutex);
    return may;
}

static void end_long(struct webhook_visit *v)
{
    pthread_mutex_lock(&v->pages->mutex);
    v->pages->long_visits--;
    pthread_mutex_unlock(&v->pages->mutex);
}

static unsigned refuse_long(struct webhook_visit *v)
{
    return page_refuse(v->body, 429, "%d such requests are under way already: try again later", LONG_VISITS_MOST);
}

/* True: there is an answer to tell; the deed is done only where it is a good one. */
static bool try_target(struct webhook_visit *v, struct webhook_answer *answer)
{
    struct error why = ERROR_INIT;

    if (!webhook_named_test(&v->named, v->arena, answer, &v->err))
        return settle(v, false);
    deed_settle(v->deed, v->redis, delivery_attempt_done(&answer->attempt, &why), &why);
    return true;
}

unsigned webhook_page_test(struct webhook_visit *v)
{
    struct webhook_answer answer;
    bool ok;

    if (!begin_long(v))
        return refuse_long(v);
    ok = record(v, "webhook.tested") && try_target(v, &answer);
    end_long(v);
    return ok ? webhook_page_tested(v, &answer) : webhook_visit_refuse(v);
}

unsigned webhook_page_resend(struct webhook_visit *v)
{
    bool ok;

    if (!begin_long(v))
        return refuse_long(v);
    ok = record(v, "webhook.resent") &&
         settle(v, webhook_named_resend(v->pages->settings, v->redis, &v->named, v->id, v->arena, &v->err));
    end_long(v);
    if (!ok)
        return webhook_visit_refuse(v);
    buf_add_text(v->body, "{\"resent\":true}");
    return 200;
}
