#include "config/verb.h"

#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/text.h"

static struct error last_failure;

/* argv[index] and, where it has one, its value in the next word are gone. */
static void take_out(struct verb_call *call, int index, int count)
{
    for (int i = index; i + count < call->argc; i++)
        call->argv[i] = call->argv[i + count];
    call->argc -= count;
}

bool verb_option(struct verb_call *call, const char *name, const char **value)
{
    size_t length = strlen(name);

    for (int i = 0; i < call->argc && !text_same(call->argv[i], "--"); i++) {
        const char *word = call->argv[i];

        if (!text_starts(word, "--"))
            continue;
        word += 2;
        if (text_same(word, name)) {
            bool has_value = value && i + 1 < call->argc;

            if (value)
                *value = has_value ? call->argv[i + 1] : NULL;
            take_out(call, i, has_value ? 2 : 1);
            return true;
        }
        if (value && text_starts(word, name) && word[length] == '=') {
            *value = word + length + 1;
            take_out(call, i, 1);
            return true;
        }
    }
    return false;
}

bool verb_option_number(struct verb_call *call, const char *name, int64_t fallback, int64_t most, int64_t *out,
                        struct error *err)
{
    const char *text;

    *out = fallback;
    if (!verb_option(call, name, &text))
        return true;
    return (text && text_int(text, strlen(text), out) && *out >= 1 && *out <= most) ||
           error_set(err, ERROR_INPUT, "--%s needs a number from 1 to %lld", name, (long long)most);
}

const char *verb_unknown_option(const struct verb_call *call)
{
    for (int i = 0; i < call->argc && !text_same(call->argv[i], "--"); i++)
        if (text_starts(call->argv[i], "--"))
            return call->argv[i];
    return NULL;
}

static void say(const char *verb, const char *text, const char *more)
{
    struct buf line = BUF_INIT;

    buf_printf(&line, "crier %s: ", verb);
    text_add_escaped(&line, text, strlen(text), 1024);
    buf_printf(&line, "\n%s", more);
    fwrite(line.data, 1, line.length, stderr);
    buf_release(&line);
}

int verb_failed(const char *verb, const struct error *err)
{
    last_failure = *err;
    say(verb, err->text, "");
    return error_exit_code(err);
}

int verb_usage(const char *verb, const char *what)
{
    struct buf help = BUF_INIT;

    buf_printf(&help, "Try: crier %s --help\n", verb);
    say(verb, what, help.data);
    buf_release(&help);
    return EXIT_USAGE;
}

const char *verb_why(void)
{
    return last_failure.text;
}
