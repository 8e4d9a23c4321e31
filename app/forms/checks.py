"""What a definition must be before it may be published: all faults at once, each by its path."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from graphlib import CycleError
from typing import Any

from app.forms import expressions
from app.forms.definitions import NOTE_OF, OPEN_CLASS, Form, Json, Part, Question, read_form
from app.forms.expressions import Expression
from app.forms.forbidden import forbidden_faults
from app.forms.shape import GROUP, REPEAT, Line, lines_of, shape_faults
from app.forms.translation import step_faults
from app.forms.value_schemas import ROWS_MAX
from sync.errors import FieldError
from sync.values import Invalid

CHARACTERS_MAX = 64 * 1024
QUESTIONS_MAX = 100
_FIT: Mapping[str, Sequence[str]] = {
    "choices": ("choice", "choices"), "calculation": ("calculate",), "result": ("calculate",),
    "least": ("integer", "decimal", REPEAT), "most": ("integer", "decimal", "text", REPEAT),
    "note_required": ("check",), "questions": (GROUP, REPEAT),
}  # fmt: skip
_UNFIT: Mapping[str, Sequence[str]] = {
    "note": ("required", "constraint"), "calculate": ("required", "constraint"),
    GROUP: ("required", "constraint", "privacy", "purpose"),
    REPEAT: ("constraint", "privacy", "purpose"),
}  # fmt: skip
_NEEDED: Mapping[str, str] = {
    "choice": "choices", "choices": "choices", "calculate": "calculation",
    GROUP: "questions", REPEAT: "questions",
}  # fmt: skip
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
    named = list(_name_faults(source))
    return named or [
        *_sort_faults(form), *_cycle_faults(form), *step_faults(form, before),
    ]  # fmt: skip


def _read_faults(source: Json) -> Iterator[FieldError]:
    """Find what does not fit together within one question, and expressions that do not read."""
    lines = list(lines_of(source["questions"]))
    if len(lines) > QUESTIONS_MAX:
        yield FieldError("questions", "too_many", {"most": QUESTIONS_MAX})
    for line in lines:
        yield from _place_faults(line)
        yield from _fit_faults(line.source, line.place)
        for name, expression in _sources(line.source):
            try:
                expressions.read(expression)
            except Invalid as fault:
                yield FieldError(f"{line.place}/{name}", fault.code, fault.limits)


def _place_faults(line: Line) -> Iterator[FieldError]:
    """Find rows within rows, and repeats of too many rows."""
    if line.source["type"] != REPEAT:
        return
    if line.repeated:
        yield FieldError(f"{line.place}/type", "repeat_in_repeat")
    limits = {"least": line.source.get("least", 0), "most": line.source.get("most", 1)}
    for name, limit in limits.items():
        smallest = 1 if name == "most" else 0
        if not smallest <= limit <= ROWS_MAX or limit != int(limit):
            yield FieldError(f"{line.place}/{name}", "out_of_range",
                             {"least": smallest, "most": ROWS_MAX})  # fmt: skip


def _fit_faults(question: Json, path: str) -> Iterator[FieldError]:
    kind = question["type"]
    for name, kinds in _FIT.items():
        if name in question and kind not in kinds:
            yield FieldError(f"{path}/{name}", "does_not_fit", {"type": kind})
    unfit = [name for name in _UNFIT.get(kind, ()) if name in question]
    yield from (FieldError(f"{path}/{one}", "does_not_fit", {"type": kind}) for one in unfit)
    needed = _NEEDED.get(kind)
    if needed is not None and needed not in question:
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


def _name_faults(source: Json) -> Iterator[FieldError]:
    """Find names that stand for two things, wherever they stand."""
    seen: set[str] = set()
    for line in lines_of(source["questions"]):
        name = line.source["name"]
        own = {name} | ({name + NOTE_OF} if line.source["type"] == "check" else set())
        if own & seen:
            yield FieldError(f"{line.place}/name", "name_twice", {"name": name})
        seen |= own


def _sort_faults(form: Form) -> Iterator[FieldError]:
    """Find expressions that read what is not there, or come to what they should not."""
    for part, sight in _sights(form):
        sections = {one.place: one for question in part.questions for one in question.sections}
        for place, section in sections.items():
            if section.relevant:
                yield from _sort_fault(sight, f"{place}/relevant", section.relevant, "truth")
        for question in part.questions:
            for name, expression in _expressions(question):
                wanted = _SORT_OF_RESULT[question.result] if name == "calculation" else "truth"
                yield from _sort_fault(sight, f"{question.place}/{name}", expression, wanted)


def _sights(form: Form) -> Iterator[tuple[Part, Json]]:
    """Yield the form and the rows of its repeats, each with the schema of what it sees."""
    yield form, sight_of(form, None)
    for one in form.questions:
        if one.rows:
            yield one.rows, sight_of(form, one.rows)


def sight_of(form: Form, rows: Part | None) -> Json:
    """Return the JSON Schema of what the expressions of a form, or of some rows, see."""
    within = rows.sight if rows else {}
    return {"type": "object", "properties": {**form.sight, **within}}


def _sort_fault(sight: Json, path: str, one: Expression, wanted: str) -> Iterator[FieldError]:
    try:
        found = one.sorts(sight)
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
    for part, _ in _sights(form):
        try:
            part.order  # noqa: B018
        except CycleError as fault:
            yield FieldError("questions", "cycle", {"names": list(fault.args[1])})
