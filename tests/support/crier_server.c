#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/file.h"
#include "support/process.h"

static bool answers_live(const struct server *s)
{
    return server_answers_get(s, "/health/live");
}

/* The port of "listen = HOST:PORT" in an ini file; a port 0 is replaced by a free one, in the file too. */
static int listen_port(const char *path)
{
    struct buf text = BUF_INIT;
    struct error err;
    const char *line, *colon;
    FILE *file;
    int port;

    if (!file_read(path, 1024 * 1024, &text, &err))
        fail_msg("%s", err.text);
    line = strstr(text.data, "\nlisten");
    colon = line ? strchr(line, ':') : NULL;
    if (!colon)
        fail_msg("%s has no line listen = HOST:PORT", path);
    port = atoi(colon + 1);
    if (port == 0) {
        port = port_find();
        file = fopen(path, "we");
        assert_non_null(file);
        fprintf(file, "%.*s:%d%s", (int)(colon - text.data), text.data, port, colon + 2);
        fclose(file);
    }
    buf_release(&text);
    return port;
}

struct server *crier_serve_start(const char *config_path)
{
    return crier_serve_start_tls(config_path, NULL);
}

struct server *crier_serve_start_tls(const char *config_path, const char *ca_file)
{
    struct server *s = server_new("crier", answers_live);
    char *path = realpath(config_path, NULL); /* it runs in a folder of its own */

    s->port = listen_port(path ? path : config_path);
    server_argument(s, "%s", CRIER_PROGRAM);
    server_argument(s, "serve");
    server_argument(s, "--config");
    server_argument(s, "%s", path ? path : config_path);
    free(path);
    snprintf(s->url, sizeof s->url, "%s://127.0.0.1:%d", ca_file ? "https" : "http", s->port);
    snprintf(s->ca_file, sizeof s->ca_file, "%s", ca_file ? ca_file : "");
    server_begin(s);
    return s;
}
