#!/usr/bin/env bash
# run.sh - measures crier against what its servers can take, in one interleaved run; a table, and build/bench.json.
#
# usage: tests/bench/run.sh [EVENTS]      1,000,000 where not given; takes about five minutes and 4 GiB of memory
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/prologue.sh"

build_targets bench
need_opensearch
build/release/tests/bench "${1:-1000000}" build/bench.json
