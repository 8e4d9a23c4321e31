"""The operator's commands: copy and erase a person, and end what has been held long enough."""

from pathlib import Path

import click
from flask.cli import AppGroup

from app.core import audit
from app.core.database import Mode, current_database
from app.core.engine import current_engine
from app.photos.lane import current_lane
from app.privacy import fields, retention
from app.privacy.copying import entries, zipped
from app.privacy.erasing import erase_people
from app.privacy.publishing import now_utc
from app.privacy.subjects import PEOPLE
from app.sync_api.epochs import current_epochs
from sync.values import as_identity

privacy = AppGroup("privacy", help="个人信息 / Data on people: copy, erase, end in time.")
KIND = click.argument("kind", type=click.Choice(PEOPLE))


def _identity(record: str) -> str:
    name = as_identity(record)
    if name is None:
        raise click.ClickException("编号须为 UUID / give a UUID")
    return name


@privacy.command("copy")
@KIND
@click.argument("record")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), required=True,
              help="写入的 ZIP 文件 / the ZIP to write")  # fmt: skip
def copy(kind: str, record: str, out: Path) -> None:
    """导出一人的全部信息 / Write down all that is held of somebody, with history and photos."""
    name, lane = _identity(record), current_lane()
    with current_database().transaction(Mode.WRITE) as session:
        audit.record(session, "privacy.copied", user_id=None, subject=f"{kind}:{name}")
        with out.open("xb") as file:
            out.chmod(0o600)
            file.writelines(zipped(entries(session, current_engine(), lane, (kind, name))))
    click.echo(f"已写入 / written: {out}")


@privacy.command("erase")
@KIND
@click.argument("records", nargs=-1, required=True)
@click.option("--reason", required=True, help="不含个人信息 / why; no personal data in it")
@click.option("--yes", is_flag=True, help="不再询问 / do not ask")
def erase(kind: str, records: tuple[str, ...], reason: str, yes: bool) -> None:
    """抹除一人的全部信息 / Erase somebody, with all that hangs on him, everywhere and for ever."""
    if not 1 <= len(reason) <= 200:
        raise click.ClickException("理由 1 至 200 字 / a reason of 1 to 200 characters")
    subjects = [(kind, _identity(one)) for one in records]
    if not yes:
        click.confirm("抹除后无法恢复，继续 / this cannot be undone, go on", abort=True)
    current_epochs().look()
    report = erase_people(subjects, reason=reason, by=None)
    for name, number in sorted(report.kinds.items()):
        click.echo(f"{name}: {number}")
    click.echo(f"编辑 / edits: {report.edits}  文件 / files: {report.files}")


@privacy.command("retention")
@click.option("--dry-run", is_flag=True, help="只计数 / count only")
def end_in_time(dry_run: bool) -> None:
    """清除到期内容 / End what has been held for long enough; prints numbers, no values."""
    done = retention.due(now_utc()) if dry_run else retention.run()
    for name, number in done.items():
        click.echo(f"{number:8}  {name}")


@privacy.command("fields")
def list_fields() -> None:
    """列出字段登记 / List what is held of people, why and how long."""
    for one in fields.personal(fields.registry()):
        click.echo(f"{one.level}  {one.name}  {one.purpose}  {one.basis}  {one.retention}")
