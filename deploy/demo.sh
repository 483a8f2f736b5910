#!/usr/bin/env bash
# demo.sh - a realistic day of a repository, through the real service: two doors, a real Redis, a real OpenSearch.
#
# usage: deploy/demo.sh [--keep]      --keep leaves the servers running and says how to end them
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. deploy/lib/common.sh

keep=no
case "${1:-}" in
"") ;;
--keep) keep=yes ;;
*)
    echo "usage: deploy/demo.sh [--keep]" >&2
    exit 2
    ;;
esac

members=2000
views=20000
downloads=5000
records=500
changes=300
index=events-stats-record-view-2026-11

say() { printf '\n== %s\n' "$*"; }

# One row per view: of 14,000 distinct clicks some are sent again, some clicked twice, some are made by robots.
make_views() {
    awk -v total="$views" 'BEGIN {
        srand(20261120)
        split("Mozilla/5.0 (X11; Linux x86_64; rv:132.0) Gecko/20100101 Firefox/132.0|" \
              "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 Safari/605.1.15|" \
              "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/130.0.0.0 Safari/537.36", people, "|")
        split("Googlebot/2.1 (+http://www.google.com/bot.html)|Mozilla/5.0 (compatible; bingbot/2.0)", robots, "|")
        for (n = 0; n < total; n++) {
            chance = rand()
            if (n > 0 && chance < 0.12) { print line; continue }              # the same event sent again
            if (n > 0 && chance < 0.22) { second = (second + 3) % 10 }         # a double click: a new event, seconds later
            else {
                record = int(500 * rand() * rand()); visitor = int(rand() * 4000)
                hour = int(rand() * 24); minute = int(rand() * 60); ten = int(rand() * 6); second = int(rand() * 5)
                agent = rand() < 0.1 ? robots[1 + int(rand() * 2)] : people[1 + int(rand() * 3)]
            }
            line = sprintf("{\"specversion\":\"1.0\",\"id\":\"view-%d\",\"source\":\"https://repository.example.org\"," \
                "\"type\":\"record-view\",\"time\":\"2026-11-19T%02d:%02d:%d%dZ\",\"subject\":\"records/rec-%03d\"," \
                "\"data\":{\"recid\":\"rec-%03d\",\"via_api\":false,\"referrer\":\"https://www.example.org/\"," \
                "\"ip_address\":\"192.0.2.%d\",\"session_id\":\"session-%d\",\"user_agent\":\"%s\"}}",
                n, hour, minute, ten, second, record, record, visitor % 250, visitor, agent)
            print line
        }
    }'
}

# Downloads as InvenioRDM itself emits them; two records are versions of one.
make_downloads() {
    awk -v total="$downloads" -v records="$records" 'BEGIN {
        srand(42)
        for (n = 0; n < total; n++) {
            record = int(records * rand() * rand())
            printf "{\"event_type\":\"file-download\",\"payload\":{\"timestamp\":\"2026-11-%02dT%02d:%02d:%02d\"," \
                "\"recid\":\"rec-%03d\",\"parent_recid\":\"par-%03d\",\"bucket_id\":\"bucket-%d\",\"file_id\":\"file-%d\"," \
                "\"file_key\":\"data.csv\",\"size\":%d,\"referrer\":null,\"via_api\":false,\"ip_address\":\"192.0.2.%d\"," \
                "\"session_id\":\"session-%d\",\"user_agent\":\"Mozilla/5.0 (X11; Linux x86_64) Firefox/132.0\"}}\n",
                16 + int(rand() * 4), int(rand() * 24), int(rand() * 60), int(rand() * 60), record, int(record / 2),
                record, record, 1000 + record, record % 250, int(rand() * 3000)
        }
    }'
}

# The platform's own documents, under the platform's own versions.
make_records() {
    awk -v total="$records" 'BEGIN {
        for (n = 0; n < total; n++) {
            printf "{\"index\":{\"_index\":\"records\",\"_id\":\"uuid-%03d\",\"version\":3,\"version_type\":\"external_gte\"}}\n", n
            printf "{\"id\":\"rec-%03d\",\"parent\":{\"id\":\"par-%03d\"},\"metadata\":{\"title\":\"Record %d\"}}\n", n, int(n / 2), n
        }
    }'
}

# Changes of 40 users; every revision also comes a second time, and late ones come after newer ones.
make_changes() {
    awk -v total="$changes" 'BEGIN {
        srand(7)
        for (n = 0; n < total; n++) {
            user = int(rand() * 40); revision = 2 + int(rand() * 6)
            printf "{\"specversion\":\"1.0\",\"id\":\"user-%d-%d\",\"source\":\"https://repository.example.org\"," \
                "\"type\":\"user.updated\",\"time\":\"2026-11-19T12:%02d:00Z\",\"subject\":\"users/%d\"," \
                "\"revision\":%d,\"actor\":\"users/%d\",\"data\":{\"full_name\":\"User %d, revision %d\"," \
                "\"affiliation\":\"Institute %d\"}}\n", user, revision, revision, user, revision, user, user, revision, revision
        }
    }'
}

make_members() {
    awk -v total="$members" 'BEGIN {
        for (n = 0; n < total; n++) {
            user = n % 40
            printf "{\"index\":{\"_index\":\"members\",\"_id\":\"member-%d\"}}\n", n
            printf "{\"community\":\"community-%d\",\"role\":\"reader\",\"user\":{\"id\":\"%d\",\"name\":\"User %d\"," \
                "\"affiliation\":\"Institute 1\",\"@v\":1}}\n", n / 40, user, user
        }
    }'
}

# The platform's own users and memberships: as its indexer writes them, at its versions.
make_platform() {
    awk 'BEGIN {
        for (n = 0; n < 200; n++) {
            user = n % 40
            printf "{\"index\":{\"_index\":\"communitymembers\",\"_id\":\"m-%d\",\"version\":3,\"version_type\":\"external_gte\"}}\n", n
            printf "{\"indexed_at\":\"2026-11-19T10:00:00\",\"role\":\"reader\",\"user\":{\"id\":\"%d\",\"@v\":\"%d::1\"," \
                "\"username\":\"old\"}}\n", user, user
        }
        for (user = 0; user < 40; user++) {
            printf "{\"index\":{\"_index\":\"users\",\"_id\":\"%d\",\"version\":9,\"version_type\":\"external_gte\"}}\n", user
            printf "{\"id\":%d,\"uuid\":\"%d\",\"username\":\"user-%d\",\"active\":true}\n", user, user, user
        }
    }'
}

# What the platform sends of a change: pid, uuid and revision of each record.
make_notification() {
    awk 'BEGIN {
        printf "[\"users\", ["
        for (user = 0; user < 40; user++)
            printf "%s[\"%d\", \"%d\", 9]", user ? ", " : "", user, user
        print "]]"
    }'
}

# The sample, and one line more each: for downloads, which go all the way to the records' counters, and for changes of
# users as the platform itself tells them.
write_config() {
    "$crier" config sample |
        sed -e "s|^url = redis:.*|url = redis://127.0.0.1:$redis_port/0|" \
            -e "s|^url = http:.*|url = $opensearch_url|" \
            -e "s|^listen = .*|listen = 127.0.0.1:$door_port|" \
            -e "s|^events = record-view file-download|events = record-view|" \
            -e "s|^file = audit.ndjson.*|file = $folder/audit.ndjson|" >"$folder/crier.ini"
    cat >>"$folder/crier.ini" <<'INI'

[event file-download]
profile = invenio-file-download
[handler record-stats]
index = records
[event users.updated]
profile = invenio-users
INI
    "$crier" check --config "$folder/crier.ini"
}

search() { curl -fsS -H 'Content-Type: application/json' "$opensearch_url/$1" ${2:+-d "$2"}; }

start_serve() {
    "$crier" serve --config "$folder/crier.ini" >"$folder/crier.log" 2>&1 </dev/null &
    serve_pid=$!
    at_exit_kill "$serve_pid"
    wait_for "crier to be ready" "$folder/crier.log" curl -fsS -o "$folder/ready.json" "http://127.0.0.1:$door_port/health/ready"
}

# Until nothing waits and nothing is pending, asked from the service itself.
wait_until_done() {
    local deadline=$((SECONDS + 120)) state
    while state=$("$crier" status --config "$folder/crier.ini" --json) ||
        fail "crier status says that not all is well: $state"
        [ "$(jq '.waiting + .pending + .marked' <<<"$state")" -gt 0 ]; do
        if [ "$SECONDS" -ge "$deadline" ]; then
            echo "demo: not done after 120 s: $state" >&2
            tail -20 "$folder/crier.log" >&2
            exit 1
        fi
        sleep 0.2
    done
}

post_half() {
    curl -fsS -H 'Content-Type: application/x-ndjson' --data-binary "@$1" "http://127.0.0.1:$door_port/events" |
        jq -r '.[].outcome' | sort | uniq -c | awk '{printf "  %-12s %7d\n", $2, $1}'
}

export CRIER_DATA=$PWD/deploy
need_packages
need_opensearch
build_crier
crier=$(crier_program)
folder=$(fresh_folder)
say "starting a private Redis and OpenSearch"
start_redis "$folder"
start_opensearch "$folder"
door_port=$(free_port)
write_config

say "loading $members membership documents"
curl -fsS -X PUT -H 'Content-Type: application/json' "$opensearch_url/members" -d '{"mappings":{"properties":{"user":{
    "properties":{"id":{"type":"keyword"},"name":{"type":"keyword"},"affiliation":{"type":"keyword"},
    "@v":{"type":"long"}}}}}}' >/dev/null
make_members | curl -fsS -H 'Content-Type: application/x-ndjson' --data-binary @- \
    "$opensearch_url/_bulk?refresh=true&filter_path=errors" | jq -e '.errors == false' >/dev/null
before=$(search members/_source/member-7)
say "loading $records record documents"
curl -fsS -X PUT -H 'Content-Type: application/json' "$opensearch_url/records" -d '{"mappings":{"properties":{
    "id":{"type":"keyword"},"parent":{"properties":{"id":{"type":"keyword"}}}}}}' >/dev/null
make_records | curl -fsS -H 'Content-Type: application/x-ndjson' --data-binary @- \
    "$opensearch_url/_bulk?refresh=true&filter_path=errors" | jq -e '.errors == false' >/dev/null

say "loading the platform's users, and memberships that carry copies of them"
curl -fsS -X PUT -H 'Content-Type: application/json' "$opensearch_url/communitymembers" -d '{"mappings":{"dynamic":"strict",
    "properties":{"indexed_at":{"type":"date"},"role":{"type":"keyword"},"user":{"properties":{"id":{"type":"keyword"},
    "@v":{"type":"keyword"},"username":{"type":"keyword"},"active":{"type":"boolean"}}}}}}' >/dev/null
make_platform | curl -fsS -H 'Content-Type: application/x-ndjson' --data-binary @- \
    "$opensearch_url/_bulk?refresh=true&filter_path=errors" | jq -e '.errors == false' >/dev/null

say "starting crier serve on 127.0.0.1:$door_port"
start_serve

say "emitting $views views, $downloads downloads and $changes user changes through both doors"
make_views >"$folder/views.ndjson"
make_downloads >"$folder/downloads.ndjson"
make_changes >"$folder/changes.ndjson"
make_notification >"$folder/notification.json"
head -n $((views / 2)) "$folder/views.ndjson" >"$folder/views-http.ndjson"
tail -n +$((views / 2 + 1)) "$folder/views.ndjson" >"$folder/views-emit.ndjson"
started=$(date +%s%N)
echo "POST /events (10,000 a request at most):"
post_half "$folder/views-http.ndjson"
post_half "$folder/downloads.ndjson"
post_half "$folder/changes.ndjson"
echo "crier emit:"
"$crier" emit --config "$folder/crier.ini" "$folder/views-emit.ndjson"
"$crier" emit --config "$folder/crier.ini" "$folder/notification.json"
wait_until_done
printf 'all done after %d ms\n' $((($(date +%s%N) - started) / 1000000))

curl -fsS -X POST "$opensearch_url/_refresh" >/dev/null
say "documents per index (a second click on a record within 10 s is accepted, and replaces the first: one view)"
curl -fsS "$opensearch_url/_cat/indices?h=index,docs.count&s=index" | awk '{printf "  %-36s %8d\n", $1, $2}'
say "most viewed records"
search "$index/_search?size=0" '{"aggs":{"top":{"terms":{"field":"recid","size":5}}}}' |
    jq -r '.aggregations.top.buckets[] | "  \(.key)  \(.doc_count) views"'
say "most downloaded records, and one of them over time"
"$crier" stats top downloads --limit 5 --config "$folder/crier.ini"
"$crier" stats record rec-000 --interval day --config "$folder/crier.ini"
say "the counters in that record's own document"
search records/_source/uuid-000 | sed 's/^/  /'
echo
say "one membership, before and after"
echo "  before  $before"
echo "  after   $(search members/_source/member-7)"
say "a membership of the platform's, after a notification that named the user's id and revision alone"
search communitymembers/_doc/m-7 | jq -c '"  at the platform\u0027s version \(._version): \(._source.user)"' -r
say "the last audit entries"
tail -n 3 "$folder/audit.ndjson" | cut -c1-200 | sed 's/^/  /'
say "handlers and dead letters"
"$crier" handlers --config "$folder/crier.ini"
"$crier" dead list --config "$folder/crier.ini"

if [ "$keep" = yes ]; then
    keep_running
    say "left running: crier serve (pid $serve_pid), configuration $folder/crier.ini"
    echo "end it with: kill $serve_pid $redis_pid $opensearch_pid; rm -r ${folder%/*}"
else
    kill "$serve_pid" && wait "$serve_pid"
    say "done; everything is stopped again"
fi
