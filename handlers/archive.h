/*
 * handlers/archive.h - every event of a queue into daily files, to be sent again by `crier replay`.
 *
 * A line is the event as CloudEvents JSON (notifier/archived.h), on disk before the event is done. An event that comes
 * again stands in the file once, whichever process on the machine it comes to: it is known by its line among the newest
 * (handlers/line_file.h). Around midnight it may stand in the files of both days; a replay of both does no harm, as
 * what handlers do can be repeated. The folder belongs to one machine.
 */
#ifndef HANDLERS_ARCHIVE_H
#define HANDLERS_ARCHIVE_H

#include "handlers/handler.h"

extern const struct handler_type archive_handler;

#endif
