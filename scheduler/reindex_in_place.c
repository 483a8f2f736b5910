/* `crier reindex INDEX --source NAME` with --ids, --query, --since or --only stale: in the index as it stands. */
#include <stdio.h>

#include "handlers/reindex/in_place.h"
#include "handlers/reindex/in_relations.h"
#include "handlers/time_range.h"
#include "scheduler/reindex_call.h"

static json_t *tally_json(const struct reindex_call *c, const struct in_place_tally *t)
{
    return json_pack("{s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:b}", "index", c->options.index, "source",
                     c->options.source, "looked_at", (json_int_t)t->looked_at, "behind", (json_int_t)t->behind,
                     "missing", (json_int_t)t->missing, "gone", (json_int_t)t->gone, "written", (json_int_t)t->written,
                     "wrong", (json_int_t)t->wrong, "dry_run", c->call->dry_run);
}

static void print_tally(const struct reindex_call *c, const struct in_place_tally *t)
{
    if (c->call->json) {
        json_t *all = tally_json(c, t);

        json_dumpf(all, stdout, JSON_COMPACT);
        putchar('\n');
        json_decref(all);
    } else {
        printf("%s%s: %lld documents looked at, %lld behind, %lld missing, %lld gone at the source; %lld written\n",
               c->options.index, c->call->dry_run ? " (dry run)" : "", (long long)t->looked_at, (long long)t->behind,
               (long long)t->missing, (long long)t->gone, (long long)t->written);
    }
    if (t->wrong)
        fprintf(stderr, "%lld cannot be had from the source, the first: %s\n", (long long)t->wrong, t->reason);
}

static bool read_since(const struct reindex_call *c, int64_t *since_us, struct error *err)
{
    struct time_range range;

    *since_us = 0;
    if (c->since && !time_range_parse(c->since, &range, err))
        return error_in(err, "--since");
    if (c->since)
        *since_us = range.from_us;
    return true;
}

/* The work is done, or was given up over an error. */
static bool say_end(const struct reindex_call *c, const char *index, json_t *data, bool ok, struct error *err)
{
    struct error ignored;

    if (ok)
        return reindex_say(c, "reindex.finished", index, data, err);
    json_object_set_new(data, "outcome", json_string("failure"));
    json_object_set_new(data, "reason", json_string(err->text));
    if (!reindex_say(c, "reindex.failed", index, data, &ignored))
        error_in(err, "%s", ignored.text);
    return false;
}

static bool write_in_place(struct reindex_call *c, const struct in_place_options *o, struct long_work *work,
                           struct in_place_tally *t, struct error *err)
{
    bool ok;

    if (o->dry_run)
        return in_place_run(c->call->settings, o, &work->run, t, err);
    if (!reindex_say(c, "reindex.started", o->index, tally_json(c, t), err))
        return false;
    ok = in_place_run(c->call->settings, o, &work->run, t, err);
    return say_end(c, o->index, tally_json(c, t), ok, err);
}

static bool run(struct reindex_call *c, const struct in_place_options *o, struct in_place_tally *t, struct error *err)
{
    struct long_work work;
    bool ok;

    long_work_start(&work, "documents", 0, c->call->json);
    ok = reindex_lease(c, &work, o->index, err) && write_in_place(c, o, &work, t, err);
    long_work_end(&work);
    return ok;
}

int reindex_in_place(struct reindex_call *c)
{
    struct in_place_options o = {
        .index = c->options.index,
        .source = c->options.source,
        .ids = c->ids,
        .query = c->query,
        .only_stale = c->only != NULL,
        .dry_run = c->call->dry_run,
        .rate = c->options.rate,
        .parallel = c->options.parallel,
    };
    struct in_place_tally tally = {0};
    struct error err;

    if (!o.source)
        return verb_usage("reindex", "--ids, --query, --since and --only need the --source that has the documents");
    if (c->options.into || c->options.drop)
        return verb_usage("reindex", "--ids, --query, --since and --only write into the index that is there: neither "
                                     "--into nor --drop goes with them");
    if ((o.ids != NULL) + (o.query != NULL) + (c->since != NULL) > 1)
        return verb_usage("reindex", "one of --ids, --query and --since");
    if (!read_since(c, &o.since_us, &err))
        return verb_usage("reindex", err.text);
    if (!run(c, &o, &tally, &err))
        return verb_failed("reindex", &err);
    print_tally(c, &tally);
    return tally.wrong ? EXIT_PART_FAILED : EXIT_DONE;
}

/* ------------------------------------------------------------------------------------------------ by the relations */

static json_t *relations_json(const struct reindex_call *c, const struct comparison_tally *t)
{
    return json_pack("{s:s, s:I, s:I, s:I, s:I, s:I}", "index", c->options.index, "documents", (json_int_t)t->documents,
                     "behind", (json_int_t)t->behind, "gone", (json_int_t)t->gone, "repaired", (json_int_t)t->repaired,
                     "refused", (json_int_t)t->refused);
}

static bool run_relations(struct reindex_call *c, struct comparison_tally *t, struct error *err)
{
    struct long_work work;
    bool ok;

    long_work_start(&work, "documents", 0, c->call->json);
    ok = reindex_lease(c, &work, c->options.index, err) &&
         reindex_say(c, "reindex.started", c->options.index, relations_json(c, t), err);
    if (ok) {
        ok = in_relations_run(c->call->settings, c->options.index, c->options.source, c->options.rate, &work.run, t,
                              err);
        ok = say_end(c, c->options.index, relations_json(c, t), ok, err);
    }
    long_work_end(&work);
    return ok;
}

int reindex_relations(struct reindex_call *c)
{
    struct comparison_tally t = {0};
    struct error err;

    if (!c->only || c->ids || c->query || c->since || c->options.into || c->options.drop || c->call->dry_run)
        return verb_usage("reindex", "--relations goes with --only stale, --source and --rate only");
    if (!run_relations(c, &t, &err))
        return verb_failed("reindex", &err);
    if (c->call->json) {
        json_t *all = relations_json(c, &t);

        json_dumpf(all, stdout, JSON_COMPACT);
        putchar('\n');
        json_decref(all);
    } else {
        printf("%s: %lld documents looked at, %lld subjects behind, %lld gone; %lld documents repaired\n",
               c->options.index, (long long)t.documents, (long long)t.behind, (long long)t.gone, (long long)t.repaired);
    }
    return t.refused ? EXIT_PART_FAILED : EXIT_DONE;
}
