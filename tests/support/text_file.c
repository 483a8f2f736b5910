#include "support/text_file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/file.h"

char *text_file_put(const char *folder, const char *name, const char *text)
{
    static char path[600];
    struct error err;

    snprintf(path, sizeof path, "%s/%s", folder, name);
    if (!file_replace(path, 0644, text, strlen(text), &err))
        fail_msg("%s", err.text);
    return path;
}
