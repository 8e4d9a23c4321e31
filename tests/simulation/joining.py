"""Deeds upon what is joined: sets, counters, long texts, consents; and taking a choice back."""

import random
from collections.abc import Mapping
from typing import Any

from sync.replica_tables import Row

TAGS = ("dog", "gate", "well", "kiln", "loft")
LINES = "\n".join(f"line {number}" for number in range(6))
FEW = 2
"""So few plots are worked on that people meet."""
JOINING_DEEDS = {"tag": 6, "call": 5, "write": 6, "agree": 5, "retag": 3, "undo": 8}
JOINING_DESK = {"recount": 2, "withdraw": 2, "untag": 2, "undo": 6}


def _rewritten(rng: random.Random, text: str | None) -> str:
    """Return a text with one line changed, or one more."""
    lines = (text or LINES).split("\n")
    at = rng.randrange(len(lines))
    lines[at : at + rng.choice((0, 1, 1, 1))] = [f"{rng.randrange(10_000)}"]
    return "\n".join(lines[:20])


def _agreement(rng: random.Random) -> dict[str, str]:
    return {"consent": rng.choice(("given", "given", "withdrawn")), "told": str(rng.random())[2:8]}


class JoiningWorker:
    """What a worker does with a plot that others work on at the same time."""

    rng: random.Random

    def _plot(self) -> Row | None:
        rows = self.handset.phone.rows("plot")  # type: ignore[attr-defined]
        return rows[self.rng.choice(sorted(rows)[:FEW])] if rows else None

    def _do(self, op: str, values: Mapping[str, Any]) -> None:
        row = self._plot()
        if row:
            self._edit(op, "plot", row.rec, values)  # type: ignore[attr-defined]

    def tag(self) -> None:
        """Add a tag to a plot, or take one away."""
        self._do(self.rng.choice(("add", "add", "remove")), {"tags": [self.rng.choice(TAGS)]})

    def retag(self) -> None:
        """Write all tags anew."""
        self._do("update", {"tags": sorted(self.rng.sample(TAGS, self.rng.randrange(4)))})

    def call(self) -> None:
        """Count some calls."""
        self._do("add", {"calls": self.rng.choice((1, 2, -1))})

    def write(self) -> None:
        """Rewrite a line of a plot's story."""
        row = self._plot()
        if row:
            story = _rewritten(self.rng, row.values.get("story"))
            self._edit("update", "plot", row.rec, {"story": story})  # type: ignore[attr-defined]

    def agree(self) -> None:
        """Note a consent, or that it was withdrawn."""
        self._do("update", _agreement(self.rng))

    def undo(self) -> None:
        """Take back a choice."""
        conflicts = self.handset.phone.rows("conflict")  # type: ignore[attr-defined]
        chosen = sorted(n for n, row in conflicts.items() if row.values["state"] == "resolved")
        if chosen:
            self._edit("resolve", "conflict", self.rng.choice(chosen),  # type: ignore[attr-defined]
                       {"choice": "undo"})  # fmt: skip


class JoiningOffice:
    """What the office does with it."""

    rng: random.Random

    def _plot(self, values: Mapping[str, Any], op: str = "update") -> None:
        records = self.world.stand.records()  # type: ignore[attr-defined]
        plots = sorted(key for key, one in records.items() if key[0] == "plot" and not one.deleted)
        if plots:
            record = records[self.rng.choice(plots[:FEW])]
            self.world.as_office(  # type: ignore[attr-defined]
                op, "plot", record.id, values, base=max(0, record.rv - self.rng.choice((0, 0, 1)))
            )

    def recount(self) -> None:
        """Count the calls anew."""
        self._plot({"calls": self.rng.randrange(100)})

    def withdraw(self) -> None:
        """Note a consent or its withdrawal."""
        self._plot(_agreement(self.rng))

    def untag(self) -> None:
        """Take a tag away."""
        self._plot({"tags": [self.rng.choice(TAGS)]}, op="remove")

    def undo(self) -> None:
        """Take back a choice."""
        conflict = self._some("conflict", state=("resolved",))  # type: ignore[attr-defined]
        if conflict:
            self.world.as_office(  # type: ignore[attr-defined]
                "resolve", "conflict", conflict.id, {"choice": "undo"}
            )
