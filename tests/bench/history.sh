#!/usr/bin/env bash
# history.sh - events into a history, against the same documents by plain _bulk; build/bench-history/history.json.
#
# usage: tests/bench/history.sh [EVENTS [ROUNDS]]      200,000 and 5 where not given
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
. deploy/lib/common.sh
trap stop_all EXIT

need_packages python3
need_opensearch
quietly cmake --preset release -DTESTS=ON
quietly cmake --build --preset release --target crier
results=$top/build/bench-history
mkdir -p "$results"

start_redis "$(fresh_folder)"
start_opensearch "$(fresh_folder)"
CRIER_DATA=$top/deploy python3 tests/bench/history.py "$top/build/release/crier" "$opensearch_url" "$redis_url" "${1:-200000}" \
    "${2:-5}" "$results"
