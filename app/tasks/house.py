"""Write many tasks at once in the server's own name, or in that of who was judged as a whole.

Whoever may hand out tasks in an area may do so in all of its grids: that is asked once, not for
each edit. The gate therefore asks nothing, but it lets nothing else through than what was judged.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from sqlalchemy.orm import Session

from app.core.actor import Actor, house
from app.core.engine import current_engine, write_all_as_office
from sync.edits import Edit
from sync.errors import Problem, Refusal, Stale
from sync.gate import Verdict, Work

Values = Mapping[str, Any]
HOUSE = house()


def nothing(_work: Work) -> Values:
    """Add nothing to an edit."""
    return {}


@dataclass(frozen=True, slots=True)
class WholeGate:
    """Lets one sort of edit of tasks through, and notes the same of each.

    Attributes:
        op: what each of them does.
        names: the only fields that they set.
        adds: what the server adds to one of them.
    """

    op: str
    names: frozenset[str]
    adds: Callable[[Work], Values] = field(default=nothing)

    def prepare(self, work: Sequence[Work]) -> None:
        """Need nothing: the engine has read what is named."""

    def judge(self, work: Work, values: Values) -> Verdict:
        """Take the edit for the office's.

        Raises:
            Refusal: it does something else than what was judged as a whole.
        """
        if (work.edit.kind, work.edit.op) != ("task", self.op) or not set(values) <= self.names:
            raise Refusal("not_allowed")
        return Verdict(office=True)

    def derive(self, work: Work, values: Values) -> Values:
        """Add what the server notes; a task lies where the household lies that it names."""
        household = work.referred.get("household")
        there = {"grid": household.values["grid"]} if household else {}
        return {**values, **there, **self.adds(work)}


def write_together(
    session: Session, actor: Actor, edits: Sequence[Edit], gate: WholeGate, now_ms: int
) -> list[Mapping[str, Any]]:
    """Push edits as one batch through somebody's office device; return their receipts.

    Args:
        edits: their numbers, ids and moments are given here.

    Raises:
        Problem: 503 when something has changed meanwhile, 422 with the field that is refused.
    """
    schema = current_engine().kinds.by_name["task"].schema
    present = [replace(one, schema=schema) for one in edits]
    try:
        results = write_all_as_office(session, actor, present, gate=gate, at_ms=now_ms)
    except Stale:
        raise Problem(503, "retry") from None
    for one in results:
        if one["status"] not in ("applied", "merged"):
            # All of them say the same: one that the limits of a field refuse stops the whole.
            raise Problem(422, one["code"], errors=list(one.get("errors", ())))
    return results
