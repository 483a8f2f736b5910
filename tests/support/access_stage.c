#include "support/access_stage.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/clock.h"

enum { SOON_MS = 5000 };

static unsigned hello(void *context, struct buf *body)
{
    buf_add_text(body, context);
    return 200;
}

/* Says who asked for what. */
static unsigned answer(void *context, const struct page_request *request, struct buf *body)
{
    const char *n = page_argument(request, "n");

    (void)context;
    buf_printf(body, "{\"method\":\"%s\",\"rest\":\"%s\",\"n\":\"%s\",\"by\":\"%s\"}", request->method, request->rest,
               n ? n : "", request->caller->name);
    return 200;
}

static void open_stage(void **state, const char *listen, const char *access)
{
    static char text[] = "hello";
    struct access_stage *s = xcalloc(1, sizeof *s);
    struct error err;
    char ini[400];

    snprintf(ini, sizeof ini,
             "[redis]\nurl = REDIS\n[http]\nlisten = %s\naccess = %s\n[queue changes]\nevents = user.*\n", listen,
             access);
    s->pages[0] =
        (struct door_page){.path = "/health/live", .content_type = "text/plain", .render = hello, .context = text};
    s->pages[1] = (struct door_page){.path = "/metrics",
                                     .content_type = "text/plain",
                                     .scope = SCOPE_METRICS_READ,
                                     .render = hello,
                                     .context = text};
    s->pages[2] = (struct door_page){.path = "/things/",
                                     .content_type = "application/json",
                                     .methods = "GET, DELETE",
                                     .scope = SCOPE_AUDIT_READ,
                                     .answer = answer,
                                     .body_bytes = 1000};
    s->client.scene = scene_open(ini);
    s->client.door = door_open(s->client.scene->settings, s->pages, &err);
    if (!s->client.door)
        fail_msg("%s", err.text);
    s->client.curl = curl_easy_init();
    buf_init(&s->client.body);
    *state = s;
}

int access_stage_open_tokens(void **state)
{
    open_stage(state, "127.0.0.1:0", "tokens");
    return 0;
}

int access_stage_open_loopback(void **state)
{
    open_stage(state, "127.0.0.1:0", "loopback");
    return 0;
}

int access_stage_open_everywhere(void **state)
{
    open_stage(state, "0.0.0.0:0", "loopback");
    return 0;
}

int access_stage_close(void **state)
{
    struct access_stage *s = *state;

    curl_easy_cleanup(s->client.curl);
    door_close(s->client.door);
    scene_close(s->client.scene);
    json_decref(s->client.json);
    buf_release(&s->client.body);
    free(s);
    return 0;
}

char *access_tokens(struct access_stage *s, int status, const char *a, const char *b, const char *c, const char *d,
                    const char *e, const char *f)
{
    const char *words[] = {"tokens", "--config", s->client.scene->config_path, a, b, c, d, e, f, NULL};
    char *said = NULL;
    int code = crier_run(&said, words);

    if (code != status)
        fail_msg("crier tokens %s: %d, %s", a, code, said);
    return said;
}

char *access_token(struct access_stage *s, const char *name, const char *scopes, const char *events)
{
    char *said = access_tokens(s, 0, "create", name, "--scope", scopes, events ? "--events" : NULL, events);

    said[strcspn(said, "\n")] = '\0';
    return said;
}

long access_ask(struct access_stage *s, const char *method, const char *path, const char *token, const char *body)
{
    char authorization[200];
    const char *const headers[] = {authorization, STRUCTURED, NULL};

    snprintf(authorization, sizeof authorization, "Authorization: Bearer %s", token ? token : "");
    return client_request(&s->client, method, path, token ? headers : headers + 1, body, body ? strlen(body) : 0);
}

void access_becomes(struct access_stage *s, long status, const char *method, const char *path, const char *token,
                    const char *body)
{
    int64_t until_ms = clock_monotonic_ms() + SOON_MS;

    while (access_ask(s, method, path, token, body) != status)
        if (clock_monotonic_ms() > until_ms)
            fail_msg("%s %s: %ld, not %ld: %s", method, path, s->client.status, status, s->client.body.data);
}
