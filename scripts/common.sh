# What the scripts share: plain words, the right Python, the newest server. Sourced, never run.

set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

PYTHON_OLDEST="3.11"
PYTHON_NEWEST="3.13"
NODE_OLDEST="20"
BIN=".venv/bin"

say() {
    printf '%s\n' "$*" >&2
}

fail() {
    local line
    for line in "$@"; do say "$line"; done
    exit 1
}

# Tell whether a Python runs and is one of those we support.
suitable_python() {
    "$1" - "$PYTHON_OLDEST" "$PYTHON_NEWEST" 2>/dev/null <<'PY'
import sys

oldest, newest = (tuple(map(int, word.split("."))) for word in sys.argv[1:])
sys.exit(not oldest <= sys.version_info[:2] <= newest)
PY
}

# Print a supported Python, the one named by $PYTHON first.
find_python() {
    local name
    if [ -n "${PYTHON:-}" ]; then
        suitable_python "$PYTHON" || return 1
        command -v "$PYTHON"
        return
    fi
    for name in python3 python3.13 python3.12 python3.11 /usr/bin/python3; do
        if command -v "$name" >/dev/null 2>&1 && suitable_python "$name"; then
            command -v "$name"
            return
        fi
    done
    return 1
}

no_python() {
    fail "需要 Python $PYTHON_OLDEST 至 $PYTHON_NEWEST，此处为 $("${PYTHON:-python3}" --version 2>&1 || echo -)" \
        "Wangge needs Python $PYTHON_OLDEST to $PYTHON_NEWEST. Install one of these, or install uv" \
        "(https://docs.astral.sh/uv), which fetches the right one by itself; or name it:" \
        "    PYTHON=/path/to/python3.12 make run"
}

# Tell whether Node runs, is new enough, and has npm beside it.
suitable_node() {
    node -e "process.exit(Number(parseInt(process.versions.node) < $NODE_OLDEST))" 2>/dev/null &&
        npm --version >/dev/null 2>&1
}

no_node() {
    fail "测试需要 Node $NODE_OLDEST 或更新版本及 npm，此处为 $(node --version 2>/dev/null || echo -)，请先安装" \
        "The tests need Node $NODE_OLDEST or newer with npm (Debian 12 itself has only 18). Install it:" \
        "    https://nodejs.org/en/download    (macOS: brew install node)"
}

# Print the newest folder that holds a PostgreSQL server for which PostGIS is installed.
find_server() {
    local folder
    for folder in $(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -t/ -k5 -rn) \
        $(ls -d /opt/homebrew/opt/postgresql*/bin /usr/local/opt/postgresql*/bin 2>/dev/null) \
        $(pg_config --bindir 2>/dev/null || true); do
        if [ -x "$folder/initdb" ] && [ -f "$(shared_folder "$folder")/extension/postgis.control" ]; then
            echo "$folder"
            return
        fi
    done
    return 1
}

# Debian gives pg_config only to those who compile, but its folders always have the same names.
shared_folder() {
    "$1/pg_config" --sharedir 2>/dev/null || echo "/usr/share/postgresql/$(basename "$(dirname "$1")")"
}
