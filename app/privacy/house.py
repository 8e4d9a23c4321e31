"""The server's own hand: what follows from an answer or from time goes the way of every edit."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from app.core.actor import house
from app.core.engine import current_engine, write_all_as_office
from sync.edits import Edit
from sync.errors import Refusal
from sync.gate import Verdict, Work
from sync.upkeep import Key

Values = Mapping[str, Any]
HOUSE = house("cm")


@dataclass(frozen=True, slots=True)
class HouseGate:
    """Lets through what the server itself has decided, and notes what only it may write."""

    noted: Callable[[Work], Values]

    def prepare(self, work: Sequence[Work]) -> None:
        """Need nothing."""

    def judge(self, work: Work, values: Values) -> Verdict:
        """Take the edit for the office's.

        Raises:
            Refusal: it says something by itself.
        """
        if work.edit.op != "update" or any(one is not None for one in values.values()):
            raise Refusal("not_allowed")
        return Verdict(office=True)

    def derive(self, work: Work, values: Values) -> Values:
        """Add what the server writes."""
        return {**values, **self.noted(work)}


def write(session: Session, changes: Mapping[Key, tuple[int, Values]]) -> None:
    """Write what the server notes on some records, as one batch.

    Args:
        changes: of each record the version that was seen, and the fields it gets.
    """
    if not changes:
        return
    kinds = current_engine().kinds.by_name
    edits = [Edit(0, "", "update", kind, record, rv, _emptied(kinds[kind], values),
                  schema=kinds[kind].schema)
             for (kind, record), (rv, values) in sorted(changes.items())]  # fmt: skip

    def noted(work: Work) -> Values:
        return changes[work.kind.name, work.edit.rec][1]

    results = write_all_as_office(session, HOUSE, edits, gate=HouseGate(noted))
    stuck = [one for one in results if one.get("code")]
    assert not stuck, f"what the server notes is never refused: {stuck}"


def _emptied(kind: Any, values: Values) -> dict[str, Any]:
    """Return the fields that an edit may empty by itself, so that it is judged as one that does."""
    writable = {one.name for one in kind.fields if one.rule.value != "server" and not one.required}
    return {name: None for name, value in values.items() if value is None and name in writable}
