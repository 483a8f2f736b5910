#include "notifier/shared_file.h"

#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"

enum { LOOK_MS = 1000 };

/* What tells a file from the one that was there before under the same name. */
struct stamp {
    dev_t device;
    ino_t inode;
    off_t bytes;
    struct timespec changed;
};

/* One form of one file. A newer one of the same file may exist beside it while threads still hold this one. */
struct made {
    char *path;
    const struct file_form *form;
    struct stamp stamp, refused; /* refused: the file after it, where that was broken */
    void *thing;
    int holders;
    struct made *next;
};

struct shared_file {
    struct made *made;
    int64_t look_ms; /* monotonic: not before */
};

static pthread_mutex_t all_mutex = PTHREAD_MUTEX_INITIALIZER;
static struct made *all;

static bool stamp_read(const char *path, struct stamp *out, struct error *err)
{
    struct stat status;

    if (stat(path, &status) != 0)
        return error_set(err, ERROR_CONFIG, "%s: %s", path, strerror(errno));
    *out = (struct stamp){status.st_dev, status.st_ino, status.st_size, status.st_mtim};
    return true;
}

static bool same_stamp(const struct stamp *a, const struct stamp *b)
{
    return a->device == b->device && a->inode == b->inode && a->bytes == b->bytes &&
           a->changed.tv_sec == b->changed.tv_sec && a->changed.tv_nsec == b->changed.tv_nsec;
}

/* The stamp is older than what is read, so that a file replaced meanwhile is read again, never missed. */
static struct made *make(const char *path, const struct file_form *form, const struct stamp *stamp, struct error *err)
{
    void *thing = form->make(path, err);
    struct made *m;

    if (!thing)
        return NULL;
    m = xcalloc(1, sizeof *m);
    *m = (struct made){.path = xstrdup(path), .form = form, .stamp = *stamp, .thing = thing, .next = all};
    all = m;
    return m;
}

/* The mutex is held, here and in give_back. */
static struct made *take(const char *path, const struct file_form *form, const struct stamp *stamp, struct error *err)
{
    struct made *m = all;

    while (m && (m->form != form || strcmp(m->path, path) != 0 || !same_stamp(&m->stamp, stamp)))
        m = m->next;
    if (!m)
        m = make(path, form, stamp, err);
    if (m)
        m->holders++;
    return m;
}

static void give_back(struct made *m)
{
    struct made **link = &all;

    if (--m->holders > 0)
        return;
    while (*link != m)
        link = &(*link)->next;
    *link = m->next;
    m->form->unmake(m->thing);
    free(m->path);
    free(m);
}

struct shared_file *shared_file_hold(const char *path, const struct file_form *form, struct error *err)
{
    struct shared_file *f;
    struct stamp stamp;
    struct made *m;

    if (!stamp_read(path, &stamp, err))
        return NULL;
    pthread_mutex_lock(&all_mutex);
    m = take(path, form, &stamp, err);
    pthread_mutex_unlock(&all_mutex);
    if (!m)
        return NULL;
    f = xcalloc(1, sizeof *f);
    *f = (struct shared_file){m, clock_monotonic_ms() + LOOK_MS};
    return f;
}

void shared_file_release(struct shared_file *f)
{
    if (!f)
        return;
    pthread_mutex_lock(&all_mutex);
    give_back(f->made);
    pthread_mutex_unlock(&all_mutex);
    free(f);
}

void *shared_file_made(const struct shared_file *f)
{
    return f->made->thing;
}

static bool renew_locked(struct shared_file *f, const struct stamp *stamp)
{
    struct error err = ERROR_INIT;
    struct made *old = f->made, *newer;

    if (same_stamp(stamp, &old->refused))
        return false;
    newer = take(old->path, old->form, stamp, &err);
    if (!newer) {
        old->refused = *stamp;
        log_error("%s; the file read before stays in use", err.text);
        return false;
    }
    f->made = newer;
    give_back(old);
    return true;
}

/* A file that is gone for a moment is no reason to do without; another thread that is just reading it, none to wait. */
bool shared_file_renew(struct shared_file *f)
{
    int64_t now_ms = clock_monotonic_ms();
    struct error err = ERROR_INIT;
    struct stamp stamp;
    bool renewed;

    if (now_ms < f->look_ms)
        return false;
    f->look_ms = now_ms + LOOK_MS;
    if (!stamp_read(f->made->path, &stamp, &err) || same_stamp(&stamp, &f->made->stamp))
        return false;
    if (pthread_mutex_trylock(&all_mutex) != 0) {
        f->look_ms = now_ms;
        return false;
    }
    renewed = renew_locked(f, &stamp);
    pthread_mutex_unlock(&all_mutex);
    return renewed;
}
