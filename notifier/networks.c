#include "notifier/networks.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/text.h"

enum { BITS = 128, IPV4_BITS = 32, ADDRESS_TEXT_BYTES = 80, NETWORK_TEXT_BYTES = 100 };

struct network {
    struct address base;
    int bits; /* of base that count */
};

struct networks {
    struct network *items;
    size_t count;
};

static const unsigned char mapped[12] = {[10] = 0xff, [11] = 0xff};

bool address_read(const char *text, struct address *out)
{
    char plain[ADDRESS_TEXT_BYTES];
    size_t length = strcspn(text, "%");

    if (length >= sizeof plain)
        return false;
    memcpy(plain, text, length);
    plain[length] = '\0';
    if (inet_pton(AF_INET6, plain, out->bytes) == 1)
        return true;
    memcpy(out->bytes, mapped, sizeof mapped);
    return inet_pton(AF_INET, plain, out->bytes + sizeof mapped) == 1;
}

bool address_is_ipv4(const struct address *a)
{
    return memcmp(a->bytes, mapped, sizeof mapped) == 0;
}

static bool same_bits(const struct address *a, const struct address *b, int bits)
{
    int whole = bits / 8, rest = bits % 8;

    return memcmp(a->bytes, b->bytes, (size_t)whole) == 0 &&
           (rest == 0 || (a->bytes[whole] ^ b->bytes[whole]) >> (8 - rest) == 0);
}

static bool read_network(const char *text, struct network *out)
{
    char address[NETWORK_TEXT_BYTES];
    const char *slash = strchr(text, '/');
    size_t length = slash ? (size_t)(slash - text) : strlen(text);
    int64_t bits = 0;
    int most;

    snprintf(address, sizeof address, "%.*s", (int)length, text);
    if (strchr(address, '%') || !address_read(address, &out->base))
        return false;
    most = strchr(address, ':') ? BITS : IPV4_BITS;
    if (slash && (!text_int(slash + 1, strlen(slash + 1), &bits) || bits < 0 || bits > most || slash[1] == '+'))
        return false;
    out->bits = BITS - most + (slash ? (int)bits : most);
    return true;
}

struct networks *networks_new(const char *text, struct error *err)
{
    struct networks *n = xcalloc(1, sizeof *n);
    const char *word;
    size_t length;

    while (text_word(&text, &word, &length)) {
        char one[NETWORK_TEXT_BYTES];

        snprintf(one, sizeof one, "%.*s", (int)length, word);
        n->items = xrealloc(n->items, (n->count + 1) * sizeof *n->items);
        if (length < sizeof one && read_network(one, &n->items[n->count++]))
            continue;
        error_set(err, ERROR_CONFIG, "\"%s\" is no network: write 192.0.2.7, 10.0.0.0/8 or 2001:db8::/32", one);
        networks_free(n);
        return NULL;
    }
    return n;
}

void networks_free(struct networks *n)
{
    if (!n)
        return;
    free(n->items);
    free(n);
}

bool networks_check(const char *text, struct error *err)
{
    struct networks *n = networks_new(text, err);

    networks_free(n);
    return n != NULL;
}

bool networks_hold(const struct networks *n, const struct address *a)
{
    for (size_t i = 0; i < n->count; i++)
        if (same_bits(a, &n->items[i].base, n->items[i].bits))
            return true;
    return false;
}
