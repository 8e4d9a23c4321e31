"""No code of the engine or a feature is without words: what is wrong, and what to do."""

import ast
import importlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from app.core import gate, redaction, refusals
from app.core.policy import Answer
from app.forms import shape
from app.sync_api import services
from app.sync_api.support import PAGE
from sync import parking, upgrade, wire
from sync.edits import JOIN_OPS
from tests.house import tree

# Where a code is not written on the spot: what the expression can be.
HANDED_ON = {
    ("sync/push.py", "draft.code"): {wire.MALFORMED, wire.UNKNOWN_OP, upgrade.CANNOT,
                                     services.REFUSED},
    ("sync/kinds.py", "fault.code"): set(),
    ("sync/kinds.py", "f'cannot_{op}'"): {f"cannot_{op}" for op in JOIN_OPS},
    ("sync/joins.py", "fault.code"): set(),
    ("app/identity/appointments.py", "fault.code"): set(),
    ("app/workflows/regrid.py", "fault"): {"grid_stands_already", "not_a_part", "required"},
    ("app/identity/appointments.py", "code"): {"password_too_short", "password_too_long",
                                               "password_too_common"},
    ("app/identity/new_passwords.py", "fault"): {
        "password_too_short", "password_too_long", "password_too_common", "password_unchanged"},
    ("app/forms/shape.py", "code"): shape.CODES_OF_TYPES | set(shape.CODES.values()),
    ("app/forms/checks.py", "fault.code"): set(),
    ("app/forms/answers.py", "fault.code"): set(),
    ("app/forms/xlsform.py", "fault.code"): set(),
    ("app/forms/xlsform.py", "code"): {
        "xlsform_not_supported", "xlsform_no_list", "xlsform_check", "xlsform_not_closed",
        "xlsform_not_open", "xlsform_empty", "xlsform_repeat_count"},
    ("app/core/redaction.py", "code"): {redaction.IDENTITY, redaction.CARD,
                                              redaction.TELEPHONE},
    ("app/households/service_policies.py", "code"): {
        "unknown_code", "not_a_choice", "in_the_future", "consent_too_long", "required",
        "read_only"},
    ("app/privacy/policies.py", "code"): {"required", "in_the_future", "unknown_record"},
    ("app/privacy/publishing.py", "one.code"): {redaction.IDENTITY, redaction.CARD,
                                                redaction.TELEPHONE},
    ("app/households/verbs.py", "code"): {
        "unknown_record", "id_taken", "required", "not_part_of_verb", "not_in_household",
        "bands_exceed_total", "not_an_object"},
    ("app/core/gate.py", "code"): {gate._CODES.get(one, one.value) for one in Answer
                                   if one is not Answer.YES and one is not Answer.MASKED},
}  # fmt: skip
PARKED_WITH = {parking.WAITS, parking.GONE, parking.EXPIRED, *upgrade.NEWER}


def _said(name: str, place: int, folders: tuple[str, ...] = ("app", "sync")) -> Iterator[Any]:
    """Yield (file, expression, module) of every code handed to a class of refusals."""
    for path, module in tree.modules(*folders):
        for node in ast.walk(module):
            called = isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
            if called and node.func.id == name and len(node.args) > place:
                yield path, node.args[place]


def _codes(name: str, place: int) -> set[str]:
    found: set[str] = set()
    for path, code in _said(name, place):
        for one in (code.body, code.orelse) if isinstance(code, ast.IfExp) else (code,):
            found |= _values(path, one)
    return found


def _values(path: Path, code: ast.expr) -> set[str]:
    if isinstance(code, ast.Constant):
        return {str(code.value)}
    known = HANDED_ON.get((path.as_posix(), ast.unparse(code)))
    if known is not None:
        return known
    module = importlib.import_module(".".join(path.with_suffix("").parts))
    return {str(getattr(module, ast.unparse(code)))}


def _wire_faults() -> set[str]:
    """Return the codes that the reader of the wire gives to parts of a malformed edit."""
    edit = {"n": 1, "id": "0190a000-0000-7000-8000-000000000001", "op": 1, "kind": 1, "rec": 1,
            "base": "x", "schema": "x", "set": 1, "was": 1, "at": 1}  # fmt: skip
    [draft] = wire.read_drafts([edit])
    assert len(draft.errors) == 8
    return {error["code"] for error in draft.errors}


def test_every_code_of_an_edit_has_its_words(app: Flask) -> None:
    codes = _codes("Refusal", 0) | PARKED_WITH
    assert len(codes) > 15
    assert codes - refusals.EDITS.keys() == set()


def test_every_code_of_a_field_has_its_words(app: Flask) -> None:
    codes = _codes("FieldError", 1) | _codes("Invalid", 0) | _wire_faults()
    assert len(codes) > 25
    assert codes - refusals.FIELDS.keys() == set()


def test_the_walk_finds_a_code_without_words(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(refusals.FIELDS, "unknown_code")
    assert _codes("FieldError", 1) - refusals.FIELDS.keys() == {"unknown_code"}


def test_all_words_are_there_in_both_languages(app: Flask) -> None:
    for advice in (*refusals.EDITS.values(), *refusals.FIELDS.values()):
        assert all(advice), advice
        assert any("\u4e00" <= one <= "\u9fff" for one in advice.zh) and advice.en.isascii()
        assert any("\u4e00" <= one <= "\u9fff" for one in advice.mend_zh) and advice.mend.isascii()


def test_the_page_of_refusals_is_up_to_date(app: Flask) -> None:
    assert PAGE.read_text(encoding="utf-8") == refusals.as_page(), "flask sync refusals --write"


def test_a_limit_that_is_missing_leaves_no_hole() -> None:
    errors = [{"field": "a", "code": "wrong_length"}, {"field": "b", "code": "new"}]
    told = refusals.explained({"code": "invalid_fields", "errors": errors})
    assert told["errors"][0]["words"]["zh"] == "长度须为 … 到 … 个字"
    assert told["errors"][1]["words"]["en"] == "Reason: new"
    assert refusals.explained({"status": "applied"}) == {"status": "applied"}
