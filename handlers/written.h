/* handlers/written.h - which indices a handler writes to, by its options. */
#ifndef HANDLERS_WRITTEN_H
#define HANDLERS_WRITTEN_H

#include <stdbool.h>

#include "base/attrs.h"
#include "base/buf.h"
#include "config/settings.h"
#include "indexer/client.h"

/* A text of a handler's own options; "": it has none of that name. */
const char *handler_option_text(const struct handler_settings *hs, const char *name);

/* An index, an alias, a pattern or a list of them; false: it writes to none. */
bool written_index(const struct handler_settings *hs, struct buf *out);

/* What the handlers of those names wrote until now can be searched afterwards. */
bool written_refresh(const struct settings *s, struct client *c, const char *const *handlers, size_t count,
                     struct error *err) must_check;

#endif
