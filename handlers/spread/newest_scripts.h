/*
 * handlers/spread/newest_scripts.h - what is done in one step to the keys of newest.h, in Redis.
 *
 * A value is "REVISION TIME DELETED MATERIAL", with times in microseconds and revisions that a Lua number need not
 * hold: they are compared as text. Other times are milliseconds. Once it is noted an event is acknowledged and trimmed,
 * so it must go through when memory is short.
 */
#ifndef HANDLERS_SPREAD_NEWEST_SCRIPTS_H
#define HANDLERS_SPREAD_NEWEST_SCRIPTS_H

#include "base/redis.h"

/* The keys of every script, in this order. */
enum newest_key {
    NEWEST_KEY_CONTENT,
    NEWEST_KEY_LOOK,
    NEWEST_KEY_MASS,
    NEWEST_KEY_KEPT,
    NEWEST_KEY_BYTES,
    NEWEST_KEYS,
};

/*
 * ARGV: now, when to look, until when to keep; then of each subject: id, value, whether to mass. Of each the reply says
 * whether it is in mass, and the content that is newer ('' for none).
 */
extern struct redis_script newest_note_script;

/* ARGV: id, when the look was due, when it is due again (0: never). */
extern struct redis_script newest_looked_script;

/* ARGV: id, "REVISION TIME DELETED " of what was spread, when to look (0: never), until when to keep. */
extern struct redis_script newest_spread_script;

/* ARGV: now, how many, how many bytes are too many, when to ask again. How many of them may go. */
extern struct redis_script newest_forget_script;

#endif
