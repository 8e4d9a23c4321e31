"""XLSForms for the tests, written as office staff would."""

from collections.abc import Sequence
from io import BytesIO
from typing import Any

from openpyxl import Workbook

Rows = Sequence[Sequence[Any]]
HEADING = (
    "type", "name", "label::Chinese (zh)", "label::English (en)", "relevant", "required",
    "constraint", "constraint_message::zh", "constraint_message::en", "calculation",
    "privacy", "purpose::zh", "purpose::en",
)  # fmt: skip
CHOICES = (
    ("list_name", "name", "label::zh", "label::en"),
    ("result", "met", "见到", "Met"),
    ("result", "declined", "谢绝", "Declined"),
    ("wish", 1, "代办", "Errand"),
    ("wish", 2, "维修", "Repair"),
)
SETTINGS = (
    ("form_id", "form_title::zh", "form_title::en"),
    ("Street visit", "街道走访", "Street visit"),
)
SURVEY: Rows = (
    HEADING,
    ("note", "intro", "请说明来意", "Say why you come"),
    ("select_one result", "outcome", "结果", "Outcome", None, "yes"),
    ("integer", "people", "人数", "People", "${outcome} = 'met'", True,
     ". >= 1 and . <= 50", "1 到 50", "1 to 50"),
    ("select_multiple wish", "wishes", "需要", "Wanted", "${people} > 0"),
    ("text", "which", "何处维修", "Repair of what", "selected(${wishes}, '2')", None, None, None,
     None, None, "p1", "安排维修", "arrange the repair"),
    ("calculate", "double", "双倍", "Double", None, None, None, None, None, "${people} * 2 - 1"),
    ("calculate", "large", "大户", "Large", None, None, None, None, None,
     "if(${double} > 9, true(), false())"),
    ("date", "next", "下次", "Next", "not(${outcome} = 'declined') and ${outcome} != ''",
     "${large}"),
    ("geopoint", "place", "位置", "Place"),
    ("decimal", "share", "比例", "Share", None, None, ". * 100 mod 5 = 0 or . div 2 > 1",
     "不对", "No"),
    ("select_one check", "exits", "出口", "Exits"),
)  # fmt: skip


def workbook(survey: Rows = SURVEY, choices: Rows = CHOICES, settings: Rows = SETTINGS,
             **more: Rows) -> bytes:  # fmt: skip
    """Return an XLSX file with these sheets."""
    book = Workbook()
    book.remove(book.worksheets[0])
    sheets = {"survey": survey, "choices": choices, "settings": settings, **more}
    for name, rows in sheets.items():
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append(list(row))
    file = BytesIO()
    book.save(file)
    return file.getvalue()


def row(**cells: Any) -> tuple[Any, ...]:
    """Return a row of the survey with these cells; the labels are there."""
    given = {"type": "text", "name": "q", "label::Chinese (zh)": "题", "label::English (en)": "Q"}
    given |= {name.replace("__", "::"): text for name, text in cells.items()}
    return tuple(given.get(name) for name in HEADING)
