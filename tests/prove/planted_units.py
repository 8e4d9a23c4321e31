"""Planted bugs that a single test catches: each is switched on around that test."""

import contextlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from sqlalchemy.orm import Session

from sync import conflicts, merge, push, replica_tables
from sync.edits import Mark, Record
from sync.kinds import Kind
from sync.replica import Replica
from sync.stores.sql import SqlStore
from tests.simulation.sabotage import _instead
from tests.sync import test_sync_invariants as invariants
from tests.sync import test_sync_invariants_more as more
from tests.sync import test_sync_replica as replicas
from tests.sync import test_sync_resolving as choices
from tests.sync import test_sync_statements as counted
from tests.sync.conftest import sqlite_engine
from tests.sync.house import ALL_KINDS, MemoryStand, Phone, SqlStand
from tests.sync.server import Server
from tests.sync.worker import Worker

Bug = Callable[[], contextlib.AbstractContextManager[None]]
Test = Callable[[], None]


@contextlib.contextmanager
def taken_believed_contained() -> Iterator[None]:
    """Believe that the rows contain what the server has had once."""
    right = replica_tables.Memory.renumber

    def wrong(self: Any) -> int:
        self.ask("UPDATE replica_log SET filed = filed OR taken_ms IS NOT NULL")
        return right(self)

    with _instead((replica_tables.Memory, "renumber", wrong)):
        yield


@contextlib.contextmanager
def fork_believed_to_be_me() -> Iterator[None]:
    """Go on with a copied phone although another one has spoken under its name."""
    with _instead((Replica, "_is_me", lambda self, last_n, last_id: True)):
        yield


@contextlib.contextmanager
def unknown_fields_dropped() -> Iterator[None]:
    """Throw away what a newer app has sent besides."""
    right = Kind._check_one

    def wrong(self: Kind, name: str, value: Any, checked: Any, errors: Any) -> None:
        if name in self.by_name:
            right(self, name, value, checked, errors)

    with _instead((Kind, "_check_one", wrong)):
        yield


@contextlib.contextmanager
def purge_leaves_the_log() -> Iterator[None]:
    """Erase a row from the phone and leave the edits that made it."""

    def wrong(self: Any, kind: str, rec: str) -> None:
        self.ask("DELETE FROM replica_member WHERE kind = ? AND rec = ?", kind, rec)
        self.ask("DELETE FROM replica_row WHERE kind = ? AND rec = ?", kind, rec)

    with _instead((replica_tables.Memory, "erase", wrong)):
        yield


@contextlib.contextmanager
def stamps_as_claimed() -> Iterator[None]:
    """Take the stamp that a phone claims, in whatever century it lives."""

    def wrong(act: Any, *, received_ms: int, base_ms: int, device_ms: int) -> int:
        return max(act.ms, device_ms + 1) if act.ms < received_ms else received_ms + 10**9

    with _instead((push, "effective_stamp", wrong)):
        yield


@contextlib.contextmanager
def committed_before_the_feed() -> Iterator[None]:
    """Commit the effect first, and what tells others of it in a second transaction."""
    right = SqlStore._write_feed

    def wrong(self: SqlStore, batch: Any) -> None:
        self.session.connection().connection.commit()
        right(self, batch)

    with _instead((SqlStore, "_write_feed", wrong)):
        yield


@contextlib.contextmanager
def query_in_a_loop() -> Iterator[None]:
    """Read the records of a batch one after the other."""
    right = SqlStore.records

    def wrong(self: SqlStore, keys: Any) -> Mapping[Any, Any]:
        found: dict[Any, Any] = {}
        for key in keys:
            found |= right(self, [key])
        return found

    with _instead((SqlStore, "records", wrong)):
        yield


@contextlib.contextmanager
def grants_written_at_the_pull() -> Iterator[None]:
    """Write down at each pull what a device may see: a row for each of its scopes."""
    right = SqlStore.scopes

    def wrong(self: SqlStore, scopes: Any) -> Any:
        wanted = list(scopes)
        session: Session = self.session
        for scope in wanted:
            row = {"name": f"seen {scope}"[:40], "value": scope}
            session.execute(self.tables.meta.insert().prefix_with("OR REPLACE"), row)
        return right(self, wanted)

    with _instead((SqlStore, "scopes", wrong)):
        yield


@contextlib.contextmanager
def undo_over_newer_content() -> Iterator[None]:
    """Look only at the unit that clashed when a choice is taken back, not at all it wrote."""

    def wrong(kind: Kind, target: Record, conflict: Record) -> list[Mark]:
        unit = conflict.values["unit"]
        return [mark for key, mark in target.marks.items() if merge.owner(key) == unit]

    with _instead((conflicts, "_written_over", wrong)):
        yield


def _on_memory(test: Callable[..., None], *more_: Any) -> Test:
    return lambda: test(MemoryStand(), *more_)


def _on_sqlite(test: Callable[..., None]) -> Test:
    return lambda: test(SqlStand(sqlite_engine(), ALL_KINDS))


def _erasure() -> None:
    stand = MemoryStand()
    ann = Worker(Server(stand), "ann", 1, (more.GRID,))
    with contextlib.closing(ann.connection):
        more.test_invariant_17_erased_data_is_on_no_phone_that_has_pulled(stand, ann)


def _copied_phone() -> None:
    ann = Worker(Server(MemoryStand()), "ann", 1, (more.GRID,))
    with contextlib.closing(ann.connection):
        replicas.test_a_copied_phone_without_edits_is_noticed_by_the_pull(ann)


def _content_written_over() -> None:
    desk = choices.Desk(MemoryStand())
    choices.test_content_taken_up_and_written_over_since_is_not_taken_back(desk)


def _counting() -> None:
    stand = SqlStand(sqlite_engine(), ALL_KINDS)
    counted.test_a_hundred_creations_take_as_many_statements_as_one(stand, Phone(stand, "ann"))


UNITS: Mapping[str, tuple[Bug, Test]] = {
    "taken_believed_contained": (
        taken_believed_contained,
        invariants.test_invariant_06_holds_when_the_server_has_lost_the_edit_and_the_phone,
    ),
    "unknown_fields_dropped": (
        unknown_fields_dropped,
        _on_memory(more.test_invariant_15_a_push_in_any_schema_is_taken_or_parked, 2),
    ),
    "fork_believed_to_be_me": (fork_believed_to_be_me, _copied_phone),
    "purge_leaves_the_log": (purge_leaves_the_log, _erasure),
    "stamps_as_claimed": (
        stamps_as_claimed,
        _on_memory(more.test_invariant_16_stamps_are_bounded_by_arrival_and_grow_per_device, 2**62),
    ),
    "committed_before_the_feed": (
        committed_before_the_feed,
        _on_sqlite(
            more.test_invariant_13_effect_ledger_feed_counter_and_digest_commit_together
        ),
    ),
    "undo_over_newer_content": (undo_over_newer_content, _content_written_over),
    "query_in_a_loop": (query_in_a_loop, _counting),
    "grants_written_at_the_pull": (
        grants_written_at_the_pull,
        _on_sqlite(more.test_invariant_20_a_change_of_grant_writes_nothing),
    ),
}  # fmt: skip
