#include "handlers/archive/archive_keep.h"

#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "handlers/archive/archive_close.h"
#include "handlers/archive/archive_name.h"

enum {
    SETTLED_MS = 60 * 1000, /* after the end of a day: what was written just before midnight is through */
    LOOK_MS = 60 * 1000,
};

/* ------------------------------------------------------------------------------------------------------ one pass */

static bool is_over(const struct archive_name *n, int64_t now_us, int64_t after_ms)
{
    return n->day_us / 1000 + MS_PER_DAY + after_ms <= now_us / 1000;
}

static bool remove_file(const struct archive_keeping *k, const char *name, struct error *err)
{
    struct buf path = BUF_INIT;
    bool ok;

    buf_printf(&path, "%s/%s", k->folder, name);
    ok = unlink(path.data) == 0 || errno == ENOENT || error_set(err, ERROR_AGAIN, "%s: %s", path.data, strerror(errno));
    if (ok)
        log_info("%s: removed, it was kept long enough", path.data);
    buf_release(&path);
    return ok;
}

static bool keep_one(const struct archive_keeping *k, const char *name, int64_t now_us, struct stop *stop,
                     struct error *err)
{
    struct archive_name n;

    if (!archive_name_read(name, &n))
        return true;
    if (n.kind == ARCHIVE_OPEN)
        return !is_over(&n, now_us, SETTLED_MS) || archive_close(k->folder, name, k->pack, stop, err);
    if (k->retain_ms == 0 || !span_is(n.handler, k->handler) || !is_over(&n, now_us, k->retain_ms))
        return true;
    return remove_file(k, name, err);
}

bool archive_keep(const struct archive_keeping *k, int64_t now_us, struct stop *stop, struct error *err)
{
    struct dirent **names;
    int count = scandir(k->folder, &names, NULL, alphasort);
    struct error first = ERROR_INIT, one;

    if (count < 0)
        return error_set(err, ERROR_AGAIN, "%s: %s", k->folder, strerror(errno));
    for (int i = 0; i < count; i++) {
        if (!stop_wanted(stop) && !keep_one(k, names[i]->d_name, now_us, stop, &one) && first.kind == ERROR_NONE)
            first = one;
        free(names[i]);
    }
    free(names);
    if (first.kind == ERROR_NONE)
        return true;
    *err = first;
    return false;
}

/* --------------------------------------------------------------------------------------------------- the thread */

struct archive_keeper {
    const struct archive_keeping *keeping;
    struct stop *stop;
    pthread_t thread;
};

static void *keeper_main(void *context)
{
    struct archive_keeper *k = context;
    static struct log_limit limit = LOG_LIMIT_INIT;
    struct error err;

    do
        if (!archive_keep(k->keeping, clock_wall_us(), k->stop, &err))
            log_limited(&limit, LOG_LEVEL_WARN, "archive: %s; tried again", err.text);
    while (!stop_sleep(k->stop, LOOK_MS));
    return NULL;
}

struct archive_keeper *archive_keeper_start(const struct archive_keeping *keeping)
{
    struct archive_keeper *k = xcalloc(1, sizeof *k);

    k->keeping = keeping;
    k->stop = stop_new();
    pthread_create(&k->thread, NULL, keeper_main, k);
    return k;
}

void archive_keeper_stop(struct archive_keeper *k)
{
    if (!k)
        return;
    stop_raise(k->stop);
    pthread_join(k->thread, NULL);
    stop_free(k->stop);
    free(k);
}
