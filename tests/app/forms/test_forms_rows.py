"""Groups and repeats: what forbids publishing them, and how answers to them are kept."""

from typing import Any

import pytest
import sqlalchemy as sa

from app.forms.answers import fill, not_ok
from app.tasks.models import Task
from tests.app.core.county import County
from tests.app.forms.samples import (
    BUILDING,
    definition,
    faults,
    form,
    group,
    question,
    repeat,
    words,
)
from tests.app.forms.test_forms_views import publish

WIDTH = {"var": "width"}
ROOMS = repeat("rooms", question("width", "integer"))


def nested(levels: int) -> dict[str, Any]:
    """Return a question within so many groups."""
    line = question("deep")
    for level in range(levels):
        line = group(f"g{level}", line)
    return line


FAULTY = {
    "no questions": (definition(question("g", "group")), ("questions/0/questions", "required")),
    "no question": (definition(group("g")), ("questions/0/questions", "too_few")),
    "one language": (
        definition({**group("g", question("a")), "label": {"zh": "组"}}),
        ("questions/0/label/en", "required")),
    "questions of a text": (
        definition(question("a", questions=[question("b")])),
        ("questions/0/questions", "does_not_fit")),
    "a group that is required": (
        definition(group("g", question("a"), required=True)),
        ("questions/0/required", "does_not_fit")),
    "a fault within": (
        definition(question("a"), group("g", question("b"), group("h", question("c", "choice")))),
        ("questions/1/questions/1/questions/0/choices", "required")),
    "too deep": (
        definition(nested(4)), ("/".join(["questions/0"] * 4) + "/questions", "too_deep")),
    "rows in rows": (
        definition(repeat("r", group("g", repeat("s", question("a"))))),
        ("questions/0/questions/0/questions/0/type", "repeat_in_repeat")),
    "too many rows": (
        definition({**ROOMS, "most": 51}), ("questions/0/most", "out_of_range")),
    "half a row": (definition({**ROOMS, "least": 1.5}), ("questions/0/least", "out_of_range")),
    "name twice": (
        definition(ROOMS, question("width")), ("questions/1/name", "name_twice")),
    "name of a group": (
        definition(group("a", question("a"))), ("questions/0/questions/0/name", "name_twice")),
    "relevance of a group": (
        definition(group("g", question("a"), relevant={"==": [{"var": "x"}, 1]})),
        ("questions/0/relevant", "unknown_name")),
    "a group decides about itself": (
        definition(group("g", question("a", "yes_no"), relevant={"var": "a"})),
        ("questions", "cycle")),
    "a repeat decides about itself": (
        definition({**ROOMS, "relevant": {">": [{"count": {"var": "rooms"}}, 0]}}),
        ("questions", "cycle")),
    "rows that rest on all rows": (
        definition(repeat("rooms", question("width", "calculate",
                                            calculation={"count": {"var": "rooms"}}))),
        ("questions", "cycle")),
    "a circle within a row": (
        definition(repeat("rooms", question("a", "yes_no", relevant={"var": "b"}),
                          question("b", "yes_no", relevant={"var": "a"}))),
        ("questions", "cycle")),
    "a row taken for one answer": (
        definition(ROOMS, question("a", relevant={">": [WIDTH, 3]})),
        ("questions/1/relevant", "wrong_types")),
    "a sum of texts": (
        definition(repeat("rooms", question("name")), question(
            "a", "calculate", calculation={"sum": {"var": "name"}})),
        ("questions/1/calculation", "wrong_types")),
    "a count of one": (
        definition(question("a"), question("b", "calculate", calculation={"count": {"var": "a"}})),
        ("questions/1/calculation", "wrong_types")),
    "forbidden in a group": (
        definition(group("g", question("a", label={"zh": "身份证号", "en": "Number"}))),
        ("questions/0/questions/0/label/zh", "forbidden_topic")),
    "forbidden in a repeat": (
        definition(repeat("rooms", question("religion", label=words("x")))),
        ("questions/0/questions/0/name", "forbidden_topic")),
    "forbidden title": (
        definition(group("g", question("a"), label={"zh": "重点人员", "en": "x"})),
        ("questions/0/label/zh", "forbidden_topic")),
    "personal within": (
        definition(repeat("rooms", question("a", privacy="P2"))),
        ("questions/0/questions/0/purpose", "purpose_missing")),
}  # fmt: skip


@pytest.mark.parametrize(("source", "fault"), FAULTY.values(), ids=FAULTY)
def test_a_fault_within_is_named_by_its_place(source: Any, fault: tuple[str, str]) -> None:
    assert faults(source) == {fault}


def test_a_hundred_questions_are_counted_through_all_groups() -> None:
    half = [question(f"a{n}") for n in range(50)]
    rest = [question(f"b{n}") for n in range(49)]
    assert faults(definition(group("g", *half), *rest)) == set()
    assert faults(definition(group("g", *half), *rest, question("more"))) == {
        ("questions", "too_many")}  # fmt: skip


def test_no_depth_of_groups_ends_in_an_error() -> None:
    assert {code for _, code in faults(definition(nested(200)))} == {"too_deep"}


def test_rows_may_ask_about_all_rows_when_they_are_complete() -> None:
    rule = {"holds": {"<": [{"count": {"var": "rooms"}}, 3]}, "message": words("two at most")}
    rooms = repeat("rooms", question("width", "integer", constraint=rule))
    assert faults(definition(rooms)) == set()
    filled = fill(form(definition(rooms)), {"rooms": [{"width": 1}, {}, {"width": 3}]})
    assert [one.field for one in filled.faults] == [
        "answers/rooms/0/width",
        "answers/rooms/2/width",
    ]


def test_a_row_without_an_answer_does_not_see_those_of_other_rows() -> None:
    rooms = repeat("rooms", question("note_it", "yes_no"),
                   question("width", "integer", required={"==": [WIDTH, None]}))  # fmt: skip
    filled = fill(form(definition(rooms)), {"rooms": [{"width": 1}, {"note_it": True}]})
    assert [one.field for one in filled.faults] == ["answers/rooms/1/width"]


def test_a_repeat_is_bounded_without_a_word() -> None:
    rooms = form(definition(ROOMS))
    assert not fill(rooms, {"rooms": [{"width": 1}] * 20}).faults
    [fault] = fill(rooms, {"rooms": [{"width": 1}] * 21}).wrong
    assert (fault.field, fault.code, fault.limits["most"]) == ("answers/rooms", "too_many", 20)


def test_the_schema_of_the_answers_bounds_the_rows() -> None:
    rooms = form(BUILDING).data_schema["properties"]["rooms"]
    assert (rooms["type"], rooms["minItems"], rooms["maxItems"]) == ("array", 1, 3)
    assert rooms["items"]["required"] == ["use"]
    assert rooms["items"]["additionalProperties"] is False
    assert form(BUILDING).data_schema["required"] == ["storeys"], "exits are not always asked"


def test_items_that_are_not_in_order_are_found_in_rows() -> None:
    values = {"exits": "not_ok", "exits_note": "堵", "rooms": [
        {"wires": "ok"}, {"wires": "not_ok", "wires_note": "裸露"}]}  # fmt: skip
    found = [(one.question.name, one.row, one.note) for one in not_ok(form(BUILDING), values)]
    assert found == [("exits", None, "堵"), ("wires", 2, "裸露")]


def test_a_question_of_persons_in_a_row_makes_the_form_personal() -> None:
    named = question("tenant", privacy="P2", purpose=words("to call"))
    assert form(definition(repeat("rooms", named))).is_personal
    assert not form(definition(ROOMS)).is_personal


OLD = definition(question("name"), repeat("rooms", question("size", "integer"), most=10))
STEPS: dict[str, tuple[list[Any], list[Any], set[tuple[str, str]]]] = {
    "a repeat less": ([], [], {("translate", "not_taken_over")}),
    "dropped": ([], [{"drop": {"name": "rooms"}}], set()),
    "renamed": (
        [repeat("halls", question("size", "integer"))],
        [{"rename": {"from": "rooms", "to": "halls"}}], set()),
    "into a group": (
        [group("g", repeat("rooms", group("h", question("size", "integer"))))], [], set()),
    "out of the rows": (
        [repeat("rooms", question("a")), question("size", "integer")], [],
        {("translate", "not_taken_over")}),
    "into other rows": (
        [repeat("rooms", question("a")), repeat("halls", question("size", "integer"))], [],
        {("translate", "not_taken_over")}),
    "fewer rows": (
        [repeat("rooms", question("size", "integer"), most=9)], [], {("translate", "fewer_rows")}),
    "one answer instead": ([question("rooms"), question("size", "integer")], [],
                           {("translate", "another_type"), ("translate", "not_taken_over")}),
    "dropped with its rows": (
        [], [{"drop": {"name": "rooms"}}, {"drop": {"name": "size"}}],
        {("translate/1/drop", "unknown_name")}),
    "a wrong value in rows": (
        [repeat("rooms", question("size", "integer"))],
        [{"default": {"name": "size", "value": "x"}}], {("translate/0/default", "wrong_form")}),
}  # fmt: skip


@pytest.mark.parametrize(("lines", "steps", "found"), STEPS.values(), ids=STEPS)
def test_rows_of_older_answers_are_not_left_behind_unsaid(
    lines: list[Any], steps: list[Any], found: set[tuple[str, str]]
) -> None:
    new = definition(question("name"), *lines, **({"translate": steps} if steps else {}))
    assert faults(new, form(OLD)) == found


SHOP = {"use": "shop", "area_m2": 9}
HOME = {"use": "home", "wires": "not_ok", "wires_note": "线路裸露"}
ROWS = {"storeys": 1, "rooms": [{**SHOP, "tenants": 4}, HOME]}
KEPT = {"storeys": 1, "room_count": 2, "area_sum": 9, "has_shop": True,
        "rooms": [{**SHOP, "floor_share": 9}, HOME]}  # fmt: skip


def test_rows_are_kept_sealed_and_shown_as_plain_answers_are(county: County) -> None:
    publish(county, {**BUILDING, "key": "visit"})
    phone, task = county.phone("gw"), county.task()["id"]
    for base, state in ((1, "accepted"), (2, "started")):
        phone.act("event", "task", task, base=base, set={"state": state, "round": 0})
    wrong = {**ROWS, "rooms": [{"use": "office"}]}
    parked = phone.act("update", "task", task, base=3, schema=3, set={"answers": wrong})
    assert [one["field"] for one in parked["errors"]] == ["answers/rooms/0/use"]
    done = {"state": "done", "round": 0, "answers": ROWS}
    receipt = phone.act("event", "task", task, base=3, schema=3, set=done)
    assert receipt["status"] == "applied", receipt
    assert county.ask("ts", "GET", f"/tasks/{task}").get_json()["answers"] == KEPT
    assert county.ask("cm", "GET", f"/tasks/{task}").get_json()["answers"] is None
    [row] = [one for one in phone.pull() if one["id"] == task]
    assert row["f"]["answers"] == KEPT
    table = Task.__table__
    [kept] = county.sql(sa.select(table.c.body, table.c.answers).where(table.c.id == task))
    assert "裸露" not in kept.body and "裸露" not in kept.answers and "wires" not in kept.body


def test_the_office_tries_a_form_with_rows(county: County) -> None:
    publish(county, BUILDING)
    tried = county.ask("ts", "POST", "/forms/sample_building/1/preview", {"answers": ROWS})
    assert tried.get_json()["values"] == KEPT and tried.get_json()["complete"]
    assert "rooms/1/tenants" in tried.get_json()["relevant"]
