/*
 * tests/support/mail_stage.h - an SMTP server, templates of event type user.updated, and a [handler mails].
 */
#ifndef TESTS_SUPPORT_MAIL_STAGE_H
#define TESTS_SUPPORT_MAIL_STAGE_H

#include "support/mail_server.h"
#include "support/scene.h"

struct mail_stage {
    struct scene *scene;
    struct server *server; /* NULL: another one is named */
    char folder[400];      /* of the templates */
};

/* more: lines of the handler's section; to = data.to where they do not say it. With a password there the server wants a
 * login: crier, and CANARY. With a server there none is started; tls and timeout are theirs to say, too. */
struct mail_stage *mail_stage_open(const char *more);
/* The same with lines of [http]. */
struct mail_stage *mail_stage_open_with(const char *http, const char *more);
void mail_stage_close(struct mail_stage *s);

void mail_stage_template(const struct mail_stage *s, const char *name, const char *text);

/* The stream takes an event it has seen once more, as after a replay: what follows is up to the handler. */
void mail_stage_forget_seen(struct scene *scene);

/* Waits until so many attempts are recorded, or fails the test; the newest is first. */
const struct reply *mail_stage_await_attempts(struct scene *scene, size_t count);
const char *mail_stage_attempt_field(const struct reply *attempts, size_t i, const char *name);

/* A message's text, lent by all. */
const char *mail_text_of(const json_t *all, size_t i);

/* The value of its first header of that name, up to the line's end; yours to free. */
char *mail_header_of(const json_t *all, size_t i, const char *name);

#endif
