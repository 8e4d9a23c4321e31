"""The people of a large world: they find a record without reading all that there are."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from sync.parking import OPEN_STATES
from sync.replica_tables import Row
from tests.simulation.deeds import Office, Worker, new_id
from tests.simulation.joining import FEW

if TYPE_CHECKING:
    from tests.prove.country import Country

TRIES = 6


class Walker(Worker):
    """A worker who finds a record without reading all that his phone holds."""

    def _some(self, kind: str) -> Row | None:
        own = (m.rec for m in self.handset.pending.values() if (m.op, m.kind) == ("create", kind))
        first = next(own, None)
        if first and self.rng.random() < 0.3:
            return self.handset.phone.row(kind, self.rng.choice([first, *own]))
        rec = self._pulled(kind)
        return self.handset.phone.row(kind, rec) if rec else None

    def _pulled(self, kind: str) -> str | None:
        """Return the record that stands next to a random place."""
        find = "SELECT rec FROM replica_row WHERE kind = ? AND rec >= ? ORDER BY rec LIMIT 1"
        ask = self.handset.phone.memory.ask
        found = ask(find, kind, new_id(self.rng)) or ask(find, kind, "")
        return str(found[0][0]) if found else None

    def move(self) -> None:
        """Correct a position, to the last figure of a measured one."""
        lon = self.rng.uniform(-60, 60)
        self._update("plot", {"lon": lon, "lat": lon + 10})

    def resolve(self) -> None:
        """Choose in a conflict."""
        for _ in range(TRIES):
            one = self._some("conflict")
            if one and one.values["state"] != "resolved":
                choice = self.rng.choice(("keep", "swap"))
                self._edit("resolve", "conflict", one.rec, {"choice": choice})
                return

    def undo(self) -> None:
        """Take back a choice."""
        one = self._some("conflict")
        if one and one.values["state"] == "resolved":
            self._edit("resolve", "conflict", one.rec, {"choice": "undo"})

    def mend(self) -> None:
        """Correct or discard one's own parked edit; now and then somebody else's."""
        one = self._some("parked")
        mine = one and one.values["user"] == self.handset.user
        if one and one.values["state"] in OPEN_STATES and (mine or self.rng.random() < 0.1):
            op = self.rng.choice(("repair", "repair", "repair", "discard"))
            self._edit(op, "parked", one.rec, {"name": "mended"} if op == "repair" else {})

    def _plot(self) -> Row | None:
        """Return one of the few plots on which people meet."""
        find = "SELECT rec FROM replica_row WHERE kind = 'plot' ORDER BY rec LIMIT ?"
        found = self.handset.phone.memory.ask(find, FEW)
        return self.handset.phone.row("plot", self.rng.choice(found)[0]) if found else None


class Desk(Office):
    """An office that finds a record without reading all of them."""

    world: "Country"

    def _some(self, kind: str, **wanted: Any) -> Any:
        for _ in range(TRIES):
            name = self.world.living[kind].draw(self.rng) if kind in self.world.living else None
            record = self.world.checks.shadow.get((kind, name))
            if record and all(record.values.get(k) in value for k, value in wanted.items()):
                return record
        return None

    def _plot(self, values: Mapping[str, Any], op: str = "update") -> None:
        record = self._some("plot")
        if record and not record.deleted:
            base = max(0, record.rv - self.rng.choice((0, 0, 1)))
            self.world.as_office(op, "plot", record.id, values, base=base)

    def release(self) -> None:
        """Repair a parked edit, or lay it aside."""
        waiting = self.world.waiting.draw(self.rng)
        if waiting is None:
            return
        op = self.rng.choice(("repair", "repair", "repair", "discard"))
        mend = op == "repair" and self.rng.random() < 0.7
        self.world.as_office(op, "parked", waiting, {"name": "mended"} if mend else {})
