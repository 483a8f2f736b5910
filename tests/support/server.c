#include "support/server.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <grp.h>
#include <netinet/in.h>
#include <pwd.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/http.h"
#include "support/canary.h"
#include "support/process.h"

enum {
    ANSWERS_WITHIN_MS = 240000,
    ENDS_WITHIN_MS = 120000,
    LOOK_AGAIN_MS = 10,
    LOG_SHOWN_BYTES = 4000,
    PORT_LEAST = 12000,
    PORT_COUNT = 20000,
};

static void wait_a_moment(void)
{
    usleep(LOOK_AGAIN_MS * 1000);
}

/* ------------------------------------------------------------------------------------------------- its making */

static bool port_is_free(int port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), yes = 1;
    bool free_now;

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    free_now = bind(fd, (struct sockaddr *)&address, sizeof address) == 0;
    close(fd);
    return free_now;
}

/*
 * A name of the kernel's for the port, kept until its server is no longer needed or the process ends: what this process
 * stopped, or has not started yet, is not given to another test that runs beside.
 */
static int reservations[PORT_COUNT]; /* by port, from PORT_LEAST on: a file descriptor; 0: none */

static bool reserve_port(int port)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int length = snprintf(address.sun_path + 1, sizeof address.sun_path - 1, "crier-test-port-%d", port);

    if (bind(fd, (struct sockaddr *)&address,
             (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1) + (socklen_t)length) == 0) {
        reservations[port - PORT_LEAST] = fd;
        return true;
    }
    close(fd);
    return false;
}

static void release_port(int port)
{
    int place = port - PORT_LEAST;

    if (place < 0 || place >= PORT_COUNT || reservations[place] == 0)
        return;
    close(reservations[place]);
    reservations[place] = 0;
}

/*
 * Below the range that outgoing connections take theirs from: there a client that looks for a stopped server can get
 * the server's own port, and connect to itself.
 */
int port_find(void)
{
    for (int tries = 0; tries < 1000; tries++) {
        int port = PORT_LEAST + (int)(random_below(PORT_COUNT) + (uint64_t)getpid()) % PORT_COUNT;

        if (port_is_free(port) && reserve_port(port))
            return port;
    }
    fail_msg("no free port");
    return 0;
}

struct server *server_new(const char *name, bool (*answers)(const struct server *s))
{
    struct server *s = xcalloc(1, sizeof *s);

    s->name = name;
    s->answers = answers;
    s->port = port_find();
    folder_make(name, s->folder, sizeof s->folder);
    return s;
}

void server_argument(struct server *s, const char *format, ...)
{
    char text[1000];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (s->argument_count == ARGUMENTS_MOST)
        fail_msg("%s: too many arguments", s->name);
    s->arguments[s->argument_count++] = xstrdup(text);
}

static void log_path(const struct server *s, char out[400])
{
    snprintf(out, 400, "%s/log", s->folder);
}

static void check_for_secrets(const struct server *s)
{
    struct buf log = BUF_INIT;
    struct error err;
    char path[400];

    log_path(s, path);
    if (file_read(path, SIZE_MAX / 2, &log, &err))
        canary_check("the log of crier", log.data);
    for (int i = 0; i < s->argument_count; i++)
        canary_check("the command line of crier", s->arguments[i]);
    buf_release(&log);
}

void server_free(struct server *s)
{
    if (!s || s->lent)
        return;
    if (s->pid > 0)
        server_kill(s);
    if (strcmp(s->name, "crier") == 0)
        check_for_secrets(s);
    release_port(s->port);
    for (int i = 0; i < s->argument_count; i++)
        free(s->arguments[i]);
    free(s);
}

/* ---------------------------------------------------------------------------------------------- its beginning */

static void print_log(const struct server *s)
{
    char path[400], tail[LOG_SHOWN_BYTES + 1];
    size_t length = 0;
    FILE *log;

    log_path(s, path);
    log = fopen(path, "re");
    if (log) {
        if (fseek(log, -LOG_SHOWN_BYTES, SEEK_END) != 0)
            rewind(log);
        length = fread(tail, 1, LOG_SHOWN_BYTES, log);
        fclose(log);
    }
    tail[length] = '\0';
    fprintf(stderr, "--- log of %s on port %d:\n%s\n---\n", s->name, s->port, tail);
}

void server_fail(const struct server *s, const char *what)
{
    print_log(s);
    fail_msg("%s on port %d %s", s->name, s->port, what);
}

static void drop_rights(void)
{
    const struct passwd *nobody = getpwnam("nobody");

    if (!nobody || setgroups(0, NULL) != 0 || setgid(nobody->pw_gid) != 0 || setuid(nobody->pw_uid) != 0)
        _exit(126);
    prctl(PR_SET_PDEATHSIG, SIGKILL); /* forgotten with the rights */
}

static void become_server(const struct server *s)
{
    char path[400];
    int log;

    log_path(s, path);
    log = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    dup2(open("/dev/null", O_RDONLY | O_CLOEXEC), STDIN_FILENO);
    dup2(log, STDOUT_FILENO);
    dup2(log, STDERR_FILENO);
    if (s->unprivileged && geteuid() == 0)
        drop_rights();
    if (chdir(s->folder) != 0)
        _exit(126);
    execvp(s->arguments[0], s->arguments);
    _exit(127);
}

/* Whether it has ended by itself meanwhile. */
static bool has_ended(struct server *s)
{
    int status;

    if (s->pid == 0 || waitpid(s->pid, &status, WNOHANG) != s->pid)
        return s->pid == 0;
    s->exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    s->pid = 0;
    return true;
}

void server_begin(struct server *s)
{
    int64_t deadline_ms = clock_monotonic_ms() + ANSWERS_WITHIN_MS;

    s->pid = fork_bound();
    if (s->pid == 0)
        become_server(s);
    while (!s->answers(s)) {
        if (has_ended(s))
            server_fail(s, "ended instead of answering");
        if (clock_monotonic_ms() > deadline_ms)
            server_fail(s, "does not answer");
        wait_a_moment();
    }
}

bool server_answers_get(const struct server *s, const char *path)
{
    struct http *h = http_new(
        &(struct http_options){.connect_ms = 1000, .timeout_ms = 5000, .ca_file = *s->ca_file ? s->ca_file : NULL});
    struct http_reply reply = HTTP_REPLY_INIT;
    struct error err;
    char url[300];
    bool answers;

    snprintf(url, sizeof url, "%s://127.0.0.1:%d%s", *s->ca_file ? "https" : "http", s->port, path);
    answers = http_send(h, &(struct http_request){.method = "GET", .url = url}, &reply, &err) && reply.status == 200;
    buf_release(&reply.body);
    http_free(h);
    return answers;
}

/* --------------------------------------------------------------------------------------------------- its life */

static void send_signal(const struct server *s, int signal)
{
    if (s->lent || s->pid == 0)
        fail_msg("%s is not ours, or not running: no signal for it", s->name);
    kill(s->pid, signal);
}

static void wait_for_end(struct server *s)
{
    int64_t deadline_ms = clock_monotonic_ms() + ENDS_WITHIN_MS;

    while (!has_ended(s)) {
        if (clock_monotonic_ms() > deadline_ms)
            server_fail(s, "does not end");
        wait_a_moment();
    }
}

/* A crash, or what a sanitizer found, must not pass for the end that was asked for. */
static void end_by(struct server *s, int signal, int exit_code)
{
    send_signal(s, signal);
    wait_for_end(s);
    if (!s->foreign_end && s->exit_code != exit_code && s->exit_code != 128 + signal)
        server_fail(s, "ended in a way of its own");
}

void server_kill(struct server *s)
{
    end_by(s, SIGKILL, 128 + SIGKILL);
}

void server_stop(struct server *s)
{
    end_by(s, s->stop_signal ? s->stop_signal : SIGTERM, 0);
}

void server_crash(struct server *s, int signal)
{
    send_signal(s, signal);
    wait_for_end(s);
    if (s->exit_code == 0)
        server_fail(s, "ended well");
}

void server_pause(struct server *s)
{
    send_signal(s, SIGSTOP);
}

void server_resume(struct server *s)
{
    send_signal(s, SIGCONT);
}

void server_restart(struct server *s)
{
    if (s->pid > 0 && !has_ended(s))
        server_stop(s);
    server_begin(s);
}

int server_port(const struct server *s)
{
    return s->port;
}

int server_pid(const struct server *s)
{
    return (int)s->pid;
}

int server_exit_code(const struct server *s)
{
    return s->exit_code;
}

const char *server_folder(const struct server *s)
{
    return s->folder;
}
