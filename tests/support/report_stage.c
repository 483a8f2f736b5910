#include "support/report_stage.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/json.h"
#include "handlers/report/report_month.h"
#include "support/canary.h"
#include "support/search_index.h"

static const char mapping[] =
    "{\"mappings\":{\"properties\":{\"timestamp\":{\"type\":\"date\",\"format\":\"strict_date_optional_time\"},"
    "\"is_robot\":{\"type\":\"boolean\"},\"is_machine\":{\"type\":\"boolean\"},\"counted\":{\"type\":\"boolean\"},"
    "\"size\":{\"type\":\"long\"},\"recid\":{\"type\":\"keyword\"},\"parent_recid\":{\"type\":\"keyword\"},"
    "\"unique_session_id\":{\"type\":\"keyword\"},\"file_id\":{\"type\":\"keyword\"},\"country\":{\"type\":"
    "\"keyword\"},\"n\":{\"type\":\"integer\"}}}%s}";

static void make_index(struct report_stage *f, const char *name, const char *alias)
{
    char path[200], body[1200], more[200] = "";

    if (alias)
        snprintf(more, sizeof more, ",\"aliases\":{\"%s%s\":{}}", test_prefix(), alias);
    snprintf(body, sizeof body, mapping, more);
    snprintf(path, sizeof path, "/%s%s", test_prefix(), name);
    json_decref(index_ask(f->scene->settings, "PUT", path, body));
}

/* What events say beyond the ones in front: of item, parent, session, and when. */
struct row {
    const char *index, *item, *parent, *session, *time, *more;
};

#define VIEW  "views-2024"
#define LOAD  "downloads-2024-10"
#define FILE1 ",\"file_id\":\"f1\",\"size\":100"
#define CH    ",\"country\":\"CH\""

static const struct row rows[] = {
  /* one session: a view, two files of which one twice, and another version of the same dataset */
    {VIEW, "a1",   "a", "s1", "2024-10-05T10:00:00",       CH                                                         },
    {LOAD, "a1",   "a", "s1", "2024-10-05T10:01:00",       FILE1 CH                                                   },
    {LOAD, "a1",   "a", "s1", "2024-10-05T10:02:00",       ",\"file_id\":\"f2\",\"size\":200" CH                      },
    {LOAD, "a1",   "a", "s1", "2024-10-05T10:03:00",       FILE1 CH                                                   },
    {VIEW, "a2",   "a", "s1", "2024-10-05T10:04:00",       CH                                                         },
 /* of the same name on another day: another session */
    {VIEW, "a1",   "a", "s1", "2024-10-06T10:00:00",       CH                                                         },
    {LOAD, "a1",   "a", "s2", "2024-10-05T11:00:00",       ",\"is_machine\":true,\"country\":\"DE\"" FILE1            },
 /* never counted */
    {VIEW, "a1",   "a", "s3", "2024-10-05T12:00:00",       ",\"is_robot\":true"                                       },
    {VIEW, "a1",   "a", "s4", "2024-10-05T12:00:00",       ",\"counted\":false"                                       },
    {LOAD, "a1",   "a", "s5", "2024-10-05T12:00:00",       ",\"is_robot\":true,\"is_machine\":true" FILE1             },
 /* counted */
    {VIEW, "b1",   "b", "s6", "2024-10-05T12:00:00",       ",\"is_robot\":false,\"is_machine\":false,\"counted\":true"},
    {LOAD, "b1",   "b", "s6", "2024-10-05T12:00:00",       ",\"file_id\":\"f9\",\"size\":7"                           },
    {VIEW, "gone", "g", "s7", "2024-10-05T12:00:00",       ""                                                         },
 /* the edges of the month, in UTC */
    {VIEW, "a1",   "a", "e0", "2024-09-30T23:59:59.999",   ""                                                         },
    {VIEW, "a1",   "a", "e1", "2024-10-01T00:00:00",       ""                                                         },
    {VIEW, "a1",   "a", "e2", "2024-10-31T23:59:59.999",   ""                                                         },
    {VIEW, "a1",   "a", "e3", "2024-11-01T00:00:00",       ""                                                         },
    {VIEW, "a1",   "a", "e4", "2024-11-01T00:30:00+01:00", ""                                                         }, /* still October */
};

static void add_row(struct buf *out, const struct row *r)
{
    buf_printf(out,
               "{\"index\":{\"_index\":\"%s%s\"}}\n{\"recid\":\"%s\",\"parent_recid\":\"%s\",\"unique_session_id\":"
               "\"%s\",\"timestamp\":\"%s\"%s}\n",
               test_prefix(), r->index, r->item, r->parent, r->session, r->time, r->more);
}

static void add_record(struct buf *out, const char *id, const char *record)
{
    buf_printf(out, "{\"index\":{\"_index\":\"%srecords\"}}\n{\"id\":\"%s\",%s}\n", test_prefix(), id, record);
}

#define CREATORS                                                                                                       \
    "\"creators\":[{\"person_or_org\":{\"name\":\"Doe, Ann\"}},{\"person_or_org\":{\"name\":\"Roe, \\\"B\\\"\"}}]"
#define PARENT_A "\"parent\":{\"pids\":{\"doi\":{\"identifier\":\"10.1234/a\"}}}"

static void fill(struct report_stage *f)
{
    struct buf lines = BUF_INIT;

    make_index(f, "views-2024", "views");
    make_index(f, "views-2024-12", "views");
    make_index(f, "downloads-2024-10", NULL);
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++)
        add_row(&lines, &rows[i]);
    add_record(
        &lines, "a1",
        "\"metadata\":{\"title\":\"Data A\",\"publication_date\":\"2024-02-01\",\"version\":\"v1\",\"publisher\":"
        "\"Test Press\",\"resource_type\":{\"id\":\"dataset\"}," CREATORS
        "},\"pids\":{\"doi\":{\"identifier\":\"10.1234/a1\"}}," PARENT_A ",\"access\":{\"files\":\"public\"}");
    add_record(&lines, "a2",
               "\"metadata\":{\"title\":\"Data A, more\",\"publication_date\":\"2024-03\",\"resource_type\":{\"id\":"
               "\"dataset\"}},\"pids\":{\"doi\":{\"identifier\":\"bad doi\"}}," PARENT_A);
    add_record(&lines, "b1",
               "\"metadata\":{\"title\":\"Article, B\",\"publication_date\":\"2023\",\"publisher\":\"Others\","
               "\"resource_type\":{\"id\":\"publication-article\"}},\"access\":{\"files\":\"restricted\"}");
    for (int i = 0; i < 2 * MANY_SESSIONS; i++) {
        char session[20], more[40];

        snprintf(session, sizeof session, "m%d", i % MANY_SESSIONS);
        snprintf(more, sizeof more, ",\"n\":%d", i);
        add_row(&lines, &(struct row){"views-2024-12", "a1", "a", session, "2024-12-03T04:05:06", more});
    }
    index_bulk(f->scene->settings, lines.data);
    buf_release(&lines);
}

int report_stage_open(void **state)
{
    struct report_stage *f = xcalloc(1, sizeof *f);
    char ini[1500];

    hub_start(&f->hub);
    snprintf(ini, sizeof ini,
             "[redis]\nurl = REDIS\n[opensearch]\nurl = SEARCH\nprefix = PREFIX\n"
             "[queue q]\nevents = record.*\n"
             "[handler views]\ntype = statistics\nqueue = q\nindex = views-{time:%%Y}\nalias = views\n"
             "[handler downloads]\ntype = statistics\nqueue = q\nindex = downloads-{time:%%Y-%%m}\n"
             "[report]\nplatform = Test Repository\nnamespace = testrepo\npublisher = Test Press\n"
             "publisher_id = grid:grid.1.2\nviews = views\ndownloads = downloads\nrecords = records\n"
             "hub_url = http://127.0.0.1:%d/reports\nhub_token = " CANARY "-hub\n",
             f->hub.port);
    f->scene = scene_open(ini);
    f->client = client_new(&f->scene->settings->opensearch);
    fill(f);
    *state = f;
    return 0;
}

int report_stage_close(void **state)
{
    struct report_stage *f = *state;

    hub_stop(&f->hub);
    index_delete(f->scene->settings, "*");
    client_free(f->client);
    scene_close(f->scene);
    free(f);
    return 0;
}

int report_stage_start(void **state)
{
    struct report_stage *f = *state;

    hub_answers(&f->hub, &(struct hub_answer){201, 0, NULL}, 1);
    scene_redis(f->scene, "FLUSHALL");
    return 0;
}

int report_stage_end(void **state)
{
    struct report_stage *f = *state;

    report_free(f->report);
    f->report = NULL;
    return 0;
}

const json_t *report_stage_make(struct report_stage *f, enum report_kind kind, const char *first, const char *last)
{
    struct progress quiet;
    int from = 0, to = 0;

    assert_true(month_parse(first, &from, &f->err) && month_parse(last, &to, &f->err));
    progress_start(&quiet, "events", 0, true);
    report_free(f->report);
    f->report = report_make(f->client, f->scene->settings, kind, from, to, &quiet, &f->err);
    if (!f->report)
        fail_msg("%s", f->err.text);
    return f->report->document;
}

void check_holds(const char *text, const char *wanted)
{
    if (!strstr(text, wanted))
        fail_msg("\"%s\" is not in %s", wanted, text);
}
