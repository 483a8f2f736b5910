/* The language of mail templates: what it fills in, what it escapes, and what it refuses, with the line. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/attrs.h"
#include "base/clock.h"
#include "base/json.h"
#include "handlers/mail/mail_templates.h"
#include "handlers/mail/mail_text.h"
#include "support/process.h"
#include "support/text_file.h"

static const char sample[] =
    "{\"title\":\"<A & 'B'>\",\"n\":3,\"yes\":true,\"no\":false,\"null\":null,\"empty\":\"\",\"none\":[],\"object\":{},"
    "\"user\":{\"name\":\"U\"},\"a.b\":\"dots\",\"list\":[\"x\",\"y\"],"
    "\"files\":[{\"name\":\"f1\",\"tags\":[\"p\",\"q\"]},{\"name\":\"f2\",\"open\":true}]}";

static bool fill(const char *text, bool html, struct buf *out, struct error *err)
{
    struct event e = event_none;
    struct mail_text *t = mail_text_new(span_of(text), html, 1, err);
    json_t *data = json_text_parse(sample, strlen(sample), 64, err);
    bool ok;

    e.type = span_of("record.published");
    e.subject = span_of("records/<1>");
    buf_reset(out);
    ok = t && mail_text_add(t, &e, data, out, err);
    mail_text_free(t);
    json_decref(data);
    return ok;
}

static void places_are_filled(void **state)
{
    static const struct {
        const char *text, *filled;
        bool html;
    } cases[] = {
        {"plain",                                                                                     "plain",                               false},
        {"",                                                                                          "",                                    false},
        {"{data.title}",                                                                              "<A & 'B'>",                           false},
        {"{data.title}",                                                                              "&lt;A &amp; &#39;B&#39;&gt;",         true },
        {"{subject} {subject.id} {subject.kind}",                                                     "records/&lt;1&gt; &lt;1&gt; records", true },
        {"{type}|{actor}",                                                                            "record.published|",                   false},
        {"{data.n}{data.yes}{data.user.name}{data.a.b}",                                              "3trueUdots",                          false},
        {"{{data.title}} {{",                                                                         "{data.title} {",                      false},
        {"{if data.title}a{else}b{end}",                                                              "a",                                   false},
        {"{if data.no}a{else}b{end}{if data.null}c{end}",                                             "b",                                   false},
        {"{if data.empty}a{end}{if data.none}b{end}",                                                 "",                                    false},
        {"{if data.object}a{end}{if data.missing.deep}b{end}",                                        "",                                    false},
        {"{if data.n}a{end}{if actor}b{end}{if type}c{end}",                                          "ac",                                  false},
        {"{each data.list}[{item}]{end}",                                                             "[x][y]",                              false},
        {"{each data.none}x{end}{each data.missing}y{end}",                                           "",                                    false},
        {"{each data.files}{item.name}{if item.open}!{else}{each item.tags}<{item}>{end}{end};{end}", "f1<p><q>;f2!;",
         false                                                                                                                                    },
        {"{each data.list}{if item}{data.n}{end}{end}",                                               "33",                                  false},
    };
    struct buf out = BUF_INIT;

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct error err = ERROR_INIT;

        if (!fill(cases[i].text, cases[i].html, &out, &err))
            fail_msg("%s: %s", cases[i].text, err.text);
        assert_string_equal(out.data, cases[i].filled);
    }
    buf_release(&out);
}

static void what_is_wrong_is_said_with_its_line(void **state)
{
    static const struct {
        const char *text, *said;
    } cases[] = {
        {"a\nb{title}",                                                                                         "2: nothing is known by the name {title}"},
        {"{data.}",                                                                                             "1: nothing is known"                    },
        {"{data}",                                                                                              "1: nothing is known"                    },
        {"{data..x}",                                                                                           "1: nothing is known"                    },
        {"{data.x y}",                                                                                          "1: nothing is known"                    },
        {"{ data.x}",                                                                                           "1: nothing is known"                    },
        {"{}",                                                                                                  "1: nothing is known"                    },
        {"{if}",                                                                                                "1: nothing is known"                    },
        {"{item}",                                                                                              "1: there is an item only within"        },
        {"{each data.x}{end}\n{item.name}",                                                                     "2: there is an item only within"        },
        {"{each type}{end}",                                                                                    "1: only data and item have lists"       },
        {"\n\n{if data.x}\nx",                                                                                  "3: what is opened here has no {end}"    },
        {"{end}",                                                                                               "1: nothing is open for {end}"           },
        {"{each data.x}{else}{end}",                                                                            "1: no {if ...} is open for {else}"      },
        {"{if data.x}{else}{else}{end}",                                                                        "1: no {if ...} is open for {else}"      },
        {"{data.x",                                                                                             "1: a { without } on its line"           },
        {"{data.x\n}",                                                                                          "1: a { without } on its line"           },
        {"\na } b",                                                                                             "2: a } that closes nothing"             },
        {"{if data.a}{if data.a}{if data.a}{if data.a}{if data.a}{if data.a}{if data.a}{if data.a}{if data.a}",
         "1: more than 8 blocks"                                                                                                                         },
        {"\xff",                                                                                                "1: it is not UTF-8"                     },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct error err = ERROR_INIT;
        struct mail_text *t = mail_text_new(span_of(cases[i].text), false, 1, &err);

        if (t || strncmp(err.text, cases[i].said, strlen(cases[i].said)) != 0 || err.kind != ERROR_CONFIG)
            fail_msg("%s: %s", cases[i].text, t ? "is taken" : err.text);
    }
}

static void an_event_that_lacks_a_value_is_refused_by_its_name(void **state)
{
    static const struct {
        const char *text, *said;
    } cases[] = {
        {"{data.missing}",                    "data.missing is missing"},
        {"{data.null}",                       "data.null is missing"   },
        {"{data.list}",                       "data.list is missing"   },
        {"{each data.files}{item}{end}",      "item is missing"        },
        {"{each data.files}{item.open}{end}", "item.open is missing"   },
        {"{each data.title}{end}",            "title is not a list"    },
    };
    struct buf out = BUF_INIT;

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct error err = ERROR_INIT;

        assert_false(fill(cases[i].text, false, &out, &err));
        assert_int_equal(err.kind, ERROR_INPUT);
        if (!strstr(err.text, cases[i].said))
            fail_msg("%s: %s", cases[i].text, err.text);
    }
    buf_release(&out);
}

/* Lists within lists: 8 levels over 100 items would be 10^16 rounds. */
static void what_grows_without_end_is_cut_off(void **state)
{
    struct buf text = BUF_INIT, data = BUF_INIT, out = BUF_INIT;
    struct event e = event_none;
    struct error err = ERROR_INIT;
    int64_t started_ms = clock_monotonic_ms();
    struct mail_text *t;
    json_t *parsed;

    (void)state;
    for (int i = 0; i < MAIL_TEXT_DEPTH_MOST; i++)
        buf_add_text(&text, "{each data.l}");
    for (int i = 0; i < MAIL_TEXT_DEPTH_MOST; i++)
        buf_add_text(&text, "{end}");
    buf_add_text(&data, "{\"l\":[0");
    for (int i = 0; i < 99; i++)
        buf_add_text(&data, ",0");
    buf_add_text(&data, "]}");
    t = mail_text_new((struct span){text.data, text.length}, false, 1, &err);
    parsed = json_text_parse(data.data, data.length, 64, &err);
    assert_non_null(t);
    assert_false(mail_text_add(t, &e, parsed, &out, &err));
    assert_non_null(strstr(err.text, "too many parts"));
    assert_true(clock_monotonic_ms() - started_ms < 20000);
    mail_text_free(t);
    json_decref(parsed);
    buf_release(&text);
    buf_release(&data);
    buf_release(&out);
}

/* --------------------------------------------------------------------------------------------------- the folder */

static void a_folder_has_a_template_for_each_type_and_language(void **state)
{
    char folder[400];
    struct error err = ERROR_INIT;
    struct mail_templates *t;

    (void)state;
    folder_make("mails", folder, sizeof folder);
    text_file_put(folder, "user.updated.en.txt", "Subject: S\r\n\r\nhello\r\n");
    text_file_put(folder, "user.updated.pt-BR.txt", "Subject: S\n\nola\n");
    text_file_put(folder, "user.updated.pt-BR.html", "<p>ola</p>");
    text_file_put(folder, ".hidden", "");
    text_file_put(folder, "user.updated.en.txt~", "");
    t = mail_templates_new(folder, "en", &err);
    if (!t)
        fail_msg("%s", err.text);
    assert_string_equal(mail_templates_find(t, span_of("user.updated"), "pt-BR")->language, "pt-BR");
    assert_non_null(mail_templates_find(t, span_of("user.updated"), "pt-BR")->html);
    assert_string_equal(mail_templates_find(t, span_of("user.updated"), "fr")->language, "en");
    assert_null(mail_templates_find(t, span_of("user.created"), "en"));
    assert_true(mail_templates_cover(t, "user.*"));
    assert_false(mail_templates_cover(t, "record.**"));
    mail_templates_free(t);
}

static void a_folder_with_a_mistake_is_refused_with_file_and_line(void **state)
{
    static const struct {
        const char *name, *text, *said;
    } cases[] = {
        {"user.updated.en.txt",  "hello\n",                    "user.updated.en.txt:1: the first line"  },
        {"user.updated.en.txt",  "Subject: x\nhello\n",        "user.updated.en.txt:2: the line after"  },
        {"user.updated.en.txt",  "Subject: {x}\n\nhello\n",    "user.updated.en.txt:1: nothing is known"},
        {"user.updated.en.txt",  "Subject: x\n\na\n{data.a\n", "user.updated.en.txt:4: a { without }"   },
        {"user.updated.en.html", "<p>\n{if data.a}</p>\n",     "user.updated.en.html:2: what is opened" },
        {"user.updated.de.txt",  "Subject: x\n\nhello\n",      "user.updated.en.txt: it is missing"     },
        {"user.updated.en.html", "<p></p>\n",                  "user.updated.en.txt: it is missing"     },
        {"readme.md",            "",                           "readme.md: its name is to be"           },
        {".x",                   "",                           "there is no template"                   },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        char folder[400];
        struct error err = ERROR_INIT;

        folder_make("mails", folder, sizeof folder);
        text_file_put(folder, cases[i].name, cases[i].text);
        assert_null(mail_templates_new(folder, "en", &err));
        if (!strstr(err.text, cases[i].said))
            fail_msg("%s, not %s", err.text, cases[i].said);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(places_are_filled),
        cmocka_unit_test(what_is_wrong_is_said_with_its_line),
        cmocka_unit_test(an_event_that_lacks_a_value_is_refused_by_its_name),
        cmocka_unit_test(what_grows_without_end_is_cut_off),
        cmocka_unit_test(a_folder_has_a_template_for_each_type_and_language),
        cmocka_unit_test(a_folder_with_a_mistake_is_refused_with_file_and_line),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
