#include "support/browser_site.h"

#include <stdio.h>
#include <string.h>

static void take_message(struct site *s, const char *text)
{
    const char *data = strchr(text, ' ');

    if (!data || s->count == IDS_MOST)
        return;
    snprintf(s->ids[s->count++], ID_ROOM, "%.*s", (int)(data - text), text);
    buf_add_text(&s->heard, data + 1);
    buf_add_char(&s->heard, '\n');
}

static void answer_page(void *context, const struct post_request *request, struct post_reply *reply)
{
    struct site *s = context;
    const char *text = request->length ? request->body : "";

    if (strcmp(request->path, "/") == 0) {
        reply->status = 200;
        reply->type = "text/html; charset=utf-8";
        buf_add(&reply->body, s->page.data, s->page.length);
    } else if (strcmp(request->path, "/message") == 0) {
        take_message(s, text);
    } else if (strcmp(request->path, "/opened") == 0) {
        s->opened++;
    } else if (strcmp(request->path, "/gap") == 0) {
        s->gap = true;
    } else if (strcmp(request->path, "/error") == 0) {
        s->lost++;
        s->closed = *text == '2'; /* EventSource.CLOSED */
    } else {
        reply->status = 404;
    }
}

void site_open(struct site *s)
{
    buf_init(&s->page);
    buf_init(&s->heard);
    s->server = post_server_start(answer_page, s);
}

void site_close(struct site *s)
{
    post_server_free(s->server);
    buf_release(&s->page);
    buf_release(&s->heard);
}

bool site_has_opened(const struct site *s, size_t n)
{
    return s->opened >= n;
}

bool site_has_lost(const struct site *s, size_t n)
{
    return s->lost >= n;
}

bool site_is_closed(const struct site *s, size_t n)
{
    (void)n;
    return s->closed;
}

bool site_has_heard(const struct site *s, size_t n)
{
    return s->count >= n;
}
