"""What a definition must be before it may be published: all faults at once, each by its path."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from graphlib import CycleError
from typing import Any

from app.forms import expressions
from app.forms.definitions import NOTE_OF, OPEN_CLASS, Form, Json, Question, read_form
from app.forms.expressions import Expression
from app.forms.forbidden import forbidden_faults
from app.forms.shape import shape_faults
from app.forms.translation import step_faults
from sync.errors import FieldError
from sync.values import Invalid

CHARACTERS_MAX = 64 * 1024
_FIT: Mapping[str, Sequence[str]] = {
    "choices": ("choice", "choices"), "calculation": ("calculate",), "result": ("calculate",),
    "least": ("integer", "decimal"), "most": ("integer", "decimal", "text"),
    "note_required": ("check",),
}  # fmt: skip
_NOT_FOR_SHOWN = ("required", "constraint")
_SORT_OF_RESULT = {
    "integer": "number", "decimal": "number", "text": "text", "yes_no": "truth", "date": "date",
}  # fmt: skip


def definition_faults(text: str, source: Any, before: Form | None) -> list[FieldError]:
    """Return all that forbids publishing a definition.

    Args:
        text: the definition as it is kept, of which ``source`` is the JSON.
        before: the version before, whose answers this one must be able to take over.
    """
    if len(text) > CHARACTERS_MAX:
        return [FieldError("definition", "wrong_length", {"least": 0, "most": CHARACTERS_MAX})]
    faults = shape_faults(source) or [*_read_faults(source), *forbidden_faults(source)]
    if faults:
        return faults
    form = read_form(text)
    named = list(_name_faults(form))
    return named or [
        *_sort_faults(form), *_cycle_faults(form), *step_faults(form, before),
    ]  # fmt: skip


def _read_faults(source: Json) -> Iterator[FieldError]:
    """Find what does not fit together within one question, and expressions that do not read."""
    for place, question in enumerate(source["questions"]):
        path = f"questions/{place}"
        yield from _fit_faults(question, path)
        for name, expression in _sources(question):
            try:
                expressions.read(expression)
            except Invalid as fault:
                yield FieldError(f"{path}/{name}", fault.code, fault.limits)


def _fit_faults(question: Json, path: str) -> Iterator[FieldError]:
    kind = question["type"]
    for name, kinds in _FIT.items():
        if name in question and kind not in kinds:
            yield FieldError(f"{path}/{name}", "does_not_fit", {"type": kind})
    if kind in ("note", "calculate"):
        shown = [name for name in _NOT_FOR_SHOWN if name in question]
        yield from (FieldError(f"{path}/{one}", "does_not_fit", {"type": kind}) for one in shown)
    needed = "choices" if kind in _FIT["choices"] else "calculation"
    if kind in (*_FIT["choices"], "calculate") and needed not in question:
        yield FieldError(f"{path}/{needed}", "required")
    if question.get("privacy", OPEN_CLASS) != OPEN_CLASS and "purpose" not in question:
        yield FieldError(f"{path}/purpose", "purpose_missing")
    if question.get("least", 0) > question.get("most", question.get("least", 0)):
        yield FieldError(f"{path}/most", "out_of_range", {"least": question["least"], "most": "…"})
    if kind == "text" and not 1 <= question.get("most", 1) <= 2000:
        yield FieldError(f"{path}/most", "out_of_range", {"least": 1, "most": 2000})
    values = Counter(one["value"] for one in question.get("choices", ()))
    for value in (one for one, times in values.items() if times > 1):
        yield FieldError(f"{path}/choices", "name_twice", {"name": value})


def _sources(question: Json) -> Iterator[tuple[str, Any]]:
    """Yield the expressions of a question as they are written, with where they stand."""
    for name in ("relevant", "required", "calculation"):
        if name in question:
            yield name, question[name]
    if "constraint" in question:
        yield "constraint/holds", question["constraint"]["holds"]


def _name_faults(form: Form) -> Iterator[FieldError]:
    """Find names that stand for two things."""
    seen: set[str] = set()
    for place, question in enumerate(form.questions):
        own = {question.name} | ({question.name + NOTE_OF} if question.type == "check" else set())
        if own & seen:
            yield FieldError(f"questions/{place}/name", "name_twice", {"name": question.name})
        seen |= own


def _sort_faults(form: Form) -> Iterator[FieldError]:
    """Find expressions that read what is not there, or come to what they should not."""
    for place, question in enumerate(form.questions):
        for name, expression in _expressions(question):
            wanted = _SORT_OF_RESULT[question.result] if name == "calculation" else "truth"
            yield from _sort_fault(form, f"questions/{place}/{name}", expression, wanted)


def _sort_fault(form: Form, path: str, one: Expression, wanted: str) -> Iterator[FieldError]:
    try:
        found = one.sorts(form.data_schema)
    except Invalid as fault:
        yield FieldError(path, fault.code, fault.limits)
    else:
        if not found <= {wanted}:
            yield FieldError(path, "wrong_result", {"wanted": wanted, "found": sorted(found)})


def _expressions(question: Question) -> Iterator[tuple[str, Expression]]:
    if question.relevant:
        yield "relevant", question.relevant
    if isinstance(question.required, Expression):
        yield "required", question.required
    if question.calculation:
        yield "calculation", question.calculation
    if question.constraint:
        yield "constraint/holds", question.constraint.holds


def _cycle_faults(form: Form) -> Iterator[FieldError]:
    try:
        form.order  # noqa: B018
    except CycleError as fault:
        yield FieldError("questions", "cycle", {"names": list(fault.args[1])})
