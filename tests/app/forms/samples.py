"""Definitions for the tests of forms, and what is wrong with them."""

import copy
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from app.forms import services
from app.forms.checks import definition_faults
from app.forms.definitions import Form, read_form
from tests.house import tree

VECTORS: Mapping[str, Any] = json.loads(
    (tree.ROOT / "docs" / "form-vectors.json").read_text(encoding="utf-8")
)
SEED = sorted((tree.ROOT / "data" / "forms").glob("*.json"))
VISIT: Mapping[str, Any] = VECTORS["forms"][0]["definition"]
CHECKLIST: Mapping[str, Any] = VECTORS["forms"][1]["definition"]
BUILDING: Mapping[str, Any] = VECTORS["forms"][2]["definition"]


def words(text: str) -> dict[str, str]:
    """Return a text in both languages."""
    return {"zh": f"{text}（中文）", "en": text}


def question(name: str, type_: str = "text", **more: Any) -> dict[str, Any]:
    """Return a question."""
    return {"name": name, "type": type_, "label": words(name), **more}


def group(name: str, *questions: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    """Return a group."""
    return question(name, "group", questions=list(questions), **more)


def repeat(name: str, *questions: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    """Return a repeat."""
    return question(name, "repeat", questions=list(questions), **more)


def definition(*questions: Mapping[str, Any], key: str = "sample", **more: Any) -> dict[str, Any]:
    """Return a definition."""
    return {"key": key, "title": words(key), "questions": list(questions), **more}


def form(source: Mapping[str, Any]) -> Form:
    """Return the form of a definition."""
    return read_form(services.as_text(source))


def faults(source: Any, before: Form | None = None) -> set[tuple[str, str]]:
    """Return what forbids publishing a definition, as places and codes."""
    text = services.as_text(source)
    return {(one.field, one.code) for one in definition_faults(text, source, before)}


def spoiled(source: Mapping[str, Any], place: int, **more: Any) -> dict[str, Any]:
    """Return a definition with one question changed."""
    spoilt = copy.deepcopy(dict(source))
    spoilt["questions"][place] |= more
    return spoilt


def seed(path: Path) -> dict[str, Any]:
    """Return a definition that comes with the product."""
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found
