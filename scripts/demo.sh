#!/usr/bin/env bash
# Play the story of two phones against the running server.

source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

SERVER="${PUBLIC_URL:-http://127.0.0.1:${PORT:-8080}}"

scripts/environment.sh
"$BIN/python" - "$SERVER/livez" <<'PY' ||
import sys
import urllib.request

try:
    urllib.request.urlopen(sys.argv[1], timeout=5).close()
except OSError:
    sys.exit(1)
PY
    fail "服务器未在 $SERVER 运行，请先在另一个窗口执行 / no server at $SERVER, first run in another window:" \
        "    make run"
exec "$BIN/flask" phone story --server "$SERVER" "$@"
