"""A newer edition of the divisions is imported while phones hold offline edits."""

import csv
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask

from app.areas.models import Area, AreaVersion
from app.core.database import Mode
from tests.app.areas.house import HISTORY, grid_layer, import_edition, import_grid_layer
from tests.app.core.county import County, household, incident, open_county, place
from tests.app.workflows.handset import Handset, on_server

FIRST, SECOND, THIRD = date(2019, 10, 31), date(2020, 10, 31), date(2021, 10, 31)
ENDING, RENAMED, MOVING = "620403002005", "620423105212", "620422104001"
NEW_TOWNSHIP, OLD_TOWNSHIP, ADDED = "620422100", "620422104", "620403002006"
CENTRE = [104.105, 36.505]


@pytest.fixture
def city(app: Flask) -> County:
    """Return the city of the first edition: a grid and a worker in each of three villages."""
    county = open_county(app, app.test_client())
    with county.database.transaction(Mode.WRITE) as session:
        import_edition(session, HISTORY, FIRST)
        import_grid_layer(session, grid_layer(ENDING, 1), FIRST)
    for code in (RENAMED, MOVING):
        with county.database.transaction(Mode.WRITE) as session:
            import_grid_layer(session, grid_layer(code, 1), FIRST)
    for name, code in (("ending", ENDING), ("renamed", RENAMED), ("moving", MOVING)):
        county.person(name, "gw", area(county, f"{code}001"))
    county.person("old_ts", "ts", area(county, OLD_TOWNSHIP))
    county.person("new_ts", "ts", area(county, NEW_TOWNSHIP))
    county.person("ending_ts", "ts", area(county, ENDING[:9]))
    county.person("cm", "cm", area(county, "620403"))
    return county


def area(county: County, code: str) -> int:
    """Return the id of the area that bears a code, or did so last."""
    rows = county.sql(sa.select(AreaVersion.area_id).where(AreaVersion.code == code)
                      .order_by(AreaVersion.valid_from.desc()))  # fmt: skip
    return int(rows[0][0])


def imported(county: County, path: Path, day: date) -> str:
    """Import an edition by the command."""
    words = ["areas", "import-divisions", str(path), "--edition-date", day.isoformat()]
    result = county.app.test_cli_runner().invoke(args=words)
    assert result.exit_code == 0, result.output
    return result.output


def moved_edition(folder: Path) -> Path:
    """Write the third edition with one village under another township and another code."""
    with HISTORY.open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file)
                if row["first_edition"] <= "2021" <= row["last_edition"]]  # fmt: skip
    for row in rows:
        row["previous_code"] = ""
        if row["code"] == MOVING:
            row |= {"code": f"{NEW_TOWNSHIP}299", "parent_code": NEW_TOWNSHIP,
                    "previous_code": MOVING}  # fmt: skip
    path = folder / "edition.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


def work(phone: Handset, county: County, code: str) -> dict[str, str]:
    """Capture a household and an incident, offline, in the grid of a village."""
    grid = area(county, f"{code}001")
    home = phone.edit("create", "household", **household(grid=grid))
    phone.edit("create", "contact", household=home, name="钱七", phone="13912345670")
    values = incident(grid=grid)
    return {"household": home, "incident": phone.edit("create", "incident", **values)}


def statuses(phone: Handset) -> set[str]:
    """Return the fates of all edits of a phone."""
    return {str((one.receipt or {})["status"]) for one in phone.replica.receipts()}


def test_all_offline_edits_are_applied_whatever_an_edition_renames_adds_or_ends(
    city: County,
) -> None:
    phones = {name: Handset(city, name) for name in ("ending", "renamed", "moving")}
    for phone in phones.values():
        phone.sync()
    codes = {"ending": ENDING, "renamed": RENAMED, "moving": MOVING}
    made = {name: work(phone, city, codes[name]) for name, phone in phones.items()}
    assert "更名 / renamed" in imported(city, HISTORY, SECOND)
    told = imported(city, HISTORY, THIRD)
    assert "新增 / added" in told and "撤销 / ended" in told
    assert city.sql(sa.select(Area.valid_until).where(Area.id == area(city, ENDING))) == [(THIRD,)]
    for name, phone in phones.items():
        phone.sync()
        assert statuses(phone) == {"applied"} and phone.is_exact()
        assert {(kind, rec) for kind, rec in made[name].items()} <= set(phone.rows())


def test_the_grid_of_an_ended_village_stays_served_until_it_is_merged(city: County) -> None:
    phone = Handset(city, "ending")
    phone.sync()
    imported(city, HISTORY, THIRD)
    made = work(phone, city, ENDING)
    phone.sync()
    assert statuses(phone) == {"applied"} and phone.is_exact()
    runner = city.app.test_cli_runner()
    for words in (["areas", "check"], ["grids", "check"]):
        listed = runner.invoke(args=words)
        assert listed.exit_code == 1 and f"{ENDING}001" in listed.output
    with city.database.transaction(Mode.WRITE) as session:
        layer = grid_layer(ADDED, 2)
        import_grid_layer(session, layer.__class__(layer.features[1:], ()), THIRD)
    heir = area(city, f"{ADDED}002")
    late = work(phone, city, ENDING)
    body = {"grids": [area(city, f"{ENDING}001")], "into": heir}
    reply = city.ask("cm", "POST", "/grids/merge", body)
    assert reply.status_code == 200, reply.get_data(as_text=True)
    phone.sync()
    assert statuses(phone) == {"applied"} and phone.is_exact()
    wanted = {*made.items(), *late.items()}
    assert wanted <= set(on_server(city, {heir})) and wanted <= set(phone.rows())
    assert f"{ENDING}001" not in runner.invoke(args=["grids", "check"]).output


def test_a_village_that_moves_takes_its_grids_to_the_other_supervisor(
    city: County, tmp_path: Path
) -> None:
    phones = {name: Handset(city, name) for name in ("moving", "old_ts", "new_ts")}
    for phone in phones.values():
        phone.sync()
    worker, old, new = phones.values()
    made = work(worker, city, MOVING)
    worker.sync()
    old.sync()
    keys = set(worker.rows())
    assert set(made.items()) <= keys and set(old.rows()) == keys
    offline = work(worker, city, MOVING)
    told = imported(city, moved_edition(tmp_path), THIRD)
    assert "改隶 / moved" in told and "换码 / recoded" in told
    path = city.sql(sa.select(Area.path).where(Area.id == area(city, f"{MOVING}001")))[0][0]
    assert f".{area(city, NEW_TOWNSHIP)}." in path
    worker.sync()
    lost, won = old.sync(), new.sync()
    assert statuses(worker) == {"applied"} and worker.is_exact()
    assert lost.drops and not old.rows()
    assert set(new.rows()) == set(worker.rows()) >= set(offline.items()) and won.puts


def test_an_edit_of_the_old_supervisor_is_judged_by_the_time_of_his_act(
    city: County, tmp_path: Path
) -> None:
    worker, old = Handset(city, "moving"), Handset(city, "old_ts")
    made = work(worker, city, MOVING)
    worker.sync()
    old.sync()
    values: dict[str, Any] = {"state": "verified", "round": 0}
    old.edit("event", "incident", made["incident"], **values)
    imported(city, moved_edition(tmp_path), THIRD)
    old.sync()
    fate = [one.receipt or {} for one in old.replica.receipts()]
    assert [(one["status"], one.get("flags")) for one in fate] == [("applied", ["late_scope"])]
    old.later()
    old.edit("event", "incident", made["incident"], state="filed", round=0)
    old.sync()
    waiting = city.ask("new_ts", "GET", "/parked-edits").get_json()
    assert [one["edit"]["rec"] for one in waiting] == [made["incident"]]


def test_a_position_is_found_in_the_grid_that_stands_after_the_edition(city: County) -> None:
    phone = Handset(city, "ending")
    phone.sync()
    values = {**incident(), **place(*CENTRE), "grid": area(city, f"{ENDING}001")}
    made = phone.edit("create", "incident", **values)
    imported(city, HISTORY, THIRD)
    phone.sync()
    assert statuses(phone) <= {"applied", "parked"} and made
