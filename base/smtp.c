#include "base/smtp.h"

#include <curl/curl.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/text.h"

enum {
    WORDS_BYTES_MOST = 1024,
    SERVER_BYTES_MOST = 300,
    STATUS_BYE = 221,
    STATUS_GO_ON = 354,
    STATUS_LEAVING = 421,
    MESSAGES_MOST = 100, /* over one link: another may lead to a server with less to do */
    IDLE_MS = 5000,
    UPLOAD_BYTES = 16 * 1024, /* libcurl's least: of 64 KiB it asks the system for anew with each message */
};

struct smtp {
    CURL *link;
    struct smtp_options options;
    int messages;               /* over the link that is open; 0: none is */
    int64_t sent_at_ms;         /* the last of them */
    struct smtp_answer *answer; /* of the message under way, as all that follows; NULL: none is */
    const struct smtp_message *message;
    size_t given; /* bytes of the message */
    bool more;    /* the reply being read has more lines */
    bool asked;   /* the server wants the message: what it says from here on is about that */
    char why[CURL_ERROR_SIZE];
};

/* ------------------------------------------------------------------------------------------- libcurl's hooks */

static int status_of(const char *line, size_t length)
{
    int status = 0;

    for (size_t i = 0; i < 3; i++) {
        if (i >= length || line[i] < '0' || line[i] > '9')
            return 0;
        status = status * 10 + line[i] - '0';
    }
    return status;
}

/* Keeps the last reply. The farewell says nothing about the message. */
static size_t on_line(char *bytes, size_t size, size_t count, void *user)
{
    struct smtp *s = user;
    size_t length = size * count, room;
    int status = status_of(bytes, length);

    if (!s->answer || status == 0 || status == STATUS_BYE)
        return length;
    if (!s->more)
        buf_reset(&s->answer->words);
    s->more = length > 3 && bytes[3] == '-';
    s->answer->status = status;
    s->asked = s->asked || status == STATUS_GO_ON;
    room = WORDS_BYTES_MOST - s->answer->words.length;
    buf_add(&s->answer->words, bytes, length < room ? length : room);
    return length;
}

static size_t give_message(char *out, size_t size, size_t count, void *user)
{
    struct smtp *s = user;
    size_t left = s->message->length - s->given, most = size * count;
    size_t length = left < most ? left : most;

    memcpy(out, s->message->bytes + s->given, length);
    s->given += length;
    return length;
}

static size_t drop_body(char *bytes, size_t size, size_t count, void *user)
{
    (void)bytes;
    (void)user;
    return size * count;
}

/* -------------------------------------------------------------------------------------------------- one message */

static void set_security(struct smtp *s, const struct smtp_options *o)
{
    static const long levels[] = {
        [SMTP_TLS_NONE] = CURLUSESSL_NONE, [SMTP_TLS_TRY] = CURLUSESSL_TRY, [SMTP_TLS_REQUIRED] = CURLUSESSL_ALL};

    curl_easy_setopt(s->link, CURLOPT_USE_SSL, levels[o->tls]);
    curl_easy_setopt(s->link, CURLOPT_SSL_VERIFYPEER, 1L);
    curl_easy_setopt(s->link, CURLOPT_SSL_VERIFYHOST, 2L);
    if (*o->ca_file)
        curl_easy_setopt(s->link, CURLOPT_CAINFO, o->ca_file);
    if (*o->user) {
        curl_easy_setopt(s->link, CURLOPT_USERNAME, o->user);
        curl_easy_setopt(s->link, CURLOPT_PASSWORD, o->password);
    }
}

static void link_open(struct smtp *s)
{
    const struct smtp_options *o = &s->options;

    s->link = curl_easy_init();
    if (!s->link)
        abort();
    curl_easy_setopt(s->link, CURLOPT_URL, o->server);
    curl_easy_setopt(s->link, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(s->link, CURLOPT_PROXY, "");
#if LIBCURL_VERSION_NUM >= 0x075500
    curl_easy_setopt(s->link, CURLOPT_PROTOCOLS_STR, "smtp,smtps");
#else
    curl_easy_setopt(s->link, CURLOPT_PROTOCOLS, (long)(CURLPROTO_SMTP | CURLPROTO_SMTPS));
#endif
    curl_easy_setopt(s->link, CURLOPT_TIMEOUT_MS, (long)o->timeout_ms);
    curl_easy_setopt(s->link, CURLOPT_CONNECTTIMEOUT_MS, (long)o->timeout_ms);
    curl_easy_setopt(s->link, CURLOPT_FTP_RESPONSE_TIMEOUT, (long)(o->timeout_ms + 999) / 1000); /* of QUIT's answer */
    curl_easy_setopt(s->link, CURLOPT_UPLOAD, 1L);
    curl_easy_setopt(s->link, CURLOPT_UPLOAD_BUFFERSIZE, (long)UPLOAD_BYTES);
    curl_easy_setopt(s->link, CURLOPT_READFUNCTION, give_message);
    curl_easy_setopt(s->link, CURLOPT_READDATA, s);
    curl_easy_setopt(s->link, CURLOPT_HEADERFUNCTION, on_line);
    curl_easy_setopt(s->link, CURLOPT_HEADERDATA, s);
    curl_easy_setopt(s->link, CURLOPT_WRITEFUNCTION, drop_body);
    curl_easy_setopt(s->link, CURLOPT_ERRORBUFFER, s->why);
    set_security(s, o);
}

struct smtp *smtp_new(const struct smtp_options *o)
{
    struct smtp *s = xcalloc(1, sizeof *s);

    s->options = *o;
    link_open(s);
    return s;
}

static void link_renew(struct smtp *s)
{
    curl_easy_cleanup(s->link);
    s->messages = 0;
    link_open(s);
}

void smtp_rest(struct smtp *s)
{
    if (s->messages > 0 && clock_monotonic_ms() - s->sent_at_ms >= IDLE_MS)
        link_renew(s);
}

void smtp_free(struct smtp *s)
{
    if (!s)
        return;
    curl_easy_cleanup(s->link);
    free(s);
}

/* About the login, the server's terms or the order of commands: another message would fare no better. */
static bool is_about_link(int status)
{
    return status == 503 || status == 530 || status == 534 || status == 535 || status == 538;
}

/* libcurl says SEND_ERROR for a refused MAIL, RCPT or DATA; a greeting that refuses comes before the message. */
static bool is_final(const struct smtp *s, CURLcode code)
{
    int status = s->answer->status;

    if (status < 500 || status > 599 || is_about_link(status))
        return false;
    return code == CURLE_SEND_ERROR || s->asked;
}

/* Also where the server said it after the time limit, while libcurl took its leave. */
static bool is_sent(const struct smtp *s, CURLcode code)
{
    return code == CURLE_OK || (s->asked && s->answer->status >= 200 && s->answer->status < 300);
}

static void explain(struct smtp *s, CURLcode code)
{
    struct smtp_answer *a = s->answer;
    struct buf said = BUF_INIT;

    if (a->status >= 400)
        text_add_escaped(&said, a->words.data, a->words.length - (a->words.length > 2 ? 2 : 0), 300);
    else if (s->asked)
        buf_printf(&said, "it did not say whether it took the message: %s", curl_easy_strerror(code));
    else
        buf_add_text(&said, s->why[0] ? s->why : curl_easy_strerror(code));
    error_set(&a->err, a->outcome == SMTP_NEVER ? ERROR_INPUT : ERROR_AGAIN, "%s: %s", s->options.server, said.data);
    buf_release(&said);
}

static CURLcode attempt(struct smtp *s, struct curl_slist *to)
{
    CURLcode code;
    long opened = 1;

    s->given = 0;
    s->more = s->asked = false;
    s->why[0] = '\0';
    s->answer->status = 0;
    s->answer->err = (struct error)ERROR_INIT;
    buf_reset(&s->answer->words);
    curl_easy_setopt(s->link, CURLOPT_MAIL_FROM, s->message->from);
    curl_easy_setopt(s->link, CURLOPT_MAIL_RCPT, to);
    curl_easy_setopt(s->link, CURLOPT_INFILESIZE_LARGE, (curl_off_t)s->message->length);
    curl_easy_setopt(s->link, CURLOPT_FORBID_REUSE, s->messages + 1 >= MESSAGES_MOST ? 1L : 0L);
    code = curl_easy_perform(s->link);
    curl_easy_setopt(s->link, CURLOPT_MAIL_RCPT, NULL);
    curl_easy_getinfo(s->link, CURLINFO_NUM_CONNECTS, &opened);
    s->messages = opened > 0 ? 1 : s->messages + 1;
    s->sent_at_ms = clock_monotonic_ms();
    return code;
}

/* A link from an earlier message that the server has ended, or is about to: nothing of this one was asked for yet. */
static bool is_outlived(const struct smtp *s, CURLcode code)
{
    int status = s->answer->status;

    return code != CURLE_OK && code != CURLE_OPERATION_TIMEDOUT && s->messages > 1 && !s->asked &&
           (status == 0 || status == STATUS_LEAVING);
}

void smtp_send(struct smtp *s, const struct smtp_message *message, struct smtp_answer *answer)
{
    struct curl_slist *to = curl_slist_append(NULL, message->to);
    CURLcode code;

    s->answer = answer;
    s->message = message;
    code = attempt(s, to);
    if (is_outlived(s, code)) /* libcurl has closed it */
        code = attempt(s, to);
    if (s->messages >= MESSAGES_MOST)
        s->messages = 0;
    curl_slist_free_all(to);
    answer->outcome = is_sent(s, code) ? SMTP_SENT : is_final(s, code) ? SMTP_NEVER : SMTP_AGAIN;
    if (answer->outcome != SMTP_SENT)
        explain(s, code);
    s->answer = NULL;
    if (code != CURLE_OK)
        link_renew(s); /* libcurl would go on over one on which postfix still has the refused message's envelope */
}

/* The text may hold a password: it is never quoted. */
bool smtp_server_check(const char *url, struct error *err)
{
    const char *host = text_starts(url, "smtp://")    ? url + strlen("smtp://")
                       : text_starts(url, "smtps://") ? url + strlen("smtps://")
                                                      : "";

    if (!*host || strlen(url) > SERVER_BYTES_MOST || strcspn(host, "@/?#\\ \t") < strlen(host))
        return error_set(err, ERROR_CONFIG,
                         "smtp://HOST[:PORT] or smtps://HOST[:PORT]; user and password are keys of their own");
    for (; *host; host++)
        if ((unsigned char)*host <= ' ' || (unsigned char)*host >= 0x7f)
            return error_set(err, ERROR_CONFIG, "the host holds a control character, or one that is not ASCII");
    return true;
}
