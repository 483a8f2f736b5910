#include "notifier/door_page.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"

const char *page_argument(const struct page_request *r, const char *name)
{
    for (size_t i = 0; i < r->argument_count; i++)
        if (strcmp(r->arguments[i].name, name) == 0)
            return r->arguments[i].value;
    return NULL;
}

unsigned page_refuse(struct buf *body, unsigned status, const char *format, ...)
{
    char text[512];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    buf_reset(body);
    buf_add_text(body, "{\"error\":");
    buf_add_json_text(body, text);
    buf_add_text(body, "}\n");
    return status;
}

unsigned page_refuse_error(struct buf *body, const char *page, const struct error *err)
{
    static struct log_limit limit = LOG_LIMIT_INIT;

    if (err->kind != ERROR_AGAIN)
        return page_refuse(body, 400, "%s", err->text);
    log_limited(&limit, LOG_LEVEL_WARN, "%s: %s", page, err->text);
    return page_refuse(body, 503, "not now: try again later");
}
