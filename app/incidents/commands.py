"""The commands of incidents."""

from datetime import date
from pathlib import Path

import click
from flask.cli import AppGroup

from app.areas import area_of_code
from app.core.database import Mode, current_database
from app.incidents.page import PAGE, as_table, with_table
from app.incidents.services import import_categories, set_limits

CATEGORIES = Path(__file__).parents[2] / "data" / "incident_categories.csv"
incidents = AppGroup("incidents", help="Categories and time limits of incidents / 事件分类与时限")


@incidents.command("import-categories")
@click.argument("file", type=click.Path(exists=True, path_type=Path), default=CATEGORIES)
def import_categories_command(file: Path) -> None:
    """Load the categories (default: the list that comes with the product)."""
    with current_database().transaction(Mode.WRITE) as session:
        count = import_categories(session, file)
    click.echo(f"已导入 {count} 个事件分类 / {count} categories imported")


@incidents.command("limits")
@click.argument("code")
@click.option(
    "--category", default="", help="分类或大类代码，缺省为全部 / category or group, or all"
)
@click.option("--verify-minutes", type=click.IntRange(1, 100_000), help="核实 / to verify")
@click.option("--sign-minutes", type=click.IntRange(1, 100_000), help="签收 / to claim")
@click.option("--handle-hours", type=click.IntRange(1, 8_760), help="办理 / to answer")
@click.option("--lift-after-hours", type=click.IntRange(1, 8_760), help="催办后升级 / then lifted")
def limits_command(code: str, category: str, **limits: int | None) -> None:
    """设置某区划的办理时限；都不给出则恢复缺省 / Set the limits of an area and below."""
    with current_database().transaction(Mode.WRITE) as session:
        area_id = area_of_code(session, code, date.today())
        if area_id is None:
            raise click.ClickException("没有这个区划代码 / no area bears this code today")
        set_limits(session, area_id, category, limits)
    told = ", ".join(f"{name} {value}" for name, value in limits.items() if value)
    click.echo(f"{code} {category}: {told or '缺省 / as usual'}")


@incidents.command("table")
@click.option("--write", is_flag=True, help="写入 docs/incidents.md / into docs/incidents.md")
def table_command(write: bool) -> None:
    """显示流程表 / Show the table of steps."""
    if write:
        PAGE.write_text(with_table(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
    click.echo(as_table(), nl=False)
