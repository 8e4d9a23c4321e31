"""One door for all that takes two persons: what waits, ask, approve, refuse, withdraw."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from marshmallow import Schema, fields, validate

from app.areas.models import Area
from app.core.actor import current_actor
from app.core.database import Mode, current_session
from app.core.deeds import Deed, current_deeds
from app.core.pagination import PageQuery, page
from app.core.web import Blueprint, Need
from app.identity import approvals
from app.identity.approvals import APPROVED, REFUSED, STATES, Approval
from app.office.schemas import reason

MINE, WAITING_FOR_ME = "mine", "waiting"


class ApprovalOut(Schema):
    """Something that one person has asked for and another decides about."""

    id = fields.UUID(required=True)
    action = fields.String(required=True)
    subject = fields.String(required=True, metadata={"description": "what it is about"})
    details = fields.Dict(keys=fields.String(), required=True, allow_none=True)
    area_id = fields.Integer(required=True)
    reason = fields.String(required=True)
    asked_by = fields.Integer(required=True)
    asked_at = fields.AwareDateTime(required=True)
    state = fields.String(required=True, validate=validate.OneOf(STATES))
    decided_by = fields.Integer(required=True, allow_none=True)
    decided_at = fields.AwareDateTime(required=True, allow_none=True)


class ApprovalQuery(PageQuery):
    """Whose approvals to list."""

    of = fields.String(
        load_default=WAITING_FOR_ME, validate=validate.OneOf((WAITING_FOR_ME, MINE)),
        metadata={"description": "`waiting` for your word, or `mine`: asked for by you"},
    )  # fmt: skip


def build_blueprint(deeds: Sequence[Deed]) -> Blueprint:
    """Return the doors of all deeds; each asks for its own action."""
    blueprint = Blueprint(
        "approvals", __name__, url_prefix="/api/v1/approvals", description="Two persons"
    )
    _list(blueprint)
    for deed in deeds:
        if deed.place is not None:
            _ask(blueprint, deed)
        _withdraw(blueprint, deed)
        _decide(blueprint, deed)
    return blueprint


def _now() -> datetime:
    return datetime.now(UTC)


def _list(blueprint: Blueprint) -> None:
    @blueprint.route("")
    @blueprint.guard("user.read")
    @blueprint.arguments(ApprovalQuery, location="query")
    @blueprint.response(200, ApprovalOut(many=True))
    def list_approvals(query: dict[str, Any]) -> Any:
        """List what waits for your word, or what you have asked for."""
        session, actor = current_session(), current_actor()
        part = {"limit": query["limit"], "cursor": query["cursor"]}
        if query["of"] == MINE:
            rows = approvals.asked_by(session, actor, **part)
        else:
            rows = approvals.waiting_for_me(session, actor, current_deeds(), **part, now=_now())
        return page(rows, query["limit"], lambda one: (one.id,))


def _ask(blueprint: Blueprint, deed: Deed) -> None:
    columns: dict[str, Any] = {
        "subject": fields.String(required=True, validate=validate.Length(1, 60)),
        "reason": reason(),
    }
    if deed.details is not None:
        columns["details"] = fields.Nested(deed.details, required=True)
    name = deed.action.replace(".", "_")
    asking = Schema.from_dict(columns, name=f"Ask_{name}")

    @blueprint.route(f"/{deed.action}", methods=["POST"], endpoint=f"ask_{name}")
    @blueprint.guard(deed.action, Mode.WRITE, need=Need.FRESH)
    @blueprint.arguments(asking)
    @blueprint.response(201, ApprovalOut)
    def ask(body: dict[str, Any]) -> Approval:
        """Ask a second person for an approval; nothing happens before."""
        assert deed.place is not None, "what is asked for elsewhere has no door here"
        session, actor, now = current_session(), current_actor(), _now()
        details = body.get("details", {})
        area = deed.place(session, actor, body["subject"], details, now)
        path = session.execute(sa.select(Area.path).where(Area.id == area)).scalar()
        approvals.demand_right(actor, deed.action, path, now, deed.rights)
        return approvals.ask(
            session, actor, deed.action, subject=body["subject"], area_id=area,
            reason=body["reason"], now=now, details=details,
        )  # fmt: skip


def _withdraw(blueprint: Blueprint, deed: Deed) -> None:
    path = f"/{deed.action}/<uuid:approval>"

    @blueprint.route(path, methods=["DELETE"], endpoint=f"withdraw_{deed.action.replace('.', '_')}")
    @blueprint.guard(deed.action, Mode.WRITE)
    @blueprint.response(200, ApprovalOut)
    def withdraw(approval: UUID) -> Approval:
        """Take back what you have asked for; a second time changes nothing."""
        return approvals.withdraw(current_session(), current_actor(), deed, str(approval), _now())


def _decide(blueprint: Blueprint, deed: Deed) -> None:
    for word, verdict in (("approve", APPROVED), ("refuse", REFUSED)):
        path = f"/{deed.action}/<uuid:approval>/{word}"
        _decide_as(blueprint, deed, path, word, verdict)


def _decide_as(blueprint: Blueprint, deed: Deed, path: str, word: str, verdict: str) -> None:
    endpoint = f"{word}_{deed.action.replace('.', '_')}"

    @blueprint.route(path, methods=["POST"], endpoint=endpoint)
    @blueprint.guard(deed.action, Mode.WRITE, need=Need.FRESH)
    @blueprint.response(200, ApprovalOut)
    def decide(approval: UUID) -> Approval:
        """Give your word as the second person; it is given once."""
        return approvals.settle(
            current_session(), current_actor(), deed, str(approval), verdict=verdict, now=_now()
        )
