"""What the law erases is nowhere any more: in no table, feed, phone or log; and stays away."""

import json
from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa

from sync import erasure
from sync.digest import as_signed, scope_digest
from sync.errors import Stale
from sync.replica_tables import NAMES
from sync.store import PURGE, Batch
from sync.stores.memory_upkeep import MemoryUpkeep
from sync.stores.sql_upkeep import SqlUpkeep
from sync.upkeep import Erasure
from tests.sync.house import KINDS, NOW_MS, Phone, Stand, name_of, upkeep
from tests.sync.worker import Worker

GRID, OTHER = "grid:7", "grid:8"
PLOT, PERSON = name_of("plot"), name_of("person")
CANARY = "canary"
SECOND = "second canary"


def erase(stand: Stand, *keys: tuple[str, str], also: Any = ("person",)) -> erasure.Erased:
    """Erase records as the command does."""
    orders = [Erasure(kind, record, NOW_MS, "asked") for kind, record in keys]
    with upkeep(stand) as open_:
        return erasure.erase(open_, KINDS, orders, also=also)


def traces(stand: Any, word: str = CANARY) -> list[str]:
    """Return the tables in which a word stands, open or turned round as the tests' seal does."""
    if stand.name == "memory":
        text = repr([stand.store.rows, stand.store.ledger, stand.store.parked, stand.store.feeds])
        return ["memory"] if word in text else []
    found = []
    with stand.engine.connect() as connection:
        for name, table in stand.metadata.tables.items():
            text = repr(connection.execute(sa.select(table)).all())
            found += [name] if word in text or word[::-1] in text else []
    return found


def _settle(ann: Phone, bob: Phone) -> None:
    """Leave a word in every place that holds values: record, history, conflict, parking."""
    made = {"grid": 7, "name": CANARY, "owner": CANARY}
    ann.push(ann.edit("create", "plot", PLOT, set=made))
    ann.push(ann.edit("create", "person", PERSON, set={"grid": 7, "plot": PLOT, "name": CANARY}))
    ann.push(ann.edit("update", "plot", PLOT, base=1, set={"name": SECOND}))
    bob.push(bob.edit("update", "plot", PLOT, base=1, set={"name": f"{CANARY} lost"}))
    bob.push(bob.edit("update", "plot", PLOT, base=1, set={"owner": CANARY * 9}))
    parked = {"grid": 7, "plot": PLOT, "name": CANARY * 9}
    bob.push(bob.edit("create", "person", name_of("parked"), set=parked))
    bob.push(bob.edit("update", "person", name_of("parked"), set={"name": CANARY}))


def test_nothing_of_an_erased_record_stays_in_any_table(
    stand: Stand, ann: Phone, bob: Phone
) -> None:
    _settle(ann, bob)
    assert traces(stand) and traces(stand, SECOND)
    done = erase(stand, ("plot", PLOT))
    assert traces(stand) == traces(stand, SECOND) == []
    kinds = sorted(one.kind for one in done.erasures)
    assert kinds == ["conflict", "person", "person", "plot"]
    assert (done.edits, done.parked) == (7, 3)


def test_receipts_and_ids_stay(stand: Stand, ann: Phone, bob: Phone) -> None:
    edit = ann.edit("create", "plot", PLOT, set={"grid": 7, "name": CANARY})
    first = json.dumps(ann.push(edit).results)
    erase(stand, ("plot", PLOT))
    assert json.dumps(ann.push(edit).results) == first
    bare = erasure.bare_edit(edit)
    assert json.dumps(ann.push(bare).results) == first, "a phone has wiped its log as well"


def test_every_scope_that_showed_it_is_told_and_digests_are_right(stand: Stand, ann: Phone) -> None:
    ann.push(ann.edit("create", "plot", PLOT, set={"grid": 7}),
             ann.edit("create", "plot", name_of(2), set={"grid": 7}))  # fmt: skip
    move = ann.edit("update", "plot", PLOT, base=1, set={"grid": 8, "name": CANARY})
    ann.gate.office.add(move.id)
    ann.push(move)
    [done] = erase(stand, ("plot", PLOT)).erasures
    assert done.scopes == (GRID, OTHER)
    for scope, left in ((GRID, [("plot", name_of(2), 1)]), (OTHER, [])):
        page = ann.pull([scope])
        told = [item for item in map(json.loads, page.items) if item["op"] == PURGE]
        assert told == [{"s": scope, "op": PURGE, "t": "plot", "id": PLOT, "rv": 3}]
        with stand.open() as store:
            state = store.scopes([scope])[scope]
        assert as_signed(state.digest) == as_signed(scope_digest(left))
        assert state.live == len(left)


def test_late_edits_are_answered_erased_and_not_kept(stand: Stand, ann: Phone, bob: Phone) -> None:
    _settle(ann, bob)
    [parked] = [one.edit.id for one in _parked(stand) if one.edit.set.get("name") == CANARY * 9]
    with upkeep(stand) as open_:
        [conflict] = open_.referring("conflict", "record", [PLOT])
    erase(stand, ("plot", PLOT))
    late = [
        ann.edit("update", "plot", PLOT, base=2, set={"name": CANARY}),
        ann.edit("create", "plot", PLOT, set={"grid": 7, "name": CANARY}),
        ann.edit("delete", "plot", PLOT, base=2),
        ann.edit("create", "person", name_of(9), set={"grid": 7, "plot": PLOT, "name": CANARY}),
        ann.edit("update", "person", PERSON, base=1, set={"name": CANARY}),
        ann.edit("create", "person", name_of("parked"), set={"grid": 7, "name": CANARY}),
        ann.edit("resolve", "conflict", conflict, set={"choice": "swap"}),
        ann.edit("repair", "person", parked, set={"name": CANARY}),
        ann.edit("update", "plot", PLOT, set={"name": CANARY * 99}),
    ]
    good = ann.edit("create", "plot", name_of(2), set={"grid": 7})
    results = ann.push(*late, good).results
    assert {(one["status"], one.get("code")) for one in results[:-1]} == {("noted", "erased")}
    assert results[-1]["status"] == "applied"
    assert traces(stand) == []
    assert ann.push(*late, good).results == results


def _parked(stand: Stand) -> list[Any]:
    with upkeep(stand) as open_:
        return list(open_.parked_about([], ["person", "plot"]))


def test_erasing_twice_changes_nothing(stand: Stand, ann: Phone, bob: Phone) -> None:
    _settle(ann, bob)
    erase(stand, ("plot", PLOT))
    with stand.open() as store:
        before = store.scopes([GRID])
    again = erase(stand, ("plot", PLOT))
    assert (again.erasures, again.parked) == ([], 0)
    with stand.open() as store:
        assert store.scopes([GRID]) == before


def test_dependants_go_only_as_told(stand: Stand, ann: Phone, bob: Phone) -> None:
    _settle(ann, bob)
    done = erase(stand, ("plot", PLOT), also=())
    assert ("person", PERSON) not in {one.key for one in done.erasures}
    with stand.open() as store:
        assert store.records([("person", PERSON)])["person", PERSON].values["name"] == CANARY


def test_an_erasure_that_is_carried_out_again_turns_away_what_a_restore_has_lost(
    stand: Stand, ann: Phone
) -> None:
    """The record is not there (yet): phones will bring it, and must be turned away."""
    with upkeep(stand) as open_:
        order = Erasure("plot", PLOT, NOW_MS, "asked", (GRID,))
        erasure.erase(open_, KINDS, [order], also=())
    edit = ann.edit("create", "plot", PLOT, set={"grid": 7, "name": CANARY})
    assert ann.push(edit).results[0]["code"] == "erased"
    assert '"op":"purge"' in ann.pull([GRID]).items[0]
    assert traces(stand) == []


def test_phones_wipe_the_record_and_say_so_by_their_next_request(
    stand: Stand, worker: Callable[[str], Worker]
) -> None:
    ann, bob = worker("ann"), worker("bob")
    ann.edit("create", "plot", PLOT, grid=7, name=CANARY)
    ann.edit("update", "plot", PLOT, name=SECOND)
    ann.sync()
    bob.sync()
    bob.edit("update", "plot", PLOT, name=f"{CANARY} offline")
    erase(stand, ("plot", PLOT))
    assert _witnesses(stand) == []
    bob.sync()
    ann.sync()
    for one in (ann, bob):
        assert one.phone.rows("plot") == {} and one.phone.outbox() == []
        dump = repr([one.phone.memory.ask(f"SELECT * FROM {name}") for name in NAMES])
        assert CANARY not in dump and SECOND not in dump
    assert _witnesses(stand) == []
    ann.send()
    assert _witnesses(stand) == [name_of("ann")]
    bob.sync()
    bob.sync()
    assert _witnesses(stand) == sorted([name_of("ann"), name_of("bob")])
    assert traces(stand) == []


def _witnesses(stand: Stand) -> list[str]:
    with upkeep(stand) as open_:
        return [device for device, _ in open_.witnesses().get(("plot", PLOT), ())]


def test_a_phone_in_the_middle_of_its_pages_has_not_wiped_yet(
    stand: Stand, worker: Callable[[str], Worker]
) -> None:
    ann, bob = worker("ann"), worker("bob")
    ann.edit("create", "plot", PLOT, grid=7, name=CANARY)
    ann.sync()
    erase(stand, ("plot", PLOT))
    for number in range(40):
        ann.edit("create", "plot", name_of(number), grid=7, name=f"n{number}")
    ann.sync()
    rounds = 0
    while name_of("bob") not in _witnesses(stand):
        complete = bob.phone.cursor and rounds and reply["pull"]["complete"]  # noqa: F821
        request, reply = bob.send(want_bytes=300)
        bob.take(request, reply)
        rounds += 1
        assert complete or name_of("bob") not in _witnesses(stand)
        assert rounds < 99
    assert rounds > 5


def test_other_edits_of_a_wiped_log_still_arrive(
    stand: Stand, worker: Callable[[str], Worker]
) -> None:
    ann, bob = worker("ann"), worker("bob")
    bob.edit("create", "plot", PLOT, grid=7, name=CANARY)
    bob.sync()
    ann.sync()
    ann.edit("update", "plot", PLOT, name=f"{CANARY} unsent")
    ann.edit("create", "plot", name_of(2), grid=7, name="kept")
    erase(stand, ("plot", PLOT))
    ann.send()
    ann.phone.memory.erase("plot", PLOT)
    assert [edit["set"] for edit in ann.phone.outbox()] == [{}, {"grid": 7, "name": "kept"}]
    ann.sync()
    assert list(ann.phone.rows("plot")) == [name_of(2)]
    assert ann.phone.needs_device is None


@pytest.mark.parametrize("forgotten", ["scrub_ledger", "scrub_parked", "rewrite"])
def test_the_search_finds_what_a_forgetful_erasure_leaves(
    stand: Stand, ann: Phone, bob: Phone, monkeypatch: pytest.MonkeyPatch, forgotten: str
) -> None:
    _settle(ann, bob)
    for upkeep_ in (MemoryUpkeep, SqlUpkeep):
        monkeypatch.setattr(upkeep_, forgotten, lambda self, what: 0)
    erase(stand, ("plot", PLOT))
    assert traces(stand)


@pytest.mark.parametrize("lasting", ["sqlite"], indirect=True)
def test_an_edit_that_was_read_before_and_parked_after_an_erasure_is_read_again(
    stand: Stand, ann: Phone
) -> None:
    """SQLite reads before it locks; elsewhere the row lock lets the erasure wait."""
    ann.push(ann.edit("create", "plot", PLOT, set={"grid": 7}))
    with stand.open() as store:
        device = store.device(ann.device)
        batch = Batch(device=device, device_before=device, seen_rv={("plot", PLOT): 1})
    erase(stand, ("plot", PLOT))
    with pytest.raises(Stale), stand.open() as store:
        store.write(batch)
    batch.seen_rv["plot", PLOT] = 2
    with stand.open() as store:
        store.write(batch)


def test_what_was_parked_for_want_of_a_record_goes_when_its_creation_is_turned_away(
    stand: Stand, ann: Phone, bob: Phone
) -> None:
    """After a restore phones bring things back in any order: the change before the creation."""
    ann.push(ann.edit("create", "plot", PLOT, set={"grid": 7}))
    erase(stand, ("plot", PLOT))
    change = bob.edit("update", "person", PERSON, base=1, set={"name": CANARY})
    assert bob.push(change).results[0]["status"] == "parked"
    made = ann.edit("create", "person", PERSON, set={"grid": 7, "plot": PLOT, "name": CANARY})
    assert ann.push(made).results[0]["code"] == "erased"
    assert traces(stand) == []
    assert bob.push(change).results[0]["code"] == "erased"
