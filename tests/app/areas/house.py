"""Import the real divisions and small made grids, for the tests of areas."""

from collections.abc import Mapping
from datetime import date
from pathlib import Path

import shapely
from sqlalchemy.orm import Session

from app.areas import imports
from app.areas.boundaries import Feature, Layer, check_features
from app.areas.datum import Datum
from app.areas.drawing import Origin
from app.areas.layers import read_layer

DATA = Path(__file__).parents[3] / "data"
HISTORY = DATA / "baiyin_divisions_history.csv"
EDITION = date(2020, 6, 30)
FIRST_VILLAGE = "620402001001"
# Grids are squares of this side in a row eastwards, all within Baiyin District.
SIDE_DEGREES = 0.01
START = (104.10, 36.50)


def import_edition(
    session: Session, path: Path, day: date
) -> tuple[imports.Prepared, imports.Written]:
    """Import the edition of a day from a file."""
    prepared = imports.prepare_divisions(session, path.read_bytes(), day)
    return prepared, imports.write(session, prepared, day.isoformat(), Origin("", ""))


def import_counties(session: Session) -> imports.Written:
    """Import the five county borders."""
    layer = check_features(read_layer(DATA / "baiyin_counties.geojson"), Datum.CGCS2000)
    prepared = imports.prepare_borders(session, layer, EDITION)
    return imports.write(session, prepared, "2020", Origin("cgcs2000", "Tianditu", 15.0))


def grid_layer(
    village: str, count: int, *, wider: float = 0.0, change: Mapping[str, str] | None = None
) -> Layer:
    """Make grids of a village, side by side.

    Args:
        wider: how far, in degrees, each reaches into its eastern neighbour.
        change: other properties of the first grid.
    """
    features = []
    for number in range(1, count + 1):
        west = round(START[0] + SIDE_DEGREES * (number - 1), 6)
        box = shapely.box(west, START[1], round(west + SIDE_DEGREES + wider, 6), START[1] + 0.01)
        values = {"code": f"{village}{number:03}", "name": f"第{number}网格",
                  "parent_code": village, **((change or {}) if number == 1 else {})}  # fmt: skip
        features.append(Feature(row=number, shape=shapely.MultiPolygon([box]), **values))
    return Layer(tuple(features), ())


def import_grid_layer(session: Session, layer: Layer, day: date) -> imports.Written:
    """Import grids without a fault."""
    prepared = imports.prepare_grids(session, layer, day)
    assert prepared.flaws == ()
    return imports.write(session, prepared, day.isoformat(), Origin("gcj02", "测绘院 2021", 0.5))
