#include "handlers/webhook/post_loop.h"

#include <curl/curl.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "handlers/webhook/guarded_link.h"

enum {
    READY_MOST = 64,
    LINKS_KEPT = 256, /* open though nothing is under way on them */
    REPLY_KEEP_BYTES = 4096,
    IDLE_MOST = 64, /* jobs kept for the next request */
};

/* One request, which is asking for addresses, then with libcurl, then done. */
struct job {
    struct guarded_post *post;
    struct post_request request;
    struct post_reply reply;
    void *context;
    struct question *question;
    int64_t until_ms; /* of the question */
    bool ok;
    struct error err;
    struct job *next, **from; /* in one of the lists below */
};

struct post_loop {
    struct post_options options;
    CURLM *multi;
    int poll, waker;
    int64_t timer_ms; /* when libcurl wants to be called, on the monotonic clock; -1: not at all */
    struct job *asking, *sending, *done, **done_end, *given, *idle;
    int idle_count;
};

/* ---------------------------------------------------------------------------------------------------------- jobs */

static void put(struct job **list, struct job *j)
{
    j->next = *list;
    j->from = list;
    if (j->next)
        j->next->from = &j->next;
    *list = j;
}

static void take_out(struct job *j)
{
    *j->from = j->next;
    if (j->next)
        j->next->from = j->from;
}

static struct job *job_new(struct post_loop *l)
{
    struct job *j = l->idle;

    if (j) {
        take_out(j);
        l->idle_count--;
        return j;
    }
    j = xcalloc(1, sizeof *j);
    j->post = guarded_post_new(&l->options);
    j->reply = (struct post_reply)POST_REPLY_INIT;
    return j;
}

static void job_free(struct job *j)
{
    guarded_post_free(j->post);
    buf_release(&j->reply.body);
    free(j);
}

static void job_rest(struct post_loop *l, struct job *j)
{
    if (l->idle_count == IDLE_MOST) {
        job_free(j);
        return;
    }
    buf_reset(&j->reply.body);
    buf_trim(&j->reply.body, REPLY_KEEP_BYTES);
    put(&l->idle, j);
    l->idle_count++;
}

/* In the order in which they end. */
static void job_done(struct post_loop *l, struct job *j, bool ok)
{
    j->ok = ok;
    j->next = NULL;
    j->from = l->done_end;
    *l->done_end = j;
    l->done_end = &j->next;
}

static void job_send(struct post_loop *l, struct job *j, const struct addresses *found)
{
    CURL *link = guarded_post_begin(j->post, found, &j->err);

    if (!link) {
        job_done(l, j, false);
        return;
    }
    curl_easy_setopt(link, CURLOPT_PRIVATE, j);
    put(&l->sending, j);
    if (curl_multi_add_handle(l->multi, link) != CURLM_OK)
        abort(); /* it is in use, or memory is exhausted */
}

static void job_answered(struct post_loop *l, struct job *j)
{
    struct addresses found;
    bool ok = resolver_take(j->question, &found, &j->err);

    j->question = NULL;
    if (ok)
        job_send(l, j, &found);
    else
        job_done(l, j, false);
}

void post_loop_begin(struct post_loop *l, const struct post_request *request, void *context)
{
    struct job *j = job_new(l);

    j->request = *request;
    j->context = context;
    j->err = (struct error)ERROR_INIT;
    if (!guarded_post_aim(j->post, &j->request, &j->reply, &j->err)) {
        job_done(l, j, false);
        return;
    }
    j->question = resolver_ask(guarded_post_host(j->post), l->waker);
    j->until_ms = clock_monotonic_ms() + guarded_post_resolve_ms(j->post);
    if (resolver_answered(j->question))
        job_answered(l, j);
    else
        put(&l->asking, j);
}

/* ------------------------------------------------------------------------------------------------ libcurl's wishes */

static int on_socket(CURL *easy, curl_socket_t socket, int what, void *user, void *mark)
{
    struct post_loop *l = user;
    struct epoll_event event = {.data.fd = socket};

    (void)easy;
    (void)mark;
    if (what == CURL_POLL_REMOVE) {
        epoll_ctl(l->poll, EPOLL_CTL_DEL, socket, NULL); /* a closed one is gone already */
        return 0;
    }
    event.events = (what & CURL_POLL_IN ? EPOLLIN : 0U) | (what & CURL_POLL_OUT ? EPOLLOUT : 0U);
    if (epoll_ctl(l->poll, EPOLL_CTL_MOD, socket, &event) == 0)
        return 0;
    return errno == ENOENT && epoll_ctl(l->poll, EPOLL_CTL_ADD, socket, &event) == 0 ? 0 : -1;
}

static int on_timer(CURLM *multi, long wait_ms, void *user)
{
    struct post_loop *l = user;

    (void)multi;
    l->timer_ms = wait_ms < 0 ? -1 : clock_monotonic_ms() + wait_ms;
    return 0;
}

static void move_on(struct post_loop *l, curl_socket_t socket, int what)
{
    int running;

    if (curl_multi_socket_action(l->multi, socket, what, &running) != CURLM_OK)
        abort(); /* memory is exhausted, or a call is not as libcurl wants it */
}

static void take_ended(struct post_loop *l)
{
    CURLMsg *message;
    int left;

    while ((message = curl_multi_info_read(l->multi, &left))) {
        CURLcode code = message->data.result;
        CURL *link = message->easy_handle;
        struct job *j;

        curl_easy_getinfo(link, CURLINFO_PRIVATE, (char **)&j);
        curl_multi_remove_handle(l->multi, link);
        take_out(j);
        job_done(l, j, guarded_post_end(j->post, code, &j->err));
    }
}

/* ---------------------------------------------------------------------------------------------------------- the loop
 */

struct post_loop *post_loop_new(const struct post_options *o)
{
    struct post_loop *l = xcalloc(1, sizeof *l);
    struct epoll_event event = {.events = EPOLLIN};

    l->options = *o;
    l->done_end = &l->done;
    l->timer_ms = -1;
    l->multi = curl_multi_init();
    l->poll = epoll_create1(EPOLL_CLOEXEC);
    l->waker = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    event.data.fd = l->waker;
    if (!l->multi || l->poll < 0 || l->waker < 0 || epoll_ctl(l->poll, EPOLL_CTL_ADD, l->waker, &event) != 0)
        abort(); /* as exhausted memory everywhere */
    curl_multi_setopt(l->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
    curl_multi_setopt(l->multi, CURLMOPT_SOCKETDATA, l);
    curl_multi_setopt(l->multi, CURLMOPT_TIMERFUNCTION, on_timer);
    curl_multi_setopt(l->multi, CURLMOPT_TIMERDATA, l);
    curl_multi_setopt(l->multi, CURLMOPT_MAXCONNECTS, (long)LINKS_KEPT);
    return l;
}

static void free_all(struct job *j)
{
    while (j) {
        struct job *next = j->next;

        job_free(j);
        j = next;
    }
}

static void give_up(struct post_loop *l)
{
    struct addresses ignored;

    for (struct job *j = l->asking; j; j = j->next)
        if (!resolver_take(j->question, &ignored, &j->err))
            continue;
    while (l->sending) {
        struct job *j = l->sending;
        CURL *link = guarded_post_link(j->post);

        take_out(j);
        curl_multi_remove_handle(l->multi, link);
        job_done(l, j, guarded_post_end(j->post, CURLE_ABORTED_BY_CALLBACK, &j->err));
    }
}

void post_loop_free(struct post_loop *l)
{
    if (!l)
        return;
    give_up(l);
    free_all(l->asking);
    free_all(l->done);
    free_all(l->given);
    free_all(l->idle);
    curl_multi_cleanup(l->multi);
    close(l->waker);
    close(l->poll);
    free(l);
}

void post_loop_wake(struct post_loop *l)
{
    eventfd_write(l->waker, 1);
}

static void take_answers(struct post_loop *l, int64_t now_ms)
{
    struct job *next;

    for (struct job *j = l->asking; j; j = next) {
        next = j->next;
        if (now_ms < j->until_ms && !resolver_answered(j->question))
            continue;
        take_out(j);
        job_answered(l, j);
    }
}

static int wait_of(const struct post_loop *l, int64_t wait_ms)
{
    int64_t now_ms = clock_monotonic_ms(), until_ms = now_ms + wait_ms;

    if (l->timer_ms >= 0 && l->timer_ms < until_ms)
        until_ms = l->timer_ms;
    for (const struct job *j = l->asking; j; j = j->next)
        if (j->until_ms < until_ms)
            until_ms = j->until_ms;
    if (until_ms <= now_ms)
        return 0;
    return until_ms - now_ms > INT_MAX ? INT_MAX : (int)(until_ms - now_ms);
}

/* Whether somebody woke it. */
static bool turn(struct post_loop *l, int wait_ms)
{
    struct epoll_event ready[READY_MOST];
    int count = epoll_wait(l->poll, ready, READY_MOST, wait_ms);
    bool woken = false;

    for (int i = 0; i < count; i++) {
        uint32_t seen = ready[i].events;
        eventfd_t ignored;

        if (ready[i].data.fd == l->waker)
            woken = eventfd_read(l->waker, &ignored) == 0;
        else
            move_on(l, ready[i].data.fd,
                    (seen & EPOLLIN ? CURL_CSELECT_IN : 0) | (seen & EPOLLOUT ? CURL_CSELECT_OUT : 0) |
                        (seen & (EPOLLERR | EPOLLHUP) ? CURL_CSELECT_ERR : 0));
    }
    if (l->timer_ms >= 0 && clock_monotonic_ms() >= l->timer_ms) {
        l->timer_ms = -1;
        move_on(l, CURL_SOCKET_TIMEOUT, 0);
    }
    take_ended(l);
    return woken;
}

void post_loop_wait(struct post_loop *l, int64_t wait_ms)
{
    int64_t until_ms = clock_monotonic_ms() + wait_ms, left_ms = wait_ms;
    bool woken = false;

    do {
        woken = turn(l, l->done ? 0 : wait_of(l, left_ms));
        take_answers(l, clock_monotonic_ms());
        left_ms = until_ms - clock_monotonic_ms();
    } while (!l->done && !woken && left_ms > 0);
}

bool post_loop_next(struct post_loop *l, struct post_result *out)
{
    struct job *j = l->done;

    if (l->given) {
        struct job *given = l->given;

        take_out(given);
        job_rest(l, given);
    }
    if (!j)
        return false;
    l->done = j->next;
    if (j->next)
        j->next->from = &l->done;
    else
        l->done_end = &l->done;
    put(&l->given, j);
    *out = (struct post_result){j->context, &j->reply, j->ok, j->err};
    return true;
}
