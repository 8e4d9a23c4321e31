"""The commands by which the operator forgets what is old, and erases what must go."""

from collections.abc import Callable, Sequence
from typing import TypeVar

import click
import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.core import audit
from app.core.database import Mode, current_database, lost_a_race
from app.core.engine import ATTEMPTS_MAX, current_engine
from app.core.moments import as_text, now_ms
from app.core.settings import Settings, current_settings
from app.sync_api import erasures
from app.sync_api.copying import current_copies
from app.sync_api.epochs import ORDERED, current_epochs, place_of
from sync.compaction import STEPS, Keeping, Portion
from sync.erasure import Erased
from sync.errors import Stale
from sync.parking import DAY_MS
from sync.values import as_identity

REASON_MAX = 200
NAMES = {"scopes": "删除标记 / tombstones", "ledger": "历史内容 / history",
         "conflicts": "已处理冲突 / settled conflicts"}  # fmt: skip
Result = TypeVar("Result")


def keeping_of(settings: Settings) -> Keeping:
    """Return for how long things are kept."""
    return Keeping(settings.tombstone_days * DAY_MS, settings.history_days * DAY_MS,
                   settings.conflict_days * DAY_MS)  # fmt: skip


def _written(work: Callable[[Session], Result]) -> Result:
    """Do something in a transaction of its own; repeat it when a push was quicker."""
    for _ in range(ATTEMPTS_MAX):
        try:
            with current_database().transaction(Mode.WRITE) as session:
                return work(session)
        except Stale:
            continue
        except sa.exc.OperationalError as error:
            if not lost_a_race(error):
                raise
    raise click.ClickException("系统繁忙，请稍后重试 / busy just now: run it again")


@click.command("compact")
def compact() -> None:
    """忘记到期的内容 / Forget tombstones, history and settled conflicts that are old enough.

    Runs beside the server, in small portions; may be stopped at any moment and goes on the next
    time. Meant for every night.
    """
    current_epochs().look()
    for name in STEPS:
        gone = compact_step(name, now_ms(), keeping_of(current_settings()))
        with current_database().transaction(Mode.WRITE) as session:
            audit.record(session, "system.compacted", user_id=None, subject=name, gone=gone)
        click.echo(f"{NAMES[name]}: {gone}")


def compact_step(name: str, at_ms: int, keeping: Keeping) -> int:
    """Run one step to its end, portion by portion; return how much has gone."""
    engine, last, gone = current_engine(), "", 0
    with click.progressbar(length=_length(name), label=NAMES[name]) as bar:
        while True:

            def portion(session: Session, after: str = last) -> Portion:
                return STEPS[name](erasures.upkeep_of(session, engine), after, at_ms, keeping)

            done = _written(portion)
            gone += done.gone
            if done.last is None:
                return gone
            last = done.last
            bar.update(done.seen)


def _length(name: str) -> int:
    """Return how many things a step will look at, for its bar."""
    table = {"scopes": "sync_scope", "ledger": "sync_ledger", "conflicts": "conflict"}[name]
    with current_database().transaction(Mode.READ) as session:
        return int(session.execute(sa.text(f"SELECT count(*) FROM {table}")).scalar_one())


@click.command("erase")
@click.argument("kind")
@click.argument("record")
@click.option("--reason", required=True, help="不含个人信息 / why; no personal data in it")
@click.option("--with", "also", multiple=True, help="连同的类别 / kinds that refer to it go too")
@click.option("--yes", is_flag=True, help="不再询问 / do not ask")
def erase(kind: str, record: str, reason: str, also: tuple[str, ...], yes: bool) -> None:
    """依法抹除一条记录 / Erase a record by law: from tables, history and phones, for ever."""
    engine, name = current_engine(), as_identity(record)
    if unknown := {kind, *also} - engine.tables.keys():
        kinds = ", ".join(sorted(engine.tables))
        raise click.ClickException(
            f"未知类别，可选 / unknown kind, choose from {kinds}: {unknown.pop()}"
        )
    if name is None or not 1 <= len(reason) <= REASON_MAX:
        raise click.ClickException(
            "编号须为 UUID，理由 1 至 200 字 / give a UUID, and a reason of 1 to 200 characters"
        )
    if not yes:
        click.confirm("抹除后无法恢复，继续 / this cannot be undone, go on", abort=True)
    current_epochs().look()
    erased = carry_out(kind, name, reason, also)
    click.echo(f"已抹除 / erased: {len(erased)}")
    for line in erased:
        click.echo(f"  {line}")


def carry_out(kind: str, record: str, reason: str, also: Sequence[str]) -> list[str]:
    """Erase a record, then once more what was on its way meanwhile; return what has gone."""
    engine, order = current_engine(), erasures.order(kind, record, reason)

    def work(session: Session) -> Erased:
        return erasures.erase(session, engine, place_of(current_settings()), [order], also=also)

    done = [_written(work), _written(work)]
    current_copies().forget(frozenset().union(*(one.scopes for one in done)))
    if current_database().is_sqlite:
        with current_database().engine.connect() as connection:
            connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    return [f"{one.kind} {one.record}" for each in done for one in each.erasures]


@click.command("erasures")
def list_erasures() -> None:
    """列出抹除及手机确认 / List erasures, and the phones that have carried them out."""
    with current_database().transaction(Mode.READ) as session:
        found = erasures.accounts(session, current_engine())
    for account in found:
        one = account.erasure
        click.echo(f"{as_text(one.ms)}  {one.kind} {one.record}  {one.reason}")
        click.echo(f"  范围 / scopes: {', '.join(one.scopes) or '-'}")
        click.echo(f"  已确认手机 / phones that have erased it: {len(account.done)}")
        for device, ms in account.done:
            click.echo(f"    {device}  {as_text(ms)}")
        click.echo(f"  尚未确认 / phones that have not yet: {len(account.open)}")
        for device in account.open:
            click.echo(f"    {device}")
    if not found:
        click.echo("尚无抹除 / nothing has been erased")


@click.command("new-epoch")
def new_epoch() -> None:
    """开始新的同步纪元 / Begin a new epoch: phones check and send again what is missing.

    Needed only when a copy was put in place in a way that the server cannot notice by itself,
    such as a snapshot of the whole machine.
    """
    current_epochs().look(reason=ORDERED)
    click.echo("已开始新的同步纪元 / a new epoch has begun")


COMMANDS = (compact, erase, list_erasures, new_epoch)
