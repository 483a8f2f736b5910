/* config/secret.h - a secret kept in a file of its own. */
#ifndef CONFIG_SECRET_H
#define CONFIG_SECRET_H

#include <stdbool.h>

#include "base/attrs.h"
#include "base/buf.h"
#include "base/error.h"

/* Appends the file's text without the white space around it. Refused where others may read the file. */
bool secret_read(const char *path, struct buf *out, struct error *err) must_check;

#endif
