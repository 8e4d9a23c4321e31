"""A loaded township holds what was planned, and stands as if edits had brought it."""

import json
from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask
from sqlalchemy.orm import Session

from app.areas.models import Area, AreaBorder, AreaVersion
from app.areas.places import grid_at
from app.core.actor import Actor
from app.core.database import Database, Mode
from app.core.engine import current_engine
from app.core.identifiers import new_id
from app.core.moments import now_ms
from app.core.records import sync_tables
from app.demo import crew
from app.demo.bulk import Act, Story
from app.demo.crew import Order
from app.demo.day import incidents_of, tasks_of
from app.demo.load import DAYS_OF_INCIDENTS, Demo, load_base, township_stories
from app.demo.people import households_of, workers_of
from app.demo.plan import city_plan
from app.demo.shapes import draw_township
from app.demo.stories import Cast
from app.identity.authentication import posts_of
from app.identity.models import Post, User
from sync.digest import scope_digest
from sync.edits import Draft, Edit
from tests.app.demo.conftest import DAY, SMALL_TOWNSHIP, Loaded, run
from tests.conftest import SECRETS

KINDS = ("consent", "contact", "household", "incident", "task")


def records(session: Session, loaded: Loaded) -> dict[str, list[Any]]:
    """Return id, version, grid and body of all records, by kind."""
    rows = {}
    for kind in KINDS:
        t = loaded.engine.tables[kind].table
        rows[kind] = list(session.execute(sa.select(t.c.id, t.c.rv, t.c.grid, t.c.body)))
    return rows


def counts(session: Session) -> dict[str, int]:
    """Count the rows of every table but the audit log, where each run leaves its row."""
    tables = sa.inspect(session.get_bind()).get_table_names()
    ours = [one for one in Area.metadata.sorted_tables
            if one.name in tables and not one.name.startswith("audit_")]  # fmt: skip
    count = sa.select(sa.func.count())
    return {one.name: session.execute(count.select_from(one)).scalar_one() for one in ours}


def cast_of(session: Session) -> Cast:
    """Read who is who from the database."""
    codes = session.execute(sa.select(AreaVersion.code, AreaVersion.area_id))
    people = session.execute(sa.select(User.made_key, User.id))
    users = {str(row.made_key).removeprefix("demo:"): row.id for row in people}
    return Cast({row.code: row.area_id for row in codes}, users)


def test_areas_people_and_records_are_as_many_as_planned(loaded: Loaded) -> None:
    plan, grids = loaded.plan, loaded.plan.grids
    month = [loaded.day - timedelta(days=back) for back in range(DAYS_OF_INCIDENTS)]
    workers = [worker for grid in grids for worker in workers_of(grid)]
    wanted = {
        "household": plan.households,
        **dict.fromkeys(
            ("consent", "contact"),
            sum(bool(h.contact) for grid in grids for h in households_of(grid)),
        ),
        "task": len(list(tasks_of(workers, loaded.day))),
        "incident": sum(1 for day in month for _ in incidents_of(grids, day)),
    }
    with loaded.database.transaction(Mode.READ) as session:
        found = {kind: len(rows) for kind, rows in records(session, loaded).items()}
        levels = Counter(session.scalars(sa.select(Area.level)))
        roles = Counter(session.scalars(sa.select(Post.role)))
        borders = session.scalars(sa.select(sa.func.count(AreaBorder.id))).one()
    assert found == wanted
    assert levels == {"city": 1, "county": 1, "township": 1, "village": 6, "grid": 29}
    assert roles == {"gw": len(workers), "vl": 6, "ts": 3, "cm": 16, "au": 1, "da": 1}
    assert borders == sum(levels.values())


def test_every_record_is_in_the_feed_of_its_grid_and_the_digests_agree(loaded: Loaded) -> None:
    t = sync_tables
    with loaded.database.transaction(Mode.READ) as session:
        by_scope = defaultdict(set)
        for kind, rows in records(session, loaded).items():
            for record, rv, grid, _ in rows:
                by_scope[f"grid:{grid}"].add((kind, record, rv))
        feed, versions = defaultdict(set), defaultdict(list)
        for row in session.execute(sa.select(t.feed)):
            assert row.op == "put"
            feed[row.scope].add((row.kind, row.record, row.rv))
            versions[row.scope].append(row.ver)
        states = {row.scope: row for row in session.execute(sa.select(t.scope))}
    assert feed == by_scope
    assert {scope: row.digest for scope, row in states.items()} == {
        scope: scope_digest(rows) for scope, rows in by_scope.items()
    }
    for scope, row in states.items():
        assert row.ver == row.live == len(by_scope[scope])
        assert sorted(versions[scope]) == list(range(1, row.ver + 1))


def test_the_ledger_numbers_the_edits_without_a_gap(loaded: Loaded) -> None:
    t = sync_tables
    with loaded.database.transaction(Mode.READ) as session:
        device = session.execute(sa.select(t.device)).one()
        numbers = sorted(session.scalars(sa.select(t.ledger.c.n)))
        versions = sum(rv for rows in records(session, loaded).values() for _, rv, _, _ in rows)
        last = session.execute(sa.select(t.ledger).where(t.ledger.c.n == device.last_n)).one()
    assert numbers == list(range(1, versions + 1))
    assert (device.last_n, device.last_id) == (versions, last.edit)


def test_the_door_makes_the_same_records_of_the_same_edits(loaded: Loaded) -> None:
    """Every act of two grids goes through push again, by its author, into a new record."""
    with loaded.database.transaction(Mode.WRITE) as session:
        cast = cast_of(session)
        demo = Demo(loaded.engine, cast, loaded.day)
        shapes = draw_township(city_plan(), loaded.plan.of_level("township")[0])
        grids = {cast.areas[grid.code] for grid in loaded.plan.grids[:2]}
        replay = Replay(session, loaded)
        told = [
            story
            for story in township_stories(demo, SMALL_TOWNSHIP, shapes)
            if grid_of(story) in grids
        ]
        assert {story.kind for story in told} >= {"household", "contact", "task"}
        for story in told:
            assert replay.body(story.kind, replay.tell(story)) == replay.body(
                story.kind, story.record
            )


def test_the_steps_of_the_demos_cases_are_those_that_the_table_would_take(loaded: Loaded) -> None:
    """Every case of the township goes through push again, step by step, by the same people."""
    with loaded.database.transaction(Mode.WRITE) as session:
        demo = Demo(loaded.engine, cast_of(session), loaded.day)
        shapes = draw_township(city_plan(), loaded.plan.of_level("township")[0])
        told = [one for one in township_stories(demo, SMALL_TOWNSHIP, shapes)
                if one.kind == "incident"]  # fmt: skip
        for story in told:
            replay = Replay(session, loaded)
            rv, values = replay.body(story.kind, replay.tell(story))
            there = replay.body(story.kind, story.record)
            for own in (values, there[1]):  # by the id, and by a name that replay does not give
                own |= {"sampled": None, "state_by_name": None}
            assert (rv, values) == there
    states = Counter(story.acts[-1].values["state"] for story in told)
    assert states["followed_up"] and len(states) >= 4


def grid_of(story: Story) -> int:
    """Return the grid of a story's record."""
    first = story.acts[0]
    grid: int = {**first.values, **first.derived}["grid"]
    return grid


class Replay:
    """Sends the acts of stories through the one way in."""

    def __init__(self, session: Session, loaded: Loaded) -> None:
        self.session = session
        self.engine = loaded.engine
        self.devices: dict[int, str] = {}
        self.numbers: Counter[str] = Counter()
        self.names: dict[str, str] = {}

    def _name(self, record: str) -> str:
        """Return the new id of a record, also of one that is only spoken of yet."""
        return self.names.setdefault(record, new_id())

    def tell(self, story: Story) -> str:
        """Write the acts of a story into a new record, and return its id."""
        record = self._name(story.record)
        for base, act in enumerate(story.acts):
            op = "create" if base == 0 else "event"
            receipt = self._push(act, op, story.kind, record, base)
            assert receipt["status"] == "applied", receipt
        return record

    def _push(self, act: Act, op: str, kind: str, record: str, base: int) -> Any:
        device = self._device(act.user)
        self.numbers[device] += 1
        named = {"subject": self._name(act.values["subject"])} if kind == "consent" else {}
        edit = Edit(
            n=self.numbers[device], id=new_id(), op=op, kind=kind, rec=record, base=base,
            set={**act.values, **named}, at={"claimed": act.ms},
            schema=self.engine.tables[kind].kind.schema,
        )  # fmt: skip
        actor = Actor(act.user, posts_of(self.session, act.user))
        reply = self.engine.push(self.session, actor, device, [Draft(edit)], now_ms())
        return reply.results[0]

    def _device(self, user: int) -> str:
        if user not in self.devices:
            self.devices[user] = new_id()
            row = {"id": self.devices[user], "user_id": user}
            self.session.execute(sa.insert(sync_tables.device).values(row))
        return self.devices[user]

    def body(self, kind: str, record: str) -> Any:
        """Return the version and the values of a record."""
        t = self.engine.tables[kind].table
        query = sa.select(t.c.rv, t.c.body).where(t.c.id == record)
        rv, body = self.session.execute(query).one()
        values = json.loads(self.engine.seal.open(kind, record, body))
        first = {new: old for old, new in self.names.items()}
        return rv, {**values, "subject": first.get(values.get("subject"), values.get("subject"))}


def test_doors_and_incidents_lie_in_their_grid(loaded: Loaded) -> None:
    with loaded.database.transaction(Mode.READ) as session:
        rows = records(session, loaded)
        for row in rows["incident"] + rows["household"][::100]:
            body = json.loads(row.body)
            lon, lat = body.get("point") or body["door_point"]
            found = grid_at(session, lon, lat, within_m=5)
            assert found is not None
            assert found.area_id == row.grid


def test_loading_again_changes_nothing(loaded: Loaded) -> None:
    with loaded.database.transaction(Mode.READ) as session:
        before = counts(session), records(session, loaded)
    again = run(loaded.app, "township", "--code", SMALL_TOWNSHIP, "--day", DAY, "--force")
    assert again.exit_code == 0, again.output
    with loaded.database.transaction(Mode.READ) as session:
        assert (counts(session), records(session, loaded)) == before


def test_what_was_loaded_is_sound(loaded: Loaded) -> None:
    result = loaded.app.test_cli_runner().invoke(args=["fsck"])
    assert result.exit_code == 0, result.output


@pytest.fixture
def outside(database_url: str, tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let new processes find the database of the test."""
    settings = {**SECRETS, "DATABASE_URL": database_url, "DATA_DIR": str(tmp_path)}
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    yield


def test_a_crew_of_processes_loads_each_township_once(
    app: Flask, database: Database, outside: None
) -> None:
    codes = [SMALL_TOWNSHIP, "620422225"]
    day = datetime(2026, 3, 2, tzinfo=UTC).date()
    with database.transaction(Mode.WRITE) as session:
        for code in codes:
            load_base(session, current_engine(), city_plan().only(code), datetime.now(UTC))
        cast = cast_of(session)
    done = list(crew.load_apart(Order(None, cast, day), codes, jobs=2))
    assert sorted(done) == sorted(city_plan().only(code).households for code in codes)
    with database.transaction(Mode.READ) as session:
        t = current_engine().tables["household"].table
        stored = session.execute(sa.select(sa.func.count()).select_from(t)).scalar_one()
        live = session.scalars(sa.select(sa.func.sum(sync_tables.scope.c.live))).one()
        feed = session.execute(sa.select(sa.func.count()).select_from(sync_tables.feed))
        assert stored == sum(done)
        assert live == feed.scalar_one()
