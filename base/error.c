#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"

enum { LETTER_BYTES_MOST = 4 };

/* A text that was cut off may end within a letter; JSON that quotes it must not. */
static void end_with_whole_letter(struct error *err)
{
    size_t length = strlen(err->text), whole;

    if (length < sizeof err->text - 1)
        return;
    whole = text_utf8_valid(err->text, length);
    if (length - whole < LETTER_BYTES_MOST)
        err->text[whole] = '\0';
}

bool error_set(struct error *err, enum error_kind kind, const char *format, ...)
{
    va_list args;

    err->kind = kind;
    err->wait_ms = 0;
    va_start(args, format);
    vsnprintf(err->text, sizeof err->text, format, args);
    va_end(args);
    end_with_whole_letter(err);
    return false;
}

bool error_in(struct error *err, const char *format, ...)
{
    char inner[sizeof err->text];
    va_list args;
    size_t room;
    int length;

    memcpy(inner, err->text, sizeof inner);
    va_start(args, format);
    length = vsnprintf(err->text, sizeof err->text, format, args);
    va_end(args);
    if (length < 0 || (size_t)length + 3 > sizeof err->text) {
        end_with_whole_letter(err);
        return false;
    }
    room = sizeof err->text - (size_t)length - 3; /* what does not fit is cut off at its end */
    memcpy(err->text + length, ": ", 2);
    memcpy(err->text + length + 2, inner, room);
    err->text[sizeof err->text - 1] = '\0';
    end_with_whole_letter(err);
    return false;
}

int error_exit_code(const struct error *err)
{
    switch (err->kind) {
    case ERROR_NONE:
        return EXIT_DONE;
    case ERROR_AGAIN:
        return EXIT_UNREACHABLE;
    case ERROR_CONFIG:
        return EXIT_CONFIGURATION;
    case ERROR_INPUT:
        break;
    }
    return EXIT_FAILED;
}
