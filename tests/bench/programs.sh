#!/usr/bin/env bash
# programs.sh - what handing events to the platform's own handlers costs: through `type = post` to an endpoint here, and
# through `type = exec` to a program, each in turn with a plain loop that posts or pipes the same batches.
#
# usage: tests/bench/programs.sh [EVENTS [ROUNDS]]      100,000 5 where not given; about a minute
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/prologue.sh"

build_targets bench_programs
build/release/tests/bench_programs "${1:-100000}" "${2:-5}"
