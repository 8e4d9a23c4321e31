"""The commands ``flask areas …``: import divisions, grids and borders; check what stands."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from itertools import islice
from pathlib import Path
from typing import Any

import click
from flask.cli import AppGroup
from sqlalchemy.orm import Session

from app.areas import checks, imports, services, wording
from app.areas.boundaries import FieldNames, Layer, check_features
from app.areas.coverage import SMALLEST_M2, Finding
from app.areas.datum import Datum
from app.areas.drawing import Origin
from app.areas.flaws import FlawedFile
from app.areas.imports import Prepared
from app.areas.layers import read_layer
from app.areas.options import DATUM, FILE, LAYER, SOURCE
from app.core.database import Mode, current_database

LINES_MAX = 200
NO_ORIGIN = Origin(datum="", source="")
Prepare = Callable[[Session], Prepared]

group = AppGroup("areas", help="区划、网格与边界 / Divisions, grids and borders.")


@dataclass(frozen=True, slots=True)
class LayerOptions:
    """The options of the commands that read borders."""

    file: Path
    datum: str
    source: str
    accuracy_m: float | None
    edition: date
    layer: str | None
    code_field: str
    name_field: str
    parent_field: str
    smallest_m2: float
    dry_run: bool
    skip_bad: bool


def _today() -> date:
    return datetime.now(UTC).astimezone().date()


def _day(_context: click.Context, _option: click.Parameter, value: datetime | None) -> date:
    day = _today() if value is None else value.date()
    if day > _today():
        raise click.BadParameter("日期在将来，请用今天或以前 / in the future: say today or before")
    return day


DAY = click.DateTime(["%Y-%m-%d"])
DRY_RUN = click.option("--dry-run", is_flag=True, help="只检查不写入 / check, write nothing")
SKIP_BAD = click.option("--skip-bad", is_flag=True, help="跳过有错的行 / leave faulty rows out")
SMALLEST = click.option(
    "--smallest-m2", type=click.FloatRange(min=0), default=SMALLEST_M2, show_default=True,
    help="忽略更小的缝隙与重叠 / ignore smaller gaps and overlaps",
)  # fmt: skip
LAYER_OPTIONS = (
    FILE,
    DATUM,
    SOURCE,
    click.option("--accuracy-m", type=click.FloatRange(min=0), help="精度（米）/ in metres"),
    click.option("--edition-date", "edition", type=DAY, callback=_day,
                 help="生效日期，默认今天 / valid from this day; default: today"),
    LAYER,
    click.option("--code-field", default="code", show_default=True),
    click.option("--name-field", default="name", show_default=True),
    click.option("--parent-field", default="parent_code", show_default=True),
    SMALLEST,
    DRY_RUN,
    SKIP_BAD,
)  # fmt: skip


def layer_options(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options of LayerOptions."""
    for option in reversed(LAYER_OPTIONS):
        command = option(command)
    return command


@group.command("import-divisions")
@FILE
@click.option("--edition-date", "edition", type=DAY, callback=_day, required=True,
              help="版本日期 / the day of the edition")  # fmt: skip
@DRY_RUN
@SKIP_BAD
def import_divisions(file: Path, edition: date, dry_run: bool, skip_bad: bool) -> None:
    """导入区划 CSV / Import a CSV of divisions over what stands."""
    with _plain_errors(), current_database().transaction(Mode.WRITE) as session:
        content = file.read_bytes()
        prepared = imports.prepare_divisions(session, content, edition)
        _refuse_bad_rows(prepared, skip_bad=skip_bad)
        for line in islice(wording.plan_lines(prepared.plan), LINES_MAX):
            click.echo(line)
        written = imports.write(session, prepared, edition.isoformat(), NO_ORIGIN)
        _close(session, written.counts, dry_run=dry_run)


@group.command("import-grids")
@layer_options
def import_grids(**options: Any) -> None:
    """导入网格及边界 / Import grids with their borders (GeoJSON, GeoPackage)."""
    _import_layer(LayerOptions(**options), imports.prepare_grids)


@group.command("import-borders")
@layer_options
def import_borders(**options: Any) -> None:
    """导入区划边界 / Import borders of counties, townships or villages that stand."""
    _import_layer(LayerOptions(**options), imports.prepare_borders)


@group.command("check")
@SMALLEST
def check(smallest_m2: float) -> None:
    """检查区划与边界 / Check the tree, gaps, overlaps and grids outside."""
    with current_database().transaction(Mode.READ) as session:
        found = _show_findings(session, None, smallest_m2)
    if found:
        raise click.exceptions.Exit(1)
    click.echo("未发现问题 / nothing found")


def _import_layer(
    options: LayerOptions, prepare: Callable[[Session, Layer, date], Prepared]
) -> None:
    with _plain_errors():
        layer = _read(options)
        with current_database().transaction(Mode.WRITE) as session:
            prepared = prepare(session, layer, options.edition)
            _refuse_bad_rows(prepared, skip_bad=options.skip_bad)
            origin = Origin(options.datum, options.source, options.accuracy_m)
            written = imports.write(session, prepared, options.edition.isoformat(), origin)
            _show_findings(session, set(written.area_ids), options.smallest_m2)
            _close(session, written.counts, dry_run=options.dry_run)


def _read(options: LayerOptions) -> Layer:
    names = FieldNames(options.code_field, options.name_field, options.parent_field)
    raw = read_layer(options.file, options.layer)
    with click.progressbar(raw, label="检查图形 / checking shapes") as bar:
        return check_features(bar, Datum(options.datum), names)


@contextmanager
def _plain_errors() -> Iterator[None]:
    try:
        yield
    except FlawedFile as error:
        raise click.ClickException(str(error)) from error


def _refuse_bad_rows(prepared: Prepared, *, skip_bad: bool) -> None:
    _echo_lines(map(str, prepared.flaws), len(prepared.flaws))
    if prepared.flaws and not skip_bad:
        raise click.ClickException(
            f"{len(prepared.flaws)} 处错误，未写入；请改正，或用 --skip-bad 跳过 / "
            "nothing was written: mend these rows, or leave them out with --skip-bad"
        )


def _show_findings(session: Session, touched: set[int] | None, smallest_m2: float) -> int:
    """Tell what is wrong with the areas, or with the groups of the touched ones only."""
    rows, shapes = checks.area_rows(session), checks.standing_shapes(session)
    groups = [
        one for one in checks.groups_of(rows, shapes)
        if touched is None or touched.intersection(one.members)
    ]  # fmt: skip
    findings: list[Finding] = []
    if touched is None:
        findings.extend(checks.tree_findings(rows, shapes))
    with click.progressbar(groups, label="检查缝隙重叠 / checking the ground") as bar:
        for one in bar:
            findings.extend(checks.ground_findings(rows, shapes, one, smallest_m2))
    shown = {area_id for one in findings[:LINES_MAX] for area_id in one.area_ids}
    names = services.names_of(session, shown)
    _echo_lines((wording.finding_line(one, names) for one in findings), len(findings))
    return len(findings)


def _echo_lines(lines: Iterable[str], count: int) -> None:
    for line in islice(lines, LINES_MAX):
        click.echo(line, err=True)
    if count > LINES_MAX:
        click.echo(f"… 另有 {count - LINES_MAX} 条 / and {count - LINES_MAX} more", err=True)


def _close(session: Session, counts: Any, *, dry_run: bool) -> None:
    click.echo(wording.counts_line(counts))
    if dry_run:
        session.rollback()
        click.echo("试运行，未写入 / dry run: nothing was written")
