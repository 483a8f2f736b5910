/* What goes out encrypted goes to whom the certificate names, by the authority that is trusted, and to nobody else. */
#include <microhttpd.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/http.h"
#include "handlers/webhook/guarded_post.h"
#include "support/process.h"

struct stage {
    struct MHD_Daemon *daemon;
    struct address_guard *guard;
    struct buf key, certificate;
    char key_path[300], certificate_path[300], ports[8];
    int requests;
};

static enum MHD_Result answer(void *context, struct MHD_Connection *c, const char *url, const char *method,
                              const char *version, const char *bytes, size_t *length, void **seen)
{
    struct stage *s = context;
    struct MHD_Response *response;
    enum MHD_Result result;

    (void)url;
    (void)method;
    (void)version;
    (void)bytes;
    if (!*seen || *length > 0) {
        *seen = s;
        *length = 0;
        return MHD_YES;
    }
    s->requests++;
    response = MHD_create_response_from_buffer(0, (void *)(uintptr_t) "", MHD_RESPMEM_PERSISTENT);
    result = MHD_queue_response(c, 200, response);
    MHD_destroy_response(response);
    return result;
}

/* Of "localhost" alone, by itself. */
static void make_certificate(struct stage *s)
{
    char *const words[] = {
        "openssl", "req",       "-x509", "-newkey",           "rsa:2048", "-nodes",
        "-days",   "2",         "-subj", "/CN=localhost",     "-addext",  "subjectAltName=DNS:localhost",
        "-keyout", s->key_path, "-out",  s->certificate_path, NULL};
    struct error err;
    char *said;

    snprintf(s->key_path, sizeof s->key_path, "%s/key.pem", test_folder());
    snprintf(s->certificate_path, sizeof s->certificate_path, "%s/certificate.pem", test_folder());
    if (program_run(&said, words) != 0)
        fail_msg("%s", said);
    free(said);
    buf_init(&s->key);
    buf_init(&s->certificate);
    assert_true(file_read(s->key_path, 100000, &s->key, &err));
    assert_true(file_read(s->certificate_path, 100000, &s->certificate, &err));
}

static int setup(void **state)
{
    static struct stage s;
    struct error err;
    int port = port_find();

    s = (struct stage){.requests = 0};
    make_certificate(&s);
    snprintf(s.ports, sizeof s.ports, "%d", port);
    s.guard = address_guard_new("127.0.0.0/8 ::1/128", &err);
    s.daemon = MHD_start_daemon(MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_TLS, (uint16_t)port, NULL, NULL, answer, &s,
                                MHD_OPTION_HTTPS_MEM_KEY, s.key.data, MHD_OPTION_HTTPS_MEM_CERT, s.certificate.data,
                                MHD_OPTION_END);
    assert_non_null(s.daemon);
    *state = &s;
    return 0;
}

static int teardown(void **state)
{
    struct stage *s = *state;

    MHD_stop_daemon(s->daemon);
    address_guard_free(s->guard);
    buf_release(&s->key);
    buf_release(&s->certificate);
    return 0;
}

/* The status; 0: there was none, for want of trust. */
static long post(struct stage *s, const char *host, const char *ca_file)
{
    static const char *const headers[] = {"Content-Type: text/plain", NULL};
    struct guarded_post *p = guarded_post_new(
        &(struct post_options){.guard = s->guard, .ports = s->ports, .ca_file = ca_file, .timeout_ms = 10000});
    struct post_reply reply = POST_REPLY_INIT;
    struct error err = ERROR_INIT;
    char url[100];
    bool ok;

    snprintf(url, sizeof url, "https://%s:%s/hook", host, s->ports);
    ok = guarded_post_send(p, &(struct post_request){url, "hello", 5, headers}, &reply, &err);
    assert_false(reply.blocked);
    assert_true(ok || err.kind == ERROR_AGAIN);
    guarded_post_free(p);
    buf_release(&reply.body);
    return reply.status;
}

static void only_a_peer_with_the_right_name_and_authority_is_trusted(void **state)
{
    struct stage *s = *state;

    assert_int_equal(post(s, "localhost", s->certificate_path), 200);
    assert_int_equal(s->requests, 1);
    assert_int_equal(post(s, "localhost", NULL), 0);
    assert_int_equal(post(s, "127.0.0.1", s->certificate_path), 0);
    assert_int_equal(s->requests, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(only_a_peer_with_the_right_name_and_authority_is_trusted, setup, teardown),
    };

    http_global_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
