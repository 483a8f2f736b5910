#include "notifier/door_tls.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/counters.h"
#include "base/log.h"
#include "notifier/certificate.h"

enum { REMIND_MS = 24 * 3600 * 1000 };

/* By which a file that changed is known: its place and its time; all zero where it is not there. */
struct trace {
    dev_t device;
    ino_t number;
    off_t size;
    struct timespec changed;
};

struct traces {
    struct trace certificate, key;
};

struct door_tls {
    const struct http_settings *http;
    pthread_mutex_t mutex; /* over pair and refused */
    struct certificate *pair;
    struct buf refused;         /* why the newest files are not taken; "" where they are */
    struct traces taken, found; /* tried last, seen last */
    int64_t remind_ms;
    struct counter *days, *loads, *refusals;
};

/* ----------------------------------------------------------------------------------------------------- the files */

static void trace_file(const char *path, struct trace *out)
{
    struct stat status;

    memset(out, 0, sizeof *out); /* with what lies between the members: traces are compared as bytes */
    if (stat(path, &status) != 0)
        return;
    out->device = status.st_dev;
    out->number = status.st_ino;
    out->size = status.st_size;
    out->changed = status.st_ctim; /* also of another mode */
}

static void trace_files(const struct door_tls *t, struct traces *out)
{
    memset(out, 0, sizeof *out);
    trace_file(t->http->certificate, &out->certificate);
    trace_file(t->http->private_key_file, &out->key);
}

static bool same(const struct traces *a, const struct traces *b)
{
    return memcmp(a, b, sizeof *a) == 0;
}

/* Says what is wrong with what is in use, once a day. */
static void remind(struct door_tls *t)
{
    struct buf trouble = BUF_INIT;

    counter_set(t->days, certificate_days(t->pair));
    if (clock_monotonic_ms() < t->remind_ms)
        return;
    t->remind_ms = clock_monotonic_ms() + REMIND_MS;
    certificate_add_trouble(t->pair, &trouble);
    if (trouble.length > 0)
        log_warn("[http] certificate: %s", trouble.data);
    buf_release(&trouble);
}

static void take(struct door_tls *t, struct certificate *pair)
{
    struct certificate *before;

    pthread_mutex_lock(&t->mutex);
    before = t->pair;
    t->pair = pair;
    buf_reset(&t->refused);
    pthread_mutex_unlock(&t->mutex);
    certificate_free(before);
    counter_add(t->loads, 1);
    t->remind_ms = 0;
}

static void keep(struct door_tls *t, const struct error *why)
{
    pthread_mutex_lock(&t->mutex);
    buf_reset(&t->refused);
    buf_add_text(&t->refused, why->text);
    pthread_mutex_unlock(&t->mutex);
    counter_add(t->refusals, 1);
    log_error("[http] certificate: %s; the one in use is kept", why->text);
}

void door_tls_look(struct door_tls *t)
{
    struct certificate *pair;
    struct traces now;
    struct error err;
    bool settled;

    trace_files(t, &now);
    settled = same(&now, &t->found); /* who renews them writes one after the other */
    t->found = now;
    if (settled && !same(&now, &t->taken)) {
        t->taken = now;
        pair = certificate_load(t->http->certificate, t->http->private_key_file, &err);
        if (pair) {
            take(t, pair);
            log_info("[http] certificate: %s was read anew", t->http->certificate);
        } else {
            keep(t, &err);
        }
    }
    remind(t);
}

void door_tls_add_trouble(struct door_tls *t, struct buf *out)
{
    pthread_mutex_lock(&t->mutex);
    if (t->refused.length > 0)
        buf_printf(out, "%s; the certificate in use is kept", t->refused.data);
    else
        certificate_add_trouble(t->pair, out);
    pthread_mutex_unlock(&t->mutex);
}

/* ------------------------------------------------------------------------------------------------- connections */

void door_tls_greet(struct door_tls *t, struct MHD_Connection *c)
{
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(c, MHD_CONNECTION_INFO_GNUTLS_SESSION);

    if (info && info->tls_session)
        gnutls_session_set_ptr(info->tls_session, t);
}

int door_tls_retrieve(gnutls_session_t session, const struct gnutls_cert_retr_st *asked, gnutls_pcert_st **chain,
                      unsigned *length, gnutls_ocsp_data_st **ocsp, unsigned *ocsp_length, gnutls_privkey_t *key,
                      unsigned *flags)
{
    struct door_tls *t = gnutls_session_get_ptr(session);
    bool copied;

    (void)asked;
    if (!t)
        return -1;
    *ocsp = NULL;
    *ocsp_length = 0;
    *flags = GNUTLS_CERT_RETR_DEINIT_ALL;
    pthread_mutex_lock(&t->mutex);
    copied = certificate_copy(t->pair, chain, length, key);
    pthread_mutex_unlock(&t->mutex);
    return copied ? 0 : -1;
}

/* ------------------------------------------------------------------------------------------- its begin and its end */

struct door_tls *door_tls_open(const struct http_settings *http, struct error *err)
{
    struct door_tls *t;
    struct traces found;
    struct certificate *pair;

    if (MHD_is_feature_supported(MHD_FEATURE_TLS) != MHD_YES ||
        MHD_is_feature_supported(MHD_FEATURE_HTTPS_CERT_CALLBACK2) != MHD_YES) {
        error_set(err, ERROR_CONFIG, "this libmicrohttpd was built without TLS");
        return NULL;
    }
    t = xcalloc(1, sizeof *t);
    t->http = http;
    trace_files(t, &found); /* before they are read: what changes meanwhile is seen at the next look */
    pair = certificate_load(http->certificate, http->private_key_file, err);
    if (!pair) {
        free(t);
        return NULL;
    }
    t->taken = t->found = found;
    pthread_mutex_init(&t->mutex, NULL);
    buf_init(&t->refused);
    t->days = counter_get(COUNTER_GAUGE, "crier_certificate_days",
                          "days until the door's certificate ends; negative: it has ended", NULL);
    t->loads =
        counter_get(COUNTER_TOTAL, "crier_certificate_loads_total", "certificates taken, the first included", NULL);
    t->refusals = counter_get(COUNTER_TOTAL, "crier_certificate_refusals_total",
                              "changed certificates that were not taken, as something is wrong with them", NULL);
    take(t, pair);
    remind(t);
    return t;
}

void door_tls_close(struct door_tls *t)
{
    if (!t)
        return;
    certificate_free(t->pair);
    buf_release(&t->refused);
    pthread_mutex_destroy(&t->mutex);
    free(t);
}
