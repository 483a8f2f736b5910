#include "support/country_file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <arpa/inet.h>
#include <cmocka.h>

#include "base/buf.h"

enum {
    NODES_MOST = 4096,
    EMPTY = -1,
    SEPARATOR_BYTES = 16, /* between the tree and the data */
};

enum field_type {
    FIELD_TEXT = 2,
    FIELD_UINT16 = 5,
    FIELD_UINT32 = 6,
    FIELD_MAP = 7,
    FIELD_UINT64 = 9,
    FIELD_LIST = 11
};

/* A branch leads to a node, to nothing (EMPTY), or to data (-2 - its offset). */
struct tree {
    int branches[NODES_MOST][2];
    int count;
};

static void add_field(struct buf *out, enum field_type type, size_t size)
{
    if (type <= 7) {
        buf_add_char(out, (char)((unsigned)type << 5 | size));
    } else {
        buf_add_char(out, (char)size);
        buf_add_char(out, (char)(type - 7));
    }
}

static void add_text(struct buf *out, const char *text)
{
    add_field(out, FIELD_TEXT, strlen(text));
    buf_add_text(out, text);
}

static void add_number(struct buf *out, enum field_type type, size_t bytes, uint64_t number)
{
    add_field(out, type, bytes);
    while (bytes-- > 0)
        buf_add_char(out, (char)(number >> 8 * bytes));
}

static int new_node(struct tree *t)
{
    assert_true(t->count < NODES_MOST);
    t->branches[t->count][0] = t->branches[t->count][1] = EMPTY;
    return t->count++;
}

static void add_row(struct tree *t, const struct country_row *row, struct buf *data)
{
    char text[80];
    unsigned char address[16];
    int bits, node = 0;

    assert_int_equal(sscanf(row->network, "%79[^/]/%d", text, &bits), 2);
    assert_int_equal(inet_pton(AF_INET6, text, address), 1);
    for (int bit = 0; bit < bits; bit++) {
        int *branch = &t->branches[node][address[bit / 8] >> (7 - bit % 8) & 1];

        if (bit == bits - 1) {
            *branch = -2 - (int)data->length;
        } else {
            if (*branch < 0)
                *branch = new_node(t);
            node = *branch;
        }
    }
    add_field(data, FIELD_MAP, 1);
    add_text(data, "country");
    add_field(data, FIELD_MAP, 1);
    add_text(data, "iso_code");
    add_text(data, row->code);
}

static void add_tree(struct buf *out, const struct tree *t)
{
    for (int i = 0; i < t->count; i++)
        for (int side = 0; side < 2; side++) {
            int branch = t->branches[i][side];
            int record = branch >= 0 ? branch : branch == EMPTY ? t->count : t->count + SEPARATOR_BYTES - 2 - branch;

            for (int shift = 16; shift >= 0; shift -= 8)
                buf_add_char(out, (char)(record >> shift));
        }
}

static void add_about(struct buf *out, int nodes)
{
    buf_add_text(out, "\xab\xcd\xefMaxMind.com");
    add_field(out, FIELD_MAP, 9);
    add_text(out, "node_count");
    add_number(out, FIELD_UINT32, 4, (uint64_t)nodes);
    add_text(out, "record_size");
    add_number(out, FIELD_UINT16, 2, 24);
    add_text(out, "ip_version");
    add_number(out, FIELD_UINT16, 2, 6);
    add_text(out, "database_type");
    add_text(out, "Test-Country");
    add_text(out, "languages");
    add_field(out, FIELD_LIST, 0);
    add_text(out, "binary_format_major_version");
    add_number(out, FIELD_UINT16, 2, 2);
    add_text(out, "binary_format_minor_version");
    add_number(out, FIELD_UINT16, 2, 0);
    add_text(out, "build_epoch");
    add_number(out, FIELD_UINT64, 8, 1795210800);
    add_text(out, "description");
    add_field(out, FIELD_MAP, 0);
}

void country_file_write(const char *path, const struct country_row *rows, size_t count)
{
    static struct tree tree;
    struct buf data = BUF_INIT, file = BUF_INIT;
    char fresh[500];
    FILE *out;

    tree.count = 0;
    new_node(&tree);
    for (size_t i = 0; i < count; i++)
        add_row(&tree, &rows[i], &data);
    add_tree(&file, &tree);
    for (int i = 0; i < SEPARATOR_BYTES; i++)
        buf_add_char(&file, '\0');
    buf_add(&file, data.data, data.length);
    add_about(&file, tree.count);
    snprintf(fresh, sizeof fresh, "%s.new", path);
    out = fopen(fresh, "wb");
    assert_non_null(out);
    assert_int_equal(fwrite(file.data, 1, file.length, out), file.length);
    assert_int_equal(fclose(out), 0);
    assert_int_equal(rename(fresh, path), 0);
    buf_release(&data);
    buf_release(&file);
}
