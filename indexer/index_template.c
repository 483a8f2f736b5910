#include "indexer/index_template.h"

#include <jansson.h>
#include <string.h>

#include "base/hash.h"
#include "base/http.h"
#include "base/json.h"
#include "base/text.h"

/* Above what a platform installs for its own indices. */
enum { PRIORITY = 200, DEPTH_MOST = 64 };

/* ------------------------------------------------------------------ settings, in the form OpenSearch gives back */

static void flatten(json_t *out, const char *path, const json_t *value);

static void flatten_members(json_t *out, const char *path, const json_t *settings)
{
    for (void *at = json_object_iter((json_t *)(uintptr_t)settings); at;
         at = json_object_iter_next((json_t *)(uintptr_t)settings, at)) {
        struct buf key = BUF_INIT;

        buf_printf(&key, "%s%s%s", path, path[0] ? "." : "", json_object_iter_key(at));
        flatten(out, key.data, json_object_iter_value(at));
        buf_release(&key);
    }
}

static json_t *as_text(const json_t *value)
{
    struct buf scratch = BUF_INIT;
    const char *text = json_scalar_text(value, &scratch);
    json_t *string = json_string(text ? text : "");

    buf_release(&scratch);
    return string;
}

/* Nested or dotted, number or text, with "index." or without: one key, and text. */
static void flatten(json_t *out, const char *path, const json_t *value)
{
    struct buf key = BUF_INIT;
    json_t *list;

    if (json_is_object(value)) {
        flatten_members(out, path, value);
        return;
    }
    buf_printf(&key, "%s%s", text_starts(path, "index.") ? "" : "index.", path);
    if (json_is_array(value)) {
        list = json_array();
        for (size_t i = 0; i < json_array_size(value); i++)
            json_array_append_new(list, as_text(json_array_get(value, i)));
        json_object_set_new(out, key.data, list);
    } else {
        json_object_set_new(out, key.data, as_text(value));
    }
    buf_release(&key);
}

/* What a template makes of an index, as bytes that are equal for equal templates. */
static void digest_of(const json_t *patterns, const json_t *body, char out[DIGEST_TEXT_BYTES])
{
    json_t *settings = json_object();
    struct digest *d = digest_new();
    unsigned char sum[SHA256_BYTES];
    struct buf bytes = BUF_INIT;
    static const char *const parts[] = {"mappings", "aliases"};

    flatten_members(settings, "", json_object_get(body, "settings"));
    json_add_sorted(&bytes, patterns);
    json_add_sorted(&bytes, settings);
    for (size_t i = 0; i < ARRAY_LENGTH(parts); i++)
        if (json_object_size(json_object_get(body, parts[i])) > 0)
            json_add_sorted(&bytes, json_object_get(body, parts[i]));
    digest_start(d);
    digest_part(d, bytes.data, bytes.length);
    digest_end(d, sum);
    hash_hex(sum, sizeof sum, out);
    digest_free(d);
    buf_release(&bytes);
    json_decref(settings);
}

/* -------------------------------------------------------------------------------------------- the one installed */

static json_t *prefixed(const struct client *c, const char *patterns)
{
    json_t *list = json_array();
    struct buf pattern = BUF_INIT;
    const char *at = patterns, *word;
    size_t length;

    while (text_word(&at, &word, &length)) {
        buf_reset(&pattern);
        buf_add_text(&pattern, client_prefix(c));
        buf_add(&pattern, word, length);
        json_array_append_new(list, json_string(pattern.data));
    }
    buf_release(&pattern);
    return list;
}

static void add_path(const struct client *c, const char *name, struct buf *out)
{
    buf_add_text(out, "/_index_template/");
    http_add_segment(out, client_prefix(c), strlen(client_prefix(c)));
    http_add_segment(out, name, strlen(name));
}

/* What is there against what is wanted; TEMPLATE_INSTALLED and _UPGRADED are still to be done. */
static enum template_state compare(const json_t *answer, const char *wanted)
{
    const json_t *there =
        json_object_get(json_array_get(json_object_get(answer, "index_templates"), 0), "index_template");
    const char *written = json_member_text(json_object_get(there, "_meta"), "crier_digest", NULL);
    char found[DIGEST_TEXT_BYTES];

    if (!there)
        return TEMPLATE_INSTALLED;
    if (!written)
        return TEMPLATE_DRIFTED; /* another's, of the same name */
    if (!text_same(written, wanted))
        return TEMPLATE_UPGRADED;
    digest_of(json_object_get(there, "index_patterns"), json_object_get(there, "template"), found);
    return text_same(found, wanted) ? TEMPLATE_UNCHANGED : TEMPLATE_DRIFTED;
}

/* Among equals OpenSearch refuses patterns that overlap: of two, the one that says more of a name goes first. */
static int priority_of(const json_t *patterns)
{
    int least = 0;

    for (size_t i = 0; i < json_array_size(patterns); i++) {
        int literal = 0;

        for (const char *at = json_string_value(json_array_get(patterns, i)); *at; at++)
            literal += *at != '*';
        least = i == 0 || literal < least ? literal : least;
    }
    return PRIORITY + least;
}

static bool put(struct client *c, const char *path, json_t *patterns, json_t *body, const char *digest,
                struct error *err)
{
    json_t *answer, *request = json_pack("{s:O, s:O, s:i, s:{s:s}}", "index_patterns", patterns, "template", body,
                                         "priority", priority_of(patterns), "_meta", "crier_digest", digest);
    bool ok = client_json(c, "PUT", path, request, &answer, NULL, err);

    json_decref(answer);
    json_decref(request);
    return ok;
}

bool index_template_install(struct client *c, const char *name, const char *patterns, const char *body,
                            enum template_state *state, struct error *err)
{
    json_t *list = prefixed(c, patterns), *wanted = json_text_parse(body, strlen(body), DEPTH_MOST, err),
           *answer = NULL;
    char digest[DIGEST_TEXT_BYTES];
    struct buf path = BUF_INIT;
    bool missing, ok = false;

    add_path(c, name, &path);
    if (!wanted)
        goto out;
    digest_of(list, wanted, digest);
    ok = client_json(c, "GET", path.data, NULL, &answer, &missing, err);
    if (!ok)
        goto out;
    *state = compare(answer, digest);
    if (*state == TEMPLATE_INSTALLED || *state == TEMPLATE_UPGRADED)
        ok = put(c, path.data, list, wanted, digest, err);
out:
    buf_release(&path);
    json_decref(answer);
    json_decref(wanted);
    json_decref(list);
    return ok || error_in(err, "index template %s", name);
}
