#include "support/strict_statistics.h"

#include "support/scene.h"

const char strict_statistics_ini[] =
    "[redis]\nurl = REDIS\n[opensearch]\nurl = SEARCH\nprefix = PREFIX\n"
    "[queue statistics]\nevents = record-view\n"
    "[handler views]\ntype = statistics\nqueue = statistics\nindex = events-stats-views-{time:%Y-%m}\n"
    "alias = events-stats-views\nid_field =\nupdated_field = updated_timestamp\n"
    "fields = recid:keyword size:double via_api:boolean\n"
    "[handler days]\ntype = aggregate\nof = views\nqueue = statistics\nfield = recid\ninterval = day\n"
    "index = agg-{time:%Y-%m}\n"
    "[handler months]\ntype = aggregate\nof = views\nqueue = statistics\nfield = size\ninterval = month\n"
    "index = agg-months-{time:%Y-%m}\n";

int strict_statistics_setup(void **state)
{
    *state = scene_open(strict_statistics_ini);
    return 0;
}
