"""How the phones of an area sync: for those who run devices, by area, never by person.

A phone tells after a sync what it could not send; the server knows what it lacks. Only the last
word counts, so nothing here says when or how often somebody worked.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.areas.models import Area, AreaVersion
from app.core import policy
from app.core.actor import Actor
from app.core.conflicts import ConflictRow
from app.core.database import insert_into, table_of
from app.core.moments import now_ms
from app.core.pagination import after
from app.core.records import sync_tables
from app.core.span import as_house
from app.identity.models import Enrolment, Post
from app.identity.people import in_reach
from app.numbers.models import PhoneHealth
from app.photos.models import Photo
from app.photos.rules import EXPECTED
from sync.conflicts import OPEN
from sync.errors import Problem
from sync.parking import OPEN_STATES

_health, _device = table_of(PhoneHealth), sync_tables.device
_ledger, _parked = sync_tables.ledger, sync_tables.parked
_photos, _conflicts = table_of(Photo), table_of(ConflictRow)


@dataclass(frozen=True, slots=True)
class Health:
    """How one phone syncs.

    Attributes:
        synced: when it last synced; None when it never has.
        unsent, photos_waiting: what it still held, as it told itself; None when it did not.
        photos_owed: photos that it has announced and that have not arrived.
        parked: its edits that wait for somebody to mend or drop them.
        conflicts: open ones in its area.
    """

    id: str
    device: str | None
    area: int
    area_name: str
    model: str
    app: str
    schema: int | None
    synced: datetime | None
    unsent: int | None
    photos_waiting: int | None
    photos_owed: int
    parked: int
    conflicts: int
    path: str


class _Phone(NamedTuple):
    path: str
    model: str
    id: str
    app: str
    user_id: int


def tell(session: Session, actor: Actor, word: Mapping[str, Any]) -> None:
    """Take a phone's word about itself, over the one before.

    Raises:
        Problem: 404 when the device is not that of the phone that asks.
    """
    query = sa.select(_device.c.enrolment).where(_device.c.id == str(word["device"]))
    enrolment = session.execute(query).scalar()
    if actor.enrolment is None or enrolment != actor.enrolment:
        raise Problem(404, "unknown_device")
    values = {**word, "device": str(word["device"]), "synced_ms": now_ms()}
    told = insert_into(session, _health).values(values)
    session.execute(told.on_conflict_do_update(index_elements=["device"], set_=values))


def list_health(
    session: Session, actor: Actor, *, limit: int, cursor: str | None, now: datetime
) -> Sequence[Health]:
    """Return the phones in use that the actor may see, by area and then by name of the device.

    Phones of one place stand together; no order says who is behind.
    """
    phones = _phones(session, actor, limit=limit, cursor=cursor, now=now)
    devices = _newest_devices(session, [one.id for one in phones])
    names = _area_names(session, {_area(one.path) for one in phones})
    facts = _facts(session, phones, devices)
    return [_as_health(one, devices.get(one.id), names, facts) for one in phones]


def _phones(
    session: Session, actor: Actor, *, limit: int, cursor: str | None, now: datetime
) -> list[_Phone]:
    reach = policy.reach(actor, "device.list", int(now.timestamp() * 1000))
    serves = sa.and_(Post.starts <= now, sa.or_(Post.ends.is_(None), Post.ends > now))
    placed = (
        sa.select(
            sa.func.min(Area.path).label("path"), Enrolment.model, Enrolment.id, Enrolment.app,
            Enrolment.user_id,
        )
        .join(Post, Post.user_id == Enrolment.user_id)
        .join(Area, Area.id == Post.area_id)
        .where(serves, Enrolment.revoked_at.is_(None), Enrolment.wiped_at.is_(None),
               in_reach(Enrolment.user_id, reach, actor.user_id, now))
        .group_by(Enrolment.id)
        .subquery()
    )  # fmt: skip
    order = (placed.c.path, placed.c.model, placed.c.id)
    rows = session.execute(
        sa.select(placed).where(after(order, cursor)).order_by(*order).limit(limit + 1)
    )
    return [_Phone(*row) for row in rows]


@as_house()
def _newest_devices(session: Session, enrolments: Sequence[str]) -> dict[str, Any]:
    """Return the present device of each phone: it takes a new one after a fork."""
    found = (
        sa.select(_device.c.enrolment, _device.c.id,
                  sa.func.coalesce(_health.c.app, _device.c.app).label("app"),
                  sa.func.coalesce(_health.c.schema, _device.c.schema).label("schema"),
                  _ledger.c.received_ms, _health.c.synced_ms, _health.c.unsent,
                  _health.c.photos_waiting)
        .outerjoin(_ledger, sa.and_(_ledger.c.device == _device.c.id,
                                    _ledger.c.n == _device.c.last_n))
        .outerjoin(_health, _health.c.device == _device.c.id)
        .where(_device.c.enrolment.in_(enrolments))
        .order_by(_device.c.made_ms, _device.c.id)
    )  # fmt: skip
    return {row.enrolment: row for row in session.execute(found)}


@as_house()
def _facts(
    session: Session, phones: Sequence[_Phone], devices: Mapping[str, Any]
) -> dict[str, dict[Any, int]]:
    """Return what the server lacks or holds back: photos by holder, the rest by device, area."""
    ids = [row.id for row in devices.values()]
    users = [one.user_id for one in phones]
    areas = [_area(one.path) for one in phones]
    return {
        "photos": _counted(session, _photos.c.taken_by, _photos.c.taken_by.in_(users),
                           _photos.c.state == EXPECTED, _photos.c.deleted.is_(None)),
        "parked": _counted(session, _parked.c.device, _parked.c.device.in_(ids),
                           _parked.c.state.in_(OPEN_STATES)),
        "conflicts": _counted(session, _conflicts.c.grid, _conflicts.c.grid.in_(areas),
                              _conflicts.c.state == OPEN, _conflicts.c.deleted.is_(None)),
    }  # fmt: skip


def _counted(session: Session, by: Any, *wanted: sa.ColumnElement[bool]) -> dict[Any, int]:
    rows = session.execute(sa.select(by, sa.func.count()).where(*wanted).group_by(by))
    return {row[0]: row[1] for row in rows}


def _area_names(session: Session, areas: set[int]) -> dict[int, str]:
    rows = session.execute(
        sa.select(AreaVersion.area_id, AreaVersion.name)
        .where(AreaVersion.area_id.in_(areas))
        .order_by(AreaVersion.valid_from)
    )
    return {row.area_id: row.name for row in rows}


def _as_health(
    phone: _Phone, device: Any, names: Mapping[int, str], facts: Mapping[str, Mapping[Any, int]]
) -> Health:
    area = _area(phone.path)
    last = max((device.received_ms or 0, device.synced_ms or 0), default=0) if device else 0
    return Health(
        phone.id, device.id if device else None, area, names.get(area, ""), phone.model,
        (device and device.app) or phone.app, device.schema if device else None,
        datetime.fromtimestamp(last / 1000, UTC) if last else None,
        device.unsent if device else None, device.photos_waiting if device else None,
        facts["photos"].get(phone.user_id, 0),
        facts["parked"].get(device.id, 0) if device else 0,
        facts["conflicts"].get(area, 0), phone.path,
    )  # fmt: skip


def _area(path: str) -> int:
    return int(path.rstrip(".").rpartition(".")[2])
