"""Work out what a changed record means for each scope: feed rows and digests."""

from sync.digest import record_digest
from sync.edits import Record
from sync.kinds import Kind
from sync.store import DEL, ERASED, OUT, PURGE, PUT, Batch, FeedChange


def publish(batch: Batch, kind: Kind, before: Record | None, after: Record) -> None:
    """Enter the feed rows and digest changes of one record's step from before to after."""
    was = set(kind.scopes(before.values)) if before and not before.deleted else set()
    now = set(kind.scopes(after.values)) if not after.deleted else set()
    gone = OUT if not after.deleted else (PURGE if after.deleted == ERASED else DEL)
    rank = kind.rank(after.values)
    old = record_digest(kind.name, after.id, before.rv) if before else 0
    new = record_digest(kind.name, after.id, after.rv)
    for scope in sorted(was | now):
        op = PUT if scope in now else gone
        batch.feed.append(FeedChange(scope, kind.name, after.id, rank, op, after.rv))
        xor, live = batch.digests.get(scope, (0, 0))
        xor ^= (old if scope in was else 0) ^ (new if scope in now else 0)
        batch.digests[scope] = (xor, live + (scope in now) - (scope in was))
