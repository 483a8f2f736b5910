#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"
#include "base/listing.h"
#include "handlers/delivery/delivery_store.h"
#include "handlers/handler.h"
#include "handlers/mail.h"
#include "handlers/mail/mail_crew.h"
#include "handlers/mail/mail_link.h"
#include "handlers/mail/mail_preferences.h"
#include "handlers/mail/mail_recipients.h"
#include "handlers/mail/mail_sender.h"
#include "notifier/envelope.h"
#include "notifier/verb_deed.h"
#include "scheduler/verbs.h"

enum { ATTEMPTS_DEFAULT = 100, EVENT_BYTES_MOST = 1024 * 1024, SHOWN_BYTES = 80 };

struct mail_call {
    struct verb_call *call;
    const struct handler_settings *handler;
    bool named; /* it was said which */
    struct mail_office *office;
    struct redis *redis;
    struct arena *arena;
};

/* ------------------------------------------------------------------------------------------------------ preview */

static bool read_event(struct mail_call *m, struct event *e, json_t **data, struct error *err)
{
    struct buf text = BUF_INIT;
    json_t *object = NULL;
    bool ok = file_read(m->call->argv[1], EVENT_BYTES_MOST, &text, err) &&
              (object = json_text_parse(text.data, text.length, JSON_DEPTH_DEFAULT, err)) &&
              envelope_read(object, m->arena, e, data, err) && envelope_complete(e, m->arena, err);

    e->unique = e->id;
    json_decref(object);
    buf_release(&text);
    return ok || error_in(err, "%s", m->call->argv[1]);
}

/* To everybody the event has, as it would go on the wire. */
static bool print_letters(const struct mail_call *m, const struct event *e, const json_t *data, struct error *err)
{
    struct mail_directory *directory = mail_directory_new(m->call->settings, m->office->options, err);
    struct mail_recipients to = {.count = 0};
    struct buf letter = BUF_INIT;
    bool ok = directory && mail_recipients_find(directory, e, data, m->arena, &to, err);

    mail_directory_free(directory);
    for (size_t i = 0; ok && i < to.count; i++) {
        char id[DELIVERY_ID_BYTES];

        delivery_id("mail_", m->office->name, to.items[i], e, id);
        ok = mail_letter_add(m->office,
                             &(struct mail_letter){e, data, to.items[i], to.languages[i], id, "", clock_wall_us()},
                             &letter, err);
        buf_add_text(&letter, "\r\n");
    }
    for (size_t i = 0; ok && i < letter.length; i++)
        if (letter.data[i] != '\r')
            putchar(letter.data[i]);
    buf_release(&letter);
    if (ok && (to.wrong > 0 || to.count == 0))
        return error_set(err, ERROR_INPUT, "%zu of %zu values at %s are missing, or no mail address", to.wrong,
                         to.wrong + to.count, m->office->options->to);
    return ok;
}

static int preview(struct mail_call *m)
{
    struct event e = event_none;
    struct error err = ERROR_INIT;
    json_t *data = NULL;
    bool ok;

    if (m->call->argc != 2)
        return verb_usage("mail", "preview takes the file of one event");
    ok = read_event(m, &e, &data, &err) && print_letters(m, &e, data, &err);
    json_decref(data);
    return ok ? EXIT_DONE : verb_failed("mail preview", &err);
}

/* ------------------------------------------------------------------------------------------------ test, attempts */

static int test(struct mail_call *m)
{
    struct mail_sender *sender;
    struct delivery_attempt attempt;
    struct error err = ERROR_INIT;
    struct listing *l;

    if (m->call->argc != 2)
        return verb_usage("mail", "test takes the address to which a mail is to go");
    if (!mail_address_check(span_of(m->call->argv[1]), &err))
        return verb_usage("mail", err.text);
    if (m->call->dry_run)
        return EXIT_DONE;
    if (!verb_deed_begin(m->call->settings, "mail.tested", arena_printf(m->arena, "handlers/%s", m->handler->name),
                         NULL, &err))
        return verb_failed("mail test", &err);
    sender = mail_sender_new(m->office);
    mail_sender_test(sender, m->call->argv[1], m->arena, &attempt);
    l = listing_new("handler sent status took_ms error");
    listing_text(l, m->handler->name);
    listing_text(l, attempt.fate == DELIVERY_DONE ? "yes" : "no");
    listing_int(l, attempt.status);
    listing_int(l, attempt.took_ms);
    listing_text(l, *attempt.error ? attempt.error : NULL);
    listing_write(l, stdout, m->call->json);
    listing_free(l);
    mail_sender_free(sender);
    return verb_deed_settle(delivery_attempt_done(&attempt, &err), &err) ? EXIT_DONE : EXIT_FAILED;
}

static void list_attempt(const struct mail_call *m, struct listing *l, const struct reply *fields)
{
    static const char *const plain[] = {"id", "to", "event", "type", "number", "fate", "status", "took_ms"};
    const char *error = reply_field_text(fields, "error");
    char time[TIME_TEXT_BYTES];

    time_text(reply_field_int(fields, "started_us") / US_PER_SECOND * US_PER_SECOND, time);
    listing_text(l, arena_text(m->arena, time));
    for (size_t i = 0; i < ARRAY_LENGTH(plain); i++)
        listing_text(l, reply_field_text(fields, plain[i]));
    listing_text(l, *error ? arena_printf(m->arena, "%.*s", m->call->json ? 512 : SHOWN_BYTES, error) : NULL);
}

static int attempts(struct mail_call *m)
{
    struct delivery_store store;
    struct listing *l = listing_new("time id to event type number fate status took_ms error");
    const struct reply *entries;
    struct error err = ERROR_INIT;
    bool ok;

    delivery_store_init(&store, m->redis, MAIL_AREA, m->handler->name);
    ok = delivery_store_attempts(&store, ATTEMPTS_DEFAULT, m->arena, &entries, &err);
    for (size_t i = 0; ok && i < entries->count; i++)
        list_attempt(m, l, &entries->items[i].items[1]);
    if (ok)
        listing_write(l, stdout, m->call->json);
    listing_free(l);
    delivery_store_release(&store);
    return ok ? EXIT_DONE : verb_failed("mail attempts", &err);
}

/* -------------------------------------------------------------------------------------------------- preferences */

static bool alias_of(struct mail_call *m, const char **alias, struct error *err)
{
    char digest[ID_TEXT_BYTES];

    mail_preference_digest(m->call->argv[1], digest);
    return mail_address_alias(m->redis, digest, m->arena, alias, err);
}

/* The deed is recorded before it is done, and without the address. */
static bool change(struct mail_call *m, const char *handler, enum mail_frequency f, struct error *err)
{
    const char *alias;

    return alias_of(m, &alias, err) &&
           verb_deed_begin(m->call->settings, "mail.preference_set", alias,
                           json_pack("{s:s, s:s*}", "mails", mail_frequency_word(f), "handler", handler), err) &&
           verb_deed_settle(mail_preference_set(m->redis, handler, m->call->argv[1], f, m->arena, err), err);
}

/* For all handlers, or the one that is named. */
static int preferences(struct mail_call *m)
{
    const char *word = m->call->argc == 3 ? m->call->argv[2] : NULL;
    const char *handler = m->named ? m->handler->name : NULL;
    enum mail_frequency f = MAIL_AT_ONCE;
    struct error err = ERROR_INIT;
    const char *alias;
    struct listing *l;

    if (m->call->argc < 2 || m->call->argc > 3 || (word && !mail_frequency_read(word, &f)))
        return verb_usage("mail",
                          "preferences takes an address, and off, at-once, daily or weekly to change what it gets");
    if (!mail_address_check(span_of(m->call->argv[1]), &err))
        return verb_usage("mail", err.text);
    if ((word && !m->call->dry_run && !change(m, handler, f, &err)) ||
        !mail_preference_get(m->redis, m->handler->name, m->call->argv[1], m->arena, &f, &err) ||
        !alias_of(m, &alias, &err))
        return verb_failed("mail preferences", &err);
    l = listing_new("address handler mails audit");
    listing_text(l, m->call->argv[1]);
    listing_text(l, m->handler->name);
    listing_text(l, mail_frequency_word(f));
    listing_text(l, alias);
    listing_write(l, stdout, m->call->json);
    listing_free(l);
    return EXIT_DONE;
}

/* ------------------------------------------------------------------------------------------------------ the verb */

/* The one that is named, or the only one there is. NULL: ERROR_INPUT. */
static const struct handler_settings *choose(struct verb_call *call, bool *named, struct error *err)
{
    const struct handler_settings *only = NULL;
    const char *name = NULL;

    *named = verb_option(call, "handler", &name);
    if (*named) {
        if (name)
            return handler_named(call->settings, name, &mail_handler, err);
        error_set(err, ERROR_INPUT, "--handler: the name of a [handler] of type mail");
        return NULL;
    }
    for (size_t i = 0; i < call->settings->handler_count; i++) {
        if (strcmp(call->settings->handlers[i].type, mail_handler.name) != 0)
            continue;
        if (only) {
            error_set(err, ERROR_INPUT, "there are several handlers of type mail: say which with --handler NAME");
            return NULL;
        }
        only = &call->settings->handlers[i];
    }
    if (!only)
        error_set(err, ERROR_INPUT, "there is no [handler] of type mail");
    return only;
}

static int run(struct mail_call *m, int (*action)(struct mail_call *m))
{
    struct error err = ERROR_INIT;
    int status;

    m->office = mail_office_new(m->handler->name, m->handler->queue, m->handler->own, &err);
    if (!m->office)
        return verb_failed("mail", &err);
    m->redis = settings_redis(m->call->settings);
    m->arena = arena_new();
    status = action(m);
    arena_free(m->arena);
    redis_free(m->redis);
    mail_office_free(m->office);
    return status;
}

int verb_mail(struct verb_call *call)
{
    static const struct {
        const char *name;
        int (*run)(struct mail_call *m);
    } actions[] = {
        {"preview",     preview    },
        {"test",        test       },
        {"attempts",    attempts   },
        {"preferences", preferences},
    };
    struct mail_call m = {.call = call};
    struct error err = ERROR_INIT;

    m.handler = choose(call, &m.named, &err);
    if (!m.handler)
        return verb_usage("mail", err.text);
    for (size_t i = 0; call->argc > 0 && i < ARRAY_LENGTH(actions); i++)
        if (strcmp(call->argv[0], actions[i].name) == 0)
            return run(&m, actions[i].run);
    return verb_usage(
        "mail", "say preview EVENT.json, test ADDRESS, attempts or preferences ADDRESS [off|at-once|daily|weekly]");
}
