#!/usr/bin/env bash
# run.sh - the test command: installs what is missing, builds in every way that has to work, runs everything.
#
# usage: tests/run.sh                     FUZZ_SECONDS=N in the environment: for each fuzz target (10; with CI=true 12)
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
say_end() { printf '== %s … %d s\n' "$1" "$2"; }

# ---------------------------------------------------------------------------------------------------------- builds

# What there has to be of a preset. What no test runs is compiled, and not linked.
declare -A targets=(
    [release]="crier compiled flow_race_model flow_change_later"
    [clang]="crier compiled"
    [sanitize]=all
    [thread]=threads
    [fuzz]=all
)
[ "${CI:-}" = true ] && fuzz_seconds=${FUZZ_SECONDS:-12} || fuzz_seconds=${FUZZ_SECONDS:-10}
declare -A options=([release]=-DTESTS=ON [fuzz]=-DFUZZ_SECONDS=$fuzz_seconds)

make_preset() {
    cmake --preset "$1" ${options[$1]:-} && exec ninja -C "build/$1" ${targets[$1]}
}

# build PRESET: counts as one test.
build() {
    local since=$SECONDS
    say "build: $1"
    if (quietly make_preset "$1"); then
        passed=$((passed + 1))
        say_end "build: $1" $((SECONDS - since))
    else
        failed=$((failed + 1))
        return 1
    fi
}

# What is done beside the tests, which wait most of the time: the builds named, one after the other, then the fuzz
# targets, all at a low priority. A line "STATUS SECONDS" in a file PRESET.done says that one is over.
work_beside() {
    local preset since code child=
    trap 'kill "$child" 2>/dev/null; exit 143' TERM
    renice -n 19 -p "$BASHPID" >/dev/null
    for preset; do
        since=$SECONDS code=0
        make_preset "$preset" >"$work/$preset.said" 2>&1 </dev/null &
        child=$!
        wait "$child" || code=$?
        echo "$code $((SECONDS - since))" >"$work/$preset.new"
        mv "$work/$preset.new" "$work/$preset.done"
    done
    since=$SECONDS
    ctest --test-dir build/fuzz --output-on-failure --no-tests=error -j $((($(nproc) + 1) / 2)) >"$work/fuzz.tests" 2>&1 </dev/null &
    child=$!
    wait "$child" || true
    echo "0 $((SECONDS - since))" >"$work/fuzz-tests.done"
}

# done_beside NAME: waits until it is over; its seconds in beside_s. False: it failed.
done_beside() {
    local code
    beside_s=0
    until [ -e "$work/$1.done" ]; do
        kill -0 "$beside_pid" 2>/dev/null || [ -e "$work/$1.done" ] || return 1
        sleep 0.5
    done
    read -r code beside_s <"$work/$1.done"
    [ "$code" = 0 ]
}

# built PRESET: the outcome of one that was built beside. Counts as one test.
built() {
    say "build: $1"
    if done_beside "$1"; then
        passed=$((passed + 1))
        say_end "build: $1, beside tests" "$beside_s"
    else
        failed=$((failed + 1))
        tail -n 60 "$work/$1.said" >&2
        return 1
    fi
}

# ----------------------------------------------------------------------------------------------------------- tests

# count LOG: what ctest says there of tests that passed and failed.
count() {
    local sum
    if sum=$(grep -oE '[0-9]+ tests? failed out of [0-9]+' "$1"); then
        read -r -a sum <<<"$(tr -cs 0-9 ' ' <<<"$sum")"
        passed=$((passed + sum[1] - sum[0]))
        failed=$((failed + sum[0]))
    else
        failed=$((failed + 1))
    fi
}

# suite PRESET [OPTION...]: what ctest finds there, as many at a time as jobs says.
suite() {
    local preset=$1 log=$work/$1.tests since=$SECONDS
    shift
    say "test: $preset $*"
    "${suite_prefix[@]}" ctest --test-dir "build/$preset" --output-on-failure --no-tests=error -j "$jobs" "$@" 2>&1 |
        tee "$log" || true
    count "$log"
    say_end "test: $preset $*" $((SECONDS - since))
}
suite_prefix=()

# Nearly all tests wait for servers most of the time, so three at once keep a processor busy; they share one OpenSearch,
# which bounds how many. Those that work instead have PROCESSORS in tests/CMakeLists.txt.
jobs=$((3 * $(nproc)))
[ $jobs -le 12 ] || jobs=12

# differential EVENTS: what invenio-stats makes of them and what crier makes of them is the same. Counts as one test.
differential() {
    local since=$SECONDS
    say "test: $1 events through invenio-stats and through crier"
    if CRIER_BIN=$(crier_program) tests/differential/run.sh "$1"; then
        passed=$((passed + 1))
        say_end "test: $1 events" $((SECONDS - since))
    else
        failed=$((failed + 1))
    fi
}

# Peers that nobody here wrote, the CloudEvents SDK and an SMTP server, in a Python of their own.
prepare_python() {
    export CRIER_PYTHON=$top/build/venv/bin/python
    "$CRIER_PYTHON" -c 'import cloudevents, aiosmtpd' 2>/dev/null && return
    say "installing the packages of tests/requirements.txt into build/venv"
    rm -rf build/venv
    mkdir -p build
    quietly python3 -m venv build/venv || fail "python3 -m venv does not work here: is python3-venv installed?"
    quietly "$CRIER_PYTHON" -m pip install --quiet -r tests/requirements.txt ||
        fail "pip could not fetch the packages of tests/requirements.txt: is there a network?"
}

# The thread sanitizer does not start where the kernel spreads addresses wider than it knows.
without_address_randomness() {
    if setarch -R true 2>/dev/null; then
        suite_prefix=(setarch -R)
    fi
}

need_packages libcmocka-dev mold clang clang-format openssl python3 python3-venv postgresql chromium
# Debian has one mail server at a time: where another is installed, the tests with postfix are skipped.
is_installed postfix || [ -e /usr/sbin/sendmail ] || need_packages postfix
need_packages "libclang-rt-$(clang -dumpversion | cut -d. -f1)-dev"
need_opensearch
if [ "${1:-}" = --differential ]; then
    options[release]=-DTESTS=OFF targets[release]=crier
    build release && differential 50000
    exit
fi
prepare_python

sanitize=yes release=yes
build sanitize || sanitize=
work_beside release thread clang fuzz &
beside_pid=$!
at_exit_kill "$beside_pid"
if [ -n "$sanitize" ]; then
    folder=$(fresh_folder)
    # None lives long enough to win back what its compiler takes; and many tests at once share one's memory.
    export CRIER_TEST_JAVA_OPTS="-XX:TieredStopAtLevel=1 -Xmx1g"
    start_opensearch "$folder"
    export CRIER_TEST_OPENSEARCH=$opensearch_url
    suite sanitize
fi
built release || release=
if [ -n "$sanitize" ]; then
    [ -z "$release" ] || differential 5000
    [ -z "$release" ] || suite release -R '^(flow_race_model|flow_change_later)$' # all schedules; memory as it is
    if built thread; then
        without_address_randomness
        jobs=$((2 * $(nproc))) # each works more
        suite_prefix+=(env CRIER_KILLS=10 CRIER_OUTAGE_S=10) # the long fault run was above
        suite thread -L threads
        suite_prefix=()
    fi
    stop_server "$opensearch_pid"
fi
built clang || true
if built fuzz; then
    say "test: fuzz"
    done_beside fuzz-tests || true
    cat "$work/fuzz.tests"
    count "$work/fuzz.tests"
    say_end "test: fuzz, beside other tests" "$beside_s"
fi
say_end "all" "$SECONDS"
