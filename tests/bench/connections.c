/*
 * What open connections cost the door in memory, at the stages where a stranger may leave them, or sends more than is
 * taken. See tests/bench/connections.sh.
 */
#include <errno.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <zlib.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/http.h"
#include "bench/measure.h"
#include "support/certificates.h"
#include "support/raw_client.h"
#include "support/server.h"
#include "support/usage.h"

enum {
    CONNECTIONS_MOST = 20000,
    KIB = 1024,
    ALLOWED_KIB = 64, /* beyond the body that was taken */
    SLICE_BYTES = 4 * KIB,
    BODY_BYTES = 16 * KIB, /* of one that is under way */
    BATCH_KIB = 64,        /* the longest body, where one is to be too long */
    PATIENCE_MS = 60000,
    LOOK_AGAIN_US = 50000,
    WAIT_S = 30,
    ADDRESSES = 8, /* one alone is not given all connections */
};

struct bench {
    struct server *redis_server, *serve;
    int count, *sockets;
    SSL_CTX *tls;
    SSL **sessions;
    char ca[300], pair[300], key[300];
};

/* ------------------------------------------------------------------------------------------------------ what is sent
 */

#define POST "POST /events HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-ndjson\r\n"

static void add_fill(struct buf *out, size_t length)
{
    memset(buf_grow(out, length), 'a', length);
    buf_grown(out, length);
}

static void nothing(struct buf *out)
{
    buf_reset(out);
}

static void whole(struct buf *out)
{
    buf_add_text(out, "GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n");
}

static void half_a_head(struct buf *out)
{
    buf_add_text(out, POST "X-Half: ");
    add_fill(out, 200);
}

static void long_head(struct buf *out)
{
    buf_add_text(out, POST "X-Long: ");
    add_fill(out, 30 * KIB);
}

static void many_headers(struct buf *out)
{
    buf_add_text(out, POST);
    for (int i = 0; i < 100000 && out->length < 256 * KIB; i++)
        buf_printf(out, "X-%d: y\r\n", i);
}

static void long_path(struct buf *out)
{
    buf_add_text(out, "GET /");
    add_fill(out, 64 * KIB);
    buf_add_text(out, " HTTP/1.1\r\nHost: localhost\r\n\r\n");
}

static void body_under_way(struct buf *out)
{
    buf_printf(out, POST "Content-Length: %d\r\n\r\n", 2 * BODY_BYTES);
    add_fill(out, BODY_BYTES);
}

/* As much once unpacked, and its end is missing. */
static void packed_body(struct buf *out)
{
    unsigned char plain[BODY_BYTES], packed[BODY_BYTES];
    z_stream z = {.next_in = plain, .avail_in = sizeof plain, .next_out = packed, .avail_out = sizeof packed};

    memset(plain, ' ', sizeof plain);
    if (deflateInit2(&z, Z_BEST_SPEED, Z_DEFLATED, 31, 8, Z_DEFAULT_STRATEGY) != Z_OK ||
        deflate(&z, Z_SYNC_FLUSH) != Z_OK)
        measure_failed("zlib", "does not pack");
    buf_printf(out, POST "Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n", BODY_BYTES);
    buf_add(out, (char *)packed, sizeof packed - z.avail_out);
    deflateEnd(&z);
}

static void body_beyond_the_limit(struct buf *out)
{
    buf_printf(out, POST "Content-Length: %d\r\n\r\n", BATCH_KIB * KIB + 1);
    add_fill(out, BATCH_KIB * KIB + 1);
}

static void body_without_end(struct buf *out)
{
    buf_add_text(out, POST "Transfer-Encoding: chunked\r\n\r\n");
    for (int i = 0; i < 256; i++) {
        buf_printf(out, "%x\r\n", KIB);
        add_fill(out, KIB);
        buf_add_text(out, "\r\n");
    }
}

static const struct stage {
    const char *name;
    void (*add)(struct buf *out); /* what each sends, slice by slice, all at the same pace */
    int body_bytes;               /* of it, what was taken of a body */
    bool tls, answered, tight;    /* tight: with little room for bodies */
} stages[] = {
    {"silent from the start",               nothing,               0,          false, false, false},
    {"kept open after an answer",           whole,                 0,          false, true,  false},
    {"half a head",                         half_a_head,           0,          false, false, false},
    {"30 KiB of a head",                    long_head,             0,          false, false, false},
    {"100,000 headers",                     many_headers,          0,          false, false, false},
    {"a path of 64 KiB",                    long_path,             0,          false, false, false},
    {"a body under way",                    body_under_way,        BODY_BYTES, false, false, false},
    {"a packed body under way",             packed_body,           BODY_BYTES, false, false, false},
    {"a body of a byte more than is taken", body_beyond_the_limit, 0,          false, false, true },
    {"a chunked body without end",          body_without_end,      0,          false, false, true },
    {"TLS, silent after the handshake",     nothing,               0,          true,  false, false},
    {"TLS, kept open after an answer",      whole,                 0,          true,  true,  false},
};

/* ------------------------------------------------------------------------------------------------------ the service */

static void serve(struct bench *b, const struct stage *stage)
{
    char path[300];
    FILE *file;

    snprintf(path, sizeof path, "%s/connections.ini", test_folder());
    file = fopen(path, "we");
    if (!file)
        measure_failed(path, "cannot be written");
    fprintf(file,
            "[service]\nlog = error\n[redis]\nurl = %s\n[queue q]\nevents = user.*\n"
            "[http]\nlisten = 127.0.0.1:0\nconnections = %d\nidle = 1h\nheaders = 1h\nrate = 0\nbatch = %dKiB\n"
            "event = %dKiB\n",
            redis_server_url(b->redis_server), b->count * 2 + 100, stage->tight ? BATCH_KIB : BATCH_KIB * b->count,
            BATCH_KIB);
    if (stage->tls)
        fprintf(file, "certificate = %s\nprivate_key_file = %s\n", b->pair, b->key);
    fclose(file);
    b->serve = stage->tls ? crier_serve_start_tls(path, b->ca) : crier_serve_start(path);
}

/* The highest from now on is the highest of what follows. */
static void forget_peak(const struct bench *b)
{
    char path[60];
    FILE *file;

    snprintf(path, sizeof path, "/proc/%d/clear_refs", server_pid(b->serve));
    file = fopen(path, "we");
    if (!file || fputs("5", file) < 0 || fclose(file) != 0)
        measure_failed(path, "cannot be written");
}

/* Bytes that came and were not read by the service. */
static long unread(const struct bench *b)
{
    char line[400];
    FILE *file = fopen("/proc/net/tcp", "re");
    long sum = 0;

    while (file && fgets(line, sizeof line, file)) {
        unsigned port, state, waiting;

        if (sscanf(line, " %*d: %*x:%x %*x:%*x %x %*x:%x", &port, &state, &waiting) == 3 &&
            (int)port == server_port(b->serve) && state != 10) /* of one that listens it counts connections */
            sum += waiting;
    }
    if (file)
        fclose(file);
    return sum;
}

/* Until all was read, and what was read was worked off. */
static struct usage settled(const struct bench *b)
{
    int64_t until_ms = clock_monotonic_ms() + PATIENCE_MS;
    struct usage before, now = usage_of(server_pid(b->serve));

    do {
        before = now;
        usleep(LOOK_AGAIN_US);
        now = usage_of(server_pid(b->serve));
    } while ((unread(b) > 0 || now.now_kib != before.now_kib) && clock_monotonic_ms() < until_ms);
    return now;
}

/* ---------------------------------------------------------------------------------------------------- the connections
 */

static void connect_all(struct bench *b, bool tls)
{
    for (int i = 0; i < b->count; i++) {
        char from[40];

        snprintf(from, sizeof from, "127.0.0.%d", 1 + i % ADDRESSES);
        b->sockets[i] = raw_connect(b->serve, from, WAIT_S);
        if (!tls)
            continue;
        b->sessions[i] = SSL_new(b->tls);
        if (!SSL_set_fd(b->sessions[i], b->sockets[i]) || SSL_connect(b->sessions[i]) != 1)
            measure_failed("TLS", "no handshake");
    }
}

static void close_all(struct bench *b)
{
    for (int i = 0; i < b->count; i++) {
        SSL_free(b->sessions[i]);
        b->sessions[i] = NULL;
        close(b->sockets[i]);
    }
}

/* Who was refused may be cut off meanwhile. */
static void send_slice(struct bench *b, int i, const char *bytes, size_t length)
{
    if (b->sessions[i])
        SSL_write(b->sessions[i], bytes, (int)length);
    else
        (void)!send(b->sockets[i], bytes, length, MSG_NOSIGNAL);
}

static void send_all(struct bench *b, const struct buf *text)
{
    for (size_t at = 0; at < text->length; at += SLICE_BYTES) {
        size_t left = text->length - at;

        for (int i = 0; i < b->count; i++)
            send_slice(b, i, text->data + at, left < SLICE_BYTES ? left : SLICE_BYTES);
    }
}

static void read_answers(struct bench *b)
{
    char answer[4096];

    for (int i = 0; i < b->count; i++)
        if ((b->sessions[i] ? SSL_read(b->sessions[i], answer, sizeof answer)
                            : (int)recv(b->sockets[i], answer, sizeof answer, 0)) <= 0 ||
            strncmp(answer, "HTTP/1.1 200", 12) != 0)
            measure_failed("GET /health/live", "is not answered");
}

/* Those that the door has not ended. */
static int open_still(const struct bench *b)
{
    int count = 0;

    for (int i = 0; i < b->count; i++) {
        struct pollfd p = {.fd = b->sockets[i], .events = POLLRDHUP};

        count += poll(&p, 1, 0) == 0;
    }
    return count;
}

/* ------------------------------------------------------------------------------------------------------ measuring */

/* KiB for each at its highest, without the bodies. */
static double measure(struct bench *b, const struct stage *stage)
{
    double body_kib = stage->body_bytes / (double)KIB, now, most;
    struct buf text = BUF_INIT;
    struct usage before, after;
    int held;

    stage->add(&text);
    serve(b, stage);
    before = settled(b);
    forget_peak(b);
    connect_all(b, stage->tls);
    send_all(b, &text);
    if (stage->answered)
        read_answers(b);
    after = settled(b);
    held = open_still(b);
    now = (double)(after.now_kib - before.now_kib) / b->count - body_kib;
    most = (double)(after.peak_kib - before.now_kib) / b->count - body_kib;
    printf("%-36s %6d %10.1f %10.1f\n", stage->name, held, now, most);
    close_all(b);
    server_stop(b->serve);
    server_free(b->serve);
    buf_release(&text);
    return most;
}

static void prepare_tls(struct bench *b)
{
    struct authority authority;

    snprintf(b->ca, sizeof b->ca, "%s/ca.pem", test_folder());
    snprintf(b->pair, sizeof b->pair, "%s/door.pem", test_folder());
    snprintf(b->key, sizeof b->key, "%s/door.key", test_folder());
    authority_make(&authority, b->ca);
    certificate_make(&authority, b->pair, b->key, 90);
    authority_release(&authority);
    b->tls = SSL_CTX_new(TLS_client_method());
}

int main(int argc, char **argv)
{
    struct bench b = {.count = argc == 2 ? atoi(argv[1]) : 0};
    double most = 0;

    if (b.count < 1 || b.count > CONNECTIONS_MOST)
        measure_failed("usage", "bench_connections CONNECTIONS");
    if (raw_connections_allow(2 * b.count + 100) < b.count)
        measure_failed("connections", "this user may not open so many files");
    b.sockets = xcalloc((size_t)b.count, sizeof *b.sockets);
    b.sessions = xcalloc((size_t)b.count, sizeof(SSL *));
    http_global_init();
    prepare_tls(&b);
    b.redis_server = redis_server_start(NULL);
    printf("%d connections at a time; KiB of the service's memory for each, without what was taken of its body:\n"
           "%-36s %6s %10s %10s\n",
           b.count, "", "open", "in the end", "highest");
    for (size_t i = 0; i < ARRAY_LENGTH(stages); i++) {
        double one = measure(&b, &stages[i]);

        most = one > most ? one : most;
    }
    printf("most for one: %.1f KiB, of %d that it may be\n", most, ALLOWED_KIB);
    SSL_CTX_free(b.tls);
    server_free(b.redis_server);
    free(b.sessions);
    free(b.sockets);
    return most > ALLOWED_KIB;
}
