#include "support/waiting.h"
#include "support/serve_client.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/json.h"
#include "support/search_index.h"

json_t *wait_send(struct change_stage *st, const char *token, const char *body, const char *query, long *status)
{
    struct buf path = BUF_INIT, text = BUF_INIT;
    json_t *answer;

    buf_printf(&path, "/events?%s", query);
    *status = serve_ask(
        st->serve, &(struct serve_request){.method = "POST", .path = path.data, .token = token, .body = body}, &text);
    answer = json_loadb(text.data, text.length, 0, NULL);
    buf_release(&path);
    buf_release(&text);
    return answer;
}

json_t *wait_tell(struct change_stage *st, const char *token, const char *user, int revision, const char *query,
                  long *status)
{
    char body[400];

    snprintf(body, sizeof body,
             "{\"record_type\":\"users\",\"action\":\"updated\",\"records_info\":[{\"pid\":\"%s\",\"uuid\":\"%s\","
             "\"revision_id\":%d,\"data\":{\"username\":\"name-%d\"}}]}",
             user, user, revision, revision);
    return wait_send(st, token, body, query, status);
}

int64_t wait_found(struct change_stage *st, int revision)
{
    char path[200], body[200];
    json_t *answer;
    int64_t count;

    snprintf(path, sizeof path, "/%smembers/_count", st->platform.opensearch.prefix);
    snprintf(body, sizeof body, "{\"query\":{\"term\":{\"user.username\":\"name-%d\"}}}", revision);
    answer = index_ask(&st->platform, "POST", path, body);
    count = json_integer_value(json_object_get(answer, "count"));
    json_decref(answer);
    return count;
}
