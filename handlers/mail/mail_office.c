#include "handlers/mail/mail_office.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/json.h"
#include "handlers/mail/mail_digest.h"
#include "handlers/mail/message.h"

enum { LANGUAGE_BYTES_MOST = 20 };

static const char digest_template[] = "digest";

struct mail_office *mail_office_new(const char *name, const char *queue, const struct mail_options *o,
                                    struct error *err)
{
    struct mail_office *office = xcalloc(1, sizeof *office);

    office->name = name;
    office->queue = queue;
    office->options = o;
    if (mailbox_read(o->from, &office->from, err) &&
        (office->templates = mail_templates_new(o->templates, o->language, err)) &&
        (office->period = mail_period_new(o->digest_at, o->digest_day, o->digest_zone, err))) {
        office->digests = mail_templates_find(office->templates, span_of(digest_template), o->language);
        return office;
    }
    err->kind = ERROR_CONFIG;
    mail_office_free(office);
    return NULL;
}

void mail_office_free(struct mail_office *o)
{
    if (!o)
        return;
    mail_templates_free(o->templates);
    mail_period_free(o->period);
    free(o);
}

static bool is_digest(const struct event *e)
{
    return span_is(e->type, MAIL_DIGEST_TYPE);
}

/* --------------------------------------------------------------------------------------------------- the letter */

/* The recipient's own or data.language as a template has it ("pt-BR"), or its first part ("pt"), or the one that stands
 * in. */
static const struct mail_template *template_of(const struct mail_office *o, const struct event *e, const json_t *data,
                                               const char *own)
{
    const char *wanted = *own ? own : json_member_text(data, "language", "");
    struct span type = is_digest(e) ? span_of(digest_template) : e->type;
    char language[LANGUAGE_BYTES_MOST + 1] = "";
    const struct mail_template *m;

    if (strlen(wanted) < sizeof language)
        memcpy(language, wanted, strlen(wanted) + 1);
    m = mail_templates_find(o->templates, type, language);
    if (!m || strcmp(m->language, language) == 0)
        return m;
    language[strcspn(language, "-_")] = '\0';
    return mail_templates_find(o->templates, type, language);
}

static bool no_template(const struct mail_office *o, const struct event *e, struct error *err)
{
    return error_set(err, ERROR_INPUT, "there is no template of type %.*s in %s",
                     e->type.length < 200 ? (int)e->type.length : 200, e->type.text, o->options->templates);
}

bool mail_title_add(const struct mail_office *o, const struct event *e, const json_t *data, const char *language,
                    struct buf *out, struct error *err)
{
    const struct mail_template *m = template_of(o, e, data, language);

    if (!m)
        return no_template(o, e, err);
    return mail_text_add(m->subject, e, data, out, err) || error_in(err, "template %s.%s", m->type, m->language);
}

static bool fill(const struct mail_template *m, const struct event *e, const json_t *data, struct buf *subject,
                 struct buf *text, struct buf *html, struct error *err)
{
    return mail_text_add(m->subject, e, data, subject, err) && mail_text_add(m->text, e, data, text, err) &&
           (!m->html || mail_text_add(m->html, e, data, html, err));
}

bool mail_letter_add(const struct mail_office *o, const struct mail_letter *letter, struct buf *out, struct error *err)
{
    const struct event *e = letter->event;
    const json_t *data = letter->data;
    const struct mail_template *m = template_of(o, e, data, letter->language);
    struct buf subject = BUF_INIT, text = BUF_INIT, html = BUF_INIT;
    bool ok;

    if (!m)
        return no_template(o, e, err);
    ok = fill(m, e, data, &subject, &text, &html, err) || error_in(err, "template %s.%s", m->type, m->language);
    ok = ok && message_add(
                   &(struct message_parts){
                       .from = &o->from,
                       .to = letter->to,
                       .subject = {subject.data, subject.length},
                       .text = {text.data,    text.length   },
                       .html = {html.data,    html.length   },
                       .id = letter->id,
                       .unsubscribe = o->options->unsubscribe,
                       .one_click = letter->one_click,
                       .now_us = letter->now_us,
    },
                   out, err);
    buf_release(&subject);
    buf_release(&text);
    buf_release(&html);
    return ok;
}
