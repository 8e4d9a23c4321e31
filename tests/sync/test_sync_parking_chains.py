"""Chains of held edits: several deep, across devices, and never out of order."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from sync import closing, parking, push, release
from sync.edits import Edit, Parked
from sync.errors import Refusal
from sync.gate import Verdict, Work
from sync.kinds import Field, Kind, Kinds, Rule
from sync.values import Identity, Text, Whole
from tests.sync.house import KINDS, NOW_MS, OpenGate, Phone, Stand, name_of

PLOT, PERSON, NOTE = name_of("plot"), name_of("person"), name_of("note")
JOB = Kind(
    name="job",
    fields=(
        Field("grid", Whole(1, 1000), Rule.OFFICE, required=True),
        Field("person", Identity(), refers="person"),
        Field("report", Text(20)),
    ),
    scopes=lambda values: (f"grid:{values['grid']}",) if values.get("grid") is not None else (),
)
CHAIN = Kinds((*KINDS.kinds[:2], JOB))


class Rights(OpenGate):
    """Remembers as whose each edit was judged, and forbids some users everything."""

    def __init__(self, *strangers: int) -> None:
        super().__init__()
        self.strangers = set(strangers)
        self.judged: list[tuple[str, int | None]] = []

    def judge(self, work: Work, values: Any) -> Verdict:
        self.judged.append((work.edit.id, work.author))
        if work.author in self.strangers:
            raise Refusal("not_allowed")
        return super().judge(work, values)


@pytest.fixture
def ann(stand: Stand) -> Phone:
    """Return a first phone of the house of chains."""
    return Phone(stand, "ann", user=1, kinds=CHAIN)


@pytest.fixture
def ann2(stand: Stand) -> Phone:
    """Return a second phone of the same worker."""
    return Phone(stand, "ann two", user=1, kinds=CHAIN)


@pytest.fixture
def bob(stand: Stand) -> Phone:
    """Return the phone of somebody who lets things through."""
    return Phone(stand, "bob", user=2, kinds=CHAIN)


def _chain(one: Phone, other: Phone) -> list[Edit]:
    """Return a bad creation, and what hangs on it, three deep and on two phones."""
    edits = [
        one.edit("create", "plot", PLOT, set={"grid": 7, "name": "n" * 41}),
        one.edit("create", "person", PERSON, set={"grid": 7, "plot": PLOT, "name": "p"}),
        one.edit("create", "job", NOTE, set={"grid": 7, "person": PERSON}),
    ]
    one.push(*edits)
    late = [
        other.edit("update", "job", NOTE, set={"report": "first"}),
        other.edit("update", "person", PERSON, set={"name": "q"}),
        other.edit("update", "job", NOTE, set={"report": "second"}),
    ]
    assert [r["status"] for r in other.push(*late, at_ms=NOW_MS + 9).results] == ["held"] * 3
    return [*edits, *late]


def _found(stand: Stand, *edits: Edit) -> dict[str, Parked]:
    with stand.open() as store:
        return dict(store.parked_for([], [edit.id for edit in edits]))


def _states(stand: Stand, *edits: Edit) -> list[str]:
    found = _found(stand, *edits)
    return [found[edit.id].state for edit in edits]


def _value(stand: Stand, kind: str, rec: str, name: str) -> Any:
    with stand.open() as store:
        return store.records([(kind, rec)])[(kind, rec)].values[name]


def _release(phone: Phone, op: str, edit: Edit, **values: Any) -> dict[str, Any]:
    return dict(phone.push(phone.edit(op, "parked", edit.id, set=values)).results[0])


def test_a_repair_sets_a_chain_going_to_its_end(
    stand: Stand, ann: Phone, ann2: Phone, bob: Phone
) -> None:
    edits = _chain(ann, ann2)
    assert _release(bob, "repair", edits[0], name="short")["status"] == "applied"
    assert _states(stand, *edits) == ["repaired"] * 6
    assert _value(stand, "job", NOTE, "report") == "second"
    assert _value(stand, "person", PERSON, "name") == "q"


def test_a_repair_that_fails_keeps_everything(
    stand: Stand, ann: Phone, ann2: Phone, bob: Phone
) -> None:
    edits = _chain(ann, ann2)
    before = _found(stand, *edits)
    receipt = _release(bob, "repair", edits[0], name="m" * 41)
    assert (receipt["status"], receipt["code"]) == ("noted", "invalid_fields")
    assert _found(stand, *edits) == before


def test_a_link_that_fails_keeps_what_hangs_on_it_and_lets_go_when_it_is_mended(
    stand: Stand, ann: Phone, bob: Phone
) -> None:
    edits = [
        ann.edit("create", "plot", PLOT, set={"grid": 7, "name": "n" * 41}),
        ann.edit("create", "person", PERSON, set={"grid": 7, "plot": PLOT, "name": "x" * 41}),
        ann.edit("create", "job", NOTE, set={"grid": 7, "person": PERSON}),
        ann.edit("update", "plot", PLOT, set={"owner": "Li"}),
    ]
    ann.push(*edits)
    _release(bob, "repair", edits[0], name="a")
    assert _states(stand, *edits) == ["repaired", "parked", "held", "repaired"]
    assert _found(stand, edits[2])[edits[2].id].waits_for == PERSON
    _release(bob, "repair", edits[1], name="b")
    assert _states(stand, *edits) == ["repaired"] * 4


def test_a_discarded_root_hands_the_next_to_a_human_and_the_rest_waits_for_that(
    stand: Stand, ann: Phone, ann2: Phone, bob: Phone
) -> None:
    edits = _chain(ann, ann2)
    _release(bob, "discard", edits[0])
    assert _states(stand, *edits) == ["discarded", "parked", "held", "held", "held", "held"]
    found = _found(stand, *edits)
    assert found[edits[1].id].code == parking.GONE
    assert {found[edit.id].waits_for for edit in edits[2:]} == {PERSON}
    other = name_of("other plot")
    bob.push(bob.edit("create", "plot", other, set={"grid": 7}))
    _release(bob, "repair", edits[1], plot=other)
    assert _states(stand, *edits[1:]) == ["repaired"] * 5
    assert _value(stand, "job", NOTE, "report") == "second"


def test_a_held_edit_pointed_elsewhere_takes_its_own_followers_along(
    stand: Stand, ann: Phone, ann2: Phone, bob: Phone
) -> None:
    edits = _chain(ann, ann2)
    other = name_of("other plot")
    bob.push(bob.edit("create", "plot", other, set={"grid": 7}))
    _release(bob, "repair", edits[1], plot=other)
    assert _states(stand, *edits) == ["parked", *["repaired"] * 5]


def test_what_had_been_held_is_judged_as_its_authors(
    stand: Stand, ann: Phone, ann2: Phone, bob: Phone
) -> None:
    edits = _chain(ann, ann2)
    bob.gate = Rights()
    _release(bob, "repair", edits[0], name="short")
    judged = dict(bob.gate.judged)
    assert {judged[edit.id] for edit in edits[1:]} == {ann.user}
    assert edits[0].id not in judged


def test_a_release_gives_nobody_rights_that_he_never_had(
    stand: Stand, ann: Phone, ann2: Phone, bob: Phone
) -> None:
    edits = _chain(ann, ann2)
    bob.gate = Rights(ann.user)
    _release(bob, "repair", edits[0], name="short")
    assert _states(stand, *edits[:2]) == ["repaired", "parked"]
    assert _found(stand, edits[1])[edits[1].id].code == "not_allowed"


def test_who_repairs_his_own_edit_is_judged_as_if_he_had_sent_it_so(
    stand: Stand, ann: Phone
) -> None:
    edit = ann.edit("create", "plot", PLOT, set={"grid": 7, "name": "n" * 41})
    ann.push(edit)
    ann.gate = Rights(ann.user)
    receipt = _release(ann, "repair", edit, name="short")
    assert (receipt["status"], receipt["code"]) == ("noted", "not_allowed")
    ann.gate = Rights()
    assert _release(ann, "repair", edit, name="short")["status"] == "applied"


def test_an_edit_held_meanwhile_is_not_forgotten_by_a_discard(
    stand: Stand, ann: Phone, bob: Phone
) -> None:
    first = ann.edit("create", "plot", PLOT, set={"grid": 7, "name": "n" * 41})
    second = ann.edit("create", "person", PERSON, set={"grid": 7, "plot": PLOT, "name": "p"})
    ann.push(first, second)
    _release(bob, "discard", first)
    third = ann.edit("update", "person", PERSON, set={"name": "late"})
    assert ann.push(third).results[0]["status"] == "held"
    assert _found(stand, third)[third.id].waits_for == PERSON


# -- parked edits are seen like records ---------------------------------------------------------


def _shown(phone: Phone, scope: str) -> dict[str, tuple[str, Any]]:
    page = phone.pull([scope])
    assert page.complete
    items = [json.loads(one) for one in page.items]
    return {one["id"]: (one["op"], one.get("f")) for one in items if one["t"] == "parked"}


def test_a_parked_edit_is_pulled_by_its_author_and_by_the_people_there(
    ann: Phone, bob: Phone
) -> None:
    edit = ann.edit("create", "plot", PLOT, set={"grid": 7, "name": "n" * 41})
    ann.push(edit)
    for phone, scope in ((ann, "me:1"), (bob, "grid:7")):
        op, values = _shown(phone, scope)[edit.id]
        assert (op, values["state"], values["code"]) == ("put", "parked", "invalid_fields")
        assert values["errors"][0]["field"] == "name"
        assert values["edit"]["set"] == dict(edit.set)
        assert values["expires_ms"] == values["parked_ms"] + parking.KEPT_MS
    assert _shown(bob, "grid:8") == {}


def test_its_fate_is_pulled_too(ann: Phone, bob: Phone) -> None:
    edit = ann.edit("create", "plot", PLOT, set={"grid": 7, "name": "n" * 41})
    ann.push(edit)
    _release(bob, "repair", edit, name="a")
    assert _shown(ann, "me:1")[edit.id][1]["state"] == "repaired"


def test_a_parked_edit_follows_its_record_into_other_hands(ann: Phone, bob: Phone) -> None:
    ann.push(ann.edit("create", "plot", PLOT, set={"grid": 7}))
    edit = ann.edit("update", "plot", PLOT, base=1, set={"name": "n" * 41})
    ann.push(edit)
    move = bob.edit("update", "plot", PLOT, base=1, set={"grid": 8})
    bob.gate.office.add(move.id)
    bob.push(move)
    assert _shown(bob, "grid:8")[edit.id][0] == "put"
    assert _shown(bob, "grid:7")[edit.id][0] == "out"


def test_an_edit_of_no_place_is_its_authors_alone(ann: Phone) -> None:
    edit = ann.edit("create", "castle", PLOT, set={"towers": 4})
    ann.push(edit)
    assert _shown(ann, "me:1")[edit.id][1]["scope"] is None


# -- they do not wait for ever ------------------------------------------------------------------


def _expire(stand: Stand, before_ms: int, limit: int = 100) -> int:
    with stand.open() as store:
        return parking.expire(store, before_ms, limit)


def test_what_nobody_has_looked_at_for_long_goes_with_a_note(stand: Stand, ann: Phone) -> None:
    edit = ann.edit("create", "plot", PLOT, set={"grid": 7, "name": "n" * 41})
    ann.push(edit)
    assert _expire(stand, NOW_MS) == 0
    assert _expire(stand, NOW_MS + 1) == 1
    assert _found(stand, edit) == {}
    assert _shown(ann, "me:1") == {edit.id: ("del", None)}
    [again] = ann.push(edit).results
    assert (again["status"], again["code"]) == ("noted", "parking_expired")


def test_what_waited_for_it_and_is_younger_is_handed_to_a_human(
    stand: Stand, ann: Phone, bob: Phone
) -> None:
    first = ann.edit("create", "plot", PLOT, set={"grid": 7, "name": "n" * 41})
    ann.push(first)
    second = ann.edit("create", "person", PERSON, set={"grid": 7, "plot": PLOT, "name": "p"})
    ann.push(second, at_ms=NOW_MS + 1000)
    assert _expire(stand, NOW_MS + 1) == 1
    [left] = _found(stand, second).values()
    assert (left.state, left.code, left.waits_for) == ("parked", parking.GONE, PERSON)
    assert _shown(ann, "me:1")[second.id][1]["state"] == "parked"


def test_it_goes_in_parts(stand: Stand, ann: Phone) -> None:
    ann.push(*(ann.edit("create", "castle", name_of(n)) for n in range(5)))
    assert [_expire(stand, NOW_MS + 1, 2) for _ in range(4)] == [2, 2, 1, 0]


def test_the_digest_of_the_scope_is_right_afterwards(stand: Stand, ann: Phone, ann2: Phone) -> None:
    _chain(ann, ann2)
    _expire(stand, NOW_MS + 1)
    with stand.open() as store:
        states = store.scopes(["grid:7", "me:1"])
    _expire(stand, NOW_MS + 10)
    with stand.open() as store:
        states = store.scopes(["grid:7", "me:1"])
    assert {(one.digest, one.live) for one in states.values()} == {(0, 0)}


# -- the mistakes that these tests would find -----------------------------------------------------


@contextmanager
def _instead(owner: Any, name: str, other: Any) -> Iterator[None]:
    right = getattr(owner, name)
    setattr(owner, name, other)
    try:
        yield
    finally:
        setattr(owner, name, right)


def _backwards(right: Any) -> Any:
    return lambda records, parked: list(reversed(right(records, parked)))


def _unjudged(self: Any, held: Parked) -> None:
    kind = self.run.reading.kind(held.edit)
    work, values = self._checked(held, held.edit)
    assert kind
    self._apply(held, work, values, Verdict())


BUGS = {
    "held_replayed_out_of_order": (
        parking, "followers", _backwards(parking.followers),
        test_a_repair_sets_a_chain_going_to_its_end),
    "the_waiting_are_forgotten_at_a_discard": (
        release.Release, "_hand_over", lambda self, root: None,
        test_a_discarded_root_hands_the_next_to_a_human_and_the_rest_waits_for_that),
    "a_release_is_judged_by_nobody": (
        release.Release, "_replay_held", _unjudged,
        test_a_release_gives_nobody_rights_that_he_never_had),
    "parked_for_the_office_only": (
        push.Run, "scope_of", lambda self, edit: None,
        test_a_parked_edit_is_pulled_by_its_author_and_by_the_people_there),
    "parked_where_the_record_was": (
        closing.Closing, "follow_records", lambda self: None,
        test_a_parked_edit_follows_its_record_into_other_hands),
}  # fmt: skip


@pytest.mark.parametrize("bug", sorted(BUGS))
def test_every_planted_bug_of_parking_is_caught(
    bug: str, stand: Stand, ann: Phone, ann2: Phone, bob: Phone
) -> None:
    owner, name, wrong, test = BUGS[bug]
    given = {"stand": stand, "ann": ann, "ann2": ann2, "bob": bob}
    names = test.__code__.co_varnames[: test.__code__.co_argcount]
    with _instead(owner, name, wrong), pytest.raises((AssertionError, KeyError)):
        test(**{one: given[one] for one in names})
