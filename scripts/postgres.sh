#!/usr/bin/env bash
# Run a command beside a throw-away PostgreSQL + PostGIS, and remove that afterwards, whatever came.
#
# usage: scripts/postgres.sh COMMAND [ARGUMENT…]
# The command finds the server in TEST_POSTGRES_URL; if that is set already, it is used as it is.

source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

CLUSTER=""
SERVER_BIN=""
COMMAND=""

no_server() {
    fail "测试需要 PostgreSQL 与 PostGIS / the tests need PostgreSQL and PostGIS:" \
        "    Debian, Ubuntu: sudo apt-get install -y postgresql postgresql-postgis" \
        "    macOS:          brew install postgresql@17 postgis"
}

# PostgreSQL refuses to run as root: its own user runs it then.
as_server() {
    if [ "$(id -u)" = 0 ]; then
        (cd / && runuser -u postgres -- "$@")
    else
        "$@"
    fi
}

remove_cluster() {
    local status=$?
    trap '' INT TERM HUP
    if [ -n "$CLUSTER" ]; then
        as_server "$SERVER_BIN/pg_ctl" -D "$CLUSTER/data" -m immediate -w stop >/dev/null 2>&1 || true
        rm -rf "$CLUSTER"
    fi
    exit "$status"
}

# A collation of people, not of bytes, so that what only sorts right in "C" is found out.
create_cluster() {
    local collation="--locale=C"
    CLUSTER="$(mktemp -d "${TMPDIR:-/tmp}/wangge-postgres.XXXXXX")"
    [ "$(id -u)" = 0 ] && chown postgres "$CLUSTER"
    case "$("$SERVER_BIN/initdb" --help)" in
    *--icu-locale*) collation="--locale=C --locale-provider=icu --icu-locale=zh-CN" ;;
    esac
    # shellcheck disable=SC2086
    as_server "$SERVER_BIN/initdb" -D "$CLUSTER/data" --username=postgres --auth=trust \
        --encoding=UTF8 $collation >"$CLUSTER.log" 2>&1 || { cat "$CLUSTER.log" >&2; return 1; }
    rm -f "$CLUSTER.log"
}

free_port() {
    "$BIN/python" -c 'import socket
with socket.socket() as door:
    door.bind(("127.0.0.1", 0))
    print(door.getsockname()[1])'
}

# fsync stays on: the tests kill servers and count what was acknowledged.
start_cluster() {
    local attempt port
    for attempt in 1 2 3; do
        port="$(free_port)"
        if as_server "$SERVER_BIN/pg_ctl" -D "$CLUSTER/data" -l "$CLUSTER/data/server.log" -w -t 60 \
            -o "-p $port -k '$CLUSTER' -c listen_addresses=127.0.0.1 -c max_connections=200" \
            start >/dev/null 2>&1; then
            export TEST_POSTGRES_URL="postgresql+psycopg://postgres@127.0.0.1:$port/postgres"
            return 0
        fi
    done
    cat "$CLUSTER/data/server.log" >&2
    return 1
}

# Pass a signal on to the command and everything it started.
tell_command() {
    kill "-$1" -- "-$COMMAND" 2>/dev/null || true
}

# Run the command in a group of its own and wait for it, also when signals come in between.
run_command() {
    local status=0
    set -m
    "$@" </dev/null &
    COMMAND=$!
    set +m
    trap 'tell_command INT' INT
    trap 'tell_command TERM' TERM HUP
    while :; do
        wait "$COMMAND" && status=0 || status=$?
        kill -0 "$COMMAND" 2>/dev/null || return "$status"
    done
}

main() {
    if [ -n "${TEST_POSTGRES_URL:-}" ]; then
        exec "$@"
    fi
    scripts/system.sh postgres
    SERVER_BIN="$(find_server)" || no_server
    trap remove_cluster EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM HUP
    create_cluster
    start_cluster
    run_command "$@"
}

main "$@"
