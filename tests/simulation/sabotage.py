"""Planted bugs: the mistakes that others made, each of which the simulation must catch."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from sync import closing, merge, publish, pull, push, reading, replica, replica_tables
from sync.clock import ActTime
from sync.cursor import Place
from sync.errors import Problem
from sync.kinds import Kind
from sync.stores.memory import MemoryStore
from sync.stores.sql import SqlStore
from tests.simulation import gate

if TYPE_CHECKING:
    from tests.simulation.world import World

Sabotage = Callable[["World"], AbstractContextManager[None]]
SABOTAGES: dict[str, Sabotage] = {}


def planted(sabotage: Callable[["World"], Iterator[None]]) -> Sabotage:
    """Register a sabotage under its own name."""
    opened = contextmanager(sabotage)
    SABOTAGES[sabotage.__name__] = opened
    return opened


@contextmanager
def _instead(*changes: tuple[Any, str, Any]) -> Iterator[None]:
    """Put other attributes in place for a while."""
    with ExitStack() as back:
        for owner, name, other in changes:
            back.callback(setattr, owner, name, getattr(owner, name))
            setattr(owner, name, other)
        yield


# -- the server: cursors, feed, digests -------------------------------------------------------


@planted
def cursor_from_a_sequence(world: "World") -> Iterator[None]:
    """Take the number at the beginning and commit later: a smaller one appears after a larger."""
    memory, sql = MemoryStore._publish, SqlStore._count_up
    turns = iter(range(10**9))

    def late_memory(self: MemoryStore, batch: Any) -> None:
        memory(self, batch)
        if next(turns) % 3 == 2:
            for change in batch.feed:
                feed, key = self.feeds[change.scope], (change.kind, change.record)
                feed[key] = feed[key]._replace(ver=max(1, feed[key].ver - 3))

    def late_sql(self: SqlStore, batch: Any) -> dict[str, int]:
        back = 3 if next(turns) % 3 == 2 else 0
        return {scope: max(0, ver - back) for scope, ver in sql(self, batch).items()}

    with _instead((MemoryStore, "_publish", late_memory), (SqlStore, "_count_up", late_sql)):
        yield


@planted
def window_without_as_of(world: "World") -> Iterator[None]:
    """Page through whatever is there now, not through what was there when the round began."""
    right = pull._moved

    def wrong(places: Any, rows: Any, states: Any, *, exhausted: bool) -> dict[str, Place]:
        moved = right(places, rows, states, exhausted=exhausted)
        if exhausted:
            return {s: Place(states[s].ver, states[s].ver) if s in states else place
                    for s, place in moved.items()}  # fmt: skip
        return moved

    with _instead((pull, "_moved", wrong)):
        yield


@planted
def digest_forgets_who_left(world: "World") -> Iterator[None]:
    """Leave a record in the digest of the scope that it has left."""
    right = publish.publish

    def wrong(batch: Any, kind: Kind, before: Any, after: Any) -> None:
        kept = dict(batch.digests)
        right(batch, kind, before, after)
        for scope in {one.scope for one in batch.feed if one.op == "out"}:
            batch.digests[scope] = kept.get(scope, (0, 0))

    with _instead((closing, "publish", wrong)):
        yield


@planted
def epoch_ignored(world: "World") -> Iterator[None]:
    """Trust cursors that an earlier life of the server has given."""
    right = pull.read_cursor

    def wrong(text: str | None) -> Any:
        cursor = right(text)
        with world.stand.open() as store:
            return replace(cursor, epoch=store.epoch()) if cursor else None

    with _instead((pull, "read_cursor", wrong)):
        yield


@planted
def tombstones_without_a_floor(world: "World") -> Iterator[None]:
    """Forget tombstones and tell nobody."""
    with _instead((pull, "is_lost", lambda place, state: False)):
        yield


@planted
def drop_not_told(world: "World") -> Iterator[None]:
    """Stop sending a scope without telling the phone that it is not granted any more."""
    right = pull.pull

    def wrong(store: Any, request: Any) -> Any:
        return replace(right(store, request), drop=[])

    from tests.simulation import serving as here

    with _instead((here, "pull", wrong)):
        yield


@planted
def effect_without_feed(world: "World") -> Iterator[None]:
    """Keep what a dying server had written so far."""
    world.stand.keeps_torn_writes = True
    yield


# -- the server: edits ------------------------------------------------------------------------


@planted
def receipts_not_kept(world: "World") -> Iterator[None]:
    """Forget which edits have been taken."""

    def nothing(self: Any, edits: Any) -> Mapping[str, Any]:
        return {}

    def numbers_only(drafts: Any, device: Any, known: Any) -> list[Any]:
        return list(drafts)

    forget = (MemoryStore, "_check", lambda self, batch: None)
    with _instead((MemoryStore, "known", nothing), (SqlStore, "known", nothing),
                  (push, "_fresh", numbers_only), forget):  # fmt: skip
        yield


@planted
def acknowledged_by_number_alone(world: "World") -> Iterator[None]:
    """Take a number that was seen before for an edit that was seen before."""

    def wrong(drafts: Any, device: Any, known: Any) -> list[Any]:
        for draft in drafts:
            if draft.edit.n <= device.last_n and draft.edit.id not in known:
                known[draft.edit.id] = _Answered(draft.edit)
        return [draft for draft in drafts if draft.edit.n > device.last_n]

    with _instead((push, "_fresh", wrong), (replica.Replica, "_is_me", lambda *_: True)):
        yield


class _Answered:
    """A receipt for an edit that nobody has looked at."""

    def __init__(self, edit: Any) -> None:
        self.receipt = {"n": edit.n, "id": edit.id, "status": "applied", "rec": edit.rec}


@planted
def bad_edit_blocks_the_batch(world: "World") -> Iterator[None]:
    """Refuse a whole request for one bad edit in it."""

    def refuse(self: Any, edit: Any, code: str, *rest: Any, **more: Any) -> None:
        raise Problem(422, code)

    with _instead((push.Run, "_park", refuse)):
        yield


@planted
def authority_at_the_push(world: "World") -> Iterator[None]:
    """Judge by who is in charge when the edit arrives."""
    with _instead((gate.DatedGate, "_moment", lambda self, work: self.now_ms)):
        yield


@planted
def future_clocks_trusted(world: "World") -> Iterator[None]:
    """Believe what the phone's clock says."""

    def believe(at: Mapping[str, Any], *, received_ms: int, **_: Any) -> ActTime:
        return ActTime(int(at.get("claimed", received_ms)), anchored=True, suspect=False)

    def unbounded(act: ActTime, *, base_ms: int, device_ms: int, **_: Any) -> int:
        return max(act.ms, base_ms + 1, device_ms + 1)

    with _instead((reading, "act_time", believe), (push, "effective_stamp", unbounded)):
        yield


# -- merging ----------------------------------------------------------------------------------


@planted
def merge_by_equal_values(world: "World") -> Iterator[None]:
    """Find out by comparing values whether somebody else has written."""
    right = merge._meet

    def wrong(meeting: Any) -> Any:
        edit, record = meeting.edit, meeting.record
        if all(record.values.get(name) == edit.was.get(name) for name in meeting.mine):
            meeting = replace(meeting, edit=replace(edit, base=record.rv))
        return right(meeting)

    with _instead((merge, "_meet", wrong)):
        yield


@planted
def latest_arrival_wins(world: "World") -> Iterator[None]:
    """Let whoever comes last win."""
    with _instead((merge, "_wins", lambda *_: True)):
        yield


@planted
def halves_of_groups_mixed(world: "World") -> Iterator[None]:
    """Merge longitude and latitude each on its own."""
    right = merge._wins

    def by_field(kind: Any, rule: Any, theirs: Any, mine: Any) -> bool:
        return ("lat" in mine[0]) != right(kind, rule, theirs, mine)

    with _instead((Kind, "unit_of", lambda self, name: name), (merge, "_wins", by_field)):
        yield


@planted
def deletion_ignores_the_unseen(world: "World") -> Iterator[None]:
    """Delete whatever has been written since."""
    right = merge.delete

    def wrong(kind: Any, record: Any, edit: Any, author: Any) -> Any:
        return right(kind, record, replace(edit, base=record.rv), author)

    with _instead((merge, "delete", wrong)):
        yield


@planted
def loser_forgotten(world: "World") -> Iterator[None]:
    """Throw away the value that lost."""
    with _instead((closing.Closing, "keep_conflicts", lambda self: None)):
        yield


@planted
def workflow_by_clock(world: "World") -> Iterator[None]:
    """Let the later clock decide between two states."""
    with _instead((merge, "_wins", lambda kind, rule, theirs, mine: (
            mine[1].order > theirs[1].order))):  # fmt: skip
        yield


# -- the phone --------------------------------------------------------------------------------


@planted
def overlay_dropped_at_the_reply(world: "World") -> Iterator[None]:
    """Stop showing an own edit as soon as it has been answered."""
    right = replica_tables.Memory.answered

    def wrong(self: Any, receipts: Sequence[Any]) -> None:
        right(self, receipts)
        for one in receipts:
            self.ask("UPDATE replica_log SET contained = 1 WHERE id = ?", one["id"])

    with _instead((replica_tables.Memory, "answered", wrong)):
        yield


@planted
def drop_empties_the_outbox(world: "World") -> Iterator[None]:
    """Take a lost grant for the end of all work."""
    right = replica_tables.Memory.drop

    def wrong(self: Any, scope: str) -> None:
        right(self, scope)
        self.ask("DELETE FROM replica_log WHERE taken_ms IS NULL")

    with _instead((replica_tables.Memory, "drop", wrong)):
        yield


@planted
def late_page_applied(world: "World") -> Iterator[None]:
    """Apply a page without looking where it begins."""
    right = replica.Replica._apply

    def wrong(self: Any, page: Mapping[str, Any], sent: Any, now: Any) -> bool:
        return right(self, {**page, "from": self.cursor}, sent, now)

    with _instead((replica.Replica, "_apply", wrong)):
        yield


@planted
def stale_rows_kept(world: "World") -> Iterator[None]:
    """Keep what a reset did not send again."""
    with _instead((replica_tables.Memory, "doubt", lambda self, scopes=None: None)):
        yield


@planted
def expected_believed_forward_only(world: "World") -> Iterator[None]:
    """Never send again what was once acknowledged."""
    right = replica.Replica._believe

    def wrong(self: Any, expected: int) -> None:
        if expected >= self.memory.recall("expected", 1):
            right(self, expected)

    with _instead((replica.Replica, "_believe", wrong)):
        yield


@planted
def fork_keeps_the_device(world: "World") -> Iterator[None]:
    """Go on under the old device id after a fork, with the numbers that come next."""
    right = replica.Replica.problem

    def wrong(self: Any, request: Any, problem: Mapping[str, Any]) -> None:
        if problem.get("code") == replica.FORKED:
            self.memory.keep(expected=problem["expected"], next_n=problem["expected"])
        else:
            right(self, request, problem)

    with _instead((replica.Replica, "problem", wrong)):
        yield
