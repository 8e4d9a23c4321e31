"""The invariants 1 to 10 of the protocol, each under its number, on every store.

The simulator and the provers look for violations in millions of edits; a test here shows in a
few lines what each invariant means.
"""

import itertools
import random
import threading
from collections.abc import Iterator

import pytest

from sync.digest import as_hex, scope_digest
from sync.edits import Draft, Edit
from sync.errors import Problem
from sync.pull import read_cursor
from sync.push import Push, PushReply, push
from sync.store import Store
from tests.simulation.gate import DatedGate, Grants
from tests.sync import evidence
from tests.sync.house import ANCHORS, NOW_MS, MemoryStand, Phone, SqlStand, Stand, name_of
from tests.sync.server import Server
from tests.sync.worker import Worker

GRID, OTHER = "grid:7", "grid:8"
PLOT = name_of("the plot")
MINUTE_MS = 60_000
KINDS = ("plot", "person", "job", "conflict")


@pytest.fixture
def team(stand: Stand) -> Iterator[list[Worker]]:
    server = Server(stand)
    both = (GRID, OTHER)
    workers = [Worker(server, word, user, scopes) for word, user, scopes in
               (("ann", 1, (GRID,)), ("bob", 2, (GRID,)), ("cid", 3, both))]  # fmt: skip
    yield workers
    for worker in workers:
        worker.connection.close()


def _live(team: list[Worker], chance: random.Random, deeds: int) -> None:
    """Let everybody work offline and sync at random moments; some pages are small."""
    for number in range(deeds):
        worker = chance.choice(team)
        rows = sorted(worker.phone.rows("plot"))
        if not rows or chance.random() < 0.3:
            grid = int(chance.choice(worker.scopes).split(":")[1])
            worker.edit("create", "plot", name_of(f"p{number}"), grid=grid, name=f"n{number}")
        elif chance.random() < 0.15:
            worker.edit("delete", "plot", chance.choice(rows))
        else:
            worker.edit("update", "plot", chance.choice(rows), owner=f"o{number}")
        if chance.random() < 0.3:
            worker.sync(want_bytes=chance.choice((300, 2000, 65_536)))


def _come_to_rest(team: list[Worker]) -> None:
    for worker in team * 2:
        worker.sync()


def _held(worker: Worker) -> evidence.Shown:
    memory = worker.phone.memory
    return {(kind, rec): row for kind in KINDS for rec, row in memory.rows(kind).items()}


def test_invariant_01_after_quiescence_every_phone_equals_the_server(
    stand: Stand, team: list[Worker]
) -> None:
    _live(team, random.Random(1), 60)
    _come_to_rest(team)
    for worker in team:
        wanted: evidence.Shown = {}
        for scope in worker.scopes:
            wanted |= evidence.shown(stand, scope)
        assert _held(worker) == wanted
    assert len(_held(team[2])) > 10


def test_invariant_02_no_row_outside_the_grants_is_sent_or_kept(team: list[Worker]) -> None:
    ann, bob, cid = team
    for number, grid in ((1, 7), (2, 8), (3, 8)):
        cid.edit("create", "plot", name_of(number), grid=grid, name="x")
    cid.sync()
    ann.sync()
    assert set(ann.phone.rows("plot")) == {name_of(1)}
    ann.scopes = (OTHER,)
    request, reply = ann.send()
    assert {item["s"] for item in reply["pull"]["items"]} == {OTHER}
    ann.take(request, reply)
    assert set(ann.phone.rows("plot")) == {name_of(2), name_of(3)}
    ann.scopes = ()
    request, reply = ann.send()
    assert reply["pull"]["items"] == [] and reply["pull"]["digest"] == {}
    ann.take(request, reply)
    assert not _held(ann) and ann.phone.memory.scopes() == set()
    assert bob.phone.rows("plot") == {}


def test_invariant_03_every_edit_id_has_exactly_one_effect(stand: Stand) -> None:
    ann, again = Phone(stand, "ann"), Phone(stand, "ann again")
    made = ann.edit("create", "plot", PLOT, set={"grid": 7, "name": "once"})
    first = ann.push(made).results
    before = evidence.feed(stand, GRID)
    assert [ann.push(made).results for _ in range(3)] == [first] * 3
    renumbered = again.edit("create", "plot", PLOT, set=made.set, id=made.id)
    assert again.push(renumbered).results[0]["status"] == "duplicate"
    assert evidence.feed(stand, GRID) == before
    assert [row.rv for row in before] == [1]
    other = ann.edit("create", "plot", PLOT, set={"grid": 7, "name": "twice"}, id=made.id)
    with pytest.raises(Problem) as raised:
        ann.push(other)
    assert (raised.value.status, raised.value.code) == (409, "edit_id_reused")


def test_invariant_04_every_value_ever_set_is_findable(stand: Stand) -> None:
    ann, bob = Phone(stand, "ann"), Phone(stand, "bob", user=2)
    ann.push(ann.edit("create", "plot", PLOT, set={"grid": 7, "owner": "created-word"}))
    ann.push(ann.edit("update", "plot", PLOT, base=1, set={"owner": "overwritten-word"}))
    ann.push(ann.edit("update", "plot", PLOT, base=2, set={"owner": "current-word"}))
    bob.push(bob.edit("update", "plot", PLOT, base=2, set={"owner": "concurrent-word"},
                      at={"claimed": NOW_MS - MINUTE_MS}))  # fmt: skip
    bob.push(bob.edit("update", "plot", PLOT, base=4, set={"name": "parked-word" * 9}))
    bob.push(bob.edit("frobnicate", "plot", PLOT, set={"name": "unreadable-word"}))
    bob.push(bob.edit("update", "plot", PLOT, base=3, set={"grid": 8, "unknown": "extra-word"}))
    bob.push(bob.edit("delete", "plot", PLOT, base=9))
    lies = evidence.everything(stand)
    for word in ("created", "overwritten", "current", "concurrent", "parked", "unreadable",
                 "extra"):  # fmt: skip
        assert f"{word}-word" in lies, word
    conflict = next(row for (kind, _), row in evidence.shown(stand, GRID).items()
                    if kind == "conflict" and row[1]["unit"] == "owner")  # fmt: skip
    sides = {conflict[1][side]["values"]["owner"] for side in ("won", "lost")}
    assert sides == {"current-word", "concurrent-word"}


@pytest.mark.parametrize("seed", range(4))
def test_invariant_05_effects_of_a_device_are_in_the_order_of_its_numbers(
    stand: Stand, seed: int
) -> None:
    chance, ann = random.Random(seed), Phone(stand, "ann")
    edits = [ann.edit("create", "plot", PLOT, set={"grid": 7})]
    edits += [ann.edit("update", "plot", PLOT, set={"name": f"n{n}"},
                       at={"claimed": NOW_MS + chance.randrange(-10**9, 10**9)})
              for n in range(2, 20)]  # fmt: skip
    sent = 0
    while sent < len(edits):
        if sent + 2 < len(edits):
            with pytest.raises(Problem) as raised:
                ann.push(*edits[sent + 1 : sent + 3])
            assert raised.value.extra == {"expected": sent + 1}
        count = chance.randint(1, 6)
        ann.push(*edits[sent : sent + count])
        sent += count
        assert evidence.shown(stand, GRID)["plot", PLOT][1]["name"] in (
            None, f"n{min(sent, len(edits))}",
        )  # fmt: skip
    assert [one.n for one in evidence.ledger(stand)] == list(range(1, 20))


def test_invariant_06_a_phone_shows_its_own_edit_until_a_complete_pull_contains_it(
    team: list[Worker],
) -> None:
    ann, bob = team[:2]
    for number in range(30):
        bob.edit("create", "plot", name_of(number), grid=7, name=f"n{number}")
    bob.sync()
    ann.sync()
    ann.edit("update", "plot", name_of(3), owner="mine")
    for number in range(30):
        bob.edit("update", "plot", name_of(number), name=f"m{number}")
    bob.sync()
    pages = 0
    while True:
        request, reply = ann.send(want_bytes=300)
        assert ann.take(request, reply)
        row = ann.phone.row("plot", name_of(3))
        assert row is not None and row.values["owner"] == "mine"
        if reply["pull"]["complete"]:
            break
        assert row.own, "it may only become the server's with a complete page"
        pages += 1
    assert pages > 3
    row = ann.phone.row("plot", name_of(3))
    assert row is not None and not row.own


def test_invariant_06_holds_when_the_server_has_lost_the_edit_and_the_phone() -> None:
    stand = MemoryStand()
    server = Server(stand)
    bob = Worker(server, "bob", 2, (GRID,))
    bob.edit("create", "plot", PLOT, grid=7, name="there", owner="bob")
    bob.sync()
    backup = evidence.copied(stand)
    ann = Worker(server, "ann", 1, (GRID,))
    ann.sync()
    for number in range(30):
        bob.edit("create", "plot", name_of(number), grid=7, name=f"n{number}")
    bob.sync()
    ann.edit("update", "plot", PLOT, owner="ann")
    first = ann.send(want_bytes=300)
    assert ann.take(*first) and not first[1]["pull"]["complete"]
    stand.store, stand.store.name = backup, "epoch-2"
    with pytest.raises(Problem) as raised:
        ann.send()
    ann.phone.problem(ann.phone.request(), {"code": raised.value.code})
    ann.join("ann anew")
    request = ann.phone.request() | {"edits": []}
    ann.take(request, server.exchange(request, user=1, scopes=(GRID,), now_ms=ann.now_ms))
    row = ann.phone.row("plot", PLOT)
    assert row is not None and row.values["owner"] == "ann"
    ann.sync()
    assert evidence.shown(stand, GRID)["plot", PLOT][1]["owner"] == "ann"
    for worker in (ann, bob):
        worker.connection.close()


def test_invariant_07_joinable_fields_end_equal_for_all_arrival_orders(stand: Stand) -> None:
    maker = Phone(stand, "maker", user=9)
    phones = [Phone(stand, word, user=number) for number, word in enumerate("abc")]
    ends = set()
    for number, order in enumerate(itertools.permutations(range(3))):
        rec, round_ms = name_of(f"plot {number}"), NOW_MS + number * MINUTE_MS
        maker.push(maker.edit("create", "plot", rec, set={"grid": 7},
                              at={"claimed": round_ms - 1000}))  # fmt: skip
        for who in order:
            values = {"owner": f"owner {who}", "lon": who, "lat": who + 10}
            stamp = {"claimed": round_ms + (7, 3, 5)[who]}
            phones[who].push(phones[who].edit("update", "plot", rec, base=1, set=values, at=stamp),
                             at_ms=round_ms + MINUTE_MS)  # fmt: skip
        values = evidence.shown(stand, GRID)["plot", rec][1]
        ends.add((values["owner"], values["lon"], values["lat"]))
    assert ends == {("owner 0", 0, 10)}


def _dated(phone: Phone, grants: Grants, edit_ms: int, arrives_ms: int, **values: object) -> str:
    """Push an update that was made at one moment and arrives at another; return its fate."""
    phone.gate = DatedGate(grants, phone.user, arrives_ms, False)  # type: ignore[assignment]
    at = {"claimed": edit_ms, "anchor": ANCHORS.issue(NOW_MS, phone.device),
          "elapsed_ms": edit_ms - NOW_MS}  # fmt: skip
    edit = phone.edit("update", "plot", PLOT, base=1, set=values, at=at)
    receipt = phone.push(edit, at_ms=arrives_ms).results[0]
    return f"{receipt['status']} {','.join(receipt.get('flags', ()))}".strip()


def test_invariant_08_authority_is_that_of_the_time_of_the_act(stand: Stand) -> None:
    ann, bob, grants = Phone(stand, "ann", user=1), Phone(stand, "bob", user=2), Grants()
    ann.push(ann.edit("create", "plot", PLOT, set={"grid": 7}))
    grants.give(1, 7, NOW_MS)
    moved_ms, late_ms = NOW_MS + 10 * MINUTE_MS, NOW_MS + 60 * MINUTE_MS
    grants.end(1, 7, moved_ms)
    grants.give(2, 7, moved_ms)
    in_charge = _dated(ann, grants, moved_ms - MINUTE_MS, late_ms, owner="in charge")
    assert in_charge == "applied late_scope"
    assert _dated(ann, grants, moved_ms + MINUTE_MS, late_ms, name="outside") == "parked"
    assert _dated(bob, grants, moved_ms - MINUTE_MS, late_ms, name="before") == "parked"
    assert _dated(bob, grants, moved_ms + MINUTE_MS, late_ms, name="now mine") == "merged"
    values = evidence.shown(stand, GRID)["plot", PLOT][1]
    assert (values["owner"], values["name"]) == ("in charge", "now mine")
    with stand.open() as store:
        waiting = store.parked_for([PLOT], [])
    assert {one.scope for one in waiting.values()} == {GRID} and len(waiting) == 2


def test_invariant_09_all_four_digests_of_a_scope_are_one(stand: Stand, team: list[Worker]) -> None:
    _live(team, random.Random(9), 50)
    office = Phone(stand, "office", user=100)
    for number, rec in enumerate(sorted(team[2].phone.rows("plot"))[:5]):
        edit = office.edit("update", "plot", rec, base=2**40, set={"grid": 7 + number % 2})
        office.gate.office.add(edit.id)
        office.push(edit)
    _come_to_rest(team)
    for scope in (GRID, OTHER):
        rows = [(kind, rec, rv) for (kind, rec), (rv, _) in evidence.shown(stand, scope).items()]
        with stand.open() as store:
            records = store.records([(kind, rec) for kind, rec, _ in rows])
        held = [(one.kind, one.id, one.rv) for one in records.values() if not one.deleted]
        phone = team[2].phone.memory.shown(scope)
        found = {as_hex(scope_digest(one)) for one in (rows, held, phone)}
        assert found == {evidence.digest(stand, scope)}
        assert rows


def test_invariant_10_no_committed_row_is_at_or_below_a_cursor_handed_out_without_it(
    stand: Stand,
) -> None:
    chance, ann, eve = random.Random(10), Phone(stand, "ann"), Phone(stand, "eve", user=2)
    had: dict[tuple[str, str], int] = {}
    cursor, last = None, 0
    for number in range(60):
        some = name_of(f"r{chance.randrange(12)}")
        op = "create" if ("plot", some) not in evidence.shown(stand, GRID) else "update"
        ann.push(ann.edit(op, "plot", some, base=number, set={"grid": 7, "name": f"n{number}"}))
        page = eve.pull([GRID], cursor, want_bytes=chance.choice((1, 400, 9000)))
        for text in page.items:
            item = evidence.json.loads(text)
            had[item["t"], item["id"]] = item["rv"]
        cursor, place = page.cursor, read_cursor(page.cursor).places[GRID]  # type: ignore[union-attr]
        assert place.ver >= last
        last = place.ver
        below = [row for row in evidence.feed(stand, GRID) if row.ver <= place.ver]
        assert all(had.get((row.kind, row.record)) == row.rv for row in below)
    assert last > 30


@pytest.mark.parametrize("lasting", ["postgresql"], indirect=True)
def test_invariant_10_holds_while_two_transactions_overlap(stand: Stand) -> None:
    assert isinstance(stand, SqlStand)
    ann, bob, eve = (Phone(stand, word, user=n) for n, word in enumerate(("ann", "bob", "eve")))
    for phone in (ann, bob):
        phone.push(phone.edit("create", "plot", name_of(phone.word), set={"grid": 7}))
    start = eve.pull([GRID]).cursor
    replies: list[PushReply] = []
    edit = bob.edit("create", "plot", name_of("second"), set={"grid": 7})
    second = threading.Thread(target=lambda: replies.append(bob.push(edit)))
    with stand.open() as held:
        first = ann.edit("create", "plot", name_of("first"), set={"grid": 7})
        _push_within(held, ann, first)
        second.start()
        second.join(0.3)
        assert not replies, "the second waits for the counter until the first has committed"
        between = eve.pull([GRID], start)
        assert not between.items
    second.join()
    items = [evidence.json.loads(text)["id"] for text in eve.pull([GRID], between.cursor).items]
    assert items == [name_of("first"), name_of("second")]


def _push_within(store: Store, phone: Phone, edit: Edit) -> None:
    """Push inside a transaction that somebody else ends."""
    context = Push(phone.device, phone.user, NOW_MS, ANCHORS, phone.gate, phone.kinds)
    push(store, [Draft(edit)], context)
