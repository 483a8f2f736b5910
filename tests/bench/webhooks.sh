#!/usr/bin/env bash
# webhooks.sh - what sending webhooks costs: a sustained rate to many targets with its memory and delays, a plain loop and
# a burst, the same rate beside targets that hang, flood and reset, and under kill -9.
#
# usage: tests/bench/webhooks.sh [TARGETS [RATE [SECONDS]]]      100 1,000 20 where not given; about two minutes
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/prologue.sh"

build_targets bench_webhooks
build/release/tests/bench_webhooks "${1:-100}" "${2:-1000}" "${3:-20}"
