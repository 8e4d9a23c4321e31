"""What phones send is read strictly; one malformed edit harms no other."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.errors import Problem
from sync.wire import DEPTH_MAX, NotJson, read_drafts, read_json
from tests.sync.house import Phone, Stand, name_of


def _edit(**changes: Any) -> dict[str, Any]:
    return {"n": 1, "id": name_of("e"), "op": "create", "kind": "plot", "rec": name_of(1),
            "set": {"grid": 7}} | changes  # fmt: skip


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (b"[" * 990 + b"]" * 990, "json_too_deep"),
        (b"[" * 200_000, "json_too_deep"),
        (b'{"a":' * (DEPTH_MAX + 2) + b"1" + b"}" * (DEPTH_MAX + 2), "json_too_deep"),
        (b'{"n":' + b"9" * 5000 + b"}", "number_too_long"),
        (b'{"n":-' + b"9" * 5000 + b"}", "number_too_long"),
        (b'{"n":1.' + b"9" * 5000 + b"}", "number_too_long"),
        (b'{"n":1e999}', "number_too_long"),
        (b'{"n":NaN}', "not_json"),
        (b'{"n":-Infinity}', "not_json"),
        (b'{"a":1,"a":2}', "key_twice"),
        (b'{"a":{"b":1,"b":1}}', "key_twice"),
        (b'{"a":"\\u0000"}', "nul_character"),
        (b'{"\\u0000":1}', "nul_character"),
        (b'{"a":"x\x00y"}', "not_json"),
        (b'{"a":"\\ud800"}', "half_a_surrogate"),
        (b'{"\\udfff":1}', "half_a_surrogate"),
        (b'["\\ud800"]', "half_a_surrogate"),
        (b'{"a":"' + b"x" * 70_000 + b'"}', "text_too_long"),
        (b"\xff\xfe", "not_utf8"),
        (b'{"a":"\xed\xa0\x80"}', "not_utf8"),
        (b"", "not_json"),
        (b"{", "not_json"),
        (b"{} {}", "not_json"),
    ],
)
def test_hostile_json_is_refused_with_its_code(raw: bytes, code: str) -> None:
    with pytest.raises(NotJson) as raised:
        read_json(raw)
    assert raised.value.code == code


@given(st.recursive(st.none() | st.booleans() | st.integers(-(2**50), 2**50)
                    | st.text(st.characters(exclude_categories=["Cs"],
                                            exclude_characters="\x00"), max_size=20),
                    lambda inner: st.lists(inner, max_size=4)
                    | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"],
                                                            exclude_characters="\x00"),
                                              max_size=8), inner, max_size=4)))  # fmt: skip
def test_honest_json_is_read_as_it_is(value: Any) -> None:
    assert read_json(json.dumps(value)) == value
    assert read_json(json.dumps(value, ensure_ascii=False).encode()) == value


@given(st.binary(max_size=80))
def test_no_bytes_break_the_reader(raw: bytes) -> None:
    try:
        read_json(raw)
    except NotJson as refused:
        assert refused.code


@pytest.mark.parametrize(
    ("shapes", "status"),
    [
        ({}, 400), (None, 400), ("x", 400), ([1], 400), ([[]], 400),
        ([_edit(n=0)], 400), ([_edit(n=-1)], 400), ([_edit(n=True)], 400), ([_edit(n="1")], 400),
        ([_edit(n=1.0)], 400), ([_edit(n=2**60)], 400), ([_edit(id="x")], 400),
        ([_edit(id=None)], 400), ([_edit(id=7)], 400), ([_edit(), _edit(n=2)], 400),
        ([_edit(n=n, id=name_of(n)) for n in range(1, 102)], 413),
    ],
)  # fmt: skip
def test_what_could_get_no_receipt_refuses_the_request(shapes: Any, status: int) -> None:
    with pytest.raises(Problem) as raised:
        read_drafts(shapes)
    assert raised.value.status == status


WRONG: dict[str, list[Any]] = {
    "op": [None, 7, "explode", [], {}, "x" * 5000],
    "kind": [None, 7, [], {}, "k" * 5000],
    "rec": [None, 7, "x", [], {}],
    "base": [None, -1, "1", 1.5, True, [], 2**62],
    "schema": [None, -1, "1", [], 2**62],
    "set": [None, 7, "x", [], {"": 1}, {"n" * 61: 1}, {f"f{n}": 1 for n in range(201)}],
    "was": [None, 7, []],
    "at": [None, 7, []],
}


@pytest.mark.parametrize(("name", "value"), [(n, v) for n, vs in WRONG.items() for v in vs])
def test_a_wrong_type_parks_the_edit_and_keeps_its_body(
    stand: Stand, ann: Phone, name: str, value: Any
) -> None:
    (draft,) = read_drafts([_edit(**{name: value})])
    assert draft.code == "malformed_edit"
    assert [fault["field"] for fault in draft.errors] == [name]
    good = _edit(n=2, id=name_of("good"), rec=name_of(2))
    shape = json.loads(json.dumps([_edit(**{name: value}), good]))
    reply = _push(ann, shape)
    assert [one["status"] for one in reply] == ["parked", "applied"]
    with stand.open() as store:
        parked = store.parked_for([], [name_of("e")])[name_of("e")]
    assert parked.edit.was["raw"] == shape[0]


def _push(phone: Phone, shapes: Any) -> list[Any]:
    return phone.push_drafts(read_drafts(shapes)).results


@pytest.mark.parametrize(
    "at",
    [{"claimed": "x"}, {"claimed": 2**80}, {"claimed": -5}, {"claimed": True}, {"claimed": 1.5},
     {"anchor": 7}, {"anchor": "x" * 20}, {"anchor": "网" * 20}, {"elapsed_ms": "x"},
     {"anchor": None, "elapsed_ms": -1}, {"device": 7}, {"device": []}, {"claimed": [1]}],
)  # fmt: skip
def test_a_senseless_time_is_no_error(ann: Phone, at: dict[str, Any]) -> None:
    assert [one["status"] for one in _push(ann, [_edit(at=at)])] == ["applied"]


def test_a_malformed_edit_under_a_known_id_with_another_body_is_refused(ann: Phone) -> None:
    _push(ann, [_edit(set=[1])])
    with pytest.raises(Problem) as raised:
        _push(ann, [_edit(set=[2])])
    assert raised.value.code == "edit_id_reused"
