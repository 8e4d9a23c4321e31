"""A new record moves a moment of the record it names on, as a visit does for its household."""

from typing import TYPE_CHECKING

from sync.edits import Mark, Record
from sync.handover import Handover
from sync.kinds import Kind

if TYPE_CHECKING:
    from sync.push import Run


def tell(run: "Run", kind: Kind, record: Record, mark: Mark) -> None:
    """Write what a new record tells of those it names, unless they know something later."""
    for one in kind.fields:
        key = (str(one.refers), str(record.values.get(one.name)))
        other = run.reading.record(key) if one.tells else None
        its_kind = run.context.kinds.get(key[0])
        if other is None or other.deleted or its_kind is None:
            continue
        told = {
            theirs: record.values[mine] for mine, theirs in one.tells
            if record.values.get(mine) and record.values[mine] > (other.values.get(theirs) or "")
        }  # fmt: skip
        if told:
            own = mark._replace(rv=other.rv + 1)
            after = other.written(told, {its_kind.unit_of(n): own for n in told}, own.rv)
            Handover(run).place(its_kind, after, own)
