#!/usr/bin/env bash
# run.sh - the test command: installs what is missing, builds in every way that has to work, runs everything.
#
# usage: tests/run.sh                     FUZZ_SECONDS=N in the environment: for each fuzz target (10; with CI=true 60)
#        tests/run.sh --differential      the comparison with invenio-stats alone, at its full size
# Its last line is "N passed, N failed"; it succeeds when nothing failed.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. deploy/lib/common.sh

passed=0
failed=0

# Also where a step ends the script: that step has failed.
finish() {
    local code=$?
    [ "$code" = 0 ] || [ "$failed" -gt 0 ] || failed=1
    stop_all
    echo "$passed passed, $failed failed"
    [ "$failed" = 0 ] || exit 1
}
trap finish EXIT

say() { printf '\n== %s\n' "$*"; }

# build PRESET [OPTION...]: counts as one test.
build() {
    local preset=$1
    say "build: $preset"
    if quietly cmake --preset "$@" && quietly cmake --build --preset "$preset"; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        return 1
    fi
}

# suite PRESET [OPTION...]: what ctest finds there, two at a time.
suite() {
    local preset=$1 log=$work/$1.log sum
    shift
    say "test: $preset $*"
    "${suite_prefix[@]}" ctest --test-dir "build/$preset" --output-on-failure --no-tests=error -j 2 "$@" 2>&1 |
        tee "$log" || true
    if sum=$(grep -oE '[0-9]+ tests? failed out of [0-9]+' "$log"); then
        read -r -a sum <<<"$(tr -cs 0-9 ' ' <<<"$sum")"
        passed=$((passed + sum[1] - sum[0]))
        failed=$((failed + sum[0]))
    else
        failed=$((failed + 1))
    fi
}
suite_prefix=()

# differential EVENTS: what invenio-stats makes of them and what crier makes of them is the same. Counts as one test.
differential() {
    say "test: $1 events through invenio-stats and through crier"
    if CRIER_BIN=$(crier_program) tests/differential/run.sh "$1"; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
    fi
}

# The CloudEvents SDK that nobody here wrote, in a Python of its own.
prepare_python() {
    export CRIER_PYTHON=$top/build/venv/bin/python
    "$CRIER_PYTHON" -c 'import cloudevents' 2>/dev/null && return
    say "installing the CloudEvents SDK into build/venv"
    rm -rf build/venv
    mkdir -p build
    quietly python3 -m venv build/venv || fail "python3 -m venv does not work here: is python3-venv installed?"
    quietly "$CRIER_PYTHON" -m pip install --quiet -r tests/requirements.txt ||
        fail "pip could not fetch the CloudEvents SDK: is there a network?"
}

# The thread sanitizer does not start where the kernel spreads addresses wider than it knows.
without_address_randomness() {
    if setarch -R true 2>/dev/null; then
        suite_prefix=(setarch -R)
    fi
}

need_packages libcmocka-dev clang clang-format python3 python3-venv
need_packages "libclang-rt-$(clang -dumpversion | cut -d. -f1)-dev"
need_opensearch
if [ "${1:-}" = --differential ]; then
    build release -DTESTS=OFF && differential 50000
    exit
fi
prepare_python

release=yes
build release -DTESTS=ON || release=
build clang || true
if build sanitize; then
    folder=$(fresh_folder)
    start_opensearch "$folder"
    export CRIER_TEST_OPENSEARCH=$opensearch_url
    suite sanitize
    [ -z "$release" ] || differential 5000
    if build thread; then
        without_address_randomness
        suite_prefix+=(env CRIER_KILLS=10 CRIER_OUTAGE_S=10) # the long fault run was above
        suite thread -L threads
        suite_prefix=()
    fi
    stop_server "$opensearch_pid"
fi
[ "${CI:-}" = true ] && fuzz_seconds=${FUZZ_SECONDS:-60} || fuzz_seconds=${FUZZ_SECONDS:-10}
if build fuzz "-DFUZZ_SECONDS=$fuzz_seconds"; then
    suite fuzz
fi
