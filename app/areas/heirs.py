"""Which grid took over the ground of which, from when on."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from functools import cache, partial

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.areas.divisions import GRID_LEVEL
from app.areas.models import Area, AreaHeir, AreaMove
from app.areas.places import areas_at
from app.areas.rules import path_ids
from app.areas.services import paths_of
from app.core.ground import Ground, Heir, Moved, Place
from sync.stores.many import among

# As many positions as one statement looks up.
PLACES_MAX = 100
_old, _new = Area.__table__.alias("old"), Area.__table__.alias("new")
_heir = AreaHeir.__table__


_HEIRS = (
    sa.select(
        _heir.c.old_id, _heir.c.new_id, _heir.c.at, _heir.c.main, _old.c.valid_until,
        _new.c.valid_until,
    )
    .join(_old, _old.c.id == _heir.c.old_id)
    .join(_new, _new.c.id == _heir.c.new_id)
    .where(sa.or_(among(_heir.c.old_id, "olds"), among(_heir.c.new_id, "news")))
    .order_by(_heir.c.at, _heir.c.old_id, _heir.c.new_id)
)  # fmt: skip


def survey(session: Session, grids: Iterable[int], named: Mapping[int, frozenset[Place]]) -> Ground:
    """Return the paths of some grids, and the heirs of those named for a new record.

    Args:
        named: with each grid the positions that were named with it.
    """
    heirs = heirs_of(session, named)
    wanted = {*grids, *(one.old for one in heirs), *(one.new for one in heirs)}
    gone = {one.old for one in heirs if one.gone}
    places = sorted({place for grid in gone for place in named.get(grid, ())})[:PLACES_MAX]
    found = areas_at(session, places, level=GRID_LEVEL) if places else []
    placed = {place: at.area_id for place, at in zip(places, found, strict=True) if at}
    paths = paths_of(session, wanted) if wanted else {}
    return Ground(paths, heirs, placed, cache(partial(_moves, session, paths)))


def _moves(session: Session, paths: Mapping[int, str]) -> tuple[Moved, ...]:
    """Return the moves of the areas on some paths."""
    areas = {area for path in paths.values() for area in path_ids(path)}
    rows = session.execute(
        sa.select(AreaMove.area_id, AreaMove.at, AreaMove.was_path).where(
            AreaMove.area_id.in_(areas)
        )
    )
    return tuple(Moved(area, round(at.timestamp() * 1000), path) for area, at, path in rows)


def heirs_of(session: Session, grids: Iterable[int]) -> tuple[Heir, ...]:
    """Return what these grids came from and what became of them."""
    ids = sorted(grids)
    rows = session.connection().execute(_HEIRS, {"olds": ids, "news": ids}) if ids else ()
    return tuple(
        Heir(old, new, round(at.timestamp() * 1000), ended is not None, until is None, main)
        for old, new, at, main, ended, until in rows
    )


def add_heirs(session: Session, heirs: Iterable[tuple[int, int, bool]], at: datetime) -> None:
    """Note who takes over the ground of whom; what an old grid had inherited goes along.

    Args:
        heirs: old grid, new grid, and whether it is the main heir.
    """
    pairs = {(old, new): main for old, new, main in heirs if old != new}
    earlier = sa.select(_heir.c.old_id, _heir.c.new_id, _heir.c.main).where(
        _heir.c.new_id.in_({old for old, _ in pairs})
    )
    for first, middle, was_main in session.execute(earlier).all():
        for (old, new), main in list(pairs.items()):
            if old == middle and first != new:
                pairs[first, new] = pairs.get((first, new), False) or (was_main and main)
    rows = [{"old_id": old, "new_id": new, "at": at, "main": main}
            for (old, new), main in pairs.items()]  # fmt: skip
    if rows:
        session.execute(sa.insert(AreaHeir), rows)
