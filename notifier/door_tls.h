/*
 * notifier/door_tls.h - TLS at the door: the pair of files in use, changed for a newer one without a restart.
 *
 * A pair that is wrong leaves the one in use where it is, is said in the log, and is trouble until a good one comes.
 * What GnuTLS needs of a pair is copied for each handshake, so that a change touches no connection that is there.
 */
#ifndef NOTIFIER_DOOR_TLS_H
#define NOTIFIER_DOOR_TLS_H

#include <gnutls/abstract.h>
#include <microhttpd.h>

#include "base/attrs.h"
#include "base/buf.h"
#include "base/error.h"
#include "config/settings.h"

struct door_tls;

/* TLS 1.2 and 1.3, keys that are forgotten, and ciphers that vouch for what they hide. */
#define DOOR_TLS_PRIORITIES                                                                                            \
    "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2:-KX-ALL:+ECDHE-ECDSA:+ECDHE-RSA:-CIPHER-ALL:+AES-256-GCM:"             \
    "+CHACHA20-POLY1305:+AES-128-GCM:-MAC-ALL:+AEAD:-SIGN-RSA-SHA1:-SIGN-ECDSA-SHA1:%SERVER_PRECEDENCE"

/* NULL: ERROR_CONFIG with file and reason. The settings are lent. */
struct door_tls *door_tls_open(const struct http_settings *http, struct error *err) must_check;
void door_tls_close(struct door_tls *t); /* NULL is fine; after the last connection */

/* Before its handshake: whose pair this connection gets. */
void door_tls_greet(struct door_tls *t, struct MHD_Connection *c);

/* For MHD_OPTION_HTTPS_CERT_CALLBACK2. */
gnutls_certificate_retrieve_function3 door_tls_retrieve;

/* From one thread, again and again: takes files that changed and have stayed the same from one look to the next. */
void door_tls_look(struct door_tls *t);

/* Appends what is wrong with the files, or that the certificate ends soon; nothing where all is well. */
void door_tls_add_trouble(struct door_tls *t, struct buf *out);

#endif
