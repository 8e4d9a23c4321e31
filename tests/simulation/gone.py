"""Invariant 17: erased data is in no table, feed or phone, and every phone has said so."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sync.edits import Record
from sync.store import ERASED
from tests.simulation import upkeep

if TYPE_CHECKING:
    from tests.simulation.checks import Checks
    from tests.simulation.stands import Line

Key = tuple[str, str]
NAME = "erased_is_gone"


@dataclass(frozen=True)
class Gone:
    """The checks of one world at rest."""

    checks: "Checks"

    def at_rest(self, records: Mapping[Key, Record], lines: Sequence["Line"]) -> None:
        """Look for anything of what has been erased."""
        gone = self.checks.gone
        for one in self.checks.world.erasures:
            record = records.get(one.key)
            if record or one.kind != "conflict":
                self._bare(record, one)
        for line in lines:
            if line.rec in gone and line.op != "resolve":
                self.checks.demand(NAME, not line.values, line)
        with self.checks.world.stand.open() as store:
            for parked in upkeep.of(store).parked_about(gone, ()):
                self.checks.demand(NAME, not parked.edit.set, parked)
        for handset in self.checks.world.handsets:
            self._off_the_phone(handset, gone)
        self._witnessed()

    def _bare(self, record: Record | None, one: Any) -> None:
        self.checks.demand(NAME, record and record.deleted == ERASED, (one, record))
        assert record is not None
        sides = [record.values[side]["values"] for side in ("won", "lost") if record.values]
        self.checks.demand(NAME, not any(sides) and not record.values.get("before"), record)
        self.checks.demand(NAME, record.kind == "conflict" or not record.values, record)

    def _off_the_phone(self, handset: Any, gone: set[str]) -> None:
        memory = handset.phone.memory
        for (rec,) in memory.ask("SELECT rec FROM replica_row"):
            self.checks.demand(NAME, rec not in gone, rec)
        told = {one.record for one in self.checks.world.erasures
                if set(one.scopes) & set(self._granted(handset))}  # fmt: skip
        for entry in memory.entries("1 = 1"):
            if entry.edit["rec"] in told and entry.edit["op"] != "resolve":
                self.checks.demand(NAME, entry.edit["set"].keys() <= {"plot"}, entry)

    def _granted(self, handset: Any) -> list[str]:
        return self.checks.world.granted(handset.user)

    def _witnessed(self) -> None:
        """Every phone that may see a scope has confirmed what was erased in it."""
        world = self.checks.world
        with world.stand.open() as store:
            found, witnesses = upkeep.of(store).erasures(), upkeep.of(store).witnesses()
        for one in found:
            seen = {device for device, _ in witnesses.get(one.key, ())}
            for handset in world.handsets:
                if set(one.scopes) & set(self._granted(handset)):
                    self.checks.demand("purge_witnessed", seen & handset.devices, one)
