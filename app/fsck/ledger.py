"""Checks of the ledger: each edit once, in its order, none ahead of its record."""

from collections.abc import Iterator

import sqlalchemy as sa

from app.core.records import sync_tables
from app.fsck.place import Check, Place
from sync.clock import AHEAD_MS_MAX
from sync.parking import HELD, OPEN_STATES, REPAIRED
from sync.stores.tables import EPOCH

_ledger, _device = sync_tables.ledger, sync_tables.device
_parked, _meta = sync_tables.parked, sync_tables.meta
_feed, _erasure = sync_tables.feed, sync_tables.erasure


def numbers_without_gaps(place: Place) -> Iterator[str]:
    """The numbers of each device are 1, 2, 3 and so on, and it knows the last."""
    t = _ledger.c
    counted = (
        sa.select(t.device, sa.func.max(t.n).label("most"), sa.func.count().label("count"))
        .group_by(t.device)
        .subquery()
    )
    asked = (
        sa.select(_device.c.id)
        .select_from(_device.outerjoin(counted, counted.c.device == _device.c.id))
        .where(
            (sa.func.coalesce(counted.c.most, 0) != _device.c.last_n)
            | (sa.func.coalesce(counted.c.count, 0) != _device.c.last_n)
        )
    )
    for (device,) in place.rows(asked):
        yield f"device {device}"


def last_edit_known(place: Place) -> Iterator[str]:
    """The last edit of each device is the one that its row names."""
    t, d = _ledger.c, _device.c
    there = sa.exists().where(t.device == d.id, t.n == d.last_n, t.edit == d.last_id)
    for (device,) in place.rows(sa.select(d.id).where(d.last_n > 0, ~there)):
        yield f"device {device}"


def no_receipt_empty(place: Place) -> Iterator[str]:
    """Every edit has a receipt, so that a second copy is answered like the first."""
    t = _ledger.c
    for (edit,) in place.rows(sa.select(t.edit).where(~t.receipt.like("{%"))):
        yield f"edit {edit}"


def not_ahead_of_the_record(place: Place) -> Iterator[str]:
    """No edit made a version that its record has not reached: the record would have lost it."""
    t = _ledger.c
    for kind, table in place.tables.items():
        both = _ledger.join(table, table.c.id == t.rec)
        asked = sa.select(t.edit).select_from(both).where(t.kind == kind, t.rv > table.c.rv)
        for (edit,) in place.rows(asked):
            yield f"edit {edit} of {kind}"


def record_still_there(place: Place) -> Iterator[str]:
    """A record that an edit made is there, unless it was deleted or erased by law."""
    t = _ledger.c
    for kind, table in place.tables.items():
        gone = sa.exists().where(_erasure.c.kind == kind, _erasure.c.record == t.rec)
        other = _ledger.alias()
        deleted = sa.exists().where(other.c.rec == t.rec, other.c.op == "delete")
        beside = _ledger.outerjoin(table, table.c.id == t.rec)
        asked = (
            sa.select(t.rec).select_from(beside).distinct()
            .where(t.kind == kind, t.rv > 0, table.c.id.is_(None), ~gone, ~deleted)
        )  # fmt: skip
        for (record,) in place.rows(asked):
            yield f"{kind} {record}"


def stamps_bounded(place: Place) -> Iterator[str]:
    """No edit counts as made more than a minute after it arrived, but right after another one."""
    t, before = _ledger.c, _ledger.alias()
    beside = _ledger.outerjoin(before, (before.c.device == t.device) & (before.c.n == t.n - 1))
    late = t.ms > t.received_ms + AHEAD_MS_MAX
    asked = sa.select(t.edit).select_from(beside).where(
        late, t.ms > sa.func.coalesce(before.c.ms, 0) + 1
    )  # fmt: skip
    for (edit,) in place.rows(asked):
        yield f"edit {edit}"


def stamps_grow(place: Place) -> Iterator[str]:
    """Of one phone a later edit counts as made later; an office may bring in older records."""
    one, other = _ledger, _ledger.alias()
    both = one.join(other, (other.c.device == one.c.device) & (other.c.n == one.c.n + 1))
    phones = both.join(_device, (_device.c.id == one.c.device) & _device.c.enrolment.is_not(None))
    asked = sa.select(other.c.edit).select_from(phones).where(other.c.ms <= one.c.ms)
    for (edit,) in place.rows(asked):
        yield f"edit {edit}"


def parked_has_its_body(place: Place) -> Iterator[str]:
    """What waits in parking lies there whole: sealed, and readable with the key."""
    t = _parked.c
    asked = sa.select(t.edit, t.body).where(t.state.in_(OPEN_STATES))
    for edit, body in place.rows(asked):
        try:
            if not body or '"edit"' not in place.engine.seal.open("parked", edit, body):
                yield f"edit {edit}"
        except Exception:
            # Whatever hinders the reading, the work in it is out of reach.
            yield f"edit {edit}"


def held_waits_for_something(place: Place) -> Iterator[str]:
    """What is held waits for an edit that is still parked; else nobody would ever let it go."""
    t, root = _parked.c, _parked.alias()
    open_ = sa.exists().where(
        root.c.edit != t.edit, root.c.state != REPAIRED,
        (root.c.waits_for == t.waits_for) | (root.c.edit == t.waits_for),
    )  # fmt: skip
    for (edit,) in place.rows(sa.select(t.edit).where(t.state == HELD, ~open_)):
        yield f"edit {edit}"


def one_epoch(place: Place) -> Iterator[str]:
    """The database names its epoch, or a cursor of another one would be believed."""
    asked = sa.select(_meta.c.value).where(_meta.c.name == EPOCH)
    if not place.session.execute(asked).scalar():
        yield "sync_meta epoch"


CHECKS = (
    Check("numbers_without_gaps", (2, 3), "每台设备的编辑号连续", "numbers without gaps",
          numbers_without_gaps),
    Check("last_edit_known", (2,), "设备的最后一次编辑在账", "the last edit is known",
          last_edit_known),
    Check("no_receipt_empty", (1, 2), "每次编辑都有回执", "every edit has its receipt",
          no_receipt_empty),
    Check("not_ahead_of_the_record", (1, 3), "编辑的版本不超过记录",
          "no edit is ahead of its record", not_ahead_of_the_record),
    Check("record_still_there", (1,), "编辑所建的记录仍在", "records are still there",
          record_still_there),
    Check("stamps_bounded", (8,), "时间不晚于到达一分钟以上", "stamps are bounded", stamps_bounded),
    Check("stamps_grow", (8,), "同一手机的时间递增", "stamps of a phone grow", stamps_grow),
    Check("parked_has_its_body", (1, 4), "搁置的编辑完整可读", "parked edits are whole",
          parked_has_its_body),
    Check("held_waits_for_something", (4,), "等待中的编辑有所等",
          "what is held waits for something", held_waits_for_something),
    Check("one_epoch", (11,), "数据库有纪元", "the epoch is named", one_epoch),
)  # fmt: skip
