#include "base/http_many.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/http_link.h"

enum {
    LOOK_MS = 1000,
    REPLY_KEEP_BYTES = 256 * 1024,
};

struct link {
    struct http *http;
    CURL *easy; /* of the request under way; NULL: none */
    struct http_request request;
    struct http_reply reply;
    size_t number;
};

struct http_many {
    CURLM *multi;
    struct link *links;
    size_t count;
};

struct http_many *http_many_new(const struct http_options *o, size_t links)
{
    struct http_many *m = xcalloc(1, sizeof *m);

    m->multi = curl_multi_init();
    if (!m->multi)
        abort(); /* as exhausted memory everywhere */
    m->count = links;
    m->links = xcalloc(links, sizeof *m->links);
    for (size_t i = 0; i < links; i++) {
        m->links[i].http = http_new(o);
        m->links[i].reply = (struct http_reply)HTTP_REPLY_INIT;
    }
    return m;
}

void http_many_free(struct http_many *m)
{
    if (!m)
        return;
    for (size_t i = 0; i < m->count; i++) {
        http_free(m->links[i].http);
        buf_release(&m->links[i].reply.body);
    }
    curl_multi_cleanup(m->multi);
    free(m->links);
    free(m);
}

static void begin(struct http_many *m, size_t link, const struct http_work *work, size_t number)
{
    struct link *l = &m->links[link];

    l->number = number;
    l->request = (struct http_request){.method = "GET"};
    work->ask(work->context, number, link, &l->request);
    l->easy = http_begin(l->http, &l->request, &l->reply);
    if (curl_multi_add_handle(m->multi, l->easy) != CURLM_OK)
        abort(); /* it is in use, or memory is exhausted */
}

static bool end(struct http_many *m, struct link *l, CURLcode code, struct error *err)
{
    curl_multi_remove_handle(m->multi, l->easy);
    l->easy = NULL;
    return http_end(l->http, code, err);
}

/* Hands over what is finished; *done counts. */
static bool take_answers(struct http_many *m, const struct http_work *work, size_t *done, struct error *err)
{
    CURLMsg *message;
    int left;

    while ((message = curl_multi_info_read(m->multi, &left))) {
        CURLcode code = message->data.result;
        struct error failed = ERROR_INIT;
        size_t i = 0;
        bool whole;

        while (m->links[i].easy != message->easy_handle)
            i++;
        whole = end(m, &m->links[i], code, &failed);
        (*done)++;
        if (!work->answer(work->context, m->links[i].number, &m->links[i].reply, whole ? NULL : &failed, err))
            return false;
        buf_reset(&m->links[i].reply.body);
        buf_trim(&m->links[i].reply.body, REPLY_KEEP_BYTES);
    }
    return true;
}

static void give_up(struct http_many *m)
{
    for (size_t i = 0; i < m->count; i++)
        if (m->links[i].easy) {
            struct error ignored;
            bool whole = end(m, &m->links[i], CURLE_ABORTED_BY_CALLBACK, &ignored);

            (void)whole;
        }
}

/* Every request ends within its own time limit, so this ends. */
bool http_many_send(struct http_many *m, const struct http_work *work, struct error *err)
{
    size_t begun = 0, done = 0;
    bool ok = true;
    int running;

    while (ok && done < work->count) {
        for (size_t i = 0; i < m->count && begun < work->count; i++)
            if (!m->links[i].easy)
                begin(m, i, work, begun++);
        if (curl_multi_perform(m->multi, &running) != CURLM_OK)
            abort();
        ok = take_answers(m, work, &done, err);
        if (ok && running > 0 && running == (int)(begun - done))
            curl_multi_poll(m->multi, NULL, 0, LOOK_MS, NULL);
    }
    give_up(m);
    return ok;
}
