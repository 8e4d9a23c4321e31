"""The commands of the sync engine."""

import json

import click
import sqlalchemy as sa
from flask.cli import AppGroup

from app.core.database import Mode, current_database
from app.core.engine import current_engine
from app.core.identifiers import new_id
from app.core.moments import as_text
from app.core.records import sync_tables
from app.sync_api import copying
from app.sync_api import kinds as wire
from sync.stores.tables import EPOCH

sync = AppGroup("sync", help="The sync engine / 同步引擎")


@sync.command("new-epoch")
def new_epoch() -> None:
    """Begin a new epoch, after a restore from a backup: phones check and send again."""
    t = sync_tables.meta
    epoch = new_id()
    with current_database().transaction(Mode.WRITE) as session:
        session.execute(sa.update(t).where(t.c.name == EPOCH).values(value=epoch))
    click.echo(f"新的同步纪元 / new epoch: {epoch}")


@sync.command("alarms")
def show_alarms() -> None:
    """List the devices whose copy was ever wrong; there should be none."""
    with current_database().transaction(Mode.READ) as session:
        found = copying.alarms(session)
    for device, count, buckets, last_ms in found:
        click.echo(f"{device}  {count} 次 / times  {buckets} 桶 / buckets  {as_text(last_ms)}")
    if found:
        raise click.ClickException("手机副本曾与服务器不一致 / copies on phones were wrong")
    click.echo("摘要警报 / digest alarms: 0")


@sync.command("kinds")
@click.option(
    "--write", is_flag=True, help="Bring docs/kinds.json up to date / 更新 docs/kinds.json"
)
def kinds(write: bool) -> None:
    """Compare the wire of all kinds with docs/kinds.json: it may only grow."""
    after = wire.describe(current_engine())
    before = wire.read_snapshot() if wire.SNAPSHOT.exists() else {}
    if found := list(wire.breaches(before, after)):
        lines = "\n".join(f"  {one}" for one in found)
        raise click.ClickException(
            "旧版手机将无法同步，请恢复这些字段或另加新字段 / older phones could not sync; "
            f"bring these back, or add new fields instead:\n{lines}"
        )
    if write:
        wire.SNAPSHOT.write_text(wire.as_text(after), encoding="utf-8")
    elif before != json.loads(wire.as_text(after)):
        raise click.ClickException(
            "docs/kinds.json 已过期，请执行 / docs/kinds.json is out of date, run: "
            "flask sync kinds --write"
        )
    click.echo(f"{len(after)} 种记录，与 docs/kinds.json 一致 / kinds match docs/kinds.json")
