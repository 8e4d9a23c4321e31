"""Write many new records at once, each as the edits of its past would have left it.

What single edits leave behind is all there: record, receipts, history, feed, counters, digests.
Only the question of rights is not asked: nobody is at the door.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from app.core.identifiers import uuid7
from sync import merge
from sync.edits import Device, Edit, LedgerEntry, Receipt, Record
from sync.kinds import Kind, Kinds
from sync.publish import publish
from sync.store import Batch


@dataclass(frozen=True, slots=True)
class Act:
    """One edit of the past.

    Attributes:
        user: who made it.
        ms: when, in ms since 1970.
        values: what it set.
        derived: what the server added.
    """

    user: int
    ms: int
    values: Mapping[str, Any]
    derived: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Story:
    """The past of one record: its creation, and what was changed later."""

    kind: str
    record: str
    acts: Sequence[Act]


def identity_of(key: str, ms: int) -> str:
    """Return the id of a record or edit: the same for the same key and moment."""
    return uuid7(ms, hashlib.sha256(key.encode()).digest()[:10])


def batch_of(kinds: Kinds, device: Device, stories: Iterable[Story], received_ms: int) -> Batch:
    """Return what a store has to write for new records to stand, written through a device."""
    batch = Batch(device=device, device_before=device)
    for story in stories:
        kind = kinds.by_name[story.kind]
        record = _told(batch, kind, story, received_ms)
        batch.records[kind.name, record.id] = record
        batch.seen_rv[kind.name, record.id] = 0
        publish(batch, kind, None, record)
    return batch


def _told(batch: Batch, kind: Kind, story: Story, received_ms: int) -> Record:
    """Fold the acts of a story into its record, and enter each in the ledger."""
    record: Record | None = None
    for act in story.acts:
        edit = _edit(batch.device, story, act, base=record.rv if record else 0)
        values = {**kind.check(act.values, creating=record is None), **act.derived}
        author = merge.Author(act.ms, batch.device.id, office=True)
        merged = (
            merge.update(kind, record, edit, values, author)
            if record
            else merge.create(kind, edit, values, author)
        )
        record = merged.record
        _enter(batch, edit, act, merged, received_ms)
    assert record is not None, "a story begins with the creation of its record"
    return record


def _edit(device: Device, story: Story, act: Act, *, base: int) -> Edit:
    """Return an act as the edit it was: later ones are steps of a workflow, or changes."""
    later = "event" if "state" in act.values else "update"
    return Edit(
        n=device.last_n + 1,
        id=identity_of(f"edit:{story.record}:{base}", act.ms),
        op=later if base else "create",
        kind=story.kind,
        rec=story.record,
        base=base,
        set=act.values,
        at={"claimed": act.ms},
    )


def _enter(batch: Batch, edit: Edit, act: Act, merged: merge.Merged, received_ms: int) -> None:
    """Write the receipt of an edit, and move the numbers of the device on."""
    receipt = Receipt(edit.n, edit.id, "applied", edit.rec, merged.record.rv)
    batch.ledger.append(
        LedgerEntry(
            edit, batch.device.id, act.user, receipt, edit.digest(), act.ms, received_ms,
            merged.before,
        )
    )  # fmt: skip
    last_ms = max(act.ms, batch.device.last_ms)
    batch.device = replace(batch.device, last_n=edit.n, last_id=edit.id, last_ms=last_ms)
