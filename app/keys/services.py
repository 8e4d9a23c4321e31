"""The use cases of keys: change them, which two persons do, and see how far that is."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from flask import current_app
from sqlalchemy.orm import Session

from app.core.actor import Actor
from app.core.database import Mode, current_database
from app.core.deeds import Asked, Deed
from app.core.engine import current_engine
from app.core.jobs import ask_for
from app.core.key_table import FieldKey
from app.core.keyring import CURRENT
from app.core.moments import now_ms
from app.core.settings import current_settings
from app.identity import approvals
from app.identity.approvals import Approval
from app.keys.making import Keys, Wish
from app.keys.rotating import Rotation
from app.photos.lane import current_lane
from app.sync_api.copying import CopyRoom
from app.sync_api.epochs import place_of
from sync.errors import Problem

ROTATE = "keys.rotate"
ACTION = "key.rotate"
SUBJECT = "key:"
WORK_MS = 60_000
"""How long the job works before it lets others have their turn."""
LISTED_MAX = 100
NEXT = "next"


def current_rotation() -> Rotation:
    """Return the sealing anew of the running application."""
    copies: CopyRoom = current_app.extensions["wangge_copies"]
    return Rotation(current_database(), current_engine(), current_lane(), copies.cupboard)


def keys_of(session: Session) -> Keys:
    """Return the keys of the running application within a writing transaction."""
    return Keys(session, current_engine().cipher.ring, place_of(current_settings()))


def listed(session: Session) -> Sequence[FieldKey]:
    """Return all keys that are written down; the first only once another was made."""
    return session.scalars(sa.select(FieldKey).order_by(FieldKey.number)).all()


def ask(session: Session, actor: Actor, *, algorithm: str, reason: str, now: datetime) -> Approval:
    """Ask that all keys be changed; another person who has the right must approve.

    Raises:
        Problem: 409 ``rotation_under_way``.
    """
    if under_way(session):
        raise Problem(409, "rotation_under_way")
    posts = [post for post in actor.posts_at(int(now.timestamp() * 1000)) if post.role == "da"]
    return approvals.ask(
        session, actor, ACTION, subject=f"{SUBJECT}{algorithm}", area_id=posts[0].area_id,
        reason=reason, now=now,
    )  # fmt: skip


def to_decide(session: Session, actor: Actor, now: datetime) -> Sequence[Approval]:
    """Return what others have asked for and the actor may decide."""
    return approvals.waiting_for(session, actor, ACTION, limit=LISTED_MAX, now=now)


def decide(
    session: Session, actor: Actor, approval_id: str, *, verdict: str, now: datetime
) -> Approval:
    """Say yes or no; a yes makes the new key, and a job seals everything anew with it.

    Raises:
        Problem: as ``approvals.decide``; 409 ``rotation_under_way``.
    """
    return approvals.settle(session, actor, DEED, approval_id, verdict=verdict, now=now)


def settle(
    session: Session, asked: Asked, decider: Actor, now: datetime, *, approved: bool
) -> None:
    """Make the new key and ask for the job, if it is approved.

    Raises:
        Problem: 409 ``rotation_under_way``.
    """
    if not approved:
        return
    if under_way(session):
        raise Problem(409, "rotation_under_way")
    at_ms = int(now.timestamp() * 1000)
    keys_of(session).make(
        Wish(asked.subject.removeprefix(SUBJECT), asked.id, decider.user_id), at_ms
    )
    ask_for(session, ROTATE, at_ms=at_ms)


DEED = Deed(ACTION, settle)


def under_way(session: Session) -> bool:
    """Tell whether something is still to be sealed with the current key."""
    current = sa.select(FieldKey.resealed_ms).where(FieldKey.state == CURRENT)
    row = session.execute(current).first()
    return row is not None and row.resealed_ms is None


def work(subject: str) -> None:
    """Seal anew for a while; what is left then is the next job's.

    The next one has another subject: asked for again under its own, this one would begin at once.
    """
    rotation, begun = current_rotation(), now_ms()
    rotation.ring.look()
    with rotation.database.transaction(Mode.READ) as session:
        row = session.get(FieldKey, rotation.ring.current.number)
    if row is None or row.resealed_ms is not None:
        return
    if not row.total:
        rotation.begin()
    if rotation.sweep_until(lambda: now_ms() - begun > WORK_MS) and rotation.finish(now_ms()):
        return
    at_ms = max(now_ms(), min(rotation.settled_ms(), now_ms() + WORK_MS))
    with rotation.database.transaction(Mode.WRITE) as session:
        ask_for(session, ROTATE, "" if subject else NEXT, at_ms=at_ms)


def shown(row: FieldKey) -> dict[str, Any]:
    """Return a key as it is shown: never what it is made of."""
    return {
        "number": row.number, "algorithm": row.algorithm, "state": row.state, "root": row.root,
        "made_at": moment(row.made_ms), "total": row.total, "done": min(row.done, row.total),
        "resealed_at": moment(row.resealed_ms), "ended_at": moment(row.ended_ms),
    }  # fmt: skip


def moment(ms: int | None) -> datetime | None:
    """Return a moment; None for none, and for what is older than we know."""
    return datetime.fromtimestamp(ms / 1000, UTC) if ms else None
