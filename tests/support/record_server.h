/*
 * tests/support/record_server.h - a platform as its records' interface shows it: documents by id with entity tags, and
 * lists of all in the order of their ids, by pages, by links and by the last id.
 */
#ifndef TESTS_SUPPORT_RECORD_SERVER_H
#define TESTS_SUPPORT_RECORD_SERVER_H

struct record_server;

/* /api/records/ID, /api/records?page=&size=, /api/links?size=, /api/after?size=&after=; no token: none is wanted. */
struct record_server *record_server_start(const char *token);
void record_server_free(struct record_server *s);
const char *record_server_url(const struct record_server *s); /* "http://127.0.0.1:PORT" */

/* It goes away, and comes back to the same port with the same records. */
void record_server_stop(struct record_server *s);
void record_server_resume(struct record_server *s);

/* {"id":ID,"revision_id":REVISION,"metadata":METADATA}; metadata "": the record is gone (410). */
void record_server_put(struct record_server *s, const char *id, int revision, const char *metadata);

/* Another text at /api/records/ID, for the whole of a list ("?records"), or for what is not there ("?404"); "": JSON.
 */
void record_server_put_text(struct record_server *s, const char *id, const char *text);

/* The next requests are answered with that status. */
void record_server_refuse(struct record_server *s, int requests, int status, int retry_after_s);
void record_server_delay(struct record_server *s, int wait_ms); /* each request */

int record_server_requests(const struct record_server *s);
int record_server_unmodified(const struct record_server *s); /* answered 304 */
int record_server_most(const struct record_server *s);       /* at a time */

#endif
