"""Which orders and certificates somebody may read: those of the areas he serves in or over."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.areas.services import paths_of
from app.campaigns import rules
from app.campaigns.models import CampaignPart, CampaignPlan, DestructionCertificate, EmergencyOrder
from app.core.actor import Actor
from app.core.database import table_of
from app.core.engine import current_engine
from app.core.moments import as_text, now_ms
from app.notices.models import Notice
from sync.errors import Problem

ORDERS_MAX = 500
COUNTY_ROLES = frozenset({"cm", "au"})


def _meet(actor: Actor, paths: Sequence[str]) -> bool:
    """Tell whether somebody serves in, below or above one of some areas."""
    posts = actor.posts_at(now_ms())
    return any(post.path.startswith(path) or path.startswith(post.path)
               for post in posts for path in paths)  # fmt: skip


def _of_county(actor: Actor) -> bool:
    return any(post.role in COUNTY_ROLES for post in actor.posts_at(now_ms()))


def may_see(actor: Actor, order: dict[str, Any]) -> bool:
    """Tell whether somebody may read an order; what is only proposed is the county's."""
    seen = _of_county(actor) or order["state"] != rules.PROPOSED
    return seen and _meet(actor, rules.split(order["paths"]))


def orders(session: Session, actor: Actor) -> list[dict[str, Any]]:
    """Return the orders that stand, the latest first; there are never many."""
    rows = session.execute(_bodies().order_by(EmergencyOrder.id.desc()).limit(ORDERS_MAX))
    return [one for one in map(_shown, rows) if may_see(actor, one)]


def order(session: Session, actor: Actor, name: str) -> dict[str, Any]:
    """Return one order.

    Raises:
        Problem: 404.
    """
    row = session.execute(_bodies().where(EmergencyOrder.id == name)).first()
    found = _shown(row) if row else None
    if found is None or not may_see(actor, found):
        raise Problem(404, "not_found")
    return found


def plan(session: Session, actor: Actor, order: Mapping[str, Any]) -> dict[str, Any]:
    """Return the notice and the task that an order is to bring, for those who may approve it."""
    hidden = order["state"] != rules.PROPOSED or not _of_county(actor)
    found = None if hidden else session.get(CampaignPlan, order["id"])
    return {"notice": found and found.notice, "task": found and found.task}


def _bodies() -> Any:
    model = EmergencyOrder
    return sa.select(model.id, model.rv, model.body).where(model.deleted.is_(None))


def _shown(row: Any) -> dict[str, Any]:
    body = current_engine().seal.open(EmergencyOrder.kind, row.id, row.body)
    return {"id": row.id, "rv": row.rv, **json.loads(body)}


def notices_of(session: Session, name: str) -> Iterator[tuple[str, int, str]]:
    """Yield the notices that an order has brought: id, version, last moment."""
    part, notice = CampaignPart, table_of(Notice).c
    rows = session.execute(
        sa.select(notice.id, notice.rv, notice.valid_until)
        .join(part, sa.and_(part.record == notice.id, part.kind == Notice.kind))
        .where(part.order_id == name, notice.deleted.is_(None))
    )
    for record, rv, until in rows.all():
        yield record, rv, as_text(round(until.timestamp() * 1000))


def certificate(session: Session, actor: Actor, name: str) -> DestructionCertificate:
    """Return the certificate of a destruction.

    Raises:
        Problem: 404 when there is none, or none for this actor.
    """
    found = session.get(DestructionCertificate, name)
    path = paths_of(session, [found.county]).get(found.county) if found else None
    if found is None or path is None or not _meet(actor, [path]):
        raise Problem(404, "not_found")
    return found
