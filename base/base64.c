#include "base/base64.h"

#include <limits.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

void base64_add(const unsigned char *bytes, size_t length, struct buf *out)
{
    size_t size = (length + 2) / 3 * 4;

    EVP_EncodeBlock((unsigned char *)buf_grow(out, size + 1), bytes, (int)length);
    buf_grown(out, size);
}

/* OpenSSL also takes white space around it, and bits that nobody reads. */
static bool is_as_encoded(const char *text, size_t length, const unsigned char *bytes, size_t count)
{
    unsigned char *again = xcalloc(1, length + 1);
    bool same = (size_t)EVP_EncodeBlock(again, bytes, (int)count) == length && memcmp(again, text, length) == 0;

    OPENSSL_cleanse(again, length);
    free(again);
    return same;
}

size_t base64_read(const char *text, size_t length, unsigned char *out)
{
    size_t padding = 0;
    int count;

    if (length == 0 || length % 4 != 0 || length > INT_MAX)
        return 0;
    while (padding < 2 && text[length - 1 - padding] == '=')
        padding++;
    count = EVP_DecodeBlock(out, (const unsigned char *)text, (int)length);
    if (count < 0 || !is_as_encoded(text, length, out, (size_t)count - padding))
        return 0;
    return (size_t)count - padding;
}
