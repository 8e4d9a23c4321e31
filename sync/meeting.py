"""One edit meets one unit of a record: what each rule is told, and what it answers."""

import hashlib
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sync.edits import OTHER, Edit, Mark, Record
from sync.kinds import Kind

LATE = "late"
"""The rule of a clash in which a step came too late for a strict workflow."""


@dataclass(frozen=True, slots=True)
class Clash:
    """Two values of one unit of which only one could stand; both are kept.

    Attributes:
        open: True when a human should look; False when the rule has settled it.
        won, lost: the values of the unit's fields; marks tell who wrote them.
    """

    unit: str
    rule: str
    open: bool
    won: Mapping[str, Any]
    won_by: Mark
    lost: Mapping[str, Any]
    lost_by: Mark

    def conflict_id(self, record: str, base: int) -> str:
        """Return the id of the conflict: the same pair of devices meets in one conflict.

        What comes late gathers there, so that is one conflict for each of the two who is late.
        """
        pair = [self.won_by.device, self.lost_by.device]
        pair = pair if self.rule == LATE else sorted(pair)
        name = f"{record}:{self.unit}:{base}:{pair[0]}:{pair[1]}"
        return str(uuid.UUID(bytes=hashlib.sha256(name.encode()).digest()[:16], version=5))


@dataclass(frozen=True, slots=True)
class Meeting:
    """An edit's values of one unit, before a record.

    Attributes:
        whole: all values of the edit, of which ``mine`` are those of this unit.
        office: the author sits in the office.
    """

    kind: Kind
    record: Record
    unit: str
    mine: dict[str, Any]
    mark: Mark
    edit: Edit
    whole: Mapping[str, Any]
    office: bool

    @property
    def current(self) -> Mark:
        """Return who last wrote the unit."""
        return self.record.mark(self.unit)

    @property
    def theirs(self) -> dict[str, Any]:
        """Return what stands in the unit."""
        return {name: self.record.values.get(name) for name in self.mine}

    @property
    def said(self) -> bool:
        """Tell whether the author himself gave a value; else the server added all of them."""
        return not self.edit.set.keys().isdisjoint(self.mine)

    def unseen(self, mark: Mark | None) -> bool:
        """Tell whether the author of the edit did not know what this mark stands for.

        He knows what he did himself; but an edit that was parked and comes late does not know
        what its own author has done after it.
        """
        if mark is None or mark.rv <= self.edit.base:
            return False
        return mark.device != self.mark.device or mark.order > self.mark.order

    def outlived(self, mark: Mark) -> bool:
        """Tell whether the edit comes late and its own author has written since."""
        return mark.device == self.mark.device and self.unseen(mark)


@dataclass(frozen=True, slots=True)
class Met:
    """What became of the unit: what to write, and what it clashed with.

    Attributes:
        lost: the edit's values do not stand.
        dropped: the marks that are of no use any more.
    """

    values: Mapping[str, Any] = field(default_factory=dict)
    marks: Mapping[str, Mark] = field(default_factory=dict)
    clash: Clash | None = None
    lost: bool = False
    dropped: frozenset[str] = frozenset()


def stacked(marks: Mapping[str, Mark], key: str, mark: Mark, below: str) -> dict[str, Mark]:
    """Return a new mark under its key, and under ``below`` the latest of any other device.

    With the two of them one can tell for every device whether somebody else has written since
    a version, however often it has written itself.
    """
    latest = marks.get(key)
    if latest is None or latest.device == mark.device:
        return {key: mark}
    return {key: mark, below: latest}


def below(key: str) -> str:
    """Return the key under which the latest mark of another device lies."""
    return key + OTHER


def clash(
    unit: str,
    rule: str,
    won: tuple[Mapping[str, Any], Mark],
    lost: tuple[Mapping[str, Any], Mark],
    *,
    needs_human: bool,
) -> Clash | None:
    """Return a clash, unless both said the same: then nothing is lost."""
    if won[0] == lost[0]:
        return None
    return Clash(unit, rule, needs_human, won[0], won[1], lost[0], lost[1])
