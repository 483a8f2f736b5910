/* The files of the door's certificate: whatever is in them, a pair is refused with a reason, or can be used. */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "notifier/certificate.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *folder(void)
{
    static char path[] = "/tmp/crier-fuzz-XXXXXX";
    static bool made;

    if (!made && !mkdtemp(path))
        abort();
    made = true;
    return path;
}

static void write_part(const char *path, mode_t mode, const char *bytes, size_t length)
{
    FILE *file = fopen(path, "we");

    if (!file || fwrite(bytes, 1, length, file) != length || fclose(file) != 0 || chmod(path, mode) != 0)
        abort();
}

static void use(const struct certificate *c)
{
    struct buf trouble = BUF_INIT;
    gnutls_pcert_st *chain;
    gnutls_privkey_t key;
    unsigned length;

    certificate_add_trouble(c, &trouble);
    buf_release(&trouble);
    if (!certificate_copy(c, &chain, &length, &key))
        return;
    assert(length > 0);
    for (unsigned i = 0; i < length; i++)
        gnutls_pcert_deinit(&chain[i]);
    gnutls_free(chain);
    gnutls_privkey_deinit(key);
}

/* The chain, "~", which PEM has not, and the key. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *end = memchr(data, '~', size);
    size_t length = end ? (size_t)(end - data) : size, after = end ? length + 1 : size;
    struct error err = ERROR_INIT;
    struct certificate *c;
    char path[100], key_path[100];

    snprintf(path, sizeof path, "%s/chain", folder());
    snprintf(key_path, sizeof key_path, "%s/key", folder());
    write_part(path, 0644, (const char *)data, length);
    write_part(key_path, 0600, (const char *)data + after, size - after);
    c = certificate_load(path, key_path, &err);
    if (c)
        use(c);
    else
        assert(err.kind == ERROR_CONFIG && err.text[0]);
    certificate_free(c);
    return 0;
}
