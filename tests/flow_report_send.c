/* Reports on their way: to a hub, and by the verb to a file. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/json.h"
#include "handlers/report/report_send.h"
#include "support/canary.h"
#include "support/report_stage.h"

/* ------------------------------------------------------------------------------------------------------------ sending
 */

static bool send_made(struct report_stage *f, size_t datasets_most, struct buf *id)
{
    const struct send_options options = {datasets_most, 10};

    buf_reset(id);
    return report_send(f->report, f->scene->redis, &options, id, &f->err);
}

static void check_request(const struct report_stage *f, size_t number, const char *start)
{
    assert_true(number < f->hub.request_count);
    if (strncmp(f->hub.heads[number], start, strlen(start)) != 0)
        fail_msg("\"%s\" is not how this begins: %s", start, f->hub.heads[number]);
    if (!strcasestr(f->hub.heads[number], "\r\nAuthorization: Bearer " CANARY "-hub\r\n"))
        fail_msg("no token: %s", f->hub.heads[number]);
}

static void a_report_is_posted_once_and_put_in_its_place_from_then_on(void **state)
{
    struct report_stage *f = *state;
    struct buf id = BUF_INIT;

    report_stage_make(f, REPORT_DSR, "2024-10", "2024-10");
    assert_true(send_made(f, 0, &id));
    assert_string_equal(id.data, "hub-1");
    assert_string_equal(scene_redis(f->scene, "GET crier:{report}:DSR:2024-10")->text, "hub-1");
    assert_true(send_made(f, 0, &id));
    assert_int_equal(f->hub.request_count, 2);
    check_request(f, 0, "POST /reports HTTP/1.1\r\n");
    check_request(f, 1, "PUT /reports/hub-1 HTTP/1.1\r\n");
    assert_false(f->hub.packed[0]);
    buf_release(&id);
}

static void a_busy_hub_is_asked_again(void **state)
{
    static const struct hub_answer answers[] = {
        {429, 1, "slow down"},
        {503, 0, ""         },
        {202, 0, NULL       },
        {200, 0, NULL       }
    };
    struct report_stage *f = *state;
    struct buf id = BUF_INIT;

    hub_answers(&f->hub, answers, ARRAY_LENGTH(answers));
    report_stage_make(f, REPORT_DSR, "2024-10", "2024-10");
    assert_true(send_made(f, 0, &id));
    assert_int_equal(f->hub.request_count, 4);
    check_request(f, 2, "POST /reports HTTP/1.1\r\n");
    check_request(f, 3, "PUT /reports/hub-1 HTTP/1.1\r\n"); /* what 503 left behind is not known */
    buf_release(&id);
}

static void an_end_is_made_of_a_hub_that_stays_busy(void **state)
{
    struct report_stage *f = *state;
    struct buf id = BUF_INIT;

    hub_answers(&f->hub, &(struct hub_answer){500, 0, "no"}, 1);
    report_stage_make(f, REPORT_DSR, "2024-10", "2024-10");
    assert_false(send_made(f, 0, &id));
    assert_int_equal(f->err.kind, ERROR_AGAIN);
    assert_int_equal(f->hub.request_count, 6);
    assert_int_equal(scene_redis(f->scene, "EXISTS crier:{report}:DSR:2024-10")->integer, 0);
    buf_release(&id);
}

static void a_hub_that_refuses_is_quoted_and_not_asked_again(void **state)
{
    struct report_stage *f = *state;
    struct buf id = BUF_INIT;

    hub_answers(&f->hub, &(struct hub_answer){422, 0, "{\"errors\":[{\"title\":\"created-by is odd\"}]}"}, 1);
    report_stage_make(f, REPORT_DSR, "2024-10", "2024-10");
    assert_false(send_made(f, 0, &id));
    assert_int_equal(f->err.kind, ERROR_INPUT);
    check_holds(f->err.text, "422: {\"errors\":[{\"title\":\"created-by is odd\"}]}");
    assert_int_equal(f->hub.request_count, 1);
    buf_release(&id);
}

static void an_older_report_of_the_month_is_replaced(void **state)
{
    static const struct hub_answer older = {
        201, 0, "{\"report\":{\"id\":\"old-1\",\"report-header\":{\"created\":\"2024-11-01T00:00:00Z\"}}}"};
    struct report_stage *f = *state;
    struct buf id = BUF_INIT;

    hub_answers(&f->hub, &older, 1);
    report_stage_make(f, REPORT_DSR, "2024-10", "2024-10");
    assert_true(send_made(f, 0, &id));
    assert_int_equal(f->hub.request_count, 2);
    check_request(f, 1, "PUT /reports/old-1 HTTP/1.1\r\n");
    buf_release(&id);
}

static void a_large_report_goes_in_compressed_parts(void **state)
{
    struct report_stage *f = *state;
    struct buf id = BUF_INIT;

    report_stage_make(f, REPORT_DSR, "2024-10", "2024-10");
    assert_true(send_made(f, 2, &id));
    assert_int_equal(f->hub.request_count, 2); /* of three datasets */
    check_request(f, 0, "POST /reports HTTP/1.1\r\n");
    check_request(f, 1, "POST /reports HTTP/1.1\r\n");
    assert_true(f->hub.packed[0] && f->hub.packed[1]);
    check_holds(f->hub.heads[1], "application/gzip");
    assert_true(send_made(f, 1, &id));
    assert_int_equal(f->hub.request_count, 5);
    check_request(f, 2, "PUT /reports/hub-1 HTTP/1.1\r\n");
    check_request(f, 3, "POST /reports HTTP/1.1\r\n");
    check_request(f, 4, "POST /reports HTTP/1.1\r\n");
    buf_release(&id);
}

/* A part that may be there twice: the whole begins anew, in place of what is there. */
static void a_part_that_may_be_there_twice_begins_all_anew(void **state)
{
    static const struct hub_answer answers[] = {
        {201, 0, NULL},
        {502, 0, "?" },
        {201, 0, NULL}
    };
    struct report_stage *f = *state;
    struct buf id = BUF_INIT;

    hub_answers(&f->hub, answers, ARRAY_LENGTH(answers));
    report_stage_make(f, REPORT_DSR, "2024-10", "2024-10");
    assert_true(send_made(f, 2, &id));
    assert_int_equal(f->hub.request_count, 5);
    check_request(f, 2, "POST /reports HTTP/1.1\r\n");
    check_request(f, 3, "PUT /reports/hub-1 HTTP/1.1\r\n");
    check_request(f, 4, "POST /reports HTTP/1.1\r\n");
    buf_release(&id);
}

/* ----------------------------------------------------------------------------------------------------------- the verb
 */

static int say(struct report_stage *f, char **out, const char *standard, const char *report, const char *month,
               const char *more)
{
    const char *words[] = {"report", "--config", f->scene->config_path, standard, report, month, more, NULL};

    return crier_run(out, words);
}

static void the_verb_writes_a_report_to_a_file(void **state)
{
    struct report_stage *f = *state;
    struct buf text = BUF_INIT;
    char path[300], option[320], *out;
    json_t *report;

    snprintf(path, sizeof path, "%s/report.json", test_folder());
    snprintf(option, sizeof option, "--out=%s", path);
    if (say(f, &out, "cop51", "--report=PR", "--month=2024-10", option) != 0)
        fail_msg("%s", out);
    free(out);
    assert_true(file_read(path, 1 << 20, &text, &f->err));
    report = json_text_parse(text.data, text.length, JSON_DEPTH_DEFAULT, &f->err);
    assert_string_equal(json_string_value(json_at(report, "Report_Header.Report_ID")), "PR");
    json_decref(report);
    unlink(path);
    assert_int_equal(say(f, &out, "cop51", "--report=PR", "--month=2024-10", "--dry-run"), 0);
    assert_null(strstr(out, "Report_Header"));
    free(out);
    assert_int_equal(say(f, &out, "coprd", "--report=DSR", "--month=2024-10", "--csv"), 0);
    check_holds(out, "Report_Name,Dataset Report\r\n");
    free(out);
    buf_release(&text);
}

static void the_verb_sends_each_month_by_itself(void **state)
{
    struct report_stage *f = *state;
    const char *words[] = {"report",  "--config", f->scene->config_path,
                           "coprd",   "--report", "DSR",
                           "--month", "2024-09",  "--to",
                           "2025-01", "--send",   NULL};
    char *out;

    if (crier_run(&out, words) != 0)
        fail_msg("%s", out);
    free(out);
    assert_int_equal(f->hub.request_count, 4); /* nothing was used in January */
    assert_string_equal(scene_redis(f->scene, "GET crier:{report}:DSR:2024-11")->text, "hub-1");
}

static void the_verb_refuses_what_it_cannot_do(void **state)
{
    struct report_stage *f = *state;
    char *out;

    assert_int_equal(say(f, &out, "cop51", "--report=PR", "--month=9000-01", "--csv"), 1);
    check_holds(out, "9000-01 is not over yet");
    free(out);
    assert_int_equal(say(f, &out, "cop51", "--report=DSR", "--month=2024-10", "--csv"), 2);
    check_holds(out, "cop51 has PR, IR, IR_A1");
    free(out);
    assert_int_equal(say(f, &out, "cop52", "--report=PR", "--month=2024-10", "--csv"), 2);
    free(out);
    assert_int_equal(say(f, &out, "cop51", "--report=PR", "--month=2024-13", "--csv"), 2);
    free(out);
    assert_int_equal(say(f, &out, "cop51", "--report=PR", "--month=2024-10", "--to=2024-09"), 2);
    free(out);
    assert_int_equal(say(f, &out, "cop51", "--report=PR", "--month", NULL), 2);
    free(out);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, report_stage_start, report_stage_end)
    const struct CMUnitTest tests[] = {
        TEST(a_report_is_posted_once_and_put_in_its_place_from_then_on),
        TEST(a_busy_hub_is_asked_again),
        TEST(an_end_is_made_of_a_hub_that_stays_busy),
        TEST(a_hub_that_refuses_is_quoted_and_not_asked_again),
        TEST(an_older_report_of_the_month_is_replaced),
        TEST(a_large_report_goes_in_compressed_parts),
        TEST(a_part_that_may_be_there_twice_begins_all_anew),
        TEST(the_verb_writes_a_report_to_a_file),
        TEST(the_verb_sends_each_month_by_itself),
        TEST(the_verb_refuses_what_it_cannot_do),
    };

    return cmocka_run_group_tests(tests, report_stage_open, report_stage_close);
}
