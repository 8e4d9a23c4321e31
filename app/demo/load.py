"""Load the demo into a database: the base once, then township by township."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import islice
from typing import TYPE_CHECKING, Final

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.areas.models import Area
from app.calendar.services import import_days
from app.core.actor import HOUSE_ID
from app.core.engine import Engine
from app.core.identifiers import new_id
from app.core.moments import now_ms
from app.core.records import sync_tables
from app.core.rulebook import note_change
from app.demo import ground, staff, stories
from app.demo.bulk import Story, batch_of
from app.demo.cases import DUTIES, end_of
from app.demo.day import incidents_of, tasks_of
from app.demo.halton import start_of
from app.demo.people import households_of, workers_of
from app.demo.plan import DATA, CityPlan, PlannedGrid, city_plan
from app.demo.stories import Cast
from app.forms.bringing import bring_seed
from app.households.purposes import SENSITIVE_PURPOSES, open_purpose
from app.identity.models import User
from app.incidents.duties import RULES, IncidentDuty
from app.incidents.models import IncidentCategory
from app.incidents.services import import_categories
from app.tasks.models import TaskKind
from app.tasks.services import import_kinds
from sync.edits import Device

if TYPE_CHECKING:
    from shapely import MultiPolygon

DAYS_OF_INCIDENTS: Final = 30
STORIES_AT_ONCE: Final = 5_000

Transaction = Callable[[], AbstractContextManager[Session]]


@dataclass(frozen=True, slots=True)
class Demo:
    """The demo that is being loaded.

    Attributes:
        day: the last day of work, before today.
    """

    engine: Engine
    cast: Cast
    day: date


def is_empty(session: Session, engine: Engine) -> bool:
    """Tell whether a database holds no areas, no people and no records."""
    tables = [Area.__table__, User.__table__, *(kind.table for kind in engine.tables.values())]
    return not any(
        session.execute(sa.select(sa.literal(1)).select_from(table).limit(1)).first()
        for table in tables
    )


def load_base(session: Session, engine: Engine, plan: CityPlan, now: datetime) -> Cast:
    """Write the lists, the areas and the people that do not stand yet; return who is who."""
    _write_lists(session, now)
    areas = ground.write_areas(session, plan, now.date())
    ground.write_upper_borders(session, areas)
    users = staff.write_staff(session, plan, areas, engine.cipher, now)
    staff.open_logins(session, plan, users, engine.cipher, now)
    for township in plan.of_level("township"):
        _open_device(session, users[_supervisor(township.code)])
    _write_duties(session, [areas[county.code] for county in plan.of_level("county")])
    return Cast(areas, users)


def _write_duties(session: Session, counties: list[int]) -> None:
    """Give each county that has none its duty list."""
    there = set(session.scalars(sa.select(IncidentDuty.area_id)))
    rows = [{"area_id": county, "category": category, "unit_level": level}
            for county in counties if county not in there
            for category, level in DUTIES.items()]  # fmt: skip
    if rows:
        session.execute(sa.insert(IncidentDuty), rows)
        note_change(session, RULES)


def _write_lists(session: Session, now: datetime) -> None:
    """Load the lists of codes and the forms that come with the product, where there are none."""
    bring_seed(session, now)
    if session.scalars(sa.select(TaskKind.code).limit(1)).first() is None:
        import_kinds(session, DATA / "task_kinds.csv")
        # The demo says what an office must decide: its assessment is as invented as its people.
        for purpose in sorted(SENSITIVE_PURPOSES):
            open_purpose(session, purpose, by=HOUSE_ID, now=now, assessment="DEMO 示例评估",
                         assessed_on=now.date())  # fmt: skip
    if session.scalars(sa.select(IncidentCategory.code).limit(1)).first() is None:
        import_categories(session, DATA / "incident_categories.csv")
        import_days(session, DATA / "working_calendar.csv")


def township_stories(
    demo: Demo, code: str, shapes: Mapping[str, "MultiPolygon"]
) -> Iterator[Story]:
    """Yield the stories of a township, grid by grid."""
    for unit in city_plan().below(code):
        for grid in city_plan().grids_of(unit.code):
            yield from _stories_of_grid(demo, grid, shapes[grid.code])


def load_township(
    transaction: Transaction, demo: Demo, code: str, advance: Callable[[int], object]
) -> None:
    """Write the borders of a township and the records of its grids that do not stand yet.

    Args:
        transaction: opens the transaction of each step; computing happens between the steps,
            so that several processes can load townships at once.
        advance: is told from time to time how many more households are done.
    """
    from app.demo.shapes import draw_township

    township = next(one for one in city_plan().of_level("township") if one.code == code)
    shapes = draw_township(city_plan(), township)
    with transaction() as session:
        ground.write_shapes(session, demo.cast.areas, shapes)
        device = _device(session, demo.cast.users[_supervisor(code)])
        there = _records_there(session, demo.cast, shapes)
    told = township_stories(demo, code, shapes)
    while portion := list(islice(told, STORIES_AT_ONCE)):
        new = [story for story in portion if story.record not in there]
        if new:
            batch = batch_of(demo.engine.kinds, device, new, now_ms())
            with transaction() as session:
                demo.engine.store(session).write(batch)
            device = batch.device
        advance(sum(story.kind == "household" for story in portion))


def _stories_of_grid(demo: Demo, grid: PlannedGrid, shape: "MultiPolygon") -> Iterator[Story]:
    """Yield the stories of a grid: households with contacts, a day's tasks, incidents."""
    from app.demo.shapes import points_in

    doors = points_in(shape, start_of("door", grid.code))
    for number, household in enumerate(households_of(grid)):
        door = next(doors)
        yield from stories.household_stories(demo.cast, grid, number, household, door, demo.day)
    for task in tasks_of(list(workers_of(grid)), demo.day):
        yield stories.task_story(demo.cast, grid, task)
    for back in range(DAYS_OF_INCIDENTS):
        for seen in incidents_of([grid], demo.day - timedelta(days=back)):
            place = next(points_in(shape, start_of("place", seen.key)))
            yield stories.incident_story(demo.cast, grid, seen, place, end_of(demo.day))


def _records_there(
    session: Session, cast: Cast, shapes: Mapping[str, "MultiPolygon"]
) -> frozenset[str]:
    """Return the ids of the records that stand in the areas of some shapes."""
    t = sync_tables.feed
    scopes = [f"grid:{cast.areas[code]}" for code in shapes]
    return frozenset(session.scalars(sa.select(t.c.record).where(t.c.scope.in_(scopes))))


def _supervisor(township_code: str) -> str:
    """Return the key of the person through whose office the records of a township are written."""
    return f"{township_code}s01"


def _device(session: Session, user: int) -> Device:
    """Return the office device of a person."""
    t = sync_tables.device
    columns = sa.select(t.c.id, t.c.user_id, t.c.last_n, t.c.last_id, t.c.last_ms)
    found = session.execute(columns.where(t.c.user_id == user, t.c.enrolment.is_(None)))
    return Device(*found.one())


def _open_device(session: Session, user: int) -> None:
    """Give a person an office device, unless there is one."""
    t = sync_tables.device
    query = sa.select(t.c.id).where(t.c.user_id == user, t.c.enrolment.is_(None))
    if session.execute(query).first() is None:
        row = {"id": new_id(), "user_id": user, "app": "office", "made_ms": now_ms()}
        session.execute(sa.insert(t).values(row))
