"""Read an XLSForm as a definition: what office staff draw in a spreadsheet already.

Faults name sheet and row. What has no sense here, or is not supported, is said and not guessed.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from app.forms import services
from app.forms.checks import definition_faults, sight_of
from app.forms.definitions import CHECK_RESULTS, Question, read_form
from app.forms.flaws import Flawed
from app.forms.outline import Outline, bracket
from app.forms.shape import REPEAT, shape_faults
from app.forms.value_schemas import ROWS_MAX
from app.forms.workbook import Row, read_sheets
from app.forms.xpath import translated
from sync.errors import FieldError
from sync.values import Invalid

SHEETS = ("survey", "choices", "settings", "translate")
TYPES: Mapping[str, str] = {
    "text": "text", "integer": "integer", "decimal": "decimal", "date": "date", "note": "note",
    "calculate": "calculate", "geopoint": "point", "select_one": "choice",
    "select_multiple": "choices",
}  # fmt: skip
CHECK_LIST = "check"
"""A select_one from the list of this name is an item of a checklist."""
RULES = ("relevant", "constraint", "calculation")
NOT_SUPPORTED = ("choice_filter", "default", "trigger", "parameters", "read_only")
ROW_COUNT = "repeat_count"
_LANGUAGE = re.compile(r"(?P<word>[a-z_]+)::\s*(?:.*\()?(?P<language>zh|en)[^)]*\)?", re.IGNORECASE)
_REQUIRED = {"yes": True, "true": True, "true()": True, "no": False, "false": False,
             "false()": False}  # fmt: skip
_RESULTS = {"number": "decimal", "text": "text", "truth": "yes_no", "date": "date"}


@dataclass
class _Reading:
    """An XLSForm that is being read."""

    flaws: list[str] = field(default_factory=list)
    outline: Outline = field(default_factory=Outline)

    def fault(self, row: Row, column: str, code: str, limits: Any = None) -> None:
        """Note what is wrong, with sheet and row."""
        self.flaws += _lines(row, [FieldError(column, code, limits or {})])


def read(content: bytes, name: str) -> Mapping[str, Any]:
    """Return the definition that a workbook holds.

    Args:
        name: the key of the form, where the settings give none.

    Raises:
        Flawed: with every flaw by sheet and row.
    """
    sheets = {sheet: [_named(row) for row in rows]
              for sheet, rows in read_sheets(content, SHEETS).items()}  # fmt: skip
    if not sheets["survey"]:
        raise Flawed(["缺少 survey 工作表 / there is no sheet named survey"])
    reading = _Reading()
    settings = sheets["settings"][0].cells if sheets["settings"] else {}
    key = re.sub(r"[^a-z0-9_]", "_", settings.get("form_id", name).lower())
    definition: dict[str, Any] = {
        "key": key, "title": _words(settings, "form_title") or {"zh": key, "en": key},
        "questions": _questions(reading, sheets["survey"], _lists(sheets["choices"])),
    }  # fmt: skip
    if sheets["translate"]:
        definition["translate"] = [_step(reading, row) for row in sheets["translate"]]
    if not reading.flaws:
        _find_results(reading, definition)
        _check(reading, definition)
    if reading.flaws:
        raise Flawed(reading.flaws)
    return definition


def _named(row: Row) -> Row:
    """Return a row with its columns as we call them: ``label::zh`` in every way it is written."""
    cells = {}
    for column, text in row.cells.items():
        found = _LANGUAGE.fullmatch(column.strip())
        name = f"{found['word']}::{found['language']}" if found else column.strip()
        cells[name.lower().replace(" ", "_")] = text
    return Row(row.sheet, row.number, cells)


def _words(cells: Mapping[str, str], column: str) -> dict[str, str] | None:
    """Return the languages of a text that are there; None when there is none."""
    found = {one: cells.get(f"{column}::{one}") for one in ("zh", "en")}
    return {one: text for one, text in found.items() if text} or None


def _lists(rows: Sequence[Row]) -> dict[str, list[dict[str, Any]]]:
    lists: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        choice = {"value": row.cells.get("name", ""), "label": _words(row.cells, "label") or {}}
        lists.setdefault(row.cells.get("list_name", ""), []).append(choice)
    return lists


def _questions(
    reading: _Reading, rows: Sequence[Row], lists: Mapping[str, list[dict[str, Any]]]
) -> list[dict[str, Any]]:
    outline = reading.outline
    for row in rows:
        match bracket(row.cells.get("type", "")):
            case ("end", kind):
                _end(reading, row, kind)
            case _:
                question = _question(reading, row, lists)
                if question:
                    outline.add(question, row)
    for kind, row in outline.unclosed:
        told = {"what": f"begin_{kind}", "end": f"end_{kind}"}
        reading.fault(row, "type", "xlsform_not_closed", told)
    types = {one["name"]: one["type"] for _, one, _ in outline.placed}
    for _, question, row in outline.placed:
        _add_rules(reading, question, row, types)
    return outline.questions


def _end(reading: _Reading, row: Row, kind: str) -> None:
    """End a group or a repeat, which must be open and have questions."""
    ended = reading.outline.close(kind)
    if ended is None:
        told = {"what": f"end_{kind}", "begin": f"begin_{kind}"}
        reading.fault(row, "type", "xlsform_not_open", told)
    elif not ended["questions"]:
        reading.fault(row, "type", "xlsform_empty")


def _question(
    reading: _Reading, row: Row, lists: Mapping[str, list[dict[str, Any]]]
) -> dict[str, Any] | None:
    written = row.cells.get("type", "")
    said, _, list_name = written.partition(" ")
    begun = bracket(written)
    kind, list_name = begun[1] if begun else TYPES.get(said), list_name.strip()
    if kind is None:
        reading.fault(row, "type", "xlsform_not_supported", {"what": said or "—"})
        return None
    refused = NOT_SUPPORTED if kind == REPEAT else (*NOT_SUPPORTED, ROW_COUNT)
    for column in refused:
        if column in row.cells:
            reading.fault(row, column, "xlsform_not_supported", {"what": column})
    question: dict[str, Any] = {
        "name": row.cells.get("name", ""), "type": kind, "label": _words(row.cells, "label") or {},
    }  # fmt: skip
    if kind == "calculate" and not question["label"]:
        question["label"] = {"zh": question["name"], "en": question["name"]}
    if kind == REPEAT and ROW_COUNT in row.cells:
        _add_row_count(reading, question, row)
    if kind in ("choice", "choices"):
        _add_choices(reading, question, row, lists.get(list_name), list_name)
    for name in ("hint", "purpose"):
        if words := _words(row.cells, name):
            question[name] = words
    if "privacy" in row.cells:
        question["privacy"] = row.cells["privacy"].upper()
    return question


def _add_row_count(reading: _Reading, question: dict[str, Any], row: Row) -> None:
    """Bound a repeat to as many rows as are written; a count that is reckoned is refused."""
    said = row.cells[ROW_COUNT]
    count = int(said) if said.isdecimal() and len(said) < 4 else 0
    if 1 <= count <= ROWS_MAX:
        question["least"] = question["most"] = count
    else:
        reading.fault(row, ROW_COUNT, "xlsform_repeat_count", {"most": ROWS_MAX})


def _add_choices(
    reading: _Reading,
    question: dict[str, Any],
    row: Row,
    choices: list[dict[str, Any]] | None,
    list_name: str,
) -> None:
    if question["type"] == "choice" and list_name == CHECK_LIST:
        strange = {one["value"] for one in choices or ()} - set(CHECK_RESULTS)
        question["type"] = "check"
        if strange:
            reading.fault(row, "type", "xlsform_check", {"results": list(CHECK_RESULTS)})
    elif choices is None:
        reading.fault(row, "type", "xlsform_no_list", {"name": list_name or "—"})
    else:
        question["choices"] = choices


def _add_rules(
    reading: _Reading, question: dict[str, Any], row: Row, types: Mapping[str, str]
) -> None:
    """Translate the expressions of a row; a constraint needs its message."""
    rules = {name: row.cells[name] for name in RULES if name in row.cells}
    required = row.cells.get("required", "").strip()
    if required.lower() in _REQUIRED:
        if _REQUIRED[required.lower()] and question["type"] not in ("note", "calculate"):
            question["required"] = True
    elif required:
        rules["required"] = required
    for name, text in rules.items():
        try:
            found = translated(text, question["name"], types)
        except Invalid as fault:
            reading.fault(row, name, fault.code, fault.limits)
            continue
        if name == "constraint":
            message = _words(row.cells, "constraint_message") or {}
            question["constraint"] = {"holds": found, "message": message}
        else:
            question[name] = found


def _step(reading: _Reading, row: Row) -> dict[str, Any]:
    """Return one step of translation; a map has a row for each value."""
    deed, name = row.cells.get("step", ""), row.cells.get("name", "")
    to = row.cells.get("to", "")
    match deed:
        case "rename":
            return {"rename": {"from": name, "to": to}}
        case "drop":
            return {"drop": {"name": name}}
        case "map":
            return {"map": {"name": name, "values": {row.cells.get("value", ""): to}}}
        case "default":
            return {"default": {"name": name, "value": to}}
        case _:
            reading.fault(row, "step", "not_a_choice",
                          {"choices": ["rename", "map", "default", "drop"]})  # fmt: skip
            return {}


def _find_results(reading: _Reading, definition: dict[str, Any]) -> None:
    """Find out what the calculations come to; one may rest on another, hence twice."""
    written = {place: question for place, question, _ in reading.outline.placed}
    for _ in range(2):
        if shape_faults(definition):
            return
        form = read_form(services.as_text(definition))
        for one in form.questions:
            _find_result(one, sight_of(form, None), written)
            for within in one.rows.questions if one.rows else ():
                _find_result(within, sight_of(form, one.rows), written)


def _find_result(
    question: Question, sight: Mapping[str, Any], written: Mapping[str, dict[str, Any]]
) -> None:
    if question.calculation is None:
        return
    try:
        sorts = question.calculation.sorts(sight)
    except Invalid:
        return
    if len(sorts) == 1:
        written[question.place]["result"] = _RESULTS.get(next(iter(sorts)), "decimal")


def _check(reading: _Reading, definition: dict[str, Any]) -> None:
    """Check the definition as it would be published, and name the rows of its faults."""
    text = services.as_text(definition)
    for fault in definition_faults(text, json.loads(text), None):
        path = fault.field.split("/")
        if path[0] == "translate":
            # What the version before held is known only where it is kept.
            continue
        row, rest = reading.outline.row_at(path) or (Row("settings", 2, {}), fault.field)
        named = FieldError(rest or "type", fault.code, fault.limits)
        reading.flaws += _lines(row, [named])


def _lines(row: Row, faults: Sequence[FieldError]) -> list[str]:
    return [
        f"{row.sheet} 第 {row.number} 行 / row {row.number} · {one['field']}: "
        f"{one['words']['zh']} / {one['words']['en']} "
        f"→ {one['words']['mend_zh']} / {one['words']['mend']}"
        for one in services.explained(faults)
    ]
