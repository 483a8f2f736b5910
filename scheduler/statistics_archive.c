/* `crier statistics export`, `import` and `reindex`: documents as they are, on their way elsewhere. */
#include "scheduler/statistics_call.h"

#include <stdio.h>

#include "base/json.h"
#include "base/listing.h"
#include "handlers/repair/archive.h"
#include "handlers/repair/index_merge.h"
#include "scheduler/long_work.h"

/* ------------------------------------------------------------------------------------------- export and import */

static void print_tally(const struct statistics_call *c, const char *what, const struct archive_tally *t, bool imported)
{
    if (c->call->json) {
        json_t *all = json_pack("{s:I, s:I, s:I, s:b}", "files", (json_int_t)t->files, "documents",
                                (json_int_t)t->documents, "bytes", (json_int_t)t->bytes, "dry_run", c->call->dry_run);

        if (imported)
            json_object_update_new(all, json_pack("{s:I, s:I, s:I}", "written", (json_int_t)t->written, "superseded",
                                                  (json_int_t)t->superseded, "refused", (json_int_t)t->refused));
        json_dumpf(all, stdout, JSON_COMPACT);
        putchar('\n');
        json_decref(all);
        return;
    }
    printf("%s%s: %lld documents in %lld files, %lld bytes\n", what, c->call->dry_run ? " (dry run)" : "",
           (long long)t->documents, (long long)t->files, (long long)t->bytes);
    if (imported)
        printf("%lld written, %lld were there already or are newer, %lld refused\n", (long long)t->written,
               (long long)t->superseded, (long long)t->refused);
    if (imported && !c->call->dry_run)
        puts("aggregates and the counters of records are computed anew by the next run of their handlers");
    if (t->refused)
        fprintf(stderr, "the first refused: %s\n", t->refusal);
}

static bool export_to(struct statistics_call *c, struct archive_tally *tally, struct error *err)
{
    struct client *client = client_new(&c->call->settings->opensearch);
    json_t *data = json_pack("{s:s}", "folder", c->out);
    struct long_work work;
    bool ok = archive_count(client, c->stores, c->count, c->range, &tally->documents, err);

    if (ok && !c->call->dry_run)
        ok = statistics_say(c, "statistics.exported", "statistics", "export", json_incref(data), err);
    if (ok && !c->call->dry_run) {
        long_work_start(&work, "documents", tally->documents, c->call->json);
        ok = archive_export(client, c->stores, c->count, c->range, c->out, &work.run, tally, err);
        long_work_end(&work);
    }
    json_decref(data);
    client_free(client);
    return ok;
}

int statistics_export(struct statistics_call *c)
{
    struct archive_tally tally = {0};
    struct error err;

    if (!c->out)
        return verb_usage("statistics", "export needs --out FOLDER");
    if (!export_to(c, &tally, &err))
        return verb_failed("statistics", &err);
    print_tally(c, "export", &tally, false);
    return EXIT_DONE;
}

static bool import_from(struct statistics_call *c, struct archive_tally *tally, struct error *err)
{
    struct client *client = client_new(&c->call->settings->opensearch);
    struct long_work work;
    bool ok = archive_check(c->in, tally, err);

    if (ok && !c->call->dry_run)
        ok = statistics_say(c, "statistics.imported", "statistics", "import", json_pack("{s:s}", "folder", c->in), err);
    if (ok && !c->call->dry_run) {
        long_work_start(&work, "documents", tally->documents, c->call->json);
        ok = archive_import(c->call->settings, client, c->in, &work.run, tally, err);
        long_work_end(&work);
    }
    client_free(client);
    return ok;
}

int statistics_import(struct statistics_call *c)
{
    struct archive_tally tally = {0};
    struct error err;

    if (!c->in)
        return verb_usage("statistics", "import needs --in FOLDER");
    if (!import_from(c, &tally, &err))
        return verb_failed("statistics", &err);
    print_tally(c, "import", &tally, true);
    return tally.refused ? EXIT_PART_FAILED : EXIT_DONE;
}

/* ------------------------------------------------------------------------------------------------------ reindex */

static void print_plan(const struct statistics_call *c, const json_t *plan)
{
    struct listing *l = listing_new("index documents begun sources");

    for (size_t i = 0; i < json_array_size(plan); i++) {
        const json_t *one = json_array_get(plan, i), *sources = json_object_get(one, "sources");
        struct buf words = BUF_INIT;

        listing_text(l, json_member_text(one, "index", ""));
        listing_int(l, json_integer_value(json_object_get(one, "documents")));
        listing_json(l, json_is_true(json_object_get(one, "begun")) ? "true" : "false");
        if (c->call->json)
            json_add(&words, sources);
        else
            for (size_t n = 0; n < json_array_size(sources); n++)
                buf_printf(&words, "%s%s", n ? " " : "", json_string_value(json_array_get(sources, n)));
        listing_json(l, words.data);
        buf_release(&words);
    }
    listing_write(l, stdout, c->call->json);
    listing_free(l);
}

static int64_t documents_of(const json_t *plan)
{
    int64_t documents = 0;

    for (size_t i = 0; i < json_array_size(plan); i++)
        documents += json_integer_value(json_object_get(json_array_get(plan, i), "documents"));
    return documents;
}

static bool reindex_leased(struct statistics_call *c, struct handler *h, struct clock_run *run, struct error *err)
{
    const char *name = c->stores->handler->name;

    if (!statistics_say(c, c->cancel ? "index.merge_cancelled" : "index.merged", "handlers", name,
                        json_pack("{s:s}", "suffix", c->suffix), err))
        return false;
    return c->cancel ? index_merge_cancel(h->client, c->stores, c->suffix, err)
                     : index_merge_run(h, c->stores, c->suffix, run, err);
}

/* One at a time for each handler: two would take each other's write blocks for their own. */
static bool reindex(struct statistics_call *c, struct handler *h, int64_t documents, struct error *err)
{
    struct buf lease = BUF_INIT;
    struct long_work work;
    bool ok;

    buf_printf(&lease, "reindex:%s", h->common->name);
    long_work_start(&work, "documents", documents, c->call->json);
    ok = long_work_lease(&work, c->redis, lease.data, err) && reindex_leased(c, h, &work.run, err);
    long_work_end(&work);
    buf_release(&lease);
    return ok;
}

int statistics_reindex(struct statistics_call *c)
{
    struct handler *h;
    json_t *plan = NULL;
    struct error err;
    bool ok;

    if (c->call->argc != 2 || !c->suffix)
        return verb_usage("statistics", "reindex needs one HANDLER and --suffix FORMAT, such as %Y");
    h = handler_new(c->call->settings, c->stores->handler, &err);
    ok = h && index_merge_plan(h->client, c->stores, c->suffix, &plan, &err);
    if (ok && !c->call->dry_run)
        ok = reindex(c, h, documents_of(plan), &err);
    if (ok)
        print_plan(c, plan);
    json_decref(plan);
    handler_free(h);
    return ok ? EXIT_DONE : verb_failed("statistics", &err);
}
