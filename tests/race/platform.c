#include "race/platform.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/json.h"

/* ---------------------------------------------------------------------------------------------- to OpenSearch */

/* A request that must be answered; the status. */
static long ask(struct platform *p, const char *path, const char *body)
{
    const struct http_reply *reply;
    struct error err;

    if (!client_send(p->client, "POST", path, body ? "application/x-ndjson" : NULL, body, body ? strlen(body) : 0,
                     &reply, &err)) {
        fprintf(stderr, "the platform: %s\n", err.text);
        abort();
    }
    if (body && strstr(reply->body.data, "\"status\":4") && !strstr(reply->body.data, "\"status\":409") &&
        !strstr(reply->body.data, "\"status\":404")) {
        fprintf(stderr, "the platform: %s\n", reply->body.data);
        abort();
    }
    return strstr(reply->body.data, "\"status\":409") ? 409 : reply->status;
}

void platform_refresh(struct platform *p)
{
    char path[100];

    snprintf(path, sizeof path, "/%s/_refresh", p->index);
    ask(p, path, NULL);
}

/* ----------------------------------------------------------------------------------------------------- dumping */

void platform_name(const struct subject_row *s, int64_t revision, char out[NAME_BYTES])
{
    snprintf(out, NAME_BYTES, "S%.16s at %" PRId64, s->id, revision);
}

static void add_revision(const struct platform *p, const struct subject_row *s, struct buf *out)
{
    if (p->shape->uuid)
        buf_printf(out, ",\"@v\":\"%s::%" PRId64 "\"", s->id, s->revision);
    else if (!p->shape->no_revision)
        buf_printf(out, ",\"@v\":%" PRId64, s->revision);
}

/* The copy as a dump has it; false: none, as the subject is gone. */
static bool add_copy(const struct platform *p, const struct subject_row *s, struct buf *out)
{
    char name[NAME_BYTES];

    if (s->deleted && p->shape->on_delete == ON_DELETE_REMOVE)
        return false;
    platform_name(s, s->revision, name);
    buf_printf(out, "{\"id\":\"%s\"", s->id);
    add_revision(p, s, out);
    if (!s->deleted)
        buf_printf(out, ",\"name\":\"%s\"", name);
    else if (p->shape->on_delete == ON_DELETE_TOMBSTONE)
        buf_add_text(out, ",\"deleted\":true");
    buf_add_char(out, '}');
    return true;
}

static void add_document(const struct platform *p, const struct dependent_row *d, struct buf *out)
{
    size_t copies = 0;

    buf_printf(out, "{\"own\":\"%s at %" PRId64 "\"", d->id, d->version);
    if (d->in_array)
        buf_printf(out, ",\"%s\":[", p->shape->field);
    for (size_t i = 0; i < d->subject_count; i++) {
        struct buf copy = BUF_INIT;

        if (add_copy(p, &p->subjects[d->subjects[i]], &copy)) {
            if (!d->in_array)
                buf_printf(out, ",\"%s\":", p->shape->field);
            buf_printf(out, "%s%s", copies++ ? "," : "", copy.data);
        }
        buf_release(&copy);
    }
    buf_add_text(out, d->in_array ? "]}" : "}");
}

static char *dump(const struct platform *p, const struct dependent_row *d)
{
    struct buf line = BUF_INIT;

    buf_printf(&line, "{\"%s\":{\"_index\":\"%s\",\"_id\":\"%s\"", d->exists ? "index" : "delete", p->index, d->id);
    if (!p->shape->own)
        buf_printf(&line, ",\"version\":%" PRId64 ",\"version_type\":\"external_gte\"", d->version);
    buf_add_text(&line, "}}\n");
    if (d->exists) {
        add_document(p, d, &line);
        buf_add_char(&line, '\n');
    }
    return buf_take(&line);
}

size_t platform_tasks(const struct platform *p)
{
    size_t count = 0;

    for (size_t i = 0; i < TASKS_MOST; i++)
        count += p->tasks[i].used;
    return count;
}

static void forget(struct task *t)
{
    free(t->line);
    *t = (struct task){0};
}

void platform_land(struct platform *p, size_t task)
{
    struct task *t = &p->tasks[task];
    long status = ask(p, "/_bulk", t->line);

    trace_line(p->trace, "platform", "task %zu lands: %s at version of the dump: %ld", task,
               p->dependents[t->dependent].id, status);
    if (--t->landings == 0)
        forget(t);
}

void platform_dump(struct platform *p, size_t dependent)
{
    const struct dependent_row *d = &p->dependents[dependent];

    for (size_t i = 0; i < TASKS_MOST; i++) {
        struct task *t = &p->tasks[i];

        if (t->used)
            continue;
        *t = (struct task){true, dependent, dump(p, d), p->trace->turn, chance(p->choice, 8) ? 2 : 1};
        trace_line(p->trace, "platform", "task %zu dumps: %.*s", i, (int)strlen(t->line) - 1, t->line);
        if (p->lands_at_once) {
            t->landings = 1;
            platform_land(p, i);
        }
        return;
    }
    abort(); /* the schedule sees to it that there is room */
}

/* ----------------------------------------------------------------------------------------------------- changing */

static void tell(struct platform *p, size_t subject)
{
    const struct subject_row *s = &p->subjects[subject];

    if (p->change_count == CHANGES_MOST)
        abort();
    p->changes[p->change_count++] = (struct change){subject, s->revision, clock_wall_us(), s->deleted, false, 0};
}

void platform_change_subject(struct platform *p, size_t subject)
{
    struct subject_row *s = &p->subjects[subject];

    s->revision++;
    s->deleted = false;
    trace_line(p->trace, "platform", "subject %s changes to revision %" PRId64, s->id, s->revision);
    tell(p, subject);
    if (chance(p->choice, 10))
        tell(p, subject); /* told twice */
}

static void delete_subject(struct platform *p, size_t subject)
{
    struct subject_row *s = &p->subjects[subject];

    s->revision++;
    s->deleted = true;
    trace_line(p->trace, "platform", "subject %s is deleted at revision %" PRId64, s->id, s->revision);
    tell(p, subject);
}

/* One that was removed from its dependents does not come back: nothing would say where it belongs. */
static bool is_gone(const struct platform *p, size_t subject)
{
    return p->subjects[subject].deleted && p->shape->on_delete == ON_DELETE_REMOVE;
}

static void choose_subjects(struct platform *p, struct dependent_row *d)
{
    bool both = p->pairs || (!p->fixed_rows && !p->lands_at_once && choose(p->choice, 2));

    d->subject_count = both && p->subject_count > 1 ? SUBJECTS_A_DEPENDENT : 1;
    d->subjects[0] = p->fixed_rows ? 0 : choose(p->choice, p->subject_count);
    if (d->subject_count > 1)
        d->subjects[1] =
            (d->subjects[0] + 1 + (p->fixed_rows ? 0 : choose(p->choice, p->subject_count - 1))) % p->subject_count;
    d->in_array = d->subject_count > 1 || chance(p->choice, 3);
}

/* A new version of the dependent: edited, pointing to other subjects, deleted or made again. */
static void change_dependent(struct platform *p, size_t dependent)
{
    struct dependent_row *d = &p->dependents[dependent];

    bool goes = d->exists && chance(p->choice, 4);

    d->version += !(goes && p->same_version_deletes);
    d->exists = !goes;
    if (d->exists && chance(p->choice, 3))
        choose_subjects(p, d);
    platform_dump(p, dependent);
}

void platform_change(struct platform *p)
{
    size_t subject = choose(p->choice, p->subject_count), dependent = choose(p->choice, p->dependent_count);
    size_t kind = choose(p->choice, 16);

    if (kind < 7 && !is_gone(p, subject))
        platform_change_subject(p, subject);
    else if (kind == 7 && !p->subjects[subject].deleted)
        delete_subject(p, subject);
    else if (kind < 12 && !p->shape->own)
        change_dependent(p, dependent);
    else if (p->dependents[dependent].exists)
        platform_dump(p, dependent);
}

/* ------------------------------------------------------------------------------------------------- begin and end */

void platform_begin(struct platform *p, long run, size_t subjects, size_t dependents)
{
    struct buf lines = BUF_INIT;

    p->subject_count = subjects;
    p->dependent_count = dependents;
    p->change_count = 0;
    for (size_t i = 0; i < subjects; i++) {
        p->subjects[i] = (struct subject_row){.revision = 1};
        snprintf(p->subjects[i].id, NAME_BYTES, "%ld-s%zu", run, i);
    }
    for (size_t i = 0; i < dependents; i++) {
        struct dependent_row *d = &p->dependents[i];
        char *line;

        *d = (struct dependent_row){.version = 1, .exists = true};

        d->version += !p->fixed_rows && choose(p->choice, 2);
        snprintf(d->id, NAME_BYTES, "%ld-d%zu", run, i);
        choose_subjects(p, d);
        line = dump(p, d);
        trace_line(p->trace, "platform", "begins with %.*s", (int)strlen(line) - 1, line);
        buf_add_text(&lines, line);
        free(line);
    }
    ask(p, "/_bulk", lines.data);
    platform_refresh(p);
    buf_release(&lines);
}

void platform_end(struct platform *p)
{
    for (size_t i = 0; i < TASKS_MOST; i++)
        if (p->tasks[i].used)
            forget(&p->tasks[i]);
}
