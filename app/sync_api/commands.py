"""The commands of the sync engine."""

import json

import click
from flask.cli import AppGroup

from app.core.database import Mode, current_database
from app.core.engine import current_engine
from app.core.moments import as_text
from app.sync_api import copying, support
from app.sync_api import kinds as wire

sync = AppGroup("sync", help="The sync engine / 同步引擎")
for command in (support.show_refusals, support.replay_parked, support.expire_parked):
    sync.add_command(command)
sync.add_command(support.unread_group)


@sync.command("alarms")
def show_alarms() -> None:
    """列出副本曾出错的手机 / List the devices whose copy was wrong; there should be none.

    The phones mend themselves. Once the cause is known, `flask sync settle-alarms` forgets what
    is listed here.
    """
    with current_database().transaction(Mode.READ) as session:
        found = copying.alarms(session)
    for device, count, buckets, last_ms in found:
        click.echo(f"{device}  {count} 次 / times  {buckets} 桶 / buckets  {as_text(last_ms)}")
    if found:
        raise click.ClickException(
            "手机副本曾与服务器不一致；查明原因后执行 / copies on phones were wrong; "
            "once you know why: flask sync settle-alarms"
        )
    click.echo("摘要警报 / digest alarms: 0")


@sync.command("settle-alarms")
def settle_alarms() -> None:
    """清除已查明原因的警报 / Forget the alarms, whose cause is known; new ones are listed again."""
    with current_database().transaction(Mode.WRITE) as session:
        count = copying.settle_alarms(session)
    click.echo(f"已清除 {count} 部手机的警报 / alarms of {count} devices are settled")


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
