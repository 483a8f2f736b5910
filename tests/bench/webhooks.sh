#!/usr/bin/env bash
# webhooks.sh - what sending webhooks costs: a sustained rate to many targets with its memory and delays, a plain loop and
# a burst, the same rate beside targets that hang, flood and reset, and under kill -9.
#
# usage: tests/bench/webhooks.sh [TARGETS [RATE [SECONDS]]]      100 1,000 20 where not given; about two minutes
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
. deploy/lib/common.sh

need_packages libcmocka-dev
quietly cmake --preset release -DTESTS=ON
quietly cmake --build --preset release --target bench_webhooks crier
build/release/tests/bench_webhooks "${1:-100}" "${2:-1000}" "${3:-20}"
