"""The use cases of exports: ask, have it approved, follow it, fetch it, and let it go."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.areas.models import Area
from app.core import audit, policy
from app.core.actor import Actor
from app.core.database import Mode, lock_rows, table_of
from app.core.deeds import RIGHTS, Asked, Deed
from app.core.identifiers import new_id
from app.core.jobs import ask_for
from app.core.pagination import after
from app.core.policy import Answer
from app.exports.layers import GRIDS, LAYERS
from app.exports.models import (
    EXPIRED,
    FAILED,
    MAKING,
    QUEUED,
    READY,
    REFUSED,
    WAITING,
    Export,
    key_of,
)
from app.identity import approvals
from app.identity.models import User
from app.photos.lane import current_lane
from sync.errors import Problem

CREATE = "export.create"
MAKE = "exports.make"
KEPT_FOR = timedelta(hours=24)
TENDED_AT_ONCE = 200
OPEN_MAX = 3
"""How many exports of one person may be under way at once."""
_READABLE = (Answer.YES, Answer.REASON)


def ask(session: Session, actor: Actor, wish: Mapping[str, Any], now: datetime) -> Export:
    """Ask for an export; without identifiers it is made at once, else when another has approved.

    Raises:
        Problem: 404 for an area out of scope, 403 for a layer that the actor may not list, 409
            ``too_many_exports``, 422.
    """
    path = _path(session, wish["area"])
    demand_right(actor, wish["layer"], path, personal=wish["personal"], now=now)
    _demand_room(session, actor.user_id, now)
    export = Export(
        id=new_id(), user_id=actor.user_id, layer=wish["layer"], format=wish["format"],
        area_id=wish["area"], personal=wish["personal"], reason=wish["reason"] or "",
        state=WAITING if wish["personal"] else QUEUED, rows_done=0, asked_at=now,
    )  # fmt: skip
    if export.personal:
        export.approval = approvals.ask(
            session, actor, CREATE, subject=f"export:{export.id}", area_id=export.area_id,
            reason=export.reason, now=now,
        ).id  # fmt: skip
    session.add(export)
    session.flush()
    _note(session, "export.asked", export, actor.user_id)
    if export.state == QUEUED:
        _queue(session, export, now)
    return export


def _demand_room(session: Session, user_id: int, now: datetime) -> None:
    """Let somebody have a few exports under way at once; what nobody approved in time is over.

    Raises:
        Problem: 409 ``too_many_exports``.
    """
    # His requests wait for each other here, so none is counted twice.
    session.execute(lock_rows(sa.select(User.id).where(User.id == user_id)))
    waits = sa.and_(Export.state == WAITING, Export.asked_at > now - approvals.LIFE)
    under_way = session.scalar(
        sa.select(sa.func.count())
        .select_from(Export)
        .where(Export.user_id == user_id, sa.or_(waits, Export.state.in_((QUEUED, MAKING))))
    )
    if (under_way or 0) >= OPEN_MAX:
        raise Problem(409, "too_many_exports", most=OPEN_MAX)


def decide(
    session: Session, actor: Actor, export_id: str, *, verdict: str, now: datetime
) -> Export:
    """Approve or refuse somebody else's export of personal fields.

    Raises:
        Problem: as ``approvals.decide``.
    """
    export = session.get(Export, export_id)
    if export is None or export.approval is None:
        raise Problem(404, "not_found")
    path = _path(session, export.area_id)
    demand_right(actor, export.layer, path, personal=True, now=now)
    approvals.settle(session, actor, DEED, export.approval, verdict=verdict, now=now)
    return export


def settle(
    session: Session, asked: Asked, decider: Actor, now: datetime, *, approved: bool
) -> None:
    """Let an export be made, or note that it was refused, or taken back.

    Raises:
        Problem: 404, 403 for somebody who may not see such records himself.
    """
    export = session.scalars(sa.select(Export).where(Export.approval == asked.id)).one()
    if approved:
        path = _path(session, export.area_id)
        demand_right(decider, export.layer, path, personal=True, now=now)
        _queue(session, export, now)
    export.state = QUEUED if approved else REFUSED
    session.flush()


DEED = Deed(CREATE, settle)


def list_exports(
    session: Session, actor: Actor, *, limit: int, cursor: str | None
) -> Sequence[Export]:
    """Return the actor's own exports by the time he asked, one more than a page holds."""
    return session.scalars(
        sa.select(Export)
        .where(Export.user_id == actor.user_id, after([Export.id], cursor))
        .order_by(Export.id)
        .limit(limit + 1)
    ).all()


def to_decide(session: Session, actor: Actor, *, limit: int, now: datetime) -> Sequence[Export]:
    """Return the exports that wait for the actor's word."""
    waiting = approvals.waiting_for(session, actor, CREATE, limit=limit, now=now)
    ids = [one.id for one in waiting]
    query = sa.select(Export).where(Export.approval.in_(ids)).order_by(Export.id)
    return session.scalars(query).all()


def own(session: Session, actor: Actor, export_id: str) -> Export:
    """Return an export of the actor's own.

    Raises:
        Problem: 404 for anybody else's.
    """
    export = session.get(Export, export_id)
    if export is None or export.user_id != actor.user_id:
        raise Problem(404, "not_found")
    return export


def to_fetch(session: Session, actor: Actor, export_id: str, now: datetime) -> Export:
    """Return an export that its owner fetches now; the fetch is written down.

    Raises:
        Problem: 404 not his own, 403 he may not see such records any more, 409 not ready, 410.
    """
    export = own(session, actor, export_id)
    path = _path(session, export.area_id)
    demand_right(actor, export.layer, path, personal=export.personal, now=now)
    if export.state == EXPIRED or (export.expires_at and export.expires_at <= now):
        raise Problem(410, "export_expired")
    if export.state != READY:
        raise Problem(409, "export_not_ready", state=export.state)
    _note(session, "export.fetched", export, actor.user_id)
    return export


def demand_right(
    actor: Actor, layer: str, path: str | None, *, personal: bool, now: datetime
) -> None:
    """Let an export pass that shows no more than the actor's lists do, or than he may read.

    Raises:
        Problem: 404 out of scope, 403 not allowed there.
    """
    if path is None:
        raise Problem(404, "not_found")
    at_ms = int(now.timestamp() * 1000)
    answer = policy.decide(actor, CREATE, path=path, own=False, at_ms=at_ms).answer
    if answer not in RIGHTS:
        raise Problem(404 if answer is Answer.ABSENT else 403, answer.value, action=CREATE)
    action = "org_unit.list" if layer == GRIDS else LAYERS[layer].list_action
    reach = policy.reach(actor, action, at_ms)
    if not (reach.everything or any(path.startswith(one) for one in reach.paths)):
        raise Problem(403, "not_allowed", action=action)
    if personal and layer != GRIDS:
        reading = LAYERS[layer].read_action
        if policy.decide(actor, reading, path=path, own=False, at_ms=at_ms).answer not in _READABLE:
            raise Problem(403, "not_allowed", action=reading)


def tend(now: datetime) -> int:
    """Remove what has lain here for a day; return how many."""
    lane, table = current_lane(), table_of(Export)
    with lane.database.transaction(Mode.WRITE) as session:
        old = session.scalars(
            sa.select(Export)
            .where(Export.state == READY, Export.expires_at <= now)
            .order_by(Export.id)
            .limit(TENDED_AT_ONCE)
        ).all()
        keys = [key_of(one) for one in old]
        lane.shelf.strike(session, keys)
        ids = [one.id for one in old]
        session.execute(sa.update(table).where(table.c.id.in_(ids)).values(state=EXPIRED))
        if ids:
            audit.record(session, "export.expired", user_id=None, exports=ids)
    lane.shelf.discard(keys)
    return len(keys)


def give_up(export_id: str, fault: str) -> None:
    """Say of an export that it cannot be made."""
    table = table_of(Export)
    with current_lane().database.transaction(Mode.WRITE) as session:
        failed = sa.update(table).where(table.c.id == export_id)
        session.execute(failed.values(state=FAILED, fault=fault))


def _queue(session: Session, export: Export, now: datetime) -> None:
    ask_for(session, MAKE, export.id, at_ms=int(now.timestamp() * 1000))


def _path(session: Session, area: int) -> str | None:
    return session.execute(sa.select(Area.path).where(Area.id == area)).scalar()


def _note(session: Session, event: str, export: Export, user_id: int) -> None:
    audit.record(
        session, event, user_id=user_id, subject=f"export:{export.id}", layer=export.layer,
        format=export.format, area=export.area_id, personal=export.personal,
        reason=export.reason, rows=export.rows_total,
    )  # fmt: skip


def now_utc() -> datetime:
    """Return the server's time."""
    return datetime.now(UTC)
