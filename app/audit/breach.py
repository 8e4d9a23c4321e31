"""Say what somebody, a phone or a session could read between two moments, and what they did read.

*Could*: the records in the areas in which the person had a right to them at any moment of that
time. *Did*: what the audit log says was shown or handed out. A phone *holds* what it was handed
at any time up to the end. Where the log names only the versions of a scope, the feed and the
ledger tell the records; when in doubt a record counts as read.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.areas.models import Area
from app.areas.services import below_any
from app.audit.affected import Affected, affected
from app.core import audit, policy
from app.core.actor import Actor
from app.core.audit import READ, AuditEvent
from app.core.database import table_of
from app.core.engine import Engine, current_engine
from app.core.policy import Answer
from app.core.records import sync_tables
from app.identity.authentication import posts_of
from app.identity.models import AuthSession, Enrolment
from app.identity.rules import ms_of
from app.sync_api.scopes import scopes_of
from sync.errors import Problem
from sync.values import as_identity

Keys = set[tuple[str, str]]
Windows = dict[str, list[tuple[int, int, int]]]
_events, _feed, _ledger = table_of(AuditEvent), sync_tables.feed, sync_tables.ledger
_SEEN = (Answer.YES, Answer.MASKED, Answer.REASON)
FETCHED = "export.fetched"
IDS_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Whose:
    """Who is looked at: a user, and of him perhaps only one phone or one session."""

    user_id: int
    enrolment: str | None = None
    session_id: str | None = None

    def made(self) -> sa.ColumnElement[bool]:
        """Return the condition that an audit row is of them."""
        if self.session_id:
            return _events.c.session_id == self.session_id
        if self.enrolment:
            return _events.c.enrolment == self.enrolment
        return _events.c.user_id == self.user_id


@dataclass
class Breach:
    """What was open to somebody, and what was read, as ids and counts.

    Attributes:
        scopes: what a phone of his was granted at any moment of the time.
        could, did, holds: records by kind, and whom they are about.
        rows: how many rows of the audit log that rests on.
    """

    whose: Whose
    begins: datetime
    ends: datetime
    scopes: list[str] = field(default_factory=list)
    could: Affected = field(default_factory=Affected)
    did: Affected = field(default_factory=Affected)
    holds: Affected = field(default_factory=Affected)
    rows: int = 0
    unlisted: Mapping[str, int] = field(default_factory=dict)


def whose(
    session: Session,
    *,
    user: int | None = None,
    device: str | None = None,
    session_id: str | None = None,
) -> Whose:
    """Return whom a request names: exactly one of the three.

    Args:
        device: the id of a phone, or one of the device ids under which it has synced.

    Raises:
        Problem: 404 when it is nobody's, 422 when it is not exactly one.
    """
    if sum(one is not None for one in (user, device, session_id)) != 1:
        raise Problem(422, "invalid_fields", errors=[{"field": "user", "code": "name_one"}])
    if user is not None:
        return Whose(user)
    found = _by_session(session, session_id) if session_id else _by_device(session, device or "")
    if found is None:
        raise Problem(404, "not_found")
    return found


def _by_session(session: Session, session_id: str) -> Whose | None:
    row = session.execute(
        sa.select(AuthSession.user_id, AuthSession.enrolment_id).where(AuthSession.id == session_id)
    ).first()
    if row is None:
        # A session that has outlived itself is deleted; the log still knows whose it was.
        row = session.execute(
            sa.select(_events.c.user_id, _events.c.enrolment)
            .where(_events.c.session_id == session_id, _events.c.user_id.is_not(None))
            .limit(1)
        ).first()
    return Whose(row[0], row[1], session_id) if row else None


def _by_device(session: Session, device: str) -> Whose | None:
    name = as_identity(device)
    if name is None:
        return None
    owner = session.scalar(sa.select(Enrolment.user_id).where(Enrolment.id == name))
    if owner is not None:
        return Whose(owner, name)
    t = sync_tables.device.c
    row = session.execute(sa.select(t.user_id, t.enrolment).where(t.id == name)).first()
    return Whose(row.user_id, row.enrolment) if row and row.enrolment else None


def breach(session: Session, who: Whose, begins: datetime, ends: datetime) -> Breach:
    """Return what was open and what was read between two moments; the look is written down."""
    engine = current_engine()
    found = Breach(who, begins, ends)
    actor = Actor(who.user_id, posts_of(session, who.user_id))
    moments = _moments(actor, ms_of(begins), ms_of(ends))
    found.scopes = sorted({one for at in moments for one in scopes_of(session, actor, at)})
    could = _could(session, engine, actor, moments, ms_of(ends))
    in_time = (_events.c.at >= begins, _events.c.at <= ends)
    did, found.rows, found.unlisted = _read(session, engine, who, *in_time)
    held, _, _ = _read(session, engine, who, _events.c.at <= ends, _events.c.device.is_not(None))
    found.could, found.did, found.holds = (
        affected(session, keys, ends) for keys in (could, did, held)
    )
    return found


def write_down(session: Session, found: Breach, user_id: int | None) -> None:
    """Write down that the list was made."""
    audit.record(
        session, "audit.breach", user_id=user_id, subject=f"user:{found.whose.user_id}",
        sort=READ, why="breach_list", begins=found.begins.isoformat(),
        ends=found.ends.isoformat(), households=len(found.did.households),
    )  # fmt: skip


def _moments(actor: Actor, begins_ms: int, ends_ms: int) -> list[int]:
    """Return moments at which together all rights of the time were held: each begins somewhere."""
    starts = {post.starts_ms for post in actor.posts if begins_ms < post.starts_ms <= ends_ms}
    return sorted({begins_ms, *starts})


def _could(
    session: Session, engine: Engine, actor: Actor, moments: Sequence[int], ends_ms: int
) -> Keys:
    """Return the records of persons that lie where he had a right to such records."""
    found: Keys = set()
    for kind, one in engine.policies.items():
        table = engine.tables[kind]
        if not table.personal or "grid" not in table.table.c:
            continue
        read = one.list_action.removesuffix("list") + "read"
        actions = {one.list_action, read if policy.knows(read) else one.list_action}
        paths = {path for at in moments for action in actions
                 for path in policy.paths_of(actor, action, _SEEN, at)}  # fmt: skip
        if paths:
            rows = table.table.c
            grids = sa.select(Area.id).where(below_any(tuple(paths)))
            there = session.scalars(
                sa.select(rows.id).where(rows.grid.in_(grids), ~_made_after(rows.id, ends_ms))
            )
            found |= {(kind, str(record)) for record in there}
    return found


def _made_after(record: Any, ms: int) -> sa.ColumnElement[bool]:
    t = _ledger.c
    return sa.exists().where(t.rec == record, t.rv == 1, t.received_ms > ms)


def _read(
    session: Session, engine: Engine, who: Whose, *more: sa.ColumnElement[bool]
) -> tuple[Keys, int, dict[str, int]]:
    """Return the records that the log says were read, from how many rows, and what it counts only.

    What is only counted: rows that name no record, as those of exports and of staff do.
    """
    rows = session.execute(
        sa.select(_events.c.event, _events.c.subject, _events.c.at, _events.c.details)
        .where(who.made(), sa.or_(_events.c.sort == READ, _events.c.event == FETCHED), *more)
        .order_by(_events.c.id)
    ).all()
    found: Keys = set()
    windows: Windows = {}
    unlisted: dict[str, int] = {}
    for row in rows:
        if row.event == FETCHED:
            layer = f"export of {row.details.get('layer')}"
            unlisted[layer] = unlisted.get(layer, 0) + (row.details.get("rows") or 0)
            continue
        reads: Mapping[str, Any] = row.details.get("reads") or {}
        named = row.details.get("records") or ([row.subject] if row.subject else [])
        for scope, (first, last, _count) in (row.details.get("scopes") or {}).items():
            windows.setdefault(scope, []).append((first, last, ms_of(row.at)))
        if named:
            found |= {(kind, record) for kind in reads for record in named}
        elif "scopes" not in row.details:
            for kind, classes in reads.items():
                unlisted[kind] = unlisted.get(kind, 0) + max(classes.values(), default=0)
    found = _true_kinds(session, engine, found)
    return found | _handed_out(session, engine, windows), len(rows), unlisted


def _true_kinds(session: Session, engine: Engine, keys: Keys) -> Keys:
    """Keep of (kind, record) those that are there: a row of several kinds names them together."""
    kept: Keys = set()
    for kind in sorted({kind for kind, _ in keys}):
        ids = sorted(as_identity(record) or "" for one, record in keys if one == kind)
        table = engine.tables.get(kind)
        if table is not None:
            kept |= {(kind, one) for one in _present(session, table.table.c.id, ids)}
    return kept


def _present(session: Session, column: Any, ids: Sequence[str]) -> set[str]:
    wanted = [one for one in ids if one]
    found: set[str] = set()
    for start in range(0, len(wanted), IDS_AT_ONCE):
        some = wanted[start : start + IDS_AT_ONCE]
        found |= {str(one) for one in session.scalars(sa.select(column).where(column.in_(some)))}
    return found


def _handed_out(session: Session, engine: Engine, windows: Windows) -> Keys:
    """Return the records of persons that lay between versions of scopes when those were handed out.

    A record that has changed since counts if it was there before the scope was last handed out.
    """
    if not windows:
        return set()
    personal = [kind for kind, table in engine.tables.items() if table.on_phones]
    t = _feed.c
    rows = session.execute(
        sa.select(t.scope, t.kind, t.record, t.ver)
        .where(t.scope.in_(sorted(windows)), t.kind.in_(personal))
    ).all()  # fmt: skip
    found: Keys = set()
    later: dict[str, tuple[str, int]] = {}
    for row in rows:
        spans = windows[row.scope]
        if any(first <= row.ver <= last for first, last, _ in spans):
            found.add((row.kind, str(row.record)))
        elif row.ver > max(last for _, last, _ in spans):
            later[str(row.record)] = (row.kind, max(at for _, _, at in spans))
    made = _made_ms(session, later)
    found |= {(kind, record) for record, (kind, at) in later.items() if made.get(record, 0) <= at}
    return found


def _made_ms(session: Session, records: Iterable[str]) -> dict[str, int]:
    """Return when each record was first written, as far as the ledger still tells."""
    names, t = sorted(records), _ledger.c
    made: dict[str, int] = {}
    for start in range(0, len(names), IDS_AT_ONCE):
        some = names[start : start + IDS_AT_ONCE]
        first = sa.select(t.rec, sa.func.min(t.received_ms)).where(t.rec.in_(some)).group_by(t.rec)
        made |= {str(record): ms for record, ms in session.execute(first)}
    return made
