#include "scheduler/timeline_call.h"

#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/text.h"

enum { LIMIT_DEFAULT = 100, LIMIT_MOST = 1000000 };

bool timeline_call_limit(struct verb_call *call, int64_t *limit, struct error *err)
{
    return verb_option_number(call, "limit", LIMIT_DEFAULT, LIMIT_MOST, limit, err);
}

void timeline_call_print(const json_t *document, bool first)
{
    struct buf raw = BUF_INIT, line = BUF_INIT;

    json_add(&raw, document);
    text_add_json_plain(&line, raw.data, raw.length);
    printf("%s%s", first ? "[" : ",\n", line.data);
    buf_release(&raw);
    buf_release(&line);
}
