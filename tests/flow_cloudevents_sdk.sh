#!/usr/bin/env bash
# flow_cloudevents_sdk.sh PROGRAM - a door understands what a foreign CloudEvents SDK sends, in all three modes.
#
# CRIER_PYTHON names a python3 that has the package of tests/requirements.txt; without one the test is skipped (77).
set -euo pipefail
program=$(readlink -f "${1:?usage: flow_cloudevents_sdk.sh PROGRAM}")
cd "$(dirname "${BASH_SOURCE[0]}")/.."
python=${CRIER_PYTHON:-python3}
if ! "$python" -c 'import cloudevents.core.v1.event' 2>/dev/null; then
    echo "skipped: $python has no package cloudevents"
    exit 77
fi
. deploy/lib/common.sh

folder=$(fresh_folder)
start_redis "$folder"
port=$(free_port)
cat >"$folder/crier.ini" <<INI
[redis]
url = $redis_url
[opensearch]
url = http://127.0.0.1:1
user = crier
password = canarysecret
[http]
listen = 127.0.0.1:$port
[queue changes]
events = user.*
INI
CRIER_DATA=$top/deploy "$program" serve door --config "$folder/crier.ini" >"$folder/crier.log" 2>&1 &
at_exit_kill $!
wait_for "crier" "$folder/crier.log" curl -fsS --noproxy '*' "http://127.0.0.1:$port/health/live"
no_proxy='*' "$python" tests/cloudevents_sdk.py "http://127.0.0.1:$port" "$redis_port"
cat "$folder/crier.log" # ctest looks for the password in it
