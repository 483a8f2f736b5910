#include "scheduler/reload.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/log.h"
#include "handlers/audit/audit_file.h"
#include "handlers/outside/program.h"
#include "notifier/certificate.h"
#include "notifier/door_listen.h"
#include "notifier/service_event.h"
#include "scheduler/signals.h"
#include "scheduler/terminal.h"
#include "scheduler/watchdog.h"

/* Its value is the process's number, so that it means nothing to other processes. */
#define PROCESS_VARIABLE "CRIER_BEGUN_AS"

enum { ARGUMENTS_BYTES_MOST = 1 << 20, FIRST_FILE = 3, RETRY_MS = 5000 };

/* ---------------------------------------------------------------------------------------------------- the file */

/* Who sends a signal is not known here. */
static void say_refused(const struct settings *s, const struct buf *mistakes, const struct error *why)
{
    struct redis *r = settings_redis(s);
    struct buf subject = BUF_INIT;
    char host[65] = "localhost";
    struct error err;
    json_t *data;

    gethostname(host, sizeof host - 1);
    buf_printf(&subject, "configurations/%s:%s", host, s->path);
    data = json_pack("{s:s, s:s, s:s}", "file", s->path, "outcome", "failure", "version", CRIER_VERSION);
    json_object_set_new(data, "reason", json_stringn_nocheck(why->text, text_utf8_valid(why->text, strlen(why->text))));
    json_object_set_new(data, "mistakes",
                        json_stringn_nocheck(mistakes->data, text_utf8_valid(mistakes->data, mistakes->length)));
    if (!service_event_send(s, r, "configuration.refused", subject.data, "services/crier", data, &err))
        log_warn("%s", err.text);
    buf_release(&subject);
    redis_free(r);
}

/* What we listen on ourselves cannot be tried: then only the address is, with any port. */
static bool can_listen(const char *address, const char *ours, struct error *err)
{
    const char *port = strrchr(address, ':'), *our_port = strrchr(ours, ':');
    struct buf any = BUF_INIT;
    int socket = 0, number;

    if (strcmp(address, ours) == 0)
        return true;
    if (port && our_port && strcmp(port, our_port) == 0)
        buf_printf(&any, "%.*s:0", (int)(port - address), address);
    socket = listen_open(any.length > 0 ? any.data : address, &number, err);
    buf_release(&any);
    if (socket < 0) {
        error_in(err, "[http] listen");
        return false;
    }
    close(socket);
    return true;
}

static bool can_keep_audit(const struct settings *s, const struct audit_settings *ours, struct error *err)
{
    struct audit_file *file = NULL;

    if (strcmp(s->audit.file, ours->file) == 0 && strcmp(s->audit.key, ours->key) == 0)
        return true;
    for (size_t i = 0; *s->audit.file && i < s->handler_count; i++)
        if (strcmp(s->handlers[i].kind->name, "audit") == 0) {
            file = audit_file_open(&s->audit, err);
            audit_file_close(file);
            return file != NULL;
        }
    return true;
}

static bool has_certificate(const struct settings *s, struct error *err)
{
    struct buf wrong = BUF_INIT;
    bool good;

    certificate_check(s, &wrong);
    good = wrong.length == 0 || error_set(err, ERROR_CONFIG, "[http] certificate: %s", wrong.data);
    buf_release(&wrong);
    return good;
}

bool reload_is_good(const struct verb_call *call, bool door, bool handlers)
{
    struct buf mistakes = BUF_INIT;
    struct error err = ERROR_INIT;
    struct settings *s = settings_load(call->config_path, call->outside, &mistakes, &err);
    bool good = s && has_certificate(s, &err) &&
                (!door || can_listen(s->http.listen, call->settings->http.listen, &err)) &&
                (!handlers || can_keep_audit(s, &call->settings->audit, &err));

    if (!good) {
        log_error("the configuration is left as it was: %s%s%s", err.text, mistakes.length > 0 ? ": " : "",
                  mistakes.length > 0 ? mistakes.data : "");
        say_refused(call->settings, &mistakes, &err);
    }
    settings_free(s);
    buf_release(&mistakes);
    return good;
}

/* ------------------------------------------------------------------------------------------------ the beginning */

static void wait_for_better(void)
{
    int signal;

    sd_notifyf(0, "STATUS=cannot begin anew: see the log\nEXTEND_TIMEOUT_USEC=%d", 6 * RETRY_MS * 1000);
    signal = watchdog_wait(RETRY_MS);
    if (signals_end(signal))
        _exit(EXIT_DONE);
}

/* As this process was called, words behind one another; ended by NULL. */
static char **words_of(struct buf *text)
{
    size_t count = 0;
    char **words = NULL;

    for (size_t at = 0; at < text->length; at += strlen(text->data + at) + 1) {
        words = xrealloc(words, (count + 2) * sizeof *words);
        words[count++] = text->data + at;
        words[count] = NULL;
    }
    return words;
}

bool reload_is_anew(void)
{
    const char *before = getenv(PROCESS_VARIABLE);
    char now[20];
    bool anew;

    snprintf(now, sizeof now, "%d", (int)getpid());
    anew = before && strcmp(before, now) == 0;
    setenv(PROCESS_VARIABLE, now, true);
    return anew;
}

/* It may have been changed again while the parts were drained, and the next process would end by it. */
static void await_file(const struct verb_call *call)
{
    struct log_limit limit = LOG_LIMIT_INIT;
    struct buf mistakes = BUF_INIT;
    struct settings *s;
    struct error err;

    while (!(s = settings_load(call->config_path, call->outside, &mistakes, &err))) {
        log_limited(&limit, LOG_LEVEL_ERROR, "%s: %s; waiting for a better one", err.text, mistakes.data);
        buf_reset(&mistakes);
        wait_for_better();
    }
    settings_free(s);
    buf_release(&mistakes);
}

/* Nothing that is still open is the next one's. */
void reload_begin(const struct verb_call *call)
{
    struct buf text = BUF_INIT;
    struct error err;
    char **words;

    sd_notify(0, "RELOADING=1");
    await_file(call);
    if (!file_read("/proc/self/cmdline", ARGUMENTS_BYTES_MOST, &text, &err)) {
        log_error("%s", err.text);
        _exit(EXIT_FAILED);
    }
    programs_cut_off();
    if (terminal_is_closed()) /* meanwhile */
        _exit(EXIT_DONE);
    words = words_of(&text);
    close_range(FIRST_FILE, ~0U, CLOSE_RANGE_CLOEXEC);
    execv("/proc/self/exe", words);
    log_error("the service cannot begin anew: %s", strerror(errno));
    _exit(EXIT_FAILED);
}

void reload_begin_later(const struct verb_call *call)
{
    log_error("beginning anew failed; trying again in %d seconds, or at SIGHUP", RETRY_MS / 1000);
    wait_for_better();
    reload_begin(call);
}
