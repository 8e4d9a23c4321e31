#!/usr/bin/env bash
# Write the list of all parts of the server, with hashes and licences, as CycloneDX JSON.
#
#     scripts/sbom.sh [FILE]        sbom.json if no file is named

source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

"$BIN/python" -m scripts.sbom "${1:-sbom.json}"
