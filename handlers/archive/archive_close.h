/*
 * handlers/archive/archive_close.h - an open file of an archive becomes a sealed one: its lines counted, packed where
 * that is wanted, its digest beside it.
 */
#ifndef HANDLERS_ARCHIVE_ARCHIVE_CLOSE_H
#define HANDLERS_ARCHIVE_ARCHIVE_CLOSE_H

#include <stdbool.h>

#include "base/attrs.h"
#include "base/error.h"
#include "base/stop.h"

/*
 * name: of the open file, in the folder. What follows the last line feed was torn by a crash and never acknowledged: it
 * goes. A file that another process holds at the moment is left for the next time, and so is what a stop interrupts
 * (both true).
 */
bool archive_close(const char *folder, const char *name, bool pack, struct stop *stop, struct error *err) must_check;

#endif
