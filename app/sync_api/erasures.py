"""Erase by law, and keep the list of it outside the database: a restored copy must not forget."""

import json
import os
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.areas.services import ancestors_of, paths_of
from app.core import audit
from app.core.engine import Engine
from app.core.moments import now_ms
from app.core.records import sync_tables
from app.identity.models import Enrolment, Post
from app.sync_api import unread
from sync import erasure
from sync.stores.sql_upkeep import SqlUpkeep
from sync.upkeep import Erasure, Upkeep

SUFFIX = ".erasures"


def upkeep_of(session: Session, engine: Engine) -> Upkeep:
    """Return the upkeep of the store within a session's transaction."""
    return SqlUpkeep(engine.store(session))


def list_of(place: Path) -> Path:
    """Return the path of the list beside a database."""
    return place.with_name(place.name + SUFFIX)


def erase(
    session: Session,
    engine: Engine,
    place: Path,
    orders: Sequence[Erasure],
    *,
    also: Collection[str] = (),
) -> erasure.Erased:
    """Erase records and write each of them down in the audit log, too."""
    done = erase_together(session, engine, place, orders, also=also)
    for one in done.erasures:
        audit.record(session, "sync.erased", user_id=one.by, subject=f"{one.kind}:{one.record}",
                     reason=one.reason, scopes=len(one.scopes))  # fmt: skip
    return done


def erase_together(
    session: Session,
    engine: Engine,
    place: Path,
    orders: Sequence[Erasure],
    *,
    also: Collection[str] = (),
) -> erasure.Erased:
    """Erase records and enter them in both lists; the one outside is on the disk first.

    The caller writes down who ordered it, and how many they were: of a thousand people one by one
    nobody could read it.
    """
    done = _erased(session, engine, orders, also)
    append(list_of(place), done.erasures)
    return done


def carry_out_again(session: Session, engine: Engine, place: Path) -> int:
    """Erase what the list outside names and this copy still or again holds; return how many."""
    orders = read(list_of(place))
    known = [one for one in orders if one.kind in engine.tables]
    if not known:
        return 0
    return len(_erased(session, engine, known, ()).erasures)


def _erased(
    session: Session, engine: Engine, orders: Sequence[Erasure], also: Collection[str]
) -> erasure.Erased:
    """Erase records, and what nobody could read but that names them."""
    done = erasure.erase(upkeep_of(session, engine), engine.kinds, orders, also=also)
    unread.forget(session, engine.cipher, {one.record for one in (*orders, *done.erasures)})
    return done


def append(path: Path, erasures: Sequence[Erasure]) -> None:
    """Add erasures at the end of a list; they are on the disk afterwards.

    They begin on a line of their own, also after a line that was cut off.
    """
    if not erasures:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = "\n" + "".join(_line(one) for one in erasures)
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(lines)
        file.flush()
        os.fsync(file.fileno())


def _line(one: Erasure) -> str:
    shape = {"kind": one.kind, "record": one.record, "ms": one.ms, "reason": one.reason,
             "scopes": one.scopes, "by": one.by}  # fmt: skip
    return json.dumps(shape, ensure_ascii=False) + "\n"


def read(path: Path) -> list[Erasure]:
    """Return the erasures of a list; a line that was cut off is left out."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return []
    return [one for one in map(_erasure, lines) if one]


def _erasure(line: str) -> Erasure | None:
    try:
        shape = json.loads(line)
        return Erasure(shape["kind"], shape["record"], shape["ms"], shape["reason"],
                       tuple(shape["scopes"]), shape["by"])  # fmt: skip
    except (ValueError, KeyError, TypeError):
        return None


def order(kind: str, record: str, reason: str) -> Erasure:
    """Return the order to erase one record, given by the operator of the server now."""
    return Erasure(kind, record, now_ms(), reason)


# -- who has carried it out -----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Account:
    """How far an erasure has come.

    Attributes:
        done: phones that have erased the record, with the time at which they said so.
        open: phones of people who ever served there and that have not said so yet.
    """

    erasure: Erasure
    done: Sequence[tuple[str, int]]
    open: Sequence[str]


def accounts(session: Session, engine: Engine) -> list[Account]:
    """Return all erasures with the phones that have carried them out, and those that have not."""
    upkeep = upkeep_of(session, engine)
    found, witnesses = upkeep.erasures(), upkeep.witnesses()
    areas = {one.key: _grids(one) for one in found}
    paths = paths_of(session, set().union(*areas.values()))
    above = {grid: {*ancestors_of(path), grid} for grid, path in paths.items()}
    phones = _phones(session, set().union(*above.values()))
    told = []
    for one in found:
        done = witnesses.get(one.key, ())
        served = set().union(*(above.get(grid, ()) for grid in areas[one.key]))
        told.append(Account(one, done, _open(one, served, phones, {device for device, _ in done})))
    return told


def _grids(one: Erasure) -> set[int]:
    return {int(scope[5:]) for scope in one.scopes if scope.startswith("grid:")}


def _phones(session: Session, areas: set[int]) -> Mapping[str, list[tuple[str, int, int]]]:
    """Return for each phone in use: its device ids, when each was made, and areas served."""
    device = sync_tables.device.c
    enrolled = sa.cast(device.enrolment, sa.String) == Enrolment.id
    rows = session.execute(
        sa.select(Enrolment.id, device.id, device.made_ms, Post.area_id)
        .select_from(sync_tables.device)
        .join(Enrolment, enrolled)
        .join(Post, Post.user_id == device.user_id)
        .where(Post.area_id.in_(areas), Enrolment.revoked_at.is_(None))
        .order_by(device.made_ms)
    )
    phones: dict[str, list[tuple[str, int, int]]] = {}
    for enrolment, name, made_ms, area in rows:
        phones.setdefault(enrolment, []).append((name, made_ms, area))
    return phones


def _open(
    one: Erasure,
    areas: set[int],
    phones: Mapping[str, list[tuple[str, int, int]]],
    seen: set[str],
) -> list[str]:
    """Return the last device id of each phone that may hold the record and has not answered."""
    waiting = []
    for rows in phones.values():
        serves = any(area in areas and made_ms <= one.ms for _, made_ms, area in rows)
        if serves and not seen & {name for name, _, _ in rows}:
            waiting.append(rows[-1][0])
    return sorted(waiting)
