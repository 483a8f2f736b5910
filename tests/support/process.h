/*
 * tests/support/process.h - what all servers of server.h have in common: a program, its folder, its port, its log.
 *
 * For the files that make servers. A server ends with the thread that started it: start servers in the main thread.
 */
#ifndef TESTS_SUPPORT_PROCESS_H
#define TESTS_SUPPORT_PROCESS_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/attrs.h"
#include "support/server.h"

enum { ARGUMENTS_MOST = 64 };

struct server {
    const char *name;
    char folder[300]; /* its working directory; "log" in it is what it prints */
    char url[100];
    char ca_file[300]; /* whose certificate the server's is signed by; "": it speaks no TLS */
    int port;
    char *arguments[ARGUMENTS_MOST + 1]; /* NULL-ended */
    int argument_count;
    bool unprivileged; /* for programs that refuse to run as root */
    bool lent;         /* another's: not ours to end */
    int stop_signal;   /* 0: SIGTERM */
    bool foreign_end;  /* it ends with codes of its own, which nobody here looks at */
    bool (*answers)(const struct server *s);
    pid_t pid; /* 0: not running */
    int exit_code;
};

/* With a fresh folder and a free port, not running yet. */
struct server *server_new(const char *name, bool (*answers)(const struct server *s));
void server_argument(struct server *s, const char *format, ...) printf_like(2, 3);

/* Starts it and waits until it answers. */
void server_begin(struct server *s);

/* Fails the test, with the tail of the server's log. */
void server_fail(const struct server *s, const char *what);

/* Whether a GET is answered 200. */
bool server_answers_get(const struct server *s, const char *path);

/* A folder of that name, and a number after it, in what goes when the test process ends. */
void folder_make(const char *name, char *out, size_t size);

/* One that ended and is waited for by nobody, which is not ours to see to, counts as gone. */
bool process_runs(pid_t pid);

/* Runs a program to its end; its output to out where that is not NULL (yours to free). Returns its exit code. */
int program_run(char **out, char *const arguments[]);
/* The same with a line for the shell. */
int shell_run(char **out, const char *format, ...) printf_like(2, 3);

/*
 * `crier` with arguments (NULL-ended), not waited for, bound as by fork_bound; and what it said until now, once it has
 * been waited for (yours to free).
 */
pid_t crier_begin(const char *const arguments[]);
pid_t crier_begin_when(int told, const char *const arguments[]); /* once a byte comes from that file */
char *crier_begun_said(pid_t pid);

/* Forks a child that ends with the calling thread; 0 in the child, as fork. */
pid_t fork_bound(void);

#endif
