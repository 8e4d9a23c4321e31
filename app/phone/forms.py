"""Forms on the phone: fetched once while there is a network, filled in without one."""

from collections.abc import Mapping
from typing import Any

from app.core.identifiers import new_id
from app.core.moments import as_text
from app.forms import services
from app.forms.answers import Filled, fill, not_ok
from app.forms.definitions import CHECK_RESULTS, NOTE_OF, Form, read_form
from app.phone.acts import Place, WrongStep
from app.phone.client import Phone
from app.phone.line import Refused
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

    def __init__(self, filled: Filled) -> None:
        super().__init__()
        self.faults = services.explained(filled.faults)


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
    there = task.values.get("answers") or {}
    filled = fill(form, {**there, **{name: _typed(form, name, text)
                                     for name, text in said.items()}})  # fmt: skip
    if filled.wrong:
        raise WrongAnswers(filled)
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
        raise WrongAnswers(filled)


def raise_incident(phone: Phone, task: Row, *, category: str, place: Place) -> str | None:
    """Report what a checklist found not in order as one incident; None when all is well.

    Raises:
        NoForm: there is nothing to go by.
    """
    answers = task.values.get("answers") or {}
    faulty = not_ok(form_of(phone, task), answers)
    if not faulty:
        return None
    lines = [f"{one.label.zh}：{answers.get(one.name + NOTE_OF, '')}" for one in faulty]
    raised = new_id()
    phone.edit("create", "incident", raised, {
        "category": category, "text": "\n".join(lines), "point": list(place), "accuracy_m": 10,
        "point_source": "gps", "state": "reported", "round": 0, "photo_count": 0,
        "no_photo_reason": "来自检查清单 / from a checklist",
        "seen_at": as_text(phone.clock().wall_ms),
    })  # fmt: skip
    phone.edit("update", "task", task.rec, {"raised_incident": raised})
    return raised


def _typed(form: Form, name: str, text: str) -> Any:
    """Read an answer as it is typed: texts as they are, all else as JSON, lists by commas."""
    cell = form.cells.get(name)
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
    for one in form.questions:
        if one.name not in filled.relevant:
            continue
        value = filled.values.get(one.name)
        note = filled.values.get(one.name + NOTE_OF)
        choices = "|".join(one.choices or (CHECK_RESULTS if one.type == "check" else ()))
        said = "" if value is None else f" = {value}" + (f"（{note}）" if note else "")
        hint = f"  [{choices}]" if choices and value is None else ""
        needed = " *" if one.required is True and value is None else ""
        shown.append(f"  {one.name}: {one.label.zh} / {one.label.en}{said}{hint}{needed}")
    return shown
