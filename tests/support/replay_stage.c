#include "support/replay_stage.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "base/clock.h"
#include "handlers/archive/archive_keep.h"
#include "notifier/intake.h"
#include "support/past.h"
#include "support/search_index.h"
#include "support/work.h"

char replay_folder[350];

int replay_stage_open(void **state)
{
    static int number;
    char ini[1500];

    snprintf(replay_folder, sizeof replay_folder, "%s/archive%d", test_folder(), number++);
    snprintf(ini, sizeof ini,
             "[redis]\nurl = REDIS\n[opensearch]\nurl = SEARCH\nprefix = PREFIX\n"
             "[queue usage]\nevents = record-view record-download user.*\nretain = 0s\n"
             "[event record-view]\nprepare = visitor\nunique = data.recid visitor_id time/10s\n"
             "[handler views]\ntype = statistics\nqueue = usage\nevents = record-view\nindex = views-{time:%%Y-%%m}\n"
             "[handler trail]\ntype = audit\nqueue = usage\nindex = trail-{time:%%Y-%%m}\n"
             "[handler keep]\ntype = archive\nqueue = usage\nfolder = %s\n"
             "[handler counts]\ntype = aggregate\nof = views\nqueue = usage\nschedule = every 1h\nfield = recid\n"
             "index = counts-{time:%%Y-%%m}\nparent =\n",
             replay_folder);
    *state = scene_open(ini);
    return 0;
}

int replay_stage_close(void **state)
{
    struct scene *s = *state;

    index_delete(s->settings, "views-*");
    index_delete(s->settings, "trail-*");
    scene_close(s);
    return 0;
}

void replay_let_in(struct scene *s, int from, int count)
{
    struct error err;
    struct intake *in = intake_new(s->settings, &err);
    struct buf line = BUF_INIT;
    const struct intake_result *results;

    assert_non_null(in);
    intake_start(in);
    for (int i = from; i < from + count; i++) {
        buf_reset(&line);
        buf_printf(&line,
                   "{\"specversion\":\"1.0\",\"id\":\"%d\",\"source\":\"r\",\"type\":\"record-view\",\"subject\":"
                   "\"records/%d\",\"time\":\"2026-11-%02dT10:00:0%dZ\",\"data\":{\"recid\":\"%d\",\"size\":1.50,"
                   "\"user_id\":\"u%d\"}}",
                   i, i % 5, 1 + i % 3, i % 10, i % 5, i);
        intake_add_text(in, line.data, line.length);
    }
    results = intake_send(in);
    for (int i = 0; i < count; i++)
        assert_int_equal(results[i].outcome, INTAKE_ACCEPTED);
    buf_release(&line);
    intake_free(in);
}

void replay_seal(void)
{
    struct archive_keeping k = {replay_folder, "keep", true, 0};
    struct stop *stop = stop_new();
    struct error err;

    if (!archive_keep(&k, clock_wall_us() + 2 * MS_PER_DAY * 1000, stop, &err))
        fail_msg("%s", err.text);
    stop_free(stop);
}

void replay_work_off(struct scene *s)
{
    work_off(s, "keep");
    work_off(s, "views");
    work_off(s, "trail");
}

void replay_write(const char *name, const char *text)
{
    char path[500];
    FILE *file;

    mkdir(replay_folder, 0700);
    snprintf(path, sizeof path, "%s/%s", replay_folder, name);
    file = fopen(path, "a");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

char *replay_view_lines(int count)
{
    struct buf lines = BUF_INIT;

    for (int i = 0; i < count; i++)
        buf_printf(
            &lines,
            "{\"specversion\":\"1.0\",\"id\":\"%d\",\"source\":\"r\",\"type\":\"record-view\",\"time\":"
            "\"2026-11-01T10:00:00Z\",\"crierunique\":\"u%d\",\"crierlatest\":true,\"data\":{\"recid\":\"1\"}}\n",
            i, i);
    return buf_take(&lines);
}

int replay_verb(struct scene *s, const char *wanted, const char *const words[])
{
    const char *all[20] = {"replay"};

    for (size_t i = 0; words[i] && i < 18; i++)
        all[i + 1] = words[i];
    return past_crier(s, wanted, all);
}

int64_t replay_stream_length(struct scene *s)
{
    return scene_redis(s, "XLEN crier:{usage}:stream")->integer;
}
