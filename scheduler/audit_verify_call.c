#include "scheduler/audit_verify_call.h"

#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "handlers/audit/audit_file.h"
#include "handlers/audit/audit_verify.h"

enum { KEY_BYTES_MOST = 64 * 1024, KEYS_MOST = 16 };

struct verify_call {
    struct verb_call *call;
    struct signing_key *keys[KEYS_MOST];
    size_t key_count;
    struct audit_link holds;
    bool has_holds, partial;
};

/* As the configuration takes it: without white space around it. A public key may be anybody's to read. */
static bool read_key(const char *path, struct signing_key **key, struct error *err)
{
    struct buf text = BUF_INIT;
    bool ok = file_read(path, KEY_BYTES_MOST, &text, err);

    if (ok) {
        while (text.length > 0 && strchr(" \t\r\n\v\f", text.data[text.length - 1]))
            text.data[--text.length] = '\0';
        *key = signing_key_new(text.data + strspn(text.data, " \t\r\n\v\f"), err);
        ok = *key || error_in(err, "%s", path);
        OPENSSL_cleanse(text.data, text.length);
    }
    buf_release(&text);
    return ok;
}

static bool read_holds(const char *text, struct audit_link *out, struct error *err)
{
    const char *colon = strchr(text, ':');
    const char *digest = colon ? colon + 1 : "";

    if (!colon || !text_int(text, (size_t)(colon - text), &out->place) || out->place < 1 ||
        strlen(digest) != sizeof out->digest - 1 || strspn(digest, "0123456789abcdef") != strlen(digest))
        return error_set(err, ERROR_INPUT, "--holds needs PLACE:DIGEST, as verify prints them");
    memcpy(out->digest, digest, sizeof out->digest);
    return true;
}

/* Those given take the place of the configured one. */
static bool take_keys(struct verify_call *v, struct error *err)
{
    const char *configured = v->call->settings->audit.key, *path;

    while (verb_option(v->call, "key", &path)) {
        if (!path)
            return error_set(err, ERROR_INPUT, "--key needs a file");
        if (v->key_count == KEYS_MOST)
            return error_set(err, ERROR_INPUT, "at most %d keys", KEYS_MOST);
        if (!read_key(path, &v->keys[v->key_count], err))
            return false;
        v->key_count++;
    }
    if (v->key_count == 0 && *configured && (v->keys[0] = signing_key_new(configured, err)))
        v->key_count = 1;
    return v->key_count > 0 || !*configured;
}

static bool take_options(struct verify_call *v, struct error *err)
{
    const char *holds = NULL;

    v->has_holds = verb_option(v->call, "holds", &holds);
    v->partial = verb_option(v->call, "partial", NULL);
    if (v->has_holds && !read_holds(holds ? holds : "", &v->holds, err))
        return false;
    if (!take_keys(v, err))
        return false;
    if (verb_unknown_option(v->call))
        return error_set(err, ERROR_INPUT, "no option %s", verb_unknown_option(v->call));
    return true;
}

static void print_json(const struct audit_verified *r)
{
    struct buf out = BUF_INIT;

    buf_printf(&out, "{\"ok\":%s,\"lines\":%lld,\"signed\":%lld,\"without_chain\":%lld,\"first\":%lld,",
               r->finding.length ? "false" : "true", (long long)r->lines, (long long)r->signed_lines,
               (long long)r->before, (long long)r->first.place);
    buf_printf(&out, "\"end\":\"%lld:%s\",\"finding\":", (long long)r->end.place, r->end.digest);
    if (r->finding.length)
        buf_add_json(&out, r->finding.data, r->finding.length);
    else
        buf_add_text(&out, "null");
    puts(out.data);
    buf_release(&out);
}

static void print(const struct audit_verified *r)
{
    struct buf line = BUF_INIT;

    if (r->finding.length) {
        text_add_escaped(&line, r->finding.data, r->finding.length, 4096);
        puts(line.data);
    } else {
        printf("%lld lines are as they were written", (long long)r->lines);
        printf(", %lld of them signed\n", (long long)r->signed_lines);
        if (r->before)
            printf("%lld more were there before there was a chain\n", (long long)r->before);
        printf("the end is %lld:%s\n", (long long)r->end.place, r->end.digest);
    }
    buf_release(&line);
}

static int verify(const struct verify_call *v, char *const *files, size_t count, const char *file)
{
    const struct audit_verify ask = {.files = files,
                                     .file_count = count,
                                     .keys = v->keys,
                                     .key_count = v->key_count,
                                     .file = file,
                                     .partial = v->partial,
                                     .holds = v->has_holds ? &v->holds : NULL};
    struct audit_verified result = AUDIT_VERIFIED_INIT;
    struct error err = ERROR_INIT;
    int code;

    if (!audit_verify(&ask, &result, &err)) {
        code = verb_failed("audit verify", &err);
    } else {
        code = result.finding.length ? EXIT_FAILED : EXIT_DONE;
        if (v->call->json)
            print_json(&result);
        else
            print(&result);
    }
    buf_release(&result.finding);
    return code;
}

/* A file that has a head is one that is written to. */
static int verify_given(const struct verify_call *v)
{
    const char *last = v->call->argv[v->call->argc - 1];
    struct buf head = BUF_INIT;
    bool headed;
    FILE *file;

    audit_head_path(last, &head);
    file = fopen(head.data, "re");
    headed = file || text_same(last, v->call->settings->audit.file);
    if (file)
        fclose(file);
    buf_release(&head);
    return verify(v, v->call->argv, (size_t)v->call->argc, headed ? last : NULL);
}

static int verify_configured(const struct verify_call *v)
{
    const char *file = v->call->settings->audit.file;
    struct error err = ERROR_INIT;
    size_t count = 0;
    char **files;
    int code;

    if (!*file)
        return verb_usage("audit", "[audit] names no file: give one");
    files = audit_files_list(file, &count, &err);
    if (!files)
        return verb_failed("audit verify", &err);
    code = verify(v, files, count, file);
    audit_files_free(files, count);
    return code;
}

int audit_verify_call(struct verb_call *call)
{
    struct verify_call v = {.call = call};
    struct error err = ERROR_INIT;
    int code;

    if (!take_options(&v, &err))
        code = err.kind == ERROR_INPUT ? verb_usage("audit", err.text) : verb_failed("audit verify", &err);
    else
        code = call->argc > 0 ? verify_given(&v) : verify_configured(&v);
    for (size_t i = 0; i < v.key_count; i++)
        signing_key_free(v.keys[i]);
    return code;
}
