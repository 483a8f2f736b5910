#include "support/source_site.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "support/canary.h"

void source_site_open_stage(struct source_site *f, const char *more)
{
    struct buf ini = BUF_INIT;

    if (f->stage)
        source_stage_close(f->stage);
    f->stage = NULL;
    buf_printf(&ini, "[source s]\ntype = http\nurl = %s/api/records/{id}\n%s", record_server_url(f->server), more);
    f->stage = source_stage_open(ini.data);
    buf_release(&ini);
}

void source_site_open_list(struct source_site *f, const char *path, const char *more)
{
    struct buf keys = BUF_INIT;

    buf_printf(&keys, "list_url = %s%s\n%s", record_server_url(f->server), path, more);
    source_site_open_stage(f, keys.data);
    buf_release(&keys);
}

static int setup_with(void **state, const char *token)
{
    struct source_site *f = *state = xcalloc(1, sizeof *f);

    f->server = record_server_start(token);
    source_site_open_stage(f, "");
    return 0;
}

int source_site_open(void **state)
{
    return setup_with(state, NULL);
}

int source_site_open_token(void **state)
{
    return setup_with(state, CANARY "-and-lily");
}

int source_site_close(void **state)
{
    struct source_site *f = *state;

    if (f->stage)
        source_stage_close(f->stage);
    record_server_free(f->server);
    free(f);
    return 0;
}

void source_site_fill(struct source_site *f, int from, int count)
{
    char id[20];

    for (int i = from; i < from + count; i++) {
        snprintf(id, sizeof id, "r%03d", i);
        record_server_put(f->server, id, i + 1, "{\"title\": \"x\"}");
    }
}
