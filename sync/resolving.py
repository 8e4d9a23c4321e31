"""Resolve a conflict, or undo that: the choice, and what it writes into the record."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sync import conflicts, merge
from sync.edits import Edit, Mark, Receipt, Record
from sync.errors import Refusal
from sync.gate import Work
from sync.handover import Handover
from sync.kinds import Kind

if TYPE_CHECKING:
    from sync.push import Run


@dataclass(frozen=True, slots=True)
class Resolution:
    """The resolution of one conflict within a batch."""

    run: "Run"

    def decide(self, edit: Edit, work: Work) -> None:
        """Make the choice of a conflict, or take it back.

        Raises:
            Refusal: there is no such conflict, the choice cannot be made, or not by him.
        """
        conflict = work.record
        if conflict is None:
            raise Refusal("unknown_record")
        verdict = self.run.context.gate.judge(work, edit.set)
        choice = conflicts.chosen(edit, conflict)
        key = (conflict.values["kind"], conflict.values["record"])
        target, kind = self.run.reading.record(key), self.run.context.kinds.get(key[0])
        author = merge.Author(self.run.stamp(work, target), self.run.context.device, verdict.office)
        merged = _written(choice, kind, target, conflict, edit=edit, author=author)
        if merged and merged.changed and kind:
            own = Mark(merged.record.rv, author.ms, author.device, edit.id)
            Handover(self.run).place(kind, merged.record, own)
            # Where the record goes, its conflicts go, this one too.
            conflict = self.run.reading.record((work.kind.name, edit.rec)) or conflict
        mark = Mark(conflict.rv + 1, author.ms, author.device, edit.id)
        self.run.batch.records[(work.kind.name, edit.rec)] = _settled(
            choice, conflict, conflicts.before_choice(conflict, target, merged), mark
        )
        receipt = Receipt(edit.n, edit.id, "applied", edit.rec, conflict.rv + 1,
                          flags=(*verdict.flags, *self.run.doubts(work)))  # fmt: skip
        before = merged.before if merged else {}
        after = merge.after(merged, {}) if merged else {}
        self.run.enter(edit, receipt, author.ms, before, after)


def _written(
    choice: str,
    kind: Kind | None,
    target: Record | None,
    conflict: Record,
    *,
    edit: Edit,
    author: merge.Author,
) -> merge.Merged | None:
    """Return what the choice makes of the record, if it writes anything."""
    if kind is None or target is None or choice == conflicts.KEEP:
        return None
    act = conflicts.swap if choice == conflicts.SWAP else conflicts.undo
    return act(kind, target, conflict, edit, author)


def _settled(choice: str, conflict: Record, before: Mapping[str, Any], mark: Mark) -> Record:
    if choice == conflicts.UNDO:
        return conflicts.reopened(conflict, mark)
    return conflicts.resolved(conflict, choice, before, mark)
