#!/usr/bin/env bash
# Measure what one phone costs the server, on both engines.

source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

scripts/system.sh python spatialite postgres
scripts/environment.sh dev
scripts/spatialite.sh
exec scripts/postgres.sh "$BIN/python" -m bench.exchange "$@"
