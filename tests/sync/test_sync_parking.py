"""Parked edits wait whole, what depends on them waits too, and a repair sets all going."""

from dataclasses import replace

import pytest

from sync.edits import Edit
from sync.errors import Problem
from sync.unsaying import unsay
from sync.upkeep import STRIPPED
from tests.sync.house import Phone, Stand, name_of, upkeep

PLOT, PERSON, OTHER = name_of("plot"), name_of("person"), name_of("other")


def _state(stand: Stand, *edits: Edit) -> list[str]:
    with stand.open() as store:
        found = store.parked_for([], [edit.id for edit in edits])
    return [found[edit.id].state for edit in edits]


def _spoilt(phone: Phone) -> list[Edit]:
    """Return a creation that is parked and what hangs on it, also at one remove."""
    return [
        phone.edit("create", "plot", PLOT, set={"grid": 7, "name": "n" * 41}),
        phone.edit("create", "person", PERSON, set={"grid": 7, "plot": PLOT, "name": "p"}),
        phone.edit("update", "person", PERSON, set={"name": "q"}),
        phone.edit("create", "plot", OTHER, set={"grid": 7}),
    ]


def _statuses(phone: Phone, *edits: Edit) -> list[str]:
    return [one["status"] for one in phone.push(*edits).results]


def test_what_depends_on_a_parked_creation_is_held_and_the_rest_goes_on(ann: Phone) -> None:
    assert _statuses(ann, *_spoilt(ann)) == ["parked", "held", "held", "applied"]


def test_it_is_held_in_later_batches_too(ann: Phone) -> None:
    ann.push(*_spoilt(ann)[:2])
    later = ann.edit("update", "person", PERSON, set={"name": "r"}, id=name_of("later"))
    ann.n, later = 3, later.__class__(**{**later.as_json(), "n": 3})
    assert _statuses(ann, later) == ["held"]


def test_a_repair_applies_the_edit_and_replays_what_waited(
    stand: Stand, ann: Phone, bob: Phone
) -> None:
    edits = _spoilt(ann)
    ann.push(*edits)
    repair = bob.edit("repair", "parked", edits[0].id, set={"name": "short"})
    assert _statuses(bob, repair) == ["applied"]
    assert _state(stand, *edits[:3]) == ["repaired"] * 3
    with stand.open() as store:
        found = store.records([("plot", PLOT), ("person", PERSON)])
    assert found[("plot", PLOT)].values["name"] == "short"
    assert found[("person", PERSON)].values["name"] == "q"
    assert found[("plot", PLOT)].marks["*"].device == ann.device


def test_the_author_learns_of_the_repair_when_he_asks_again(ann: Phone, bob: Phone) -> None:
    edits = _spoilt(ann)
    ann.push(*edits)
    bob.push(bob.edit("repair", "parked", edits[0].id, set={"name": "short"}))
    again = ann.push(*edits).results
    assert [one["status"] for one in again] == ["applied"] * 4
    assert tuple(again[0]["flags"]) == ("repaired",)


def test_the_edit_as_it_was_stays_findable_after_its_repair(
    stand: Stand, ann: Phone, bob: Phone
) -> None:
    edits = _spoilt(ann)
    ann.push(*edits)
    bob.push(bob.edit("repair", "parked", edits[0].id, set={"name": "short"}))
    with stand.open() as store:
        parked = store.parked_for([], [edits[0].id])[edits[0].id]
    assert parked.edit.set["name"] == "n" * 41


def test_a_repair_that_mends_nothing_leaves_the_edit_parked(
    stand: Stand, ann: Phone, bob: Phone
) -> None:
    edits = _spoilt(ann)
    ann.push(*edits)
    repair = bob.edit("repair", "parked", edits[0].id, set={"name": "m" * 41})
    result = bob.push(repair).results[0]
    assert (result["status"], result["code"]) == ("noted", "invalid_fields")
    assert _state(stand, edits[0]) == ["parked"]


def test_a_second_repair_is_noted(ann: Phone, bob: Phone) -> None:
    edits = _spoilt(ann)
    ann.push(*edits)
    for expected in ("applied", "noted"):
        repair = bob.edit("repair", "parked", edits[0].id, set={"name": "short"})
        assert _statuses(bob, repair) == [expected]


def test_a_discarded_creation_hands_what_waited_to_a_human(
    stand: Stand, ann: Phone, bob: Phone
) -> None:
    edits = _spoilt(ann)
    ann.push(*edits)
    assert _statuses(bob, bob.edit("discard", "parked", edits[0].id)) == ["applied"]
    assert _state(stand, *edits[:3]) == ["discarded", "parked", "held"]
    with stand.open() as store:
        found = store.parked_for([], [edit.id for edit in edits])
    assert found[edits[1].id].code == "waits_for_discarded"
    assert found[edits[2].id].waits_for == PERSON


def test_an_edit_that_waits_for_two_is_replayed_after_both(
    stand: Stand, ann: Phone, bob: Phone
) -> None:
    first, second = (
        ann.edit("create", "plot", record, set={"grid": 7, "name": "n" * 41})
        for record in (PLOT, OTHER)
    )
    person = ann.edit("create", "person", PERSON, set={"grid": 7, "plot": PLOT, "name": "p"})
    moved = ann.edit("update", "person", PERSON, set={"plot": OTHER})
    ann.push(first, second, person, moved)
    bob.push(bob.edit("repair", "parked", first.id, set={"name": "a"}))
    assert _state(stand, person, moved) == ["repaired", "held"]
    bob.push(bob.edit("repair", "parked", second.id, set={"name": "b"}))
    assert _state(stand, person, moved) == ["repaired", "repaired"]


def test_a_taken_id_holds_nothing_up(ann: Phone, bob: Phone) -> None:
    ann.push(ann.edit("create", "plot", PLOT, set={"grid": 7}))
    bob.push(bob.edit("create", "plot", PLOT, set={"grid": 7}))
    assert _statuses(ann, ann.edit("update", "plot", PLOT, base=1, set={"name": "b"})) == [
        "applied"
    ]


def test_a_replayed_edit_does_not_undo_what_its_author_did_later(
    stand: Stand, ann: Phone, bob: Phone
) -> None:
    ann.push(ann.edit("create", "plot", PLOT, set={"grid": 7, "owner": "first"}))
    parked = ann.edit("update", "plot", PLOT, base=1, set={"owner": "second", "name": "n" * 41})
    later = ann.edit("update", "plot", PLOT, base=1, set={"owner": "third"})
    ann.push(parked, later)
    bob.push(bob.edit("repair", "parked", parked.id, set={"name": "short"}))
    with stand.open() as store:
        values = store.records([("plot", PLOT)])[("plot", PLOT)].values
    assert (values["owner"], values["name"]) == ("third", "short")


def test_a_refused_edit_is_applied_by_whoever_lets_it_through(
    stand: Stand, ann: Phone, bob: Phone
) -> None:
    edit = ann.edit("create", "plot", PLOT, set={"grid": 7})
    ann.gate.forbidden.add(edit.id)
    result = ann.push(edit).results[0]
    assert (result["status"], result["code"]) == ("parked", "out_of_scope")
    assert _statuses(bob, bob.edit("repair", "parked", edit.id)) == ["applied"]
    assert _state(stand, edit) == ["repaired"]


def test_a_hostile_grid_gives_a_parked_edit_no_scope(stand: Stand, ann: Phone) -> None:
    edit = ann.edit("create", "plot", PLOT, set={"grid": {"x": "y" * 500}})
    ann.push(edit)
    with stand.open() as store:
        assert store.parked_for([], [edit.id])[edit.id].scope is None


def test_a_repair_gives_no_digest_to_an_edit_that_has_lost_its_own(
    stand: Stand, ann: Phone, bob: Phone
) -> None:
    ann.push(ann.edit("create", "plot", PLOT, set={"grid": 7}))
    edit = ann.edit("update", "plot", PLOT, base=1, set={"name": "n" * 41, "owner": "secret"})
    ann.push(edit)
    with upkeep(stand) as opened:
        unsay(opened, {("plot", PLOT): {"owner"}})
    bob.push(bob.edit("repair", "parked", edit.id, set={"name": "short"}))
    [again] = ann.push(edit).results
    assert (again["status"], again["id"]) == ("applied", edit.id)
    with stand.open() as store:
        assert store.records([("plot", PLOT)])["plot", PLOT].values["owner"] is None
        assert store.known([edit.id])[edit.id].digest == STRIPPED


def test_a_repaired_edit_is_still_known_by_its_digest(ann: Phone, bob: Phone) -> None:
    ann.push(ann.edit("create", "plot", PLOT, set={"grid": 7}))
    edit = ann.edit("update", "plot", PLOT, base=1, set={"name": "n" * 41})
    ann.push(edit)
    bob.push(bob.edit("repair", "parked", edit.id, set={"name": "short"}))
    with pytest.raises(Problem, match="edit_id_reused"):
        ann.push(replace(edit, set={"name": "other"}))
