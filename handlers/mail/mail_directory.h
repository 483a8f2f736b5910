/*
 * handlers/mail/mail_directory.h - addresses and languages of people by their ids, as a [source] has them now.
 *
 * Within one pass each id is asked for once, and those of all its events together. One thread at a time.
 */
#ifndef HANDLERS_MAIL_MAIL_DIRECTORY_H
#define HANDLERS_MAIL_MAIL_DIRECTORY_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/attrs.h"
#include "base/error.h"
#include "config/settings.h"
#include "handlers/mail/mail_office.h"

enum { MAIL_DIRECTORY_MOST = 10000 /* people known at a time */ };

struct mail_directory;

/* The options are lent. NULL: ERROR_CONFIG. */
struct mail_directory *mail_directory_new(const struct settings *s, const struct mail_options *o,
                                          struct error *err) must_check;
void mail_directory_free(struct mail_directory *d); /* NULL is fine */

const struct mail_options *mail_directory_options(const struct mail_directory *d);
bool mail_directory_has_source(const struct mail_directory *d);

/* A new pass begins: people may have changed. */
void mail_directory_forget(struct mail_directory *d);

/* Whether so many more can be known at a time. */
bool mail_directory_has_room(const struct mail_directory *d, size_t count) must_check;

/* One who is to be asked for, with others, where nothing is known by that id; there is room. False: ERROR_AGAIN: the
 * source is away. */
bool mail_directory_want(struct mail_directory *d, const char *id, struct error *err) must_check;

/* Asks for those who are wanted still. False: likewise. */
bool mail_directory_learn(struct mail_directory *d, struct error *err) must_check;

struct mail_person {
    const json_t *addresses; /* texts; lent until all is forgotten */
    size_t wrong;            /* what is where the address should be, and is none */
    const char *language;    /* "": the source tells none */
};

/* Of one who was wanted, and learned. NULL in addresses: there is nobody by that id. */
struct mail_person mail_directory_find(const struct mail_directory *d, const char *id);

#endif
