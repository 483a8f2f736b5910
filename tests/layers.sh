#!/usr/bin/env bash
# layers.sh COMPILER LAYER=FOLDER[:FOLDER...]... - a header of each layer is included by each layer, with the include path
# that the build gives it: those left of it compile, all others must not be found.
set -uo pipefail
compiler=$1
shift

# The design, said a second time: who sees whom.
declare -A sees=(
    [base]="base"
    [config]="base config"
    [notifier]="base config notifier"
    [indexer]="base config indexer"
    [handlers]="base config notifier indexer handlers"
    [scheduler]="base config notifier indexer handlers scheduler"
)
declare -A header=(
    [base]=base/error.h
    [config]=config/key.h
    [notifier]=notifier/event.h
    [indexer]=indexer/bulk.h
    [handlers]=handlers/handler.h
    [scheduler]=scheduler/schedule.h
)
failed=0

complain() {
    echo "layers: $*" >&2
    failed=1
}

# check LAYER PATH OTHER: what the compiler says to OTHER's header included from LAYER.
check() {
    local layer=$1 path=$2 other=$3 said includes=() folder
    IFS=: read -ra folders <<<"$path"
    for folder in "${folders[@]}"; do
        includes+=("-I$folder")
    done
    if said=$("$compiler" -std=c11 -D_GNU_SOURCE -fsyntax-only "${includes[@]}" -x c - <<<"#include \"${header[$other]}\"" 2>&1)
    then
        [[ " ${sees[$layer]} " == *" $other "* ]] || complain "$layer can include ${header[$other]}"
    elif [[ " ${sees[$layer]} " == *" $other "* ]]; then
        complain "$layer cannot include ${header[$other]}: $said"
    elif [[ $said != *"${header[$other]}"*"not found"* && $said != *"${header[$other]}: No such file"* ]]; then
        complain "$layer and ${header[$other]}: refused for another reason: $said"
    fi
}

[ $# -eq ${#sees[@]} ] || complain "$# layers are built, ${#sees[@]} are known here"
for view; do
    for other in "${!header[@]}"; do
        check "${view%%=*}" "${view#*=}" "$other"
    done
done
exit $failed
