"""The plain values that the engine passes around: edits, records, receipts, devices."""

import hashlib
import json
import operator
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

OPS = ("create", "update", "delete", "event", "add", "remove", "resolve", "repair", "discard")
JOIN_OPS = ("add", "remove")
BASE_UNIT = "*"
OTHER = "~"
TRAIL, MERE = "@", "!"


class Mark(NamedTuple):
    """Who last wrote a unit of a record: version, stamp in ms, device, edit.

    ``sum`` belongs to counters: what has been added so far, or what a count rests on.
    """

    rv: int
    ms: int
    device: str
    edit: str
    sum: int = 0

    @property
    def order(self) -> tuple[int, str, str]:
        """Return what decides between concurrent writers."""
        return (self.ms, self.device, self.edit)


_RV = operator.attrgetter("rv")


@dataclass(frozen=True, slots=True)
class Edit:
    """One edit, as a phone or an office made it."""

    n: int
    id: str
    op: str
    kind: str
    rec: str
    base: int = 0
    set: Mapping[str, Any] = field(default_factory=dict)
    was: Mapping[str, Any] = field(default_factory=dict)
    schema: int = 1
    at: Mapping[str, Any] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """Return the wire shape."""
        return {name: getattr(self, name) for name in self.__slots__}

    def digest(self) -> str:
        """Return a short fingerprint: the same id with another body is an error."""
        body = (self.op, self.kind, self.rec, self.base, self.set, self.was.get("raw"))
        text = _canonical(body)
        return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]


# one encoder for all edits: json.dumps would make a new one for each
_canonical = json.JSONEncoder(ensure_ascii=False, sort_keys=True, default=dict).encode


@dataclass(frozen=True, slots=True)
class Record:
    """One record with the marks of its units.

    Attributes:
        marks: the mark of each unit; ``*`` stands for all that are not named, ``~`` is the
            last mark of another device than the last writer's: with it one can tell for every
            device whether somebody else has written since a version. ``@3! grid:7`` tells that
            version 3 left these scopes, and did nothing else (``!``).
        deleted: None while it lives, else ``worker`` or ``office``: who deleted it.
    """

    kind: str
    id: str
    rv: int
    values: Mapping[str, Any]
    marks: Mapping[str, Mark]
    deleted: str | None = None

    def mark(self, unit: str) -> Mark:
        """Return who last wrote a unit."""
        return self.marks.get(unit) or self.marks[BASE_UNIT]

    def without_marks(self, units: Collection[str]) -> "Record":
        """Return the record without some of its marks."""
        return replace(self, marks={u: mark for u, mark in self.marks.items() if u not in units})

    @property
    def mere_moves(self) -> frozenset[int]:
        """Return the versions that only moved the record: nobody's work stands in them."""
        trails = [unit for unit in self.marks if unit.startswith(TRAIL)]
        moves = [unit[1:].partition(" ")[0] for unit in trails]
        return frozenset([int(move[:-1]) for move in moves if move.endswith(MERE)])

    def written_since(self, base: int, device: str) -> dict[str, Mark]:
        """Return the marks of what others have written since a version, mere moves left out."""
        moves = self.mere_moves
        return {
            unit: one for unit, one in self.marks.items()
            if one.rv > base and one.device != device and one.rv not in moves
            and not unit.startswith(TRAIL)
        }  # fmt: skip

    def stamp_at(self, base: int) -> int:
        """Return the latest stamp that somebody who saw version ``base`` has seen."""
        return max((mark.ms for mark in self.marks.values() if mark.rv <= base), default=0)

    def written(self, values: Mapping[str, Any], units: Mapping[str, Mark], rv: int) -> "Record":
        """Return the next version of the record; all units are written by one edit."""
        moves = self.mere_moves
        latest = max([mark for mark in self.marks.values() if mark.rv not in moves], key=_RV)
        marks = {**self.marks, **units}
        if any(mark.device != latest.device for mark in units.values() if mark.rv == rv):
            marks[OTHER] = latest
        return replace(self, rv=rv, values={**self.values, **values}, marks=marks)


@dataclass(frozen=True, slots=True)
class Device:
    """What the server remembers of a device: the last edit taken and its stamp."""

    id: str
    user: int
    last_n: int = 0
    last_id: str | None = None
    last_ms: int = 0
    enrolment: str | None = None


@dataclass(frozen=True, slots=True)
class Receipt:
    """The fate of one edit; kept as the bytes that were answered."""

    n: int
    id: str
    status: str
    rec: str
    rv: int = 0
    code: str | None = None
    errors: tuple[Mapping[str, Any], ...] = ()
    conflicts: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()
    lost: tuple[str, ...] = ()
    """The units of which this edit's values do not stand: something else won."""

    def as_json(self) -> dict[str, Any]:
        """Return the wire shape, without what is empty."""
        return {
            name: value
            for name in self.__slots__
            if (value := getattr(self, name)) is not None and value != ()
        }


@dataclass(frozen=True, slots=True)
class LedgerEntry:
    """One row of the ledger: the edit, what it found, what became of it.

    Attributes:
        digest: by it the edit is known when it comes again; None leaves it as it was, where a
            row is only amended.
    """

    edit: Edit
    device: str
    user: int
    receipt: Receipt
    digest: str | None
    ms: int
    received_ms: int
    before: Mapping[str, Any] = field(default_factory=dict)
    after: Mapping[str, Any] = field(default_factory=dict)
    """What stood afterwards, of the fields where that is not what the edit has set."""
    was: Mapping[str, Any] = field(default_factory=dict)
    """What its author had before him, of the fields that cannot be merged again without it."""


@dataclass(frozen=True, slots=True)
class Known:
    """What the ledger remembers of an edit that was taken before."""

    id: str
    device: str
    n: int
    digest: str
    receipt: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Parked:
    """An edit that waits for a human, whole and with the reason.

    Attributes:
        edit: as it was sent, in the schema of its app.
        waits_for: its own record, or when held the record whose creation is parked.
        scope: the scope of the people who are to look at it; its author sees it too.
        rv: how often it has been published; 0 before the first time.
    """

    edit: Edit
    device: str
    user: int
    code: str
    errors: tuple[Mapping[str, Any], ...]
    state: str
    ms: int
    parked_ms: int
    waits_for: str
    scope: str | None = None
    rv: int = 0


@dataclass(frozen=True, slots=True)
class Draft:
    """An edit as it came in: readable, or with the fault that parks it."""

    edit: Edit
    code: str | None = None
    errors: tuple[Mapping[str, Any], ...] = ()


@dataclass(frozen=True, slots=True)
class Past:
    """One row of the ledger: what came, from whom, when, and what was answered."""

    edit: Edit
    device: str
    user: int
    received_ms: int
    code: str | None = None

    @property
    def order(self) -> tuple[int, str, int]:
        """Return its place among all others."""
        return (self.received_ms, self.device, self.edit.n)
