#!/usr/bin/env bash
# Make .venv hold exactly what requirements.txt (or requirements-dev.txt) pins; quick when it does.
#
# usage: scripts/environment.sh [dev]

source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

WANTED="requirements.txt"
[ "${1:-}" = "dev" ] && WANTED="requirements-dev.txt"

# The stamp names the folder too: an environment that was copied elsewhere does not work.
stamp_of() {
    printf '%s %s\n' "$(cksum <"$1")" "$PWD"
}

stamp_file() {
    echo ".venv/stamp-$1"
}

is_current() {
    [ -x "$BIN/python" ] && [ -f "$(stamp_file "$1")" ] &&
        [ "$(cat "$(stamp_file "$1")")" = "$(stamp_of "$1")" ] && suitable_python "$BIN/python"
}

make_with_uv() {
    local python
    python="$(find_python)" || python="$PYTHON_NEWEST"
    [ -x "$BIN/python" ] || uv venv --quiet --python "$python" .venv
    uv pip install --quiet --python "$BIN/python" --require-hashes -r "$WANTED"
}

make_with_pip() {
    local python
    if [ ! -x "$BIN/python" ]; then
        python="$(find_python)" || no_python
        "$python" -c "import ensurepip, venv" 2>/dev/null ||
            fail "此 Python 缺少 venv 模块 / this Python lacks the venv module: $python" \
                "    sudo apt-get install -y python3-venv"
        "$python" -m venv .venv
    fi
    "$BIN/python" -m pip --version >/dev/null 2>&1 || "$BIN/python" -m ensurepip >/dev/null
    "$BIN/python" -m pip install --quiet --disable-pip-version-check --no-input \
        --require-hashes -r "$WANTED"
}

# An environment of another folder or an unsupported Python is made anew.
drop_unusable() {
    local stamp
    [ -d .venv ] || return 0
    for stamp in .venv/stamp-*; do
        [ -f "$stamp" ] && ! grep -qF " $PWD" "$stamp" && rm -rf .venv && return 0
    done
    { [ -x "$BIN/python" ] && suitable_python "$BIN/python"; } || rm -rf .venv
}

main() {
    is_current "$WANTED" && return 0
    drop_unusable
    scripts/system.sh python
    command -v uv >/dev/null 2>&1 || find_python >/dev/null || no_python
    say "准备运行环境（首次约一分钟）/ preparing .venv from $WANTED (about a minute the first time)"
    if command -v uv >/dev/null 2>&1; then make_with_uv; else make_with_pip; fi
    stamp_of "$WANTED" >"$(stamp_file "$WANTED")"
    # The tests' list holds the server's list whole.
    if [ "$WANTED" = "requirements-dev.txt" ]; then
        stamp_of requirements.txt >"$(stamp_file requirements.txt)"
    fi
}

main
