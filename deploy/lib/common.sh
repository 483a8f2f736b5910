# common.sh - what the demo, the tests and the bench share: packages, OpenSearch, a build, private servers, and an end.
#
# Sourced by bash scripts, which get these functions:
#     need_packages [PACKAGE...]     the Debian packages crier is built and run with, and those named; installs what lacks
#     need_opensearch                the official zip in the user's cache, downloaded once and checked
#     build_crier [PRESET [OPTION...]]    by cmake, "release" without tests if nothing is said
#     crier_program [PRESET]         prints where the built program is
#     fresh_folder                   prints a new folder, which goes at the end
#     free_port [COUNT]              prints ports of 127.0.0.1 that nobody uses
#     start_redis FOLDER             sets redis_port, redis_url, redis_pid
#     start_opensearch FOLDER        sets opensearch_url, opensearch_pid
#     start_postgres FOLDER          sets postgres_url, postgres_pid, postgres_bin
#     wait_for WHAT LOG COMMAND...   until the command succeeds; else shows the log's end and fails
#     at_exit_kill PID               ends that process at the end too
#     stop_server PID                ends one of them now
#     stop_all                       ends everything, now; also done when the script ends, however it ends
#     keep_running                   leaves servers and folders where they are
#     fail SENTENCE
# Everything listens on 127.0.0.1 only, on ports of its own; a Redis or OpenSearch of the machine is not touched.

[ -n "${BASH_VERSION:-}" ] || { echo "this needs bash" >&2; exit 1; }

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
opensearch_version=2.19.4
opensearch_zip=${XDG_CACHE_HOME:-$HOME/.cache}/crier/opensearch-$opensearch_version.zip
export CRIER_DATA=$top/deploy # the program runs without being installed

work=$(mktemp -d "${TMPDIR:-/tmp}/crier-XXXXXX")
chmod 711 "$work" # servers run as nobody where the script runs as root
at_exit_pids=()

fail() {
    printf '%s: %s\n' "$(basename "$0" .sh)" "$*" >&2
    exit 1
}

# ------------------------------------------------------------------------------------------------------- ending

# SIGTERM, once, as a second one would cut a drain short; after 30 seconds SIGKILL.
stop_server() {
    local pid=$1 other others=() tries
    kill "$pid" 2>/dev/null || true
    for ((tries = 0; tries < 300; tries++)); do
        kill -0 "$pid" 2>/dev/null || break
        sleep 0.1
    done
    kill -KILL "$pid" 2>/dev/null || true
    wait "$pid" 2>/dev/null || true
    for other in "${at_exit_pids[@]}"; do
        [ "$other" = "$pid" ] || others+=("$other")
    done
    at_exit_pids=("${others[@]}")
}

# The last one started goes first.
stop_all() {
    while [ ${#at_exit_pids[@]} -gt 0 ]; do
        stop_server "${at_exit_pids[-1]}"
    done
    [ -z "$work" ] || rm -rf "$work"
    work=
}

at_exit_kill() { at_exit_pids+=("$1"); }

keep_running() {
    at_exit_pids=()
    work=
}

trap stop_all EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

# ----------------------------------------------------------------------------------------------------- packages

packages=(gcc libc6-dev cmake ninja-build pkg-config libhiredis-dev libcurl4-openssl-dev libinih-dev libjansson-dev
    libmicrohttpd-dev libgnutls28-dev libpcre2-dev libssl-dev libmaxminddb-dev libpq-dev zlib1g-dev libsystemd-dev redis-server maven
    unzip curl jq ca-certificates)

is_installed() { [ "$(dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null)" = installed ]; }

# As root. No service is started by it, and a Redis that comes with it stays off after the next boot too; a PostgreSQL
# gets no cluster, and so has nothing to start, and a postfix no configuration.
install_script='
    export DEBIAN_FRONTEND=noninteractive
    policy=/usr/sbin/policy-rc.d
    trap "exit 1" INT TERM HUP
    if [ ! -e $policy ]; then
        trap "rm -f $policy" EXIT
        printf "#!/bin/sh\nexit 101\n" >$policy
        chmod 755 $policy
    fi
    for package; do
        [ "$package" = postgresql ] && [ ! -e /etc/postgresql-common/createcluster.conf ] || continue
        mkdir -p /etc/postgresql-common
        echo "create_main_cluster = false" >/etc/postgresql-common/createcluster.conf
    done
    for package; do
        [ "$package" != postfix ] ||
            echo "postfix postfix/main_mailer_type select No configuration" | debconf-set-selections
    done
    install() { apt-get -q -o DPkg::Lock::Timeout=120 install --yes --no-install-recommends "$@"; }
    install "$@" || { apt-get -q -o DPkg::Lock::Timeout=120 update && install "$@"; } || exit 1
    for package; do
        case $package in
            redis-server | postfix) systemctl --quiet disable "$package.service" || true ;;
        esac
    done'

need_packages() {
    local package missing=() root=()
    command -v dpkg-query >/dev/null || fail "this script installs what it needs on Debian 12 or 13 only; the packages" \
        "elsewhere: ${packages[*]} $*"
    for package in "${packages[@]}" "$@"; do
        is_installed "$package" || missing+=("$package")
    done
    command -v java >/dev/null || missing+=(default-jre-headless)
    [ ${#missing[@]} -gt 0 ] || return 0
    if [ "$(id -u)" != 0 ]; then
        command -v sudo >/dev/null || fail "these Debian packages are missing, and without sudo this user cannot" \
            "install them: ${missing[*]}"
        root=(sudo)
    fi
    echo "installing ${missing[*]}"
    quietly "${root[@]}" sh -c "$install_script" sh "${missing[@]}" ||
        fail "could not install ${missing[*]}: is there a network, and may this user do it?"
}

# Runs a command that says much; it is shown only where the command fails.
quietly() {
    "$@" >"$work/said.log" 2>&1 </dev/null && return
    tail -n 60 "$work/said.log" >&2
    return 1
}

# --------------------------------------------------------------------------------------------------- OpenSearch

# The digest stands beside the file once it has been compared with the one Maven keeps.
is_sound() { [ -f "$1" ] && [ -f "$1.sha1" ] && echo "$(cut -c1-40 "$1.sha1")  $1" | sha1sum --check --status; }

need_opensearch() {
    local folder repository=$HOME/.m2/repository kept
    folder=$(dirname "$opensearch_zip")
    kept=$repository/org/opensearch/distribution/integ-test-zip/opensearch/$opensearch_version
    kept+=/$(basename "$opensearch_zip").sha1
    mkdir -p "$folder"
    exec 9>"$folder/lock" # two scripts at once download once
    flock 9
    [ -f "$opensearch_zip.sha1" ] || [ ! -f "$kept" ] || cp "$kept" "$opensearch_zip.sha1"
    if ! is_sound "$opensearch_zip"; then
        echo "downloading OpenSearch $opensearch_version (56 MB), once"
        rm -f "$opensearch_zip" "$opensearch_zip.sha1"
        quietly mvn -B -q "-Dmaven.repo.local=$repository" dependency:copy "-DoutputDirectory=$folder" \
            "-Dartifact=org.opensearch.distribution.integ-test-zip:opensearch:$opensearch_version:zip" ||
            fail "could not download OpenSearch with Maven: is there a network?"
        cp "$kept" "$opensearch_zip.sha1" || fail "Maven keeps no digest of OpenSearch in $(dirname "$kept")"
        is_sound "$opensearch_zip" || fail "$opensearch_zip is not what its digest says: remove it and try again"
    fi
    exec 9>&-
}

# -------------------------------------------------------------------------------------------------- the program

build_crier() {
    local preset=${1:-release}
    [ $# -gt 0 ] && shift || set -- -DTESTS=OFF
    (cd "$top" && quietly cmake --preset "$preset" "$@" && quietly cmake --build --preset "$preset") ||
        fail "the $preset build failed"
}

crier_program() { echo "$top/build/${1:-release}/crier"; }

# ----------------------------------------------------------------------------------------------- private servers

fresh_folder() {
    local folder
    folder=$(mktemp -d "$work/XXXXXX")
    chmod 711 "$folder"
    echo "$folder"
}

# The kernel chooses; all are open at once, so that they differ.
free_port() {
    perl -MIO::Socket::INET -e '
        @s = map { IO::Socket::INET->new(LocalAddr => "127.0.0.1", LocalPort => 0, Listen => 1) or die $! } 1 .. shift;
        print join(" ", map { $_->sockport } @s), "\n"' "${1:-1}"
}

# Servers do not run as root, and OpenSearch refuses to.
as_nobody() {
    [ "$(id -u)" = 0 ] || exec "$@"
    exec setpriv --reuid=nobody --regid=nogroup --clear-groups -- "$@"
}

# A folder that the server may write.
server_folder() {
    mkdir -p "$1"
    [ "$(id -u)" != 0 ] || chown nobody:nogroup "$1"
}

# 0: the command succeeded. 1: the process is gone, or the time is up.
is_ready() {
    local pid=$1 deadline=$((SECONDS + 120))
    shift
    until "$@" >/dev/null 2>&1; do
        kill -0 "$pid" 2>/dev/null && [ "$SECONDS" -lt "$deadline" ] || return 1
        sleep 0.1
    done
}

wait_for() {
    local what=$1 log=$2 pid=$$
    shift 2
    [ ${#at_exit_pids[@]} -eq 0 ] || pid=${at_exit_pids[-1]}
    is_ready "$pid" "$@" && return
    tail -n 40 "$log" >&2
    fail "waited in vain for $what"
}

# launch LOG COMMAND...: in the background; its pid is $! afterwards.
launch() {
    local log=$1
    shift
    as_nobody "$@" >"$log" 2>&1 </dev/null &
    at_exit_kill $!
}

start_redis() {
    local log=$1/redis.log
    server_folder "$1/redis"
    redis_port=$(free_port)
    redis_url=redis://127.0.0.1:$redis_port/0
    launch "$log" redis-server --port "$redis_port" --bind 127.0.0.1 --dir "$1/redis" --save '' \
        --appendonly yes --appendfsync everysec --maxmemory-policy noeviction
    redis_pid=$!
    wait_for "Redis" "$log" redis-cli -p "$redis_port" ping
}

start_opensearch() {
    local home=$1/opensearch-$opensearch_version log=$1/opensearch.log port transport java
    java=$(readlink -f "$(command -v java)")
    unzip -q "$opensearch_zip" -d "$1"
    [ "$(id -u)" != 0 ] || chown -R nobody:nogroup "$home"
    read -r port transport < <(free_port 2)
    opensearch_url=http://127.0.0.1:$port
    OPENSEARCH_JAVA_HOME="${java%/bin/java}" OPENSEARCH_JAVA_OPTS="-Xms512m -Xmx512m ${CRIER_TEST_JAVA_OPTS:-}" OPENSEARCH_TMPDIR="$home" OPENSEARCH_PATH_CONF="$home/config" \
        launch "$log" "$home/bin/opensearch" -Enetwork.host=127.0.0.1 -Ehttp.port="$port" -Etransport.port="$transport" \
        -Ediscovery.type=single-node -Ecluster.routing.allocation.disk.threshold_enabled=false
    opensearch_pid=$!
    wait_for "OpenSearch" "$log" curl -fsS --noproxy '*' "$opensearch_url/_cluster/health?wait_for_status=yellow&timeout=1s"
}

# Debian keeps several versions side by side, and none of them in the path.
start_postgres() {
    local log=$1/postgres.log data=$1/postgres port
    postgres_bin=$(printf '%s\n' /usr/lib/postgresql/*/bin | sort -V | tail -n 1)
    [ -x "$postgres_bin/initdb" ] || fail "no PostgreSQL in /usr/lib/postgresql: the package postgresql has it"
    server_folder "$data"
    (as_nobody env LC_ALL=C "$postgres_bin/initdb" --pgdata="$data" --username=crier --auth=trust --encoding=UTF8 \
        --no-sync --no-instructions) >"$log" 2>&1 || fail "initdb failed: $(tail -n 5 "$log")"
    port=$(free_port)
    launch "$log" env LC_ALL=C "$postgres_bin/postgres" -D "$data" -c listen_addresses=127.0.0.1 -c port="$port" \
        -c unix_socket_directories= -c log_min_messages=warning
    postgres_pid=$!
    wait_for "PostgreSQL" "$log" "$postgres_bin/pg_isready" -h 127.0.0.1 -p "$port" -d postgres
    "$postgres_bin/createdb" -h 127.0.0.1 -p "$port" -U crier crier
    postgres_url=postgresql://crier@127.0.0.1:$port/crier
}
