/* tests/support/record_stats_stage.h - aggregates and records in OpenSearch, and a [handler] that joins them. */
#ifndef TESTS_SUPPORT_RECORD_STATS_STAGE_H
#define TESTS_SUPPORT_RECORD_STATS_STAGE_H

#include "handlers/handler.h"
#include "support/scene.h"

#define SERVERS "[redis]\nurl = REDIS\n[opensearch]\nprefix = PREFIX\n"
#define HANDLERS                                                                                                       \
    "[queue views]\nevents = record-view\n[queue downloads]\nevents = file-download\n"                                 \
    "[handler view-events]\ntype = statistics\nqueue = views\nindex = events-views\n"                                  \
    "[handler download-events]\ntype = statistics\nqueue = downloads\nindex = events-downloads\n"                      \
    "[handler view-agg]\ntype = aggregate\nqueue = views\nof = view-events\nfield = unique_id\n"                       \
    "index = agg-views-{time:%Y-%m}\nalias = agg-views\nrecord = recid\nparent = parent_recid\n"                       \
    "metrics = unique_count=cardinality(unique_session_id)\n"                                                          \
    "[handler download-agg]\ntype = aggregate\nqueue = downloads\nof = download-events\nfield = unique_id\n"           \
    "index = agg-downloads-{time:%Y-%m}\nalias = agg-downloads\nrecord = recid\nparent = parent_recid\n"               \
    "metrics = unique_count=cardinality(unique_session_id) volume=sum(size)\n"                                         \
    "[handler counters]\ntype = record-stats\nqueue = views\nviews = view-agg\ndownloads = download-agg\n"             \
    "index = records\n"

#define AGGREGATES(record_type)                                                                                        \
    "{\"mappings\":{\"properties\":{\"timestamp\":{\"type\":\"date\"},\"recid\":{\"type\":\"" record_type "\"},"       \
    "\"parent_recid\":{\"type\":\"keyword\"},\"count\":{\"type\":\"integer\"},\"unique_count\":{\"type\":\"integer\"}" \
    ","                                                                                                                \
    "\"volume\":{\"type\":\"double\"}}}}"

#define RECORDS                                                                                                        \
    "{\"mappings\":{\"properties\":{\"id\":{\"type\":\"keyword\"},\"title\":{\"type\":\"keyword\"},"                   \
    "\"parent\":{\"properties\":{\"id\":{\"type\":\"keyword\"}}}}}}"

enum { REVISIONS = 150 };

struct record_stats_stage {
    struct scene *scene;
    struct handler *handler;
    struct clock_run run;
    int calls; /* of stats_may_go_on, where a test counts them */
    struct error err;
};

bool stats_may_go_on(struct clock_run *run, struct error *err);
void stats_did(struct clock_run *run, int64_t items);
void stats_make_index(struct scene *s, const char *name, const char *mapping);
void record_stats_stage_open(void **state, const char *servers, const char *rest);
int record_stats_stage_setup(void **state);
int record_stats_stage_close(void **state);

/* A document of an index of the test's; more: of its action line. */
void stats_load(struct record_stats_stage *t, const char *index, const char *id, const char *more,
                const char *document);

void stats_load_view(struct record_stats_stage *t, const char *id, const char *record, const char *parent, int count,
                     int unique);

void stats_load_download(struct record_stats_stage *t, const char *id, const char *record, const char *parent,
                         int count, int unique, double volume);

/* As the platform writes it: at its own version; 0: without one. */
void stats_load_record(struct record_stats_stage *t, const char *id, const char *parent, int version,
                       const char *title);
void stats_mark(struct record_stats_stage *t, const char *queue, const char *parent);
bool stats_run(struct record_stats_stage *t);
void stats_run_well(struct record_stats_stage *t);
int64_t stats_marks_left(struct record_stats_stage *t, const char *queue);

/* The document as GET gives it; yours. */
json_t *stats_get(struct record_stats_stage *t, const char *index, const char *id);
void stats_are(struct record_stats_stage *t, const char *index, const char *id, const char *expected);

#define LEVEL(views, unique_views, downloads, unique_downloads, volume)                                                \
    "{\"views\":" #views ",\"unique_views\":" #unique_views ",\"downloads\":" #downloads                               \
    ",\"unique_downloads\":" #unique_downloads ",\"data_volume\":" #volume "}"
#define STATS(this, all) "{\"this_version\":" this ",\"all_versions\":" all "}"

void stats_load_family(struct record_stats_stage *t);

#endif
