#include "handlers/mail/mail_sender.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/smtp.h"
#include "handlers/mail/mail_schedule.h"
#include "handlers/mail/message.h"

struct mail_sender {
    const struct mail_office *office;
    struct smtp *smtp;
    struct smtp_answer answer;
    struct buf message;
};

struct mail_sender *mail_sender_new(const struct mail_office *o)
{
    struct mail_sender *s = xcalloc(1, sizeof *s);

    s->office = o;
    s->answer = (struct smtp_answer)SMTP_ANSWER_INIT;
    buf_init(&s->message);
    s->smtp = smtp_new(&(struct smtp_options){
        .server = o->options->server,
        .user = o->options->user,
        .password = o->options->password,
        .ca_file = o->options->ca_file,
        .tls = (enum smtp_tls)o->options->tls,
        .timeout_ms = (int)o->options->timeout_ms,
    });
    return s;
}

void mail_sender_free(struct mail_sender *s)
{
    if (!s)
        return;
    smtp_free(s->smtp);
    buf_release(&s->answer.words);
    buf_release(&s->message);
    free(s);
}

static void send_message(struct mail_sender *s, const char *to, int tries, struct arena *arena,
                         struct delivery_attempt *out)
{
    const struct smtp_answer *a = &s->answer;
    const char *bounce = s->office->options->bounce;
    int64_t started_ms = clock_monotonic_ms(), delay_us = mail_delay_us(tries + 1);

    smtp_send(s->smtp,
              &(struct smtp_message){.from = *bounce ? bounce : s->office->from.address,
                                     .to = to,
                                     .bytes = s->message.data,
                                     .length = s->message.length},
              &s->answer);
    out->status = a->status;
    out->took_ms = clock_monotonic_ms() - started_ms;
    out->reply = (struct span){arena_copy(arena, a->words.data, a->words.length), a->words.length};
    out->error = a->outcome == SMTP_SENT ? "" : arena_text(arena, a->err.text);
    out->fate = a->outcome == SMTP_SENT                    ? DELIVERY_DONE
                : a->outcome == SMTP_NEVER || delay_us < 0 ? DELIVERY_DEAD
                                                           : DELIVERY_AGAIN;
    out->next_us = out->fate == DELIVERY_AGAIN ? clock_wall_us() + delay_us : 0;
}

/* The templates may have changed since the event was taken; what cannot be made any more is dead. */
void mail_sender_try(struct mail_sender *s, const struct delivery_claim *claim, const char *one_click,
                     struct arena *arena, struct delivery_attempt *out)
{
    struct error err = ERROR_INIT;
    const struct event *e = &claim->event;
    json_t *data = e->data.length ? json_text_parse(e->data.text, e->data.length, JSON_DEPTH_MOST, &err) : NULL;

    *out = (struct delivery_attempt){.started_us = clock_wall_us(), .error = "", .reply = SPAN_NONE};
    buf_reset(&s->message);
    if (mail_letter_add(s->office,
                        &(struct mail_letter){e, data, claim->to, claim->note, claim->id, one_click, out->started_us},
                        &s->message, &err)) {
        send_message(s, claim->to, claim->tries, arena, out);
    } else {
        out->fate = DELIVERY_DEAD;
        out->error = arena_text(arena, err.text);
    }
    json_decref(data);
}

void mail_sender_rest(struct mail_sender *s)
{
    smtp_rest(s->smtp);
}

void mail_sender_test(struct mail_sender *s, const char *to, struct arena *arena, struct delivery_attempt *out)
{
    unsigned char secret[ID_BYTES];
    char digits[ID_TEXT_BYTES];
    struct error err = ERROR_INIT;

    *out = (struct delivery_attempt){.started_us = clock_wall_us(), .error = "", .reply = SPAN_NONE};
    random_secret(secret, sizeof secret);
    hash_hex(secret, sizeof secret, digits);
    buf_reset(&s->message);
    if (message_add(
            &(struct message_parts){
                .from = &s->office->from,
                .to = to,
                .subject = span_of("crier: a test"),
                .text = span_of("This mail was sent to see that mails arrive.\n"),
                .html = SPAN_NONE,
                .id = arena_printf(arena, "mail_%s", digits),
                .unsubscribe = "",
                .one_click = "",
                .now_us = out->started_us,
            },
            &s->message, &err)) {
        send_message(s, to, 0, arena, out);
    } else {
        out->fate = DELIVERY_DEAD;
        out->error = arena_text(arena, err.text);
    }
}
