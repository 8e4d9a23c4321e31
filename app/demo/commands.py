"""The commands ``flask demo …``: load a township or the whole city, and say who may sign in."""

from contextlib import nullcontext
from datetime import UTC, date, datetime, timedelta
from typing import Any, NoReturn

import click
import sqlalchemy as sa
from flask import current_app
from flask.cli import AppGroup, ScriptInfo
from sqlalchemy.orm import Session

from app.areas.models import Area
from app.core.command_log import NO_TABLES
from app.core.database import Database, Mode, current_database
from app.core.engine import Engine, current_engine
from app.core.settings import PRODUCTION, Settings
from app.demo.crew import Order, crew_size, load_apart
from app.demo.day import CHINA
from app.demo.load import Demo, is_empty, load_base, load_township
from app.demo.plan import CityPlan, Division, city_plan
from app.demo.welcome import show_logins, show_welcome

TOWNSHIP = "620422105"
IN_PRODUCTION = (
    "生产环境不装入示例数据 / a production server loads no demo: "
    "use another database, with PROFILE=development"
)
NOT_EMPTY = (
    "数据库中已有数据，未装入 / the database holds data, nothing was loaded. "
    "换一个空库，或用 --force 补入所缺 / use an empty one (DATA_DIR or DATABASE_URL), "
    "or add what is missing with --force"
)
STANDS = "已有数据，不再装入 / the database holds data: nothing to load"

group = AppGroup("demo", help="示例数据 / Demo data: invented people on real divisions.")
FORCE = click.option("--force", is_flag=True, help="补入所缺 / add what is missing to what stands")
QUIET = click.option("--quiet", is_flag=True, help="不列登录名 / do not list who may sign in")
IF_EMPTY = click.option("--if-empty", is_flag=True, help="已有数据则跳过 / do nothing over data")


def _yesterday() -> date:
    return (datetime.now(CHINA) - timedelta(days=1)).date()


def _past_day(_context: click.Context, _option: click.Parameter, value: datetime | None) -> date:
    day = _yesterday() if value is None else value.date()
    if day > _yesterday():
        raise click.BadParameter("须早于今天 / say a day before today: the work is done by then")
    return day


DAY = click.option(
    "--day", type=click.DateTime(["%Y-%m-%d"]), callback=_past_day,
    help="示例工作日，默认昨天 / the last day of work; default: yesterday",
)  # fmt: skip


@group.command("township")
@click.option("--code", default=TOWNSHIP, show_default=True, help="乡镇代码 / code of the township")
@DAY
@FORCE
@IF_EMPTY
@QUIET
def load_one_township(code: str, day: date, force: bool, if_empty: bool, quiet: bool) -> None:
    """装入一个乡镇 / Load one real township of Baiyin with invented people and work."""
    database, engine = _doors()
    township = _township(code)
    plan = city_plan().only(code)
    with database.transaction(Mode.WRITE) as session:
        if not _may_load(session, engine, force=force, if_empty=if_empty):
            return
        click.echo(f"装入{township.name} / loading {township.name} ({code}) …")
        cast = load_base(session, engine, plan, datetime.now(UTC))
        with _progress(plan) as bar:
            demo = Demo(engine, cast, day)
            load_township(lambda: nullcontext(session), demo, code, bar.update)
    _say_loaded(plan)
    if not quiet:
        _show_logins(database)


@group.command("city")
@DAY
@click.option("--jobs", type=click.IntRange(1, 64), help="进程数 / processes; default: the cores")
@FORCE
@IF_EMPTY
@click.pass_obj
def load_city(info: ScriptInfo, day: date, jobs: int | None, force: bool, if_empty: bool) -> None:
    """装入全市 / Load the whole city: 6,093 grids, 23,611 workers, 551,559 households."""
    database, engine = _doors()
    plan = city_plan()
    with database.transaction(Mode.WRITE) as session:
        if not _may_load(session, engine, force=force, if_empty=if_empty):
            return
        click.echo("装入区划与人员 / loading areas and people …")
        cast = load_base(session, engine, plan, datetime.now(UTC))
    codes = [township.code for township in plan.of_level("township")]
    order = Order(info.app_import_path, cast, day)
    with _progress(plan) as bar:
        for households in load_apart(order, codes, jobs or crew_size(database)):
            bar.update(households)
    _say_loaded(plan)
    _show_logins(database)


@group.command("welcome")
def welcome() -> None:
    """显示登录名、登记码与文档地址 / Show the logins, a code for a phone, and the addresses."""
    database, _ = _doors()
    settings: Settings = current_app.extensions["wangge_settings"]
    with database.transaction(Mode.WRITE) as session:
        if not show_welcome(session, settings):
            _fail("尚无示例人员 / there are no demo people: flask demo township")


def _doors() -> tuple[Database, Engine]:
    """Return database and engine, after checking that a demo may be loaded here."""
    settings: Settings = current_app.extensions["wangge_settings"]
    if settings.profile == PRODUCTION:
        _fail(IN_PRODUCTION)
    database = current_database()
    if not sa.inspect(database.engine).has_table(Area.__tablename__):
        _fail(NO_TABLES)
    return database, current_engine()


def _may_load(session: Session, engine: Engine, *, force: bool, if_empty: bool) -> bool:
    """Tell whether to load: into an empty database, or over data where that was asked for."""
    if force or is_empty(session, engine):
        return True
    if not if_empty:
        _fail(NOT_EMPTY)
    click.echo(STANDS)
    return False


def _township(code: str) -> Division:
    """Return the township of a code."""
    found = [one for one in city_plan().of_level("township") if one.code == code]
    if not found:
        _fail(f"没有乡镇 {code} / no township {code}: see data/baiyin_divisions.csv")
    return found[0]


def _progress(plan: CityPlan) -> Any:
    """Return a progress bar over the households."""
    return click.progressbar(length=plan.households, label="住户与工作 / households and work")


def _say_loaded(plan: CityPlan) -> None:
    """Say what stands now."""
    click.echo(
        f"已装入 / loaded: {len(plan.grids):,} 网格 grids, "
        f"{plan.workers:,} 网格员 workers, {plan.households:,} 住户 households"
    )


def _show_logins(database: Database) -> None:
    """Say who may sign in."""
    with database.transaction(Mode.READ) as session:
        show_logins(session)


def _fail(words: str) -> NoReturn:
    raise click.ClickException(words)
