"""The auditor's interface: look into the log, check it, export it, list whom a breach concerns."""

from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from flask import Response

from app.audit import breach, exporting, schemas, services
from app.audit.models import AuditLink
from app.audit.notice import notice_of
from app.audit.sealing import current_sealer
from app.core import audit
from app.core.actor import current_actor
from app.core.database import Mode, begin_writing, current_database, current_session
from app.core.pagination import page
from app.core.web import Blueprint, Need
from app.identity import approvals
from sync.errors import Problem
from sync.lines import NDJSON

blueprint = Blueprint(
    "audit", __name__, url_prefix="/api/v1/audit", description="Who did what, and who saw what"
)
CHECKED_MAX = 500_000


def _now() -> datetime:
    return datetime.now(UTC)


@blueprint.route("/events")
@blueprint.guard("audit.list")
@blueprint.arguments(schemas.AuditEventQuery, location="query")
@blueprint.response(200, schemas.AuditEventOut(many=True))
def list_events(query: dict[str, Any]) -> Any:
    """List rows of the audit log, oldest first; that you look is written down."""
    rows = services.find(current_session(), current_actor(), query)
    return page(rows, query["limit"], lambda row: (row.id,))


@blueprint.route("/verification", methods=["POST"])
@blueprint.guard("audit.verify", mode=None)
@blueprint.response(200, schemas.AuditVerdictOut)
def verify() -> Any:
    """Check the whole log against its chain and the anchors outside the database."""
    actor, sealer = current_actor(), current_sealer()
    with current_database().transaction(Mode.WRITE) as session:
        if (session.scalar(sa.select(sa.func.count()).select_from(AuditLink)) or 0) > CHECKED_MAX:
            raise Problem(409, "audit_too_long", most=CHECKED_MAX)
        audit.record(session, "audit.verify", user_id=actor.user_id)
    verifier, findings = exporting.verify(sealer)
    return {
        "ok": not findings, "rows": verifier.rows, "last": verifier.last,
        "public_key": sealer.pen.public_key, "findings": [asdict(one) for one in findings],
    }  # fmt: skip


@blueprint.route("/exports", methods=["POST"])
@blueprint.guard("audit.export", Mode.WRITE, need=Need.FRESH)
@blueprint.arguments(schemas.AuditExportIn)
@blueprint.response(202, schemas.AuditExportOut)
def ask(body: dict[str, str]) -> Any:
    """Ask to export the log; a second auditor decides."""
    return services.ask_for_export(current_session(), current_actor(), body["reason"], _now())


@blueprint.route("/exports")
@blueprint.guard("audit.export")
@blueprint.response(200, schemas.AuditExportOut(many=True))
def list_exports() -> Any:
    """List the exports that wait for your word."""
    return approvals.waiting_for(
        current_session(), current_actor(), services.EXPORT, limit=100, now=_now()
    )


@blueprint.route("/exports/<uuid:export>/verdict", methods=["POST"])
@blueprint.guard("audit.export", Mode.WRITE, need=Need.FRESH)
@blueprint.arguments(schemas.AuditVerdictIn)
@blueprint.response(200, schemas.AuditExportOut)
def decide(body: dict[str, str], export: UUID) -> Any:
    """Approve or refuse somebody else's export."""
    return approvals.settle(
        current_session(), current_actor(), services.DEED, str(export), verdict=body["verdict"],
        now=_now(),
    )  # fmt: skip


@blueprint.route("/exports/<uuid:export>/file")
@blueprint.guard("audit.export", Mode.WRITE, need=Need.FRESH)
@blueprint.response(200, content_type=NDJSON)
def fetch(export: UUID) -> Response:
    """Get the log, as lines that the stand-alone verifier checks; the fetch is written down."""
    services.to_fetch(current_session(), current_actor(), str(export), _now())
    return Response(_stream(), content_type=NDJSON, headers={
        "Content-Disposition": 'attachment; filename="audit.ndjson"'
    })  # fmt: skip


def _stream() -> Iterator[bytes]:
    """Yield the log; this begins after the request's own transaction, so its row is in it."""
    sealer = current_sealer()
    return ((line + "\n").encode() for line in exporting.lines(sealer))


@blueprint.route("/breach")
@blueprint.guard("audit.list")
@blueprint.arguments(schemas.AuditBreachQuery, location="query")
@blueprint.response(200, schemas.AuditBreachOut)
def list_breach(query: dict[str, Any]) -> Any:
    """List what a user, a phone or a session could read, did read, and holds; ids, no names."""
    session = current_session()
    who = breach.whose(session, user=query["user"], device=query["device"],
                       session_id=query["session"])  # fmt: skip
    found = breach.breach(session, who, query["begins"], query["ends"])
    begin_writing(session)
    breach.write_down(session, found, current_actor().user_id)
    shape = {name: getattr(found, name) for name in found.__dataclass_fields__}
    return {**shape, "notice": notice_of(found)}
