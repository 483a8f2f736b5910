#!/usr/bin/env bash
# changes.sh - what spreading a change costs: one change with many dependents against a floor of search pages and bulks
# over two connections, in turn in one run; latency at default schedules; a burst of changes; and a mass update, killed
# on its way, beside interactive ones.
#
# usage: tests/bench/changes.sh [DEPENDENTS [ROUNDS [MASS]]]      10,000 9 1,000,000 where not given; MASS 0: none
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
. deploy/lib/common.sh

need_packages libcmocka-dev
need_opensearch
quietly cmake --preset release -DTESTS=ON
quietly cmake --build --preset release --target bench_changes crier
build/release/tests/bench_changes "${1:-10000}" "${2:-9}" "${3:-1000000}"
