"""List and read synced records, each as the reader's role may see it."""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from flask import Response, request
from sqlalchemy.orm import Session

from app.areas.models import Area
from app.areas.services import below_any, paths_of
from app.core import policy
from app.core.actor import Actor
from app.core.engine import current_engine
from app.core.moments import now_ms
from app.core.pagination import after
from app.core.policy import Answer, Reach
from app.core.records import Record
from app.core.sight import unveiled
from sync.errors import Problem


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
) -> list[dict[str, Any]]:
    """Return living records by id (which is by time), one more than a page holds.

    Raises:
        Problem: 403 when the role may see sums only.
    """
    reach = policy.reach(actor, action, now_ms())
    if not (reach.paths or reach.own or reach.everything):
        raise Problem(403, "not_allowed", action=action)
    rows = session.execute(
        sa.select(model.id, model.rv, model.body)
        .where(within_reach(model, reach, own), model.deleted.is_(None), *filters)
        .where(after([model.id], cursor))
        .order_by(model.id)
        .limit(limit + 1)
    )
    return [_shown(model, row, actor, masked=reach.masked) for row in rows]


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
    """Return one record.

    Args:
        own_field: the field that names whose it is.
        own_when: tells of the record whether it is the actor's own, where one field cannot.

    Raises:
        Problem: 404 absent or out of scope, 403 in scope but not for this role.
    """
    shown, answer = place_of_record(session, actor, model, record, action, own_field=own_field,
                                    own_when=own_when)  # fmt: skip
    if answer is not Answer.MASKED:
        return shown
    kept = {"id": shown.pop("id"), "rv": shown.pop("rv")}
    return {**kept, **current_engine().mask(model.kind, shown)}


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

    Args:
        besides: answers that the caller deals with himself, such as a reason that is needed.

    Raises:
        Problem: 404 absent or out of scope, 403 in scope but not for this role.
    """
    row = session.execute(
        sa.select(model.id, model.rv, model.body).where(model.id == record, model.deleted.is_(None))
    ).first()
    if row is None:
        raise Problem(404, "not_found")
    shown = _shown(model, row, actor, masked=False)
    own = own_field is not None and shown.get(own_field) == actor.user_id
    own = own or (own_when is not None and own_when(shown))
    grid = shown.get("grid")
    return shown, _decide(session, actor, action, grid, own=own, besides=besides)


def _decide(
    session: Session,
    actor: Actor,
    action: str,
    grid: int | None,
    *,
    own: bool,
    besides: Sequence[Answer],
) -> Answer:
    path = paths_of(session, [grid]).get(grid) if grid else None
    answer = policy.decide(actor, action, path=path, own=own, at_ms=now_ms()).answer
    if answer is Answer.ABSENT:
        raise Problem(404, "not_found")
    if answer not in (Answer.YES, Answer.MASKED, *besides):
        raise Problem(403, answer.value, action=action)
    return answer


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
