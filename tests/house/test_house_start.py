"""A fresh process that serves: what it loads, and that one SQLite driver is in it."""

import os
import subprocess
import sys
from pathlib import Path

from tests.house import tree

LOADED = """
import sys, wsgi
print(*(name for name in ("shapely", "numpy", "PIL.ImageShow", "tkinter") if name in sys.modules))
"""
DRIVERS = """
import wsgi
import sqlite3
from app.core.driver import driver
engine = wsgi.app.extensions["wangge_database"].engine
print(sqlite3 is driver, engine.dialect.dbapi is driver)
"""

TWO_GEOS = """
from app.core.driver import driver, load_spatialite
connection = driver.connect(":memory:")
load_spatialite(connection)
from app.core.geos import shapely
corners = shapely.box(0, 0, 2, 2)
print(shapely.to_wkt(corners.centroid, rounding_precision=-1), corners.buffer(1).is_valid)
print(connection.execute("SELECT ST_AsText(ST_Centroid(BuildMbr(0, 0, 2, 2)))").fetchone()[0])
"""


def _python(code: str, data_dir: Path) -> str:
    environment = {
        name: value for name, value in os.environ.items() if name not in ("DATABASE_URL", "PROFILE")
    }
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=tree.ROOT, capture_output=True, text=True, check=False,
        env={**environment, "DATA_DIR": str(data_dir)},
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    return result.stdout.strip()


def test_serving_loads_neither_shapely_nor_numpy(tmp_path: Path) -> None:
    assert _python(LOADED, tmp_path) == ""


def test_one_sqlite_driver_serves_the_whole_process(tmp_path: Path) -> None:
    assert _python(DRIVERS, tmp_path) == "True True"


def test_shapely_calls_its_own_geos_after_spatialite_has_brought_another(tmp_path: Path) -> None:
    assert _python(TWO_GEOS, tmp_path).splitlines() == ["POINT (1 1) True", "POINT(1 1)"]


def test_production_without_its_secrets_does_not_start(tmp_path: Path) -> None:
    result = subprocess.run(
        [sys.executable, "-c", "import wsgi"], cwd=tree.ROOT, capture_output=True, text=True,
        check=False, env={"PATH": os.environ["PATH"], "PROFILE": "production",
                          "DATA_DIR": str(tmp_path)},
    )  # fmt: skip
    assert result.returncode != 0
    assert "SECRET_KEY" in result.stderr
    assert list(tmp_path.iterdir()) == []
