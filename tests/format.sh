#!/usr/bin/env bash
# format.sh CLANG_FORMAT - every C file is laid out as .clang-format says; what is not, is named. To mend: CLANG_FORMAT -i
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
find main.c base config notifier indexer handlers scheduler tests -name '*.[ch]' -print0 |
    xargs -0 "$1" --dry-run -Werror --ferror-limit=1
