"""Forms on the phone: fetched once while there is a network, filled in without one."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from app.core.identifiers import new_id
from app.core.moments import as_text
from app.forms import services
from app.forms.answers import ROOT, Filled, Finding, fill, not_ok
from app.forms.definitions import CHECK_RESULTS, NOTE_OF, Cell, Form, Part, Question, read_form
from app.phone.acts import Place, WrongStep
from app.phone.client import Phone
from app.phone.line import Refused
from sync.errors import FieldError
from sync.replica_tables import Row
from sync.wire import NotJson, read_json

KEPT = "forms"
TEXTS = ("text", "date", "choice", "check")


class NoForm(Exception):
    """The task has no form, or the phone has not received it yet."""

    def __init__(self, name: str | None) -> None:
        super().__init__(name)
        self.name = name


class WrongAnswers(Exception):
    """Answers that the server would only park."""

    def __init__(self, faults: Sequence[FieldError]) -> None:
        super().__init__()
        self.faults = services.explained(faults)


def fetch(phone: Phone) -> int:
    """Fetch the forms of all tasks that are not here yet; return how many came.

    Raises:
        Away: the line broke; what has come stays.
    """
    here: dict[str, Any] = phone.replica.memory.recall(KEPT, {})
    wanted = {name for row in phone.replica.rows("task").values() if (name := _name(row))}
    missing = sorted(wanted - here.keys())
    for name in missing:
        try:
            here[name] = phone.ask("GET", f"/forms/{name}").body["definition"]
        except Refused:
            # It was taken away from this phone's sight; the task is shown without it.
            continue
        phone.replica.memory.keep(**{KEPT: here})
    return len(missing)


def form_of(phone: Phone, task: Row) -> Form:
    """Return the form of a task.

    Raises:
        NoForm: it has none, or it is not on this phone.
    """
    name = _name(task)
    definition = phone.replica.memory.recall(KEPT, {}).get(name)
    if definition is None:
        raise NoForm(name)
    return read_form(services.as_text(definition))


def _name(task: Row) -> str | None:
    key, version = task.values.get("form"), task.values.get("form_version")
    return f"{key}/{version}" if key and version else None


def answer(phone: Phone, task: Row, said: Mapping[str, str]) -> Filled:
    """Keep answers to the form of one's own task beside those that are there.

    Raises:
        NoForm, WrongStep: there is nothing to fill in, or it is somebody else's.
        WrongAnswers: one of them is none.
    """
    if task.values.get("assignee") != phone.user["id"]:
        raise WrongStep(task.values["state"], mine=False)
    form = form_of(phone, task)
    filled = fill(form, written(form, task.values.get("answers") or {}, said))
    if filled.wrong:
        raise WrongAnswers(filled.faults)
    phone.edit("update", "task", task.rec, {"answers": dict(filled.values)})
    return filled


def check_complete(phone: Phone, task: Row) -> None:
    """See that a task may be done, as far as its form goes; without the form nobody can tell.

    Raises:
        WrongAnswers: something is missing.
    """
    try:
        filled = fill(form_of(phone, task), task.values.get("answers") or {})
    except NoForm:
        return
    if filled.faults:
        raise WrongAnswers(filled.faults)


def raise_incident(phone: Phone, task: Row, *, category: str, place: Place) -> str | None:
    """Report what a checklist found not in order as one incident; None when all is well.

    Raises:
        NoForm: there is nothing to go by.
    """
    answers = task.values.get("answers") or {}
    faulty = not_ok(form_of(phone, task), answers)
    if not faulty:
        return None
    lines = [_line_of(one) for one in faulty]
    raised = new_id()
    phone.edit("create", "incident", raised, {
        "category": category, "text": "\n".join(lines), "point": list(place), "accuracy_m": 10,
        "point_source": "gps", "state": "reported", "round": 0, "photo_count": 0,
        "no_photo_reason": "来自检查清单 / from a checklist",
        "seen_at": as_text(phone.clock().wall_ms),
    })  # fmt: skip
    phone.edit("update", "task", task.rec, {"raised_incident": raised})
    return raised


def _line_of(found: Finding) -> str:
    row = f"（第 {found.row} 项）" if found.row else ""
    return f"{found.question.label.zh}{row}：{found.note}"


def written(form: Form, there: Mapping[str, Any], said: Mapping[str, str]) -> dict[str, Any]:
    """Return answers with what is typed in: ``name``, or ``rooms/0/name`` in the first row.

    A row after the last one is added; ``rooms/0`` without a value takes that row away.

    Raises:
        WrongAnswers: rows that would not follow one another.
    """
    answers = dict(there)
    for name, text in said.items():
        repeat, *rest = name.split("/", 2)
        part = form.cells[repeat].question.rows if repeat in form.cells else None
        if part and rest and rest[0].isdecimal():
            rows: list[Any] = [dict(row) for row in answers.get(repeat) or ()]
            number = _row_for(repeat, rest[0], rows, text)
            if len(rest) == 1:
                rows[number : number + 1] = [text] if text.strip() else []
            else:
                rows[number][rest[1]] = _typed(part.cells.get(rest[1]), text)
            answers[repeat] = rows
        else:
            answers[name] = _typed(form.cells.get(name), text)
    return answers


def _row_for(repeat: str, place: str, rows: list[Any], text: str) -> int:
    """Return the number of the row to write in; the next one is added for an answer.

    Raises:
        WrongAnswers: there is no such row, nor would it be the next.
    """
    number = int(place[:4])
    if number == len(rows) and text.strip():
        rows.append({})
    if number >= len(rows):
        fault = FieldError(f"{ROOT}/{repeat}/{number}", "no_such_row", {"row": number})
        raise WrongAnswers([fault])
    return number


def _typed(cell: Cell | None, text: str) -> Any:
    """Read an answer as it is typed: texts as they are, all else as JSON, lists by commas."""
    if cell is None or cell.is_note or cell.question.type in TEXTS:
        return text
    if cell.question.type == "choices":
        return [one.strip() for one in text.split(",") if one.strip()]
    try:
        return read_json(text)
    except NotJson:
        return text


def lines(form: Form, answers: Mapping[str, Any]) -> list[str]:
    """Return a form as it stands: the questions that are asked, with their answers."""
    filled = fill(form, answers)
    shown = [f"{form.title.zh} / {form.title.en}"]
    return [*shown, *_lines(form, filled.values, filled.relevant, "")]


def _lines(
    part: Part, values: Mapping[str, Any], asked: Collection[str], path: str
) -> Iterator[str]:
    """Yield the questions of a form, or of a row, under the titles of their groups."""
    titled: set[str] = set()
    for one in part.questions:
        if path + one.name not in asked:
            continue
        for section in one.sections:
            if section.place not in titled:
                titled.add(section.place)
                yield f"  —— {section.label.zh} / {section.label.en}"
        yield f"  {path}{_line(one, values)}"
        if one.rows:
            for number, row in enumerate(values.get(one.name, ())):
                yield from _lines(one.rows, row, asked, f"{path}{one.name}/{number}/")


def _line(one: Question, values: Mapping[str, Any]) -> str:
    value, note = values.get(one.name), values.get(one.name + NOTE_OF)
    words = f"{one.name}: {one.label.zh} / {one.label.en}"
    if value is not None:
        said = f"{len(value)} 项 / rows" if one.rows else value
        return f"{words} = {said}" + (f"（{note}）" if note else "")
    choices = "|".join(one.choices or (CHECK_RESULTS if one.type == "check" else ()))
    choices = f"{one.name}/0/…" if one.rows else choices
    return words + (f"  [{choices}]" if choices else "") + (" *" if one.required is True else "")
