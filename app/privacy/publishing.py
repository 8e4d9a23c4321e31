"""Publish notices, and open purposes: what is told to people, and what may be asked of them."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.core import audit
from app.core.actor import Actor
from app.core.database import insert_into, table_of
from app.core.deeds import Asked, Deed
from app.core.redaction import find
from app.households import purposes
from app.households.consents import PURPOSES
from app.households.purposes import (
    SENSITIVE_PURPOSES,
    ConsentNotice,
    PurposeRow,
    open_purpose,
    purpose_of,
    purposes_of,
    subject_of,
)
from app.identity import approvals
from app.identity.approvals import WAITING, Approval
from app.identity.rules import ms_of
from sync.errors import FieldError, Problem

OPEN_ACTION = "settings.update"
_purposes, _approvals = table_of(PurposeRow), table_of(Approval)


def publish(session: Session, actor: Actor, wish: Mapping[str, Any], now: datetime) -> int:
    """Publish a notice and return its version; older consents of renewed purposes count no more.

    Raises:
        Problem: 422 when the text holds numbers of people.
    """
    errors = [FieldError(name, one.code).as_json()
              for name in ("zh", "en") for one in find(wish[name])]  # fmt: skip
    if errors:
        raise Problem(422, "invalid_fields", errors=errors)
    version = purposes_of(session).latest + 1
    session.add(ConsentNotice(
        version=version, starts=now.date(), zh=wish["zh"], en=wish["en"], renews=wish["renews"],
        published_at=now, published_by=actor.user_id,
    ))  # fmt: skip
    session.flush()
    rows = [{"purpose": one, "from_notice": version} for one in sorted(set(wish["renews"]))]
    if rows:
        insertion = insert_into(session, _purposes)
        session.execute(insertion.on_conflict_do_update(
            index_elements=["purpose"], set_={"from_notice": version}
        ), rows)  # fmt: skip
    purposes.forget(session)
    audit.record(session, "privacy.notice_published", user_id=actor.user_id,
                 subject=f"notice:{version}", renews=wish["renews"])  # fmt: skip
    return version


def listed(session: Session) -> list[dict[str, Any]]:
    """Return how all purposes stand."""
    standing = purposes_of(session)
    rows = {one.purpose: one for one in session.scalars(sa.select(PurposeRow))}
    waiting = set(session.scalars(
        sa.select(_approvals.c.subject)
        .where(_approvals.c.action == OPEN_ACTION, _approvals.c.state == WAITING)
    ))  # fmt: skip
    return [
        {"purpose": one, "open": not standing.closed(one),
         "from_notice": standing.from_notice.get(one, 1),
         "assessment": row.assessment if (row := rows.get(one)) else None,
         "assessed_on": row.assessed_on if row else None,
         "waits": subject_of(one) in waiting}
        for one in PURPOSES
    ]  # fmt: skip


def ask_to_open(
    session: Session, actor: Actor, purpose: str, wish: Mapping[str, Any], now: datetime
) -> None:
    """Ask for a sensitive purpose to be opened, naming the impact assessment.

    Raises:
        Problem: 404 no such purpose, 403, 409 ``purpose_open``, 422 an assessment of the future.
    """
    if purpose not in SENSITIVE_PURPOSES:
        raise Problem(404, "not_found")
    if not purposes_of(session).closed(purpose):
        raise Problem(409, "purpose_open")
    if wish["assessed_on"] > now.date():
        error = FieldError("assessed_on", "in_the_future").as_json()
        raise Problem(422, "invalid_fields", errors=[error])
    row = {"purpose": purpose, "assessment": wish["assessment"],
           "assessed_on": wish["assessed_on"]}  # fmt: skip
    insertion = insert_into(session, _purposes).values(**row)
    session.execute(insertion.on_conflict_do_update(index_elements=["purpose"], set_=row))
    approvals.ask(session, actor, OPEN_ACTION, subject=subject_of(purpose),
                  area_id=_county_of(actor, now), reason=wish["assessment"], now=now)  # fmt: skip


def _county_of(actor: Actor, now: datetime) -> int:
    """Return the area of the post by which somebody may open purposes."""
    areas = [one.area_id for one in actor.posts_at(ms_of(now)) if one.role == "cm"]
    if not areas:
        raise Problem(403, "not_allowed", action=OPEN_ACTION)
    return areas[0]


def decide(session: Session, actor: Actor, purpose: str, *, verdict: str, now: datetime) -> None:
    """Decide, as another person, whether a purpose is opened.

    Raises:
        Problem: 404 nobody has asked; else as ``approvals.decide``.
    """
    asked = sa.select(Approval.id).where(
        Approval.action == OPEN_ACTION, Approval.subject == subject_of(purpose),
        Approval.state == WAITING,
    )  # fmt: skip
    approval = session.scalars(asked.order_by(Approval.id.desc())).first()
    if approval is None:
        raise Problem(404, "not_found")
    approvals.settle(session, actor, DEED, approval, verdict=verdict, now=now)


def settle(
    session: Session, asked: Asked, decider: Actor, now: datetime, *, approved: bool
) -> None:
    """Open the purpose that was asked for, if another person agrees."""
    if approved:
        open_purpose(session, purpose_of(asked.subject), by=decider.user_id, now=now)


DEED = Deed(OPEN_ACTION, settle)


def now_utc() -> datetime:
    """Return the server's time."""
    return datetime.now(UTC)
