"""Answers of an older version read as those of a newer one, by the steps that the newer names.

Each version says how the answers to the version before become its own; what it does not name
stays. So reports read all versions as the newest, and what was answered is never changed.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from app.forms.definitions import Cell, Form, Json
from app.forms.shape import validator
from sync.errors import FieldError

Answers = Mapping[str, Any]


def as_newest(chain: Sequence[Form], answers: Answers) -> dict[str, Any]:
    """Return answers to one version as answers to the last of a chain.

    Args:
        chain: the versions after the one that was answered, oldest first.
    """
    found = dict(answers)
    for form in chain:
        for step in form.steps:
            found = _stepped(step, found)
        found = {name: value for name, value in found.items() if name in form.cells}
    return found


def _stepped(step: Json, answers: dict[str, Any]) -> dict[str, Any]:
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
            return answers if there is None else {
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
    there = dict(before.cells)
    for place, step in enumerate(form.steps):
        [(deed, said)] = step.items()
        path = f"translate/{place}/{deed}"
        name = said.get("from", said.get("name"))
        if deed != "default" and name not in there:
            yield FieldError(path, "unknown_name", {"names": [name]})
        elif deed == "rename":
            there[said["to"]] = there.pop(name)
        elif deed == "drop":
            del there[name]
        else:
            yield from _value_faults(path, deed, said, form.cells.get(name))
    yield from _left_behind(form, there)


def _value_faults(path: str, deed: str, said: Json, cell: Cell | None) -> Iterator[FieldError]:
    if cell is None:
        yield FieldError(path, "unknown_name", {"names": [said["name"]]})
        return
    schema = cell.schema.get("items", cell.schema) if deed == "map" else cell.schema
    values = said["values"].values() if deed == "map" else [said["value"]]
    if not all(validator(schema).is_valid(value) for value in values):
        yield FieldError(path, "wrong_form")


def _left_behind(form: Form, there: Mapping[str, Cell]) -> Iterator[FieldError]:
    """Find what older answers hold that this version could not read; calculations come anew."""
    mapped: dict[str, set[str]] = {}
    for step in form.steps:
        if "map" in step:
            mapped.setdefault(step["map"]["name"], set()).update(step["map"]["values"])
    for name, old in there.items():
        new = form.cells.get(name)
        if old.question.type == "calculate":
            continue
        if new is None:
            yield FieldError("translate", "not_taken_over", {"names": [name]})
        elif new.question.type != old.question.type:
            yield FieldError("translate", "another_type", {"names": [name]})
        else:
            gone = old.question.choices.keys() - new.question.choices.keys()
            gone -= mapped.get(name, set())
            if gone:
                yield FieldError("translate", "not_taken_over", {"names": sorted(gone)})
