"""Hand a record over whole: what follows it goes with it, and where it lay before is known.

A record that moves takes along what names it in a following field, what follows that, and the
conflicts and parked edits of all of them: in the same transaction, in the name of the same edit.
Each keeps a trail of the scopes it has left, so that an edit made offline before the move can be
judged by where the record lay when its author acted.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from sync.conflicts import CONFLICT
from sync.edits import MERE, OTHER, TRAIL, Edit, Mark, Record
from sync.grounds import Grounds
from sync.kinds import Follower, Kind

if TYPE_CHECKING:
    from sync.push import Run
    from sync.reading import Reading

TRAIL_MAX = 8
OF_CONFLICT = "record"
Key = tuple[str, str]


# -- the trail --------------------------------------------------------------------------------


def with_trail(kind: Kind, before: Record | None, after: Record, left: Mark) -> Record:
    """Return a record with a mark of the scopes it has left, if it has left any."""
    if before is None:
        return after
    moved = _left(kind, kind.scopes(before.values), after, left)
    if moved.rv not in moved.mere_moves:
        return moved
    # Whoever only moves a record does not stand between those who write it.
    others = {OTHER: before.marks[OTHER]} if OTHER in before.marks else {}
    marks = {unit: mark for unit, mark in moved.marks.items() if unit != OTHER}
    return replace(moved, marks={**marks, **others})


def _left(kind: Kind, was: tuple[str, ...], after: Record, left: Mark) -> Record:
    if was == kind.scopes(after.values):
        return after
    written = {unit for unit, mark in after.marks.items() if mark.rv == after.rv} - {OTHER}
    mere = written <= {kind.unit_of(name) for name in kind.moved_by}
    trail = f"{TRAIL}{after.rv}{MERE if mere else ''} {' '.join(was)}"
    old = sorted((one for one in after.marks if one.startswith(TRAIL)), key=_trail_rv)
    dropped = old[: max(0, len(old) + 1 - TRAIL_MAX)]
    marks = {unit: mark for unit, mark in after.marks.items() if unit not in dropped}
    return replace(after, marks={**marks, trail: left._replace(rv=after.rv)})


def _trail_rv(unit: str) -> int:
    return int(unit[1:].partition(" ")[0].removesuffix(MERE))


def former_scopes(record: Record, *, at_ms: int, base: int) -> tuple[str, ...] | None:
    """Return the scopes in which a record lay at a moment, None when it lies there still.

    Args:
        base: the version that the author had before him; a move that he had seen came before
            his act, whatever the clocks say.
    """
    if record.rv <= base:
        return None
    for unit in sorted((one for one in record.marks if one.startswith(TRAIL)), key=_trail_rv):
        mark = record.marks[unit]
        if mark.rv > base and mark.ms > at_ms:
            return tuple(unit.partition(" ")[2].split())
    return None


# -- reading ----------------------------------------------------------------------------------


def movers(reading: "Reading", edits: Iterable[Edit]) -> set[Key]:
    """Return the records that these edits may move, as far as the edits themselves can tell."""
    found: set[Key] = set()
    for edit in edits:
        kind = reading.kinds.get(edit.kind)
        if edit.op == "resolve":
            found |= _target_of(reading, edit)
        elif kind and not kind.moved_by.isdisjoint(edit.set):
            found.add((kind.name, edit.rec))
    return found & reading.found.keys()


def _target_of(reading: "Reading", edit: Edit) -> set[Key]:
    """Return the record that a resolution moves, when it swaps in another place."""
    conflict = reading.found.get((CONFLICT.name, edit.rec))
    kind = reading.kinds.get(conflict.values["kind"]) if conflict else None
    lost = (conflict.values["lost"] or {}).get("values", {}) if conflict else {}
    if conflict is None or kind is None or kind.moved_by.isdisjoint(lost):
        return set()
    return {(kind.name, conflict.values[OF_CONFLICT])}


def load(reading: "Reading", keys: set[Key]) -> None:
    """Read all that goes with some records: as many statements as the declarations are deep."""
    moving, wave = set(keys), keys - reading.carried
    while wave:
        asked = _asked(reading, wave)
        wave = set(_ask(reading, asked)) - moving - reading.carried if asked else set()
        moving |= wave
    moving -= reading.carried
    if moving:
        ids = frozenset(record for _, record in moving)
        found = _ask(reading, {(CONFLICT.name, OF_CONFLICT): ids})
        reading.ask_parked(ids | {record for _, record in found})
        reading.carried |= moving


def _asked(reading: "Reading", keys: set[Key]) -> dict[tuple[str, str], frozenset[str]]:
    asked: dict[tuple[str, str], set[str]] = {}
    for kind, record in keys:
        for one in reading.kinds.followers.get(kind, ()):
            asked.setdefault((one.kind, one.field), set()).add(record)
    return {name: frozenset(ids) for name, ids in asked.items()}


def _ask(
    reading: "Reading", asked: Mapping[tuple[str, str], frozenset[str]]
) -> Mapping[Key, Record]:
    found = reading.store.followers(asked)
    reading.batch.followed_asked.append((asked, frozenset(found)))
    for key, record in found.items():
        reading.found.setdefault(key, record)
        reading.batch.seen_rv.setdefault(key, record.rv)
    return found


def relied_on(reading: "Reading", edits: Iterable[Edit]) -> frozenset[Key]:
    """Return the records that these edits make others follow."""
    found: set[Key] = set()
    for edit in edits:
        kind = reading.kinds.get(edit.kind)
        for one in kind.following if kind else ():
            if isinstance(edit.set.get(one.name), str):
                found.add((str(one.refers), edit.set[one.name]))
    return frozenset(found & reading.found.keys())


# -- moving -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Handover:
    """The moves of one batch."""

    run: "Run"

    def found(self, kind: Kind, record: Record, mark: Mark, named: Mapping[str, Any]) -> None:
        """Keep a new record; where its author put it counts as a place that it has left.

        Args:
            named: the values as the author gave them.
        """
        was = self._followed_scopes(kind, record, mark.ms) or kind.scopes(named)
        left = mark._replace(ms=self.run.context.received_ms)
        after = _left(kind, was, record, left) if was else record
        self.run.batch.records[kind.name, record.id] = after

    def _followed_scopes(self, kind: Kind, record: Record, at_ms: int) -> tuple[str, ...]:
        """Return the scopes in which lay, at a moment, what a new record follows."""
        for one in kind.following:
            its_kind = self.run.context.kinds.get(str(one.refers))
            parent = its_kind and self.run.reading.record(
                (its_kind.name, str(record.values.get(one.name)))
            )
            if its_kind and parent:
                former = former_scopes(parent, at_ms=at_ms, base=0)
                return its_kind.scopes(parent.values) if former is None else former
        return ()

    def place(self, kind: Kind, record: Record, mark: Mark) -> None:
        """Keep the next version of a record, and move what follows it."""
        waiting = [(kind, record)]
        while waiting:
            kind, record = waiting.pop(0)
            key = (kind.name, record.id)
            before = self.run.reading.record(key)
            left = mark._replace(ms=self.run.context.received_ms)
            record = with_trail(kind, before, record, left)
            self.run.batch.records[key] = record
            if before is not None:
                waiting += self._following(kind, before, record, mark)
                waiting += Grounds(self.run).fall(kind, before, record, mark)
                self._carry(kind, before, record, left)

    def _following(
        self, kind: Kind, before: Record, after: Record, mark: Mark
    ) -> Iterator[tuple[Kind, Record]]:
        """Yield the next versions of what follows a record, where a copied field has changed."""
        for follower in self.run.context.kinds.followers.get(kind.name, ()):
            changed = {
                name: after.values.get(name)
                for name in follower.copies
                if before.values.get(name) != after.values.get(name)
            }
            its_kind = self.run.context.kinds.get(follower.kind)
            if changed and its_kind:
                load(self.run.reading, {(kind.name, after.id)})
                for child in self._children(follower, after.id):
                    if any(child.values.get(name) != value for name, value in changed.items()):
                        yield its_kind, _following(its_kind, child, changed, mark)

    def _children(self, follower: Follower, record: str) -> list[Record]:
        return self._those(follower.kind, follower.field, record)

    def _those(self, kind: str, field: str, value: str) -> list[Record]:
        """Return the records of a kind as they stand in this batch whose field has a value."""
        known = {**self.run.reading.found, **self.run.batch.records}
        found = (one for key, one in known.items() if key[0] == kind)
        return sorted((one for one in found if one.values.get(field) == value), key=_by_id)

    def _carry(self, kind: Kind, before: Record, after: Record, left: Mark) -> None:
        """Let the conflicts of a record move with it, and read what is parked about it.

        The batch takes the open ones along when it is closed (``Closing``).
        """
        was, now = kind.scopes(before.values), kind.scopes(after.values)
        if was == now:
            return
        load(self.run.reading, {(kind.name, after.id)})
        for conflict in self._those(CONFLICT.name, OF_CONFLICT, after.id):
            if conflict.deleted:
                continue
            mark = left._replace(rv=conflict.rv + 1)
            moved = conflict.written({"scopes": list(now)}, {"scopes": mark}, conflict.rv + 1)
            key = (CONFLICT.name, conflict.id)
            self.run.batch.records[key] = with_trail(CONFLICT, conflict, moved, left)


def _following(kind: Kind, child: Record, values: Mapping[str, Any], mark: Mark) -> Record:
    own = mark._replace(rv=child.rv + 1)
    return child.written(values, {kind.unit_of(name): own for name in values}, child.rv + 1)


def _by_id(record: Record) -> str:
    return record.id
