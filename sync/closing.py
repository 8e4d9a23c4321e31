"""Close a batch: its conflicts become records, and every scope gets what has changed in it."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from sync import conflicts, parking
from sync.edits import Record
from sync.publish import publish
from sync.pull import AREA

if TYPE_CHECKING:
    from sync.push import Run


@dataclass(frozen=True, slots=True)
class Closing:
    """What is left to do when every edit of a batch has been decided."""

    run: "Run"

    def keep_conflicts(self) -> None:
        """Turn the clashes into conflict records, one for each pair of devices and unit."""
        run, name = self.run, conflicts.CONFLICT.name
        run.reading.load(
            {(name, clash.conflict_id(key[1], e.base)) for clash, key, e, _ in run.clashes}
        )
        for clash, key, edit, mark in run.clashes:
            target, kind = run.reading.record(key), run.context.kinds.get(key[0])
            if target is None or kind is None:
                continue
            own = (name, clash.conflict_id(target.id, edit.base))
            run.batch.records[own] = conflicts.conflict_of(
                clash, target, kind.scopes(target.values), edit=edit, mark=mark,
                existing=run.reading.record(own),
            )  # fmt: skip

    def follow_records(self) -> None:
        """Take open parked edits along when their record comes into other hands."""
        for parked in list(self.run.reading.parked.values()):
            record = self.run.batch.records.get((parked.edit.kind, parked.edit.rec))
            if record and parked.state in parking.OPEN_STATES and self._has_hands(record):
                scope = self.run.scope_of(parked.edit)
                if scope != parked.scope:
                    self.run.keep_parked(replace(parked, scope=scope))

    def _has_hands(self, record: Record) -> bool:
        """Tell whether a record lies with somebody in charge of it.

        Of a record of no place, or of all who serve below an area, a parked edit stays with its
        author's people: whoever touches the record next has nothing to do with it.
        """
        kind = self.run.context.kinds.get(record.kind)
        scope = next(iter(kind.scopes(record.values)), AREA) if kind else AREA
        return not record.deleted and not scope.startswith(AREA)

    def publish(self) -> None:
        """Work out what changes in which scope."""
        run = self.run
        for name, parked in run.batch.parked.items():
            parking.entered(run.batch, run.parked_before[name], parked)
        kinds = {**run.context.kinds.by_name, conflicts.CONFLICT.name: conflicts.CONFLICT}
        for key, after in run.batch.records.items():
            run.batch.seen_rv.setdefault(key, 0)
            publish(run.batch, kinds[key[0]], run.reading.found.get(key), after)
