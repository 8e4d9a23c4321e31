"""The phone keeps its duties: own edits stay in sight, copies are whole, mistakes heal."""

import copy
from collections.abc import Callable, Iterator

import pytest

from sync.cursor import begun_again
from sync.errors import Problem
from sync.replica import KEPT_MS, Instant
from sync.wire import NotJson
from tests.sync.house import NOW_MS, MemoryStand, Stand, name_of
from tests.sync.server import Server
from tests.sync.worker import Worker, copy_of

GRID, OTHER = "grid:7", "grid:8"


@pytest.fixture
def ann(server: Server) -> Iterator[Worker]:
    worker = Worker(server, "ann", 1, (GRID,))
    yield worker
    worker.connection.close()


@pytest.fixture
def bob(server: Server) -> Iterator[Worker]:
    worker = Worker(server, "bob", 2, (GRID,))
    yield worker
    worker.connection.close()


def test_two_phones_end_with_the_same_rows(ann: Worker, bob: Worker) -> None:
    ann.edit("create", "plot", name_of(1), grid=7, name="a")
    ann.sync()
    bob.sync()
    bob.edit("update", "plot", name_of(1), name="b")
    bob.sync()
    ann.sync()
    assert ann.phone.rows("plot") == bob.phone.rows("plot")
    row = ann.phone.row("plot", name_of(1))
    assert row is not None and (row.values["name"], row.rv, row.own) == ("b", 2, False)


def test_an_own_edit_stays_in_sight_until_a_complete_pull_contains_it(ann: Worker) -> None:
    for number in range(40):
        ann.edit("create", "plot", name_of(number), grid=7, name=f"n{number}")
    first = ann.send(want_bytes=300)
    assert not first[1]["pull"]["complete"]
    assert ann.take(*first)
    assert len(ann.phone.rows("plot")) == 40
    assert all(row.own for row in ann.phone.rows("plot").values())
    ann.sync(want_bytes=300)
    assert len(ann.phone.rows("plot")) == 40
    assert not any(row.own for row in ann.phone.rows("plot").values())


def test_a_lost_reply_leads_to_one_effect(ann: Worker) -> None:
    ann.edit("create", "plot", name_of(1), grid=7, name="a")
    ann.send()
    ann.sync()
    row = ann.phone.row("plot", name_of(1))
    assert row is not None and row.rv == 1
    assert [entry.receipt and entry.receipt["status"] for entry in ann.phone.receipts()] == [
        "applied"
    ]


def test_a_late_page_is_not_applied(ann: Worker, bob: Worker) -> None:
    bob.edit("create", "plot", name_of(1), grid=7, name="old")
    bob.sync()
    late = ann.send()
    bob.edit("update", "plot", name_of(1), name="new")
    bob.sync()
    ann.sync()
    assert not ann.take(*late)
    row = ann.phone.row("plot", name_of(1))
    assert row is not None and row.values["name"] == "new"


def test_a_lost_scope_erases_rows_and_keeps_the_outbox(ann: Worker) -> None:
    ann.edit("create", "plot", name_of(1), grid=7, name="a")
    ann.sync()
    ann.edit("update", "plot", name_of(1), name="b")
    request, _ = ann.send()
    ann.scopes = ()
    reply = ann.server.exchange(request | {"edits": []}, user=1, scopes=(), now_ms=ann.now_ms)
    ann.take(request, reply)
    assert ann.phone.rows("plot") == {}
    assert reply["pull"]["drop"] == [GRID]
    assert ann.phone.memory.entries("rec = ?", name_of(1))


def test_a_copied_phone_takes_a_new_device_and_loses_nothing(ann: Worker) -> None:
    ann.edit("create", "plot", name_of(1), grid=7, name="a")
    ann.sync()
    copied = copy_of(ann.connection)
    ann.edit("update", "plot", name_of(1), name="before")
    ann.sync()
    ann.restart_on(copied)
    ann.word = "copy"
    ann.edit("update", "plot", name_of(1), owner="me")
    with pytest.raises(Problem) as raised:
        ann.send()
    assert raised.value.code == "device_forked"
    ann.phone.problem(ann.phone.request(), {"code": raised.value.code})
    assert ann.phone.needs_device == "device_forked"
    ann.join("copy")
    ann.sync()
    row = ann.phone.row("plot", name_of(1))
    assert row is not None
    assert (row.values["name"], row.values["owner"]) == ("before", "me")


def test_a_copied_phone_without_edits_is_noticed_by_the_pull(ann: Worker) -> None:
    copied = copy_of(ann.connection)
    ann.edit("create", "plot", name_of(1), grid=7, name="a")
    ann.sync()
    ann.restart_on(copied)
    assert not ann.take(*ann.send())
    assert ann.phone.needs_device == "device_forked"


@pytest.fixture
def lone() -> Iterator[Callable[[Stand], Worker]]:
    """Return a maker of a phone on a store of the test's own."""
    workers: list[Worker] = []

    def make(stand: Stand) -> Worker:
        workers.append(Worker(Server(stand), "ann", 1, (GRID,)))
        return workers[-1]

    yield make
    for worker in workers:
        worker.connection.close()


def test_a_restored_server_gets_acknowledged_edits_again(lone: Callable[[Stand], Worker]) -> None:
    stand = MemoryStand()
    ann = lone(stand)
    ann.edit("create", "plot", name_of(1), grid=7, name="a")
    ann.sync()
    backup = copy.deepcopy(stand.store)
    ann.edit("update", "plot", name_of(1), name="b")
    ann.edit("create", "plot", name_of(2), grid=7, name="c")
    ann.sync()
    stand.store = backup
    stand.store.name = "epoch-2"
    ann.edit("update", "plot", name_of(2), name="d")
    with pytest.raises(Problem) as raised:
        ann.send()
    assert raised.value.extra == {"expected": 2}
    ann.phone.problem(ann.phone.request(), {"code": "gap", "expected": 2})
    ann.sync()
    assert {row.values["name"] for row in ann.phone.rows("plot").values()} == {"b", "d"}
    assert {one.values["name"] for one in stand.store.rows.values()} == {"b", "d"}


def test_a_server_that_lost_the_device_gets_all_kept_edits_under_a_new_one(
    lone: Callable[[Stand], Worker],
) -> None:
    stand = MemoryStand()
    empty = copy.deepcopy(stand.store)
    ann = lone(stand)
    ann.edit("create", "plot", name_of(1), grid=7, name="a")
    ann.sync()
    stand.store = empty
    stand.store.name = "epoch-2"
    with pytest.raises(Problem) as raised:
        ann.send()
    ann.phone.problem(ann.phone.request(), {"code": raised.value.code})
    ann.join("ann again")
    ann.sync()
    assert [row.values["name"] for row in ann.phone.rows("plot").values()] == ["a"]
    assert len(stand.store.rows) == 1


def test_a_spoilt_copy_is_noticed_and_sent_anew(ann: Worker) -> None:
    ann.edit("create", "plot", name_of(1), grid=7, name="a")
    ann.edit("create", "plot", name_of(2), grid=7, name="b")
    ann.sync()
    ann.connection.execute("DELETE FROM replica_row WHERE rec = ?", (name_of(1),))
    ann.sync()
    assert len(ann.phone.rows("plot")) == 2
    assert ann.phone.alarms == []


def test_a_scope_sent_anew_rewrites_no_row_that_is_the_same(ann: Worker) -> None:
    for number in range(40):
        ann.edit("create", "plot", name_of(number), grid=7, name=f"n{number}")
    ann.sync()
    memory = ann.phone.memory
    with memory.whole():
        memory.doubt([GRID])
        memory.keep(cursor=begun_again(memory.recall("cursor")))
    before, written = memory.rows("plot"), ann.connection.total_changes
    ann.sync()
    assert memory.rows("plot") == before
    # Each row is known again to be shown; not one is written.
    assert 40 <= ann.connection.total_changes - written < 2 * 40


def test_a_value_that_could_never_be_sent_is_refused_at_once(ann: Worker) -> None:
    with pytest.raises(NotJson):
        ann.edit("create", "plot", name_of(1), grid=7, name="\x00")
    assert ann.phone.outbox() == []


def test_an_id_known_with_another_body_gets_a_new_id(ann: Worker) -> None:
    first = ann.edit("create", "plot", name_of(1), grid=7, name="a")
    ann.sync()
    ann.phone.edit("update", "plot", name_of(1), {"name": "b"}, edit_id=name_of("x"), now=ann.now)
    ann.connection.execute("UPDATE replica_log SET id = 'gone' WHERE id = ?", (first,))
    ann.phone.memory.rename(name_of("x"), first)
    with pytest.raises(Problem) as raised:
        ann.send()
    assert raised.value.code == "edit_id_reused"
    ann.phone.problem(ann.phone.request(), {"code": raised.value.code, "edit": first})
    ann.connection.execute("UPDATE replica_log SET id = ? WHERE id = 'gone'", (first,))
    ann.sync()
    row = ann.phone.row("plot", name_of(1))
    assert row is not None and row.values["name"] == "b"


def test_edits_carry_the_time_of_the_server_however_the_clock_is_set(ann: Worker) -> None:
    ann.sync()
    anchored_ms = ann.now_ms
    made = ann.phone.edit(
        "create", "plot", name_of(1), {"grid": 7}, edit_id=name_of("late"),
        now=Instant(NOW_MS + 10**9, ann.now.monotonic_ms + 5000, "boot-1"),
    )  # fmt: skip
    assert made["at"]["elapsed_ms"] == 5000
    rebooted = ann.phone.edit(
        "update", "plot", name_of(1), {"name": "b"}, edit_id=name_of("later"),
        now=Instant(anchored_ms, 7, "boot-2"),
    )  # fmt: skip
    assert "elapsed_ms" not in rebooted["at"]
    assert rebooted["at"]["claimed"] > made["at"]["claimed"]


def test_a_fork_before_the_complete_pull_keeps_own_edits_in_sight(ann: Worker) -> None:
    for number in range(30):
        ann.edit("create", "plot", name_of(number), grid=7, name=f"n{number}")
    assert ann.take(*ann.send(want_bytes=300))
    ann.phone.problem(ann.phone.request(), {"code": "device_forked"})
    ann.join("ann anew")
    assert len(ann.phone.rows("plot")) == 30
    ann.sync()
    assert len(ann.phone.rows("plot")) == 30
    receipts = [entry.receipt for entry in ann.phone.receipts()]
    assert {receipt["status"] for receipt in receipts if receipt} == {"duplicate"}


def test_what_the_server_had_before_a_fork_is_not_laid_over_newer_rows(
    ann: Worker, bob: Worker
) -> None:
    ann.edit("create", "plot", name_of(1), grid=7, name="mine")
    ann.sync()
    bob.sync()
    bob.edit("update", "plot", name_of(1), name="newer")
    bob.sync()
    ann.sync()
    ann.phone.problem(ann.phone.request(), {"code": "device_forked"})
    ann.join("ann anew")
    row = ann.phone.row("plot", name_of(1))
    assert row is not None and row.values["name"] == "newer"


def test_a_tombstone_of_one_scope_leaves_what_another_shows(ann: Worker) -> None:
    """A record that was deleted and brought back elsewhere: its new row may come first."""
    ann.scopes = (GRID, OTHER)
    request, reply = ann.send()
    put = {"s": OTHER, "op": "put", "t": "plot", "id": name_of(1), "rv": 7, "f": {"grid": 8}}
    gone = {"s": GRID, "op": "del", "t": "plot", "id": name_of(1), "rv": 6}
    reply["pull"] |= {"items": [put, gone], "complete": False}
    assert ann.take(request, reply)
    assert list(ann.phone.rows("plot")) == [name_of(1)]


def test_a_deleted_record_goes_at_once(ann: Worker, bob: Worker) -> None:
    ann.edit("create", "plot", name_of(1), grid=7, name="a")
    ann.sync()
    bob.sync()
    bob.edit("delete", "plot", name_of(1))
    assert bob.phone.row("plot", name_of(1)) is None
    bob.sync()
    request, reply = ann.send()
    reply["pull"]["complete"] = False
    ann.take(request, reply)
    assert ann.phone.rows("plot") == {}


def test_a_purge_leaves_no_trace_of_a_record(ann: Worker) -> None:
    ann.edit("create", "plot", name_of(1), grid=7, name="a")
    ann.edit("create", "plot", name_of(2), grid=7, name="b")
    ann.sync()
    request, reply = ann.send()
    purge = {"s": GRID, "op": "purge", "t": "plot", "id": name_of(1), "rv": 2}
    reply["pull"] |= {"items": [purge], "complete": False}
    ann.take(request, reply)
    assert list(ann.phone.rows("plot")) == [name_of(2)]
    left = ann.phone.memory.entries("rec = ?", name_of(1))
    assert [(entry.edit["set"], entry.edit["was"]) for entry in left] == [({}, {})]


def test_acknowledged_edits_are_kept_for_fourteen_days(ann: Worker) -> None:
    ann.edit("create", "plot", name_of(1), grid=7, name="a")
    ann.sync()
    ann.now_ms += KEPT_MS - 60_000
    ann.edit("update", "plot", name_of(1), name="b")
    ann.sync()
    assert len(ann.phone.receipts()) == 2
    ann.now_ms += 120_000
    ann.sync()
    assert [entry.n for entry in ann.phone.receipts()] == [2]
    ann.sync()
    assert ann.phone.needs_device is None


def test_a_wiped_phone_keeps_nothing(ann: Worker) -> None:
    ann.edit("create", "plot", name_of(1), grid=7, name="a")
    ann.sync()
    ann.phone.problem(ann.phone.request(), {"code": "device_wipe"})
    assert (ann.phone.rows("plot"), ann.phone.outbox(), ann.phone.device) == ({}, [], None)


def test_a_request_that_is_too_large_is_halved(ann: Worker) -> None:
    for number in range(8):
        ann.edit("create", "plot", name_of(number), grid=7, name="a")
    request = ann.phone.request()
    ann.phone.problem(request, {"code": "too_large"})
    assert len(ann.phone.request()["edits"]) == 4
    ann.sync()
    assert len(ann.phone.rows("plot")) == 8


def test_what_will_pass_changes_nothing(ann: Worker) -> None:
    ann.edit("create", "plot", name_of(1), grid=7, name="a")
    request = ann.phone.request()
    for code in ("retry", "rate_limited", "token_expired", None):
        ann.phone.problem(request, {"code": code})
    assert ann.phone.request() == request


def test_a_resolved_conflict_is_shown_as_resolved_at_once(ann: Worker, bob: Worker) -> None:
    ann.edit("create", "plot", name_of(1), grid=7, name="a")
    ann.sync()
    bob.sync()
    ann.edit("update", "plot", name_of(1), name="mine")
    bob.edit("update", "plot", name_of(1), name="theirs")
    ann.sync()
    bob.sync()
    ann.sync()
    (conflict,) = ann.phone.conflicts()
    ann.edit("resolve", "conflict", conflict.rec, choice="swap")
    assert ann.phone.conflicts() == []
    ann.sync()
    bob.sync()
    assert bob.phone.conflicts() == []
    assert ann.phone.rows("plot") == bob.phone.rows("plot")


def test_a_phone_that_dies_in_the_middle_of_a_page_has_taken_nothing(ann: Worker) -> None:
    ann.edit("create", "plot", name_of(1), grid=7, name="a")
    request, reply = ann.send()
    before = ann.phone.cursor
    reply["pull"]["items"].append({"s": GRID})
    with pytest.raises(KeyError):
        ann.take(request, reply)
    assert (ann.phone.cursor, ann.phone.memory.rows("plot")) == (before, {})
    assert ann.phone.receipts() == []
    ann.sync()
    assert len(ann.phone.rows("plot")) == 1


def test_an_edit_that_fails_leaves_the_phone_as_it_was_also_after_a_restart(ann: Worker) -> None:
    ann.edit("create", "plot", name_of(1), grid=7, name="a")
    before = dict(ann.phone.memory.state)
    with pytest.raises(NotJson):
        ann.edit("create", "plot", name_of(2), grid=7, name=float("nan"))
    assert before == ann.phone.memory.state
    assert before == dict(ann.phone.memory.ask("SELECT name, value FROM replica_state"))
