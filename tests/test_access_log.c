/* Lines of access logs taken apart, and which of them are events. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/json.h"
#include "notifier/access_log/access_log_text.h"
#include "notifier/access_log/access_log_url.h"
#include "support/scene.h"

#define LINE                                                                                                           \
    "192.0.2.7 - ada [20/Nov/2026:21:40:00 +0100] \"GET /records/abc?x=1 HTTP/1.1\" 200 512 "                          \
    "\"https://example.org/a\" \"Mozilla/5.0 (X11)\""

static bool read_as(const char *pattern, const char *line, struct access_line *out)
{
    struct error err = ERROR_INIT;
    struct access_form *form = access_form_new(pattern, &err);
    bool ok;

    if (!form)
        fail_msg("%s", err.text);
    ok = access_line_read(form, span_of(line), out);
    access_form_free(form);
    return ok;
}

static void assert_span(struct span s, const char *text)
{
    if (!span_is(s, text))
        fail_msg("\"%.*s\" is not \"%s\"", (int)s.length, s.text, text);
}

static void assert_time(int64_t us, const char *text)
{
    char is[TIME_TEXT_BYTES];

    assert_string_equal(time_text(us, is), text);
}

static void a_combined_line_has_its_fields(void **state)
{
    struct access_line line;

    (void)state;
    assert_true(read_as("combined", LINE, &line));
    assert_span(line.address, "192.0.2.7");
    assert_span(line.user, "ada");
    assert_span(line.method, "GET");
    assert_span(line.path, "/records/abc?x=1");
    assert_span(line.referrer, "https://example.org/a");
    assert_span(line.user_agent, "Mozilla/5.0 (X11)");
    assert_time(line.time_us, "2026-11-20T20:40:00Z");
    assert_int_equal(line.status, 200);
    assert_int_equal(line.bytes, 512);
    assert_true(read_as("combined", LINE "\r", &line));
    assert_span(line.user_agent, "Mozilla/5.0 (X11)");
}

static void what_is_not_there_is_none(void **state)
{
    struct access_line line;

    (void)state;
    assert_true(read_as("combined", "::1 - - [29/Feb/2024:00:00:00 -0530] \"-\" 400 - \"-\" \"-\"", &line));
    assert_span(line.address, "::1");
    assert_int_equal(line.user.length + line.method.length + line.path.length + line.referrer.length, 0);
    assert_int_equal(line.user_agent.length, 0);
    assert_int_equal(line.bytes, ACCESS_BYTES_NONE);
    assert_time(line.time_us, "2024-02-29T05:30:00Z");
}

static void quotes_that_a_client_sent_stay_in_their_field(void **state)
{
    struct access_line line;
    struct buf text = BUF_INIT;

    (void)state;
    assert_true(read_as("combined",
                        "1 - - [20/Nov/2026:21:40:00 +0000] \"GET /a\\\"b HTTP/1.1\" 200 1 \"-\" \"A \\\"b\\\" \\\\\"",
                        &line));
    assert_span(line.path, "/a\\\"b");
    access_text_add(line.user_agent, &text);
    assert_string_equal(text.data, "A \"b\" \\");
    buf_reset(&text);
    access_text_add(span_of("\\x41\\xc3\\xbc\\xff\\x00 \\n \\q \\"), &text);
    assert_string_equal(text.data, "A\xc3\xbc\xef\xbf\xbd\xef\xbf\xbd \n q \\");
    buf_reset(&text);
    access_path_add(span_of("a%20b%C3%BC%00%zz%4"), &text);
    assert_string_equal(text.data, "a b\xc3\xbc\xef\xbf\xbd%zz%4");
    buf_release(&text);
}

static void requests_of_every_shape_are_no_mistake(void **state)
{
    static const struct {
        const char *request, *method, *path;
    } cases[] = {
        {"GET / HTTP/1.0",                  "GET",     "/"   },
        {"HEAD /a b HTTP/2.0",              "HEAD",    "/a b"},
        {"GET /old",                        "GET",     "/old"},
        {"GET http://host/x?y HTTP/1.1",    "GET",     "/x?y"},
        {"GET https://host HTTP/1.1",       "GET",     "/"   },
        {"\\x16\\x03\\x01",                 "",        ""    },
        {"\\x16\\x03 /x HTTP/1.1",          "",        ""    },
        {"",                                "",        ""    },
        {"OPTIONS * HTTP/1.1",              "OPTIONS", "*"   },
        {"ABCDEFGHIJKLMNOPQRS /x HTTP/1.1", "",        ""    },
    };
    struct access_line line;
    char text[300];

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        snprintf(text, sizeof text, "1 - - [20/Nov/2026:21:40:00 +0000] \"%s\" 400 1 \"-\" \"-\"", cases[i].request);
        assert_true(read_as("combined", text, &line));
        assert_span(line.method, cases[i].method);
        assert_span(line.path, cases[i].path);
    }
}

static void what_is_no_line_of_the_form_is_refused(void **state)
{
    static const char *const cases[] = {
        "",
        "hello",
        "1 - - [20/Nov/2026:21:40:00 +0000] \"GET / HTTP/1.1\" 200 1 \"-\"",
        "1 - - [20/Nov/2026:21:40:00 +0000] \"GET / HTTP/1.1\" 200 1 \"-\" \"cut",
        "1 - - [20/Nov/2026:21:40:00 +0000] \"GET / HTTP/1.1\" 200 1 \"-\" \"ua\" more",
        "1 - - [20/Nov/2026:21:40:00 +0000] \"GET / HTTP/1.1\" OK 1 \"-\" \"ua\"",
        "1 - - [20/Nov/2026:21:40:00 +0000] \"GET / HTTP/1.1\" 200 x \"-\" \"ua\"",
        "1 - - [20/Nuv/2026:21:40:00 +0000] \"GET / HTTP/1.1\" 200 1 \"-\" \"ua\"",
        "1 - - [32/Nov/2026:21:40:00 +0000] \"GET / HTTP/1.1\" 200 1 \"-\" \"ua\"",
        "1 - - [20/Nov/2026:25:40:00 +0000] \"GET / HTTP/1.1\" 200 1 \"-\" \"ua\"",
        "1 - - [20/Nov/2026 21:40:00] \"GET / HTTP/1.1\" 200 1 \"-\" \"ua\"",
    };
    struct access_line line;

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++)
        if (read_as("combined", cases[i], &line))
            fail_msg("taken: %s", cases[i]);
}

static void a_pattern_of_ones_own_is_followed(void **state)
{
    struct access_line line;

    (void)state;
    assert_true(read_as("{-} {address} {time} {method} {path} {status} {user_agent}|{-}",
                        "www 192.0.2.7 2026-11-20T21:40:00+01:00 GET /x 304 Some Agent|0.003 upstream", &line));
    assert_span(line.path, "/x");
    assert_span(line.user_agent, "Some Agent");
    assert_time(line.time_us, "2026-11-20T20:40:00Z");
    assert_true(read_as("{time} \"{request}\" {status}", "1732139999.25 \"GET /y HTTP/3\" 200", &line));
    assert_time(line.time_us, "2024-11-20T21:59:59.250000Z");
}

static void a_pattern_that_cannot_work_is_refused_with_the_reason(void **state)
{
    static const struct {
        const char *pattern, *says;
    } cases[] = {
        {"common",                                    "combined" },
        {"{time} {status}",                           "{request}"},
        {"{request} {time} {status} {adress}",        "adress"   },
        {"{request} {time} {status} {time}",          "twice"    },
        {"{request}{time} {status}",                  "between"  },
        {"{request} {time} {status} {address",        "}"        },
        {"{request} {path} {method} {time} {status}", "already"  },
    };
    struct error err;

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        assert_false(access_form_check(cases[i].pattern, &err));
        if (!strstr(err.text, cases[i].says))
            fail_msg("%s", err.text);
    }
}

static const char ini[] = "[redis]\nurl = REDIS\n[queue views]\nevents = *\n"
                          "[url page]\npattern = ^/records/(?<recid>[a-z0-9-]+)(?:\\?|$)\nevent = record-view\n"
                          "data = via_api=false unique_id=ui_{recid} n=7 referer={referrer} code={status}\n"
                          "[url file]\npattern = ^/records/(?<recid>[^/]+)/files/(?<file_key>[^?]+)\n"
                          "event = file-download\nmethods = GET HEAD\nstatus = 200 206\ndata = size={bytes}\n";

static int open_scene(void **state)
{
    *state = scene_open(ini);
    return 0;
}

static int close_scene(void **state)
{
    scene_close(*state);
    return 0;
}

static json_t *data_of(struct scene *s, const char *request, int status, bool personal, const char **type)
{
    struct error err = ERROR_INIT;
    struct access_urls *urls = access_urls_new(s->settings, &err);
    const struct access_url *url;
    struct access_line line;
    json_t *data = NULL;
    char text[500];

    if (!urls)
        fail_msg("%s", err.text);
    snprintf(text, sizeof text, "192.0.2.7 - ada [20/Nov/2026:21:40:00 +0100] \"%s HTTP/1.1\" %d 99 \"-\" \"Agent/1\"",
             request, status);
    assert_true(read_as("combined", text, &line));
    url = access_urls_find(urls, &line);
    if (url) {
        data = access_urls_data(urls, url, &line, personal);
        *type = access_url_event(url);
    }
    access_urls_free(urls);
    return data;
}

static void assert_json(json_t *data, const char *text)
{
    struct buf is = BUF_INIT;

    json_add_sorted(&is, data);
    assert_string_equal(is.data, text);
    buf_release(&is);
    json_decref(data);
}

static void a_line_that_fits_has_data_as_the_platform_would_send_it(void **state)
{
    const char *type;

    assert_json(data_of(*state, "GET /records/abc-1?q=%20", 200, true, &type),
                "{\"code\":200,\"ip_address\":\"192.0.2.7\",\"n\":7,\"recid\":\"abc-1\",\"timestamp\":"
                "\"2026-11-20T20:40:00\",\"unique_id\":\"ui_abc-1\",\"user_agent\":\"Agent/1\",\"user_id\":\"ada\","
                "\"via_api\":false}");
    assert_string_equal(type, "record-view");
    assert_json(data_of(*state, "HEAD /records/12/files/my%20file.pdf?download=1", 206, false, &type),
                "{\"file_key\":\"my file.pdf\",\"recid\":\"12\",\"size\":99,\"timestamp\":\"2026-11-20T20:40:00\"}");
    assert_string_equal(type, "file-download");
}

static void other_methods_statuses_and_paths_are_no_events(void **state)
{
    const char *type;

    assert_null(data_of(*state, "POST /records/abc", 200, true, &type));
    assert_null(data_of(*state, "GET /records/abc", 404, true, &type));
    assert_null(data_of(*state, "GET /record/abc", 200, true, &type));
    assert_null(data_of(*state, "HEAD /records/abc", 200, true, &type));
}

static void a_section_that_cannot_work_is_refused_with_the_reason(void **state)
{
    static const struct {
        const char *pattern, *data, *says;
    } cases[] = {
        {"(",             "",            ""           }, /* told with its key */
        {"(?<user_id>x)", "",            "user_id"    },
        {"x",             "a={recid}",   "recid"      },
        {"(?<recid>x)",   "a={recid",    "}"          },
        {"x",             "a={address}", "address"    },
        {"x",             "a",           "FIELD=VALUE"},
        {"x",             "=a",          "name"       },
        {"x",             "timestamp=1", "timestamp"  },
    };
    struct error err;

    (void)state;
    assert_false(access_url_pattern_check("(", &err));
    assert_false(access_url_methods_check("get", &err));
    assert_false(access_url_status_check("200 2x", &err));
    assert_false(access_url_status_check("700", &err));
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        char pattern[64], data[64], status[] = "200", methods[] = "GET", event[] = "a", name[] = "n";
        struct url_settings s = {
            .name = name, .pattern = pattern, .event = event, .methods = methods, .status = status, .data = data};

        snprintf(pattern, sizeof pattern, "%s", cases[i].pattern);
        snprintf(data, sizeof data, "%s", cases[i].data);
        if (access_url_check(&s, &err) != !*cases[i].says || (*cases[i].says && !strstr(err.text, cases[i].says)))
            fail_msg("%s %s: %s", pattern, data, err.text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_combined_line_has_its_fields),
        cmocka_unit_test(what_is_not_there_is_none),
        cmocka_unit_test(quotes_that_a_client_sent_stay_in_their_field),
        cmocka_unit_test(requests_of_every_shape_are_no_mistake),
        cmocka_unit_test(what_is_no_line_of_the_form_is_refused),
        cmocka_unit_test(a_pattern_of_ones_own_is_followed),
        cmocka_unit_test(a_pattern_that_cannot_work_is_refused_with_the_reason),
        cmocka_unit_test_setup_teardown(a_line_that_fits_has_data_as_the_platform_would_send_it, open_scene,
                                        close_scene),
        cmocka_unit_test_setup_teardown(other_methods_statuses_and_paths_are_no_events, open_scene, close_scene),
        cmocka_unit_test(a_section_that_cannot_work_is_refused_with_the_reason),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
