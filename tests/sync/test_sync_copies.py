"""First copies: ready-made, resumed at any byte, never mixed, and exact afterwards."""

import gzip
import json
from collections.abc import Iterator
from itertools import pairwise

import pytest

from sync import snapshot
from sync.cursor import read_cursor
from sync.errors import Problem
from sync.first_copies import CopyReply, CopyRequest
from sync.snapshot import NotACopy, Snapshot
from sync.store import ScopeState
from tests.sync.house import Stand, name_of, raise_floor
from tests.sync.server import Server, as_is
from tests.sync.worker import Worker, copy_of

GRID, OTHER = "grid:7", "grid:8"


def _worker(server: Server, word: str, *scopes: str) -> Iterator[Worker]:
    worker = Worker(server, word, 1, scopes)
    yield worker
    worker.connection.close()


@pytest.fixture
def ann(server: Server) -> Iterator[Worker]:
    yield from _worker(server, "ann", GRID)


@pytest.fixture
def bob(server: Server) -> Iterator[Worker]:
    yield from _worker(server, "bob", GRID)


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let even small scopes be offered as copies."""
    monkeypatch.setattr("sync.pull.COPY_ROWS_MIN", 10)


def _fill(worker: Worker, count: int = 30) -> None:
    for number in range(count):
        worker.edit("create", "plot", name_of(number), grid=7, name=f"n{number}\u2028")
    worker.edit("create", "job", name_of("job"), grid=7, state="assigned", round=0)
    worker.edit("delete", "plot", name_of(0))
    worker.sync()


def _made(stand: Stand, scope: str = GRID) -> Snapshot:
    with stand.open() as store:
        made = snapshot.make(store, scope, as_is)
    assert made is not None
    return made


def _same(one: Worker, other: Worker) -> bool:
    kinds = ("plot", "job", "person", "conflict")
    return all(one.phone.rows(kind) == other.phone.rows(kind) for kind in kinds)


def test_a_copy_holds_what_the_scope_shows_most_urgent_first(stand: Stand, ann: Worker) -> None:
    _fill(ann)
    made = _made(stand)
    lines = [json.loads(line) for line in gzip.decompress(made.body).decode().split("\n")[:-1]]
    assert [line["t"] for line in lines[:-1]] == ["job"] + ["plot"] * 29
    assert lines[-1]["digest"] == ann.send()[1]["pull"]["digest"][GRID]
    assert (lines[-1]["rows"], lines[-1]["ver"]) == (30, made.ver)


def test_the_same_state_makes_the_same_bytes(stand: Stand, ann: Worker) -> None:
    _fill(ann)
    assert _made(stand) == _made(stand)


def test_a_copy_is_read_in_pages_of_any_size(
    stand: Stand, ann: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    _fill(ann)
    whole = _made(stand)
    for rows in (1, 2, 7, 30, 32, 33):
        monkeypatch.setattr(snapshot, "ROWS_AT_ONCE", rows)
        assert _made(stand) == whole


def test_there_is_no_copy_of_a_scope_that_nobody_has_written(stand: Stand) -> None:
    with stand.open() as store:
        assert snapshot.make(store, "grid:999", as_is) is None


def test_a_copy_shows_a_role_its_projection(stand: Stand, ann: Worker) -> None:
    _fill(ann, 2)
    with stand.open() as store:
        made = snapshot.make(store, GRID, lambda kind, body: '{"masked":true}')
    assert made is not None
    assert all(item["f"] == {"masked": True} for item in snapshot.read(made.body).items)


def test_what_changed_since_the_copy_comes_with_the_next_pull(
    stand: Stand, server: Server, small: None, ann: Worker, bob: Worker
) -> None:
    _fill(ann)
    old = _made(stand)
    ann.edit("update", "plot", name_of(5), name="later")
    ann.edit("delete", "plot", name_of(6))
    ann.edit("create", "plot", name_of("new"), grid=7, name="new")
    ann.sync()
    bob.take(*bob.send(want_bytes=300))
    wanted = bob.phone.first_copies.wanted()
    assert wanted == CopyRequest(GRID)
    reply = CopyReply(200, old.tag, len(old.body), 0, old.body)
    assert bob.phone.first_copies.receive(wanted, reply)
    request, answer = bob.send()
    assert len(answer["pull"]["items"]) == 3
    assert answer["pull"]["from"] == request["cursor"] and bob.take(request, answer)
    assert answer["pull"]["complete"] and not bob.phone.healing.wanted()
    assert _same(ann, bob)


@pytest.mark.parametrize("stand_again", [False, True], ids=["same version", "grown meanwhile"])
def test_a_copy_cut_at_any_byte_is_resumed(
    server: Server, small: None, ann: Worker, bob: Worker, stand_again: bool
) -> None:
    _fill(ann)
    bob.take(*bob.send(want_bytes=300))
    size = len(_made(server.stand).body)
    cuts = [0, 1, 9, size // 3, 1, size // 3]
    for number, cut in enumerate(cuts):
        wanted = bob.phone.first_copies.wanted()
        assert wanted is not None and wanted.start == sum(cuts[:number])
        reply = server.copy(wanted, scopes=(GRID,), cut=cut)
        assert not bob.phone.first_copies.receive(wanted, reply)
        bob.restart_on(copy_of(bob.connection))
        if stand_again and number == 2:
            ann.edit("update", "plot", name_of(5), name="later")
            ann.sync()
    assert bob.take_copies() == 1
    bob.sync()
    assert bob.phone.memory.recall("healed", 0) == 0
    assert _same(ann, bob)


def test_the_rest_of_another_copy_is_never_put_behind_the_first_part(
    server: Server, small: None, ann: Worker, bob: Worker
) -> None:
    _fill(ann)
    bob.take(*bob.send(want_bytes=300))
    bob.phone.first_copies.receive(CopyRequest(GRID), server.copy(CopyRequest(GRID), scopes=(GRID,),
                                                                  cut=100))  # fmt: skip
    ann.edit("update", "plot", name_of(5), name="later")
    ann.sync()
    server.copies.clear()
    wanted = bob.phone.first_copies.wanted()
    assert wanted is not None and wanted.start == 100
    other = _made(server.stand)
    mixed = CopyReply(206, other.tag, len(other.body), 100, other.body[100:])
    assert not bob.phone.first_copies.receive(wanted, mixed)
    assert bob.take_copies() == 1
    bob.sync()
    assert _same(ann, bob) and bob.phone.memory.recall("healed", 0) == 0


@pytest.mark.parametrize("at", [0, 20, 200, -1])
def test_a_damaged_copy_is_not_taken_and_pages_come_instead(
    server: Server, small: None, ann: Worker, bob: Worker, at: int
) -> None:
    _fill(ann)
    bob.take(*bob.send(want_bytes=300))
    reply = server.copy(CopyRequest(GRID), scopes=(GRID,))
    body = bytearray(reply.body)
    body[at] ^= 0x55
    damaged = CopyReply(200, reply.tag, reply.size, 0, bytes(body))
    assert not bob.phone.first_copies.receive(CopyRequest(GRID), damaged)
    assert bob.phone.first_copies.wanted() is None
    bob.sync(want_bytes=300)
    assert _same(ann, bob) and bob.phone.memory.recall("healed", 0) == 0


def test_a_copy_that_was_cut_is_no_copy() -> None:
    tail = b'{"to":"x","scope":"grid:7","ver":1,"digest":"0000000000000000","rows":0}\n'
    assert snapshot.read(gzip.compress(tail)).cursor == "x"
    strange = b'{"s":"grid:9","op":"put","t":"plot","id":"x","rv":1,"f":{}}\n' * 2
    for body in (b"", gzip.compress(b""), gzip.compress(tail)[:-1], gzip.compress(tail[:-1]),
                 gzip.compress(strange + tail), gzip.compress(b"[]\n"), b"no gzip"):  # fmt: skip
        with pytest.raises(NotACopy):
            snapshot.read(body)


def test_a_page_that_was_asked_for_before_the_copy_was_taken_is_not_applied(
    server: Server, small: None, ann: Worker, bob: Worker
) -> None:
    _fill(ann)
    bob.take(*bob.send(want_bytes=300))
    late = bob.send(want_bytes=300)
    ann.edit("update", "plot", name_of(5), name="later")
    ann.sync()
    assert bob.take_copies() == 1
    assert not bob.take(*late)
    bob.sync()
    assert _same(ann, bob)


def test_a_copy_that_arrives_twice_is_taken_once(
    server: Server, small: None, ann: Worker, bob: Worker
) -> None:
    _fill(ann)
    bob.take(*bob.send(want_bytes=300))
    reply = server.copy(CopyRequest(GRID), scopes=(GRID,))
    assert bob.phone.first_copies.receive(CopyRequest(GRID), reply)
    cursor = bob.phone.cursor
    assert not bob.phone.first_copies.receive(CopyRequest(GRID), reply)
    assert bob.phone.cursor == cursor


def test_a_copy_takes_away_what_a_reset_has_put_in_doubt(
    server: Server, small: None, ann: Worker, bob: Worker
) -> None:
    _fill(ann)
    bob.sync()
    ann.edit("delete", "plot", name_of(5))
    ann.sync()
    raise_floor(server.stand, GRID)
    bob.take(*bob.send(want_bytes=300))
    assert bob.take_copies() == 1
    bob.sync()
    assert _same(ann, bob) and bob.phone.row("plot", name_of(5)) is None


def test_a_scope_that_is_lost_meanwhile_is_refused_and_dropped(
    server: Server, small: None, ann: Worker, bob: Worker
) -> None:
    _fill(ann)
    bob.take(*bob.send(want_bytes=300))
    bob.scopes = (OTHER,)
    assert bob.take_copies() == 0
    bob.sync()
    assert bob.phone.rows("plot") == {}


def test_a_copy_does_not_take_back_what_another_scope_has_shown_since(bob: Worker) -> None:
    memory = bob.phone.memory
    memory.put(OTHER, "plot", "r", rv=5, values={"name": "new"})
    memory.put_older(GRID, "plot", "r", rv=4, values={"name": "old"})
    assert memory.row("plot", "r") == (5, {"name": "new"})
    assert memory.scopes() == {GRID, OTHER}
    memory.doubt([OTHER])
    memory.put_older(GRID, "plot", "r", rv=4, values={"name": "old"})
    assert memory.row("plot", "r") == (4, {"name": "old"})


def test_small_and_known_scopes_are_not_offered(small: None, ann: Worker, bob: Worker) -> None:
    for number in range(9):
        ann.edit("create", "plot", name_of(number), grid=7)
    ann.sync()
    assert bob.send(want_bytes=1)[1]["pull"]["copies"] == []
    ann.edit("create", "plot", name_of(9), grid=7)
    ann.sync()
    assert bob.send(want_bytes=1)[1]["pull"]["copies"] == [GRID]
    assert bob.send()[1]["pull"]["copies"] == []
    bob.sync()
    for number in range(9):
        ann.edit("update", "plot", name_of(number), name="x")
    ann.sync()
    assert bob.send(want_bytes=1)[1]["pull"]["copies"] == []


def test_a_copy_is_made_anew_when_it_is_old_or_its_cursor_would_be_reset() -> None:
    def good(ver: int, floor: int) -> bool:
        return snapshot.still_good(ver, ScopeState(1000, 0, 10, floor))

    oldest = 1000 - snapshot.CHANGES_MAX
    assert [good(ver, 0) for ver in (oldest - 1, oldest, 1000, 1001)] == [False, True, True, False]
    assert [good(ver, 900) for ver in (899, 900)] == [False, True]


def test_the_cursor_of_a_copy_is_never_ahead_of_its_rows(stand: Stand, ann: Worker) -> None:
    seen = {}
    for number in range(20):
        ann.edit("create", "plot", name_of(number), grid=7)
        ann.sync()
        made = _made(stand)
        seen[made.ver] = {item["id"] for item in snapshot.read(made.body).items}
        cursor = read_cursor(snapshot.read(made.body).cursor)
        assert cursor is not None and cursor.places[GRID].ver == made.ver
        ids = {item["id"] for item in ann.server.exchange(
            {**ann.phone.request(), "cursor": snapshot.read(made.body).cursor}, user=1,
            scopes=(GRID,), now_ms=ann.now_ms)["pull"]["items"]}  # fmt: skip
        assert ids == set()
    assert all(earlier < later for earlier, later in pairwise(seen.values()))


def test_nobody_gets_a_copy_of_what_is_not_his(server: Server, ann: Worker) -> None:
    _fill(ann)
    for scope in (GRID, "grid:999"):
        with pytest.raises(Problem) as raised:
            server.copy(CopyRequest(scope), scopes=(OTHER,))
        assert (raised.value.status, raised.value.code) == (404, "not_found")
