"""Conflicts keep both values and both authors, and a choice can be made, once."""

from typing import Any

from sync.conflicts import CONFLICT
from tests.sync.house import NOW_MS, Phone, Stand, name_of

PLOT = name_of(1)


def _begun(ann: Phone, **values: Any) -> None:
    ann.push(ann.edit("create", "plot", PLOT, set={"grid": 7, "owner": "zero", **values}))


def _both(ann: Phone, bob: Phone, mine: dict[str, Any], theirs: dict[str, Any]) -> dict[str, Any]:
    """Let two phones write from the same version; return the second one's receipt."""
    ann.push(ann.edit("update", "plot", PLOT, base=1, set=mine), at_ms=NOW_MS + 1000)
    edit = bob.edit("update", "plot", PLOT, base=1, set=theirs)
    return dict(bob.push(edit, at_ms=NOW_MS + 5000).results[0])


def _conflict(stand: Stand, receipt: dict[str, Any]) -> Any:
    with stand.open() as store:
        return store.records([(CONFLICT.name, name) for name in receipt["conflicts"]])[
            (CONFLICT.name, receipt["conflicts"][0])
        ]


def _values(stand: Stand) -> Any:
    with stand.open() as store:
        return store.records([("plot", PLOT)])[("plot", PLOT)].values


def test_the_loser_of_an_observation_is_kept_as_a_settled_conflict(
    stand: Stand, ann: Phone, bob: Phone
) -> None:
    _begun(ann)
    receipt = _both(ann, bob, {"owner": "early"}, {"owner": "late"})
    conflict = _conflict(stand, receipt)
    assert receipt["status"] == "conflict"
    assert conflict.values["state"] == "settled"
    assert conflict.values["won"]["values"] == {"owner": "late"}
    assert conflict.values["lost"]["values"] == {"owner": "early"}
    assert conflict.values["lost"]["device"] == ann.device
    assert any("conflict" in item for item in ann.pull(["grid:7"]).items)


def test_agreement_is_no_conflict(ann: Phone, bob: Phone) -> None:
    _begun(ann)
    assert _both(ann, bob, {"owner": "same"}, {"owner": "same"})["status"] == "merged"


def test_different_fields_merge_silently(stand: Stand, ann: Phone, bob: Phone) -> None:
    _begun(ann)
    assert _both(ann, bob, {"owner": "o"}, {"name": "n"})["status"] == "merged"
    assert (_values(stand)["owner"], _values(stand)["name"]) == ("o", "n")


def test_positions_apart_stay_open_and_near_ones_are_settled(
    stand: Stand, ann: Phone, bob: Phone
) -> None:
    _begun(ann)
    far = _both(ann, bob, {"lon": 1, "lat": 1}, {"lon": 2, "lat": 2})
    assert _conflict(stand, far).values["state"] == "open"
    ann.push(ann.edit("create", "plot", name_of(2), set={"grid": 7}))
    ann.push(ann.edit("update", "plot", name_of(2), base=1, set={"lon": 1, "lat": 1}))
    near = bob.edit("update", "plot", name_of(2), base=1, set={"lon": 1.0001, "lat": 1})
    assert _conflict(stand, dict(bob.push(near).results[0])).values["state"] == "settled"


def test_a_swap_writes_the_other_value_and_a_second_choice_is_noted(
    stand: Stand, ann: Phone, bob: Phone
) -> None:
    _begun(ann)
    receipt = _both(ann, bob, {"owner": "early"}, {"owner": "late"})
    conflict = receipt["conflicts"][0]
    swap = ann.edit("resolve", "conflict", conflict, base=1, set={"choice": "swap"})
    assert ann.push(swap, at_ms=NOW_MS + 9000).results[0]["status"] == "applied"
    assert _values(stand)["owner"] == "early"
    assert _conflict(stand, receipt).values["state"] == "resolved"
    again = bob.edit("resolve", "conflict", conflict, base=1, set={"choice": "keep"})
    result = bob.push(again, at_ms=NOW_MS + 9500).results[0]
    assert (result["status"], result["code"]) == ("noted", "already_resolved")


def test_keeping_changes_nothing_in_the_record(stand: Stand, ann: Phone, bob: Phone) -> None:
    _begun(ann)
    receipt = _both(ann, bob, {"owner": "early"}, {"owner": "late"})
    keep = ann.edit("resolve", "conflict", receipt["conflicts"][0], set={"choice": "keep"})
    ann.push(keep)
    assert _values(stand)["owner"] == "late"


def test_an_unknown_choice_is_noted(ann: Phone, bob: Phone) -> None:
    _begun(ann)
    receipt = _both(ann, bob, {"owner": "early"}, {"owner": "late"})
    choices: list[Any] = ["burn", None, ["keep"], {}]
    for choice in choices:
        edit = ann.edit("resolve", "conflict", receipt["conflicts"][0], set={"choice": choice})
        assert ann.push(edit).results[0]["code"] == "invalid_fields"


def test_a_worker_only_proposes_what_the_office_owns(stand: Stand, ann: Phone, bob: Phone) -> None:
    _begun(ann)
    result = dict(bob.push(bob.edit("update", "plot", PLOT, base=1, set={"grid": 8})).results[0])
    assert result["status"] == "noted"
    assert _values(stand)["grid"] == 7
    assert _conflict(stand, result).values["rule"] == "proposal"
    mine = bob.edit("resolve", "conflict", result["conflicts"][0], set={"choice": "swap"})
    assert bob.push(mine).results[0]["code"] == "not_allowed"
    office = ann.edit("resolve", "conflict", result["conflicts"][0], set={"choice": "swap"})
    ann.gate.office.add(office.id)
    assert ann.push(office).results[0]["status"] == "applied"
    assert _values(stand)["grid"] == 8


def test_a_workers_deletion_yields_to_an_edit_it_has_not_seen(
    stand: Stand, ann: Phone, bob: Phone
) -> None:
    _begun(ann)
    ann.push(ann.edit("update", "plot", PLOT, base=1, set={"owner": "mine"}))
    result = dict(bob.push(bob.edit("delete", "plot", PLOT, base=1)).results[0])
    assert result["status"] == "noted"
    assert _values(stand)["owner"] == "mine"
    swap = bob.edit("resolve", "conflict", result["conflicts"][0], set={"choice": "swap"})
    bob.push(swap)
    with stand.open() as store:
        assert store.records([("plot", PLOT)])[("plot", PLOT)].deleted == "worker"


def test_it_yields_even_when_its_author_has_overwritten_that_edit(
    stand: Stand, ann: Phone, bob: Phone
) -> None:
    _begun(ann)
    _both(ann, bob, {"owner": "unseen"}, {"owner": "over it"})
    gone = bob.edit("delete", "plot", PLOT, base=1)
    assert bob.push(gone, at_ms=NOW_MS + 9000).results[0]["status"] == "noted"


def test_an_edit_brings_back_what_a_worker_deleted_unseen(
    stand: Stand, ann: Phone, bob: Phone
) -> None:
    _begun(ann)
    bob.push(bob.edit("delete", "plot", PLOT, base=1))
    edit = ann.edit("update", "plot", PLOT, base=1, set={"owner": "still here"})
    assert ann.push(edit).results[0]["status"] == "conflict"
    assert '"op":"put"' in bob.pull(["grid:7"]).items[0]


def test_the_offices_deletion_stands_and_all_late_edits_can_be_restored_at_once(
    stand: Stand, ann: Phone, bob: Phone
) -> None:
    _begun(ann)
    gone = bob.edit("delete", "plot", PLOT, base=1)
    bob.gate.office.add(gone.id)
    bob.push(gone)
    first = ann.edit("update", "plot", PLOT, base=1, set={"owner": "late"})
    second = ann.edit("update", "plot", PLOT, base=1, set={"name": "later"})
    results = ann.push(first, second).results
    assert [one["status"] for one in results] == ["noted", "noted"]
    conflict = results[0]["conflicts"][0]
    mine = ann.edit("resolve", "conflict", conflict, set={"choice": "swap"})
    assert ann.push(mine).results[0]["code"] == "not_allowed"
    office = bob.edit("resolve", "conflict", conflict, set={"choice": "swap"})
    bob.gate.office.add(office.id)
    bob.push(office)
    values = _values(stand)
    assert (values["owner"], values["name"]) == ("late", "later")


def test_done_beats_cancelled_and_a_human_looks(stand: Stand, ann: Phone, bob: Phone) -> None:
    job = name_of("job")
    first = {"grid": 7, "state": "assigned", "round": 0}
    ann.push(ann.edit("create", "job", job, set=first))
    cancel = bob.edit("update", "job", job, base=1, set={"state": "cancelled", "round": 0})
    bob.push(cancel)
    steps = [ann.edit("update", "job", job, base=1, set={"state": state, "round": 0})
             for state in ("started", "done")]  # fmt: skip
    results = ann.push(*steps).results
    assert [one["status"] for one in results] == ["conflict", "conflict"]
    with stand.open() as store:
        assert store.records([("job", job)])[("job", job)].values["state"] == "done"
    assert _conflict(stand, dict(results[1])).values["state"] == "open"
