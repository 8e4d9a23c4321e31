"""The form of a task: set when the task is made, filled in by the worker, complete when it is done.

Answers are checked as the version says that the task names, whichever is the newest by then.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from app.core.evidence import NOT_ASKED
from app.forms.answers import fill
from app.forms.definitions import Form
from app.forms.lookup import Forms
from sync.errors import FieldError, Refusal
from sync.gate import Work
from sync.upgrade import Step

Values = Mapping[str, Any]
ANSWERS, REASON = "answers", "no_answers_reason"
FORM, VERSION = "form", "form_version"


def _asked(given: Values) -> Values:
    told = given.get(ANSWERS) or given.get(REASON)
    return given if told or given.get("state") != "done" else {**given, REASON: NOT_ASKED}


ANSWERS_ASKED = Step(_asked)
"""The step from the schema before forms: apps of that age can neither fill in nor say why not."""


def keys_of(works: Iterable[Work]) -> set[str]:
    """Return the keys of the forms that edits of tasks need: named, filled in, or of the kind."""
    found: set[Any] = set()
    for work in works:
        said, there = work.edit.set, work.record.values if work.record else {}
        found.add(said.get(FORM))
        if work.edit.op == "create":
            found.add(said.get("task_kind"))
        if ANSWERS in said or said.get("state") == "done":
            found.add(there.get(FORM))
    return {key for key in found if isinstance(key, str)}


def with_form(work: Work, values: Values, forms: Forms) -> Values:
    """Return the values with the form of a new task: the one named, else that of its kind.

    Raises:
        Refusal: there is no such form for new work, or the task has another one already.
    """
    if work.record is not None:
        there = {name: work.record.values.get(name) for name in (FORM, VERSION)}
        if any(name in values and values[name] != there[name] for name in there):
            raise Refusal("invalid_fields", FieldError(FORM, "form_is_set"))
        return values
    if FORM not in values:
        current = forms.current.get(str(values.get("task_kind")))
        return {**values, FORM: values["task_kind"], VERSION: current} if current else values
    if values[FORM] is not None and (values[FORM], values[VERSION]) not in forms.published:
        raise Refusal("invalid_fields", FieldError(FORM, "unknown_form"))
    return values


def with_answers(values: Values, merged: Values, forms: Forms) -> Values:
    """Return the values with answers as they are kept; a task that is done has complete ones.

    Whoever could not fill in the form says why, and is done without it.

    Args:
        merged: the task as it would be.

    Raises:
        Refusal: answers are wrong, or missing.
    """
    done = values.get("state") == "done"
    if ANSWERS not in values and not done:
        return values
    form = _form_of(merged, forms)
    if form is None:
        return _without_form(values)
    filled = fill(form, merged.get(ANSWERS) or {})
    # A visit that found nothing changed has nothing to fill in: that is its whole answer.
    asked = done and not (merged.get(REASON) or values.get("unchanged"))
    faults = filled.faults if asked else filled.wrong
    if faults:
        raise Refusal("invalid_fields", *faults)
    return {**values, ANSWERS: dict(filled.values)} if ANSWERS in values else values


def _form_of(merged: Values, forms: Forms) -> Form | None:
    key, version = merged.get(FORM), merged.get(VERSION)
    return forms.get(key, version) if key is not None and version is not None else None


def _without_form(values: Values) -> Values:
    """Return the values of a task that has nothing to fill in.

    Raises:
        Refusal: there are answers even so.
    """
    if values.get(ANSWERS):
        raise Refusal("invalid_fields", FieldError(ANSWERS, "unknown_form"))
    if values.get(REASON) == NOT_ASKED:
        return {name: value for name, value in values.items() if name != REASON}
    return values
