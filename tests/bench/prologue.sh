# prologue.sh - how every measurement begins: with what deploy/lib/common.sh has, and crier as it is released.
#
# Sourced by the scripts beside it, which get these functions:
#     build_targets [TARGET...]      crier and these; installs what the build needs
#     make_results NAME              sets results: build/NAME, which is there then

cd "$(dirname "${BASH_SOURCE[0]}")/../.."
. deploy/lib/common.sh

# The tests' build, as the programs of the measurements belong to it.
build_targets() {
    need_packages libcmocka-dev
    quietly cmake --preset release -DTESTS=ON
    quietly cmake --build --preset release --target crier "$@"
}

make_results() {
    results=$top/build/$1
    mkdir -p "$results"
}
