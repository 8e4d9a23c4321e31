"""WGS-84, GCJ-02 and BD-09 agree with the vectors both ways, and nothing moves outside China."""

import csv
from pathlib import Path

import pytest

from app.areas.datum import Datum, from_wgs84, to_wgs84

DATA = Path(__file__).parents[3] / "data"
WITHIN_DEGREES = 1e-7


def vectors() -> list[dict[str, tuple[float, float]]]:
    with (DATA / "coord_vectors.csv").open(encoding="utf-8", newline="") as file:
        return [
            {name: (float(row[f"{name}_lon"]), float(row[f"{name}_lat"])) for name in names}
            for names in [("wgs", "gcj", "bd")]
            for row in csv.DictReader(file)
        ]


@pytest.mark.parametrize(("name", "datum"), [("gcj", Datum.GCJ02), ("bd", Datum.BD09)])
def test_every_vector_converts_both_ways(name: str, datum: Datum) -> None:
    rows = vectors()
    assert len(rows) == 33
    for row in rows:
        assert from_wgs84(*row["wgs"], datum) == pytest.approx(row[name], abs=WITHIN_DEGREES)
        assert to_wgs84(*row[name], datum) == pytest.approx(row["wgs"], abs=WITHIN_DEGREES)


@pytest.mark.parametrize("datum", [Datum.GCJ02, Datum.BD09])
def test_going_there_and_back_returns_to_the_micrometre(datum: Datum) -> None:
    for lon in range(75, 135, 5):
        for lat in range(5, 55, 5):
            back = to_wgs84(*from_wgs84(lon, lat, datum), datum)
            assert back == pytest.approx((lon, lat), abs=1e-10)


@pytest.mark.parametrize("datum", list(Datum))
@pytest.mark.parametrize("place", [(0.0, 0.0), (151.2, -33.9), (2.35, 48.85), (-74.0, 40.7)])
def test_positions_outside_china_keep_their_numbers(
    datum: Datum, place: tuple[float, float]
) -> None:
    assert to_wgs84(*place, datum) == place
    assert from_wgs84(*place, datum) == place


def test_cgcs2000_is_taken_as_wgs84() -> None:
    assert to_wgs84(104.17, 36.54, Datum.CGCS2000) == (104.17, 36.54)
