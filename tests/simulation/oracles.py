"""What joined fields must come to, by another way of reckoning than the engine's own."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sync import merge
from sync.edits import OTHER, TRAIL, LedgerEntry, Record
from sync.kinds import Rule
from sync.store import Batch
from tests.sync.house import KINDS

if TYPE_CHECKING:
    from tests.simulation.checks import Checks

Key = tuple[str, str]
APPLIED = ("applied", "merged", "conflict", "noop")


@dataclass
class Plot:
    """One plot as its edits tell it: every addition, every withdrawal, every call."""

    adds: dict[str, list[tuple[int, str]]] = field(default_factory=dict)
    withdrawals: list[tuple[int, str]] = field(default_factory=list)
    calls: int | None = 0


class Oracles:
    """The reckoning of one world; a plot about which a human has decided is left out of it."""

    def __init__(self, checks: "Checks") -> None:
        self.checks = checks
        self.plots: dict[str, Plot] = {}
        self.lost: set[str] = set()
        self.chosen: dict[str, frozenset[str]] = {}
        """For each choice that wrote something, the units that it wrote."""

    def restored(self, records: Mapping[Key, Record]) -> None:
        """Leave out, after a restore, every plot there ever was: phones still name old versions."""
        self.lost |= self.plots.keys() | {name for kind, name in records if kind == "plot"}
        self.plots.clear()

    def committed(self, batch: Batch, shadow: Mapping[Key, Record]) -> None:
        """Reckon one push, and compare."""
        self._humans(batch, shadow)
        touched = dict.fromkeys(entry.edit.rec for entry in batch.ledger)
        for entry in batch.ledger:
            if entry.edit.kind == "plot" and entry.receipt.status in APPLIED:
                self._entered(entry, batch, shadow, alone=_alone(entry, batch))
        for name in touched:
            record, plot = batch.records.get(("plot", name)), self.plots.get(name)
            if record and plot and name not in self.lost:
                self._compare(record, plot)

    def _humans(self, batch: Batch, shadow: Mapping[Key, Record]) -> None:
        self.lost |= {entry.edit.rec for entry in batch.amended}
        for entry in batch.ledger:
            conflict = shadow.get(("conflict", entry.edit.rec))
            if entry.edit.op == "resolve" and conflict:
                self.lost.add(conflict.values["record"])
                self._chosen(entry, conflict, batch)
                self._undone(entry, conflict, shadow)

    def _chosen(self, entry: LedgerEntry, conflict: Record, batch: Batch) -> None:
        """Note what a choice wrote: the unit that clashed, or of a step also its content alone.

        Even a unit that the same batch has written over belongs to it.
        """
        key = (conflict.values["kind"], conflict.values["record"])
        kind, record = KINDS.get(key[0]), batch.records.get(key)
        if kind and record and entry.receipt.status == "applied":
            bears = {
                merge.owner(name)
                for name, mark in record.marks.items()
                if mark.edit == entry.edit.id and not name.startswith((OTHER, TRAIL))
            }
            said = {kind.unit_of(name) for name in entry.before}
            plain = {unit for unit in said if kind.rule_of(unit) is not Rule.OFFICE}
            self.chosen[entry.edit.id] = frozenset(bears | plain)

    def _undone(self, entry: LedgerEntry, conflict: Record, shadow: Mapping[Key, Record]) -> None:
        """A choice is only taken back while all that it wrote stands."""
        before, unit = conflict.values.get("before") or {}, conflict.values["unit"]
        target = shadow.get((conflict.values["kind"], conflict.values["record"]))
        undone = entry.edit.set.get("choice") == "undo" and entry.receipt.status == "applied"
        if undone and target and before.get("rv") and unit != merge.DELETION:
            choice = conflict.values["by"]["edit"]
            wrote = self.chosen.get(choice, frozenset())
            # Of an overtaken step a swap may take up the content and leave the step alone.
            whole = unit in wrote or (wrote and conflict.values["rule"] == Rule.WORKFLOW.value)
            mine = whole and all(target.mark(one).edit == choice for one in wrote)
            self.checks.demand("undo_only_what_stands", mine, (entry.edit, target))

    def _entered(
        self, entry: LedgerEntry, batch: Batch, shadow: Mapping[Key, Record], *, alone: bool
    ) -> None:
        edit, device, said = entry.edit, entry.device, entry.edit.set
        if edit.rec in self.lost:
            return
        plot = self.plots.setdefault(edit.rec, Plot())
        if "tags" in said:
            self._tagged(plot, entry)
        if "calls" in said:
            added = plot.calls is not None and edit.op in ("add", "create")
            plot.calls = (plot.calls or 0) + (said["calls"] or 0) if added else None
        if said.get("consent") == "withdrawn":
            plot.withdrawals.append((entry.receipt.rv, device))
        if said.get("consent") == "given" and "agreement" not in entry.receipt.lost:
            unseen = [one for one in plot.withdrawals if one[0] > edit.base and one[1] != device]
            self.checks.demand("withdrawal_stands", not unseen, edit)
        if edit.op == "update" and said.get("story") is not None and alone:
            self._told(entry, batch, shadow)

    def _tagged(self, plot: Plot, entry: LedgerEntry) -> None:
        edit, listed = entry.edit, set(entry.edit.set["tags"] or ())
        was = set(edit.was.get("tags") or ())
        adds = listed if edit.op in ("add", "create") else listed - was
        removes = listed if edit.op == "remove" else was - listed
        for tag in adds if edit.op != "remove" else ():
            plot.adds.setdefault(tag, []).append((entry.receipt.rv, entry.device))
        for tag in removes if edit.op in ("remove", "update") else ():
            plot.adds[tag] = [one for one in plot.adds.get(tag, ())
                              if one[0] > edit.base and one[1] != entry.device]  # fmt: skip

    def _told(self, entry: LedgerEntry, batch: Batch, shadow: Mapping[Key, Record]) -> None:
        """A text is mine, theirs, or both where they lie apart; never one after the other."""
        key = ("plot", entry.edit.rec)
        now, before = batch.records.get(key), shadow.get(key)
        if now is None or before is None or before.deleted:
            return
        mine, was = entry.edit.set["story"], entry.edit.was.get("story") or ""
        stands, there = now.values["story"] or "", before.values["story"] or ""
        length = _lines(mine) + _lines(there) - _lines(was)
        kept = {one.values[side]["values"].get("story") for one in batch.records.values()
                if one.kind == "conflict" for side in ("won", "lost")}  # fmt: skip
        good = _lines(stands) == length or (stands in (mine, there) and {mine, there} <= kept)
        good = good or stands == mine == there
        self.checks.demand("texts_not_concatenated", good, (was, mine, there, stands))

    def _compare(self, record: Record, plot: Plot) -> None:
        tags = sorted(tag for tag, adds in plot.adds.items() if adds)
        held = list(record.values["tags"] or [])
        self.checks.demand("additions_win", held == tags, (record, plot))
        if plot.calls is not None:
            counted = (record.values["calls"] or 0) == plot.calls
            self.checks.demand("calls_add_up", counted, (record, plot))


def _alone(entry: LedgerEntry, batch: Batch) -> bool:
    """Tell whether an edit is the only one of its batch that writes a story of this record."""
    said: list[Any] = [one for one in batch.ledger
                       if one.edit.rec == entry.edit.rec and "story" in one.edit.set]  # fmt: skip
    return len(said) == 1


def _lines(text: str) -> int:
    return text.count("\n") + 1
