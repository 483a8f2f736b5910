/* config/load.h - what settings.c and load.c share: settings before the file was read. */
#ifndef CONFIG_LOAD_H
#define CONFIG_LOAD_H

#include "config/settings.h"

/* Every key at its default, no queues, events or handlers. */
struct settings *settings_new(const char *path);

#endif
