"""The use cases of the county: propose an order, approve it with all it brings, end it early."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.campaigns import reading, rules
from app.campaigns.bringing import hand_out_tasks, write_all
from app.campaigns.models import TASKS, CampaignPart, CampaignPlan, EmergencyOrder
from app.core import audit
from app.core.actor import Actor
from app.core.database import insert_into
from app.core.identifiers import new_id
from app.core.moments import as_text, now_ms
from app.notices.house import HOUSE
from app.notices.rules import EMERGENCY
from app.office import writing
from sync.edits import Edit

Values = Mapping[str, Any]
PLANNED = ("notice", "task")
KIND = EmergencyOrder.kind


def propose(session: Session, actor: Actor, body: Values) -> str:
    """Write an order down with the notice and the tasks it is to bring; nobody sees it yet."""
    fields = {name: value for name, value in body.items() if name not in PLANNED}
    order = writing.create(session, actor, KIND, fields)
    plan = {name: _plain(body.get(name)) for name in PLANNED}
    wish = insert_into(session, CampaignPlan.__table__).values(order_id=order, **plan)
    session.execute(wish.on_conflict_do_nothing())
    audit.record(session, "order.proposed", user_id=actor.user_id, subject=order)
    return order


def _plain(plan: Values | None) -> dict[str, Any] | None:
    """Return a plan as JSON can hold it."""
    return None if plan is None else {
        name: value.isoformat() if isinstance(value, datetime) else value
        for name, value in plan.items()
    }  # fmt: skip


def approve(session: Session, actor: Actor, shown: Values) -> None:
    """Open an order as its second person, and bring its notice and its tasks.

    Raises:
        Problem: 403 for whoever proposed it, and whatever is wrong with what it brings.
    """
    writing.change(session, actor, KIND, shown["id"], {"approved": "yes"}, base=shown["rv"])
    if shown["state"] == rules.OPEN:
        return  # the same request again, known by its Idempotency-Key
    plan = session.get(CampaignPlan, shown["id"])
    brought = _notice(session, actor, shown, plan.notice if plan else None)
    if plan and plan.task:
        paths = rules.split(shown["paths"])
        batch, tasks = hand_out_tasks(session, actor, shown, paths, plan.task)
        brought += [(TASKS, batch), *(("task", task) for task in tasks)]
    _note(session, shown["id"], brought)
    audit.record(session, "order.approved", user_id=actor.user_id, subject=shown["id"],
                 records=len(brought))  # fmt: skip


def _notice(
    session: Session, actor: Actor, order: Values, plan: Values | None
) -> list[tuple[str, str]]:
    if plan is None:
        return []
    notice = new_id()
    told = {**plan, "areas": order["areas"], "urgency": EMERGENCY,
            "valid_from": order["starts"], "valid_until": order["ends"]}  # fmt: skip
    write_all(session, actor, [Edit(0, "", "create", "notice", notice, set=told)])
    return [("notice", notice)]


def _note(session: Session, order: str, brought: Sequence[tuple[str, str]]) -> None:
    """Note what an order has brought: it is destroyed with it."""
    rows = [{"order_id": order, "kind": kind, "record": record} for kind, record in brought]
    if rows:
        session.execute(sa.insert(CampaignPart), rows)


def close(session: Session, actor: Actor, shown: Values) -> None:
    """End an order now; its data are destroyed within 30 days from now."""
    now = now_ms()
    ends, latest = as_text(now), as_text(now + rules.KEPT_AFTER_END_MS)
    earlier = {"ends": ends, "destroy_by": min(shown["destroy_by"], latest)}
    writing.change(session, actor, KIND, shown["id"], {}, base=shown["rv"], added=earlier)
    notices = reading.notices_of(session, shown["id"])
    write_all(session, HOUSE, [
        Edit(0, "", "update", "notice", record, base=rv, set={"valid_until": ends})
        for record, rv, until in notices if until > ends
    ])  # fmt: skip
    audit.record(session, "order.closed", user_id=actor.user_id, subject=shown["id"])
