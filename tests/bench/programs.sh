#!/usr/bin/env bash
# programs.sh - what handing events to the platform's own handlers costs: through `type = post` to an endpoint here, and
# through `type = exec` to a program, each in turn with a plain loop that posts or pipes the same batches.
#
# usage: tests/bench/programs.sh [EVENTS [ROUNDS]]      100,000 5 where not given; about a minute
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
. deploy/lib/common.sh

need_packages libcmocka-dev
quietly cmake --preset release -DTESTS=ON
quietly cmake --build --preset release --target bench_programs crier
build/release/tests/bench_programs "${1:-100000}" "${2:-5}"
