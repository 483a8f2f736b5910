#include "support/private_net.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/attrs.h"
#include "base/buf.h"
#include "base/text.h"
#include "support/server.h"

enum { NAMES_MOST = 256, NAME_BYTES = 64, PACKET_BYTES = 512, HEADER_BYTES = 12, TYPE_A = 1, TYPE_AAAA = 28 };

/* ------------------------------------------------------------------------------------------------------- the network
 */

static bool raise_loopback(void)
{
    struct ifreq link = {.ifr_name = "lo"};
    int file = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    bool ok;

    link.ifr_flags = IFF_UP | IFF_RUNNING;
    ok = file >= 0 && ioctl(file, SIOCSIFFLAGS, &link) == 0;
    if (file >= 0)
        close(file);
    return ok;
}

/* What `ip route add local default dev lo table local` does, for one family. */
static bool lead_all_here(unsigned char family)
{
    struct {
        struct nlmsghdr head;
        struct rtmsg route;
        struct rtattr device_head;
        uint32_t device;
    } ask = {
        .head = {.nlmsg_len = sizeof ask,
                 .nlmsg_type = RTM_NEWROUTE,
                 .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE},
        .route = {.rtm_family = family,
                 .rtm_table = RT_TABLE_LOCAL,
                 .rtm_protocol = RTPROT_STATIC,
                 .rtm_scope = RT_SCOPE_HOST,
                 .rtm_type = RTN_LOCAL},
        .device_head = {.rta_len = RTA_LENGTH(sizeof(uint32_t)), .rta_type = RTA_OIF},
        .device = if_nametoindex("lo"),
    };
    struct {
        struct nlmsghdr head;
        struct nlmsgerr answer;
        char more[256];
    } reply = {.answer = {.error = -1}};
    int file = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
    bool ok = file >= 0 && send(file, &ask, sizeof ask, 0) == (ssize_t)sizeof ask &&
              recv(file, &reply, sizeof reply, 0) > 0 && reply.head.nlmsg_type == NLMSG_ERROR &&
              reply.answer.error == 0;

    if (file >= 0)
        close(file);
    return ok;
}

/* Names are asked for at the test's own server. */
static bool set_resolver(void)
{
    char path[300];
    FILE *file;
    bool ok;

    snprintf(path, sizeof path, "%s/resolv.conf", test_folder());
    file = fopen(path, "w");
    ok = file && fputs("nameserver 127.0.0.1\n", file) >= 0;
    if (file)
        ok = fclose(file) == 0 && ok;
    return ok && mount(path, "/etc/resolv.conf", NULL, MS_BIND, NULL) == 0;
}

bool private_net_enter(const char **why)
{
    int spaces = CLONE_NEWNET | CLONE_NEWNS;

    if (unshare(geteuid() == 0 ? spaces : spaces | CLONE_NEWUSER) != 0)
        *why = "the kernel gives no namespaces of network and mounts";
    else if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 || !set_resolver())
        *why = "/etc/resolv.conf cannot be replaced in a namespace of mounts";
    else if (!raise_loopback() || !lead_all_here(AF_INET))
        *why = "routes of IPv4 cannot be set in a namespace of networks";
    else if (!lead_all_here(AF_INET6))
        *why = "routes of IPv6 cannot be set in a namespace of networks";
    else
        return true;
    return false;
}

/* ------------------------------------------------------------------------------------------------------------- names
 */

static struct {
    private_net_names answer;
    int file;
    pthread_mutex_t mutex;
    struct {
        char name[NAME_BYTES];
        size_t asked[2]; /* for A, for AAAA */
    } names[NAMES_MOST];
    size_t count;
} teller = {.mutex = PTHREAD_MUTEX_INITIALIZER};

/* Where it is kept; NULL: nowhere. */
static size_t *asked_of(const char *name, bool add)
{
    for (size_t i = 0; i < teller.count; i++)
        if (strcmp(teller.names[i].name, name) == 0)
            return teller.names[i].asked;
    if (!add)
        return NULL;
    assert_true(teller.count < NAMES_MOST);
    snprintf(teller.names[teller.count].name, NAME_BYTES, "%s", name);
    return teller.names[teller.count++].asked;
}

/* "a.test" of a query's labels; returns the bytes they take. */
static size_t read_name(const unsigned char *packet, size_t length, char out[NAME_BYTES])
{
    size_t at = HEADER_BYTES, used = 0;

    while (at < length && packet[at] != 0) {
        size_t label = packet[at];

        assert_true(label < 64 && at + label < length && used + label + 2 < NAME_BYTES);
        used += (size_t)snprintf(out + used, NAME_BYTES - used, "%s%.*s", used ? "." : "", (int)label,
                                 (const char *)packet + at + 1);
        at += label + 1;
    }
    return at + 1 - HEADER_BYTES;
}

static void add_record(struct buf *out, bool six, const char *text, size_t length)
{
    const unsigned char head[] = {0xc0, HEADER_BYTES, 0, six ? TYPE_AAAA : TYPE_A, 0, 1, 0, 0, 0, 0, 0, six ? 16 : 4};
    unsigned char address[16];
    char word[64];

    snprintf(word, sizeof word, "%.*s", (int)length, text);
    assert_int_equal(inet_pton(six ? AF_INET6 : AF_INET, word, address), 1);
    buf_add(out, (const char *)head, sizeof head);
    buf_add(out, (const char *)address, six ? 16 : 4);
}

/* False: nothing is to be said. */
static bool answer_query(const unsigned char *query, size_t length, struct buf *out)
{
    char name[NAME_BYTES] = "";
    size_t named = read_name(query, length, name), word_length;
    bool six = query[HEADER_BYTES + named + 1] == TYPE_AAAA;
    const char *addresses, *word;
    unsigned char count = 0;
    size_t lookup;

    pthread_mutex_lock(&teller.mutex);
    lookup = asked_of(name, true)[six]++;
    pthread_mutex_unlock(&teller.mutex);
    addresses = teller.answer(name, six, lookup);
    if (!addresses)
        return false;
    buf_reset(out);
    buf_add(out, (const char *)query, HEADER_BYTES + named + 4);
    while (text_word(&addresses, &word, &word_length)) {
        add_record(out, six, word, word_length);
        count++;
    }
    out->data[2] = (char)0x84; /* an answer, with authority */
    out->data[3] = 0;
    memset(out->data + 4, 0, HEADER_BYTES - 4);
    out->data[5] = 1;
    out->data[7] = (char)count;
    return true;
}

static void *tell(void *context)
{
    struct buf out = BUF_INIT;
    unsigned char query[PACKET_BYTES];
    struct sockaddr_in from;
    socklen_t size = sizeof from;
    ssize_t got;

    while ((got = recvfrom(teller.file, query, sizeof query, 0, (struct sockaddr *)&from, &size)) > HEADER_BYTES) {
        if (answer_query(query, (size_t)got, &out))
            sendto(teller.file, out.data, out.length, 0, (struct sockaddr *)&from, size);
        size = sizeof from;
    }
    buf_release(&out);
    return context;
}

void private_net_tell(private_net_names answer)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(53), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    pthread_t thread;

    teller.answer = answer;
    teller.file = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(teller.file, (struct sockaddr *)&at, sizeof at), 0);
    assert_int_equal(pthread_create(&thread, NULL, tell, NULL), 0);
    pthread_detach(thread); /* it ends with the process */
}

size_t private_net_asked(const char *name)
{
    const size_t *asked;
    size_t count;

    pthread_mutex_lock(&teller.mutex);
    asked = asked_of(name, false);
    count = asked ? asked[0] + asked[1] : 0;
    pthread_mutex_unlock(&teller.mutex);
    return count;
}
