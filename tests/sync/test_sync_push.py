"""A push: numbers without gaps, ids that count once, receipts for every edit."""

import gc

import pytest

from sync.cursor import read_cursor
from sync.edits import Edit
from sync.errors import Problem
from tests.sync.house import NOW_MS, MemoryStand, Phone, Stand, name_of

PLOT = name_of(1)


def _new(phone: Phone, record: str = PLOT, **values: object) -> Edit:
    return phone.edit("create", "plot", record, set={"grid": 7, **values})


def _problem(phone: Phone, *edits: Edit) -> Problem:
    with pytest.raises(Problem) as raised:
        phone.push(*edits)
    return raised.value


def test_an_unknown_device_and_a_strangers_device_get_the_same_answer(
    stand: Stand, ann: Phone
) -> None:
    ann.user = 9
    assert (_problem(ann).status, _problem(ann).code) == (404, "unknown_device")
    ann.user, ann.device = 1, name_of("nobody")
    assert _problem(ann).code == "unknown_device"


def test_resending_a_push_answers_the_same_and_changes_nothing(ann: Phone) -> None:
    edits = [_new(ann, name="a"), ann.edit("update", "plot", PLOT, base=1, set={"name": "b"})]
    first = ann.push(*edits)
    again = ann.push(*edits)
    assert [dict(one) for one in again.results] == [dict(one) for one in first.results]
    assert again.expected == first.expected == 3
    assert '"rv":2' in ann.pull(["grid:7"]).items[0]


def test_a_half_known_batch_is_completed(ann: Phone) -> None:
    first, second = _new(ann), _new(ann, name_of(2))
    ann.push(first)
    reply = ann.push(first, second)
    assert [one["status"] for one in reply.results] == ["applied", "applied"]
    assert reply.expected == 3


def test_a_gap_is_refused_with_the_number_expected(ann: Phone) -> None:
    _new(ann)
    late = _new(ann, name_of(2))
    problem = _problem(ann, late)
    assert (problem.status, problem.code, problem.extra) == (409, "gap", {"expected": 1})


def test_another_edit_under_an_old_number_is_a_forked_device(ann: Phone) -> None:
    ann.push(_new(ann))
    ann.n = 0
    problem = _problem(
        ann, ann.edit("create", "plot", name_of(2), id=name_of("x"), set={"grid": 7})
    )
    assert (problem.status, problem.code) == (409, "device_forked")


def test_the_same_id_with_another_body_is_refused(ann: Phone) -> None:
    ann.push(_new(ann, name="a"))
    ann.n = 0
    assert _problem(ann, _new(ann, name="b")).code == "edit_id_reused"


def test_an_edit_counts_once_across_device_ids(stand: Stand, ann: Phone) -> None:
    edit = _new(ann, name="a")
    ann.push(edit)
    twin = Phone(stand, "twin", user=1)
    again = twin.edit("create", "plot", PLOT, id=edit.id, set={"grid": 7, "name": "a"})
    reply = twin.push(again)
    assert [(one["n"], one["status"]) for one in reply.results] == [(1, "duplicate")]
    assert twin.push(again).expected == 2
    assert '"rv":1' in ann.pull(["grid:7"]).items[0]


def test_an_empty_push_tells_what_is_expected(ann: Phone) -> None:
    ann.push(_new(ann))
    reply = ann.push()
    assert (reply.expected, reply.last_id, reply.results) == (2, name_of("ann/1"), [])


def test_edits_of_one_batch_see_each_other(ann: Phone) -> None:
    reply = ann.push(
        _new(ann),
        ann.edit("create", "person", name_of(2), set={"grid": 7, "plot": PLOT, "name": "p"}),
        ann.edit("delete", "person", name_of(2), base=0),
    )
    assert [one["status"] for one in reply.results] == ["applied"] * 3
    assert [item for item in ann.pull(["grid:7"]).items if "person" in item] == []


def test_a_bad_edit_harms_no_other(ann: Phone) -> None:
    reply = ann.push(
        _new(ann),
        ann.edit("update", "plot", name_of("nobody"), set={"name": "x"}),
        ann.edit("create", "castle", name_of(3), set={}),
        ann.edit("create", "plot", name_of(4), set={"grid": 7, "name": "n" * 41, "lon": 1}),
        _new(ann, name_of(5)),
    )
    assert [one["status"] for one in reply.results] == [
        "applied", "parked", "parked", "parked", "applied",
    ]  # fmt: skip
    assert [one.get("code") for one in reply.results[1:4]] == [
        "unknown_record", "unknown_kind", "invalid_fields",
    ]  # fmt: skip
    assert {one["field"] for one in reply.results[3]["errors"]} == {"name", "lat"}
    assert reply.expected == 6


def test_a_taken_id_parks_the_second_creation(ann: Phone, bob: Phone) -> None:
    ann.push(_new(ann, name="a"))
    assert bob.push(_new(bob, name="b")).results[0]["code"] == "id_taken"


def test_a_field_of_the_server_cannot_be_set(ann: Phone) -> None:
    ann.push(_new(ann))
    reply = ann.push(ann.edit("update", "plot", PLOT, base=1, set={"*": 1, "-": 2}))
    assert reply.results[0]["code"] == "invalid_fields"


def test_unknown_fields_of_a_newer_app_are_kept(ann: Phone) -> None:
    ann.push(_new(ann, shade="green"))
    assert '"shade":"green"' in ann.pull(["grid:7"]).items[0]


def test_stamps_grow_along_a_device_and_never_run_ahead(stand: Stand, ann: Phone) -> None:
    future = {"claimed": NOW_MS + 10**9}
    ann.push(*(ann.edit("create", "plot", name_of(n), at=future, set={"grid": 7})
               for n in range(5)))  # fmt: skip
    with stand.open() as store:
        device = store.device(ann.device)
    assert NOW_MS <= device.last_ms <= NOW_MS + 60_000


def test_a_wrong_clock_is_flagged(ann: Phone) -> None:
    edit = ann.edit("create", "plot", PLOT, at={"claimed": NOW_MS + 10**9}, set={"grid": 7})
    assert ann.push(edit).results[0]["flags"] == ("clock_suspect",)


def test_a_record_leaves_one_scope_and_enters_another(ann: Phone) -> None:
    edit = _new(ann)
    ann.push(edit)
    seen = ann.pull(["grid:7"]).cursor
    move = ann.edit("update", "plot", PLOT, base=1, set={"grid": 8})
    ann.gate.office.add(move.id)
    ann.push(move)
    assert '"op":"out"' in ann.pull(["grid:7"], seen).items[0]
    assert '"op":"put"' in ann.pull(["grid:8"]).items[0]
    cursor = read_cursor(ann.pull(["grid:7", "grid:8"]).cursor)
    assert cursor is not None and set(cursor.places) == {"grid:7", "grid:8"}


def test_a_deleted_record_is_told_to_all_who_saw_it(ann: Phone) -> None:
    ann.push(_new(ann))
    seen = ann.pull(["grid:7"]).cursor
    ann.push(ann.edit("delete", "plot", PLOT, base=1))
    assert '"op":"del"' in ann.pull(["grid:7"], seen).items[0]
    reply = ann.push(ann.edit("update", "plot", PLOT, base=2, set={"name": "x"}))
    assert reply.results[0]["code"] == "record_deleted"


def test_a_batch_hangs_in_no_circle_and_goes_when_it_is_written() -> None:
    """The simulated year looks for no garbage: what hung in circles would fill its memory."""
    phone = Phone(MemoryStand(), "ann", user=1)
    phone.push(_new(phone))
    gc.collect()
    gc.disable()
    try:
        phone.push(phone.edit("update", "plot", PLOT, base=1, set={"name": "b"}))
        assert gc.collect() == 0
    finally:
        gc.enable()
