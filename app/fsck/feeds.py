"""Checks of the feed: what phones are sent is what there is, and the digests say so."""

from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa

from app.core.records import sync_tables
from app.fsck.place import Check, Place
from sync.digest import as_signed, record_digest
from sync.parking import PARKING
from sync.store import PUT

_scope, _feed, _parked = sync_tables.scope, sync_tables.feed, sync_tables.parked


def counters_ahead(place: Place) -> Iterator[str]:
    """No row of the feed is beyond the counter of its scope, where no cursor would find it."""
    f, s = _feed.c, _scope.c
    beside = _feed.outerjoin(_scope, s.scope == f.scope)
    asked = sa.select(f.scope, f.record).select_from(beside).where(
        s.ver.is_(None) | (f.ver > s.ver)
    )  # fmt: skip
    for scope, record in place.rows(asked):
        yield f"scope {scope} record {record}"


def versions_once(place: Place) -> Iterator[str]:
    """Each number of a scope stands at one row, so that a page can end anywhere."""
    f = _feed.c
    asked = sa.select(f.scope, f.ver).group_by(f.scope, f.ver).having(sa.func.count() > 1)
    for scope, ver in place.rows(asked):
        yield f"scope {scope} version {ver}"


def floors_below(place: Place) -> Iterator[str]:
    """The floor of a scope, below which deletions are forgotten, is not above its counter."""
    for (scope,) in place.rows(sa.select(_scope.c.scope).where(_scope.c.floor > _scope.c.ver)):
        yield f"scope {scope}"


def digests_agree(place: Place) -> Iterator[str]:
    """The digest and the count of each scope are those of the rows that it shows."""
    f = _feed.c
    totals: dict[str, list[int]] = {}
    asked = sa.select(f.scope, f.kind, f.record, f.rv).where(f.op == PUT)
    for scope, kind, record, rv in place.rows(asked):
        total = totals.setdefault(scope, [0, 0])
        total[0] ^= record_digest(kind, str(record), rv)
        total[1] += 1
    for scope, digest, live in place.rows(sa.select(*_scope.c["scope", "digest", "live"])):
        if [as_signed(digest), live] != totals.pop(scope, [0, 0]):
            yield f"scope {scope}"
    yield from (f"scope {scope}" for scope in totals)


def feed_shows_records(place: Place) -> Iterator[str]:
    """What a scope shows is there, alive, and in its present version."""
    tables: dict[str, tuple[sa.Table, Any]] = {
        kind: (table, table.c.id) for kind, table in place.tables.items()
    }
    tables[PARKING.name] = (_parked, _parked.c.edit)
    f = _feed.c
    for kind, (table, key) in tables.items():
        dead = table.c.deleted.is_not(None) if "deleted" in table.c else sa.false()
        beside = _feed.outerjoin(table, key == f.record)
        asked = sa.select(f.scope, f.record).select_from(beside).where(
            f.kind == kind, f.op == PUT, key.is_(None) | (table.c.rv != f.rv) | dead
        )  # fmt: skip
        for scope, record in place.rows(asked):
            yield f"scope {scope} {kind} {record}"


CHECKS = (
    Check("counters_ahead", (5,), "计数器不落后于推送", "counters are not behind", counters_ahead),
    Check("versions_once", (5,), "同一范围内版本号唯一", "each version stands once", versions_once),
    Check("floors_below", (17,), "遗忘线不高于计数器", "floors are below counters", floors_below),
    Check("digests_agree", (6,), "摘要与内容一致", "digests agree", digests_agree),
    Check("feed_shows_records", (3, 5, 6), "推送内容即现有记录", "the feed shows the records",
          feed_shows_records),
)  # fmt: skip
