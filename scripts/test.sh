#!/usr/bin/env bash
# Run the whole suite on SQLite + SpatiaLite and on PostgreSQL + PostGIS; pytest speaks last.
#
# usage: scripts/test.sh [PYTEST ARGUMENT…]        TEST_WORKERS=4 for more cores

source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

scripts/system.sh python spatialite postgres exiftool gdal nginx node
scripts/environment.sh dev
scripts/spatialite.sh
exec scripts/postgres.sh "$BIN/python" -m pytest -n "${TEST_WORKERS:-2}" --dist worksteal "$@"
