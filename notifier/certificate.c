#include "notifier/certificate.h"

#include <gnutls/x509.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/file.h"
#include "config/secret.h"

enum { CHAIN_MOST = 16, FILE_BYTES_MOST = 256 * 1024, KEY_ID_BYTES = 64, DATE_BYTES = 16 };

struct certificate {
    char *path;
    gnutls_x509_crt_t chain[CHAIN_MOST]; /* the door's own first */
    unsigned length;
    gnutls_x509_privkey_t key;
};

static bool refuse(const char *path, const char *what, int code, struct error *err)
{
    return error_set(err, ERROR_CONFIG, "%s: %s: %s", path, what, gnutls_strerror(code));
}

static gnutls_datum_t datum_of(const struct buf *text)
{
    return (gnutls_datum_t){.data = (unsigned char *)text->data, .size = (unsigned)text->length};
}

/* ------------------------------------------------------------------------------------------------- out of files */

/* Each must be signed by the one after it. */
static bool chain_in_order(const struct certificate *c, struct error *err)
{
    for (unsigned i = 0; i + 1 < c->length; i++)
        if (!gnutls_x509_crt_check_issuer(c->chain[i], c->chain[i + 1]))
            return error_set(err, ERROR_CONFIG,
                             "%s: certificate %u is not signed by the one after it: the door's own comes first, then "
                             "each one's issuer",
                             c->path, i + 1);
    return true;
}

static bool read_chain(struct certificate *c, struct error *err)
{
    struct buf text = BUF_INIT;
    gnutls_datum_t pem;
    int count;
    bool ok = file_read(c->path, FILE_BYTES_MOST, &text, err);

    if (ok) {
        pem = datum_of(&text);
        c->length = CHAIN_MOST;
        count = gnutls_x509_crt_list_import(c->chain, &c->length, &pem, GNUTLS_X509_FMT_PEM,
                                            GNUTLS_X509_CRT_LIST_IMPORT_FAIL_IF_EXCEED);
        c->length = count > 0 ? (unsigned)count : 0;
        ok = count > 0
                 ? chain_in_order(c, err)
                 : refuse(c->path, "is no certificate in PEM", count ? count : GNUTLS_E_NO_CERTIFICATE_FOUND, err);
    }
    buf_release(&text);
    return ok;
}

static bool read_key(struct certificate *c, const char *path, struct error *err)
{
    struct buf text = BUF_INIT;
    gnutls_datum_t pem;
    int code;
    bool ok = secret_read(path, &text, err);

    if (ok) {
        pem = datum_of(&text);
        code = gnutls_x509_privkey_import2(c->key, &pem, GNUTLS_X509_FMT_PEM, NULL, 0);
        ok = code == GNUTLS_E_SUCCESS ||
             refuse(path, "is no private key in PEM without a passphrase (openssl pkey takes that off)", code, err);
    }
    if (text.length > 0)
        gnutls_memset(text.data, 0, text.length);
    buf_release(&text);
    return ok;
}

/* Both know the public key, and by that each other. */
static bool pair_fits(const struct certificate *c, const char *key_path, struct error *err)
{
    unsigned char of_key[KEY_ID_BYTES], of_certificate[KEY_ID_BYTES];
    size_t key_bytes = sizeof of_key, certificate_bytes = sizeof of_certificate;
    unsigned how = GNUTLS_KEYID_USE_SHA256;
    bool known = gnutls_x509_privkey_get_key_id(c->key, how, of_key, &key_bytes) == GNUTLS_E_SUCCESS &&
                 gnutls_x509_crt_get_key_id(c->chain[0], how, of_certificate, &certificate_bytes) == GNUTLS_E_SUCCESS;

    if (known && key_bytes == certificate_bytes && memcmp(of_key, of_certificate, key_bytes) == 0)
        return true;
    return error_set(err, ERROR_CONFIG,
                     "%s is not the key of the first certificate in %s: name the one that it was made with", key_path,
                     c->path);
}

struct certificate *certificate_load(const char *path, const char *key_path, struct error *err)
{
    struct certificate *c = xcalloc(1, sizeof *c);

    c->path = xstrdup(path);
    if (gnutls_x509_privkey_init(&c->key) != GNUTLS_E_SUCCESS)
        abort(); /* no memory */
    if (read_chain(c, err) && read_key(c, key_path, err) && pair_fits(c, key_path, err))
        return c;
    certificate_free(c);
    return NULL;
}

void certificate_free(struct certificate *c)
{
    if (!c)
        return;
    for (unsigned i = 0; i < c->length; i++)
        gnutls_x509_crt_deinit(c->chain[i]);
    gnutls_x509_privkey_deinit(c->key); /* wipes it */
    free(c->path);
    free(c);
}

/* --------------------------------------------------------------------------------------------------- how long yet */

int64_t certificate_end_us(const struct certificate *c)
{
    return (int64_t)gnutls_x509_crt_get_expiration_time(c->chain[0]) * US_PER_SECOND;
}

int64_t certificate_days(const struct certificate *c)
{
    int64_t day_us = MS_PER_DAY * 1000, left_us = certificate_end_us(c) - clock_wall_us();

    return left_us >= 0 ? left_us / day_us : -1 - (-left_us - 1) / day_us;
}

void certificate_add_trouble(const struct certificate *c, struct buf *out)
{
    int64_t end_us = certificate_end_us(c), days = certificate_days(c);
    char date[DATE_BYTES];

    if (days >= CERTIFICATE_WARN_DAYS)
        return;
    time_format(end_us, "%Y-%m-%d", date, sizeof date);
    if (days < 0)
        buf_printf(out, "the certificate %s ended on %s: renew it", c->path, date);
    else
        buf_printf(out, "the certificate %s ends on %s, in %d day%s", c->path, date, (int)days, days == 1 ? "" : "s");
}

void certificate_check(const struct settings *s, struct buf *out)
{
    struct certificate *c;
    struct error err;

    if (!s->http.certificate[0])
        return;
    c = certificate_load(s->http.certificate, s->http.private_key_file, &err);
    if (!c)
        buf_add_text(out, err.text);
    else if (certificate_days(c) < 0)
        certificate_add_trouble(c, out);
    certificate_free(c);
}

bool certificate_add_state(const struct settings *s, struct buf *out)
{
    struct certificate *c;
    struct error err;
    char date[DATE_BYTES];
    int64_t days;

    if (!s->http.certificate[0])
        return true;
    c = certificate_load(s->http.certificate, s->http.private_key_file, &err);
    if (!c) {
        buf_add_text(out, err.text);
        return false;
    }
    days = certificate_days(c);
    time_format(certificate_end_us(c), "%Y-%m-%d", date, sizeof date);
    if (days < 0)
        certificate_add_trouble(c, out);
    else
        buf_printf(out, "ends on %s, in %lld day%s", date, (long long)days, days == 1 ? "" : "s");
    certificate_free(c);
    return days >= 0;
}

/* ----------------------------------------------------------------------------------------------- for a handshake */

static bool copy_key(const struct certificate *c, gnutls_privkey_t *key)
{
    if (gnutls_privkey_init(key) != GNUTLS_E_SUCCESS)
        return false;
    if (gnutls_privkey_import_x509(*key, c->key, GNUTLS_PRIVKEY_IMPORT_COPY) == GNUTLS_E_SUCCESS)
        return true;
    gnutls_privkey_deinit(*key);
    return false;
}

static bool copy_chain(const struct certificate *c, gnutls_pcert_st *chain)
{
    for (unsigned i = 0; i < c->length; i++)
        if (gnutls_pcert_import_x509(&chain[i], c->chain[i], 0) != GNUTLS_E_SUCCESS) {
            while (i > 0)
                gnutls_pcert_deinit(&chain[--i]);
            return false;
        }
    return true;
}

bool certificate_copy(const struct certificate *c, gnutls_pcert_st **chain, unsigned *length, gnutls_privkey_t *key)
{
    gnutls_pcert_st *copies;

    if (!copy_key(c, key))
        return false;
    copies = gnutls_calloc(c->length, sizeof *copies);
    if (!copies || !copy_chain(c, copies)) {
        gnutls_free(copies);
        gnutls_privkey_deinit(*key);
        return false;
    }
    *chain = copies;
    *length = c->length;
    return true;
}
