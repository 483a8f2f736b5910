#!/usr/bin/env bash
# waits.sh - what waiting and listening cost: a document written and searchable by POST /events?wait, against the same
# written straight into the index with refresh=wait_for and refresh=true, in turn; and results to many listeners at a time.
#
# usage: tests/bench/waits.sh [ROUNDS [LISTENERS [RATE [SECONDS]]]]      50 200 200 10 where not given
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/prologue.sh"

build_targets bench_waits
need_opensearch
build/release/tests/bench_waits "${1:-50}" "${2:-200}" "${3:-200}" "${4:-10}"
