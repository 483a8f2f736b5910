#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/json.h"
#include "handlers/report/report.h"
#include "handlers/report/report_month.h"
#include "handlers/report/report_send.h"
#include "notifier/verb_deed.h"
#include "scheduler/verbs.h"

enum { FILE_MODE = 0644 };

struct report_call {
    const struct verb_call *call;
    struct client *client;
    enum report_kind kind;
    int first, last;
    const char *out; /* NULL: standard output */
    bool csv, send;
};

/* ---------------------------------------------------------------------------------------------- where it is written */

static bool write_report(const struct report_call *c, const struct report *r, struct error *err)
{
    struct buf text = BUF_INIT;
    bool ok;

    if (c->csv) {
        report_add_csv(r, &text);
    } else {
        json_add(&text, r->document);
        buf_add_char(&text, '\n');
    }
    ok = c->out ? file_replace(c->out, FILE_MODE, text.data, text.length, err)
                : file_write_all(STDOUT_FILENO, text.data, text.length, err);
    buf_release(&text);
    return ok;
}

/* ---------------------------------------------------------------------------------------------------- its delivery */

static bool note_sending(const struct report_call *c, const struct report *r, struct error *err)
{
    char first[MONTH_TEXT_BYTES], last[MONTH_TEXT_BYTES], subject[40];

    snprintf(subject, sizeof subject, "report/%s", report_kind_name(r->kind));
    return verb_deed_begin(
        c->call->settings, "report.sent", subject,
        json_pack("{s:s, s:s}", "first", month_text(r->first, first), "last", month_text(r->last, last)), err);
}

static bool send_report(const struct report_call *c, const struct report *r, struct error *err)
{
    const struct send_options options = {0, 0};
    struct redis *redis;
    struct buf id = BUF_INIT;
    char month[MONTH_TEXT_BYTES];
    bool ok;

    month_text(r->first, month);
    if (report_is_empty(r)) {
        fprintf(stderr, "%s %s: nothing was used, nothing is sent\n", report_kind_name(r->kind), month);
        return true;
    }
    redis = settings_redis(c->call->settings);
    ok = note_sending(c, r, err) && verb_deed_settle(report_send(r, redis, &options, &id, err), err);
    if (ok)
        fprintf(stderr, "%s %s: sent%s%s\n", report_kind_name(r->kind), month, id.length ? " as " : "", id.data);
    redis_free(redis);
    buf_release(&id);
    return ok || error_in(err, "%s %s", report_kind_name(r->kind), month);
}

/* ----------------------------------------------------------------------------------------------------- one report */

static void say_notes(const struct report *r)
{
    struct buf line = BUF_INIT;
    const json_t *one;
    size_t i;

    json_array_foreach(r->restated, i, one)
    {
        const char *reason = json_member_text(one, "reason", "");

        buf_printf(&line, "%s was restated at %s: ", json_member_text(one, "month", ""),
                   json_member_text(one, "time", ""));
        text_add_escaped(&line, reason, strlen(reason), 200);
        buf_add_char(&line, '\n');
    }
    if (r->unknown_count > 0)
        buf_printf(&line, "%zu records that were used are not in %s\n", r->unknown_count, r->settings->records);
    fputs(line.data, stderr);
    buf_release(&line);
}

static bool report_months(const struct report_call *c, int first, int last, struct error *err)
{
    struct progress progress;
    struct report *r;
    bool ok = true;

    progress_start(&progress, "events", 0, false);
    r = report_make(c->client, c->call->settings, c->kind, first, last, &progress, err);
    progress_end(&progress);
    if (!r)
        return false;
    say_notes(r);
    if (!c->call->dry_run)
        ok = (!c->send || send_report(c, r, err)) && ((c->send && !c->out) || write_report(c, r, err));
    report_free(r);
    return ok;
}

/* The hub of research data takes one month at a time. */
static bool report_all(const struct report_call *c, struct error *err)
{
    if (!c->send || c->kind != REPORT_DSR)
        return report_months(c, c->first, c->last, err);
    for (int month = c->first; month <= c->last; month++)
        if (!report_months(c, month, month, err))
            return false;
    return true;
}

/* ----------------------------------------------------------------------------------------------------- its options */

static bool read_months(struct report_call *c, const char *month, const char *to, struct error *err)
{
    if (!month_parse(month, &c->first, err) || !month_parse(to ? to : month, &c->last, err))
        return false;
    return c->first <= c->last || error_set(err, ERROR_INPUT, "--to comes before --month");
}

static bool take_value(struct verb_call *call, const char *name, const char **value, const char **lacking)
{
    if (verb_option(call, name, value) && !*value)
        *lacking = name;
    return *value != NULL;
}

/* EXIT_DONE, or what the usage error exits with. */
static int read_options(struct verb_call *call, struct report_call *c)
{
    const char *name = NULL, *month = NULL, *to = NULL, *lacking = NULL, *unknown;
    struct error err;

    take_value(call, "report", &name, &lacking);
    take_value(call, "month", &month, &lacking);
    take_value(call, "to", &to, &lacking);
    take_value(call, "out", &c->out, &lacking);
    c->csv = verb_option(call, "csv", NULL);
    c->send = verb_option(call, "send", NULL);
    unknown = verb_unknown_option(call);
    if (unknown) {
        error_set(&err, ERROR_INPUT, "there is no option %s", unknown);
        return verb_usage("report", err.text);
    }
    if (lacking || call->argc != 1 || !name || !month)
        return verb_usage("report", "which standard (cop51 or coprd), --report and --month are needed, each once");
    if (c->csv && c->send)
        return verb_usage("report", "a hub takes JSON, not --csv");
    if (!report_kind_find(call->argv[0], name, &c->kind, &err) || !read_months(c, month, to, &err))
        return verb_usage("report", err.text);
    if (c->send && c->out && c->kind == REPORT_DSR && c->first < c->last)
        return verb_usage("report", "--send delivers each month by itself; --out takes one report");
    return EXIT_DONE;
}

int verb_report(struct verb_call *call)
{
    struct report_call c = {.call = call};
    int code = read_options(call, &c);
    struct error err;

    if (code != EXIT_DONE)
        return code;
    c.client = client_new(&call->settings->opensearch);
    code = report_all(&c, &err) ? EXIT_DONE : verb_failed("report", &err);
    client_free(c.client);
    return code;
}
