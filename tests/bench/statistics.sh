#!/usr/bin/env bash
# statistics.sh - what counting costs: aggregation against invenio-stats and against OpenSearch's own limit, memory at
# many keys, and the time from a click to the record. A table, and build/bench-statistics/*.json.
#
# usage: tests/bench/statistics.sh [EVENTS [KEYS [CLICKS]]]      1,000,000 1,000,000 1,000 where not given
# invenio-stats is measured where tests/differential/run.sh has installed it before.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/prologue.sh"

events=${1:-1000000}
keys=${2:-1000000}
clicks=${3:-1000}

need_packages python3
build_targets
need_opensearch
crier=$(crier_program)
make_results bench-statistics
python=${XDG_CACHE_HOME:-$HOME/.cache}/crier/differential/bin/python
[ -x "$python" ] || python=python3

start_redis "$(fresh_folder)"
start_opensearch "$(fresh_folder)"
"$python" tests/bench/aggregate.py "$crier" "$opensearch_url" "$redis_url" "$events" 5000 30 "$results"
"$python" tests/bench/many_keys.py "$crier" "$opensearch_url" "$redis_url" "$keys" "$results"
"$python" tests/bench/click_to_record.py "$crier" "$opensearch_url" "$redis_url" "$clicks" "$results"
