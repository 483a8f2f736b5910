/*
 * tests/support/certificates.h - certificates for 127.0.0.1, with whatever is wrong with them that a test wants.
 */
#ifndef TESTS_SUPPORT_CERTIFICATES_H
#define TESTS_SUPPORT_CERTIFICATES_H

#include <gnutls/x509.h>

/* Signs others. */
struct authority {
    gnutls_x509_crt_t certificate;
    gnutls_x509_privkey_t key;
};

void authority_make(struct authority *a, const char *path); /* its certificate to path */
void authority_release(struct authority *a);

/* A new key, and its certificate, that began 100 days ago and ends in so many days; each under its name at once. */
void certificate_make(const struct authority *a, const char *path, const char *key_path, int days);

#endif
