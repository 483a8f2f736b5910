/* config/print.h - for programs: what settings.h prints for people, as JSON. */
#ifndef CONFIG_PRINT_H
#define CONFIG_PRINT_H

#include "base/buf.h"
#include "config/settings.h"

/* An array with an object per key: section, handler_type, key, type, required, default, allowed, help. */
void settings_add_reference_json(const struct config_outside *outside, struct buf *out);

/* An object per section, with the values as the file would have them; sections with names one level deeper. */
void settings_add_shown_json(const struct settings *s, struct buf *out);

#endif
