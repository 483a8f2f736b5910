/* `crier import access-log`: what web servers wrote over the years becomes events, each line once. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "notifier/access_log/access_log_import.h"
#include "notifier/verb_deed.h"
#include "notifier/verbs.h"

enum { BACKLOG_MOST = 100000 };

struct log {
    const char *path;
    int64_t first_us, bytes;
};

struct import_run {
    const struct verb_call *call;
    struct import *import;
    struct progress progress;
    struct log *logs;
    size_t count;
};

static bool is_standard_input(const struct log *l)
{
    return text_same(l->path, "-");
}

/* ---------------------------------------------------------------------------------------------------- the report */

static void name_lines(const struct import_counts *c)
{
    int64_t all = c->unreadable + c->outcomes[INTAKE_REFUSED];

    for (size_t i = 0; i < c->named_count; i++) {
        struct buf text = BUF_INIT;

        text_add_escaped(&text, c->named[i].path, strlen(c->named[i].path), 1024);
        buf_printf(&text, ":%lld: ", (long long)c->named[i].line);
        text_add_escaped(&text, c->named[i].reason, strlen(c->named[i].reason), 1024);
        fprintf(stderr, "%s\n", text.data);
        buf_release(&text);
    }
    if (all > (int64_t)c->named_count)
        fprintf(stderr, "... and %lld more\n", (long long)(all - (int64_t)c->named_count));
}

/* What became of events, in the words of the report; what else could stops the import, or was ruled out before it. */
static const struct {
    enum intake_outcome outcome;
    const char *name;
} outcomes[] = {
    {INTAKE_ACCEPTED,  "accepted"  },
    {INTAKE_DUPLICATE, "duplicates"},
    {INTAKE_ROBOT,     "robots"    },
    {INTAKE_MACHINE,   "machines"  },
    {INTAKE_IGNORED,   "ignored"   },
    {INTAKE_PREVIEW,   "previews"  },
    {INTAKE_REFUSED,   "refused"   },
};

static void write_json(const struct import_run *run, const struct import_counts *c)
{
    struct buf out = BUF_INIT;

    buf_printf(&out, "{\"files\":%zu,\"lines\":%lld,\"events\":%lld", run->count, (long long)c->lines,
               (long long)c->events);
    for (size_t i = 0; i < ARRAY_LENGTH(outcomes); i++)
        buf_printf(&out, ",\"%s\":%lld", outcomes[i].name, (long long)c->outcomes[outcomes[i].outcome]);
    buf_printf(&out, ",\"unreadable\":%lld,\"unfinished_files\":%lld,\"known_bytes\":%lld,\"dry_run\":%s}\n",
               (long long)c->unreadable, (long long)c->unfinished, (long long)c->known_bytes,
               run->call->dry_run ? "true" : "false");
    fwrite(out.data, 1, out.length, stdout);
    buf_release(&out);
}

static void write_text(const struct import_run *run, const struct import_counts *c)
{
    printf("lines %lld, events %lld:%s", (long long)c->lines, (long long)c->events,
           run->call->dry_run ? " would be" : "");
    for (size_t i = 0; i < ARRAY_LENGTH(outcomes); i++)
        printf("%s %s %lld", i ? "," : "", outcomes[i].name, (long long)c->outcomes[outcomes[i].outcome]);
    printf("; unreadable lines %lld\n", (long long)c->unreadable);
    if (c->known_bytes > 0)
        printf("%lld bytes were imported before\n", (long long)c->known_bytes);
    if (c->unfinished > 0)
        printf("%lld files end within a line, which is left for the next time\n", (long long)c->unfinished);
}

static int report(const struct import_run *run)
{
    const struct import_counts *c = import_counts(run->import);

    name_lines(c);
    if (run->call->json)
        write_json(run, c);
    else
        write_text(run, c);
    return c->unreadable > 0 || c->outcomes[INTAKE_REFUSED] > 0 ? EXIT_PART_FAILED : EXIT_DONE;
}

/* ----------------------------------------------------------------------------------------------------- the files */

static int by_time(const void *a, const void *b)
{
    const struct log *left = a, *right = b;

    return left->first_us < right->first_us ? -1 : left->first_us > right->first_us;
}

/* A click may be followed by another one in the next file: the oldest file comes first, standard input last. */
static bool put_in_order(struct import_run *run, int64_t *bytes, struct error *err)
{
    *bytes = 0;
    for (size_t i = 0; i < run->count; i++) {
        struct log *l = &run->logs[i];
        struct stat about;

        if (is_standard_input(l)) {
            l->first_us = INT64_MAX;
            continue;
        }
        if (stat(l->path, &about) != 0)
            return error_set(err, ERROR_INPUT, "%s: %s", l->path, strerror(errno));
        if (!import_first_time(run->import, l->path, &l->first_us, err))
            return false;
        l->bytes = about.st_size;
        *bytes += l->bytes;
    }
    qsort(run->logs, run->count, sizeof *run->logs, by_time);
    if (run->count > 0 && is_standard_input(&run->logs[run->count - 1]))
        *bytes = 0; /* nobody knows */
    return true;
}

/* For the audit, before it is done: the events do not say who had them made. */
static bool say_import(const struct import_run *run, const struct import_options *o, struct error *err)
{
    json_t *files = json_array();

    for (size_t i = 0; i < run->count; i++)
        json_array_append_new(files, json_string(run->logs[i].path)); /* what is not UTF-8 is left out */
    return verb_deed_begin(o->settings, "log.imported", "logs/access",
                           json_pack("{s:o, s:b}", "files", files, "again", o->again), err);
}

static bool import_all(struct import_run *run, int64_t bytes, struct error *err)
{
    bool ok = true;

    progress_start(&run->progress, "bytes", bytes, run->call->json);
    for (size_t i = 0; ok && i < run->count; i++)
        ok = import_file(run->import, run->logs[i].path, err);
    progress_end(&run->progress);
    return ok;
}

/* ------------------------------------------------------------------------------------------------------ the verb */

static const char *usage_mistake(const struct verb_call *call, const struct import_options *o, bool backlog_good)
{
    int standard_inputs = 0;

    if (!backlog_good)
        return "--backlog is a number of events, at least 1";
    for (int i = 0; i < call->argc; i++) {
        if (call->argv[i][0] == '-' && call->argv[i][1])
            return "there is no such option";
        standard_inputs += text_same(call->argv[i], "-");
    }
    if (call->argc < 1 || !text_same(call->argv[0], "access-log"))
        return "say what is imported: access-log FILE...";
    if (call->argc < 2)
        return "give a file, or - for standard input";
    if (standard_inputs > 1)
        return "standard input can be read once";
    if (standard_inputs > 0 && o->again)
        return "--again is for files";
    return NULL;
}

static int run_import(struct import_run *run, struct import_options *o)
{
    struct error err = ERROR_INIT;
    int64_t bytes;
    int status;

    o->progress = &run->progress;
    run->import = import_new(o, &err);
    if (!run->import)
        return verb_failed("import", &err);
    if (!put_in_order(run, &bytes, &err)) {
        status = verb_failed("import", &err);
    } else if (!o->dry_run && !say_import(run, o, &err)) {
        status = verb_failed("import", &err);
    } else if (import_all(run, bytes, &err)) {
        status = report(run);
    } else {
        report(run);
        error_in(&err, "stopped, the same again goes on where it stopped");
        status = verb_failed("import", &err);
    }
    import_free(run->import);
    return status;
}

int verb_import(struct verb_call *call)
{
    struct import_options o = {.settings = call->settings, .dry_run = call->dry_run, .backlog_most = BACKLOG_MOST};
    struct import_run run = {.call = call};
    const char *backlog = NULL, *mistake;
    bool backlog_good = true;
    int status;

    if (verb_option(call, "backlog", &backlog))
        backlog_good = backlog && text_int(backlog, strlen(backlog), &o.backlog_most) && o.backlog_most > 0;
    o.again = verb_option(call, "again", NULL);
    if ((mistake = usage_mistake(call, &o, backlog_good)))
        return verb_usage("import", mistake);
    run.count = (size_t)call->argc - 1;
    run.logs = xcalloc(run.count, sizeof *run.logs);
    for (size_t i = 0; i < run.count; i++)
        run.logs[i].path = call->argv[i + 1];
    status = run_import(&run, &o);
    free(run.logs);
    return status;
}
