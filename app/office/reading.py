"""List and read synced records, each as the reader's role may see it."""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from flask import Response, request
from sqlalchemy.orm import Session

from app.areas.models import Area
from app.areas.services import below_any, paths_of
from app.core import policy, reads
from app.core.actor import Actor
from app.core.database import table_of
from app.core.engine import current_engine
from app.core.moments import now_ms
from app.core.pagination import after
from app.core.policy import Answer, Reach
from app.core.records import Record, declared_of, living
from app.core.sight import unveiled
from app.office import reveals
from app.office.reveals import Glass
from sync.errors import Destroyed, Problem


def within_reach(
    model: Any, reach: Reach, own: sa.ColumnElement[bool] | None = None
) -> sa.ColumnElement[bool]:
    """Return the condition that a record lies where the actor may list."""
    if reach.everything:
        return sa.true()
    conditions: list[sa.ColumnElement[bool]] = [sa.false()]
    if reach.paths:
        conditions.append(model.grid.in_(sa.select(Area.id).where(below_any(reach.paths))))
    if reach.own and own is not None:
        conditions.append(own)
    return sa.or_(*conditions)


def list_records(
    session: Session,
    actor: Actor,
    model: type[Record],
    action: str,
    *,
    limit: int,
    cursor: str | None,
    filters: Sequence[sa.ColumnElement[bool]] = (),
    own: sa.ColumnElement[bool] | None = None,
    reach: Reach | None = None,
) -> list[dict[str, Any]]:
    """Return living records by id (which is by time), one more than a page holds.

    What they show of persons is noted: it is written down with the request.

    Args:
        reach: where the actor may list, if not where the table says without a reason.

    Raises:
        Problem: 403 when the role may see sums only.
    """
    reach = reach or policy.reach(actor, action, now_ms())
    if not (reach.paths or reach.own or reach.everything):
        raise Problem(403, "not_allowed", action=action)
    rows = session.execute(
        sa.select(model.id, model.rv, model.body)
        .where(within_reach(model, reach, own), living(model), *filters)
        .where(after([model.id], cursor))
        .order_by(model.id)
        .limit(limit + 1)
    )
    shown = [_listed(model, row, actor, masked=reach.masked) for row in rows]
    note_shown(session, model, shown[:limit], masked=reach.masked)
    return shown


def read_record(
    session: Session,
    actor: Actor,
    model: type[Record],
    record: str,
    action: str,
    *,
    own_field: str | None = None,
    own_when: Callable[[Mapping[str, Any]], bool] | None = None,
) -> dict[str, Any]:
    """Return one record; what it shows of persons is noted, to be written down with the request.

    Args:
        own_field: the field that names whose it is.
        own_when: tells of the record whether it is the actor's own, where one field cannot.

    Raises:
        Problem: 404 absent or out of scope, 403 in scope but not for this role.
    """
    shown, answer = place_of_record(session, actor, model, record, action, own_field=own_field,
                                    own_when=own_when)  # fmt: skip
    masked = answer is Answer.MASKED
    note_shown(session, model, [shown], masked=masked)
    if not masked:
        return shown
    kept = {"id": shown.pop("id"), "rv": shown.pop("rv")}
    return {**kept, **current_engine().mask(model.kind, shown)}


def note_shown(
    session: Session,
    model: type[Record],
    rows: Sequence[Mapping[str, Any]],
    *,
    masked: bool = False,
    why: str | None = None,
) -> None:
    """Note what records that are about to be shown tell of persons; see ``app/core/reads``."""
    reads.note(session, current_engine().tables.get(model.kind), rows, masked=masked, why=why)


def place_of_record(
    session: Session,
    actor: Actor,
    model: type[Record],
    record: str,
    action: str,
    *,
    own_field: str | None = None,
    own_when: Callable[[Mapping[str, Any]], bool] | None = None,
    besides: Sequence[Answer] = (),
) -> tuple[dict[str, Any], Answer]:
    """Return one record whole, and what the table answers: the caller masks it.

    A record that was opened to this session for a reason is shown as if none were needed.

    Args:
        besides: answers that the caller deals with himself, such as a reason that is needed.

    Raises:
        Problem: 404 absent or out of scope, 403 in scope but not for this role, 410 for whoever
            might read it, had it not been destroyed with its key.
    """
    row = _living_row(session, model, record)
    try:
        shown = _shown(model, row, actor, masked=False)
    except Destroyed:
        left = _left_of(session, model, record)
        own = _own(actor, left, own_field, own_when)
        _demand(_answer(session, actor, action, left.get("grid"), own=own), action, besides)
        raise
    own = _own(actor, shown, own_field, own_when)
    answer = _answer(session, actor, action, shown.get("grid"), own=own)
    glass = Glass(model.kind, record, action)
    if answer is Answer.REASON and answer not in besides and reveals.use(session, actor, glass):
        answer = Answer.YES
    _demand(answer, action, besides)
    return shown, answer


def _living_row(session: Session, model: type[Record], record: str) -> Any:
    row = session.execute(
        sa.select(model.id, model.rv, model.body).where(model.id == record, living(model))
    ).first()
    if row is None:
        raise Problem(404, "not_found")
    return row


def _demand(answer: Answer, action: str, besides: Sequence[Answer]) -> None:
    if answer not in (Answer.YES, Answer.MASKED, *besides):
        raise Problem(403, answer.value, action=action)


def _own(
    actor: Actor,
    values: Mapping[str, Any],
    own_field: str | None,
    own_when: Callable[[Mapping[str, Any]], bool] | None,
) -> bool:
    """Tell whether a record is the actor's own."""
    own = own_field is not None and values.get(own_field) == actor.user_id
    return own or (own_when is not None and own_when(values))


def _left_of(session: Session, model: type[Record], record: str) -> Mapping[str, Any]:
    """Return what columns still say of a record whose body went with its key: whose, and where."""
    declared, table = declared_of(model), table_of(model).c
    plain = [table[name] for name, one in declared.items() if not one.sealed]
    return dict(session.execute(sa.select(*plain).where(table.id == record)).mappings().one())


def _answer(session: Session, actor: Actor, action: str, grid: int | None, *, own: bool) -> Answer:
    path = paths_of(session, [grid]).get(grid) if grid else None
    answer = policy.decide(actor, action, path=path, own=own, at_ms=now_ms()).answer
    if answer is Answer.ABSENT:
        raise Problem(404, "not_found")
    return answer


def _listed(model: type[Record], row: Any, actor: Actor, *, masked: bool) -> dict[str, Any]:
    """Return a record as a list shows it; one that went with its key keeps its place, empty."""
    try:
        return _shown(model, row, actor, masked=masked)
    except Destroyed:
        return {"id": row.id, "rv": row.rv, **dict.fromkeys(declared_of(model))}


def _shown(model: type[Record], row: Any, actor: Actor, *, masked: bool) -> dict[str, Any]:
    engine = current_engine()
    values: Mapping[str, Any] = json.loads(engine.seal.open(model.kind, row.id, row.body))
    if table := engine.tables.get(model.kind):
        values = unveiled(actor, table, values, now_ms())
    if masked:
        values = engine.mask(model.kind, values)
    return {"id": row.id, "rv": row.rv, **values}


def etag(rv: int) -> str:
    """Return the ETag of a version."""
    return f'"v{rv}"'


def with_etag(shown: dict[str, Any]) -> Any:
    """Answer with a record and its ETag, or 304 when the reader has this version.

    Whoever changed a record is shown what became of it, whatever he had before.
    """
    tag = etag(shown["rv"])
    if request.method == "GET" and request.if_none_match.contains_weak(tag.strip('"')):
        return Response(status=304, headers={"ETag": tag})
    return shown, 200, {"ETag": tag}
