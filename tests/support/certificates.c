#include "support/certificates.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/file.h"

enum { DAY_S = 24 * 3600, PEM_BYTES = 8192 };

static void must(int code)
{
    if (code < 0)
        fail_msg("GnuTLS: %s", gnutls_strerror(code));
}

static void make_pair(gnutls_x509_crt_t *crt, gnutls_x509_privkey_t *key, const char *name, int days)
{
    static const unsigned char loopback[] = {127, 0, 0, 1};
    static uint64_t serial;
    unsigned char number[8];
    time_t now = (time_t)(clock_wall_us() / US_PER_SECOND);

    serial += (uint64_t)clock_wall_us();
    for (size_t i = 0; i < sizeof number; i++)
        number[i] = (unsigned char)(serial >> (56 - 8 * i));
    must(gnutls_x509_privkey_init(key));
    must(gnutls_x509_privkey_generate(*key, GNUTLS_PK_ECDSA, GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1), 0));
    must(gnutls_x509_crt_init(crt));
    must(gnutls_x509_crt_set_version(*crt, 3));
    must(gnutls_x509_crt_set_serial(*crt, number, sizeof number));
    must(gnutls_x509_crt_set_activation_time(*crt, now - 100 * DAY_S));
    must(gnutls_x509_crt_set_expiration_time(*crt, now + (time_t)days * DAY_S + DAY_S / 2));
    must(gnutls_x509_crt_set_dn_by_oid(*crt, GNUTLS_OID_X520_COMMON_NAME, 0, name, (unsigned)strlen(name)));
    must(gnutls_x509_crt_set_subject_alt_name(*crt, GNUTLS_SAN_IPADDRESS, loopback, sizeof loopback, 0));
    must(gnutls_x509_crt_set_key(*crt, *key));
}

static void write_pem(const char *path, mode_t mode, const char *pem, size_t length)
{
    struct error err;

    if (!file_replace(path, mode, pem, length, &err))
        fail_msg("%s", err.text);
}

static void write_certificate(const char *path, gnutls_x509_crt_t crt)
{
    char pem[PEM_BYTES];
    size_t length = sizeof pem;

    must(gnutls_x509_crt_export(crt, GNUTLS_X509_FMT_PEM, pem, &length));
    write_pem(path, 0644, pem, length);
}

void authority_make(struct authority *a, const char *path)
{
    make_pair(&a->certificate, &a->key, "An authority of the tests", 300);
    must(gnutls_x509_crt_set_basic_constraints(a->certificate, 1, -1));
    must(gnutls_x509_crt_set_key_usage(a->certificate, GNUTLS_KEY_KEY_CERT_SIGN));
    must(gnutls_x509_crt_sign2(a->certificate, a->certificate, a->key, GNUTLS_DIG_SHA256, 0));
    write_certificate(path, a->certificate);
}

void authority_release(struct authority *a)
{
    gnutls_x509_crt_deinit(a->certificate);
    gnutls_x509_privkey_deinit(a->key);
}

void certificate_make(const struct authority *a, const char *path, const char *key_path, int days)
{
    gnutls_x509_crt_t crt;
    gnutls_x509_privkey_t key;
    char pem[PEM_BYTES];
    size_t length = sizeof pem;

    make_pair(&crt, &key, "localhost", days);
    must(gnutls_x509_crt_set_basic_constraints(crt, 0, -1));
    must(gnutls_x509_crt_sign2(crt, a->certificate, a->key, GNUTLS_DIG_SHA256, 0));
    must(gnutls_x509_privkey_export(key, GNUTLS_X509_FMT_PEM, pem, &length));
    write_pem(key_path, 0600, pem, length);
    write_certificate(path, crt);
    gnutls_x509_crt_deinit(crt);
    gnutls_x509_privkey_deinit(key);
}
