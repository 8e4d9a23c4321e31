"""What follows a record moves with it, in one transaction, and the past is judged as it was."""

import json
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import sqlalchemy as sa

from sync import handover
from sync.digest import as_signed, record_digest, scope_digest
from sync.edits import TRAIL, Draft, Record
from sync.errors import Stale
from sync.push import Push, push
from sync.store import OUT, PUT
from tests.sync.house import ANCHORS, KINDS, NOW_MS, OpenGate, Phone, SqlStand, Stand, name_of

HOME, NEXT_DOOR = name_of("home"), name_of("next door")
PERSON, JOB, SECOND_JOB = name_of("person"), name_of("job"), name_of("second job")
ALL = [("plot", HOME), ("person", PERSON), ("job", JOB), ("job", SECOND_JOB)]


@pytest.fixture
def office(stand: Stand) -> Phone:
    """Return the desk: everything it does counts as the office's."""
    return Phone(stand, "office", user=9, gate=OfficeGate())


class OfficeGate(OpenGate):
    """Takes every edit for the office's."""

    def judge(self, work: Any, values: Mapping[str, Any]) -> Any:
        return super().judge(work, values).__class__(office=True)


def settle(phone: Phone, *, home: str = HOME) -> None:
    """Make a plot with a person, a job for the plot and one for the person."""
    phone.push(
        phone.edit("create", "plot", home, set={"grid": 1, "name": "home"}),
        phone.edit("create", "person", PERSON, set={"grid": 1, "plot": home, "name": "Li"}),
        phone.edit("create", "job", JOB,
                   set={"grid": 1, "plot": home, "state": "assigned", "round": 0}),
        phone.edit("create", "job", SECOND_JOB,
                   set={"grid": 1, "person": PERSON, "state": "assigned", "round": 0}),
    )  # fmt: skip


def records(stand: Stand, keys: Sequence[tuple[str, str]] = ALL) -> Mapping[Any, Record]:
    """Return records by key."""
    with stand.open() as store:
        found: Mapping[Any, Record] = store.records(keys)
        return found


def shown(phone: Phone, scope: str, cursor: str | None = None) -> dict[str, list[str]]:
    """Return the ids that a scope puts and lets go, from a cursor on."""
    items = [json.loads(one) for one in phone.pull([scope], cursor).items]
    return {op: sorted(one["id"] for one in items if one["op"] == op) for op in (PUT, OUT)}


def test_one_edit_moves_all_that_follows(stand: Stand, ann: Phone, office: Phone) -> None:
    settle(ann)
    move = office.edit("update", "plot", HOME, base=1, set={"grid": 2})
    assert office.push(move).results[0]["status"] == "applied"
    found = records(stand)
    assert {one.values["grid"] for one in found.values()} == {2}
    assert {one.rv for one in found.values()} == {2}
    assert {one.mark("grid").edit for one in found.values()} == {move.id}
    ids = sorted(record for _, record in ALL)
    assert shown(ann, "grid:1") == {PUT: [], OUT: ids}
    assert shown(ann, "grid:2") == {PUT: ids, OUT: []}


def test_digests_stay_those_of_the_records(stand: Stand, ann: Phone, office: Phone) -> None:
    settle(ann)
    office.push(office.edit("update", "plot", HOME, base=1, set={"grid": 2}))
    with stand.open() as store:
        states = store.scopes(["grid:1", "grid:2"])
    wanted = scope_digest((kind, record, 2) for kind, record in ALL)
    assert (states["grid:1"].digest, states["grid:1"].live) == (0, 0)
    assert (states["grid:2"].digest, states["grid:2"].live) == (as_signed(wanted), 4)
    assert record_digest("plot", HOME, 2) != 0


def test_moved_back_and_forth_in_one_batch_ends_where_the_last_edit_says(
    stand: Stand, ann: Phone, office: Phone
) -> None:
    settle(ann)
    office.push(
        office.edit("update", "plot", HOME, base=1, set={"grid": 2}),
        office.edit("update", "job", JOB, base=2, set={"grid": 3}),
        office.edit("update", "plot", HOME, base=2, set={"grid": 1}),
        office.edit("update", "job", SECOND_JOB, base=2, set={"grid": 3}),
    )
    grids = {key[1]: one.values["grid"] for key, one in records(stand).items()}
    assert grids == {HOME: 1, PERSON: 1, JOB: 1, SECOND_JOB: 3}


def test_the_same_edits_in_one_batch_or_in_four_lead_to_the_same_records(stand: Stand) -> None:
    ends = []
    for together in (True, False):
        if hasattr(stand, "empty"):
            stand.empty()
        ann, office = Phone(stand, "ann"), Phone(stand, "office", user=9, gate=OfficeGate())
        settle(ann)
        edits = [
            office.edit("update", "plot", HOME, base=1, set={"grid": 2}),
            office.edit("create", "person", NEXT_DOOR, set={"grid": 2, "plot": HOME, "name": "W"}),
            office.edit("update", "job", JOB, base=2, set={"grid": 3}),
            office.edit("update", "plot", HOME, base=2, set={"grid": 4}),
        ]
        for batch in [edits] if together else [[one] for one in edits]:
            office.push(*batch)
        ends.append(records(stand, [*ALL, ("person", NEXT_DOOR)]))
    assert ends[0] == ends[1]


def test_conflicts_and_parked_edits_go_along(
    stand: Stand, ann: Phone, bob: Phone, office: Phone
) -> None:
    settle(ann)
    ann.push(ann.edit("update", "person", PERSON, base=1, set={"name": "Ann"}))
    clash = bob.push(bob.edit("update", "person", PERSON, base=1, set={"name": "Bob"}))
    conflict = ("conflict", clash.results[0]["conflicts"][0])
    bad = bob.edit("update", "job", JOB, base=1, set={"report": "x" * 201})
    assert bob.push(bad).results[0]["status"] == "parked"
    office.push(office.edit("update", "plot", HOME, base=1, set={"grid": 2}))
    assert records(stand, [conflict])[conflict].values["scopes"] == ["grid:2"]
    assert conflict[1] in shown(ann, "grid:1")[OUT]
    assert conflict[1] in shown(ann, "grid:2")[PUT]
    with stand.open() as store:
        assert store.parked_for([JOB], [])[bad.id].scope == "grid:2"


def test_a_parked_edit_still_goes_through_after_the_move(
    stand: Stand, ann: Phone, bob: Phone, office: Phone
) -> None:
    settle(ann)
    bad = bob.edit("update", "job", JOB, base=1, set={"report": "x" * 201})
    bob.push(bad)
    office.push(office.edit("update", "plot", HOME, base=1, set={"grid": 2}))
    repair = office.edit("repair", "parked", bad.id, set={"report": "short"})
    assert office.push(repair).results[0]["status"] == "applied"
    job = records(stand)["job", JOB]
    assert (job.values["report"], job.values["grid"]) == ("short", 2)


def test_a_proposal_that_is_taken_up_moves_all_that_follows(
    stand: Stand, ann: Phone, office: Phone
) -> None:
    settle(ann)
    reply = ann.push(ann.edit("update", "plot", HOME, base=1, set={"grid": 3}))
    assert {one.values["grid"] for one in records(stand).values()} == {1}
    proposal = reply.results[0]["conflicts"][0]
    office.push(office.edit("resolve", "conflict", proposal, set={"choice": "swap"}))
    assert {one.values["grid"] for one in records(stand).values()} == {3}
    conflict = records(stand, [("conflict", proposal)])["conflict", proposal]
    assert conflict.values["scopes"] == ["grid:3"]
    assert conflict.values["state"] == "resolved"


def test_what_a_worker_had_deleted_comes_back_where_the_rest_is(
    stand: Stand, ann: Phone, bob: Phone, office: Phone
) -> None:
    settle(ann)
    ann.push(ann.edit("delete", "person", PERSON, base=1))
    office.push(office.edit("update", "plot", HOME, base=1, set={"grid": 2}))
    bob.push(bob.edit("update", "person", PERSON, base=1, set={"name": "there after all"}))
    person = records(stand)["person", PERSON]
    assert (person.deleted, person.values["grid"]) == (None, 2)
    assert PERSON in shown(ann, "grid:2")[PUT]


@pytest.mark.parametrize("lasting", ["memory", "sqlite"], indirect=True)
def test_a_follower_made_meanwhile_is_not_left_behind(
    stand: Stand, ann: Phone, bob: Phone, office: Phone
) -> None:
    settle(ann)
    late = bob.edit("create", "person", NEXT_DOOR, set={"grid": 1, "plot": HOME, "name": "Wu"})
    move = office.edit("update", "plot", HOME, base=1, set={"grid": 2})
    with stand.open() as store:
        meanwhile = _Meanwhile(store, lambda: _push_in(store, bob, [late]))
        with pytest.raises(Stale):
            _push_in(meanwhile, office, [move])


@pytest.mark.parametrize("lasting", ["memory", "sqlite"], indirect=True)
def test_a_record_is_not_made_to_follow_what_has_moved_meanwhile(
    stand: Stand, ann: Phone, bob: Phone, office: Phone
) -> None:
    settle(ann)
    late = bob.edit("create", "person", NEXT_DOOR, set={"grid": 1, "plot": HOME, "name": "Wu"})
    move = office.edit("update", "plot", HOME, base=1, set={"grid": 2})
    with stand.open() as store:
        meanwhile = _Meanwhile(store, lambda: _push_in(store, office, [move]))
        with pytest.raises(Stale):
            _push_in(meanwhile, bob, [late])


class _Meanwhile:
    """A store before whose write somebody else comes in between."""

    def __init__(self, store: Any, first: Any) -> None:
        self._store, self._first = store, first

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def write(self, batch: Any) -> None:
        self._first()
        self._store.write(batch)


def _push_in(store: Any, phone: Phone, edits: list[Any]) -> None:
    context = Push(phone.device, phone.user, NOW_MS, ANCHORS, phone.gate, KINDS)
    push(store, [Draft(one) for one in edits], context)


class CopyingGate(OpenGate):
    """Gives a new record the grid of what it follows, as the features do."""

    def derive(self, work: Any, values: Mapping[str, Any]) -> Mapping[str, Any]:
        plot = work.referred.get("plot")
        return {**values, "grid": plot.values["grid"]} if plot else values


@pytest.mark.parametrize("lasting", ["postgresql"], indirect=True)
@pytest.mark.parametrize("first", ["move", "follower"])
def test_where_rows_are_locked_mover_and_follower_wait_for_each_other(
    stand: Stand, ann: Phone, bob: Phone, office: Phone, first: str
) -> None:
    settle(ann)
    bob.gate = CopyingGate()
    late = bob.edit("create", "person", NEXT_DOOR, set={"grid": 1, "plot": HOME, "name": "Wu"})
    move = office.edit("update", "plot", HOME, base=1, set={"grid": 2})
    turns = [(office, move), (bob, late)]
    (one, its), (other, others) = turns if first == "move" else reversed(turns)
    with ThreadPoolExecutor(1) as pool:
        with stand.open() as store:
            _push_in(store, one, [its])
            second = pool.submit(other.push, others)
            with pytest.raises(TimeoutError):
                second.result(timeout=0.3)
        second.result(timeout=20)
    found = records(stand, [*ALL, ("person", NEXT_DOOR)])
    assert {one.values["grid"] for one in found.values()} == {2}


def test_the_trail_tells_where_a_record_lay(stand: Stand, ann: Phone, office: Phone) -> None:
    settle(ann)
    for step, grid in enumerate((2, 3, 1, 4)):
        move = office.edit("update", "plot", HOME, base=step + 1, set={"grid": grid})
        office.push(move, at_ms=NOW_MS + 1000 * (step + 1))
    plot = records(stand)["plot", HOME]

    def at(ms: int, base: int = 0) -> tuple[str, ...] | None:
        return handover.former_scopes(plot, at_ms=NOW_MS + ms, base=base)

    assert [at(ms) for ms in (0, 1500, 2500, 3500, 4500)] == [
        ("grid:1",), ("grid:2",), ("grid:3",), ("grid:1",), None,
    ]  # fmt: skip
    assert at(0, base=3) == ("grid:3",)
    assert at(0, base=5) is None


def test_the_trail_does_not_grow_for_ever(stand: Stand, ann: Phone, office: Phone) -> None:
    settle(ann)
    for step in range(30):
        office.push(office.edit("update", "plot", HOME, base=99, set={"grid": 1 + (step + 1) % 9}))
    marks = records(stand)["plot", HOME].marks
    assert len([unit for unit in marks if unit.startswith(TRAIL)]) == handover.TRAIL_MAX


@pytest.mark.parametrize("lasting", ["sqlite", "postgresql"], indirect=True)
def test_a_hundred_moves_take_as_many_statements_as_one(
    stand: Stand, ann: Phone, office: Phone
) -> None:
    assert isinstance(stand, SqlStand)
    homes = [name_of(f"home {one}") for one in range(101)]
    ann.push(*[ann.edit("create", "plot", one, set={"grid": 1}) for one in homes[:100]])
    ann.push(ann.edit("create", "plot", homes[100], set={"grid": 1}))
    people = [ann.edit("create", "person", name_of(f"in {one}"),
                       set={"grid": 1, "plot": one, "name": "Li"}) for one in homes]  # fmt: skip
    ann.push(*people[:100])
    ann.push(people[100])
    counts = []
    for some in (homes[:1], homes[1:]):
        moves = [office.edit("update", "plot", one, base=1, set={"grid": 2}) for one in some]
        said: list[str] = []
        sa.event.listen(stand.engine, "before_cursor_execute", lambda *told: said.append(told[2]))  # noqa: B023
        office.push(*moves)
        counts.append(len(said))
    assert counts[1] - counts[0] == counts[0] <= 32
