"""More planted bugs out of the list of mistakes that others made."""

import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from sync import pull, push, replica_tables
from sync.edits import Draft
from sync.errors import Problem
from sync.pull import Place
from tests.simulation import serving as here
from tests.simulation.sabotage import _instead, planted

if TYPE_CHECKING:
    from tests.simulation.world import World

BUILDER = 1


@planted
def everything_sent_at_each_sync(world: "World") -> Iterator[None]:
    """Send all rows each time, whatever the phone has seen."""
    right = pull._places

    def wrong(given: Any, epoch: str, request: Any, states: Any) -> Any:
        _, reset = right(given, epoch, request, states)
        return {scope: Place() for scope in request.scopes}, reset

    with _instead((pull, "_places", wrong)):
        yield


@planted
def page_boundary_skips_a_row(world: "World") -> Iterator[None]:
    """Go on one row too far after a page that was full."""
    right = pull._moved

    def wrong(places: Any, rows: Any, states: Any, *, exhausted: bool) -> dict[str, Place]:
        moved = right(places, rows, states, exhausted=exhausted)
        if not exhausted:
            last = rows[-1].scope
            moved[last] = moved[last]._replace(position=moved[last].position + 1)
        return moved

    with _instead((pull, "_moved", wrong)):
        yield


@planted
def reset_not_told(world: "World") -> Iterator[None]:
    """Begin a scope anew without telling the phone that its rows are in doubt."""
    right = here.pull

    def wrong(store: Any, request: Any) -> Any:
        return replace(right(store, request), reset=[])

    with _instead((here, "pull", wrong)):
        yield


@planted
def upgrade_demanded_before_the_outbox_is_taken(world: "World") -> Iterator[None]:
    """Turn an old app away at the door, with its work still on the phone."""
    right = here.push

    def wrong(store: Any, drafts: Any, context: Any) -> Any:
        if context.user == BUILDER and drafts:
            raise Problem(426, "upgrade_required")
        return right(store, drafts, context)

    with _instead((here, "push", wrong)):
        yield


@planted
def server_made_ids(world: "World") -> Iterator[None]:
    """Give each new record another id than the phone gave it."""
    right = here.push

    def other(draft: Draft) -> Draft:
        if draft.edit.op != "create":
            return draft
        rec = str(uuid.uuid5(uuid.UUID(draft.edit.rec), "server"))
        return replace(draft, edit=replace(draft.edit, rec=rec))

    def wrong(store: Any, drafts: Any, context: Any) -> Any:
        return right(store, [other(draft) for draft in drafts], context)

    with _instead((here, "push", wrong)):
        yield


@planted
def gap_accepted(world: "World") -> Iterator[None]:
    """Take whatever number comes next."""

    def wrong(drafts: Any, device: Any, known: Any) -> list[Any]:
        return [d for d in drafts if d.edit.n > device.last_n or d.edit.id not in known]

    def believe(self: Any, expected: int) -> None:
        self.memory.keep(expected=max(expected, self.memory.recall("expected", 1)))

    from sync.replica import Replica

    with _instead((push, "_fresh", wrong), (Replica, "_believe", believe)):
        yield


@planted
def stamps_by_arrival(world: "World") -> Iterator[None]:
    """Let all edits of one request have the stamp of its arrival."""
    with _instead((push, "effective_stamp", lambda act, *, received_ms, **_: received_ms)):
        yield


@planted
def foreign_keys_on_the_phone(world: "World") -> Iterator[None]:
    """Refuse a person on the phone whose plot has not come yet."""
    right = replica_tables.Memory.put

    def wrong(self: Any, scope: str, kind: str, rec: str, *, rv: int, values: Any) -> None:
        if kind == "person" and not self.row("plot", values["plot"]):
            return
        right(self, scope, kind, rec, rv=rv, values=values)

    with _instead((replica_tables.Memory, "put", wrong)):
        yield


@planted
def log_forgotten_at_the_reply(world: "World") -> Iterator[None]:
    """Throw an edit away on the phone as soon as a reply has come."""
    right = replica_tables.Memory.answered

    def wrong(self: Any, receipts: Sequence[Mapping[str, Any]]) -> None:
        right(self, receipts)
        for one in receipts:
            self.ask("DELETE FROM replica_log WHERE id = ?", one["id"])

    with _instead((replica_tables.Memory, "answered", wrong)):
        yield


@planted
def conflict_without_the_loser(world: "World") -> Iterator[None]:
    """Tell people that two have met, and not what the loser had written."""
    from sync import conflicts

    right = conflicts.conflict_of

    def wrong(clash: Any, target: Any, scopes: Any, **more: Any) -> Any:
        made = right(clash, target, scopes, **more)
        return replace(made, values={**made.values, "lost": {**made.values["lost"], "values": {}}})

    with _instead((conflicts, "conflict_of", wrong)):
        yield
