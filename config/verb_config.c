#include <stdio.h>

#include "base/buf.h"
#include "base/text.h"
#include "config/print.h"
#include "config/verbs.h"

static bool reference(const struct verb_call *call, struct buf *out, struct error *err)
{
    (void)err;
    if (call->json)
        settings_add_reference_json(call->outside, out);
    else
        settings_add_reference(call->outside, out);
    return true;
}

static bool sample(const struct verb_call *call, struct buf *out, struct error *err)
{
    (void)err;
    settings_add_sample(call->outside, out);
    return true;
}

/* Mistakes go to standard error, as they are no configuration. */
static bool show(const struct verb_call *call, struct buf *out, struct error *err)
{
    struct buf mistakes = BUF_INIT;
    struct settings *s = settings_load(call->config_path, call->outside, &mistakes, err);

    if (!s)
        fwrite(mistakes.data, 1, mistakes.length, stderr);
    else if (call->json)
        settings_add_shown_json(s, out);
    else
        settings_add_shown(s, call->outside, out);
    settings_free(s);
    buf_release(&mistakes);
    return s != NULL;
}

static const struct {
    const char *name;
    bool (*add)(const struct verb_call *call, struct buf *out, struct error *err);
} parts[] = {
    {"reference", reference},
    {"sample",    sample   },
    {"show",      show     },
};

int verb_config(struct verb_call *call)
{
    struct buf out = BUF_INIT;
    struct error err;
    int status = EXIT_DONE;
    size_t i = 0;

    if (call->argc != 1)
        return verb_usage("config", "needs one of reference, sample, show");
    while (i < ARRAY_LENGTH(parts) && !text_same(parts[i].name, call->argv[0]))
        i++;
    if (i == ARRAY_LENGTH(parts))
        return verb_usage("config", "knows reference, sample and show");
    if (!parts[i].add(call, &out, &err))
        status = verb_failed("config", &err);
    fwrite(out.data, 1, out.length, stdout);
    buf_release(&out);
    return status;
}
