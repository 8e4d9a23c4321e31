"""Answers of an older version read as those of a newer one, by the steps that the newer names.

Each version says how the answers to the version before become its own; what it does not name
stays. Names are looked for in the rows of repeats too. So reports read all versions as the
newest, and what was answered is never changed.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from app.forms.definitions import Cell, Form, Json, Part
from app.forms.shape import validator
from app.forms.value_schemas import rows_most
from sync.errors import FieldError

Answers = Mapping[str, Any]


def as_newest(chain: Sequence[Form], answers: Answers) -> dict[str, Any]:
    """Return answers to one version as answers to the last of a chain.

    Args:
        chain: the versions after the one that was answered, oldest first.
    """
    found = dict(answers)
    for form in chain:
        # Defaults of rows come last: they need the repeat under the name it has now.
        for step in sorted(form.steps, key=lambda one: _in_rows(form, one)):
            found = _stepped(form, step, found)
        found = _known(form, found)
    return found


def _in_rows(form: Form, step: Json) -> bool:
    """Tell whether a step gives rows what they lack."""
    return "default" in step and step["default"]["name"] in form.columns


def _known(part: Part, answers: Answers) -> dict[str, Any]:
    """Return the answers that a part has places for, in rows likewise."""
    found = {name: value for name, value in answers.items() if name in part.cells}
    for one in part.questions:
        if one.rows and _is_rows(found.get(one.name)):
            found[one.name] = [_known(one.rows, row) for row in found[one.name]]
    return found


def _is_rows(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(one, Mapping) for one in value)


def _stepped(form: Form, step: Json, answers: Answers) -> dict[str, Any]:
    """Take a step; a name stands once in a form, so it is looked for outside and in all rows."""
    if _in_rows(form, step):
        repeat, _ = form.columns[step["default"]["name"]]
        return {name: _row_by_row(step, value) if name == repeat.name else value
                for name, value in answers.items()}  # fmt: skip
    found = _step(step, answers)
    if "default" in step:
        return found
    return {name: _row_by_row(step, value) for name, value in found.items()}


def _row_by_row(step: Json, value: Any) -> Any:
    return [_step(step, row) for row in value] if _is_rows(value) else value


def _step(step: Json, answers: Answers) -> dict[str, Any]:
    """Take a step outside of rows, or within one."""
    [(deed, said)] = step.items()
    match deed:
        case "rename":
            return {said["to"] if name == said["from"] else name: value
                    for name, value in answers.items()}  # fmt: skip
        case "drop":
            return {name: value for name, value in answers.items() if name != said["name"]}
        case "default":
            return {said["name"]: said["value"], **answers}
        case _:
            there = answers.get(said["name"])
            return dict(answers) if there is None else {
                **answers, said["name"]: _mapped(there, said["values"])}  # fmt: skip


def _mapped(value: Any, values: Mapping[str, str]) -> Any:
    if isinstance(value, list):
        return list(dict.fromkeys(values.get(one, one) for one in value))
    return values.get(value, value) if isinstance(value, str) else value


def step_faults(form: Form, before: Form | None) -> Iterator[FieldError]:
    """Find steps that lead nowhere, and answers to the version before that nobody takes over."""
    if before is None:
        yield from (FieldError(f"translate/{place}", "no_version_before")
                    for place in range(len(form.steps)))  # fmt: skip
        return
    there = _places(before)
    for place, step in enumerate(form.steps):
        [(deed, said)] = step.items()
        path = f"translate/{place}/{deed}"
        name = said.get("from", said.get("name"))
        if deed != "default" and name not in there:
            yield FieldError(path, "unknown_name", {"names": [name]})
        elif deed == "rename":
            there = _renamed(there, name, said["to"])
        elif deed == "drop":
            there = {one: old for one, old in there.items() if name not in (one, old.repeat)}
        else:
            new = _places(form).get(name)
            yield from _value_faults(path, deed, said, new.cell if new else None)
    yield from _left_behind(form, there)


@dataclass(frozen=True, slots=True)
class _Place:
    """A place for an answer, and the repeat in whose rows it is; None outside."""

    cell: Cell
    repeat: str | None


def _places(form: Form) -> dict[str, _Place]:
    """Return all places for answers by name, those in rows too."""
    within = {name: _Place(cell, repeat.name) for name, (repeat, cell) in form.columns.items()}
    return {**{name: _Place(cell, None) for name, cell in form.cells.items()}, **within}


def _renamed(there: Mapping[str, _Place], name: str, to: str) -> dict[str, _Place]:
    """Return the places with one renamed; the rows of a repeat go with it."""
    return {
        to if one == name else one: replace(old, repeat=to) if old.repeat == name else old
        for one, old in there.items()
    }


def _value_faults(path: str, deed: str, said: Json, cell: Cell | None) -> Iterator[FieldError]:
    if cell is None:
        yield FieldError(path, "unknown_name", {"names": [said["name"]]})
        return
    schema = cell.schema.get("items", cell.schema) if deed == "map" else cell.schema
    values = said["values"].values() if deed == "map" else [said["value"]]
    if not all(validator(schema).is_valid(value) for value in values):
        yield FieldError(path, "wrong_form")


def _left_behind(form: Form, there: Mapping[str, _Place]) -> Iterator[FieldError]:
    """Find what older answers hold that this version could not read; calculations come anew."""
    mapped: dict[str, set[str]] = {}
    for step in form.steps:
        if "map" in step:
            mapped.setdefault(step["map"]["name"], set()).update(step["map"]["values"])
    places = _places(form)
    for name, old in there.items():
        if old.cell.question.type == "calculate":
            continue
        new = places.get(name)
        if new is None or new.repeat != old.repeat:
            yield FieldError("translate", "not_taken_over", {"names": [name]})
        else:
            yield from _less_room(name, old.cell, new.cell, mapped.get(name, set()))


def _less_room(name: str, old: Cell, new: Cell, mapped: set[str]) -> Iterator[FieldError]:
    """Find answers that the same question would not take any more."""
    gone = old.question.choices.keys() - new.question.choices.keys() - mapped
    if new.question.type != old.question.type:
        yield FieldError("translate", "another_type", {"names": [name]})
    elif gone:
        yield FieldError("translate", "not_taken_over", {"names": sorted(gone)})
    elif old.question.rows and rows_most(new.question) < rows_most(old.question):
        limits = {"names": [name], "most": rows_most(old.question)}
        yield FieldError("translate", "fewer_rows", limits)
