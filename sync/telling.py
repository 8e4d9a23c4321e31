"""Tell a record that is named what was found out about it: in the same act, or not at all.

A worker's one edit may say something of two records: that a visit is done, and that the household
he visited is as it was. Two edits could part on the way; so the second record is written in the
batch of the edit and in its name, as what follows a record is when that moves.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sync.edits import Edit, Mark, Record
from sync.handover import Handover
from sync.kinds import Field, Kind
from sync.values import as_identity

if TYPE_CHECKING:
    from sync.push import Run
    from sync.reading import Reading

Key = tuple[str, str]


def told(reading: "Reading", edits: Iterable[Edit]) -> set[Key]:
    """Return the records that these edits may tell something, as far as they themselves can say."""
    found: set[Key] = set()
    for edit in edits:
        kind = reading.kinds.get(edit.kind)
        for one in kind.telling if kind else ():
            if any(tell.when in edit.set for tell in one.tells):
                found |= _named(one, edit, reading.found.get((edit.kind, edit.rec)))
    return found


def _named(field: Field, edit: Edit, record: Record | None) -> set[Key]:
    named = (edit.set.get(field.name), record.values.get(field.name) if record else None)
    return {(str(field.refers), name) for one in named if (name := as_identity(one))}


def is_newer(value: str, known: str | None) -> bool:
    """Tell whether a value that is told goes beyond what is known: it never goes back."""
    return known is None or value > known


@dataclass(frozen=True, slots=True)
class Telling:
    """What the edits of one batch tell other records."""

    run: "Run"

    def tell(
        self, kind: Kind, edit: Edit, before: Record | None, after: Record, mark: Mark
    ) -> None:
        """Write what a record's new version tells those it names; the greater value stands."""
        for one in kind.telling:
            other = self._living(one, after)
            for tell in one.tells if other else ():
                value = after.values.get(tell.value)
                known = before.values.get(tell.value) if before else None
                if other and tell.when in edit.set and value is not None and value != known:
                    other = self._write(other, tell.to, value, mark)

    def _living(self, field: Field, after: Record) -> Record | None:
        other = self.run.reading.record((str(field.refers), str(after.values.get(field.name))))
        return None if other is None or other.deleted else other

    def _write(self, record: Record, name: str, value: str, mark: Mark) -> Record:
        if not is_newer(value, record.values.get(name)):
            return record
        kind = self.run.context.kinds.by_name[record.kind]
        own = mark._replace(rv=record.rv + 1)
        told = record.written({name: value}, {kind.unit_of(name): own}, own.rv)
        Handover(self.run).place(kind, told, own)
        return told
