#!/usr/bin/env bash
# changes.sh - what spreading a change costs: one change with many dependents against a floor of search pages and bulks
# over two connections, in turn in one run; latency at default schedules; a burst of changes; and a mass update, killed
# on its way, beside interactive ones.
#
# usage: tests/bench/changes.sh [DEPENDENTS [ROUNDS [MASS]]]      10,000 9 1,000,000 where not given; MASS 0: none
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/prologue.sh"

build_targets bench_changes
need_opensearch
build/release/tests/bench_changes "${1:-10000}" "${2:-9}" "${3:-1000000}"
