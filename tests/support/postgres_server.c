#include "support/postgres_server.h"

#include <glob.h>
#include <libpq-fe.h>
#include <pwd.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "support/process.h"

enum { TIMEOUT_MS = 20000 };

/*
 * The cluster is made by the same unprivileged process that becomes the server. After a kill the backends may outlive
 * the postmaster by a moment; as long as they hold its shared memory a new one refuses to start.
 */
static const char run_script[] =
    "export LC_ALL=C\n"
    "[ -e data/PG_VERSION ] ||\n"
    "    \"$0/initdb\" --pgdata=data --username=crier --auth=trust --encoding=UTF8 --no-sync --no-instructions || "
    "exit\n"
    "id=$(sed -n '7s/.* //p' data/postmaster.pid 2>/dev/null)\n"
    "while [ -n \"$id\" ] && awk -v id=\"$id\" '$2 == id && $7 > 0 { held = 1 } END { exit !held }' /proc/sysvipc/shm\n"
    "do sleep 0.02; done\n"
    "exec \"$0/postgres\" -D data -c listen_addresses=127.0.0.1 -c port=\"$1\" -c unix_socket_directories= \\\n"
    "    -c fsync=off -c log_min_messages=warning -c shared_buffers=32MB\n";

static bool answers(const struct server *s)
{
    char words[100];

    snprintf(words, sizeof words, "host=127.0.0.1 port=%d dbname=postgres connect_timeout=2", s->port);
    return PQping(words) == PQPING_OK;
}

/* Debian keeps several versions side by side, and none of them in the path. */
static void find_programs(char out[200])
{
    glob_t found;

    if (glob("/usr/lib/postgresql/*/bin/initdb", 0, NULL, &found) != 0)
        fail_msg("no PostgreSQL in /usr/lib/postgresql: the package postgresql has it");
    snprintf(out, 200, "%s", found.gl_pathv[found.gl_pathc - 1]);
    *strrchr(out, '/') = '\0';
    globfree(&found);
}

void postgres_server_program(const char *name, char *path, size_t size)
{
    char folder[200];

    find_programs(folder);
    snprintf(path, size, "%s/%s", folder, name);
}

static void give_folder(const char *folder)
{
    const struct passwd *nobody = getpwnam("nobody");

    if (geteuid() == 0 && (!nobody || chown(folder, nobody->pw_uid, nobody->pw_gid) != 0))
        fail_msg("cannot give %s to nobody", folder);
}

static void create_database(const struct server *s)
{
    struct postgres *p;
    char url[100];

    snprintf(url, sizeof url, "postgresql://crier@127.0.0.1:%d/postgres", s->port);
    p = postgres_new(&(struct postgres_options){.url = url, .connect_ms = TIMEOUT_MS, .timeout_ms = TIMEOUT_MS});
    postgres_do(p, "CREATE DATABASE crier");
    postgres_free(p);
}

struct server *postgres_server_start(void)
{
    struct server *s = server_new("postgres", answers);
    char programs[200];

    find_programs(programs);
    give_folder(s->folder);
    s->unprivileged = true;
    s->stop_signal = SIGINT; /* at SIGTERM it would wait for its clients */
    server_argument(s, "sh");
    server_argument(s, "-c");
    server_argument(s, "%s", run_script);
    server_argument(s, "%s", programs);
    server_argument(s, "%d", s->port);
    snprintf(s->url, sizeof s->url, "postgresql://crier@127.0.0.1:%d/crier", s->port);
    server_begin(s);
    create_database(s);
    return s;
}

const char *postgres_server_url(const struct server *s)
{
    return s->url;
}

struct postgres *postgres_server_link(const struct server *s)
{
    return postgres_new(&(struct postgres_options){.url = s->url, .connect_ms = TIMEOUT_MS, .timeout_ms = TIMEOUT_MS});
}

void postgres_do(struct postgres *p, const char *sql)
{
    struct error err;

    if (!postgres_script(p, sql, &err))
        fail_msg("%s: %s", sql, err.text);
}

char *postgres_text(struct postgres *p, const char *sql)
{
    struct postgres_rows *rows = NULL;
    struct error err;
    char *text;

    if (!postgres_query(p, sql, NULL, 0, &rows, &err))
        fail_msg("%s: %s", sql, err.text);
    text = xstrdup(postgres_row_count(rows) > 0 ? postgres_value(rows, 0, 0).text : "");
    postgres_rows_free(rows);
    return text;
}

int64_t postgres_number(struct postgres *p, const char *sql)
{
    char *text = postgres_text(p, sql);
    int64_t number = strtoll(text, NULL, 10);

    free(text);
    return number;
}
