#include "notifier/country.h"

#include <maxminddb.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "notifier/networks.h"
#include "notifier/shared_file.h"

struct country {
    struct shared_file *file;
};

static void *database_open(const char *path, struct error *err)
{
    MMDB_s *database = xcalloc(1, sizeof *database);
    int status = MMDB_open(path, MMDB_MODE_MMAP, database);

    if (status == MMDB_SUCCESS)
        return database;
    error_set(err, ERROR_CONFIG, "%s: %s", path, MMDB_strerror(status));
    free(database);
    return NULL;
}

static void database_close(void *database)
{
    MMDB_close(database);
    free(database);
}

static const struct file_form form = {database_open, database_close};

struct country *country_new(const char *path, struct error *err)
{
    struct shared_file *file = shared_file_hold(path, &form, err);
    struct country *c;

    if (!file)
        return NULL;
    c = xcalloc(1, sizeof *c);
    c->file = file;
    return c;
}

void country_free(struct country *c)
{
    if (!c)
        return;
    shared_file_release(c->file);
    free(c);
}

/* A database of IPv4 alone is asked for IPv4 alone. */
static bool look_up(const MMDB_s *database, const struct address *a, MMDB_lookup_result_s *out)
{
    struct sockaddr_in ipv4 = {.sin_family = AF_INET};
    struct sockaddr_in6 ipv6 = {.sin6_family = AF_INET6};
    bool short_form = address_is_ipv4(a);
    int status = MMDB_SUCCESS;

    memcpy(&ipv4.sin_addr, a->bytes + 12, sizeof ipv4.sin_addr);
    memcpy(&ipv6.sin6_addr, a->bytes, sizeof ipv6.sin6_addr);
    *out = MMDB_lookup_sockaddr(database, short_form ? (const struct sockaddr *)&ipv4 : (const struct sockaddr *)&ipv6,
                                &status);
    return status == MMDB_SUCCESS && out->found_entry;
}

bool country_of(struct country *c, const char *address, char out[COUNTRY_TEXT_BYTES])
{
    struct address a;
    MMDB_lookup_result_s found;
    MMDB_entry_data_s code;

    shared_file_renew(c->file);
    if (!address_read(address, &a) || !look_up(shared_file_made(c->file), &a, &found) ||
        MMDB_get_value(&found.entry, &code, "country", "iso_code", NULL) != MMDB_SUCCESS || !code.has_data ||
        code.type != MMDB_DATA_TYPE_UTF8_STRING || code.data_size != COUNTRY_TEXT_BYTES - 1)
        return false;
    memcpy(out, code.utf8_string, code.data_size);
    out[code.data_size] = '\0';
    return true;
}
