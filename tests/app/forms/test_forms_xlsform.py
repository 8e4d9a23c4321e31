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
    "group": (row(type="begin_group"), "type", "Add a row end_group after its last question"),
    "repeat": (row(type="begin repeat"), "type", "加一行 end_repeat"),
    "end": (row(type="end_group"), "type", "There is no begin_group for this end_group"),
    "position": (row(relevant="position(..) > 1"), "relevant", "position()"),
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


MORE = ("repeat_count",)
BUILDING = (
    (*HEADING, *MORE),
    row(type="integer", name="storeys"),
    row(type="begin group", name="safety", relevant="${storeys} > 1"),
    row(type="select_one check", name="exits"),
    row(type="begin_group", name="stairs", relevant="${exits} = 'not_ok'"),
    row(type="decimal", name="stairs_m", required="yes"),
    row(type="end_group"),
    row(type="end group"),
    row(type="begin_repeat", name="rooms", relevant="${storeys} < 9"),
    row(type="decimal", name="area", constraint=". < 500 and count(${rooms}) > 0",
        constraint_message__zh="不对", constraint_message__en="No"),
    row(type="select_multiple wish", name="wishes", relevant="${area} > 9"),
    row(type="calculate", name="share", calculation="${area} div ${storeys}"),
    row(type="end_repeat"),
    row(type="calculate", name="rooms_found", calculation="count(${rooms})"),
    row(type="calculate", name="all_area", calculation="sum(${area})"),
    row(type="calculate", name="crowded", calculation="${all_area} > 100"),
    (*row(type="begin repeat", name="doors"), 3),
    row(name="door"),
    row(type="end repeat"),
)  # fmt: skip


def test_groups_and_repeats_stand_within_one_another() -> None:
    found = xlsform.read(workbook(BUILDING), "file")
    assert faults(found) == set()
    _, safety, rooms, *sums, doors = found["questions"]
    exits, stairs = safety["questions"]
    assert (safety["type"], safety["relevant"]) == ("group", {">": [{"var": "storeys"}, 1]})
    assert safety["label"] == {"zh": "题", "en": "Q"}
    assert (exits["name"], stairs["questions"][0]["name"]) == ("exits", "stairs_m")
    assert [one["name"] for one in rooms["questions"]] == ["area", "wishes", "share"]
    assert [one["calculation"] for one in sums] == [
        {"count": [{"var": "rooms"}]}, {"sum": [{"var": "area"}]},
        {">": [{"var": "all_area"}, 100]}]  # fmt: skip
    assert [one["result"] for one in sums] == ["decimal", "decimal", "yes_no"]
    assert rooms["questions"][2]["result"] == "decimal"
    assert "most" not in rooms and (doors["least"], doors["most"]) == (3, 3)


def test_the_rows_of_a_workbook_are_filled_in() -> None:
    building = form(xlsform.read(workbook(BUILDING), "file"))
    filled = fill(building, {
        "storeys": 2, "exits": "ok", "stairs_m": 1,
        "rooms": [{"area": 60}, {"area": 8, "wishes": ["1"]}], "doors": [{}, {}]})  # fmt: skip
    assert filled.values == {
        "storeys": 2, "exits": "ok", "rooms_found": 2, "all_area": 68, "crowded": False,
        "rooms": [{"area": 60, "share": 30}, {"area": 8, "share": 4}], "doors": [{}, {}],
    }  # fmt: skip
    assert [(one.field, one.code) for one in filled.faults] == [("answers/doors", "too_few")]


BRACKETS = {
    "crossed": (["begin_group", "begin_repeat", "text", "end_group"],
                {5: "begin_group for this end_group", 2: "end_group", 3: "end_repeat"}),
    "empty": (["begin_repeat", "end_repeat"], {3: "Add a question, or remove it"}),
    "twice ended": (["begin_group", "text", "end_group", "end_group"], {5: "begin_group"}),
    "in one another": (["begin_repeat", "begin_repeat", "text", "end_repeat", "end_repeat"],
                       {3: "A repeat cannot stand in a repeat"}),
    "too deep": ([*["begin_group"] * 4, "text", *["end_group"] * 4],
                 {5: "at most 3 times"}),
}  # fmt: skip


@pytest.mark.parametrize(("types", "told"), BRACKETS.values(), ids=BRACKETS)
def test_groups_that_do_not_fit_are_named_by_row(types: list[str], told: dict[int, str]) -> None:
    lines = [row(type=one, name=f"q{n}") for n, one in enumerate(types)]
    found = flaws(workbook([HEADING, *lines]))
    assert len(found) == len(told)
    for number, words in told.items():
        assert any(f"survey 第 {number} 行" in one and words in one for one in found), found


@pytest.mark.parametrize("count", ["${storeys}", "0", "51", "many", "1.5"])
def test_how_many_rows_is_a_number_that_stands_there(count: str) -> None:
    survey = [(*HEADING, *MORE), (*row(type="begin_repeat", name="r"), count), row(name="a"),
              row(type="end_repeat")]  # fmt: skip
    [found] = flaws(workbook(survey))
    assert "row 2 · repeat_count" in found and "from 1 to 50" in found


def test_faults_within_are_named_by_their_rows() -> None:
    survey = [*BUILDING]
    survey[5] = row(type="decimal", name="stairs_m", relevant="${nobody} > 1")
    survey[9] = row(type="decimal", name="area", relevant="${storeys} = 'x'")
    inner, outer = flaws(workbook(survey))
    assert "row 6 · relevant" in inner and "row 10 · relevant" in outer
    survey[9] = row(type="decimal", name="religion")
    assert any("row 10 · name" in one and "不得采集" in one for one in flaws(workbook(survey)))


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
