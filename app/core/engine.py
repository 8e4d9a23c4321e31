"""The sync engine as this application runs it: kinds, tables, seal, and the one way in."""

import json
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import sqlalchemy as sa
from flask import current_app
from sqlalchemy.orm import Session

from app.core import edit_events
from app.core.actor import OFFICE_ROLES, Actor
from app.core.cipher import BodySeal, Cipher, derive_key
from app.core.conflicts import ConflictTable, mask_conflict
from app.core.database import begin_writing
from app.core.feature import KindPolicy
from app.core.gate import DESK, Actors, PolicyGate
from app.core.ground import Survey
from app.core.identifiers import new_id
from app.core.moments import now_ms
from app.core.records import KindTable, sync_tables
from app.core.sight import Sight, sight_of
from app.core.span import as_house
from sync.clock import Anchors
from sync.conflicts import CONFLICT
from sync.edits import Draft, Edit
from sync.errors import Problem, Stale
from sync.gate import Gate
from sync.kinds import Kinds
from sync.pull import AREA
from sync.push import Push, PushReply, push
from sync.stores.sql import SqlStore, Table

ATTEMPTS_MAX = 20


@dataclass
class Engine:
    """What the requests share: built once by the factory."""

    cipher: Cipher
    anchors: Anchors
    survey: Survey
    actors: Actors
    policies: Mapping[str, KindPolicy]
    tables: Mapping[str, KindTable] = field(init=False)
    kinds: Kinds = field(init=False)
    seal: BodySeal = field(init=False)

    def __post_init__(self) -> None:
        self.tables = {
            name: KindTable(one.model, self.cipher) for name, one in self.policies.items()
        }
        kinds = [table.kind for table in self.tables.values()]
        self.kinds = Kinds(kinds)
        self.seal = BodySeal(self.cipher, frozenset(k.name for k in kinds if not k.sealed))

    def mask(self, kind: str, values: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return the values of a record as somebody sees them who may not see personal ones."""
        table = self.tables.get(kind)
        return table.mask(values) if table else mask_conflict(values)

    def sight(self, actor: Actor, at_ms: int) -> Sight:
        """Return what an actor may see of each kind at a moment."""
        return sight_of(actor, self.policies, self.tables, at_ms)

    def store(self, session: Session) -> SqlStore:
        """Return the store within a session's transaction."""
        tables: dict[str, Table] = {**self.tables, CONFLICT.name: ConflictTable()}
        return SqlStore(session, sync_tables, tables, self.seal, begin_writing)

    @as_house()
    def push(
        self,
        session: Session,
        actor: Actor,
        device: str,
        drafts: Sequence[Draft],
        now_ms: int,
        *,
        enrolment: str | None = None,
    ) -> PushReply:
        """Apply edits in the open transaction, judged for this actor.

        Args:
            enrolment: to which the device must belong; None when it is the office's own.
        """
        # What the office writes, also through a phone's session, is not the phone's sync.
        judged = actor if enrolment else replace(actor, enrolment=None)
        gate = PolicyGate(
            session, judged, self.policies, self.survey,
            actors=self.actors, device=device, now_ms=now_ms,
        )  # fmt: skip
        home = _home_of(actor, now_ms)
        context = Push(
            device, actor.user_id, now_ms, self.anchors, gate, self.kinds, home, enrolment,
            partial(_place_of_parked, gate, home or f"me:{actor.user_id}"),
        )  # fmt: skip
        reply = push(self.store(session), drafts, context)
        edit_events.write_down(session, reply, user_id=actor.user_id, device=device)
        return reply


def _place_of_parked(gate: PolicyGate, home: str, scope: str) -> str:
    """Return whose people see a parked edit that belongs to a scope.

    All who serve below an area read its scope: what one of them had refused stays with his own.
    """
    return home if scope.startswith(AREA) else gate.present_scope(scope)


def _home_of(actor: Actor, now_ms: int) -> str | None:
    """Return whose people see what somebody's edits leave parked that name no place themselves.

    It is the first grid that he serves, or has served; of somebody in an office, the desk of
    his area: what is his is no business of all who serve below it.
    """
    posts = (*actor.posts_at(now_ms), *actor.posts)
    grids = [f"grid:{post.area_id}" for post in posts if post.level == "grid"]
    desks = [f"{DESK}:{post.area_id}" for post in posts if post.role in OFFICE_ROLES]
    return next(iter([*grids, *desks]), None)


def build_engine(
    secret_key: str,
    cipher: Cipher,
    policies: Sequence[KindPolicy],
    *,
    survey: Survey,
    actors: Actors,
) -> Engine:
    """Return the engine of an application."""
    anchors = Anchors(derive_key(secret_key, "wangge anchors"))
    return Engine(cipher, anchors, survey, actors, {one.model.kind: one for one in policies})


def current_engine() -> Engine:
    """Return the engine of the running application."""
    engine: Engine = current_app.extensions["wangge_engine"]
    return engine


@as_house()
def write_as_office(
    session: Session,
    actor: Actor,
    edit: Edit,
    *,
    key: str | None = None,
    said: Mapping[str, Any] | None = None,
) -> Mapping[str, Any]:
    """Write one edit from the office through the same door as a phone's.

    The office's device is the user's own; its numbers are given here, in the transaction.

    Args:
        edit: its number and id are ignored.
        key: an Idempotency-Key of this user; the same key again returns the first receipt.
        said: the values that the caller sent himself; by them a repetition is known.

    Returns:
        The receipt. The caller turns a refusal in it into an answer.

    Raises:
        Problem: 409 when the key came before with another request.
    """
    engine, now = current_engine(), now_ms()
    device = office_device(session, actor)
    edit_id = _edit_of_key(actor, key) if key else new_id()
    if key and (known := _repeated(session, edit_id, edit, edit.set if said is None else said)):
        return known
    kind = engine.kinds.get(edit.kind)
    numbered = Edit(
        n=device.last_n + 1, id=edit_id, op=edit.op, kind=edit.kind, rec=edit.rec,
        base=edit.base, set=edit.set, schema=kind.schema if kind else edit.schema,
        at={"claimed": now},
    )  # fmt: skip
    try:
        reply = engine.push(session, actor, device.id, [Draft(numbered)], now)
    except Stale:
        raise Problem(503, "retry") from None
    return reply.results[0]


@as_house()
def write_all_as_office(
    session: Session,
    actor: Actor,
    edits: Sequence[Edit],
    *,
    gate: Gate | None = None,
    at_ms: int | None = None,
) -> list[Mapping[str, Any]]:
    """Write edits through one user's own device, as one batch; return their receipts.

    Args:
        edits: their numbers, ids and moments are given here.
        gate: judges them, when they have been judged as a whole; else each is for this actor.
        at_ms: when it happens, if not now.
    """
    engine, device = current_engine(), office_device(session, actor)
    now = now_ms() if at_ms is None else at_ms
    drafts = [
        Draft(replace(edit, n=device.last_n + place, id=new_id(), at={"claimed": now}))
        for place, edit in enumerate(edits, start=1)
    ]
    if gate is None:
        return engine.push(session, actor, device.id, drafts, now).results
    context = Push(device.id, actor.user_id, now, engine.anchors, gate, engine.kinds)
    reply = push(engine.store(session), drafts, context)
    edit_events.write_down(session, reply, user_id=actor.user_id, device=device.id)
    return reply.results


def was_written(session: Session, actor: Actor, key: str) -> bool:
    """Tell whether an Idempotency-Key of this user has come before."""
    return bool(current_engine().store(session).known([_edit_of_key(actor, key)]))


def _edit_of_key(actor: Actor, key: str) -> str:
    """Return the id of the edit that a user's key stands for; nobody else's key is the same."""
    return str(uuid.uuid5(uuid.NAMESPACE_OID, f"office/{actor.user_id}/{key}"))


def _repeated(
    session: Session, edit_id: str, edit: Edit, said: Mapping[str, Any]
) -> Mapping[str, Any] | None:
    """Return the first receipt of a request that came before, None when it is new.

    Versions and dates that the server adds differ the second time; what the caller said does not.
    Of what is older than the history only the receipt is left to go by.
    """
    t = sync_tables.ledger
    row = session.execute(
        sa.select(t.c.op, t.c.kind, t.c.rec, t.c.receipt, t.c.body).where(t.c.edit == edit_id)
    ).first()
    if row is None:
        return None
    receipt: Mapping[str, Any] = json.loads(row.receipt)
    if not row.body:
        return receipt
    before = json.loads(current_engine().seal.open(row.kind, edit_id, row.body))["set"]
    same_thing = (row.op, row.kind) == (edit.op, edit.kind)
    same_record = edit.op == "create" or row.rec == edit.rec
    same_words = all(name in before and before[name] == said[name] for name in said)
    if not (same_thing and same_record and same_words):
        raise Problem(409, "edit_id_reused")
    return receipt


def office_device(session: Session, actor: Actor) -> Any:
    """Return the device row of an office user, made at the first write."""
    t = sync_tables.device
    query = sa.select(t.c.id, t.c.last_n).where(
        t.c.user_id == actor.user_id, t.c.enrolment.is_(None)
    )
    found = session.execute(query.with_for_update()).first()
    if found:
        return found
    row = {"id": new_id(), "user_id": actor.user_id, "last_n": 0, "last_ms": 0, "made_ms": now_ms(),
           "schema": 1, "app": "office"}  # fmt: skip
    session.execute(sa.insert(t).values(**row))
    return session.execute(query).one()
