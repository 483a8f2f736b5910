#!/usr/bin/env bash
# mail.sh - mails a second, with processor time and memory, against Python's smtplib, to postfix's smtp-sink.
#
# usage: tests/bench/mail.sh [MAILS [ROUNDS]]      10,000 and 5 where not given; about a minute
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/prologue.sh"

need_packages python3
is_installed postfix || [ -e /usr/sbin/sendmail ] || need_packages postfix
sink=/usr/sbin/smtp-sink
[ -x $sink ] || fail "$sink is missing: it comes with Debian's postfix, and another mail server is installed"
build_targets

folder=$(fresh_folder)
start_redis "$(fresh_folder)"
read -r port door < <(free_port 2)
user=()
[ "$(id -u)" != 0 ] || user=(-u nobody)
$sink "${user[@]}" "127.0.0.1:$port" 1000 >"$folder/sink.log" 2>&1 &
at_exit_kill $!
answers() { (: <>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; }
wait_for "smtp-sink" "$folder/sink.log" answers
python3 tests/bench/mail.py "$(crier_program)" "$redis_url" "$port" "$door" "${1:-10000}" "${2:-5}" "$folder"
