"""Write a plan of changed units, in a few statements for each level."""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from itertools import groupby
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session, aliased

from app.areas.dated import close, insert
from app.areas.divisions import LEVELS, Unit
from app.areas.editions import Plan, Revision
from app.areas.models import Area, AreaBorder, AreaMove, AreaVersion
from app.areas.rules import path_end

# Paths begin with a digit; what begins with this mark is a row that has no path yet.
NEW, NEW_END = "+", ","


def apply_plan(session: Session, plan: Plan, edition: str) -> dict[str, int]:
    """Write a plan and return the area ids of the edition, by code.

    Args:
        edition: what the edition is called in the history of its units.
    """
    _end(session, plan)
    _revive(session, plan)
    ids = dict(plan.known)
    for _, units in groupby(plan.added, key=lambda unit: LEVELS.index(unit.level)):
        ids |= _add(session, list(units), ids, plan.edition)
    _revise(session, plan, ids, edition)
    added = [_version(unit, ids, plan.edition, edition) for unit in plan.added]
    insert(session, AreaVersion, added)
    return ids


def _end(session: Session, plan: Plan) -> None:
    if not plan.ended:
        return
    gone = [was.area_id for was in plan.ended]
    for table, column in ((Area, Area.id), *_DATED):
        session.execute(
            sa.update(table)
            .where(column.in_(gone), table.valid_until.is_(None))
            .values(valid_until=plan.edition)
            .execution_options(synchronize_session=False)
        )


def _revive(session: Session, plan: Plan) -> None:
    if not plan.revived:
        return
    back = [was.area_id for was in plan.revived]
    latest = sa.tuple_(AreaVersion.area_id, AreaVersion.valid_from).in_(
        [(was.area_id, was.version_from) for was in plan.revived]
    )
    last_drawn = (
        sa.select(sa.func.max(AreaBorder.id))
        .where(AreaBorder.area_id.in_(back), AreaBorder.valid_until == plan.edition)
        .group_by(AreaBorder.area_id)
    )
    borders = AreaBorder.id.in_(last_drawn)
    for table, chosen in ((Area, Area.id.in_(back)), (AreaVersion, latest), (AreaBorder, borders)):
        session.execute(
            sa.update(table)
            .where(chosen)
            .values(valid_until=None)
            .execution_options(synchronize_session=False)
        )


def _add(
    session: Session, units: Sequence[Unit], ids: Mapping[str, int], edition: date
) -> dict[str, int]:
    """Insert areas of one level below areas that exist; return their ids by code.

    A new row bears its code in place of the path until it has an id to make the path of: so
    ids and codes meet in one statement on both engines.
    """
    rows = [
        {
            "level": unit.level,
            "parent_id": ids.get(unit.parent_code),
            "path": NEW + unit.code,
            "valid_from": edition,
        }
        for unit in units
    ]
    insert(session, Area, rows)
    marked = sa.and_(Area.path >= NEW, Area.path < NEW_END)
    new_ids = {
        path.removeprefix(NEW): area_id
        for area_id, path in session.execute(sa.select(Area.id, Area.path).where(marked))
    }
    session.execute(
        sa.update(Area)
        .where(marked)
        .values(path=_path_above() + sa.cast(Area.id, sa.String) + ".")
        .execution_options(synchronize_session=False)
    )
    return new_ids


def _path_above() -> sa.ColumnElement[str]:
    parent = aliased(Area)
    above = sa.select(parent.path).where(parent.id == Area.parent_id).scalar_subquery()
    return sa.func.coalesce(above, "")


def _version(unit: Unit, ids: Mapping[str, int], day: date, edition: str) -> dict[str, Any]:
    return {
        "area_id": ids[unit.code],
        "valid_from": day,
        "code": unit.code,
        "name": unit.name,
        "short_name": unit.short_name,
        "kind": unit.kind,
        "parent_id": ids.get(unit.parent_code),
        "urban_rural_code": unit.urban_rural_code,
        "edition": edition,
    }


def _revise(session: Session, plan: Plan, ids: Mapping[str, int], edition: str) -> None:
    """Give units their new attributes; one that was dated the same day is put right in place."""
    rows = {row.was.area_id: _version(row.unit, ids, plan.edition, edition) for row in plan.revised}
    same_day = {row.was.area_id for row in plan.revised if row.was.version_from == plan.edition}
    close(session, AreaVersion, rows.keys() - same_day, plan.edition)
    if same_day:
        session.execute(sa.update(AreaVersion), [rows[area_id] for area_id in sorted(same_day)])
    insert(session, AreaVersion, [row for key, row in rows.items() if key not in same_day])
    _move(session, [row for row in plan.revised if "moved" in row.changes()], ids)


def _move(session: Session, moved: Sequence[Revision], ids: Mapping[str, int]) -> None:
    """Hang areas, with all below them, under their new parents.

    Lowest first: then no path that is still needed has changed when its turn comes.
    """
    if not moved:
        return
    moved = sorted(moved, key=lambda row: -LEVELS.index(row.unit.level))
    parents = [ids[row.unit.parent_code] for row in moved]
    found = sa.select(Area.id, Area.path).where(Area.id.in_(parents))
    paths = dict(session.execute(found).all())
    now = datetime.now(UTC)
    insert(session, AreaMove, [{"area_id": row.was.area_id, "at": now, "was_path": row.was.path}
                               for row in moved])  # fmt: skip
    connection = session.connection()
    connection.execute(
        sa.update(Area)
        .where(Area.id == sa.bindparam("moved"))
        .values(parent_id=sa.bindparam("to")),
        [{"moved": row.was.area_id, "to": to} for row, to in zip(moved, parents, strict=True)],
    )
    connection.execute(
        _REPATH,
        [
            {
                "old": row.was.path,
                "end": path_end(row.was.path),
                "cut": len(row.was.path) + 1,
                "new": f"{paths[to]}{row.was.area_id}.",
            }
            for row, to in zip(moved, parents, strict=True)
        ],
    )


_DATED = ((AreaVersion, AreaVersion.area_id), (AreaBorder, AreaBorder.area_id))
_REPATH = (
    sa.update(Area)
    .where(Area.path >= sa.bindparam("old"), Area.path < sa.bindparam("end"))
    .values(
        path=sa.bindparam("new", type_=sa.String) + sa.func.substr(Area.path, sa.bindparam("cut"))
    )
)
