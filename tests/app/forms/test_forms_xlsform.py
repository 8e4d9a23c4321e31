"""XLSForms: what office staff draw in a spreadsheet becomes a form, or says by row why not."""

import zipfile
from io import BytesIO
from typing import Any

import pytest

from app.forms import xlsform
from app.forms.answers import fill
from app.forms.flaws import Flawed
from tests.app.forms.samples import faults, form
from tests.app.forms.sheets import CHOICES, HEADING, SURVEY, row, workbook


def flaws(content: bytes) -> list[str]:
    with pytest.raises(Flawed) as found:
        xlsform.read(content, "file")
    return list(found.value.flaws)


def rules(questions: list[dict[str, Any]], rule: str) -> dict[str, Any]:
    return {one["name"]: one[rule] for one in questions if rule in one}


def test_a_workbook_becomes_a_form_that_may_be_published() -> None:
    found = xlsform.read(workbook(), "file")
    assert faults(found) == set()
    assert (found["key"], found["title"]["zh"]) == ("street_visit", "街道走访")
    questions = found["questions"]
    assert [(one["name"], one["type"]) for one in questions] == [
        ("intro", "note"), ("outcome", "choice"), ("people", "integer"), ("wishes", "choices"),
        ("which", "text"), ("double", "calculate"), ("large", "calculate"), ("next", "date"),
        ("place", "point"), ("share", "decimal"), ("exits", "check"),
    ]  # fmt: skip
    assert [one["value"] for one in questions[3]["choices"]] == ["1", "2"]
    assert (questions[4]["privacy"], questions[4]["purpose"]["en"]) == ("P1", "arrange the repair")


def test_expressions_are_translated() -> None:
    questions = xlsform.read(workbook(), "file")["questions"]
    outcome, people, share = {"var": "outcome"}, {"var": "people"}, {"var": "share"}
    assert rules(questions, "relevant") == {
        "people": {"==": [outcome, "met"]},
        "wishes": {">": [people, 0]},
        "which": {"in": ["2", {"var": "wishes"}]},
        "next": {"and": [{"!": [{"==": [outcome, "declined"]}]}, {"!=": [outcome, None]}]},
    }
    assert rules(questions, "required") == {
        "outcome": True, "people": True, "next": {"var": "large"}}  # fmt: skip
    assert rules(questions, "calculation") == {
        "double": {"-": [{"*": [people, 2]}, 1]},
        "large": {"if": [{">": [{"var": "double"}, 9]}, True, False]},
    }
    assert rules(questions, "result") == {"double": "decimal", "large": "yes_no"}
    assert questions[9]["constraint"]["holds"] == {"or": [
        {"==": [{"%": [{"*": [share, 100]}, 5]}, 0]}, {">": [{"/": [share, 2]}, 1]}]}  # fmt: skip


def test_the_form_of_a_workbook_is_filled_in() -> None:
    street = form(xlsform.read(workbook(), "file"))
    filled = fill(street, {"outcome": "met", "people": 6, "wishes": ["1"], "which": "x"})
    assert filled.values["double"] == 11 and filled.values["large"] is True
    assert "which" not in filled.relevant
    assert [(one.field, one.code) for one in filled.faults] == [("answers/next", "required")]


FAULTY = {
    "group": (row(type="begin_group"), "type", "不支持 begin_group"),
    "repeat": (row(type="begin repeat"), "type", "不支持 begin"),
    "device": (row(type="deviceid"), "type", "This is not supported: deviceid"),
    "no list": (row(type="select_one colours"), "type", "没有列表 colours"),
    "no label": (row(**{"label::English (en)": None}), "label/en", "It is required"),
    "function": (row(relevant="today() > '2026-01-01'"), "relevant", "today()"),
    "brackets": (row(relevant="(${people} > 1"), "relevant", "无法读取"),
    "nonsense": (row(relevant="${people} >> 1"), "relevant", "无法读取"),
    "unknown": (row(relevant="${nobody} = 1"), "relevant", "nobody"),
    "types": (row(relevant="${outcome} > 1"), "relevant", "The types do not fit >"),
    "no message": (row(constraint=". != 'x'"), "constraint/message/zh", "It is required"),
    "no purpose": (row(privacy="P2"), "purpose", "须写明目的"),
    "forbidden": (row(name="religion"), "name", "不得采集"),
    "no name": (row(name=None), "name", "It has the wrong form"),
    "deep": (row(relevant="(" * 50 + "1"), "relevant", "无法读取"),
}


@pytest.mark.parametrize(("line", "place", "said"), FAULTY.values(), ids=FAULTY)
def test_a_fault_names_sheet_row_and_column(line: Any, place: str, said: str) -> None:
    found = flaws(workbook([*SURVEY, line]))
    assert found and all(one.startswith(f"survey 第 {len(SURVEY) + 1} 行 / row") for one in found)
    assert any(f"· {place}: " in one and said in one for one in found)


def test_columns_that_would_change_the_meaning_are_refused() -> None:
    survey = [(*HEADING, "choice_filter", "appearance"), (*row(), "a = 1", "minimal")]
    [found] = flaws(workbook(survey))
    assert "row 2 · choice_filter" in found and "appearance" not in found


def test_a_checklist_item_has_the_three_results() -> None:
    choices = [*CHOICES, ("check", "ok", "合格", "OK"), ("check", "perhaps", "也许", "Perhaps")]
    [found] = flaws(workbook(choices=choices))
    assert "not_ok" in found and "· type:" in found


def test_steps_of_translation_have_a_sheet_of_their_own() -> None:
    steps = [("step", "name", "value", "to"), ("rename", "memo", None, "which"),
             ("drop", "old"), ("map", "outcome", "seen", "met"),
             ("default", "which", None, "x")]  # fmt: skip
    assert xlsform.read(workbook(translate=steps), "file")["translate"] == [
        {"rename": {"from": "memo", "to": "which"}}, {"drop": {"name": "old"}},
        {"map": {"name": "outcome", "values": {"seen": "met"}}},
        {"default": {"name": "which", "value": "x"}},
    ]  # fmt: skip
    [found] = flaws(workbook(translate=[("step", "name"), ("forget", "old")]))
    assert found.startswith("translate 第 2 行")


def _bomb() -> bytes:
    file = BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/workbook.xml", b"0" * (21 * 1024 * 1024))
    return file.getvalue()


@pytest.mark.parametrize(
    "content", [b"", b"PK\x03\x04 nothing", _bomb(), workbook()[:2000]],
    ids=["empty", "damaged", "bomb", "cut"],
)  # fmt: skip
def test_what_is_no_workbook_says_so(content: bytes) -> None:
    [found] = flaws(content)
    assert "XLSX" in found or "too large" in found


def test_a_workbook_without_questions_says_so() -> None:
    [found] = flaws(workbook(survey=[HEADING]))
    assert "survey" in found
