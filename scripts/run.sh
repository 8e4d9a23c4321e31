#!/usr/bin/env bash
# Serve on this machine: prepare what is missing, load the demo township once, start granian.
#
# HOST, PORT, WORKERS, THREADS and every setting of docs/settings.md may be given.

source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

export HOST="${HOST:-127.0.0.1}" PORT="${PORT:-8080}"
WORKERS="${WORKERS:-1}"
# A slow upload holds a thread while it lasts, so there are many; the database pool is the real gate.
export THREADS="${THREADS:-256}"
# Each waiting phone is an open connection, and nothing else (docs/adr/0015).
CONNECTIONS=8192

# The address that phones are told; on all interfaces that is the one of this machine in its network.
public_address() {
    local host="$HOST"
    if [ "$host" = "0.0.0.0" ]; then
        host="$(hostname -I 2>/dev/null || ipconfig getifaddr en0 2>/dev/null || true)"
        host="${host%% *}"
    fi
    echo "http://${host:-127.0.0.1}:$PORT"
}

check_port() {
    "$BIN/python" - "$HOST" "$PORT" <<'PY' && return 0
import socket
import sys

with socket.socket() as door:
    door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        door.bind((sys.argv[1], int(sys.argv[2])))
    except (OSError, OverflowError):
        sys.exit(1)
PY
    fail "端口 $PORT 已被占用或不可用，请换一个 / port $PORT is taken or not allowed, choose another:" \
        "    PORT=8081 make run"
}

# One SQLite file has one writer, and its fair queue lives inside one process.
check_workers() {
    case "${DATABASE_URL:-sqlite}" in
    sqlite*) [ "$WORKERS" = 1 ] || fail "SQLite 只能使用一个进程 / SQLite serves from one process:" \
        "    WORKERS=1 make run    (or set DATABASE_URL to PostgreSQL)" ;;
    esac
}

# A connection is an open file, of which many systems allow only 256 or 1024 at first.
allow_connections() {
    ulimit -n "$CONNECTIONS" 2>/dev/null || ulimit -n "$(ulimit -Hn)" 2>/dev/null || true
}

prepare() {
    case "${DATABASE_URL:-sqlite}" in
    sqlite*) scripts/system.sh python spatialite && scripts/environment.sh && scripts/spatialite.sh ;;
    *) scripts/environment.sh ;;
    esac
}

main() {
    check_workers
    prepare
    check_port
    # The database, its log and the secrets beside it are nobody else's.
    umask 077
    export JOBS="${JOBS:-inside}"
    export PUBLIC_URL="${PUBLIC_URL:-$(public_address)}"
    "$BIN/python" -m scripts.prepare
    allow_connections
    exec "$BIN/granian" --interface asgi --host "$HOST" --port "$PORT" --no-ws \
        --workers "$WORKERS" --backlog 4096 --backpressure "$CONNECTIONS" \
        --workers-kill-timeout 20 --log-level error asgi:app
}

main
