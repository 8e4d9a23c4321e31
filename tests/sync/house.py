"""A small house for the engine's tests: three kinds, an open gate, and stores to fill."""

import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol

import sqlalchemy as sa
from sqlalchemy.orm import Session

from sync.clock import Anchors
from sync.conflicts import CONFLICT
from sync.edits import Draft, Edit, Record
from sync.errors import Refusal
from sync.gate import Verdict, Work
from sync.kinds import Field, Kind, Kinds, Rule, Workflow
from sync.pull import Page, Pull, pull
from sync.push import Push, PushReply, push
from sync.store import Store
from sync.stores.memory import MemoryStore
from sync.stores.memory_upkeep import MemoryUpkeep
from sync.stores.sql import SqlStore
from sync.stores.sql_upkeep import SqlUpkeep
from sync.stores.tables import EPOCH, SyncTables
from sync.stores.tables import uuid as record_id
from sync.upkeep import Upkeep
from sync.values import Choice, Identity, Listing, Number, Position, SetOf, Text, Whole

ANCHORS = Anchors(b"a key for tests")
NOW_MS = 1_800_000_000_000
STATES = ("assigned", "started", "done", "cancelled")


def _grid(values: Mapping[str, Any]) -> tuple[str, ...]:
    grid = values.get("grid")
    return (f"grid:{grid}",) if grid is not None else ()


def _near(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Two positions side by side are one place; a reshaped outline always wants a human."""
    if "outline" in one:
        return False
    return all(abs((one.get(n) or 0) - (other.get(n) or 0)) < 0.001 for n in ("lon", "lat"))


PLOT = Kind(
    name="plot",
    fields=(
        Field("grid", Whole(1, 1000), Rule.OFFICE, required=True),
        Field("name", Text(40)),
        Field("story", Text(400), Rule.TEXT),
        Field("outline", Listing(Position(), 20), Rule.OPEN),
        Field("tags", SetOf(Text(20), 12), Rule.SET),
        Field("calls", Whole(-1000, 1_000_000), Rule.COUNTER),
        Field("consent", Choice(("given", "withdrawn")), Rule.CONSENT, group="agreement"),
        Field("told", Text(40), Rule.CONSENT, group="agreement"),
        Field("lon", Number(-180, 180), Rule.OPEN, group="place"),
        Field("lat", Number(-90, 90), Rule.OPEN, group="place"),
        Field("owner", Text(40)),
    ),
    scopes=_grid,
    settled=_near,
    given=lambda values: values.get("consent") == "given",
    moved_by=frozenset({"grid"}),
)
PERSON = Kind(
    name="person",
    fields=(
        Field("grid", Whole(1, 1000), Rule.OFFICE, required=True),
        Field("plot", Identity(), required=True, refers="plot", follows=("grid",)),
        Field("name", Text(40), required=True),
    ),
    scopes=_grid,
    rank=lambda _values: 50,
    sealed=True,
    moved_by=frozenset({"grid"}),
)
JOB = Kind(
    name="job",
    fields=(
        Field("grid", Whole(1, 1000), Rule.OFFICE, required=True),
        Field("state", Choice(STATES), Rule.WORKFLOW, group="state", required=True),
        Field("round", Whole(0, 99), Rule.WORKFLOW, group="state"),
        Field("report", Text(200)),
        Field("plot", Identity(), Rule.OFFICE, refers="plot", follows=("grid",)),
        Field("person", Identity(), Rule.OFFICE, refers="person", follows=("grid",)),
    ),
    scopes=_grid,
    rank=lambda values: 10 if values.get("state") == "assigned" else 30,
    workflow=Workflow(
        ranks={"assigned": 0, "started": 1, "cancelled": 2, "done": 3},
        moves=frozenset({
            (None, "assigned"), ("assigned", "started"), ("started", "done"),
            ("assigned", "cancelled"), ("started", "cancelled"), ("done", "assigned"),
        }),
        new_round=frozenset({"assigned"}),
    ),
    moved_by=frozenset({"grid"}),
)  # fmt: skip
KINDS = Kinds((PLOT, PERSON, JOB))


@dataclass
class OpenGate:
    """Lets everybody do everything, except what a test forbids."""

    office: set[str] = field(default_factory=set)
    forbidden: set[str] = field(default_factory=set)
    prepared: int = 0

    def prepare(self, work: Sequence[Work]) -> None:
        """Count the questions."""
        self.prepared += 1

    def judge(self, work: Work, values: Mapping[str, Any]) -> Verdict:
        """Refuse the edits that a test has named."""
        if work.edit.id in self.forbidden:
            raise Refusal("out_of_scope")
        return Verdict(office=work.edit.id in self.office)

    def derive(self, work: Work, values: Mapping[str, Any]) -> Mapping[str, Any]:
        """Add nothing."""
        return values


def name_of(number: int | str) -> str:
    """Return a lasting id for a number or a word."""
    return str(uuid.uuid5(uuid.NAMESPACE_OID, str(number)))


FOLLOWING = ("plot", "person", "record")


@dataclass(frozen=True)
class PlainTable:
    """A table of one kind, with columns of its own for the grid and for what it follows."""

    table: sa.Table

    def row(self, record: Record) -> dict[str, Any]:
        """Return the typed columns."""
        return {name: record.values.get(name) for name in ("grid", *FOLLOWING)}


@dataclass(frozen=True)
class Envelope:
    """Turns text round for the kinds that may not lie open."""

    def close(self, kind: str, record: str, text: str) -> str:
        """Return the text from its end to its beginning."""
        return text[::-1]

    def open(self, kind: str, record: str, text: str) -> str:
        """Turn it round again."""
        return text[::-1]


def kind_table(metadata: sa.MetaData, name: str) -> PlainTable:
    """Describe the table of a kind."""
    return PlainTable(
        sa.Table(
            f"kind_{name}", metadata,
            sa.Column("id", record_id(), primary_key=True),
            sa.Column("rv", sa.BigInteger, nullable=False),
            sa.Column("body", sa.Text, nullable=False),
            sa.Column("marks", sa.Text, nullable=False),
            sa.Column("deleted", sa.String(10), nullable=True),
            sa.Column("grid", sa.BigInteger, nullable=True),
            *(sa.Column(name, sa.Uuid(as_uuid=False), nullable=True) for name in FOLLOWING),
        )
    )  # fmt: skip


class Stand(Protocol):
    """A store that tests can open, with devices."""

    name: str

    def open(self) -> Any:
        """Return a context with a store in one transaction."""

    def empty(self) -> None:
        """Take everything out."""

    def enrol(self, device: str, user: int) -> None:
        """Add a device."""


@dataclass
class MemoryStand:
    """The store in memory."""

    name: str = "memory"
    store: MemoryStore = field(default_factory=MemoryStore)

    @contextmanager
    def open(self) -> Iterator[Store]:
        """Open the store."""
        yield self.store

    def empty(self) -> None:
        """Begin anew."""
        self.store = MemoryStore()

    def enrol(self, device: str, user: int) -> None:
        """Add a device."""
        self.store.enrol(device, user)


class SqlStand:
    """The store in a database."""

    def __init__(self, engine: sa.Engine, kinds: Sequence[str]) -> None:
        self.name = engine.dialect.name
        self.engine = engine
        self.metadata = sa.MetaData()
        self.tables = SyncTables.describe(self.metadata)
        self.kinds = {name: kind_table(self.metadata, name) for name in kinds}
        self.metadata.create_all(engine)
        self.empty()

    def empty(self) -> None:
        """Delete all rows; the epoch is the first again."""
        with self.engine.begin() as connection:
            for table in self.metadata.tables.values():
                connection.execute(sa.delete(table))
            connection.execute(sa.insert(self.tables.meta).values(name=EPOCH, value="epoch-1"))

    @contextmanager
    def open(self) -> Iterator[SqlStore]:
        """Open a transaction."""
        with Session(self.engine) as session, session.begin():
            yield SqlStore(session, self.tables, self.kinds, Envelope(), _nothing_to_end)

    def enrol(self, device: str, user: int) -> None:
        """Add a device."""
        with self.engine.begin() as connection:
            connection.execute(sa.insert(self.tables.device).values(id=device, user_id=user))


def raise_floor(stand: Stand, scope: str) -> None:
    """Forget the tombstones of a scope, up to its present version."""
    gone = ("out", "del")
    if isinstance(stand, MemoryStand):
        store, feed = stand.store, stand.store.feeds[scope]
        store.feeds[scope] = {key: row for key, row in feed.items() if row.op not in gone}
        store.states[scope] = store.states[scope]._replace(floor=store.states[scope].ver)
    if isinstance(stand, SqlStand):
        feed, state = stand.tables.feed, stand.tables.scope
        with stand.engine.begin() as connection:
            connection.execute(sa.delete(feed).where(feed.c.scope == scope, feed.c.op.in_(gone)))
            connection.execute(
                sa.update(state).where(state.c.scope == scope).values(floor=state.c.ver)
            )


def _nothing_to_end(_session: Session) -> None:
    """Reading and writing are one transaction here."""


@dataclass
class Phone:
    """A device that numbers its edits, without a memory of its own."""

    stand: Any
    word: str
    user: int = 1
    gate: OpenGate = field(default_factory=OpenGate)
    n: int = 0
    kinds: Kinds = KINDS

    def __post_init__(self) -> None:
        self.device = name_of(self.word)
        self.stand.enrol(self.device, self.user)

    def edit(self, op: str, kind: str, rec: str, **more: Any) -> Edit:
        """Make the next edit."""
        self.n += 1
        shape: dict[str, Any] = {"id": name_of(f"{self.word}/{self.n}")} | more
        return Edit(n=self.n, op=op, kind=kind, rec=rec, **shape)

    def push(self, *edits: Edit, at_ms: int = NOW_MS) -> PushReply:
        """Send edits."""
        return self.push_drafts([Draft(edit) for edit in edits], at_ms=at_ms)

    def push_drafts(self, drafts: Sequence[Draft], *, at_ms: int = NOW_MS) -> PushReply:
        """Send edits as they were read from the wire."""
        context = Push(self.device, self.user, at_ms, ANCHORS, self.gate, self.kinds)
        with self.stand.open() as store:
            return push(store, drafts, context)

    def pull(self, scopes: Sequence[str], cursor: str | None = None, **more: Any) -> Page:
        """Ask for a page."""
        with self.stand.open() as store:
            device = store.device(self.device)
            return pull(store, Pull(scopes, cursor, device, **more))


ALL_KINDS = (*(kind.name for kind in (*KINDS.kinds, CONFLICT)), "parcel")


@contextmanager
def upkeep(stand: Any) -> Iterator[Upkeep]:
    """Open the upkeep of any stand in one transaction."""
    with stand.open() as store:
        yield upkeep_of(store)


def upkeep_of(store: Any) -> Upkeep:
    """Return the upkeep of a store that is open."""
    return MemoryUpkeep(store) if isinstance(store, MemoryStore) else SqlUpkeep(store)
