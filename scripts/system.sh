#!/usr/bin/env bash
# Install the system packages that are missing, all at once, when we may; else say the one command.
#
# usage: scripts/system.sh [python] [spatialite] [postgres] [exiftool] [gdal] [nginx] [node]
# Where there is no apt, whoever needs a thing says by itself how to get it.

source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

MISSING=""

need_python() {
    local python
    command -v uv >/dev/null 2>&1 && return
    if python="$(find_python)"; then
        [ -x "$BIN/python" ] || "$python" -c "import ensurepip, venv" 2>/dev/null ||
            MISSING="$MISSING python3-venv"
    elif ! command -v python3 >/dev/null 2>&1; then
        MISSING="$MISSING python3 python3-venv"
    fi
}

need_spatialite() {
    local library
    for library in /usr/lib/*/mod_spatialite.so /usr/lib/mod_spatialite.so \
        /usr/local/lib/mod_spatialite.so; do
        [ -e "$library" ] && return
    done
    MISSING="$MISSING libsqlite3-mod-spatialite"
}

need_postgres() {
    [ -n "${TEST_POSTGRES_URL:-}" ] || find_server >/dev/null ||
        MISSING="$MISSING postgresql postgresql-postgis"
}

# The tests look with exiftool for what a served picture might still tell.
need_exiftool() {
    command -v exiftool >/dev/null 2>&1 || MISSING="$MISSING libimage-exiftool-perl"
}

# The tests let GDAL, which others read with, open exports and the OGC interface.
need_gdal() {
    command -v ogr2ogr >/dev/null 2>&1 || MISSING="$MISSING gdal-bin"
}

# The tests hold slow clients back with the nginx file that is shipped.
need_nginx() {
    command -v nginx >/dev/null 2>&1 || [ -x /usr/sbin/nginx ] || MISSING="$MISSING nginx-light"
}

# The system's own Node serves where it is new enough; it is never put beside another one.
need_node() {
    local offered
    suitable_node && return
    ! command -v node >/dev/null 2>&1 || no_node
    offered="$({ LC_ALL=C apt-cache policy nodejs 2>/dev/null || true; } |
        sed -n 's/^  Candidate: \([0-9]*\).*/\1/p')"
    [ "${offered:-0}" -ge "$NODE_OLDEST" ] || no_node
    MISSING="$MISSING nodejs npm"
}

# Print the words that make a command run as root, or fail when we may not.
as_root() {
    if [ "$(id -u)" = 0 ]; then
        echo "env"
    elif command -v sudo >/dev/null 2>&1 && sudo -n true 2>/dev/null; then
        echo "sudo -n env"
    else
        return 1
    fi
}

# The words in $ROOT and $MISSING are several, so they are split on purpose.
# shellcheck disable=SC2086
apt_install() {
    $ROOT DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $MISSING \
        </dev/null >&2
}

# A fresh machine has no list of packages yet, or an old one: fetch it and try again.
apt_install_fresh() {
    # shellcheck disable=SC2086
    apt_install 2>/dev/null || { $ROOT apt-get update -qq >&2 && apt_install; }
}

for need in "$@"; do "need_$need"; done
[ -n "$MISSING" ] || exit 0
command -v apt-get >/dev/null 2>&1 || exit 0
ROOT="$(as_root)" ||
    fail "缺少系统软件包，请先执行，然后重试 / system packages are missing; run this, then try again:" \
        "    sudo apt-get update && sudo apt-get install -y$MISSING"
say "安装系统软件包 / installing system packages:$MISSING"
apt_install_fresh ||
    fail "安装失败，请看上面的信息 / installing failed; mend what is said above, or run by hand:" \
        "    sudo apt-get update && sudo apt-get install -y$MISSING"
