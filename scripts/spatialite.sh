#!/usr/bin/env bash
# Try whether SpatiaLite can be loaded, and say what to do when it cannot.

source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

loads() {
    "$BIN/python" -c 'from app.core.driver import driver, load_spatialite
load_spatialite(driver.connect(":memory:"))' 2>/dev/null
}

loads && exit 0
if [ "$(uname)" = "Darwin" ]; then
    fail "缺少 SpatiaLite，请执行 / SpatiaLite is missing, please run:" "    brew install libspatialite"
fi
fail "无法加载 SpatiaLite（mod_spatialite）：请安装它，或换用系统自带的 Python 或 uv" \
    "SpatiaLite (mod_spatialite) cannot be loaded: install it with the package manager of this" \
    "system; if it is there, use the system's own Python or uv:" \
    "    sudo apt-get install -y libsqlite3-mod-spatialite"
