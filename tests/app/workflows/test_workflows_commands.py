"""``flask grids``: preview, do, take up what an interruption left, and list what waits."""

import json
from datetime import date, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from click.testing import Result
from flask import Flask

from app.areas.models import Area, AreaVersion
from app.identity.models import User
from app.workflows import moving
from tests.app.core.county import County, household
from tests.app.identity.town import GRID, SAME_VILLAGE_GRID, VILLAGE
from tests.app.workflows.conftest import Handed
from tests.app.workflows.handset import on_server
from tests.app.workflows.street import HOMES, Street
from tests.app.workflows.test_workflows_regrid import (
    EAST_CODE,
    GRID_CODE,
    WEST_CODE,
    coded,
    feature,
    grid_of,
    halves,
)

__all__ = ["coded"]
NEIGHBOUR_CODE = "620422105200011"


@pytest.fixture(autouse=True)
def manager(county: County) -> None:
    """Let the county's manager sign in."""
    for who in ("cm", "ts"):
        county.sql(sa.update(User).where(User.id == county.ids[who]).values(login=who))


def run(app: Flask, *words: str) -> Result:
    """Run a command."""
    return app.test_cli_runner().invoke(args=["grids", *words])


def file_of(folder: Path, features: list[object]) -> str:
    """Write features into a GeoJSON file."""
    path = folder / "parts.geojson"
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    return str(path)


def options(folder: Path, features: list[object]) -> list[str]:
    """Return the words that name a file of borders."""
    return [file_of(folder, features), "--datum", "wgs84", "--source", "test", "--as", "cm"]


def test_a_split_is_previewed_then_done(
    app: Flask, street: Street, handset: Handed, tmp_path: Path
) -> None:
    county, phone = street.county, handset("gw")
    words = ["split", GRID_CODE, *options(tmp_path, halves()["features"]), "--main", WEST_CODE,
             "--posts", "main"]  # fmt: skip
    preview = run(app, *words, "--dry-run")
    assert preview.exit_code == 0, preview.output
    assert f"住户 households {HOMES} → 0" in preview.output and "手机 phones" in preview.output
    assert "dry run" in preview.output
    assert len(on_server(county, {GRID})) > HOMES
    done = run(app, *words)
    assert done.exit_code == 0, done.output
    assert done.output.count("households") == preview.output.count("households")
    assert not on_server(county, {GRID})
    phone.sync()
    assert phone.is_exact()
    assert set(phone.rows()) == street.all_of(*street.homes[: HOMES // 2])


def test_a_list_and_people_can_be_told(app: Flask, street: Street, tmp_path: Path) -> None:
    county = street.county
    made = county.phone("gw").act("create", "household", set=household())["rec"]
    listed = tmp_path / "list.csv"
    listed.write_text(f"record,code\n{made},{EAST_CODE}\n")
    done = run(app, "split", GRID_CODE, *options(tmp_path, halves()["features"]), "--assign",
               str(listed), "--post", f"{county.ids['gw']}={EAST_CODE}")  # fmt: skip
    assert done.exit_code == 0, done.output
    assert ("household", made) in on_server(county, {grid_of(county, EAST_CODE)})


def test_a_merger_and_a_redrawing(app: Flask, street: Street, tmp_path: Path) -> None:
    county = street.county
    parts = [feature(GRID_CODE, 0, 0.5), feature(NEIGHBOUR_CODE, 0.5, 2)]
    drawn = run(app, "redraw", *options(tmp_path, parts))
    assert drawn.exit_code == 0, drawn.output
    half = street.all_of(*street.homes[HOMES // 2 :])
    assert set(on_server(county, {SAME_VILLAGE_GRID})) == half
    merged = run(app, "merge", GRID_CODE, "--into", NEIGHBOUR_CODE, "--as", "cm")
    assert merged.exit_code == 0, merged.output
    assert set(on_server(county, {SAME_VILLAGE_GRID})) == street.all_of(*street.homes)


def test_what_an_interruption_left_is_swept_up(
    app: Flask, street: Street, monkeypatch: pytest.MonkeyPatch
) -> None:
    county = street.county

    def dies(*_: object) -> None:
        raise RuntimeError("power cut")

    with monkeypatch.context() as cut:
        cut.setattr(moving.Moving, "_batch", dies)
        words = ("merge", GRID_CODE, "--into", NEIGHBOUR_CODE, "--as", "cm")
        assert isinstance(run(app, *words).exception, RuntimeError)
    assert len(on_server(county, {GRID})) > HOMES
    waiting = run(app, "check")
    assert waiting.exit_code == 1 and "sweep" in waiting.output
    swept = run(app, "sweep", "--as", "cm")
    assert swept.exit_code == 0, swept.output
    assert not on_server(county, {GRID})
    assert set(on_server(county, {SAME_VILLAGE_GRID})) == street.all_of(*street.homes)
    assert run(app, "check").exit_code == 0


def test_grids_of_an_ended_village_stay_served_and_are_listed(
    app: Flask, street: Street, handset: Handed
) -> None:
    county, phone = street.county, handset("gw")
    yesterday = date.today() - timedelta(days=1)
    county.sql(sa.update(Area).where(Area.id == VILLAGE).values(valid_until=yesterday))
    phone.edit("update", "household", street.homes[0], occupancy="lived_in")
    phone.sync()
    assert phone.is_exact() and phone.rows()["household", street.homes[0]][0] > 1
    listed = run(app, "check")
    assert listed.exit_code == 1
    assert "上级单位已撤销" in listed.output and GRID_CODE in listed.output


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("merge", GRID_CODE, "--into", "000000000000000", "--as", "cm"), "no grid has this code"),
        (("merge", GRID_CODE, "--into", NEIGHBOUR_CODE, "--as", "nobody"), "nobody has this login"),
        (("merge", GRID_CODE, "--into", NEIGHBOUR_CODE, "--as", "ts"), "Your role may not do this"),
        (("merge", GRID_CODE, "--into", GRID_CODE, "--as", "cm"), "Some fields are wrong"),
    ],
)
def test_a_wrong_order_is_refused_in_words(
    app: Flask, county: County, words: tuple[str, ...], told: str
) -> None:
    refused = run(app, *words)
    assert refused.exit_code == 1 and told in refused.output
    assert county.sql(sa.select(AreaVersion.valid_until).where(AreaVersion.area_id == GRID)) == [
        (None,)
    ]
