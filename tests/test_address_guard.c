/* No form of writing an address leads to one that is not public. */
#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/attrs.h"
#include "base/http.h"
#include "handlers/webhook/guarded_post.h"
#include "support/canary.h"

#define ALL_PORTS "80 443 8080"

static const char *const hostile[] = {
    "http://127.0.0.1/",
    "http://127.1/",
    "http://127.0.1/",
    "http://0/",
    "http://0.0.0.0/",
    "http://0x7f.1/",
    "http://0x7f000001/",
    "http://0x7F.0x00.0x00.0x01/",
    "http://0177.1/",
    "http://0177.0.0.01/",
    "http://017700000001/",
    "http://2130706433/",
    "http://3232235521/",
    "http://localhost/",
    "http://LOCALHOST/",
    "http://localhost./",
    "http://127.0.0.1./",
    "http://127.255.255.254/",
    "http://[::1]/",
    "http://[::]/",
    "http://[0:0:0:0:0:0:0:1]/",
    "http://[::127.0.0.1]/",
    "http://[::ffff:127.0.0.1]/",
    "http://[::ffff:7f00:1]/",
    "http://[0:0:0:0:0:ffff:10.0.0.1]/",
    "http://[::ffff:0:127.0.0.1]/",
    "http://[64:ff9b::127.0.0.1]/",
    "http://[64:ff9b::a9fe:a9fe]/",
    "http://[64:ff9b:1::10.0.0.1]/",
    "http://[2002:7f00:1::]/",
    "http://[2002:a00:1::1]/",
    "http://[2001:0:7f00:1::]/",
    "http://[2001:0:4136:e378:8000:63bf:3fff:fdd2]/",
    "http://[2001:10::1]/",
    "http://[2001:db8::1]/",
    "http://[3fff::1]/",
    "http://[100::1]/",
    "http://[5f00::1]/",
    "http://[2a00:1450::5efe:127.0.0.1]/",
    "http://[2a00:1450::200:5efe:10.0.0.1]/",
    "http://[fc00::1]/",
    "http://[fd12:3456:789a::1]/",
    "http://[fe80::1]/",
    "http://[fe80::1%25lo]/",
    "http://[fec0::1]/",
    "http://[ff02::1]/",
    "http://[fd00:ec2::254]/",
    "http://10.0.0.1/",
    "http://10.255.255.255/",
    "http://172.16.0.1/",
    "http://172.31.255.255/",
    "http://192.168.0.1/",
    "http://192.168.1/",
    "http://169.254.169.254/",
    "http://0xa9fea9fe/",
    "http://2852039166/",
    "http://100.64.0.1/",
    "http://100.127.255.255/",
    "http://192.0.0.1/",
    "http://192.0.2.1/",
    "http://192.88.99.1/",
    "http://198.18.0.1/",
    "http://198.19.255.255/",
    "http://198.51.100.1/",
    "http://203.0.113.1/",
    "http://224.0.0.1/",
    "http://239.255.255.255/",
    "http://240.0.0.1/",
    "http://255.255.255.255/",
    "http://user@127.0.0.1/",
    "http://user:" CANARY "@8.8.8.8/",
    "http://8.8.8.8@127.0.0.1/",
    "http://8.8.8.8#@127.0.0.1/",
    "http://8.8.8.8\\@127.0.0.1/",
    "http://8.8.8.8 /",
    "http://8.8.8.8\t/",
    "http://8.8.8.8\r\nHost: a/",
    "http://\xef\xbc\x91\xef\xbc\x92\xef\xbc\x97.0.0.1/",
    "http://\xe2\x91\xa0\xe2\x91\xa1\xe2\x91\xa6.0.0.1/",
    "http://127\343\200\2020.0.1/",
    "http://%31%32%37.0.0.1/",
    "http:///etc/passwd",
    "http://8.8.8.8:22/",
    "http://8.8.8.8:6379/",
    "http://8.8.8.8:0/",
    "http://8.8.8.8:65536/",
    "http://8.8.8.8:99999999999/",
    "//8.8.8.8/",
    "8.8.8.8",
    "",
    "file:///etc/passwd",
    "gopher://8.8.8.8/",
    "ftp://8.8.8.8/",
    "dict://8.8.8.8:443/",
    "https+unix://8.8.8.8/",
    "javascript:alert(1)",
};

/* Whatever a URL says, as far as the check of all its addresses; nothing is connected to. */
static void every_hostile_form_of_an_address_is_blocked(void **state)
{
    struct error err;
    struct address_guard *guard = address_guard_new("", &err);
    struct guarded_post *post = guarded_post_new(
        &(struct post_options){.guard = guard, .ports = ALL_PORTS, .http_allowed = true, .timeout_ms = 300});
    struct post_reply reply = POST_REPLY_INIT;
    const char *const headers[] = {NULL};

    (void)state;
    assert_true(ARRAY_LENGTH(hostile) >= 60);
    for (size_t i = 0; i < ARRAY_LENGTH(hostile); i++) {
        if (guarded_post_send(post, &(struct post_request){hostile[i], "", 0, headers}, &reply, &err) || !reply.blocked)
            fail_msg("%s is let through, or fails for another reason: %s", hostile[i], err.text);
        assert_int_equal(err.kind, ERROR_INPUT);
        assert_null(strstr(err.text, "canary"));
    }
    guarded_post_free(post);
    buf_release(&reply.body);
    address_guard_free(guard);
}

static void check_address(const struct address_guard *guard, const char *text, bool let_through)
{
    struct sockaddr_in six_or_four = {.sin_family = AF_INET};
    struct sockaddr_in6 six = {.sin6_family = AF_INET6};
    struct error err;
    bool four = inet_pton(AF_INET, text, &six_or_four.sin_addr) == 1;

    assert_true(four || inet_pton(AF_INET6, text, &six.sin6_addr) == 1);
    if (address_guard_check(guard, four ? (struct sockaddr *)&six_or_four : (struct sockaddr *)&six, &err) !=
        let_through)
        fail_msg("%s is %s", text, let_through ? "blocked" : "let through");
}

static void public_addresses_and_allowed_networks_are_let_through(void **state)
{
    static const char *const public[] = {"8.8.8.8",     "1.1.1.1",      "11.0.0.1",      "100.63.255.255",
                                         "100.128.0.1", "172.15.0.1",   "172.32.0.1",    "192.0.1.1",
                                         "198.17.0.1",  "198.20.0.1",   "223.255.255.1", "2a00:1450:4001::1",
                                         "2606:4700::", "2001:4860::8", "::ffff:8.8.8.8"};
    struct error err;
    struct address_guard *guard = address_guard_new("", &err),
                         *allowing = address_guard_new("127.0.0.0/8 fd00:1::/32", &err);

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(public); i++)
        check_address(guard, public[i], true);
    check_address(guard, "127.0.0.2", false);
    check_address(allowing, "127.0.0.2", true);
    check_address(allowing, "::ffff:127.0.0.2", true);
    check_address(allowing, "fd00:1::7", true);
    check_address(allowing, "fd00:2::7", false);
    check_address(allowing, "10.0.0.1", false);
    check_address(allowing, "::1", false);
    address_guard_free(guard);
    address_guard_free(allowing);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_hostile_form_of_an_address_is_blocked),
        cmocka_unit_test(public_addresses_and_allowed_networks_are_let_through),
    };

    http_global_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
