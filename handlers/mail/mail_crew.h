/*
 * handlers/mail/mail_crew.h - the threads that send the mails that are due.
 *
 * They sleep while nothing is due, look again every half second, as another process may have left something, and are
 * woken by who adds in this one.
 */
#ifndef HANDLERS_MAIL_MAIL_CREW_H
#define HANDLERS_MAIL_MAIL_CREW_H

#include "config/settings.h"
#include "handlers/mail/mail_office.h"

#define MAIL_AREA "mail" /* the hash tag of all keys */

enum { MAIL_REMEMBER_S = 7 * 86400 };

struct mail_crew;

struct mail_crew *mail_crew_start(const struct settings *s, const struct mail_office *o); /* both lent */
void mail_crew_wake(struct mail_crew *c);

/* Lets those under way end, each within the time limit; what is not sent stays in Redis. NULL is fine. */
void mail_crew_join(struct mail_crew *c);

#endif
