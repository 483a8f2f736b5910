/* Events from a file, standard input or the command line, through the same checks as the HTTP door. */
#include "notifier/emit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/hash.h"
#include "base/json.h"
#include "base/progress.h"
#include "notifier/envelope.h"
#include "notifier/intake.h"
#include "notifier/lines.h"
#include "notifier/notification.h"

enum {
    BATCH_EVENTS = 500,
    NAMED_MOST = 20, /* refused lines told one by one; the others are counted */
};

struct emit {
    const struct verb_call *call;
    struct intake *intake;
    const char *name;           /* of the file; NULL: the event stands on the command line */
    size_t lines[BATCH_EVENTS]; /* where the events of the batch stand */
    size_t counts[INTAKE_UNAVAILABLE + 1];
    size_t through; /* the last line that needs not be sent again */
    struct progress progress;
    struct emit_operation operation;
    struct error stopped; /* why nothing more was sent; ERROR_NONE: it was not so */
};

static const char *const attributes[] = {"type", "subject", "id", "source", "time", "revision", "actor"};

/* ---------------------------------------------------------------------------------------------------- outcomes */

static void name_refused(const struct emit *e, size_t line, const char *reason)
{
    struct buf text = BUF_INIT;

    if (e->name)
        buf_printf(&text, "%s:%zu: ", e->name, line);
    text_add_escaped(&text, line_reason(reason), strlen(line_reason(reason)), 1024);
    fprintf(stderr, "%s\n", text.data);
    buf_release(&text);
}

static void note_result(struct emit *e, const struct intake_result *result, size_t line)
{
    e->counts[result->outcome]++;
    if (result->outcome == INTAKE_REFUSED && e->counts[INTAKE_REFUSED] <= NAMED_MOST)
        name_refused(e, line, result->reason);
    if (result->outcome == INTAKE_UNAVAILABLE && e->stopped.kind == ERROR_NONE)
        error_set(&e->stopped, ERROR_AGAIN, "%s", result->reason);
    if (e->stopped.kind == ERROR_NONE)
        e->through = line;
}

static void start_batch(struct emit *e)
{
    intake_start(e->intake);
    emit_operation_begin(&e->operation, e->intake);
}

/* False: Redis took no more. */
static bool send_batch(struct emit *e)
{
    const struct intake_result *results = intake_send(e->intake);
    size_t count = intake_count(e->intake);

    for (size_t i = 0; i < count; i++)
        note_result(e, &results[i], e->lines[i]);
    progress_add(&e->progress, (int64_t)count);
    start_batch(e);
    return e->stopped.kind == ERROR_NONE;
}

/* What is said of each outcome; those of lists that may not be in use are said where there are any. */
static const struct said {
    enum intake_outcome outcome;
    const char *key, *words;
    bool always;
} said[] = {
    {INTAKE_DUPLICATE,  "duplicates", "duplicates", true },
    {INTAKE_ROBOT,      "robots",     "robots",     true },
    {INTAKE_MACHINE,    "machines",   "machines",   false},
    {INTAKE_IGNORED,    "ignored",    "ignored",    false},
    {INTAKE_PREVIEW,    "previews",   "previews",   false},
    {INTAKE_NOT_WANTED, "not_wanted", "not wanted", true },
    {INTAKE_REFUSED,    "refused",    "refused",    true },
};

static void print_counts(const struct emit *e)
{
    const size_t *n = e->counts;

    if (e->call->json)
        printf("{\"accepted\":%zu", n[INTAKE_ACCEPTED]);
    else
        printf("%s %zu", e->call->dry_run ? "would be accepted" : "accepted", n[INTAKE_ACCEPTED]);
    for (size_t i = 0; i < ARRAY_LENGTH(said); i++)
        if (e->call->json)
            printf(",\"%s\":%zu", said[i].key, n[said[i].outcome]);
        else if (said[i].always || n[said[i].outcome] > 0)
            printf(", %s %zu", said[i].words, n[said[i].outcome]);
    if (!e->call->dry_run)
        emit_operation_print(&e->operation, e->call->json);
    if (e->call->json)
        printf(",\"through_line\":%zu,\"dry_run\":%s}", e->through, e->call->dry_run ? "true" : "false");
    putchar('\n');
}

/* What became of what was taken comes before what was not. */
static int status_of(struct emit *e, size_t taken)
{
    int status = emit_operation_status(&e->operation, e->counts[INTAKE_DUPLICATE]);

    if (status != EXIT_DONE || e->counts[INTAKE_REFUSED] == 0)
        return status;
    return taken > 0 ? EXIT_PART_FAILED : EXIT_FAILED;
}

static int report(struct emit *e)
{
    const size_t *n = e->counts;
    struct error err = ERROR_INIT;
    size_t all = 0, taken;

    for (size_t i = 0; i < ARRAY_LENGTH(e->counts); i++)
        all += n[i];
    taken = all - n[INTAKE_REFUSED] - n[INTAKE_UNAVAILABLE];
    if (n[INTAKE_REFUSED] > NAMED_MOST)
        fprintf(stderr, "... and %zu more were refused\n", n[INTAKE_REFUSED] - NAMED_MOST);
    if (e->operation.wait_ms && taken > 0 && !e->call->dry_run && e->stopped.kind == ERROR_NONE &&
        !emit_operation_wait(&e->operation, e->call->settings, &err)) {
        print_counts(e);
        return verb_failed("emit", &err);
    }
    print_counts(e);
    return status_of(e, taken);
}

/* Says how far it came, so that the operator can go on from there. */
static int report_stopped(struct emit *e)
{
    report(e);
    if (e->name)
        error_in(
            &e->stopped,
            "%s: stopped. Lines up to %zu need not be sent again; to send all of them again does no harm, what was "
            "taken then counts as duplicate",
            e->name, e->through);
    return verb_failed("emit", &e->stopped);
}

/* ------------------------------------------------------------------------------------------------- from a file */

/* A place for the next event of the batch, which goes off when it is full. False: Redis took no more. */
static bool make_room(struct emit *e, size_t line)
{
    if (intake_count(e->intake) == BATCH_EVENTS && !send_batch(e))
        return false;
    e->lines[intake_count(e->intake)] = line;
    return true;
}

/* Each record is an event. False: Redis took no more. */
static bool emit_notification(struct emit *e, struct span text, size_t line)
{
    struct arena *arena = arena_new(); /* the intake's own is reset with each batch */
    struct notification notification;
    struct error err = ERROR_INIT;
    bool ok = make_room(e, line);

    if (ok && !notification_read(text, (int)e->call->settings->http.depth, arena, &notification, &err))
        intake_add_refused(e->intake, err.text);
    else
        while (ok && notification_add(&notification, e->intake))
            ok = make_room(e, line);
    arena_free(arena);
    return ok;
}

/* False: Redis took no more. */
static bool emit_line(struct emit *e, struct span line, size_t number)
{
    if (notification_is(line))
        return emit_notification(e, line, number);
    if (!make_room(e, number))
        return false;
    intake_add_text(e->intake, line.text, line.length);
    return true;
}

static bool emit_lines(struct emit *e, struct lines *lines, struct error *err)
{
    for (;;) {
        struct span line;
        enum line_kind kind = lines_next(lines, &line, err);

        if (kind == LINE_FAILED)
            return error_in(err, "%s", e->name);
        if (kind == LINE_END)
            break;
        if (kind == LINE_TEXT) {
            if (!emit_line(e, line, lines->number))
                return true;
        } else if (make_room(e, lines->number)) {
            intake_add_refused(e->intake, "longer than an event may be");
        } else {
            return true;
        }
    }
    send_batch(e);
    return true;
}

static int emit_file(struct emit *e, const char *path)
{
    bool standard_input = text_same(path, "-");
    int fd = standard_input ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
    struct error err = ERROR_INIT;
    struct lines lines;
    bool ok;

    e->name = standard_input ? "standard input" : path;
    if (fd < 0) {
        error_set(&err, ERROR_INPUT, "%s: %s", path, strerror(errno));
        return verb_failed("emit", &err);
    }
    lines_start(&lines, fd, (size_t)e->call->settings->http.batch_bytes); /* a notification may have many records */
    progress_start(&e->progress, "events", 0, e->call->json);
    ok = emit_lines(e, &lines, &err);
    progress_end(&e->progress);
    lines_release(&lines);
    if (!standard_input)
        close(fd);
    if (e->stopped.kind != ERROR_NONE)
        return report_stopped(e);
    if (ok)
        return report(e);
    report(e);
    return verb_failed("emit", &err);
}

/* ------------------------------------------------------------------------------------------- from the command line */

struct given {
    const char *values[ARRAY_LENGTH(attributes)]; /* NULL: not given */
    const char *data;
    const char *notification, *action; /* the kind of the records that follow, and what happened to them */
    bool any;
};

/* Takes the options out of the call. False: one lacks its value. */
static bool take_options(struct verb_call *call, struct given *g)
{
    bool complete = true;

    *g = (struct given){0};
    for (size_t i = 0; i < ARRAY_LENGTH(attributes); i++)
        if (verb_option(call, attributes[i], &g->values[i])) {
            g->any = true;
            complete = complete && g->values[i];
        }
    if (verb_option(call, "data", &g->data)) {
        g->any = true;
        complete = complete && g->data;
    }
    if (verb_option(call, "notification", &g->notification))
        complete = complete && g->notification;
    if (verb_option(call, "action", &g->action))
        complete = complete && g->action;
    return complete;
}

static bool read_event(const struct emit *e, const struct given *g, struct event *event, json_t **data,
                       struct error *err)
{
    struct arena *arena = intake_arena(e->intake);
    unsigned char secret[ID_BYTES];
    char id[ID_TEXT_BYTES];

    random_secret(secret, sizeof secret);
    hash_hex(secret, sizeof secret, id);
    *event = event_none;
    event->id = span_of(arena_text(arena, id));
    event->source = span_of("crier:emit");
    for (size_t i = 0; i < ARRAY_LENGTH(attributes); i++)
        if (g->values[i] && !envelope_attribute(event, attributes[i], g->values[i], arena, err))
            return false;
    if (!envelope_complete(event, arena, err) || !envelope_admitted(event, err))
        return false;
    if (g->data && !(*data = json_text_parse(g->data, strlen(g->data), (int)e->call->settings->http.depth, err)))
        return error_in(err, "--data");
    return true;
}

static int emit_one(struct emit *e, const struct given *g)
{
    struct error err = ERROR_INIT;
    struct event event;
    json_t *data = NULL;

    progress_start(&e->progress, "events", 1, true);
    if (!read_event(e, g, &event, &data, &err))
        intake_add_refused(e->intake, err.text);
    else
        intake_add_event(e->intake, &event, data);
    return send_batch(e) ? report(e) : report_stopped(e);
}

static int emit_records(struct emit *e, const struct given *g)
{
    const struct verb_call *call = e->call;
    struct buf text = BUF_INIT;
    bool ok;

    notification_write(&text, g->notification, g->action, call->argv, call->argc);
    progress_start(&e->progress, "records", call->argc, true);
    ok = emit_notification(e, (struct span){text.data, text.length}, 0) && send_batch(e);
    buf_release(&text);
    return ok ? report(e) : report_stopped(e);
}

/* ---------------------------------------------------------------------------------------------------- the verb */

static const char *usage_mistake(const struct verb_call *call, const struct given *g)
{
    for (int i = 0; i < call->argc; i++)
        if (call->argv[i][0] == '-' && call->argv[i][1])
            return "there is no such option";
    if (g->action && !g->notification)
        return "--action goes with --notification";
    if (g->notification)
        return g->any            ? "give either a notification or an event's attributes"
               : call->argc == 0 ? "give the records that changed, each as PID:UUID:REVISION"
                                 : NULL;
    if (call->argc > 0 && g->any)
        return "give either a file or an event's attributes";
    if (call->argc > 1)
        return "give one file";
    if (g->any && !g->values[0])
        return "an event has a --type";
    if (call->argc == 0 && !g->any && isatty(STDIN_FILENO) == 1)
        return "give a file, - for standard input, or --type and --subject";
    return NULL;
}

int emit(struct verb_call *call, make_searchable *make)
{
    struct emit e = {.call = call, .operation = {.make = make}, .stopped = ERROR_INIT};
    struct error err = ERROR_INIT;
    const char *mistake;
    struct given given;
    int status;

    if (!emit_operation_take(&e.operation, call, &err))
        return verb_usage("emit", err.text);
    if (!take_options(call, &given))
        return verb_usage("emit", "an option lacks its value");
    if ((mistake = usage_mistake(call, &given)))
        return verb_usage("emit", mistake);
    e.intake = call->dry_run ? intake_new_checking(call->settings, &err) : intake_new(call->settings, &err);
    if (!e.intake)
        return verb_failed("emit", &err);
    start_batch(&e);
    status = given.notification ? emit_records(&e, &given)
             : given.any        ? emit_one(&e, &given)
                                : emit_file(&e, call->argc > 0 ? call->argv[0] : "-");
    intake_free(e.intake);
    return status;
}
