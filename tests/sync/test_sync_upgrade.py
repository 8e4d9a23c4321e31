"""Every schema that was ever released may push for ever, and ends in the records of today."""

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync import merge, push
from sync.edits import Edit
from sync.errors import Problem, Refusal
from sync.kinds import EXTRA_FIELDS_MAX, Kinds
from sync.upgrade import Step, corrected, upgraded
from sync.wire import read_drafts
from tests.sync import golden
from tests.sync.house import KINDS, PLOT, Phone, Stand, name_of
from tests.sync.parcel import PARCEL, WITH_PARCELS

SCHEMAS = range(1, PARCEL.schema + 1)
REC = name_of("parcel")
VALUES = st.dictionaries(
    st.sampled_from(["label", "title", "to", "receiver", "weight_kg", "weight_g", "grid", "note"]),
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False)
    | st.text(max_size=9) | st.lists(st.integers(), max_size=2),
)  # fmt: skip


@pytest.fixture
def old(stand: Stand) -> Phone:
    """Return a phone of a house that knows parcels."""
    return Phone(stand, "old", kinds=WITH_PARCELS)


@pytest.fixture
def bob(stand: Stand) -> Phone:
    """Return another phone of that house."""
    return Phone(stand, "bob", user=2, kinds=WITH_PARCELS)


def _values(stand: Stand, rec: str, kind: str = "parcel") -> Mapping[str, Any]:
    with stand.open() as store:
        return store.records([(kind, rec)])[(kind, rec)].values


def _send(phone: Phone, *shapes: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return phone.push_drafts(read_drafts(json.loads(json.dumps(shapes)))).results


def _shape(n: int, op: str, *, schema: int, **values: Any) -> dict[str, Any]:
    return {"n": n, "id": name_of(f"shape/{n}"), "op": op, "kind": "parcel", "rec": REC,
            "base": n - 1, "schema": schema, "set": values}  # fmt: skip


@pytest.mark.parametrize("schema", SCHEMAS)
def test_the_pushes_of_each_schema_lead_to_the_records_of_today(
    stand: Stand, old: Phone, schema: int
) -> None:
    told = golden.golden("parcel", schema)
    edits = [edit for push in told["pushes"] for edit in push["edits"]]
    assert {edit["schema"] for edit in edits} == {schema}
    assert [one["status"] for one in _send(old, *edits)] == told["statuses"]
    for rec, expected in told["records"]["parcel"].items():
        assert _values(stand, rec) == expected


@pytest.mark.parametrize("schema", SCHEMAS)
def test_pushes_of_each_schema_sent_again_change_nothing(
    stand: Stand, old: Phone, schema: int
) -> None:
    told = golden.golden("parcel", schema)
    edits = [edit for push in told["pushes"] for edit in push["edits"]]
    first = _send(old, *edits)
    before = {rec: _values(stand, rec) for rec in told["records"]["parcel"]}
    assert json.dumps(_send(old, *edits)) == json.dumps(first)
    assert {rec: _values(stand, rec) for rec in told["records"]["parcel"]} == before


def test_no_golden_file_was_edited() -> None:
    assert golden.SUMS.read_text(encoding="utf-8") == golden.sums(), (
        "a golden file stands for phones that nobody can change: add one, never edit one"
    )


def test_phones_of_all_ages_edit_one_record(stand: Stand, old: Phone, bob: Phone) -> None:
    _send(old, _shape(1, "create", schema=1, grid=7, label="books", weight_kg=1))
    _send(bob, {**_shape(1, "update", schema=3, weight_g=1200), "id": name_of("bob/1"), "base": 1})
    _send(old, _shape(2, "update", schema=2, title="old books"))
    values = _values(stand, REC)
    assert (values["title"], values["weight_g"]) == ("old books", 1200)
    assert not {"label", "to", "weight_kg"} & values.keys()


def test_a_parked_edit_of_an_old_schema_is_kept_as_it_was_sent(stand: Stand, old: Phone) -> None:
    shape = _shape(1, "create", schema=1, grid=7, label="x" * 21)
    [receipt] = _send(old, shape)
    assert receipt["status"] == "parked"
    assert [error["field"] for error in receipt["errors"]] == ["title"]
    with stand.open() as store:
        parked = store.parked_for([], [shape["id"]])[shape["id"]]
    assert (parked.edit.set, parked.edit.schema) == ({"grid": 7, "label": "x" * 21}, 1)


@pytest.mark.parametrize(
    ("schema", "correction"), [(1, {"label": "short"}), (3, {"title": "short"})]
)
def test_a_repair_may_come_from_an_app_of_another_age(
    stand: Stand, old: Phone, bob: Phone, schema: int, correction: dict[str, str]
) -> None:
    shape = _shape(1, "create", schema=1, grid=7, label="x" * 21, weight_kg=2)
    _send(old, shape)
    repair = bob.edit("repair", "parked", shape["id"], set=correction, schema=schema)
    assert [one["status"] for one in bob.push(repair).results] == ["applied"]
    assert (_values(stand, REC)["title"], _values(stand, REC)["weight_g"]) == ("short", 2000)
    [again] = _send(old, shape)
    assert (again["status"], tuple(again["flags"])) == ("applied", ("repaired",))


def test_an_operation_that_was_replaced_is_still_taken(stand: Stand, old: Phone) -> None:
    _send(old, _shape(1, "create", schema=1, grid=7))
    assert _send(old, _shape(2, "send", schema=1, weight_kg=1))[0]["status"] == "applied"
    assert _send(old, _shape(3, "send", schema=2, weight_kg=1))[0]["code"] == "unknown_op"


def test_a_step_that_fails_parks_the_edit_for_the_next_release(stand: Stand, old: Phone) -> None:
    def broken(values: Mapping[str, Any]) -> Mapping[str, Any]:
        return {**values, "title": values["no such field"]}

    old.kinds = Kinds((replace(PARCEL, upcasters=(Step(broken), *PARCEL.upcasters[1:])),))
    good = _shape(2, "create", schema=3, grid=7) | {"rec": name_of("other")}
    receipts = _send(old, _shape(1, "create", schema=1, grid=7, label="books"), good)
    assert [one.get("code") for one in receipts] == ["cannot_upgrade", None]
    old.kinds = WITH_PARCELS
    old.n = 2
    repair = old.edit("repair", "parked", receipts[0]["id"])
    assert old.push(repair).results[0]["status"] == "applied"
    assert _values(stand, REC)["title"] == "books"


@given(VALUES, st.integers(1, PARCEL.schema))
def test_an_upgrade_refuses_nothing_and_is_done_once(values: dict[str, Any], schema: int) -> None:
    edit = Edit(1, name_of("e"), "update", "parcel", REC, set=values, was=values, schema=schema)
    once = upgraded(PARCEL, edit)
    assert once.schema == PARCEL.schema
    assert upgraded(PARCEL, once) == once
    assert set(once.set) == set(once.was)


@given(VALUES, VALUES, st.integers(1, 3), st.integers(1, 3))
def test_a_correction_stands_whatever_the_age_of_either(
    sent: dict[str, Any], mended: dict[str, Any], schema: int, other: int
) -> None:
    edit = Edit(1, name_of("e"), "update", "parcel", REC, set=sent, schema=schema)
    repair = Edit(2, name_of("r"), "repair", "parked", edit.id, set=mended, schema=other)
    result = corrected(PARCEL, edit, repair)
    changes = upgraded(PARCEL, Edit(3, "", "update", "parcel", REC, set=mended, schema=other)).set
    assert changes.items() <= result.set.items()
    assert (result.id, result.rec, result.op) == (edit.id, edit.rec, edit.op)


# -- newer apps -----------------------------------------------------------------------------


def test_of_a_newer_schema_what_is_known_is_taken_and_the_rest_is_kept(
    stand: Stand, ann: Phone
) -> None:
    newer = {"soil": {"layers": ["loam", "clay"]}, "ph": 6.5}
    edit = ann.edit("create", "plot", REC, set={"grid": 7, "name": "a", **newer}, schema=9)
    assert ann.push(edit).results[0]["status"] == "applied"
    assert newer.items() <= _values(stand, REC, "plot").items()


def test_unknown_fields_come_back_as_they_were_sent(ann: Phone) -> None:
    newer = {"soil": {"layers": ["loam", {"deep": [1, 2.5, None, True]}]}}
    ann.push(ann.edit("create", "plot", REC, set={"grid": 7, **newer}, schema=9))
    [item] = [json.loads(one) for one in ann.pull(["grid:7"]).items]
    assert item["f"]["soil"] == newer["soil"]


def test_an_older_phone_that_edits_the_record_does_not_lose_them(stand: Stand, ann: Phone) -> None:
    bob = Phone(stand, "bob", user=2)
    ann.push(ann.edit("create", "plot", REC, set={"grid": 7, "ph": 6.5}, schema=9))
    bob.push(bob.edit("update", "plot", REC, base=1, set={"owner": "Li"}))
    bob.push(bob.edit("update", "plot", REC, base=0, set={"name": "late"}))
    ann.push(ann.edit("update", "plot", REC, base=1, set={"story": "long"}, schema=9))
    assert _values(stand, REC, "plot")["ph"] == 6.5


def test_two_newer_phones_meet_in_an_unknown_field_as_in_any_other(
    stand: Stand, ann: Phone
) -> None:
    bob = Phone(stand, "bob", user=2)
    ann.push(ann.edit("create", "plot", REC, set={"grid": 7}, schema=9))
    ann.push(ann.edit("update", "plot", REC, base=1, set={"ph": 6.5}, schema=9))
    [receipt] = bob.push(bob.edit("update", "plot", REC, base=1, set={"ph": 7}, schema=9)).results
    assert receipt["status"] == "conflict"


def test_unknown_fields_cannot_heap_up_without_end(ann: Phone) -> None:
    ann.push(ann.edit("create", "plot", REC, set={"grid": 7}))
    codes = []
    for turn in range(3):
        values = {f"new_{turn}_{number}": 1 for number in range(EXTRA_FIELDS_MAX // 2)}
        edit = ann.edit("update", "plot", REC, base=turn + 1, set=values)
        codes.append(ann.push(edit).results[0].get("code"))
    assert codes == [None, None, "too_many_fields"]
    large = ann.edit("update", "plot", REC, base=3, set={"new_0_1": ["x" * 60_000] * 2})
    assert ann.push(large).results[0]["code"] == "too_many_fields"


def test_a_newer_kind_is_parked_and_replayed_when_it_is_known(stand: Stand, ann: Phone) -> None:
    first = ann.edit("create", "parcel", REC, set={"grid": 7, "title": "lamp"}, schema=3)
    second = ann.edit("update", "parcel", REC, set={"title": "old lamp"}, schema=3)
    assert [one["code"] for one in ann.push(first, second).results] == ["unknown_kind"] * 2
    ann.kinds = WITH_PARCELS
    for edit in (first, second):
        repair = ann.edit("repair", "parked", edit.id)
        assert ann.push(repair).results[0]["status"] == "applied"
    assert _values(stand, REC)["title"] == "old lamp"


def test_the_kinds_of_the_house_have_no_step_to_go() -> None:
    assert {kind.schema for kind in KINDS.kinds} == {1}
    edit = Edit(1, name_of("e"), "update", "plot", REC, set={"name": "a"})
    assert upgraded(PLOT, edit) is edit
    with pytest.raises(Refusal):
        upgraded(replace(PLOT, upcasters=(Step(lambda values: values["?"]),)), edit)


# -- the mistakes that these tests would find -----------------------------------------------------


def _forgets_what_was_sent(right: Any) -> Any:
    def wrong(self: Any, draft: Any) -> Any:
        present = right(self, draft)
        self.sent.clear()
        return present

    return wrong


def _knows_only_its_fields(right: Any) -> Any:
    def wrong(kind: Any, record: Any, edit: Any, values: Any, author: Any) -> Any:
        merged = right(kind, record, edit, values, author)
        if record is None:
            return merged
        kept = {name: one for name, one in merged.record.values.items() if name in kind.by_name}
        return replace(merged, record=replace(merged.record, values=kept))

    return wrong


def _not_brought_up(kind: Any, edit: Edit) -> Edit:
    return replace(edit, schema=kind.schema)


def _once_more(right: Any) -> Any:
    """Upgrade what is up to date already: the grams of schema 3 as kilograms."""

    def wrong(kind: Any, edit: Edit) -> Edit:
        present = right(kind, edit)
        again = {"weight_kg": present.set["weight_g"]} if "weight_g" in present.set else {}
        return right(kind, replace(present, set={**present.set, **again}, schema=1))

    return wrong


BUGS = {
    "digest_of_the_upgraded_edit": (
        push.Run, "_present", _forgets_what_was_sent(push.Run._present),
        test_pushes_of_each_schema_sent_again_change_nothing),
    "unknown_fields_dropped_on_update": (
        merge, "apply", _knows_only_its_fields(merge.apply),
        test_an_older_phone_that_edits_the_record_does_not_lose_them),
    "old_schemas_read_as_new": (
        push, "upgraded", _not_brought_up,
        test_the_pushes_of_each_schema_lead_to_the_records_of_today),
    "upgraded_twice": (
        push, "upgraded", _once_more(push.upgraded),
        test_the_pushes_of_each_schema_lead_to_the_records_of_today),
    "parked_as_upgraded_not_as_sent": (
        push.Run, "_present", _forgets_what_was_sent(push.Run._present),
        test_a_parked_edit_of_an_old_schema_is_kept_as_it_was_sent),
}  # fmt: skip


@pytest.mark.parametrize("bug", sorted(BUGS))
def test_every_planted_bug_of_upgrades_is_caught(
    bug: str, stand: Stand, old: Phone, ann: Phone, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner, name, wrong, test = BUGS[bug]
    monkeypatch.setattr(owner, name, wrong)
    given = {"stand": stand, "old": old, "ann": ann, "schema": 1}
    names = test.__code__.co_varnames[: test.__code__.co_argcount]
    with pytest.raises((AssertionError, KeyError, Problem)):
        test(**{one: given[one] for one in names})
