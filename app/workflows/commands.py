"""The commands ``flask grids …``: split, merge, redraw, and take up what was left."""

import csv
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NoReturn

import click
import sqlalchemy as sa
from flask.cli import AppGroup
from sqlalchemy.orm import Session

from app.areas import area_of_code
from app.areas.boundaries import Layer, check_features
from app.areas.datum import Datum
from app.areas.drawing import Origin
from app.areas.flaws import FlawedFile
from app.areas.layers import read_layer
from app.areas.options import DATUM, FILE, LAYER, SOURCE
from app.areas.services import names_of
from app.core.actor import Actor
from app.core.database import Mode, current_database
from app.core.engine import current_engine
from app.identity.authentication import posts_of
from app.identity.models import User
from app.identity.sessions import normal_login
from app.workflows import regrid, wording
from app.workflows.orphans import orphans
from app.workflows.posts import ALL, WAYS
from app.workflows.regrid import Begun, Desk, Told
from app.workflows.touched import counts, touched
from sync.errors import Problem

group = AppGroup("grids", help="网格拆分、合并、重画 / Split, merge and redraw grids.")
AS = click.option("--as", "login", required=True, help="经办人登录名 / login of who answers for it")
DRY_RUN = click.option(
    "--dry-run", is_flag=True, help="只预览不写入 / show what it would do, write nothing"
)
POSTS = click.option(
    "--posts", type=click.Choice(WAYS), default=ALL, show_default=True,
    help="原网格人员去向 / where the people of an ended grid go on",
)  # fmt: skip
LAYER_OPTIONS = (
    FILE,
    DATUM,
    SOURCE,
    LAYER,
    AS,
    DRY_RUN,
)  # fmt: skip
Begin = Callable[[Session, Desk], Begun]


def layer_options(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options of those that read borders."""
    for option in reversed(LAYER_OPTIONS):
        command = option(command)
    return command


@group.command("split")
@click.argument("code")
@layer_options
@click.option("--main", help="无位置的记录归入 / the part that takes what has no place")
@click.option("--assign", type=click.Path(exists=True, dir_okay=False, path_type=Path),
              help="CSV：record,code / a list for records without a place")  # fmt: skip
@POSTS
@click.option("--post", "people", multiple=True, metavar="USER=CODE",
              help="某人去向，可重复 / where a person goes on")  # fmt: skip
def split(
    code: str,
    main: str | None,
    assign: Path | None,
    posts: str,
    people: Iterable[str],
    **options: Any,
) -> None:
    """按新边界拆分网格 / Split a grid (CODE) by the borders of a file."""
    layer, origin = _read(options), Origin(options["datum"], options["source"])
    told = Told(main, _assigned(assign), posts, _people(people))

    def begin(session: Session, desk: Desk) -> Begun:
        return regrid.begin_split(session, desk, _grid(session, code), layer, origin, told)

    _run(options["login"], begin, dry_run=options["dry_run"])


@group.command("merge")
@click.argument("codes", nargs=-1, required=True)
@click.option("--into", required=True, help="并入的网格 / code of the grid that takes them over")
@POSTS
@AS
@DRY_RUN
def merge(codes: Iterable[str], into: str, posts: str, login: str, dry_run: bool) -> None:
    """把网格并入另一个网格 / Let one grid take over others (CODES)."""

    def begin(session: Session, desk: Desk) -> Begun:
        grids = [_grid(session, code) for code in codes]
        return regrid.begin_merge(session, desk, grids, _grid(session, into), posts)

    _run(login, begin, dry_run=dry_run)


@group.command("redraw")
@layer_options
def redraw(**options: Any) -> None:
    """重画边界，记录按位置归属 / Draw borders anew; records go where their place lies now."""
    layer, origin = _read(options), Origin(options["datum"], options["source"])
    _run(
        options["login"],
        lambda session, desk: regrid.begin_redraw(session, desk, layer, origin),
        dry_run=options["dry_run"],
    )


@group.command("sweep")
@AS
def sweep(login: str) -> None:
    """把已撤销网格中余下的记录移交接替网格 / Move what ended grids still hold to their heirs."""
    with current_database().transaction(Mode.READ) as session:
        left = regrid.unswept(session, current_engine())
        desk = _desk(session, login)
    _move(desk, Begun(tuple(sorted(left)), ()), sum(left.values()))
    with current_database().transaction(Mode.READ) as session:
        still = regrid.unswept(session, current_engine())
        names = names_of(session, still)
    for grid, number in sorted(still.items()):
        click.echo(wording.left_line(names.get(grid, str(grid)), number), err=True)
    click.echo(wording.swept_line(sum(left.values()) - sum(still.values())))


@group.command("check")
def check() -> None:
    """列出等待处理的网格 / List the grids that wait for the office."""
    with current_database().transaction(Mode.READ) as session:
        found = orphans(session, current_engine(), datetime.now(UTC))
    for one in found:
        click.echo(wording.orphan_line(one), err=True)
    if found:
        raise click.exceptions.Exit(1)
    click.echo("没有待处理的网格 / no grid waits for the office")


def _run(login: str, begin: Begin, *, dry_run: bool) -> None:
    """Do the first step, then the second in transactions of its own; or preview both."""
    with _plain_errors(), current_database().transaction(Mode.WRITE) as session:
        desk = _desk(session, login)
        begun = begin(session, desk)
        every = sorted({*begun.sources, *begun.targets})
        before = touched(session, desk.engine, every, desk.now)
        if dry_run:
            for _ in regrid.move(session, desk, begun):
                pass
            after = counts(session, desk.engine, every)
        names = names_of(session, every)
        if dry_run:
            session.rollback()
    if not dry_run:
        total = sum(sum(before.records[grid].values()) for grid in begun.sources)
        _move(desk, begun, total)
        with current_database().transaction(Mode.READ) as session:
            after = counts(session, desk.engine, every)
    for line in wording.lines(begun, before, after, names):
        click.echo(line)
    if dry_run:
        click.echo("试运行，未写入 / dry run: nothing was written")


def _move(desk: Desk, begun: Begun, total: int) -> None:
    """Move the records, a grid in a transaction, with a bar over those looked at."""
    with click.progressbar(length=total, label="移交记录 / moving records") as bar:
        for grid in begun.sources:
            with current_database().transaction(Mode.WRITE) as session:
                for number in regrid.mover(session, desk, grid, begun.assigned).run(session, grid):
                    bar.update(number)


def _desk(session: Session, login: str) -> Desk:
    account = normal_login(login)
    user = session.execute(sa.select(User.id, User.active).where(User.login == account)).first()
    if user is None or not user.active:
        _fail(f"没有此登录名 / nobody has this login: {login}")
    return Desk(current_engine(), Actor(user.id, posts_of(session, user.id)), datetime.now(UTC))


def _grid(session: Session, code: str) -> int:
    area = area_of_code(session, code, datetime.now(UTC).date())
    if area is None:
        _fail(f"没有此网格 / no grid has this code: {code}")
    return area


def _read(options: dict[str, Any]) -> Layer:
    with _plain_errors():
        raw = read_layer(options["file"], options["layer"])
        with click.progressbar(raw, label="检查图形 / checking shapes") as bar:
            return check_features(bar, Datum(options["datum"]))


def _assigned(file: Path | None) -> dict[str, str]:
    if file is None:
        return {}
    with file.open(encoding="utf-8-sig", newline="") as rows:
        return {row["record"].strip(): row["code"].strip() for row in csv.DictReader(rows)}


def _people(told: Iterable[str]) -> dict[int, list[str]]:
    people: dict[int, list[str]] = {}
    for one in told:
        user, _, code = one.partition("=")
        if not (user.isdecimal() and code):
            raise click.BadParameter("须为 USER=CODE / must be USER=CODE", param_hint="--post")
        people.setdefault(int(user), []).append(code)
    return people


@contextmanager
def _plain_errors() -> Iterator[None]:
    try:
        yield
    except FlawedFile as error:
        raise click.ClickException(str(error)) from error
    except Problem as problem:
        raise click.ClickException(wording.problem(problem)) from problem


def _fail(words: str) -> NoReturn:
    raise click.ClickException(words)
