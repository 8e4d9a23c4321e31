"""Parked edits in the office: see why each waits, correct it, or lay it aside."""

from collections.abc import Mapping
from typing import Any, NoReturn
from uuid import UUID

import sqlalchemy as sa
from marshmallow import Schema, fields, validate
from sqlalchemy.orm import Session

from app.areas.models import Area
from app.areas.services import below_any, paths_of
from app.core import policy, reads
from app.core.actor import Actor, current_actor
from app.core.database import Mode, current_session
from app.core.engine import current_engine
from app.core.gate import DESK, area_of_scope
from app.core.moments import as_text, now_ms
from app.core.pagination import PageQuery, after, page
from app.core.policy import Answer
from app.core.records import sync_tables
from app.core.span import as_house
from app.core.web import Blueprint
from app.office import writing
from sync import parking
from sync.errors import Problem

blueprint = Blueprint("parked", __name__, url_prefix="/api/v1", description="Parked edits")
STATES = (parking.PARKED, parking.HELD, parking.REPAIRED, parking.DISCARDED)
_t = sync_tables.parked
Shape = dict[str, Any]


class ParkedQuery(PageQuery):
    """Which parked edits to list."""

    state = fields.String(load_default=parking.PARKED, validate=validate.OneOf(STATES))
    grid = fields.Integer(load_default=None, validate=validate.Range(1, 2**53))
    user = fields.Integer(load_default=None, validate=validate.Range(1, 2**53))
    code = fields.String(load_default=None, validate=validate.Length(1, 60))


class ParkedOut(Schema):
    """An edit that waits for a human, whole, with the reason in words."""

    id = fields.UUID()
    device = fields.UUID(allow_none=True)
    user = fields.Integer(
        allow_none=True,
        metadata={"description": "null where you need not know whom such a record names"},
    )
    kind = fields.String()
    record = fields.UUID()
    code = fields.String()
    words = fields.Dict(metadata={"description": "the code: zh, en, mend_zh, mend"})
    errors = fields.List(fields.Dict(), metadata={"description": "each with its own words"})
    state = fields.String()
    waits_for = fields.UUID(metadata={"description": "held: the record whose creation is parked"})
    parked_at = fields.String()
    expires_at = fields.String(metadata={"description": "180 days after it was parked"})
    expires_soon = fields.Boolean(metadata={"description": "within 14 days"})
    edit = fields.Dict()


class ParkedCount(Schema):
    """How many edits wait in one state for one reason."""

    state = fields.String()
    code = fields.String()
    count = fields.Integer()
    expiring = fields.Integer(metadata={"description": "of these, within 14 days"})


class Repair(Schema):
    """Corrections to a parked edit."""

    set = fields.Dict(required=True, metadata={"description": "fields with their right values"})


@blueprint.route("/parked-edits")
@blueprint.guard("parking.list")
@blueprint.arguments(ParkedQuery, location="query")
@blueprint.response(200, ParkedOut(many=True))
def list_parked(query: Shape) -> Any:
    """List parked edits: your own, or those of your area."""
    actor = current_actor()
    rows = _rows(
        current_session(), actor, query["limit"] + 1,
        after([_t.c.edit], query["cursor"]), *_wanted(query), *_nameable(actor, query["user"]),
    )  # fmt: skip
    return page(rows, query["limit"], lambda row: (row["id"],))


@blueprint.route("/parked-edits/<uuid:edit>")
@blueprint.guard("parking.list")
@blueprint.response(200, ParkedOut)
def read_parked(edit: UUID) -> Any:
    """Read one parked edit."""
    rows = _rows(current_session(), current_actor(), 1, _t.c.edit == str(edit))
    return rows[0] if rows else _refuse(current_session(), current_actor(), str(edit))


@blueprint.route("/parked-edits/counts")
@blueprint.guard("parking.list")
@blueprint.response(200, ParkedCount(many=True))
def count_parked() -> Any:
    """Count what waits for somebody, by state and reason."""
    soon = sa.case((_t.c.parked_ms < _soon_ms(now_ms()), 1), else_=0)
    rows = current_session().execute(
        sa.select(_t.c.state, _t.c.code, sa.func.count(), sa.func.sum(soon))
        .where(_seen(current_actor()), _t.c.state.in_(parking.OPEN_STATES))
        .group_by(_t.c.state, _t.c.code)
        .order_by(_t.c.state, _t.c.code)
    )
    return [
        {"state": state, "code": code, "count": count, "expiring": expiring}
        for state, code, count, expiring in rows
    ]


@blueprint.route("/parked-edits/<uuid:edit>/repair", methods=["POST"])
@blueprint.guard("parking.release", Mode.WRITE)
@blueprint.arguments(Repair)
@blueprint.response(200, Schema.from_dict({"status": fields.String()}, name="RepairReceipt"))
def repair(body: Shape, edit: UUID) -> Any:
    """Correct a parked edit; it is applied as its author's, and what waited for it follows."""
    session = current_session()
    return writing.change(
        session, current_actor(), parking.PARKING.name, str(edit), body["set"],
        base=0, op="repair", schema=_schema_of(session, str(edit)),
    )  # fmt: skip


@blueprint.route("/parked-edits/<uuid:edit>/discard", methods=["POST"])
@blueprint.guard("parking.release", Mode.WRITE)
@blueprint.response(200, Schema.from_dict({"status": fields.String()}, name="DiscardReceipt"))
def discard(edit: UUID) -> Any:
    """Lay a parked edit aside for good; it stays in the ledger."""
    return writing.change(
        current_session(), current_actor(), parking.PARKING.name, str(edit), {},
        base=0, op="discard",
    )  # fmt: skip


def _refuse(session: Session, actor: Actor, edit: str) -> NoReturn:
    """Refuse to show a parked edit: it is absent or out of scope, or in scope and not his.

    Raises:
        Problem: 404 or 403.
    """
    with as_house():
        scope = session.scalar(sa.select(_t.c.scope).where(_t.c.edit == edit))
    area = area_of_scope(scope)
    path = paths_of(session, [area]).get(area) if area else None
    said = policy.decide(actor, "parking.list", path=path, own=False, at_ms=now_ms()).answer
    if said is Answer.NO:
        raise Problem(403, said.value, action="parking.list")
    raise Problem(404, "not_found")


def _soon_ms(now: int) -> int:
    """Return the moment before which an edit was parked that expires within the warning."""
    return now - parking.KEPT_MS + parking.WARNED_MS


def _wanted(query: Mapping[str, Any]) -> list[sa.ColumnElement[bool]]:
    wanted = {"state": query["state"], "user_id": query["user"], "code": query["code"],
              "scope": f"grid:{query['grid']}" if query["grid"] else None}  # fmt: skip
    return [_t.c[name] == value for name, value in wanted.items() if value is not None]


def _nameable(actor: Actor, user: int | None) -> list[sa.ColumnElement[bool]]:
    """Leave out, when asked for one person's, those whose author is not shown: it would tell."""
    veiled = current_engine().sight(actor, now_ms()).veils
    if user is None or user == actor.user_id or not veiled:
        return []
    return [_t.c.kind.not_in(sorted(veiled))]


def _seen(actor: Actor) -> sa.ColumnElement[bool]:
    """Return the condition that somebody may list a parked edit: his own, or of his area."""
    reach = policy.reach(actor, "parking.list", now_ms())
    seen = [_t.c.user_id == actor.user_id if reach.own else sa.false()]
    if reach.everything:
        seen.append(sa.true())
    if reach.paths:
        places = sa.select(sa.cast(Area.id, sa.String)).where(below_any(reach.paths)).subquery()
        seen += [
            _t.c.scope.in_(sa.select(sa.literal(f"{place}:") + places.c[0]))
            for place in ("grid", DESK)
        ]
    return sa.or_(*seen)


def _rows(
    session: Session, actor: Actor, limit: int, *filters: sa.ColumnElement[bool]
) -> list[Shape]:
    """Return parked edits as somebody may see them, by id, which is by time."""
    found = session.execute(
        sa.select(_t).where(_seen(actor), *filters).order_by(_t.c.edit).limit(limit)
    )
    engine, now = current_engine(), now_ms()
    store, sight = engine.store(session), engine.sight(actor, now)
    rows = []
    for row in found:
        values = sight.parked_edit(parking.values_of(store.parked_of(row)))
        table, masked = engine.tables.get(row.kind), row.kind in sight.masked
        reads.note(session, table, [{**values["edit"]["set"], "id": row.edit}], masked=masked)
        rows.append({
            **values, "id": row.edit, "parked_at": as_text(values["parked_ms"]),
            "expires_at": as_text(values["expires_ms"]),
            "expires_soon": row.parked_ms < _soon_ms(now),
        })  # fmt: skip
    return rows


def _schema_of(session: Session, edit: str) -> int:
    """Return the present schema of the kind that a parked edit is about."""
    name = session.scalar(sa.select(_t.c.kind).where(_t.c.edit == edit))
    kind = current_engine().kinds.get(name or "")
    return kind.schema if kind else 1
