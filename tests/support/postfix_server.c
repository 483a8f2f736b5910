#include "support/postfix_server.h"

#include <dirent.h>
#include <pwd.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/file.h"
#include "support/mail_server.h"
#include "support/pause.h"
#include "support/process.h"

enum { ENDS_AFTER_S = 600, AWAIT_MS = 60000, FILE_BYTES_MOST = 64 * 1024 * 1024 };

static const char master[] = "/usr/lib/postfix/sbin/master";

/* In one maildir, under the envelope's words that virtual(8) puts before each mail. */
static const char main_cf[] =
    "compatibility_level = 3.6\n"
    "queue_directory = $config_directory/queue\n"
    "data_directory = $config_directory/data\n"
    "maillog_file = $config_directory/log\n"
    "maillog_file_prefixes = $config_directory\n"
    "inet_interfaces = 127.0.0.1\n"
    "inet_protocols = ipv4\n"
    "myhostname = mail.example.test\n"
    "mydestination =\n"
    "mynetworks = 127.0.0.0/8\n"
    "virtual_mailbox_domains = static:all\n"
    "virtual_mailbox_maps = static:all/\n"
    "virtual_mailbox_base = $config_directory/mails\n"
    "virtual_mailbox_limit = 0\n"
    "virtual_minimum_uid = 1\n"
    "virtual_uid_maps = static:%d\n"
    "virtual_gid_maps = static:%d\n"
    "alias_maps =\n"
    "alias_database =\n"
    "notify_classes =\n"
    "message_size_limit = %d\n"
    "smtpd_recipient_restrictions = check_recipient_access texthash:$config_directory/denied, permit_mynetworks, "
    "reject\n"
    "smtpd_end_of_data_restrictions = check_recipient_access inline:{{late@example.org=451 4.3.0 no room}}\n"
    "header_checks = regexp:{{/^Subject:.*UNWANTED/ REJECT not wanted here}}\n"
    "smtpd_tls_security_level = may\n"
    "smtpd_tls_cert_file = %s\n"
    "smtpd_tls_key_file = %s\n"
    "smtpd_tls_received_header = yes\n"
    "smtpd_tls_session_cache_database =\n"
    "debug_peer_list = 127.0.0.1\n"
    "debug_peer_level = 1\n";

static const char master_cf[] = "127.0.0.1:%d inet n - n - - smtpd -o max_use=1\n"
                                "pickup unix n - n 60 1 pickup\n"
                                "cleanup unix n - n - 0 cleanup\n"
                                "qmgr unix n - n 300 1 qmgr\n"
                                "tlsmgr unix - - n 1000? 1 tlsmgr\n"
                                "rewrite unix - - n - - trivial-rewrite\n"
                                "bounce unix - - n - 0 bounce\n"
                                "defer unix - - n - 0 bounce\n"
                                "trace unix - - n - 0 bounce\n"
                                "error unix - - n - - error\n"
                                "retry unix - - n - - error\n"
                                "discard unix - - n - - discard\n"
                                "virtual unix - n n - - virtual\n"
                                "anvil unix - - n - 1 anvil\n"
                                "proxymap unix - - n - - proxymap\n"
                                "postlog unix-dgram n - n - 1 postlogd\n";

bool postfix_server_there(void)
{
    if (access(master, X_OK) == 0 && geteuid() == 0)
        return true;
    print_message("skipped: postfix is not installed, or this is not root\n");
    return false;
}

/* ---------------------------------------------------------------------------------------------- its beginning */

static void put_file(const struct server *s, const char *name, const char *text)
{
    struct error err;
    char path[400];

    snprintf(path, sizeof path, "%s/%s", s->folder, name);
    if (!file_replace(path, 0644, text, strlen(text), &err))
        fail_msg("%s", err.text);
}

static void make_folder(const struct server *s, const char *name, const char *owner)
{
    const struct passwd *user = getpwnam(owner);
    char path[400];

    snprintf(path, sizeof path, "%s/%s", s->folder, name);
    if (!user || mkdir(path, 0755) != 0 || chown(path, user->pw_uid, user->pw_gid) != 0)
        fail_msg("no folder %s of %s", path, owner);
}

/* What `postfix check` would make, which takes seconds where other programs run. */
static void make_queue(const struct server *s)
{
    static const char *const folders[] = {"active", "bounce",   "corrupt", "defer",  "deferred", "flush",
                                          "hold",   "incoming", "private", "public", "saved",    "trace"};
    char name[40];

    make_folder(s, "queue", "root");
    make_folder(s, "queue/pid", "root");
    make_folder(s, "queue/maildrop", "postfix");
    for (size_t i = 0; i < ARRAY_LENGTH(folders); i++) {
        snprintf(name, sizeof name, "queue/%s", folders[i]);
        make_folder(s, name, "postfix");
    }
}

/* Its master changes its rights, and so outlives a test that fails or is killed; but not for long. */
struct server *postfix_server_start(void)
{
    struct server *s = server_new("postfix", mail_server_greets);
    const struct passwd *keeper = getpwnam("nobody");
    struct buf text = BUF_INIT;

    make_queue(s);
    make_folder(s, "data", "postfix");
    make_folder(s, "mails", "nobody");
    buf_printf(&text, main_cf, (int)keeper->pw_uid, (int)keeper->pw_gid, POSTFIX_SIZE_MOST, mail_server_certificate(),
               mail_server_key());
    put_file(s, "main.cf", text.data);
    buf_reset(&text);
    buf_printf(&text, master_cf, s->port);
    put_file(s, "master.cf", text.data);
    buf_release(&text);
    put_file(s, "denied", "");
    s->foreign_end = true;
    server_argument(s, "%s", master);
    server_argument(s, "-c");
    server_argument(s, "%s", s->folder);
    server_argument(s, "-s");
    server_argument(s, "-e");
    server_argument(s, "%d", ENDS_AFTER_S);
    snprintf(s->url, sizeof s->url, "smtp://127.0.0.1:%d", s->port);
    server_begin(s);
    return s;
}

const char *postfix_server_url(const struct server *s)
{
    return s->url;
}

void postfix_server_deny(struct server *s, const char *lines)
{
    put_file(s, "denied", lines); /* each connection has a process of its own, which reads it */
}

/* -------------------------------------------------------------------------------------------------- the mails */

/* What virtual(8) says first: "Return-Path: <...>", "X-Original-To: ...". */
static char *envelope(const char *text, const char *name)
{
    char wanted[60];
    const char *at;
    size_t length;

    snprintf(wanted, sizeof wanted, "%s: ", name);
    at = strstr(text, wanted);
    if (!at)
        fail_msg("there is no %s in %.300s", name, text);
    at += strlen(wanted);
    length = strcspn(at, "\n");
    return *at == '<' ? xstrndup(at + 1, length - 2) : xstrndup(at, length);
}

static void read_header(struct postfix_mail *m)
{
    struct buf names = BUF_INIT;
    const char *line = m->text;

    for (; *line && *line != '\n'; line += strcspn(line, "\n") + 1) {
        if (*line == ' ' || *line == '\t')
            continue;
        buf_add_text(&names, names.length > 0 ? " " : "");
        buf_add(&names, line, strcspn(line, ":\n"));
    }
    m->names = buf_take(&names);
    m->body = *line ? line + 1 : line;
}

static void read_mail(const char *path, struct postfix_mails *out)
{
    struct buf text = BUF_INIT;
    struct postfix_mail *m;
    struct error err;

    if (!file_read(path, FILE_BYTES_MOST, &text, &err))
        fail_msg("%s", err.text);
    out->items = xrealloc(out->items, (out->count + 1) * sizeof *out->items);
    m = &out->items[out->count++];
    m->text = buf_take(&text);
    m->from = envelope(m->text, "Return-Path");
    m->to = envelope(m->text, "X-Original-To");
    read_header(m);
}

static struct postfix_mails read_mails(const struct server *s)
{
    struct postfix_mails out = {.items = NULL};
    struct dirent *entry;
    char folder[400], path[700];
    DIR *all;

    snprintf(folder, sizeof folder, "%s/mails/all/new", s->folder);
    all = opendir(folder);
    while (all && (entry = readdir(all))) {
        if (*entry->d_name == '.')
            continue;
        snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        read_mail(path, &out);
    }
    if (all)
        closedir(all);
    return out;
}

void postfix_mails_release(struct postfix_mails *m)
{
    for (size_t i = 0; i < m->count; i++) {
        free(m->items[i].text);
        free(m->items[i].from);
        free(m->items[i].to);
        free(m->items[i].names);
    }
    free(m->items);
    *m = (struct postfix_mails){.items = NULL};
}

/* What is on its way: a file each, in folders of one letter where there are many. */
static bool queue_is_empty(const struct server *s)
{
    static const char *const queues[] = {"incoming", "active", "deferred", "bounce"};
    bool empty = true;

    for (size_t i = 0; i < ARRAY_LENGTH(queues); i++) {
        struct dirent *entry;
        char path[400];
        DIR *all;

        snprintf(path, sizeof path, "%s/queue/%s", s->folder, queues[i]);
        all = opendir(path);
        while (all && (entry = readdir(all)))
            empty = empty && (*entry->d_name == '.' || strlen(entry->d_name) == 1);
        if (all)
            closedir(all);
    }
    return empty;
}

struct postfix_mails postfix_server_await(const struct server *s, size_t count)
{
    int64_t until_ms = clock_monotonic_ms() + AWAIT_MS;

    for (;;) {
        bool empty = queue_is_empty(s);
        struct postfix_mails all = read_mails(s);

        if (empty && all.count >= count)
            return all;
        if (clock_monotonic_ms() > until_ms) {
            char what[80];

            snprintf(what, sizeof what, "has %zu of %zu mails%s", all.count, count, empty ? "" : ", others under way");
            server_fail(s, what);
        }
        postfix_mails_release(&all);
        pause_ms(20);
    }
}

const struct postfix_mail *postfix_mail_to(const struct postfix_mails *m, const char *to)
{
    for (size_t i = 0; i < m->count; i++)
        if (strcmp(m->items[i].to, to) == 0)
            return &m->items[i];
    return NULL;
}

char *postfix_mail_header(const struct postfix_mail *m, const char *name)
{
    struct buf value = BUF_INIT;
    size_t length = strlen(name);
    const char *line = m->text;
    bool in = false;

    for (; line + 1 < m->body; line += strcspn(line, "\n") + 1) {
        if (*line != ' ' && *line != '\t') {
            if (in)
                break;
            in = strncmp(line, name, length) == 0 && line[length] == ':';
            if (in)
                buf_add(&value, line + length + 2, strcspn(line, "\n") - length - 2);
        } else if (in) {
            buf_add(&value, line, strcspn(line, "\n"));
        }
    }
    buf_add_text(&value, "");
    return buf_take(&value);
}

static char *log_text(const struct server *s)
{
    struct buf text = BUF_INIT;
    struct error err;
    char path[400];

    snprintf(path, sizeof path, "%s/log", s->folder);
    if (!file_read(path, FILE_BYTES_MOST, &text, &err))
        fail_msg("%s", err.text);
    return buf_take(&text);
}

size_t postfix_log_count(const char *log, const char *word)
{
    size_t count = 0;

    for (; (log = strstr(log, word)); log += strlen(word))
        count++;
    return count;
}

char *postfix_server_await_log(const struct server *s, const char *word, size_t count)
{
    int64_t until_ms = clock_monotonic_ms() + AWAIT_MS;

    for (;;) {
        char *log = log_text(s);

        if (postfix_log_count(log, word) >= count)
            return log;
        if (clock_monotonic_ms() > until_ms)
            server_fail(s, "does not log what it did");
        free(log);
        pause_ms(20);
    }
}
