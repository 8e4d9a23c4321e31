#!/usr/bin/env bash
# Pin requirements.in and requirements-dev.in again, with hashes, for every platform we support.

source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

command -v uv >/dev/null 2>&1 ||
    fail "需要 uv / make lock needs uv: https://docs.astral.sh/uv"
export UV_CUSTOM_COMPILE_COMMAND="make lock"

compile() {
    local name="$1"
    shift
    uv pip compile --quiet --universal --python-version "$PYTHON_OLDEST" --generate-hashes \
        --no-emit-index-url --no-emit-find-links "$name.in" --output-file "$name.txt" "$@"
}

compile requirements
compile requirements-dev --constraint requirements.txt
