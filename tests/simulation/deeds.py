"""What people do: workers on their phones, and the office at its desk."""

import itertools
import random
import uuid
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from sync.replica_tables import Row
from tests.simulation.handset import Handset
from tests.simulation.joining import JOINING_DEEDS, JOINING_DESK, JoiningOffice, JoiningWorker

if TYPE_CHECKING:
    from tests.simulation.world import World

GRIDS = (1, 2, 3)
PLACE_STEP = 10
OWNERS = ("Li", "Wang", "Zhang")
WORDS = ("red", "green", "blue", "grey", "gold")
WORKER_DEEDS = {
    "new_plot": 5, "new_person": 3, "new_job": 2, "rename": 6, "own": 7, "move": 4, "tell": 3,
    "advance": 6, "report": 2, "delete": 2, "resolve": 3, "spoil": 3, "follow_spoilt": 2,
    "mend": 2, **JOINING_DEEDS,
}  # fmt: skip
OFFICE_DEEDS = {
    "own": 4, "new_job": 3, "regrid": 3, "delete": 1, "cancel": 3, "give_back": 3, "release": 6,
    "resolve": 3, "errand": 6, **JOINING_DESK,
}  # fmt: skip
WORKER_NAMES, WORKER_ODDS = tuple(WORKER_DEEDS), tuple(itertools.accumulate(WORKER_DEEDS.values()))
OFFICE_NAMES, OFFICE_ODDS = tuple(OFFICE_DEEDS), tuple(itertools.accumulate(OFFICE_DEEDS.values()))


def new_id(rng: random.Random) -> str:
    """Return a fresh id."""
    return str(uuid.UUID(int=rng.getrandbits(128), version=4))


def _word(rng: random.Random) -> str:
    return f"{rng.choice(WORDS)} {rng.randrange(1000)}"


def _place(rng: random.Random) -> dict[str, float]:
    """Return a position whose halves can be told to belong together."""
    lon = rng.randrange(-60, 60)
    return {"lon": lon, "lat": lon + PLACE_STEP}


def _plot(rng: random.Random, grid: int) -> dict[str, Any]:
    return {"grid": grid, "name": _word(rng), "owner": _word(rng), **_place(rng)}


class Surroundings(Protocol):
    """What a worker sees of the world besides his phone."""

    rng: random.Random
    now_ms: int
    grids: Sequence[int]

    def granted(self, user: int) -> Sequence[str]:
        """Return the scopes that somebody sees now."""


class Worker(JoiningWorker):
    """One deed of a worker, from what his phone shows."""

    def __init__(self, around: Surroundings, handset: Handset) -> None:
        self.around, self.handset, self.rng = around, handset, around.rng

    def act(self) -> None:
        """Do something."""
        name = self.rng.choices(WORKER_NAMES, cum_weights=WORKER_ODDS)[0]
        getattr(self, name)()

    def _edit(self, op: str, kind: str, rec: str, values: Mapping[str, Any]) -> None:
        self.handset.edit(op, kind, rec, values, self.around.now_ms)

    def _some(self, kind: str) -> Row | None:
        rows = self.handset.phone.rows(kind)
        return rows[self.rng.choice(sorted(rows))] if rows else None

    def _grid(self) -> int:
        """Return a grid the worker thinks is his, or now and then one that is not."""
        if self.rng.random() < 0.05:
            return self.rng.choice(self.around.grids)
        scopes = self.handset.phone.memory.scopes()
        scopes = scopes or set(self.around.granted(self.handset.user))
        granted = sorted(scope for scope in scopes if scope.startswith("grid:"))
        return int(self.rng.choice(granted).split(":")[1]) if granted else 1

    def _update(self, kind: str, values: Mapping[str, Any]) -> None:
        row = self._some(kind)
        if row:
            self._edit("update", kind, row.rec, values)

    def new_plot(self) -> None:
        """Capture a plot."""
        self._edit("create", "plot", new_id(self.rng), _plot(self.rng, self._grid()))

    def new_person(self) -> None:
        """Capture a person who lives on a plot."""
        plot = self._some("plot")
        if plot:
            values = {"grid": plot.values["grid"], "plot": plot.rec, "name": _word(self.rng)}
            self._edit("create", "person", new_id(self.rng), values)

    def new_job(self) -> None:
        """Ask for a job."""
        values = {"grid": self._grid(), "state": "assigned", "round": 0}
        self._edit("create", "job", new_id(self.rng), values)

    def rename(self) -> None:
        """Give a plot or a person another name."""
        self._update(self.rng.choice(("plot", "person")), {"name": _word(self.rng)})

    def own(self) -> None:
        """Note another owner; there are few, so that people happen to agree."""
        self._do("update", {"owner": self.rng.choice(OWNERS)})

    def move(self) -> None:
        """Correct a position."""
        self._update("plot", _place(self.rng))

    def tell(self) -> None:
        """Write a story, or propose another grid."""
        story: dict[str, Any] = {"story": _word(self.rng)}
        if self.rng.random() < 0.2:
            story["grid"] = self.rng.choice(self.around.grids)
        self._update("plot", story)

    def advance(self) -> None:
        """Move a job one step along."""
        job = self._some("job")
        step = {"assigned": "started", "started": "done"}.get(str(job and job.values["state"]))
        if job and step:
            values = {"state": step, "round": job.values.get("round") or 0}
            self._edit("update", "job", job.rec, values)

    def report(self) -> None:
        """Report an event of a job."""
        job = self._some("job")
        if job:
            self._edit("event", "job", job.rec, {"report": _word(self.rng)})

    def delete(self) -> None:
        """Delete something."""
        kind = self.rng.choice(("plot", "person"))
        row = self._some(kind)
        if row:
            self._edit("delete", kind, row.rec, {})

    def resolve(self) -> None:
        """Choose in a conflict."""
        conflicts = self.handset.phone.conflicts()
        if conflicts:
            one = self.rng.choice(sorted(conflicts, key=lambda row: row.rec))
            choice = self.rng.choice(("keep", "swap"))
            self._edit("resolve", "conflict", one.rec, {"choice": choice})

    def spoil(self) -> None:
        """Make an edit that can never succeed as it is."""
        bad: list[tuple[str, str, dict[str, Any]]] = [
            ("create", "plot", _plot(self.rng, self._grid()) | {"name": "x" * 50}),
            ("create", "castle", {"grid": 1}), ("update", "plot", {"name": "nobody"}),
            ("create", "plot", {"grid": self._grid(), "name": "half", "lon": 1.0}),
            ("frobnicate", "plot", {"name": "newer app"}),
        ]  # fmt: skip
        op, kind, values = self.rng.choice(bad)
        self._edit(op, kind, new_id(self.rng), values)

    def follow_spoilt(self) -> None:
        """Build on a creation that will be parked."""
        plot, person = new_id(self.rng), new_id(self.rng)
        grid = self._grid()
        self._edit("create", "plot", plot, _plot(self.rng, grid) | {"name": "y" * 50})
        values = {"grid": grid, "plot": plot, "name": _word(self.rng)}
        self._edit("create", "person", person, values)
        self._edit("update", "person", person, {"name": _word(self.rng)})
        self._edit("update", "plot", plot, {"owner": _word(self.rng)})

    def mend(self) -> None:
        """Correct or discard one's own parked edit; now and then somebody else's."""
        waiting = self.handset.phone.parked()
        if self.rng.random() < 0.9:
            waiting = [row for row in waiting if row.values["user"] == self.handset.user]
        if waiting:
            one = self.rng.choice(waiting)
            op = self.rng.choice(("repair", "repair", "repair", "discard"))
            values = {"name": _word(self.rng)} if op == "repair" else {}
            self._edit(op, "parked", one.rec, values)


class Office(JoiningOffice):
    """One deed of the office, from what the server holds; its base may be a version old."""

    def __init__(self, world: "World") -> None:
        self.world, self.rng = world, world.rng

    def act(self) -> None:
        """Do something."""
        name = self.rng.choices(OFFICE_NAMES, cum_weights=OFFICE_ODDS)[0]
        getattr(self, name)()

    def _some(self, kind: str, **wanted: Any) -> Any:
        records = [
            one for key, one in sorted(self.world.stand.records().items())
            if key[0] == kind and not one.deleted
            and all(one.values.get(name) in value for name, value in wanted.items())
        ]  # fmt: skip
        return self.rng.choice(records) if records else None

    def _update(self, record: Any, values: Mapping[str, Any]) -> None:
        if record:
            base = max(0, record.rv - self.rng.choice((0, 0, 0, 1)))
            self.world.as_office("update", record.kind, record.id, values, base=base)

    def own(self) -> None:
        """Correct an owner."""
        self._update(self._some("plot"), {"owner": self.rng.choice(OWNERS)})

    def new_job(self) -> None:
        """Assign a job."""
        values = {"grid": self.rng.choice(self.world.grids), "state": "assigned", "round": 0}
        self.world.as_office("create", "job", new_id(self.rng), values)

    def errand(self) -> None:
        """Assign a job at a plot, or for a person."""
        kind = self.rng.choice(("plot", "person"))
        goal = self._some(kind)
        if goal:
            values = {"grid": goal.values["grid"], kind: goal.id, "state": "assigned", "round": 0}
            self.world.as_office("create", "job", new_id(self.rng), values)

    def regrid(self) -> None:
        """Move a record into another grid."""
        kind = self.rng.choice(("plot", "person", "job"))
        self._update(self._some(kind), {"grid": self.rng.choice(self.world.grids)})

    def delete(self) -> None:
        """Delete a record for all."""
        record = self._some("plot")
        if record:
            self.world.as_office("delete", "plot", record.id, {}, base=record.rv)

    def cancel(self) -> None:
        """Cancel a job."""
        job = self._some("job", state=("assigned", "started"))
        if job:
            self._update(job, {"state": "cancelled", "round": job.values["round"]})

    def give_back(self) -> None:
        """Return a job that is done."""
        job = self._some("job", state=("done",))
        if job:
            self._update(job, {"state": "assigned", "round": job.values["round"] + 1})

    def release(self) -> None:
        """Repair a parked edit, or lay it aside."""
        waiting = self.world.stand.waiting()
        if waiting:
            op = self.rng.choice(("repair", "repair", "repair", "discard"))
            values: dict[str, Any] = {"name": "mended"} if op == "repair" else {}
            if self.rng.random() < 0.3:
                values = {}
            self.world.as_office(op, "parked", self.rng.choice(waiting), values)

    def resolve(self) -> None:
        """Choose in a conflict."""
        conflict = self._some("conflict", state=("open", "settled"))
        if conflict:
            choice = {"choice": self.rng.choice(("keep", "swap"))}
            self.world.as_office("resolve", "conflict", conflict.id, choice)
