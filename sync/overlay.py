"""What a screen of the phone shows: its own edits laid over the rows that it has pulled."""

from collections.abc import Iterable, Mapping
from typing import Any

from sync.conflicts import resolved_here
from sync.edits import JOIN_OPS
from sync.parking import OPEN_STATES
from sync.replica_tables import Memory, Row

SILENT_OPS = ("repair", "discard")


def row(memory: Memory, kind: str, rec: str) -> Row | None:
    """Return one record as the worker should see it, None when there is none."""
    return _overlaid(kind, rec, memory.row(kind, rec), memory.own(kind, rec))


def rows(memory: Memory, kind: str) -> dict[str, Row]:
    """Return all records of a kind as the worker should see them, by id."""
    pulled = memory.rows(kind)
    own: dict[str, list[Mapping[str, Any]]] = {}
    for entry in memory.entries("kind = ? AND contained = 0", kind):
        own.setdefault(entry.edit["rec"], []).append(entry.edit)
    shown = {rec: _overlaid(kind, rec, pulled.get(rec), own.get(rec, ()))
             for rec in [*pulled, *(rec for rec in own if rec not in pulled)]}  # fmt: skip
    return {rec: row for rec, row in shown.items() if row}


def parked(memory: Memory) -> list[Row]:
    """Return the parked edits that nobody has repaired or discarded yet, oldest first.

    What the phone itself has done about one counts at once: it is shown to nobody twice.
    """
    settled = {entry.edit["rec"] for entry in memory.entries("kind = 'parked' AND contained = 0")}
    left = [row for row in rows(memory, "parked").values() if row.rec not in settled]
    waiting = [row for row in left if row.values["state"] in OPEN_STATES]
    return sorted(waiting, key=lambda row: (row.values["ms"], row.rec))


def conflicts(memory: Memory) -> list[Row]:
    """Return the conflicts that nobody has resolved yet."""
    found = rows(memory, "conflict").values()
    return [row for row in found if row.values["state"] != "resolved"]


def _overlaid(
    kind: str, rec: str, pulled: tuple[int, dict[str, Any]] | None, own: Iterable[Mapping[str, Any]]
) -> Row | None:
    """Lay edits over a pulled row; without a row only a creation shows anything.

    Whoever edits a row after he has deleted it has seen that the deletion did not win. A server
    that has gone back in time brings both edits back into sight.
    """
    rv, values = pulled or (0, {})
    there, touched = pulled is not None, False
    buried: dict[str, Any] | None = None
    for edit in own:
        op = edit["op"]
        if op in SILENT_OPS or not (there or op == "create" or buried is not None):
            continue
        touched, there = True, op != "delete"
        before = values if buried is None else buried
        buried = None if there else before
        values = _after(op, before, edit["set"]) if there else {}
    return Row(kind, rec, rv, values, touched) if there else None


def _after(op: str, values: dict[str, Any], said: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a row shows after an edit of one's own, before the server has answered."""
    if op in JOIN_OPS:
        return {**values, **{name: _joined(op, values.get(name), one)
                             for name, one in said.items()}}  # fmt: skip
    if op == "resolve":
        return resolved_here(values, str(said.get("choice")))
    return {**values, **said}


def _joined(op: str, there: Any, said: Any) -> Any:
    """Add to or remove from a set, or add to a counter; the value itself tells which it is."""
    if isinstance(said, list):
        here = set(there or ())
        return sorted(here | set(said) if op == "add" else here - set(said))
    return (there or 0) + said if isinstance(said, int) else there
