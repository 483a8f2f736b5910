/*
 * tests/support/server.h - real servers for tests: started on free ports of 127.0.0.1 in a fresh folder, ended by pid.
 *
 * Every start waits until the server answers, or fails the test with the server's own log. Servers end with the test
 * process, however it ends.
 */
#ifndef TESTS_SUPPORT_SERVER_H
#define TESTS_SUPPORT_SERVER_H

struct server;

/* redis-server with AOF (appendfsync everysec) and noeviction, or with the extra arguments given. */
struct server *redis_server_start(const char *const extra[]);
const char *redis_server_url(const struct server *s); /* redis://127.0.0.1:PORT/0 */

/*
 * OpenSearch: the one named by CRIER_TEST_OPENSEARCH (tests/run.sh starts one for all tests; each test uses index names
 * of its own, see test_prefix), or started here from the cache where that is not set.
 */
struct server *opensearch_server_start(void);
const char *opensearch_server_url(const struct server *s);

/* An OpenSearch of the test's own, to be stopped and started. */
struct server *opensearch_server_start_own(void);

/* A prefix for index names that no other test run uses ("t4711x3-"). */
const char *test_prefix(void);

void server_kill(struct server *s); /* SIGKILL, and waits for its end; fails the test where it was gone already */
void server_stop(struct server *s); /* SIGTERM or its like, likewise, and it must end well */
void server_crash(struct server *s, int signal); /* by a signal that ends it, in whatever way */
void server_pause(struct server *s);             /* SIGSTOP */
void server_resume(struct server *s);            /* SIGCONT */
void server_restart(struct server *s);           /* the same folder and port */
int server_port(const struct server *s);
int server_pid(const struct server *s);
int server_exit_code(const struct server *s);      /* of one that ended; 128 + the signal that ended it */
const char *server_folder(const struct server *s); /* its working directory */
void server_free(struct server *s);                /* ends it; NULL is fine */

/* The test process's own folder, which goes when the process ends. */
const char *test_folder(void);

/* A free port of 127.0.0.1. */
int port_find(void);

/* `crier` itself, with arguments (NULL-ended); what it prints in out (yours to free), its exit code returned. */
int crier_run(char **out, const char *const arguments[]);
/* Waits for GET /health/live; `listen = 127.0.0.1:0` in the file is given a free port, to be kept over restarts. */
struct server *crier_serve_start(const char *config_path);
/* The same with TLS, where the file names a certificate; ca_file is of who signed it. */
struct server *crier_serve_start_tls(const char *config_path, const char *ca_file);

#endif
