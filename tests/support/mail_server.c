#include "support/mail_server.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/file.h"
#include "support/process.h"

enum { AWAIT_MS = 60000, MESSAGES_BYTES_MOST = 64 * 1024 * 1024 };

static char certificate[400], key[400];

static const char *python(void)
{
    const char *named = getenv("CRIER_PYTHON");

    return named && *named ? named : "python3";
}

bool mail_server_there(void)
{
    char *const words[] = {(char *)python(), "-c", "import aiosmtpd", NULL};
    char *out;
    int code = program_run(&out, words);

    free(out);
    if (code == 0)
        return true;
    if (getenv("CRIER_PYTHON"))
        fail_msg("%s has no package aiosmtpd", python());
    print_message("skipped: python3 has no package aiosmtpd\n");
    return false;
}

bool mail_server_greets(const struct server *s)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)s->port)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    char first = 0;
    bool ok;

    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    ok = connect(fd, (struct sockaddr *)&to, sizeof to) == 0 && read(fd, &first, 1) == 1 && first == '2';
    close(fd);
    return ok;
}

const char *mail_server_certificate(void)
{
    char *out;

    if (*certificate)
        return certificate;
    snprintf(certificate, sizeof certificate, "%s/mail.pem", test_folder());
    snprintf(key, sizeof key, "%s/mail.key", test_folder());
    {
        char *const words[] = {"openssl", "req", "-x509", "-newkey",       "rsa:2048", "-nodes",
                               "-days",   "2",   "-subj", "/CN=127.0.0.1", "-addext",  "subjectAltName=IP:127.0.0.1",
                               "-keyout", key,   "-out",  certificate,     NULL};

        if (program_run(&out, words) != 0)
            fail_msg("openssl: %s", out);
    }
    free(out);
    return certificate;
}

const char *mail_server_key(void)
{
    mail_server_certificate();
    return key;
}

struct server *mail_server_start(const struct mail_server_options *o)
{
    struct server *s = server_new("mail", mail_server_greets);

    server_argument(s, "%s", python());
    server_argument(s, "%s/tests/smtp_server.py", SOURCE_DIR);
    server_argument(s, "%d", s->port);
    if (o->tls) {
        mail_server_certificate();
        server_argument(s, "--cert");
        server_argument(s, "%s", certificate);
        server_argument(s, "--key");
        server_argument(s, "%s", key);
    }
    if (o->login) {
        server_argument(s, "--login");
        server_argument(s, "%s", o->login);
    }
    snprintf(s->url, sizeof s->url, "smtp://127.0.0.1:%d", s->port);
    server_begin(s);
    return s;
}

struct server *mail_middle_start(const struct server *to, const char *manner)
{
    struct server *s = server_new("middle", mail_server_greets);

    server_argument(s, "%s", python());
    server_argument(s, "%s/tests/smtp_middle.py", SOURCE_DIR);
    server_argument(s, "%d", s->port);
    server_argument(s, "%d", to->port);
    snprintf(s->url, sizeof s->url, "smtp://127.0.0.1:%d", s->port);
    mail_server_behave(s, manner);
    server_begin(s);
    return s;
}

const char *mail_server_url(const struct server *s)
{
    return s->url;
}

void mail_server_behave(struct server *s, const char *manner)
{
    struct error err;
    char path[400];

    snprintf(path, sizeof path, "%s/manner", s->folder);
    if (!file_replace(path, 0644, manner, strlen(manner), &err))
        fail_msg("%s", err.text);
}

json_t *mail_server_messages(const struct server *s)
{
    json_t *all = json_array();
    struct buf text = BUF_INIT;
    struct error err;
    char path[400];

    snprintf(path, sizeof path, "%s/messages", s->folder);
    if (access(path, R_OK) == 0 && !file_read(path, MESSAGES_BYTES_MOST, &text, &err))
        fail_msg("%s", err.text);
    for (char *line = text.data, *end; (end = strchr(line, '\n')); line = end + 1)
        json_array_append_new(all, json_loadb(line, (size_t)(end - line), 0, NULL));
    buf_release(&text);
    return all;
}

size_t mail_server_connections(const struct server *s)
{
    struct buf text = BUF_INIT;
    struct error err;
    char path[400];
    size_t count = 0;

    snprintf(path, sizeof path, "%s/connections", s->folder);
    if (!file_read(path, MESSAGES_BYTES_MOST, &text, &err))
        fail_msg("%s", err.text);
    for (size_t i = 0; i < text.length; i++)
        count += text.data[i] == '\n';
    buf_release(&text);
    return count;
}

json_t *mail_server_await(const struct server *s, size_t count)
{
    int64_t until_ms = clock_monotonic_ms() + AWAIT_MS;
    json_t *all = mail_server_messages(s);

    while (json_array_size(all) < count) {
        if (clock_monotonic_ms() > until_ms)
            fail_msg("%zu of %zu mails came", json_array_size(all), count);
        json_decref(all);
        nanosleep(&(struct timespec){0, 10000000}, NULL);
        all = mail_server_messages(s);
    }
    return all;
}
