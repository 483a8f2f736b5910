#!/usr/bin/env bash
# run.sh - measures crier against what its servers can take, in one interleaved run; a table, and build/bench.json.
#
# usage: tests/bench/run.sh [EVENTS]      1,000,000 where not given; takes about five minutes and 4 GiB of memory
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
. deploy/lib/common.sh

need_packages libcmocka-dev
need_opensearch
quietly cmake --preset release -DTESTS=ON
quietly cmake --build --preset release --target bench crier
build/release/tests/bench "${1:-1000000}" build/bench.json
