"""The commands for keys: see them, change them, put them out of use."""

import getpass
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import click
from flask.cli import AppGroup

from app.core import audit
from app.core.algorithms import AES, ALGORITHMS
from app.core.blobs.contract import Missing
from app.core.database import Mode, current_database
from app.core.engine import current_engine
from app.core.key_table import FieldKey
from app.core.keyring import DESTROYED, FIRST, RETIRED
from app.core.moments import as_text, now_ms
from app.core.problems import CATALOGUE
from app.core.settings import current_settings
from app.keys import looking, services
from app.keys.destroying import destroy as destroy_key
from app.keys.making import Wish
from app.keys.rotating import Rotation
from app.photos.lane import current_lane
from app.sync_api.epochs import place_of
from sync.errors import Problem

SECONDS_A_LOOK = 1.0
keys = AppGroup("keys", help="字段密钥：查看、轮换、停用、销毁 / Keys that seal personal fields")


@contextmanager
def _plain_errors() -> Iterator[None]:
    """Say a problem in words, and what to do."""
    try:
        yield
    except Problem as problem:
        words = CATALOGUE[problem.code]
        raise click.ClickException(
            f"{words.title_zh} / {words.title}\n→ {words.next_step}"
        ) from None


@keys.command("status")
def status() -> None:
    """查看密钥及各表用量 / Show the keys, and how much is sealed with each."""
    rotation = services.current_rotation()
    with rotation.database.transaction(Mode.READ) as session:
        rows = services.listed(session)
        found = looking.counts(session, rotation.sealed)
        things = rotation.lane.shelf.sealed(session)
    for row in rows:
        click.echo(_line(row))
    if not rows:
        click.echo("1  aes-256-gcm  current  (FIELD_KEY)")
    counted = {**found, "blob": things, "uploads": rotation.lane.incoming.keys()}
    for name, column in sorted(counted.items()):
        for number, count in sorted(column.items()):
            key = f"key {number}" if number else "未密封 / not sealed"
            click.echo(f"  {name}: {key}: {count}")
    first = next((row for row in rows if row.number == FIRST), None)
    if first is not None and first.state == DESTROYED and current_settings().field_key:
        click.echo("请从环境中删除 FIELD_KEY / take FIELD_KEY out of the environment now")


def _line(row: FieldKey) -> str:
    state = row.state
    if row.resealed_ms is None and row.total:
        state += f" {min(row.done, row.total)}/{row.total}"
    ended = f"  {as_text(row.ended_ms)}" if row.ended_ms else ""
    return f"{row.number}  {row.algorithm}  {state}  root {row.root}{ended}"


@keys.command("new")
@click.option("--algorithm", type=click.Choice(ALGORITHMS), default=AES)
def new(algorithm: str) -> None:
    """启用新密钥，旧内容不动 / Let a new key seal from now on; `rotate` seals the rest anew."""
    number = _make(algorithm)
    click.echo(f"已启用密钥 {number} / key {number} seals from now on")


def _make(algorithm: str) -> int:
    with _plain_errors(), current_database().transaction(Mode.WRITE) as session:
        number = services.keys_of(session).make(Wish(algorithm), now_ms())
    current_engine().cipher.ring.look()
    return number


@keys.command("rotate")
@click.option("--algorithm", type=click.Choice(ALGORITHMS), default=AES)
def rotate(algorithm: str) -> None:
    """轮换密钥并重新密封全部内容 / Make a new key and seal everything anew with it.

    Runs beside the server, in small portions; may be killed at any moment and goes on when it is
    run again, with the key that it made the first time.
    """
    rotation = services.current_rotation()
    with rotation.database.transaction(Mode.READ) as session:
        goes_on = services.under_way(session)
    number = rotation.ring.current.number if goes_on else _make(algorithm)
    click.echo(f"密钥 {number} / key {number}")
    with _plain_errors():
        total = rotation.begin()
        with click.progressbar(length=total, label="重新密封 / sealing anew") as bar:
            for values in rotation.sweep():
                bar.update(values)
        _settle(rotation)
    click.echo("完成，请备份数据库与 .keys 文件 / done: back up the database and the .keys file")


def _settle(rotation: Rotation) -> None:
    """Go over it again until no process seals with the key before, and nothing is left of it."""
    waiting = rotation.settled_ms() - now_ms()
    if waiting > 0:
        click.echo(f"等待各进程换用新密钥 / waiting for all processes: {waiting // 1000 + 1} s")
    while now_ms() < rotation.settled_ms():
        time.sleep(SECONDS_A_LOOK)
    for _ in rotation.sweep():
        pass
    if not rotation.finish(now_ms()):
        raise click.ClickException(
            f"还剩 {rotation.left()} 项（或在等待移往存储、或无法打开，见日志），稍后再运行 / "
            f"{rotation.left()} left (waiting for the store, or cannot be opened: see the log); "
            "run it again later"
        )


@keys.command("retire")
@click.argument("number", type=int)
def retire(number: int) -> None:
    """停用已无内容的密钥 / Put a key out of use that seals nothing any more."""
    rotation = services.current_rotation()
    with _plain_errors():
        if used := _used(rotation, number):
            lines = "\n".join(f"  {name}: {count}" for name, count in used.items())
            raise click.ClickException(
                f"{CATALOGUE['key_in_use'].title_zh} / {CATALOGUE['key_in_use'].title}\n{lines}\n"
                f"→ {CATALOGUE['key_in_use'].next_step}"
            )
        with rotation.database.transaction(Mode.WRITE) as session:
            services.keys_of(session).end(number, RETIRED, now_ms())
            audit.record(session, "key.retired", user_id=None, subject=f"key:{number}",
                         operator=getpass.getuser())  # fmt: skip
    click.echo(f"已停用 / retired: {number}")


def _used(rotation: Rotation, number: int) -> Mapping[str, int]:
    """Return what is sealed with a key: the columns are counted, and the bytes are looked at."""
    with rotation.database.transaction(Mode.READ) as session:
        found = dict(looking.of_key(looking.counts(session, rotation.sealed), number))
    found["blob"] = _things(rotation)[number]
    found["uploads"] = rotation.lane.incoming.keys()[number]
    return {name: count for name, count in found.items() if count}


def _things(rotation: Rotation) -> Counter[int]:
    """Return how many things on the shelf begin with which key."""
    shelf, found = rotation.lane.shelf, Counter[int]()
    with rotation.database.transaction(Mode.READ) as session:
        names = shelf.keys(session)
    with click.progressbar(names, label="检查文件 / looking at files") as bar:
        for name in bar:
            try:
                found[shelf.key_of(name)] += 1
            except Missing:
                continue
    return found


@keys.command("rewrap")
def rewrap() -> None:
    """用 FIELD_KEY_CURRENT 重新包裹数据密钥 / Wrap the data keys with the current root key."""
    with _plain_errors(), current_database().transaction(Mode.WRITE) as session:
        wrapped = services.keys_of(session).wrap_anew()
    click.echo(f"已重新包裹 {wrapped} 个 / wrapped anew: {wrapped}")


@keys.command("destroy")
@click.argument("number", type=int)
@click.option("--yes", is_flag=True, help="不再询问 / do not ask")
def destroy(number: int, yes: bool) -> None:
    """销毁密钥及其密封的全部内容 / Destroy a key, and for ever all that is sealed with it."""
    if not yes:
        click.confirm("销毁后无法恢复，继续 / this cannot be undone, go on", abort=True)
    with _plain_errors():
        certificate = destroy_key(
            current_database(), current_engine(), current_lane(), place_of(current_settings()),
            number=number, now_ms=now_ms(),
        )  # fmt: skip
    click.echo(f"已销毁 / destroyed: key {number} {certificate.known_by}")
    for name, count in sorted(certificate.counts.items()):
        click.echo(f"  {name}: {count}")
    click.echo(f"sha256 {certificate.sha256()}")
    if number == FIRST:
        click.echo("请从环境中删除 FIELD_KEY / take FIELD_KEY out of the environment now")
