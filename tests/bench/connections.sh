#!/usr/bin/env bash
# connections.sh - what an open connection costs the door in memory: silent ones, half a head, a body under way, and
# what is longer than it may be; all over the loopback, each from a fresh start.
#
# usage: tests/bench/connections.sh [CONNECTIONS]      1000 at a time where not given; ends with 1 where one costs too much
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/prologue.sh"

build_targets bench_connections
build/release/tests/bench_connections "${1:-1000}"
