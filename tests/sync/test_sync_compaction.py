"""Old tombstones and old content go; phones that missed them start anew and lose nothing."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from sync import compaction
from sync.compaction import AGE_EVERY_MS, LEDGER, SCOPES, STEPS, Keeping, plan
from sync.digest import as_signed, scope_digest
from sync.parking import DAY_MS
from sync.store import DEL, OUT, PUT, ScopeState
from sync.upkeep import Age
from tests.sync.house import NOW_MS, Phone, Stand, name_of, upkeep
from tests.sync.worker import Worker

GRID = "grid:7"
KEEPING = Keeping()
LATER_MS = NOW_MS + KEEPING.tombstones_ms + 1


def compact(stand: Stand, now_ms: int, *, steps: Any = STEPS, portions: int = 10**6) -> int:
    """Run portions until nothing is left, as the command does; return how many things went."""
    gone = 0
    for step in steps:
        last: str | None = ""
        while last is not None and portions:
            portions -= 1
            with upkeep(stand) as open_:
                done = STEPS[step](open_, last, now_ms, KEEPING)
            last, gone = done.last, gone + done.gone
    return gone


def _ops(stand: Any, scope: str = GRID) -> list[str]:
    keys = [(kind, name_of(n)) for kind in ("plot", "conflict") for n in range(20)]
    with upkeep(stand) as open_:
        return sorted(row.op for row in open_.shown(keys) if row.scope == scope)


def _state(stand: Any, scope: str = GRID) -> ScopeState:
    with stand.open() as store:
        found: ScopeState = store.scopes([scope])[scope]
        return found


def test_a_plan_never_deletes_without_a_floor_and_never_lowers_one() -> None:
    states = {"a": ScopeState(90, 0, 0, 40), "b": ScopeState(5, 0, 0, 0)}
    old, new = NOW_MS - KEEPING.tombstones_ms, NOW_MS - DAY_MS
    ages = [Age("a", 30, old - 9), Age("a", 50, old), Age("a", 70, new), Age("b", 5, new)]
    planned = plan(states, ages, NOW_MS, KEEPING)
    assert planned.floors == {"a": 50}
    assert planned.ages == []


def test_an_age_is_noted_once_a_week_and_only_for_what_has_moved() -> None:
    states = {"moved": ScopeState(9, 0, 0, 0), "still": ScopeState(4, 0, 0, 0)}
    week_ms = NOW_MS - AGE_EVERY_MS
    ages = [Age("moved", 4, week_ms), Age("still", 4, week_ms)]
    assert plan(states, ages, NOW_MS, KEEPING).ages == [Age("moved", 9, NOW_MS)]
    assert plan(states, ages, NOW_MS - 1, KEEPING).ages == []


def test_tombstones_go_after_half_a_year_and_the_floor_is_raised(stand: Stand, ann: Phone) -> None:
    for n in range(3):
        ann.push(ann.edit("create", "plot", name_of(n), set={"grid": 7}))
    ann.push(ann.edit("delete", "plot", name_of(0), base=1))
    move = ann.edit("update", "plot", name_of(1), base=1, set={"grid": 8})
    ann.gate.office.add(move.id)
    ann.push(move)
    compact(stand, NOW_MS)
    assert _ops(stand) == sorted([DEL, OUT, PUT])
    compact(stand, LATER_MS - 2)
    assert (_ops(stand), _state(stand).floor) == (sorted([DEL, OUT, PUT]), 0)
    before = _state(stand)
    assert compact(stand, LATER_MS, steps=[SCOPES]) == 2
    assert _ops(stand) == [PUT]
    assert _state(stand) == before._replace(floor=before.ver)


def test_a_young_tombstone_stays(stand: Stand, ann: Phone) -> None:
    ann.push(ann.edit("create", "plot", name_of(0), set={"grid": 7}))
    compact(stand, NOW_MS)
    ann.push(ann.edit("delete", "plot", name_of(0), base=1), at_ms=LATER_MS - DAY_MS)
    assert compact(stand, LATER_MS, steps=[SCOPES]) == 0
    assert _ops(stand) == [DEL]


def test_a_phone_older_than_the_tombstones_starts_the_scope_anew_and_keeps_its_outbox(
    stand: Stand, worker: Callable[[str], Worker]
) -> None:
    ann, bob = worker("ann"), worker("bob")
    for n in range(6):
        ann.edit("create", "plot", name_of(n), grid=7, name=f"n{n}")
    ann.sync()
    bob.sync()
    bob.edit("update", "plot", name_of(5), owner="bob")
    bob.edit("create", "plot", name_of(6), grid=7, name="bob's")
    ann.edit("delete", "plot", name_of(0))
    ann.sync()
    compact(stand, ann.now_ms)
    later_ms = ann.now_ms + KEEPING.tombstones_ms + 1
    compact(stand, later_ms)
    ann.now_ms = bob.now_ms = later_ms
    request, reply = bob.send(want_bytes=300)
    assert reply["pull"]["reset"] == [GRID]
    assert bob.take(request, reply)
    assert len(bob.phone.rows("plot")) >= 6
    bob.sync(want_bytes=300)
    ann.sync()
    assert name_of(0) not in bob.phone.rows("plot")
    assert ann.phone.rows("plot") == bob.phone.rows("plot")
    assert len(bob.phone.rows("plot")) == 6
    row = ann.phone.row("plot", name_of(5))
    assert row is not None and row.values["owner"] == "bob"


def test_a_phone_that_was_there_in_time_is_not_sent_anything_again(
    stand: Stand, worker: Callable[[str], Worker]
) -> None:
    ann = worker("ann")
    ann.edit("create", "plot", name_of(0), grid=7)
    ann.edit("delete", "plot", name_of(0))
    ann.sync()
    compact(stand, ann.now_ms)
    compact(stand, ann.now_ms + KEEPING.tombstones_ms + 1)
    _, reply = ann.send()
    assert (reply["pull"]["reset"], reply["pull"]["items"]) == ([], [])


def test_a_compaction_that_was_cut_off_goes_on(
    stand: Stand, ann: Phone, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compaction, "TOMBSTONES_PER_PORTION", 3)
    for n in range(8):
        ann.push(ann.edit("create", "plot", name_of(n), set={"grid": 7}))
        ann.push(ann.edit("delete", "plot", name_of(n), base=1))
    compact(stand, NOW_MS)
    assert compact(stand, LATER_MS, portions=1) == 3
    assert _state(stand).floor == 16
    assert compact(stand, LATER_MS, steps=[SCOPES]) == 5
    assert _ops(stand) == []


def test_the_ledger_keeps_of_old_edits_what_exactly_once_needs(stand: Stand, ann: Phone) -> None:
    edits = [ann.edit("create", "plot", name_of(n), set={"grid": 7, "name": "n"}) for n in (1, 2)]
    first = ann.push(edits[0]).results
    ann.push(edits[1], at_ms=NOW_MS + KEEPING.history_ms)
    with stand.open() as store:
        before = store.known([edit.id for edit in edits])
    assert compact(stand, NOW_MS + KEEPING.history_ms + 1, steps=[LEDGER]) == 1
    assert compact(stand, NOW_MS + KEEPING.history_ms + 1, steps=[LEDGER]) == 0
    with stand.open() as store:
        assert store.known([edit.id for edit in edits]) == before
    assert list(map(dict, ann.push(edits[0]).results)) == list(map(dict, first))


def test_a_settled_conflict_goes_after_a_year_from_phones_and_server(
    stand: Stand, worker: Callable[[str], Worker]
) -> None:
    ann, bob = worker("ann"), worker("bob")
    ann.edit("create", "plot", name_of(1), grid=7, name="a")
    ann.sync()
    bob.sync()
    ann.edit("update", "plot", name_of(1), name="mine")
    bob.edit("update", "plot", name_of(1), name="theirs")
    for one in (ann, bob, ann):
        one.sync()
    [conflict] = ann.phone.rows("conflict")
    year_ms = ann.now_ms + KEEPING.conflicts_ms + DAY_MS
    assert compact(stand, year_ms - 2 * DAY_MS, steps=["conflicts"]) == 0
    assert compact(stand, year_ms, steps=["conflicts"]) == 1
    ann.sync()
    assert ann.phone.rows("conflict") == {} and ann.phone.alarms == []
    state = _state(stand)
    shown = [("plot", name_of(1), row.rv) for row in ann.phone.rows("plot").values()]
    assert (as_signed(scope_digest(shown)), state.live) == (as_signed(state.digest), 1)
    with upkeep(stand) as open_:
        assert open_.records([("conflict", conflict)])["conflict", conflict].deleted == "aged"
    compact(stand, year_ms + KEEPING.conflicts_ms + 1, steps=["conflicts"])
    with upkeep(stand) as open_:
        assert open_.records([("conflict", conflict)]) == {}


def test_an_open_conflict_waits_for_ever(stand: Stand, ann: Phone, bob: Phone) -> None:
    ann.push(ann.edit("create", "plot", name_of(1), set={"grid": 7}))
    ann.push(ann.edit("update", "plot", name_of(1), base=1, set={"lon": 1, "lat": 1}))
    apart = bob.edit("update", "plot", name_of(1), base=1, set={"lon": 5, "lat": 5})
    assert bob.push(apart).results[0]["conflicts"]
    assert compact(stand, NOW_MS * 2, steps=["conflicts"]) == 0


def test_pushes_beside_a_compaction_are_counted_right(stand: Stand, ann: Phone) -> None:
    """A record that comes back between the two runs is no tombstone any more."""
    ann.push(ann.edit("create", "plot", name_of(1), set={"grid": 7}))
    move = ann.edit("update", "plot", name_of(1), base=1, set={"grid": 8})
    back = ann.edit("update", "plot", name_of(1), base=2, set={"grid": 7})
    ann.gate.office |= {move.id, back.id}
    ann.push(move)
    compact(stand, NOW_MS)
    ann.push(replace(back, base=2))
    assert compact(stand, LATER_MS, steps=[SCOPES]) == 0
    assert (_ops(stand), _ops(stand, "grid:8")) == ([PUT], [OUT])
    assert ann.pull([GRID]).complete
