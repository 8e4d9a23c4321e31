"""The commands for support: why edits wait, and what nobody could read."""

import getpass
from pathlib import Path
from typing import Any

import click
from flask.cli import AppGroup
from sqlalchemy.orm import Session

from app.core import audit, refusals
from app.core.database import Mode, current_database
from app.core.engine import current_engine
from app.core.moments import as_text, now_ms
from app.sync_api import replay, unread
from sync import parking

PAGE = Path(__file__).parents[2] / "docs" / "refusals.md"
unread_group = AppGroup(
    "unread", help="无法读取的手机请求 / What phones sent and nobody could read"
)


@click.command("refusals")
@click.option("--write", is_flag=True, help="更新 docs/refusals.md / bring it up to date")
def show_refusals(write: bool) -> None:
    """列出搁置原因及处理 / List every reason for parking, with what to do."""
    if write:
        PAGE.write_text(refusals.as_page(), encoding="utf-8")
    else:
        click.echo(refusals.as_page())


@click.command("replay-parked")
def replay_parked() -> None:
    """升级后重试以前不认识的编辑 / Try again what an earlier release did not understand."""
    done = replay.replay(current_database())
    click.echo(
        f"重试 {done['tried']} 条，生效 {done['applied']} 条 / "
        f"tried {done['tried']}, applied {done['applied']}"
    )


@click.command("expire-parked")
def expire_parked() -> None:
    """删除搁置满 180 天的编辑 / Delete what was parked for 180 days, and old unread bodies."""
    now, database, parked, gone = now_ms(), current_database(), 0, parking.EXPIRED_AT_ONCE
    while gone == parking.EXPIRED_AT_ONCE:
        with database.transaction(Mode.WRITE) as session:
            gone = _expire(session, now)
            parked += gone
    with database.transaction(Mode.WRITE) as session:
        bodies = unread.expire(session, now)
    click.echo(
        f"删除搁置编辑 {parked} 条、无法读取的请求 {bodies} 条 / "
        f"deleted {parked} parked edits and {bodies} unread bodies"
    )


def _expire(session: Session, now: int) -> int:

    return parking.expire(current_engine().store(session), now - parking.KEPT_MS)


@unread_group.command("list")
def list_unread() -> None:
    """列出，不含内容 / List them, without their content."""
    with current_database().transaction(Mode.WRITE) as session:
        rows = unread.listed(session)
        _note(session, "listed", None, rows=len(rows))
    for row in rows:
        click.echo(_line(row))
    if not rows:
        click.echo("没有 / none")


@unread_group.command("show")
@click.argument("number")
def show_unread(number: str) -> None:
    """显示内容；编号末几位即可 / Show the content; the end of the number is enough."""
    row, content = _read(number, "read")
    click.echo(_line(row))
    click.echo(content.decode("utf-8", "backslashreplace"))


@unread_group.command("export")
@click.argument("number")
@click.argument("target", type=click.Path(dir_okay=False, path_type=Path))
def export_unread(number: str, target: Path) -> None:
    """把内容写入文件 / Write the content to a file that only you may read."""
    if target.exists():
        raise click.ClickException(f"文件已存在 / the file is there already: {target}")
    row, content = _read(number, "exported")
    target.touch(mode=0o600)
    target.write_bytes(content)
    click.echo(f"{_line(row)} → {target}")


@unread_group.command("delete")
@click.argument("number")
def delete_unread(number: str) -> None:
    """删除 / Delete one."""
    with current_database().transaction(Mode.WRITE) as session:
        row = _found(session, number)
        unread.delete(session, row.id)
        _note(session, "deleted", row.id)
    click.echo(f"已删除 / deleted: {row.id}")


def _read(number: str, event: str) -> tuple[Any, bytes]:
    """Return a row and its content; that it was read is written down in the same transaction."""
    with current_database().transaction(Mode.WRITE) as session:
        row = _found(session, number)
        _note(session, event, row.id)
        return row, unread.opened(current_engine().cipher, row)


def _found(session: Session, number: str) -> Any:
    row = unread.found(session, number)
    if row is None:
        raise click.ClickException(
            f"找不到或不止一个 / none or more than one: {number}\n→ flask sync unread list"
        )
    return row


def _note(session: Session, event: str, number: str | None, **details: Any) -> None:
    subject = f"unread:{number}" if number else None
    operator = getpass.getuser()
    audit.record(
        session, f"unread.{event}", user_id=None, subject=subject, operator=operator, **details
    )


def _line(row: Any) -> str:
    return (
        f"{row.id}  {as_text(row.last_ms)}  ×{row.times}  user {row.user_id}  "
        f"phone {row.enrolment}  {row.path}  {row.code}  {row.size_bytes} B"
    )
