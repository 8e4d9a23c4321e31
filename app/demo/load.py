"""Load the demo into a database: the base once, then township by township."""

import gc
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import islice
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.areas.models import Area
from app.core.engine import Engine
from app.core.identifiers import new_id
from app.core.moments import now_ms
from app.core.records import sync_tables
from app.demo import ground, staff, stories
from app.demo.bulk import Story, write_stories
from app.demo.day import incidents_of, tasks_of
from app.demo.halton import start_of
from app.demo.people import households_of, workers_of
from app.demo.plan import DATA, CityPlan, Division, PlannedGrid, city_plan
from app.demo.stories import Cast
from app.identity.models import User
from app.incidents.models import IncidentCategory
from app.incidents.services import import_categories
from app.tasks.models import TaskKind
from app.tasks.services import import_kinds
from sync.edits import Device

DAYS_OF_INCIDENTS: Final = 30
STORIES_AT_ONCE: Final = 5_000


@dataclass(frozen=True, slots=True)
class Demo:
    """What is to be loaded.

    Attributes:
        day: the last day of work, today or before.
    """

    plan: CityPlan
    day: date


def is_empty(session: Session, engine: Engine) -> bool:
    """Tell whether a database holds no areas, no people and no records."""
    tables = [Area.__table__, User.__table__, *(kind.table for kind in engine.tables.values())]
    return not any(
        session.execute(sa.select(sa.literal(1)).select_from(table).limit(1)).first()
        for table in tables
    )


def load_base(session: Session, engine: Engine, demo: Demo, now: datetime) -> Cast:
    """Write the lists, the areas and the people that do not stand yet; return who is who."""
    _write_lists(session)
    areas = ground.write_areas(session, demo.plan, now.date())
    ground.write_upper_borders(session, areas)
    users = staff.write_staff(session, demo.plan, areas, engine.cipher, now)
    staff.open_logins(session, demo.plan, users)
    return Cast(areas, users)


def _write_lists(session: Session) -> None:
    """Load the lists of codes that come with the product, where there are none."""
    if session.scalars(sa.select(TaskKind.code).limit(1)).first() is None:
        import_kinds(session, DATA / "task_kinds.csv")
    if session.scalars(sa.select(IncidentCategory.code).limit(1)).first() is None:
        import_categories(session, DATA / "incident_categories.csv")


def load_township(
    session: Session,
    engine: Engine,
    demo: Demo,
    cast: Cast,
    township: Division,
    advance: Callable[[int], object],
) -> None:
    """Write the borders of a township and the records of its grids.

    Args:
        advance: is told from time to time how many more households are done.
    """
    from app.demo.shapes import draw_township

    shapes = draw_township(city_plan(), township)
    ground.write_shapes(session, cast.areas, shapes)
    store, device = engine.store(session), _device(session, cast, demo.plan)
    told = (
        story
        for unit in demo.plan.below(township.code)
        for grid in demo.plan.grids_of(unit.code)
        for story in _stories(demo, cast, grid, shapes[grid.code])
    )
    while portion := list(islice(told, STORIES_AT_ONCE)):
        new = _not_there(session, engine, portion)
        device = write_stories(store, engine.kinds, device, new, now_ms())
        advance(sum(story.kind == "household" for story in portion))


def _stories(demo: Demo, cast: Cast, grid: PlannedGrid, shape: Any) -> Iterator[Story]:
    """Yield the stories of a grid: households with contacts, a day's tasks, incidents."""
    from app.demo.shapes import points_in

    doors = points_in(shape, start_of("door", grid.code))
    for number, (household, door) in enumerate(zip(households_of(grid), doors, strict=False)):
        yield from stories.household_stories(cast, grid, number, household, door, demo.day)
    for task in tasks_of(list(workers_of(grid)), demo.day):
        yield stories.task_story(cast, grid, task)
    for back in range(DAYS_OF_INCIDENTS):
        for seen in incidents_of([grid], demo.day - timedelta(days=back)):
            place = next(points_in(shape, start_of("place", seen.key)))
            yield stories.incident_story(cast, grid, seen, place)


def _not_there(session: Session, engine: Engine, portion: Iterable[Story]) -> list[Story]:
    """Leave out the stories of records that an earlier run has written."""
    told = list(portion)
    there: set[str] = set()
    for kind in sorted({story.kind for story in told}):
        ids = [story.record for story in told if story.kind == kind]
        table = engine.tables[kind].table
        there.update(session.scalars(sa.select(table.c.id).where(table.c.id.in_(ids))))
    return [story for story in told if story.record not in there]


def _device(session: Session, cast: Cast, plan: CityPlan) -> Device:
    """Return the office device through which the demo is written: the first manager's."""
    user, t = cast.users[f"{plan.divisions[0].code}s01"], sync_tables.device
    mine = sa.and_(t.c.user_id == user, t.c.enrolment.is_(None))
    query = sa.select(t.c.id, t.c.user_id, t.c.last_n, t.c.last_id, t.c.last_ms).where(mine)
    if session.execute(query).first() is None:
        session.execute(
            sa.insert(t).values(id=new_id(), user_id=user, app="office", made_ms=now_ms())
        )
    return Device(*session.execute(query).one())


@contextmanager
def without_garbage_collection() -> Iterator[None]:
    """Save the fifth of the time that looking for circles costs: millions of rows hold none."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
