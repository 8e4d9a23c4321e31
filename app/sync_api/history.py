"""The history of a record: every edit with what it found, what it said and what became of it."""

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from marshmallow import Schema, fields
from sqlalchemy.orm import Session

from app.areas.services import paths_of
from app.core import audit, policy
from app.core.actor import Actor, current_actor
from app.core.conflicts import ConflictRow
from app.core.database import Mode, current_session
from app.core.engine import Engine, current_engine
from app.core.feature import KindPolicy
from app.core.moments import as_text, now_ms
from app.core.pagination import PageQuery, after, page
from app.core.policy import Answer
from app.core.records import RESTRICTED, sync_tables
from app.core.sight import unveiled
from app.core.span import as_house
from app.core.web import Blueprint
from app.office import reveals
from app.office.reveals import Glass
from app.sync_api.scopes import scopes_of
from sync.clock import ActTime
from sync.conflicts import CONFLICT
from sync.edits import Edit, Record
from sync.errors import Problem
from sync.gate import Work

Values = Mapping[str, Any]


class HistoryOut(Schema):
    """One edit in the history of a record."""

    edit = fields.UUID()
    op = fields.String()
    choice = fields.String(metadata={"description": "of a resolution: keep, swap or undo"})
    user = fields.Integer()
    device = fields.UUID()
    at = fields.String(metadata={"description": "when it was made, by the server's clock"})
    received_at = fields.String()
    rv = fields.Integer(metadata={"description": "the version it led to; 0 if to none"})
    status = fields.String()
    code = fields.String()
    flags = fields.List(fields.String())
    lost = fields.List(
        fields.String(), metadata={"description": "fields and groups in which it lost"}
    )
    conflicts = fields.List(fields.UUID())
    fields_ = fields.Dict(
        data_key="fields",
        metadata={"description": "for each field: before, set (what it said), after"},
    )


def action_of(policy_: KindPolicy) -> str:
    """Return the action that shows a history: to read the record."""
    read = policy_.list_action.removesuffix("list") + "read"
    return read if policy.knows(read) else policy_.list_action


def build_blueprint(policies: Sequence[KindPolicy]) -> Blueprint:
    """Return one door for each kind of record, with the guard of that kind."""
    blueprint = Blueprint(
        "history", __name__, url_prefix="/api/v1/records", description="Who changed what, and when"
    )
    for one in policies:
        _open_door(blueprint, one)
    return blueprint


def _open_door(blueprint: Blueprint, policy_: KindPolicy) -> None:
    kind = policy_.model.kind

    @blueprint.route(f"/{kind}/<uuid:record>/history", endpoint=f"{kind}_history")
    @blueprint.guard(action_of(policy_), Mode.WRITE)
    @blueprint.arguments(PageQuery, location="query")
    @blueprint.response(200, HistoryOut(many=True))
    def read_history(query: dict[str, Any], record: UUID) -> Any:
        """Read the history of a record, oldest first; the read is written down."""
        session, actor = current_session(), current_actor()
        mask = _mask_for(session, actor, policy_, str(record))
        rows = _rows(session, kind, str(record), query)
        audit.record(session, f"{kind}.history", user_id=actor.user_id, subject=str(record),
                     sort=audit.READ, why=audit.OWN_WORK,
                     reads={kind: {"history": len(rows)}})  # fmt: skip
        shown, headers = page(rows, query["limit"], lambda row: (row.received_ms, row.edit))
        return [_shown(row, mask) for row in shown], 200, headers


def _mask_for(session: Session, actor: Actor, policy_: KindPolicy, record: str) -> "_Seen":
    """Return how the actor may see the values of a record.

    Raises:
        Problem: 404 absent or out of scope, 403 in scope but not for this role.
    """
    engine, model = current_engine(), policy_.model
    row = session.execute(sa.select(model.rv, model.body).where(model.id == record)).first()
    if row is None:
        raise Problem(404, "not_found")
    values = json.loads(engine.seal.shown(model.kind, record, row.body))
    if values.get(RESTRICTED):
        raise Problem(404, "not_found")
    target = Record(model.kind, record, row.rv, values, {})
    answer = _answer(session, actor, policy_, target)
    if answer is Answer.ABSENT:
        raise Problem(404, "not_found")
    glass = Glass(model.kind, record, action_of(policy_))
    if answer is Answer.REASON and reveals.use(session, actor, glass):
        answer = Answer.YES
    elif model.needs_approval(values, datetime.now(UTC)) and not reveals.use(
        session, actor, glass, approved=True
    ):
        raise Problem(403, "approval_needed", action=glass.action)
    if answer not in (Answer.YES, Answer.MASKED):
        raise Problem(403, answer.value, action=action_of(policy_))
    hidden = _hidden_persons(engine, actor, model.kind, target.values)
    if answer is Answer.YES:
        secret = engine.tables[model.kind].sensitive
        return _Seen(partial(_without, secret) if secret else _whole, hidden)
    return _Seen(lambda values: engine.mask(model.kind, values), hidden)


def _answer(session: Session, actor: Actor, policy_: KindPolicy, target: Record) -> Answer:
    """Return what the table says to reading a record, in the best of the areas where it lies.

    What is told to whole areas lies in many, and in those above: whoever may pull it may read it.
    """
    action, now = action_of(policy_), now_ms()
    work = _question(current_engine(), target, now)
    own = policy_.own(actor, work, {})
    areas = policy_.grids(work, {}, None) or ()
    paths: list[str | None] = [*paths_of(session, areas).values()] if areas else []
    said = [policy.decide(actor, action, path=path, own=own, at_ms=now) for path in paths or [None]]
    best = min(said, key=lambda one: list(Answer).index(one.answer))
    if "grid" in target.values or (best.answer is Answer.YES and best.office):
        return best.answer
    if policy.reach(actor, action, now).everything:
        return best.answer
    told = set(policy_.model.scopes_of(target.values)) & set(scopes_of(session, actor, now))
    return Answer.YES if told else Answer.ABSENT


def _hidden_persons(
    engine: Engine, actor: Actor, kind: str, values: Values
) -> Mapping[str, int | None]:
    """Return the fields of a record that name persons whom the actor need not know, and whom."""
    table = engine.tables[kind]
    shown = unveiled(actor, table, values, now_ms())
    return {name: values.get(name) for name in table.veiled if shown.get(name) != values.get(name)}


@dataclass(frozen=True, slots=True)
class _Seen:
    """How an actor sees a history: its values, and which persons he does not learn of."""

    mask: Callable[[Values], Values]
    persons: Mapping[str, int | None]

    def values(self, values: Values) -> Values:
        """Return the values of an edit as he sees them."""
        seen = self.mask(values)
        return {name: None if name in self.persons else value for name, value in seen.items()}

    def hides(self, user: int) -> bool:
        """Tell whether he does not learn that this user made an edit."""
        return user in self.persons.values()


def _hidden(values: Values) -> Values:
    """Show which fields there are, and no value."""
    return dict.fromkeys(values)


def _without(secret: Collection[str], values: Values) -> Values:
    """Show what may be seen without a stated reason."""
    return {**values, **dict.fromkeys(values.keys() & secret)}


def _whole(values: Values) -> Values:
    return values


def _question(engine: Engine, record: Record, now: int) -> Work:
    """Ask a policy about a record as it stands."""
    kind = engine.tables[record.kind].kind
    act = ActTime(now, anchored=True, suspect=False)
    return Work(Edit(0, "", "update", record.kind, record.id), kind, record, act)


@as_house()
def _rows(session: Session, kind: str, record: str, query: Mapping[str, Any]) -> list[Any]:
    """Read the edits of a record and the choices in its conflicts: one statement."""
    t = sync_tables.ledger
    conflicts = sa.select(ConflictRow.id).where(ConflictRow.record == record)
    about = sa.union_all(conflicts, sa.select(sa.literal(record, t.c.rec.type)))
    return list(
        session.execute(
            sa.select(t)
            .where(t.c.rec.in_(about), t.c.kind.in_((kind, CONFLICT.name)))
            .where(after([t.c.received_ms, t.c.edit], query["cursor"]))
            .order_by(t.c.received_ms, t.c.edit)
            .limit(query["limit"] + 1)
        )
    )


def _shown(row: Any, seen: _Seen) -> dict[str, Any]:
    receipt = json.loads(row.receipt)
    opened = current_engine().seal.open(row.kind, row.edit, row.body) if row.body else "{}"
    body = json.loads(opened)
    said: Values = body.get("set", {})
    if seen.mask is not _whole and not isinstance(seen.mask, partial) and not row.rv:
        # What was never applied may have any shape; masks know only good ones.
        seen = _Seen(_hidden, seen.persons)
    chosen = {"choice": said.get("choice")} if row.op == "resolve" else {}
    sides = {"before": body.get("before", {}), "set": {} if chosen else said,
             "after": body.get("after", {})}  # fmt: skip
    masked = {side: seen.values(values) for side, values in sides.items()}
    hidden = seen.hides(row.user_id)
    names = dict.fromkeys(name for values in masked.values() for name in values)
    return {
        "edit": row.edit, "op": row.op, **chosen, "user": None if hidden else row.user_id,
        "device": None if hidden else row.device,
        "at": as_text(row.ms), "received_at": as_text(row.received_ms), "rv": row.rv,
        "status": receipt["status"], "code": receipt.get("code"),
        "flags": receipt.get("flags", []), "lost": receipt.get("lost", []),
        "conflicts": receipt.get("conflicts", []),
        "fields_": {name: _field(name, masked) for name in names},
    }  # fmt: skip


def _field(name: str, sides: Mapping[str, Values]) -> dict[str, Any]:
    """Return what one field was, what the edit said, and what it was afterwards."""
    known = {side: values[name] for side, values in sides.items() if name in values}
    return known if "after" in known or "set" not in known else {**known, "after": known["set"]}
