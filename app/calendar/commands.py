"""The commands ``flask calendar …``: import holidays, set hours of work, say what is known."""

from datetime import date
from pathlib import Path

import click
from flask.cli import AppGroup

from app.areas import area_of_code
from app.calendar.rules import hours_as_text, hours_from_text
from app.calendar.services import calendars, import_days, set_hours
from app.core.database import Mode, current_database

DAYS = Path(__file__).parents[2] / "data" / "working_calendar.csv"
group = AppGroup("calendar", help="工作日历 / The working calendar.")


@group.command("import")
@click.argument("file", type=click.Path(exists=True, path_type=Path), default=DAYS)
def import_command(file: Path) -> None:
    """导入节假日与调休 / Load holidays and make-up days over those of the same years."""
    with current_database().transaction(Mode.WRITE) as session:
        try:
            years = import_days(session, file)
        except (ValueError, KeyError) as error:
            raise click.ClickException(f"未写入，请改正文件 / nothing written: {error}") from error
    click.echo(f"已导入 {_listed(years)} 年 / imported: {_listed(years)}")


@group.command("hours")
@click.argument("code")
@click.argument("hours", required=False)
def hours_command(code: str, hours: str | None) -> None:
    """设置某区划的工作时间，如 08:30-12:00,14:30-18:00；不给出则恢复上级 / Set hours of work."""
    try:
        wanted = hours_from_text(hours) if hours else None
    except ValueError as error:
        raise click.BadParameter("例如 / like 08:30-12:00,14:30-18:00") from error
    with current_database().transaction(Mode.WRITE) as session:
        area_id = area_of_code(session, code, date.today())
        if area_id is None:
            raise click.ClickException("没有这个区划代码 / no area bears this code today")
        set_hours(session, area_id, wanted)
    told = hours_as_text(wanted) if wanted else "同上级 / as above"
    click.echo(f"{code}: {told}")


@group.command("check")
def check_command() -> None:
    """检查今明两年是否有节假日数据 / Tell whether this year's and the next's holidays are known."""
    with current_database().transaction(Mode.READ) as session:
        known = calendars(session).usual.years
    this = date.today().year
    click.echo(f"已有 / known: {_listed(sorted(known)) or '-'}")
    missing = [year for year in (this, this + 1) if year not in known]
    if missing:
        click.echo(
            f"{_listed(missing)} 年没有节假日数据，只按周末计算；公布后请导入 / only weekends "
            f"count in {_listed(missing)}: import the holidays once they have been published"
        )
        raise click.exceptions.Exit(1)


def _listed(years: list[int]) -> str:
    return ", ".join(map(str, years))
