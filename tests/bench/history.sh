#!/usr/bin/env bash
# history.sh - events into a history, against the same documents by plain _bulk; build/bench-history/history.json.
#
# usage: tests/bench/history.sh [EVENTS [ROUNDS]]      200,000 and 5 where not given
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/prologue.sh"

need_packages python3
build_targets
need_opensearch
make_results bench-history

start_redis "$(fresh_folder)"
start_opensearch "$(fresh_folder)"
python3 tests/bench/history.py "$(crier_program)" "$opensearch_url" "$redis_url" "${1:-200000}" \
    "${2:-5}" "$results"
