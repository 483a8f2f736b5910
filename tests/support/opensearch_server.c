#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "support/process.h"

#define RELEASE "opensearch-2.19.4"

/* Past the first answer: a cluster that still recovers its indices refuses writes. */
static bool answers_health(const struct server *s)
{
    return server_answers_get(s, "/_cluster/health?wait_for_status=yellow&timeout=2s");
}

static void cache_path(char *out, size_t size)
{
    const char *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");

    if (cache && cache[0])
        snprintf(out, size, "%s/crier/" RELEASE ".zip", cache);
    else
        snprintf(out, size, "%s/.cache/crier/" RELEASE ".zip", home ? home : "");
    if (access(out, R_OK) != 0)
        fail_msg("%s is not there; tests/run.sh fetches it", out);
}

static void run(const char *program, const char *first, const char *second, const char *third, const char *fourth)
{
    const char *words[] = {program, first, second, third, fourth, NULL};
    char *said;

    if (program_run(&said, (char *const *)(uintptr_t)words) != 0)
        fail_msg("%s %s: %s", program, first, said);
    free(said);
}

static void unpack(const struct server *s)
{
    char zip[PATH_MAX];

    cache_path(zip, sizeof zip);
    run("unzip", "-q", zip, "-d", s->folder);
    if (geteuid() == 0)
        run("chown", "-R", "nobody", s->folder, NULL);
}

/* The zip has no Java of its own: the folder above the bin/java that the shell would start. */
static void java_home(char out[PATH_MAX])
{
    const char *given = getenv("OPENSEARCH_JAVA_HOME") ? getenv("OPENSEARCH_JAVA_HOME") : getenv("JAVA_HOME");
    const char *words[] = {"sh", "-c", "readlink -f \"$(command -v java)\"", NULL};
    char *found = NULL, *end;

    out[0] = '\0';
    if (given) {
        snprintf(out, PATH_MAX, "%s", given);
        return;
    }
    if (program_run(&found, (char *const *)(uintptr_t)words) == 0 && (end = strstr(found, "/bin/java")))
        snprintf(out, PATH_MAX, "%.*s", (int)(end - found), found);
    free(found);
    if (!out[0])
        fail_msg("no java is found: OpenSearch needs Java 17");
}

struct server *opensearch_server_start_own(void)
{
    struct server *s = server_new("opensearch", answers_health);
    const char *more = getenv("CRIER_TEST_JAVA_OPTS");
    char home[PATH_MAX];

    s->unprivileged = true;
    unpack(s);
    java_home(home);
    server_argument(s, "env");
    server_argument(s, "OPENSEARCH_JAVA_HOME=%s", home);
    server_argument(s, "OPENSEARCH_JAVA_OPTS=-Xms512m -Xmx512m %s", more ? more : "");
    server_argument(s, RELEASE "/bin/opensearch");
    server_argument(s, "-Ediscovery.type=single-node");
    server_argument(s, "-Enetwork.host=127.0.0.1");
    server_argument(s, "-Ehttp.port=%d", s->port);
    server_argument(s, "-Etransport.port=%d", port_find());
    server_argument(s, "-Ecluster.routing.allocation.disk.threshold_enabled=false"); /* the tests' disk may be full */
    snprintf(s->url, sizeof s->url, "http://127.0.0.1:%d", s->port);
    server_begin(s);
    return s;
}

static struct server *named_by_environment(const char *url)
{
    struct server *s = xcalloc(1, sizeof *s);
    const char *port = strrchr(url, ':');

    s->name = "opensearch";
    s->port = port ? (int)strtol(port + 1, NULL, 10) : 0;
    snprintf(s->url, sizeof s->url, "%s", url);
    return s;
}

/* One for the whole process: it takes seconds to start, and tests keep apart by the names of their indices. */
struct server *opensearch_server_start(void)
{
    static struct server *one;
    const char *url = getenv("CRIER_TEST_OPENSEARCH");

    if (!one) {
        one = url && url[0] ? named_by_environment(url) : opensearch_server_start_own();
        one->lent = true;
    }
    return one;
}

const char *opensearch_server_url(const struct server *s)
{
    return s->url;
}
