#!/usr/bin/env bash
# reindex.sh - a full reindex from an index and from PostgreSQL, against the servers' own limit: the bulk of the same
# documents alone, with as many connections, in the same run. A table, and build/bench-reindex/reindex.json.
#
# usage: tests/bench/reindex.sh [DOCUMENTS [CONNECTIONS]]      1,000,000 and 4 where not given
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/prologue.sh"

documents=${1:-1000000}
connections=${2:-4}

need_packages python3 postgresql
build_targets
need_opensearch
make_results bench-reindex

start_redis "$(fresh_folder)"
start_opensearch "$(fresh_folder)"
start_postgres "$(fresh_folder)"
python3 tests/bench/reindex.py "$(crier_program)" "$opensearch_url" "$redis_url" "$postgres_url" \
    "$postgres_bin/psql" "$documents" "$connections" "$results" "$(fresh_folder)"
