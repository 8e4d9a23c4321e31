"""``flask areas …`` imports, tells faults by row, and writes nothing when it should not."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from click.testing import Result
from flask import Flask

from app.areas.boundaries import Feature
from app.areas.models import Area, AreaBorder, AreaVersion
from app.core.database import Mode
from tests.app.areas.files import write_geojson, write_geopackage
from tests.app.areas.house import DATA, FIRST_VILLAGE, HISTORY, grid_layer

DIVISIONS = str(DATA / "baiyin_divisions.csv")
COUNTIES = str(DATA / "baiyin_counties.geojson")
DAY = ("--edition-date", "2020-06-30")
GCJ = ("--datum", "gcj02", "--source", "测绘院 2021", "--accuracy-m", "0.5")
Run = Callable[..., Result]


@pytest.fixture
def run(app: Flask) -> Run:
    """Return a function that runs ``flask areas …``."""
    runner = app.test_cli_runner()
    return lambda *arguments: runner.invoke(args=["areas", *map(str, arguments)])


def count(app: Flask, table: Any) -> int:
    with app.extensions["wangge_database"].transaction(Mode.READ) as session:
        return session.scalar(sa.select(sa.func.count()).select_from(table))


def grid_file(folder: Path, number: int, *, package: bool = False, **change: str) -> Path:
    layer = grid_layer(FIRST_VILLAGE, number, change=change)
    write = write_geopackage if package else write_geojson
    return write(folder, [as_json(one) for one in layer.features])


def as_json(one: Feature) -> dict[str, Any]:
    properties = {"code": one.code, "name": one.name, "parent_code": one.parent_code}
    geometry = {"type": "MultiPolygon",
                "coordinates": [[[list(place) for place in part.exterior.coords]]
                                for part in one.shape.geoms]}  # fmt: skip
    return {"type": "Feature", "properties": properties, "geometry": geometry}


def test_divisions_are_imported_and_counted(app: Flask, run: Run) -> None:
    result = run("import-divisions", DIVISIONS, *DAY)
    assert result.exit_code == 0, result.output
    assert "新增 / added 906" in result.output
    assert count(app, Area) == 906


def test_a_dry_run_tells_everything_and_writes_nothing(
    app: Flask, run: Run, tmp_path: Path
) -> None:
    result = run("import-divisions", DIVISIONS, *DAY, "--dry-run")
    assert result.exit_code == 0 and "added 906" in result.output
    assert count(app, Area) == 0
    run("import-divisions", DIVISIONS, *DAY)
    result = run("import-grids", grid_file(tmp_path, 3), *GCJ, *DAY, "--dry-run")
    assert result.exit_code == 0, result.output
    assert "added 3" in result.output and "dry run" in result.output
    assert (count(app, Area), count(app, AreaBorder)) == (906, 0)


def test_a_newer_edition_names_what_it_renames_and_ends(app: Flask, run: Run) -> None:
    run("import-divisions", HISTORY, "--edition-date", "2019-10-31")
    result = run("import-divisions", HISTORY, *DAY)
    assert "撤销 / ended: 620423400 条山集团" in result.output
    assert "金峰村村委会" in result.output or "金峰村" in result.output
    assert "renamed 12" in result.output and "ended 2" in result.output
    assert count(app, AreaVersion) == 907 + 1 + 12


def test_faulty_rows_are_told_and_nothing_is_written(app: Flask, run: Run, tmp_path: Path) -> None:
    path = tmp_path / "divisions.csv"
    text = Path(DIVISIONS).read_text(encoding="utf-8")
    path.write_text(text.replace(",白银区,白银区,county", ",白银区,白银区,state"), encoding="utf-8")
    result = run("import-divisions", path, *DAY)
    assert result.exit_code == 1
    assert "第 2 行 / row 2 [620402 state]" in result.stderr
    assert "--skip-bad" in result.stderr
    assert count(app, Area) == 0


def test_skip_bad_leaves_faulty_rows_out(app: Flask, run: Run, tmp_path: Path) -> None:
    run("import-divisions", DIVISIONS, *DAY)
    path = grid_file(tmp_path, 3, code="123")
    result = run("import-grids", path, *GCJ, *DAY, "--skip-bad")
    assert result.exit_code == 0, result.output
    assert "第 1 行 / row 1" in result.stderr and "added 2" in result.output
    assert count(app, AreaBorder) == 2


@pytest.mark.parametrize("package", [False, True])
def test_grids_in_gcj02_are_stored_in_wgs84(
    app: Flask, run: Run, tmp_path: Path, package: bool
) -> None:
    run("import-divisions", DIVISIONS, *DAY)
    result = run("import-grids", grid_file(tmp_path, 2, package=package), *GCJ, *DAY)
    assert result.exit_code == 0, result.output
    with app.extensions["wangge_database"].transaction(Mode.READ) as session:
        shape = sa.func.ST_AsText(AreaBorder.geom, type_=sa.Text)
        text = session.scalar(sa.select(shape).order_by(AreaBorder.id).limit(1))
        row = session.scalars(sa.select(AreaBorder).limit(1)).one()
    west = min(float(pair.split()[0]) for pair in text.partition("(((")[2].rstrip(")").split(","))
    assert 104.097 < west < 104.0985
    assert (row.datum_in, row.source, row.accuracy_m) == ("gcj02", "测绘院 2021", 0.5)


def test_county_borders_are_imported_and_the_check_is_clean(app: Flask, run: Run) -> None:
    run("import-divisions", DIVISIONS, *DAY)
    origin = ("--datum", "cgcs2000", "--source", "天地图")
    result = run("import-borders", COUNTIES, *origin, *DAY)
    assert result.exit_code == 0 and "drawn 5" in result.output, result.output
    result = run("check", "--smallest-m2", "1")
    assert result.exit_code == 0 and "nothing found" in result.output


def test_findings_are_told_at_the_import_and_by_the_check(
    app: Flask, run: Run, tmp_path: Path
) -> None:
    run("import-divisions", DIVISIONS, *DAY)
    run("import-borders", COUNTIES, "--datum", "cgcs2000", "--source", "天地图", *DAY)
    layer = grid_layer(FIRST_VILLAGE, 2, wider=0.001)
    path = write_geojson(tmp_path, [as_json(one) for one in layer.features])
    result = run("import-grids", path, "--datum", "wgs84", "--source", "测试", *DAY)
    assert result.exit_code == 0
    assert "(overlap)" in result.stderr and "m²" in result.stderr and " @ 104.1" in result.stderr
    result = run("check")
    assert result.exit_code == 1
    assert f"{FIRST_VILLAGE}001 第1网格, {FIRST_VILLAGE}002 第2网格" in result.stderr


def test_a_file_that_cannot_be_read_is_explained(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "borders.geojson"
    path.write_text("no json", encoding="utf-8")
    result = run("import-grids", path, *GCJ)
    assert result.exit_code == 1
    assert "file_unreadable" in result.stderr and "重新导出" in result.stderr


def test_a_day_in_the_future_and_an_unknown_datum_are_refused(run: Run) -> None:
    assert run("import-divisions", DIVISIONS, "--edition-date", "2999-01-01").exit_code == 2
    wrong = run("import-borders", COUNTIES, "--datum", "mars", "--source", "x")
    assert wrong.exit_code == 2 and "gcj02" in wrong.stderr


def test_an_older_edition_is_refused_with_the_next_step(run: Run) -> None:
    run("import-divisions", HISTORY, "--edition-date", "2021-06-30")
    result = run("import-divisions", HISTORY, *DAY)
    assert result.exit_code == 1 and "oldest first" in result.stderr
