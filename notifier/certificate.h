/*
 * notifier/certificate.h - the certificate (a chain, PEM) and private key (PEM) by which the door is known, out of
 * their files.
 */
#ifndef NOTIFIER_CERTIFICATE_H
#define NOTIFIER_CERTIFICATE_H

#include <gnutls/abstract.h>
#include <stdint.h>

#include "base/attrs.h"
#include "base/buf.h"
#include "base/error.h"
#include "config/settings.h"

enum { CERTIFICATE_WARN_DAYS = 14 };

struct certificate;

/*
 * NULL: ERROR_CONFIG, with file and reason: not to be read, no PEM, others may read the key, the key belongs to another
 * certificate, the chain is not in order (the door's own first, then each one's issuer). One that has ended is taken.
 */
struct certificate *certificate_load(const char *path, const char *key_path, struct error *err) must_check;
void certificate_free(struct certificate *c); /* NULL is fine */

int64_t certificate_end_us(const struct certificate *c);

/* Whole days from now until then, rounded down; negative: it has ended. */
int64_t certificate_days(const struct certificate *c);

/* "FILE ended on 2026-11-20", "FILE ends on ..., in 3 days" where that is soon; appends nothing where all is well. */
void certificate_add_trouble(const struct certificate *c, struct buf *out);

/*
 * For `crier status`, of the pair of [http] in its files: why it is no good, or when it ends. Appends nothing where
 * there is none. False: it is no good, or has ended.
 */
bool certificate_add_state(const struct settings *s, struct buf *out);

/* Copies for one handshake, made as GnuTLS frees them itself (GNUTLS_CERT_RETR_DEINIT_ALL). False: no memory. */
bool certificate_copy(const struct certificate *c, gnutls_pcert_st **chain, unsigned *length,
                      gnutls_privkey_t *key) must_check;

/* For `crier check`: appends what is wrong with the pair of [http], ended included, without a line end; nothing: good.
 */
void certificate_check(const struct settings *s, struct buf *out);

#endif
