#!/usr/bin/env bash
# run.sh - the differential test: the same random events through invenio-stats and through crier, everything compared.
#
# usage: tests/differential/run.sh [EVENTS]      50000 if nothing is said
# CRIER_BIN: the program under test (the release build), CRIER_TEST_OPENSEARCH: a server that may be used (one of its
# own). The reference lives in a Python of its own in the user's cache.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
. deploy/lib/common.sh

here=$top/tests/differential
venv=${XDG_CACHE_HOME:-$HOME/.cache}/crier/differential

prepare_reference() {
    mkdir -p "$(dirname "$venv")"
    exec 8>"$venv.lock" # two runs at once install once
    flock 8
    if ! cmp -s "$here/requirements.txt" "$venv/requirements.txt"; then
        echo "installing invenio-stats into $venv, once"
        rm -rf "$venv"
        quietly python3 -m venv "$venv" || fail "python3 -m venv does not work here: is python3-venv installed?"
        quietly "$venv/bin/python" -m pip install --quiet -r "$here/requirements.txt" ||
            fail "pip could not fetch invenio-stats: is there a network?"
        cp "$here/requirements.txt" "$venv/requirements.txt"
    fi
    exec 8>&-
}

need_packages python3 python3-venv
prepare_reference
if [ -z "${CRIER_BIN:-}" ]; then
    build_crier
    CRIER_BIN=$(crier_program)
fi
folder=$(fresh_folder)
if [ -z "${CRIER_TEST_OPENSEARCH:-}" ]; then
    need_opensearch
    start_opensearch "$folder"
    CRIER_TEST_OPENSEARCH=$opensearch_url
fi
start_redis "$folder"
export CRIER_BIN CRIER_TEST_OPENSEARCH CRIER_TEST_REDIS=$redis_url
TZ=UTC PYTHONDONTWRITEBYTECODE=1 "$venv/bin/python" -W ignore "$here/compare.py" "${1:-50000}"
