"""Planted bugs of time travel, compaction and erasure."""

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from sync import erasure, push, replica_tables
from sync.barring import Barring
from sync.store import ERASED
from sync.stores.memory_upkeep import MemoryUpkeep
from tests.simulation import upkeep
from tests.simulation.sabotage import _instead, planted

if TYPE_CHECKING:
    from tests.simulation.world import World


@planted
def floor_not_raised(world: "World") -> Iterator[None]:
    """Delete old tombstones, and let phones that missed them go on."""
    right = MemoryUpkeep.forget_tombstones

    def wrong(self: MemoryUpkeep, scopes: Any, limit: int) -> int:
        gone = right(self, scopes, limit)
        for scope in scopes:
            self.store.states[scope] = self.store.states[scope]._replace(floor=0)
        return gone

    with _instead((MemoryUpkeep, "forget_tombstones", wrong)):
        yield


@planted
def epoch_kept_after_a_restore(world: "World") -> Iterator[None]:
    """Put a backup in place and tell nobody."""
    right = type(world.stand).restore

    def wrong(self: Any, copy: Any, epoch: str) -> None:
        right(self, copy, "epoch-1")

    with _instead((type(world.stand), "restore", wrong)):
        yield


@planted
def purge_without_digest(world: "World") -> Iterator[None]:
    """Tell phones to erase a record that stays in the digest of the scope."""
    with _instead((erasure, "withdraw", lambda batch, scope, before: None)):
        yield


@planted
def erased_record_resurrected(world: "World") -> Iterator[None]:
    """Apply a late edit to what has been erased."""
    from sync import merge

    right = merge.update

    def wrong(kind: Any, record: Any, edit: Any, values: Any, author: Any) -> Any:
        record = replace(record, deleted=None) if record.deleted == ERASED else record
        return right(kind, record, edit, values, author)

    with _instead((Barring, "concerns", lambda self, edit: False), (merge, "update", wrong)):
        yield


@planted
def erasure_forgotten_by_a_restore(world: "World") -> Iterator[None]:
    """Restore a backup without looking at the list of erasures."""
    right = upkeep.erase

    def wrong(stand: Any, orders: list[Any]) -> list[Any]:
        return [] if orders is world.erasures else right(stand, orders)

    with _instead((upkeep, "erase", wrong)):
        yield


@planted
def history_not_scrubbed(world: "World") -> Iterator[None]:
    """Leave the content of erased records in the ledger."""
    with _instead((MemoryUpkeep, "scrub_ledger", lambda self, records: 0)):
        yield


@planted
def purge_leaves_the_log(world: "World") -> Iterator[None]:
    """Erase the row on the phone and keep what was once typed."""

    def wrong(self: Any, kind: str, rec: str) -> None:
        self.ask("DELETE FROM replica_member WHERE kind = ? AND rec = ?", kind, rec)
        self.ask("DELETE FROM replica_row WHERE kind = ? AND rec = ?", kind, rec)

    with _instead((replica_tables.Memory, "erase", wrong)):
        yield


@planted
def purge_told_only_where_it_is_shown(world: "World") -> Iterator[None]:
    """Forget the scopes that the record has left: phones there keep their logs."""
    right = erasure._purge

    def wrong(batch: Any, key: Any, before: Any, order: Any, shown: Any) -> None:
        right(batch, key, before, replace(order, scopes=()),
              [row for row in shown if row.op == "put"])  # fmt: skip

    with _instead((erasure, "_purge", wrong)):
        yield


@planted
def acknowledged_edits_pruned_at_once(world: "World") -> Iterator[None]:
    """Forget an edit as soon as the server has it; a restored server asks in vain."""
    right = replica_tables.Memory.prune

    def wrong(self: Any, *, before_ms: int, last_n: int) -> None:
        right(self, before_ms=2**60, last_n=last_n)

    with _instead((replica_tables.Memory, "prune", wrong)):
        yield


@planted
def renumbered_edits_with_new_ids(world: "World") -> Iterator[None]:
    """Give edits new ids with their new numbers, so that nobody knows them again."""
    right = replica_tables.Memory.renumber

    def wrong(self: Any) -> int:
        next_n = right(self)
        for seq, name in self.ask("SELECT seq, id FROM replica_log"):
            self.ask("UPDATE replica_log SET id = ? WHERE seq = ?",
                     name[:-4] + f"{(int(name[-4:], 16) + 1) % 65536:04x}", seq)  # fmt: skip
        return next_n

    with _instead((replica_tables.Memory, "renumber", wrong)):
        yield


@planted
def clock_ahead_kept_for_ever(world: "World") -> Iterator[None]:
    """Believe an unanchored claim without the bound of its arrival."""
    from sync import reading
    from sync.clock import ActTime

    right = reading.act_time

    def wrong(at: Any, **more: Any) -> Any:
        act = right(at, **more)
        return act if act.anchored else ActTime(int(at.get("claimed", act.ms)), False, False)

    with _instead((reading, "act_time", wrong), (push, "effective_stamp", _unbounded)):
        yield


def _unbounded(act: Any, *, base_ms: int, device_ms: int, **_: Any) -> int:
    return int(max(act.ms, base_ms + 1, device_ms + 1))


@planted
def wiping_not_witnessed(world: "World") -> Iterator[None]:
    """Take a page that was sent for a page that was carried out, and note nothing."""
    with _instead((MemoryUpkeep, "wiped", lambda self, device, scopes, now_ms: None)):
        yield
