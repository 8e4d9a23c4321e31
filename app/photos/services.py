"""The use cases of photos in the office: register, hide a part, count what has arrived."""

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.core import jobs
from app.core.actor import Actor
from app.core.moments import now_ms
from app.core.policy import Reach, reach
from app.incidents.models import Incident
from app.office import writing
from app.office.reading import place_of_record, within_reach
from app.photos.finishing import PICTURES
from app.photos.models import Photo
from app.photos.rules import ARRIVED, REJECTED
from app.tasks.models import Task
from sync.errors import Problem

LEDGER_MAX = 500


def register(session: Session, actor: Actor, body: Mapping[str, Any]) -> str:
    """Register a photo whose bytes will follow; return its id."""
    return writing.create(session, actor, "photo", body)


def hide(session: Session, actor: Actor, shown: Mapping[str, Any], parts: Sequence[Any]) -> None:
    """Hide parts of a photo from everybody who sees less than the original."""
    writing.change(session, actor, "photo", shown["id"], {"redactions": parts}, base=shown["rv"])
    jobs.ask_for(session, PICTURES, at_ms=now_ms())


def delete(session: Session, actor: Actor, shown: Mapping[str, Any]) -> None:
    """Delete a photo; its bytes go soon after."""
    writing.change(session, actor, "photo", shown["id"], {}, base=shown["rv"], op="delete")


def reach_of(session: Session, actor: Actor, incident: str | None) -> Reach | None:
    """Return where the actor may list photos; of an incident opened for a reason, those of it.

    Raises:
        Problem: 404 absent or out of scope, 403 ``reason_required``.
    """
    seen = reach(actor, "photo.list", now_ms())
    if incident is None or seen.paths or seen.everything:
        return None
    place_of_record(session, actor, Incident, incident, "photo.list")
    return Reach(everything=True)


def ledger(session: Session, actor: Actor, wish: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return for each incident and task how many photos were announced, and how many arrived.

    Raises:
        Problem: 403 when the role may see none of them.
    """
    seen = reach(actor, "photo.list", now_ms())
    if not (seen.paths or seen.everything):
        raise Problem(403, "not_allowed", action="photo.list")
    return [
        row
        for name, model in (("incident", Incident), ("task", Task))
        for row in _counted(session, name, model, within_reach(model, seen), wish)
    ]


def _counted(
    session: Session, name: str, model: Any, where: sa.ColumnElement[bool], wish: Mapping[str, Any]
) -> list[dict[str, Any]]:
    subject = getattr(Photo, name)
    arrived = sa.func.sum(sa.case((Photo.state.in_(ARRIVED), 1), else_=0))
    rejected = sa.func.sum(sa.case((Photo.state == REJECTED, 1), else_=0))
    query = (
        sa.select(model.id, model.grid, model.photo_count, sa.func.count(Photo.id), arrived,
                  rejected)
        .outerjoin(Photo, sa.and_(subject == model.id, Photo.deleted.is_(None)))
        .where(where, model.deleted.is_(None))
        .group_by(model.id, model.grid, model.photo_count)
        .having(sa.or_(sa.func.count(Photo.id) > 0, model.photo_count > 0))
        .order_by(model.id.desc())
        .limit(LEDGER_MAX)
    )  # fmt: skip
    for field in ("incident", "task"):
        if wish[field]:
            query = query.where(model.id == str(wish[field]) if field == name else sa.false())
    if wish["grid"] is not None:
        query = query.where(model.grid == wish["grid"])
    return [
        {name: row[0], "grid": row[1], "announced": max(row[2] or 0, row[3]), "known": row[3],
         "arrived": int(row[4] or 0), "rejected": int(row[5] or 0)}
        for row in session.execute(query)
    ]  # fmt: skip
