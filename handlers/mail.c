#include "handlers/mail.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/smtp.h"
#include "handlers/delivery/delivery_store.h"
#include "handlers/mail/mail_crew.h"
#include "handlers/mail/mail_digest.h"
#include "handlers/mail/mail_link.h"
#include "handlers/mail/mail_office.h"
#include "handlers/mail/mail_plan.h"
#include "handlers/mail/mail_recipients.h"
#include "handlers/mail/message.h"
#include "handlers/source/source.h"

#define MIB (INT64_C(1024) * 1024)

enum { ADD_AT_ONCE = 500, WAITING_MOST = 100000 };

static const int64_t add_bytes = MIB;           /* of data on the way to Redis at once */
static const int64_t waiting_bytes = 256 * MIB; /* the larger the data of an event, the fewer may wait before it */

/* Lined up, the columns would go beyond the edge of the page. */
/* clang-format off */
#define AT(field) offsetof(struct mail_options, field)
static const struct config_key keys[] = {
    {"server", CONFIG_TEXT, AT(server), NULL, 0, 0, NULL, smtp_server_check,
     "smtp://HOST[:PORT], or smtps://HOST[:PORT] for TLS from the first byte"},
    {"tls", CONFIG_CHOICE, AT(tls), "required", 0, 0, "none try required", NULL,
     "STARTTLS: required refuses a server that does not offer it; try then sends in the clear"},
    {"user", CONFIG_TEXT, AT(user), "", 0, 0, NULL, NULL,
     "for the login; empty: the server wants none"},
    {"password", CONFIG_SECRET, AT(password), "", 0, 0, NULL, NULL,
     "likewise"},
    {"ca_file", CONFIG_TEXT, AT(ca_file), "", 0, 0, NULL, NULL,
     "certificates to trust (PEM); empty: those of the system"},
    {"timeout", CONFIG_TIME, AT(timeout_ms), "1m", 100, 10 * 60 * 1000, NULL, NULL,
     "longest time for one mail, from the connection to the server's word that it has it"},
    {"concurrency", CONFIG_COUNT, AT(concurrency), "4", 1, 32, NULL, NULL,
     "mails at a time from one process"},
    {"from", CONFIG_TEXT, AT(from), NULL, 0, 0, NULL, mailbox_check,
     "name@example.org or Name <name@example.org>: the sender that is shown"},
    {"bounce", CONFIG_TEXT, AT(bounce), "", 0, 0, NULL, mail_address_key_check,
     "address to which a mail comes back that cannot be delivered; empty: that of from"},
    {"to", CONFIG_TEXT, AT(to), NULL, 0, 0, NULL, mail_to_check,
     "where an event has its recipients, as data.user.email or data.members.email; or one address for all"},
    {"source", CONFIG_TEXT, AT(source), "", 0, 0, NULL, NULL,
     "a [source] that has the addresses: `to` then leads to ids, as data.members.id, or is subject"},
    {"address", CONFIG_TEXT, AT(address), "email", 0, 0, NULL, NULL,
     "where its documents have them"},
    {"recipient_language", CONFIG_TEXT, AT(recipient_language), "", 0, 0, NULL, NULL,
     "where they have the language of who is written to, as preferences.locale; else, and empty: data.language"},
    {"templates", CONFIG_TEXT, AT(templates), NULL, 0, 0, NULL, NULL,
     "folder with TYPE.LANGUAGE.txt (first line Subject: ...) and, if wanted, TYPE.LANGUAGE.html"},
    {"language", CONFIG_TEXT, AT(language), "en", 0, 0, NULL, mail_language_check,
     "stands in where data.language is missing, or no template is in it"},
    {"unsubscribe", CONFIG_TEXT, AT(unsubscribe), "", 0, 0, NULL, message_unsubscribe_check,
     "https: or mailto: address for List-Unsubscribe; empty: none"},
    {"one_click", CONFIG_TEXT, AT(one_click), "", 0, 0, NULL, mail_link_base_check,
     "https: address at which mail programs reach this door, for a link to unsubscribe with one click; empty: none"},
    {"digest_at", CONFIG_TEXT, AT(digest_at), "07:00", 0, 0, NULL, mail_period_at_check,
     "when the mails of a day or a week come as one, to who wants them so (template digest.LANGUAGE.txt)"},
    {"digest_day", CONFIG_CHOICE, AT(digest_day), "monday", 0, 0,
     "sunday monday tuesday wednesday thursday friday saturday", NULL,
     "the day of weekly ones"},
    {"digest_zone", CONFIG_TEXT, AT(digest_zone), "UTC", 0, 0, NULL, mail_period_zone_check,
     "the place whose clocks say so, as Europe/Berlin"},
    CONFIG_END,
};
#undef AT
/* clang-format on */

struct mail {
    struct mail_office *office;
    struct mail_planner planner;
    struct delivery_store store, digests;
    struct mail_crew *crew;
};

/* ------------------------------------------------------------------------------------------------- configuration */

static bool mail_check(const void *options, struct error *err)
{
    const struct mail_options *o = options;
    struct mail_office *office;

    if (*o->password && !*o->user)
        return error_set(err, ERROR_CONFIG, "password: without a user it is never used");
    if (!mail_recipients_check(o, err))
        return false;
    office = mail_office_new("check", "check", o, err);
    mail_office_free(office);
    return office || error_in(err, "templates");
}

/* Every type that is named has its template; of those that fit to a pattern with *, one at least. */
static bool mail_fits(const struct settings *s, const struct handler_settings *hs, struct error *err)
{
    const struct queue_settings *queue = settings_queue(s, hs->queue);
    const char *at = *hs->events ? hs->events : queue ? queue->events : "", *word;
    const struct mail_options *o = hs->own;
    struct mail_office *office = mail_office_new(hs->name, hs->queue, o, err);
    size_t length;
    bool ok = office && (!*o->source || source_named(s, o->source, err));

    while (ok && text_word(&at, &word, &length)) {
        char *pattern = xstrndup(word, length);

        if (!mail_templates_cover(office->templates, pattern))
            ok = error_set(err, ERROR_CONFIG, "templates: %s has no template for events %s", office->options->templates,
                           pattern);
        free(pattern);
    }
    mail_office_free(office);
    return ok;
}

static bool mail_open(struct handler *h, struct error *err)
{
    struct mail *m = h->state = xcalloc(1, sizeof *m);

    delivery_store_init(&m->store, h->redis, MAIL_AREA, h->common->name);
    m->store.remember_s = MAIL_REMEMBER_S;
    mail_digest_store_init(&m->digests, h->redis, h->common->name);
    m->office = mail_office_new(h->common->name, h->common->queue, h->options, err);
    m->planner = (struct mail_planner){.office = m->office, .redis = h->redis};
    if (!m->office || !(m->planner.directory = mail_directory_new(h->settings, h->options, err)))
        return false;
    m->crew = mail_crew_start(h->settings, m->office);
    return true;
}

static void mail_close(struct handler *h)
{
    struct mail *m = h->state;

    if (!m)
        return;
    mail_crew_join(m->crew);
    delivery_store_release(&m->store);
    delivery_store_release(&m->digests);
    mail_directory_free(m->planner.directory);
    mail_office_free(m->office);
    free(m);
}

/* ------------------------------------------------------------------------------------------------------- events */

/* Where some whole events end that begin with order number `from`. */
static size_t some_end(const struct mail_plan *o, size_t from, int64_t *largest)
{
    int64_t bytes = 0;
    size_t end = from;

    *largest = 1;
    for (; end < o->count; end++) {
        int64_t length = (int64_t)o->items[end].event->data.length;
        bool full = bytes >= add_bytes || end - from >= ADD_AT_ONCE;

        if (full && o->items[end].event != o->items[end - 1].event)
            break;
        bytes += length;
        *largest = length > *largest ? length : *largest;
    }
    return end;
}

/* What goes beyond waits where it is, in the stream, and there but once. */
static bool has_room(struct mail *m, int64_t largest, struct arena *arena, struct error *err)
{
    int64_t most = waiting_bytes / largest < WAITING_MOST ? waiting_bytes / largest : WAITING_MOST, waiting;

    if (!delivery_store_waiting(&m->store, arena, &waiting, err))
        return false;
    return waiting < most || error_set(err, ERROR_AGAIN, "%lld mails wait already", (long long)waiting);
}

static bool add(struct mail *m, const struct mail_plan *orders, size_t from, size_t end, struct arena *arena,
                struct error *err)
{
    int64_t now_us = clock_wall_us();

    while (from < end) {
        struct delivery_news news = {.orders = orders->items + from, .now_us = now_us + (int64_t)from};
        struct delivery_added added;
        int64_t bytes = 0;

        while (from + news.count < end && news.count < ADD_AT_ONCE && bytes < add_bytes)
            bytes += (int64_t)news.orders[news.count++].event->data.length;
        if (!delivery_store_add(&m->store, &news, arena, &added, err))
            return false;
        from += news.count;
    }
    return true;
}

/* The first *kept of them, also where it returns false. */
static bool keep(struct mail *m, const struct mail_plan *orders, struct arena *arena, size_t *kept, struct error *err)
{
    bool ok = true;

    *kept = 0;
    while (ok && *kept < orders->count) {
        int64_t largest;
        size_t end = some_end(orders, *kept, &largest);

        ok = has_room(m, largest, arena, err) && add(m, orders, *kept, end, arena, err);
        if (ok)
            *kept = end;
    }
    if (*kept > 0)
        mail_crew_wake(m->crew);
    return ok;
}

/* full: of the digests' orders, those that are not kept. */
static void set_outcome(struct batch *in, size_t i, const struct mail_planned *plans, const bool *full)
{
    struct delivery *d = &in->items[i];
    bool waits = false;

    for (size_t j = i > 0 ? plans[i - 1].digest_end : 0; j < plans[i].digest_end; j++)
        waits = waits || full[j];
    if (waits)
        delivery_set(in, d, OUTCOME_WAIT, arena_printf(in->arena, "%d digests wait already", MAIL_DIGESTS_MOST), "");
    else if (plans[i].reason)
        delivery_set(in, d, OUTCOME_DEAD, plans[i].reason, "");
    else if (d->outcome == OUTCOME_NONE)
        d->outcome = OUTCOME_DONE;
}

/* An event has an outcome only once all of its deliveries are kept, also one of which a part is wrong. One that finds
 * no place in a digest waits by itself; its mails at once are sent, and by their ids no second time. */
static bool mail_handle(struct handler *h, struct batch *in, struct error *err)
{
    struct mail *m = h->state;
    struct mail_plan plan;
    size_t kept = 0;
    bool *full = NULL, ok = mail_plan_make(&m->planner, in, &plan, err);

    if (ok) {
        full = xcalloc(plan.digest_count + 1, sizeof *full);
        ok = mail_digest_add(&m->digests, m->office, plan.digests, plan.digest_count, clock_wall_us(), in->arena, full,
                             err);
    }
    if (ok) {
        ok = keep(m, &plan, in->arena, &kept, err);
        for (size_t i = 0; i < in->count && plan.events[i].end <= kept; i++)
            set_outcome(in, i, plan.events, full);
    }
    free(full);
    mail_plan_release(&plan);
    return ok;
}

const struct handler_type mail_handler = {
    .name = "mail",
    .help = "each event is sent as a mail to its recipients, from a template of its type and language",
    .keys = keys,
    .size = sizeof(struct mail_options),
    .traits = KIND_ONE_LANE | KIND_TAKES_BACK,
    .check = mail_check,
    .fits = mail_fits,
    .open = mail_open,
    .handle = mail_handle,
    .close = mail_close,
};
