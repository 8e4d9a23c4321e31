"""The invariants 11 to 20 of the protocol, each under its number, on every store."""

import random
from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy as sa

from sync.clock import AHEAD_MS_MAX
from sync.edits import Edit
from sync.push import Push, push
from sync.replica import KEPT_MS
from sync.replica_tables import NAMES
from sync.wire import read_drafts
from tests.simulation.stands import STANDS
from tests.sync import evidence
from tests.sync import test_sync_invariants as first_half
from tests.sync.house import (
    ANCHORS,
    KINDS,
    NOW_MS,
    MemoryStand,
    OpenGate,
    Phone,
    SqlStand,
    Stand,
    name_of,
)
from tests.sync.server import Server
from tests.sync.worker import Worker, copy_of

GRID, OTHER = "grid:7", "grid:8"
PLOT = name_of("the plot")
ROWS = 40
WRITES = ("INSERT", "UPDATE", "WITH written")
on_engines = pytest.mark.parametrize("lasting", ["sqlite", "postgresql"], indirect=True)


@pytest.fixture
def ann(stand: Stand) -> Iterator[Worker]:
    worker = Worker(Server(stand), "ann", 1, (GRID,))
    yield worker
    worker.connection.close()


def _filled(stand: Stand, rows: int = ROWS) -> Phone:
    """Return a phone that has made plots in a grid."""
    maker = Phone(stand, "maker", user=9)
    maker.push(*(maker.edit("create", "plot", name_of(number), set={"grid": 7, "name": "n"})
                 for number in range(rows)))  # fmt: skip
    return maker


@pytest.mark.parametrize("want_bytes", [1, 500, 3000])
def test_invariant_11_any_page_boundary_kill_or_resend_resumes(
    stand: Stand, ann: Worker, want_bytes: int
) -> None:
    _filled(stand)
    ann.edit("create", "plot", PLOT, grid=7, name="mine")
    pages, complete = 0, False
    while not complete:
        ann.send(want_bytes=want_bytes)  # this answer never arrives
        request, reply = ann.send(want_bytes=want_bytes)
        assert ann.take(request, reply)
        assert not ann.take(request, reply), "the second copy of an answer changes nothing"
        ann.restart_on(copy_of(ann.connection))
        complete, pages = reply["pull"]["complete"], pages + 1
        assert pages <= 2 * ROWS
    assert len(ann.phone.rows("plot")) == ROWS + 1
    assert pages > 1


def test_invariant_11_a_paged_reset_ends_although_others_go_on_writing(
    stand: Stand, ann: Worker
) -> None:
    maker = _filled(stand)
    ann.sync()
    request = ann.phone.request(want_bytes=400) | {"cursor": "from another epoch"}
    ann.phone.memory.keep(cursor="from another epoch")
    pages = 0
    while True:
        reply = ann.server.exchange(request, user=1, scopes=(GRID,), now_ms=ann.now_ms)
        ann.take(request, reply)
        pages += 1
        if reply["pull"]["complete"]:
            break
        maker.push(maker.edit("update", "plot", name_of(pages), base=1, set={"name": f"m{pages}"}))
        request = ann.phone.request(want_bytes=2000)
        assert pages < 3 * ROWS
    held = {rec: row.values for rec, row in ann.phone.rows("plot").items()}
    assert held == {rec: v for (_, rec), (_, v) in evidence.shown(stand, GRID).items()}
    assert pages > 4


def test_invariant_12_a_permanent_error_never_stops_later_independent_edits(stand: Stand) -> None:
    phone = Phone(stand, "ann")
    bad = [
        {"op": "create", "kind": "castle", "set": {"grid": 7}},
        {"op": "frobnicate", "kind": "plot", "set": {}},
        {"op": "create", "kind": "plot", "set": {"grid": 7, "name": "x" * 41}},
        {"op": "create", "kind": "plot", "set": {"grid": 7, "lon": 1.5}},
        {"op": "update", "kind": "plot", "set": {"name": "of nothing"}},
        {"op": "update", "kind": "plot", "set": [1, 2], "base": -1},
        {"op": "resolve", "kind": "conflict", "set": {"choice": "keep"}},
        {"op": "repair", "kind": "parked", "set": {}},
        {"op": "create", "kind": "plot", "set": {"grid": 7}, "rec": "no id"},
    ]
    shapes: list[dict[str, Any]] = []
    for number, one in enumerate(bad):
        shapes.append({"rec": name_of(f"bad {number}"), **one})
        shapes.append({"op": "create", "kind": "plot", "rec": name_of(number),
                       "set": {"grid": 7}})  # fmt: skip
    for n, shape in enumerate(shapes, start=1):
        shape |= {"n": n, "id": name_of(f"edit {n}")}
    reply = phone.push_drafts(read_drafts(shapes))
    assert reply.expected == len(shapes) + 1
    assert {one["status"] for one in reply.results[1::2]} == {"applied"}
    assert {one["status"] for one in reply.results[::2]} <= {"parked", "noted"}
    assert all(one["code"] for one in reply.results[::2])


class _Torn(RuntimeError):
    """The database goes away."""


@on_engines
def test_invariant_13_effect_ledger_feed_counter_and_digest_commit_together(stand: Stand) -> None:
    assert isinstance(stand, SqlStand)
    phone = _filled(stand, 3)
    edits = [
        phone.edit("create", "plot", PLOT, set={"grid": 7}),
        phone.edit("update", "plot", name_of(1), base=0, set={"name": "changed"}),
        phone.edit("delete", "plot", name_of(2), base=1),
        phone.edit("create", "plot", name_of("parked"), set={"grid": 7, "name": "x" * 41}),
    ]
    before, torn = evidence.everything(stand), 0
    for stop in range(1, 30):
        if not _dies_at_write(stand, stop, phone, edits):
            break
        torn += 1
        assert evidence.everything(stand) == before, f"torn at write {stop}"
    # PostgreSQL writes records and ledger with one statement.
    writes = 6 if stand.name == "sqlite" else 5
    assert torn >= writes, "device, records, ledger, parked, counter and feed are all written"
    assert len(evidence.shown(stand, GRID)) == 4, "three plots and the parked edit"
    statuses = [one["status"] for one in phone.push(*edits).results]
    assert statuses == ["applied", "applied", "applied", "parked"]


def _dies_at_write(stand: SqlStand, stop: int, phone: Phone, edits: list[Edit]) -> bool:
    """Push on a database that dies at its write number ``stop``; tell whether it came so far."""
    writes = 0

    def hear(*told: Any) -> None:
        nonlocal writes
        writes += str(told[2]).lstrip().startswith((*WRITES, "WITH"))
        if writes == stop:
            raise _Torn

    sa.event.listen(stand.engine, "before_cursor_execute", hear)
    try:
        phone.push(*edits)
    except _Torn:
        return True
    finally:
        sa.event.remove(stand.engine, "before_cursor_execute", hear)
    return False


@pytest.mark.parametrize("store", sorted(STANDS))
def test_invariant_14_after_an_epoch_change_all_converge_and_nothing_is_lost(store: str) -> None:
    stand = STANDS[store]()
    server = Server(stand)
    ann, bob = (Worker(server, word, n, (GRID,)) for n, word in ((1, "ann"), (2, "bob")))
    ann.edit("create", "plot", PLOT, grid=7, name="first")
    for worker in (ann, bob):
        worker.sync()
    backup = stand.backup()
    ann.edit("update", "plot", PLOT, name="acknowledged, then lost by the server")
    ann.edit("create", "plot", name_of("new"), grid=7)
    bob.edit("update", "plot", PLOT, owner="bob, too")
    for worker in (ann, bob, ann):
        worker.sync()
    ann.now_ms = bob.now_ms = ann.now_ms + KEPT_MS - 86_400_000
    stand.restore(backup, "epoch-2")
    for worker in (bob, ann, bob, ann, bob):
        worker.sync()
    assert ann.phone.rows("plot") == bob.phone.rows("plot")
    row = ann.phone.row("plot", PLOT)
    assert row is not None and row.values["owner"] == "bob, too"
    assert row.values["name"] == "acknowledged, then lost by the server"
    assert ann.phone.row("plot", name_of("new")) and not ann.phone.alarms
    assert len({line.edit for line in stand.ledger()}) == len(stand.ledger()) == 4
    for worker in (ann, bob):
        worker.connection.close()
    stand.close()


@pytest.mark.parametrize("schema", [1, 2, 99, 2**53])
def test_invariant_15_a_push_in_any_schema_is_taken_or_parked(stand: Stand, schema: int) -> None:
    phone = Phone(stand, "ann")
    shapes: list[dict[str, Any]] = [
        {
            "op": "create",
            "kind": "plot",
            "set": {"grid": 7, "name": "n", "of_tomorrow": {"a": [1]}},
        },
        {"op": "create", "kind": "of_tomorrow", "set": {"grid": 7}},
        {"op": "of_tomorrow", "kind": "plot", "set": {"grid": 7}},
        {"op": "create", "kind": "plot", "set": {"grid": 7}, "of_tomorrow": True},
    ]
    for n, shape in enumerate(shapes, start=1):
        shape |= {"n": n, "id": name_of(f"e{n}"), "rec": name_of(f"r{n}"), "schema": schema}
    reply = phone.push_drafts(read_drafts(shapes))
    assert [one["status"] for one in reply.results] == ["applied", "parked", "parked", "applied"]
    kept = evidence.shown(stand, GRID)["plot", name_of("r1")][1]
    assert kept.get("of_tomorrow") == {"a": [1]}
    assert '"of_tomorrow"' in evidence.everything(stand).replace("'", '"')


@pytest.mark.parametrize("claimed", [0, NOW_MS - 10**12, NOW_MS + 10**12, 2**62, -5, "noon", None])
def test_invariant_16_stamps_are_bounded_by_arrival_and_grow_per_device(
    stand: Stand, claimed: Any
) -> None:
    phone = Phone(stand, "ann")
    stamps = []
    for number in range(6):
        received_ms = NOW_MS + (0, 5000, 5001, 5001, 900_000, 900_000)[number]
        edit = phone.edit("create", "plot", name_of(number), set={"grid": 7},
                          at={"claimed": claimed})  # fmt: skip
        phone.push(edit, at_ms=received_ms)
        with stand.open() as store:
            stamps.append(store.records([("plot", name_of(number))])["plot", name_of(number)]
                          .mark("name").ms)  # fmt: skip
        assert stamps[-1] <= received_ms + AHEAD_MS_MAX
    assert stamps == sorted(set(stamps))


def test_invariant_17_erased_data_is_on_no_phone_that_has_pulled(stand: Stand, ann: Worker) -> None:
    _filled(stand, 3)
    ann.edit("create", "plot", PLOT, grid=7, name="secret-word")
    ann.sync()
    ann.edit("update", "plot", PLOT, owner="secret-word, too")
    ann.sync()
    ann.edit("update", "plot", name_of(1), owner="stays")
    ann.sync()
    request, reply = ann.send()
    reply["pull"]["items"] = [{"s": GRID, "op": "purge", "t": "plot", "id": PLOT, "rv": 9}]
    reply["pull"]["complete"], reply["pull"]["digest"] = False, {}
    assert ann.take(request, reply)
    held = str([ann.phone.memory.ask(f"SELECT * FROM {name}") for name in NAMES])
    rows = str([ann.phone.memory.ask(f"SELECT * FROM {name}") for name in NAMES[:2]])
    assert "secret-word" not in held and PLOT not in rows
    assert "stays" in held and len(ann.phone.rows("plot")) == 3


@pytest.mark.parametrize("size", [1, 3, 100])
def test_invariant_18_every_door_ends_in_the_same_records(stand: Stand, size: int) -> None:
    """Whole batches, single edits and resent halves: the native doors over one ``apply``."""
    phone = Phone(stand, "ann")
    edits = _mixed_history(phone)
    for first in range(0, len(edits), size):
        phone.push(*edits[first : first + size])
        phone.push(*edits[first : first + max(1, size // 2)])
    found = {rec: values for (_, rec), (_, values) in evidence.shown(stand, GRID).items()}
    assert found[PLOT]["name"] == "last" and len(found) == 7
    assert found[name_of("job")]["state"] == "done"
    assert evidence.digest(stand, GRID) == _digest_of_one_batch()


def _digest_of_one_batch() -> str:
    """Return the digest after the same history came in one request, on a fresh store."""
    stand = MemoryStand()
    phone = Phone(stand, "ann")
    phone.push(*_mixed_history(phone))
    return evidence.digest(stand, GRID)


def _mixed_history(phone: Phone) -> list[Edit]:
    """Return twenty edits of one phone: creations, changes, moves along, deletions, bad ones."""
    edits = [phone.edit("create", "plot", PLOT, set={"grid": 7, "name": "first"})]
    edits += [phone.edit("create", "plot", name_of(n), set={"grid": 7}) for n in range(5)]
    edits += [phone.edit("update", "plot", name_of(n), base=1, set={"owner": f"o{n}"})
              for n in range(5)]  # fmt: skip
    edits += [phone.edit("create", "job", name_of("job"),
                         set={"grid": 7, "state": "assigned", "round": 0})]  # fmt: skip
    edits += [phone.edit("update", "job", name_of("job"), base=n, set={"state": state, "round": 0})
              for n, state in ((1, "started"), (2, "done"))]  # fmt: skip
    edits += [phone.edit("delete", "plot", name_of(4), base=2)]
    edits += [phone.edit("create", "plot", name_of("bad"), set={"grid": 7, "name": "x" * 41})]
    edits += [phone.edit("update", "plot", name_of("bad"), set={"owner": "held"})]
    edits += [phone.edit("update", "plot", PLOT, base=n, set={"name": word})
              for n, word in ((1, "second"), (2, "third"), (3, "last"))]  # fmt: skip
    return edits


def test_invariant_19_replaying_the_ledger_on_an_empty_store_gives_the_same_state(
    stand: Stand,
) -> None:
    chance = random.Random(19)
    phones = [Phone(stand, word, user=n) for n, word in enumerate(("ann", "bob", "cid"))]
    users = {phone.device: phone.user for phone in phones}
    seen: dict[str, int] = {}
    for step in range(120):
        phone = chance.choice(phones)
        rec = name_of(f"p{chance.randrange(12)}")
        base = max(0, seen.get(rec, 0) - chance.choice((0, 0, 1)))
        values = {"owner": f"o{step}"} if rec in seen else {"grid": 7 + step % 2}
        op = "create" if rec not in seen else chance.choice(("update", "update", "delete"))
        if chance.random() < 0.1:
            values = {"name": "y" * 41}
        reply = phone.push(phone.edit(op, "plot", rec, base=base, set=values),
                           at_ms=NOW_MS + step * 1000)  # fmt: skip
        seen[rec] = max(seen.get(rec, 0), reply.results[0].get("rv", 0))
    replayed = MemoryStand()
    for device, user in users.items():
        replayed.enrol(device, user)
    for one in evidence.ledger(stand):
        context = Push(one.device, one.user, one.received_ms, ANCHORS, OpenGate(), KINDS)
        with replayed.open() as store:
            push(store, read_drafts([one.edit.as_json()]), context)
    for scope in (GRID, OTHER):
        assert evidence.shown(replayed, scope) == evidence.shown(stand, scope)
        assert evidence.digest(replayed, scope) == evidence.digest(stand, scope)
    assert len(evidence.ledger(replayed)) == len(evidence.ledger(stand)) == 120


@on_engines
def test_invariant_20_a_change_of_scope_costs_what_has_changed(stand: Stand) -> None:
    assert isinstance(stand, SqlStand)
    costs = []
    for rows in (5, 300):
        stand.empty()
        maker = Phone(stand, f"office {rows}", user=100)
        for first in range(0, rows, 100):
            maker.push(*(maker.edit("create", "plot", name_of(number), set={"grid": 7})
                         for number in range(first, min(rows, first + 100))))  # fmt: skip
        move = maker.edit("update", "plot", name_of(2), base=1, set={"grid": 8})
        maker.gate.office.add(move.id)
        before = {scope: len(evidence.feed(stand, scope)) for scope in (GRID, OTHER)}
        with evidence.statements(stand) as said:
            maker.push(move)
        costs.append(len(said))
        assert [row.op for row in evidence.feed(stand, GRID)][-1] == "out"
        assert len(evidence.feed(stand, GRID)) == before[GRID] == rows
        assert len(evidence.feed(stand, OTHER)) == 1
    assert costs[0] == costs[1]


@on_engines
def test_invariant_20_a_change_of_grant_writes_nothing(stand: Stand) -> None:
    assert isinstance(stand, SqlStand)
    _filled(stand)
    eve = Phone(stand, "eve", user=2)
    cursor = eve.pull([OTHER]).cursor
    before = evidence.everything(stand)
    with evidence.statements(stand) as said:
        given = eve.pull([OTHER, GRID], cursor)
        taken = eve.pull([OTHER], given.cursor)
    assert len(given.items) == ROWS and taken.drop == [GRID]
    assert not [one for one in said if one.lstrip().startswith((*WRITES, "DELETE"))]
    assert evidence.everything(stand) == before


def test_every_invariant_of_the_protocol_has_a_test() -> None:
    """The names carry the numbers; a number without a test would be an empty promise."""
    names = " ".join([*vars(first_half), *globals()])
    missing = [n for n in range(1, 21) if f"test_invariant_{n:02}_" not in names]
    assert not missing
