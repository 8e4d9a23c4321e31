"""Every store keeps one contract: what is written together is there together, or not at all."""

import json
from dataclasses import replace

import pytest
import sqlalchemy as sa

from sync.edits import Device, Draft, LedgerEntry, Mark, Receipt, Record
from sync.errors import Stale
from sync.push import Push, push
from sync.store import DEL, OUT, PURGE, PUT, Batch, FeedChange, Window
from tests.sync.house import ANCHORS, KINDS, NOW_MS, Phone, Stand, name_of

PLOT = name_of(1)


def _record(rv: int, **values: object) -> Record:
    mark = Mark(rv, NOW_MS, name_of("ann"), name_of("edit"))
    return Record("plot", PLOT, rv, {"grid": 7, **values}, {"*": mark})


def _batch(device: Device, record: Record, *, seen: int, scope: str = "grid:7") -> Batch:
    batch = Batch(device=device, device_before=device)
    key = (record.kind, record.id)
    batch.records[key] = record
    batch.seen_rv[key] = seen
    batch.feed.append(FeedChange(scope, record.kind, record.id, 60, PUT, record.rv))
    batch.digests[scope] = (record.rv, 1)
    return batch


def _ledgered(batch: Batch, phone: Phone) -> Batch:
    edit = phone.edit("create", "plot", PLOT, set={"grid": 7})
    receipt = Receipt(edit.n, edit.id, "applied", PLOT, 1)
    batch.ledger.append(LedgerEntry(edit, phone.device, 1, receipt, edit.digest(), 5, 6))
    return batch


def test_a_pushed_record_is_pulled_by_another_phone(ann: Phone, bob: Phone) -> None:
    reply = ann.push(ann.edit("create", "plot", PLOT, set={"grid": 7, "name": "a"}))
    assert reply.expected == 2
    assert [one["status"] for one in reply.results] == ["applied"]
    page = bob.pull(["grid:7"])
    assert page.complete
    assert json.loads(page.items[0])["f"]["name"] == "a"
    assert bob.pull(["grid:7"], page.cursor).items == []


def test_what_is_written_is_read_again(stand: Stand, ann: Phone) -> None:
    with stand.open() as store:
        device = store.device(ann.device)
        store.write(_ledgered(_batch(device, _record(1, name="a"), seen=0), ann))
    with stand.open() as store:
        assert store.records([("plot", PLOT), ("plot", name_of(2))]) == {
            ("plot", PLOT): _record(1, name="a")
        }
        known = store.known([name_of("ann/1"), name_of("nobody")])
        assert set(known) == {name_of("ann/1")}
        assert known[name_of("ann/1")].receipt["status"] == "applied"
        assert store.scopes(["grid:7", "grid:8"])["grid:7"][:3] == (1, 1, 1)


def test_an_unknown_kind_is_simply_not_found(stand: Stand) -> None:
    with stand.open() as store:
        assert store.records([("castle", PLOT)]) == {}


def test_a_record_that_changed_since_it_was_read_is_not_overwritten(
    stand: Stand, ann: Phone
) -> None:
    with stand.open() as store:
        device = store.device(ann.device)
        store.write(_batch(device, _record(1), seen=0))
    for seen in (0, 2):
        with pytest.raises(Stale), stand.open() as store:
            store.write(_batch(device, _record(3, name="late"), seen=seen))
    with stand.open() as store:
        assert store.records([("plot", PLOT)])[("plot", PLOT)].rv == 1


def test_a_device_that_moved_on_meanwhile_is_stale(stand: Stand, ann: Phone) -> None:
    ann.push(ann.edit("create", "plot", PLOT, set={"grid": 7}))
    before = Device(ann.device, 1)
    with pytest.raises(Stale), stand.open() as store:
        store.write(_batch(before, _record(2), seen=1))


def test_an_edit_enters_the_ledger_once(stand: Stand, ann: Phone) -> None:
    with stand.open() as store:
        device = store.device(ann.device)
        store.write(_ledgered(_batch(device, _record(1), seen=0), ann))
    ann.n = 0
    with pytest.raises(Stale), stand.open() as store:
        store.write(_ledgered(_batch(device, _record(2), seen=1), ann))


def test_a_parked_edit_that_was_released_meanwhile_is_stale(stand: Stand, ann: Phone) -> None:
    """On PostgreSQL a row lock keeps it from being released; elsewhere it is looked at again."""
    if stand.name == "postgresql":
        assert "FOR UPDATE" in _parked_question(stand)
        return
    with stand.open() as store:
        device = store.device(ann.device)
        batch = _batch(device, _record(1), seen=0)
        batch.parked_asked = ((frozenset({PLOT}), frozenset()),)
        batch.parked_seen = {name_of("gone"): "parked"}
    with pytest.raises(Stale), stand.open() as store:
        store.write(batch)


def _parked_question(stand: Stand) -> str:
    said: list[str] = []
    engine = stand.engine  # type: ignore[attr-defined]
    sa.event.listen(engine, "before_cursor_execute", lambda *told: said.append(told[2]))
    with stand.open() as store:
        store.parked_for([PLOT], [])
    return said[-1]


def test_feed_rows_come_by_rank_then_scope_then_version(stand: Stand, ann: Phone) -> None:
    with stand.open() as store:
        device = store.device(ann.device)
        batch = Batch(device=device, device_before=device)
        for number, (scope, rank, op) in enumerate(
            [("b", 60, DEL), ("a", 60, OUT), ("a", 10, OUT), ("b", 10, OUT), ("c", 1, OUT)]
        ):
            batch.feed.append(FeedChange(scope, "plot", name_of(number), rank, op, 1))
            batch.digests[scope] = (0, 0)
        store.write(batch)
    windows = [Window("a", 0, 9, -1, 0), Window("b", 0, 9, -1, 0)]
    with stand.open() as store:
        rows = store.feed(windows, 10)
        assert [(row.rank, row.scope) for row in rows] == [
            (10, "a"), (10, "b"), (60, "a"), (60, "b"),
        ]  # fmt: skip
        assert [row.scope for row in store.feed(windows, 3)] == ["a", "b", "a"]
        beyond = [Window("a", 0, 9, 10, rows[0].ver)]
        assert [(row.rank, row.scope) for row in store.feed(beyond, 10)] == [(60, "a")]


def test_a_row_that_left_carries_no_body_even_beside_one_that_entered(
    stand: Stand, ann: Phone
) -> None:
    move = ann.edit("update", "plot", PLOT, base=1, set={"grid": 8}, id=name_of("move"))
    ann.gate.office.add(move.id)
    ann.n = 0
    ann.push(ann.edit("create", "plot", PLOT, set={"grid": 7}))
    ann.push(replace(move, n=2))
    with stand.open() as store:
        rows = store.feed([Window("grid:7", 0, 9, -1, 0), Window("grid:8", 0, 9, -1, 0)], 9)
    assert [(row.op, row.body is None) for row in rows] == [(OUT, True), (PUT, False)]


def test_a_record_has_one_feed_row_in_each_scope(ann: Phone) -> None:
    ann.push(ann.edit("create", "plot", PLOT, set={"grid": 7}))
    for base in (1, 2, 3):
        ann.push(ann.edit("update", "plot", PLOT, base=base, set={"name": str(base)}))
    page = ann.pull(["grid:7"])
    assert [json.loads(item)["rv"] for item in page.items] == [4]


def test_sealed_bodies_do_not_lie_open(stand: Stand, ann: Phone) -> None:
    ann.push(ann.edit("create", "plot", PLOT, set={"grid": 7, "name": "findable"}))
    if stand.name == "memory":
        return
    with stand.open() as store:
        for table in ("kind_plot", "sync_ledger"):
            body = store.session.execute(sa.text(f"SELECT body FROM {table}")).scalar_one()
            assert "findable" not in body
            assert "elbadnif" in body


def test_nothing_of_a_failed_transaction_stays(stand: Stand, ann: Phone) -> None:
    edit = ann.edit("create", "plot", PLOT, set={"grid": 7})
    if stand.name == "memory":
        return
    context = Push(ann.device, 1, NOW_MS, ANCHORS, ann.gate, KINDS)
    with pytest.raises(RuntimeError), stand.open() as store:
        push(store, [Draft(edit)], context)
        raise RuntimeError
    with stand.open() as store:
        assert store.device(ann.device).last_n == 0
        assert store.known([edit.id]) == {}
        assert store.scopes(["grid:7"]) == {}


def test_what_a_scope_shows_is_listed_and_picked_with_bodies(stand: Stand, ann: Phone) -> None:
    names = [name_of(number) for number in range(6)]
    ann.push(*(ann.edit("create", "plot", name, set={"grid": 7 + (n > 3), "name": f"n{n}"})
               for n, name in enumerate(names)))  # fmt: skip
    ann.push(ann.edit("delete", "plot", names[0], base=1),
             ann.edit("update", "plot", names[1], base=1, set={"name": "twice"}))  # fmt: skip
    with stand.open() as store:
        shown = sorted(store.shown("grid:7"))
        assert shown == sorted([("plot", names[1], 2), ("plot", names[2], 1),
                                ("plot", names[3], 1)])  # fmt: skip
        assert store.shown("grid:9") == [] and store.picked("grid:7", []) == []
        picked = store.picked("grid:7", [names[0], names[1], names[4], name_of("nobody")])
        assert [(row.record, row.rv, row.op) for row in picked] == [(names[1], 2, PUT)]
        assert json.loads(picked[0].body)["name"] == "twice"


def test_what_was_erased_by_law_since_a_version_is_noticed(stand: Stand, ann: Phone) -> None:
    ann.push(ann.edit("create", "plot", PLOT, set={"grid": 7}))
    with stand.open() as store:
        assert not store.purged("grid:7", 0)
        device = store.device(ann.device)
        batch = Batch(device=device, device_before=device)
        batch.feed.append(FeedChange("grid:7", "plot", PLOT, 60, PURGE, 2))
        batch.digests["grid:7"] = (0, -1)
        store.write(batch)
        assert store.purged("grid:7", 1)
        assert not store.purged("grid:7", 2) and not store.purged("grid:8", 0)


def test_receipts_are_read_again_in_their_order_and_of_one_device_only(
    stand: Stand, ann: Phone, bob: Phone
) -> None:
    edits = [ann.edit("create", "plot", name_of(n), set={"grid": 7}) for n in range(12)]
    given = ann.push(*edits).results
    bob.push(bob.edit("create", "plot", name_of("bob"), set={"grid": 7}))
    with stand.open() as store:
        assert store.receipts(ann.device, after_n=0, limit=100) == given
        assert store.receipts(ann.device, after_n=4, limit=3) == given[4:7]
        assert store.receipts(ann.device, after_n=12, limit=3) == []
        assert len(store.receipts(bob.device, after_n=0, limit=100)) == 1
        assert store.receipts(name_of("nobody"), after_n=0, limit=100) == []


def test_windows_with_an_earlier_turn_come_first_and_then_the_ranks(
    stand: Stand, ann: Phone
) -> None:
    ann.push(
        ann.edit("create", "plot", name_of(1), set={"grid": 1}),
        ann.edit("create", "job", name_of(2), set={"grid": 2, "state": "assigned", "round": 0}),
        ann.edit("create", "plot", name_of(3), set={"grid": 2}),
        ann.edit("create", "job", name_of(4), set={"grid": 3, "state": "assigned", "round": 0}),
    )
    windows = [Window("grid:1", 0, 9, -1, 0, 1), Window("grid:2", 0, 9, -1, 0, 2),
               Window("grid:3", 0, 9, -1, 0, 2)]  # fmt: skip
    with stand.open() as store:
        rows = store.feed(windows, 10)
        assert [row.record for row in rows] == [name_of(n) for n in (1, 2, 4, 3)]
        assert [row.record for row in store.feed(windows, 2)] == [name_of(1), name_of(2)]
