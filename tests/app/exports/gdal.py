"""GDAL's own reader, as a stranger to this house would use it."""

import json
import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

MISSING = "ogr2ogr is missing: run the tests with `make test`, or install gdal-bin"


def features(
    source: str | Path, layer: str | None = None, *options: str, **environment: str
) -> list[dict[str, Any]]:
    """Return the features of a data source as GDAL reads them."""
    tool = shutil.which("ogr2ogr")
    assert tool, MISSING
    result = subprocess.run(
        [tool, "-f", "GeoJSON", *options, "/vsistdout/", str(source), *([layer] if layer else [])],
        capture_output=True, text=True, check=False, timeout=60,
        env={**os.environ, **environment},
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    found: list[dict[str, Any]] = json.loads(result.stdout)["features"]
    return found


def values(found: list[dict[str, Any]], name: str) -> list[Any]:
    """Return one property of all features."""
    return [one["properties"].get(name) for one in found]


def summary(source: str | Path, layer: str, environment: Mapping[str, str] | None = None) -> str:
    """Return what ``ogrinfo`` says of a layer."""
    tool = shutil.which("ogrinfo")
    assert tool, MISSING
    result = subprocess.run(
        [tool, "-so", str(source), layer], capture_output=True, text=True, check=False, timeout=60,
        env={**os.environ, **(environment or {})},
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    return result.stdout
