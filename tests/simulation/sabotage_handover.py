"""Planted bugs of the hand-over: what gets lost when records, grids and people move."""

import json
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from sync import handover, pull, replica, replica_tables
from sync.errors import Problem
from tests.simulation import gate
from tests.simulation.sabotage import _instead, planted
from tests.sync.server import moment

if TYPE_CHECKING:
    from tests.simulation.world import World


@planted
def followers_left_behind(world: "World") -> Iterator[None]:
    """Move a plot and leave its people and jobs where they are."""
    with _instead((handover.Handover, "_following", lambda *_: iter(()))):
        yield


@planted
def conflicts_left_in_the_old_grid(world: "World") -> Iterator[None]:
    """Leave the conflicts and parked edits of a moved record to the people it has left."""
    with _instead((handover.Handover, "_carry", lambda *_: None)):
        yield


@planted
def judged_by_where_it_lies_now(world: "World") -> Iterator[None]:
    """Forget where a record lay when its author acted."""
    with _instead((gate, "former_scopes", lambda *_, **__: None)):
        yield


@planted
def drop_taken_for_deletion(world: "World") -> Iterator[None]:
    """Delete what a lost scope showed, also where another scope shows it."""

    def wrong(self: Any, scope: str) -> None:
        for kind, rec in self.ask("SELECT kind, rec FROM replica_member WHERE scope = ?", scope):
            self.erase(kind, rec)

    with _instead((replica_tables.Memory, "drop", wrong)):
        yield


@planted
def brief_names_forgotten(world: "World") -> Iterator[None]:
    """Send what left a scope by brief names to phones that do not read them."""
    with _instead((replica_tables.Memory, "leave_briefly", lambda *_: None)):
        yield


@planted
def drain_grant_that_reads(world: "World") -> Iterator[None]:
    """Answer somebody who was dismissed with a page like anybody else."""
    right = world.serve

    def wrong(text: str, user: int, *, dies: bool = False) -> str:
        reply = json.loads(right(text, user, dies=dies))
        request = json.loads(text)
        if reply.get("pull", "") is None:
            scopes = [f"grid:{grid}" for grid in (1, 2, 3)]
            with world.stand.open() as store:
                asked = pull.Pull(scopes, request["cursor"], store.device(request["device"]))
                page = pull.pull(store, asked).as_json(moment(world.now_ms), "")
            world.checks.page_made(page, world.granted(user))
            reply["pull"] = json.loads(page)
        return json.dumps(reply)

    world.serve = wrong  # type: ignore[method-assign]
    yield


@planted
def wipe_before_drain(world: "World") -> Iterator[None]:
    """Tell a phone to erase itself at once, whatever it still holds."""

    def wrong(request: Mapping[str, Any], user: int) -> None:
        if user in world.leavers:
            raise Problem(403, "device_wipe", drain=True)

    def at_once(self: Any, _request: Any, _order: Any) -> None:
        self.memory.wipe()
        self.memory.keep(wiped={"unsent": 0, "ticket": None})

    world._demand_work = wrong  # type: ignore[method-assign]
    with _instead((replica.Replica, "_wipe", at_once)):
        yield


@planted
def dropped_never(world: "World") -> Iterator[None]:
    """Keep the scope of an ended grid for ever, not only until its heir has come."""
    right = pull._kept

    def wrong(given: Any, left: Any, request: Any, *, complete: bool) -> Any:
        return right(given, left, request, complete=False)

    def sweep(self: Any, scopes: set[str], *, keep_stale: bool) -> None:
        self.ask("DELETE FROM replica_member WHERE stale = ?", -1 if keep_stale else 1)

    with _instead((pull, "_kept", wrong), (replica_tables.Memory, "sweep", sweep)):
        yield


@planted
def followers_of_followers_forgotten(world: "World") -> Iterator[None]:
    """Take along what follows a record, but not what follows that."""
    first = handover.Handover._following

    def wrong(self: Any, kind: Any, before: Any, after: Any, mark: Any) -> Any:
        return iter(()) if kind.name == "person" else first(self, kind, before, after, mark)

    with _instead((handover.Handover, "_following", wrong)):
        yield
