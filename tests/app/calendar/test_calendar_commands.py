"""Holidays are imported, hours set per area, and whatever is missing is named."""

from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from click.testing import Result
from flask import Flask
from sqlalchemy import event

from app.areas.models import AreaVersion
from app.calendar import calendars
from app.calendar.rules import DEFAULT_HOURS, hours_from_text
from app.core.database import Database, Mode
from tests.app.core.county import County

Run = Callable[..., Result]


@pytest.fixture
def run(app: Flask) -> Run:
    runner = app.test_cli_runner()
    return lambda *arguments: runner.invoke(args=["calendar", *map(str, arguments)])


def _read(database: Database) -> Any:
    with database.transaction(Mode.READ) as session:
        return calendars(session)


def test_the_published_days_are_imported_once_however_often(run: Run, database: Database) -> None:
    assert run("import").exit_code == run("import").exit_code == 0
    found = _read(database)
    assert len(found.days) == 108 and found.usual.years == {2024, 2025, 2026}
    assert found.days[date(2026, 2, 28)] is True and found.days[date(2026, 2, 20)] is False


def test_a_newer_file_replaces_only_its_own_years(
    run: Run, database: Database, tmp_path: Path
) -> None:
    run("import")
    file = tmp_path / "2026.csv"
    file.write_text("day,works,name_zh,name_en\n2026-10-01,0,国庆节,National Day\n", "utf-8")
    assert run("import", file).exit_code == 0
    days = _read(database).days
    assert [day for day in days if day.year == 2026] == [date(2026, 10, 1)]
    assert date(2025, 10, 1) in days


@pytest.mark.parametrize("line", ["2026-13-01,0,a,b", "2026-01-01,2,a,b", "2026-01-01,0,a,b\n" * 2])
def test_a_faulty_file_writes_nothing(
    run: Run, database: Database, tmp_path: Path, line: str
) -> None:
    file = tmp_path / "faulty.csv"
    file.write_text(f"day,works,name_zh,name_en\n{line}\n", "utf-8")
    result = run("import", file)
    assert result.exit_code == 1 and "nothing written" in result.output
    assert _read(database).days == {}


def test_hours_hold_for_an_area_and_all_below_it(
    county: County, run: Run, database: Database
) -> None:
    with database.transaction(Mode.READ) as session:
        township = session.execute(
            sa.text("SELECT id, path FROM area WHERE level = 'township' ORDER BY id")
        ).first()
        code = session.scalar(sa.select(AreaVersion.code).where(AreaVersion.area_id == township.id))
    assert run("hours", code, "09:00-12:00,14:00-17:00").exit_code == 0
    found = _read(database)
    wanted = hours_from_text("09:00-12:00,14:00-17:00")
    assert found.of(f"{township.path}99999.").hours == wanted
    assert found.of("1.").hours == found.of(None).hours == DEFAULT_HOURS
    assert run("hours", code).exit_code == 0
    assert _read(database).of(township.path).hours == DEFAULT_HOURS


def test_hours_that_make_no_sense_or_of_no_area_are_refused(run: Run) -> None:
    assert run("hours", "620402", "18:00-08:00").exit_code == 2
    assert run("hours", "999999", "08:00-12:00").exit_code == 1


def test_the_check_names_the_years_that_count_weekends_only(run: Run) -> None:
    this = date.today().year
    result = run("check")
    assert result.exit_code == 1 and f"{this}, {this + 1}" in result.output


def test_reading_all_calendars_takes_two_statements(database: Database) -> None:
    seen: list[str] = []
    event.listen(database.engine, "before_cursor_execute", lambda *a: seen.append(a[2]))
    _read(database)
    assert sum("calendar_" in one for one in seen) == 2


def test_phones_read_a_year_and_learn_when_it_is_not_known(county: County, run: Run) -> None:
    run("import")
    known = county.ask("gw", "GET", "/working-calendar/2026").get_json()
    names = {"name_zh": "春节调休", "name_en": "Make-up day of Spring Festival"}
    assert known["known"] and {"day": "2026-02-28", "works": True, **names} in known["days"]
    unknown = county.ask("gw", "GET", "/working-calendar/2027").get_json()
    assert not unknown["known"] and unknown["days"] == []
    assert county.ask("gw", "GET", "/working-calendar/1999").status_code == 404
    assert county.ask(None, "GET", "/working-calendar/2026").status_code == 401
