#include "handlers/exec.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"
#include "handlers/outside/answer.h"
#include "handlers/outside/talk.h"
#include "handlers/outside/trial.h"

enum {
    MINUTE = 60 * 1000,
    EVENTS_FIRST = 16, /* how quick the program is shows soon */
    INPUT_KEEP_BYTES = 1024 * 1024,
    OUTPUT_BYTES = 64 * 1024, /* for a parcel, */
    OUTPUT_BYTES_MORE = 4096, /* and for each event in it */
    OWN_END_MS = 200,         /* for a program that has closed its output to be gone */
    QUIET_END_MS = 2000,      /* for one whose input is closed */
    COMPLAINTS_MOST = 50,     /* lines of standard error in the log, in so long: */
    COMPLAINTS_MS = 10000,
};

struct options {
    char *command, *environment, *directory;
    bool keep;
    int64_t timeout_ms, memory_bytes, open_files, cpu_ms;
};

static bool command_check(const char *command, struct error *err)
{
    return command[strspn(command, " \t")] == '/' ||
           error_set(err, ERROR_CONFIG, "must begin with the whole path of a program, as it is run without a shell");
}

static bool environment_check(const char *names, struct error *err)
{
    return !strchr(names, '=') ||
           error_set(err, ERROR_CONFIG, "must be names only: their values are those that crier itself has");
}

static bool directory_check(const char *path, struct error *err)
{
    return *path == '/' || error_set(err, ERROR_CONFIG, "must be a whole path, beginning with /");
}

/* clang-format off */
#define AT(field) offsetof(struct options, field)
static const struct config_key keys[] = {
    {"command", CONFIG_TEXT, AT(command), NULL, 0, 0, NULL, command_check,
     "path of the program and its arguments, separated by spaces; run without a shell, so nothing in it is replaced"},
    {"keep", CONFIG_FLAG, AT(keep), "yes", 0, 0, NULL, NULL,
     "whether the program goes on for the next events; no: it is started for each parcel of them"},
    {"environment", CONFIG_TEXT, AT(environment), "PATH LANG LC_ALL TZ", 0, 0, NULL, environment_check,
     "variables that the program gets, by their names; it gets no others"},
    {"timeout", CONFIG_TIME, AT(timeout_ms), "20s", 100, 20 * MINUTE, NULL, NULL,
     "longest wait for its next outcome; at most a third of the deadline"},
    {"directory", CONFIG_TEXT, AT(directory), "", 0, 0, NULL, directory_check,
     "that the program runs in; empty: the one that crier runs in"},
    {"memory", CONFIG_SIZE, AT(memory_bytes), "0", 0, 0, NULL, NULL,
     "most address space of each of the program's processes; 0: as much as crier may have"},
    {"open_files", CONFIG_COUNT, AT(open_files), "0", 0, 1000000, NULL, NULL,
     "most files that each of them has open; 0: as many as crier may have"},
    {"cpu", CONFIG_TIME, AT(cpu_ms), "0s", 0, 24 * 60 * MINUTE, NULL, NULL,
     "most processor time of each of them in its life, in whole seconds, then it is ended; 0s: no limit"},
    CONFIG_END,
};
#undef AT
/* clang-format on */

struct exec {
    const struct options *options;
    const char *name;
    struct program program;
    char **arguments, **environment;
    struct trial trial;
    struct buf input;
    struct parcel *parcel; /* the one under way */
    struct error why;      /* what was wrong with the last line that was not understood */
    int64_t complaints_from_ms;
    int complaints;
};

static bool exec_fits(const struct settings *s, const struct handler_settings *hs, struct error *err)
{
    const struct options *o = hs->own;

    (void)s;
    return 3 * o->timeout_ms <= hs->deadline_ms ||
           error_set(err, ERROR_CONFIG, "timeout: at most a third of the handler's deadline");
}

/* ------------------------------------------------------------------------------------------------- its beginning */

/* "NAME=value" as it is in the environment; NULL: it is not there. Else yours to free. */
static char *variable(const char *name, size_t length)
{
    struct buf out = BUF_INIT;
    const char *value;

    buf_add(&out, name, length);
    value = getenv(out.data);
    if (value) {
        buf_add_char(&out, '=');
        buf_add_text(&out, value);
        return buf_take(&out);
    }
    buf_release(&out);
    return NULL;
}

/* NULL-ended. */
static char **words_of(const char *text, char *(*make)(const char *word, size_t length))
{
    char **words = xcalloc(strlen(text) / 2 + 2, sizeof(char *));
    const char *word;
    size_t length, count = 0;

    while (text_word(&text, &word, &length))
        if ((words[count] = make(word, length)))
            count++;
    return words;
}

static void free_words(char **words)
{
    for (size_t i = 0; words && words[i]; i++)
        free(words[i]);
    free(words);
}

static bool exec_open(struct handler *h, struct error *err)
{
    struct exec *x = h->state = xcalloc(1, sizeof *x);

    (void)err;
    x->options = h->options;
    x->name = h->common->name;
    x->arguments = words_of(x->options->command, xstrndup);
    x->environment = words_of(x->options->environment, variable);
    program_init(&x->program, &(struct program_options){
                                  .arguments = x->arguments,
                                  .environment = x->environment,
                                  .directory = x->options->directory,
                                  .memory_bytes = x->options->memory_bytes,
                                  .open_files = x->options->open_files,
                                  .cpu_s = (x->options->cpu_ms + 999) / 1000,
                              });
    buf_init(&x->input);
    trial_init(&x->trial, EVENTS_FIRST);
    return true;
}

static void exec_close(struct handler *h)
{
    struct exec *x = h->state;

    if (!x)
        return;
    program_release(&x->program);
    free_words(x->arguments);
    free_words(x->environment);
    buf_release(&x->input);
    free(x);
}

/* ---------------------------------------------------------------------------------------------- what the program says
 */

static enum talk_line on_line(void *context, struct span line)
{
    struct exec *x = context;
    size_t before = x->parcel->open;

    if (!answer_one(x->parcel, line.text, line.length, &x->why))
        error_in(&x->why, "its output");
    if (x->parcel->open == 0)
        return TALK_WAS_LAST;
    return x->parcel->open < before ? TALK_OF_USE : TALK_OF_NO_USE;
}

static void on_complaint(void *context, struct span line)
{
    struct exec *x = context;
    int64_t now_ms = clock_monotonic_ms();

    if (now_ms - x->complaints_from_ms > COMPLAINTS_MS) {
        if (x->complaints > COMPLAINTS_MOST)
            log_warn("handler %s: %d more lines of its program were left out", x->name,
                     x->complaints - COMPLAINTS_MOST);
        x->complaints_from_ms = now_ms;
        x->complaints = 0;
    }
    if (x->complaints++ < COMPLAINTS_MOST)
        log_info("handler %s: its program says: %.*s", x->name, (int)line.length, line.text);
}

static enum talk_end talk(struct exec *x, int64_t until_ms)
{
    struct talk t = {
        .close = !x->options->keep,
        .output_most = OUTPUT_BYTES + x->parcel->count * OUTPUT_BYTES_MORE,
        .silence_ms = x->options->timeout_ms,
        .until_ms = until_ms,
        .on_line = on_line,
        .on_complaint = on_complaint,
        .context = x,
    };

    buf_reset(&x->input);
    buf_trim(&x->input, INPUT_KEEP_BYTES);
    for (size_t i = 0; i < x->parcel->count; i++) {
        event_add_json(&x->parcel->items[i]->event, &x->input);
        buf_add_char(&x->input, '\n');
    }
    t.input = x->input.data;
    t.length = x->input.length;
    return talk_with(&x->program, &t);
}

/* ------------------------------------------------------------------------------------------------ what comes of it */

/* Why events have no outcome, for people; the program is gone after it. */
static const char *end_program(struct exec *x, enum talk_end end)
{
    struct arena *arena = x->parcel->batch->arena;
    const char *said = x->why.kind ? arena_printf(arena, "; %s", x->why.text) : "";

    program_end(&x->program, end == TALK_ENDED ? OWN_END_MS : 0);
    if (end == TALK_SILENT)
        return arena_printf(arena, "the program gave no outcome for %lld ms%s", (long long)x->options->timeout_ms,
                            said);
    if (end == TALK_FLOOD)
        return arena_printf(arena, "the program said too much%s", said);
    return arena_printf(arena, "the program %s%s", x->program.how, said);
}

/* Events without outcome. False: all of them go again after a pause. */
static bool settle_rest(struct exec *x, enum talk_end end, struct error *err)
{
    const char *why = end_program(x, end);
    enum outcome outcome;

    if (end == TALK_LATE) {
        parcel_leave_rest(x->parcel);
        return true;
    }
    outcome = trial_failed(&x->trial, x->parcel->open);
    if (outcome == OUTCOME_NONE)
        return error_set(err, ERROR_AGAIN, "%s", why);
    parcel_settle_open(x->parcel, outcome, "the program gave the event no outcome", why);
    return true;
}

static bool exec_parcel(struct exec *x, int64_t until_ms, struct error *err)
{
    int64_t began_ms = clock_monotonic_ms();
    enum talk_end end;

    program_has_ended(&x->program); /* of itself, since the last parcel: no event of this one is the reason */
    if (!program_start(&x->program, err))
        return false;
    x->why = (struct error)ERROR_INIT;
    end = talk(x, until_ms);
    if (x->parcel->open < x->parcel->count)
        trial_passed(&x->trial, x->parcel->count - x->parcel->open, clock_monotonic_ms() - began_ms);
    if (end != TALK_ALL)
        return settle_rest(x, end, err);
    if (!x->options->keep)
        program_end(&x->program, QUIET_END_MS);
    return true;
}

static bool exec_handle(struct handler *h, struct batch *in, struct error *err)
{
    int64_t until_ms = clock_monotonic_ms() + parcel_pass_ms(h->common->deadline_ms);
    struct exec *x = h->state;
    struct parcel parcel;

    x->parcel = &parcel;
    parcel_init(&parcel, in);
    while (parcel_fill(&parcel, x->trial.most)) {
        if (!exec_parcel(x, until_ms + x->options->timeout_ms, err))
            return false;
        if (clock_monotonic_ms() >= until_ms)
            parcel_leave_rest(&parcel);
    }
    return true;
}

const struct handler_type exec_handler = {
    .name = "exec",
    .help = "events to a program of the operator's, which says what became of each",
    .keys = keys,
    .size = sizeof(struct options),
    .fits = exec_fits,
    .open = exec_open,
    .handle = exec_handle,
    .close = exec_close,
};
