"""The office's view of tasks: assign them, see where they wait, settle them."""

from typing import Any
from uuid import UUID

import sqlalchemy as sa
from marshmallow import Schema, fields, validate

from app.core.actor import current_actor
from app.core.bounds import moment_field
from app.core.database import Mode, current_session
from app.core.moments import now_ms
from app.core.pagination import PageQuery, page
from app.core.web import Blueprint
from app.office import writing
from app.office.reading import list_records, read_record, with_etag
from app.office.schemas import in_schema, out_schema
from app.tasks import services
from app.tasks.evidence_words import why
from app.tasks.models import Task
from app.tasks.rules import OPEN_STATES, STATES
from app.tasks.standing import may_act, to_do

blueprint = Blueprint("tasks", __name__, url_prefix="/api/v1", description="Tasks of workers")

TaskOut = out_schema(Task, "Task")
PROGRESS = (
    "state", "round", "report_text", "report_count", "photo_count", "no_photo_reason",
    "answers", "no_answers_reason", "raised_incident", "unchanged",
)  # fmt: skip
TaskNew = in_schema(Task, "TaskNew", creating=True, without=PROGRESS)
TaskChange = in_schema(Task, "TaskChange", creating=False, without=PROGRESS)


class TaskQuery(PageQuery):
    """Which tasks to list."""

    grid = fields.Integer(load_default=None, validate=validate.Range(1, 2**53))
    state = fields.String(load_default=None, validate=validate.OneOf([*STATES, "open"]))
    assignee = fields.Integer(load_default=None, validate=validate.Range(1, 2**53))
    task_kind = fields.String(load_default=None, validate=validate.Length(1, 40))
    due_before = moment_field(load_default=None)
    household = fields.UUID(load_default=None)
    batch = fields.UUID(load_default=None)


class MoveBody(Schema):
    """A step of the workflow."""

    state = fields.String(required=True, validate=validate.OneOf(STATES))
    reason = fields.String(validate=validate.Length(1, 500))
    report_text = fields.String(validate=validate.Length(max=2000))
    report_count = fields.Integer(strict=True, validate=validate.Range(0, 100_000))
    photo_count = fields.Integer(strict=True, validate=validate.Range(0, 20))
    no_photo_reason = fields.String(validate=validate.Length(1, 200))
    answers = fields.Dict(keys=fields.String(), validate=validate.Length(max=200))
    no_answers_reason = fields.String(validate=validate.Length(1, 200))
    raised_incident = fields.String(validate=validate.Length(equal=36))
    unchanged = fields.Boolean(
        truthy={True}, falsy={False},
        metadata={"description": "nothing has changed at the household: a whole answer by itself"},
    )  # fmt: skip
    assignee = fields.Integer(
        strict=True, validate=validate.Range(1, 2**53),
        metadata={"description": "who gets it, when it is assigned again"},
    )  # fmt: skip


class TaskKindOut(Schema):
    """A kind of task."""

    code = fields.String()
    name_zh = fields.String()
    name_en = fields.String()
    target = fields.String()
    default_due_days = fields.Integer()
    result_type = fields.String()
    photo = fields.String()
    photo_why_zh = fields.Function(lambda kind: why(kind.photo).zh)
    photo_why_en = fields.Function(lambda kind: why(kind.photo).en)
    note = fields.String()
    remind_before_hours = fields.Integer()


@blueprint.route("/task-kinds")
@blueprint.guard("codelist.read")
@blueprint.response(200, TaskKindOut(many=True))
def list_task_kinds() -> Any:
    """List the kinds of task."""
    return services.kinds(current_session())


@blueprint.route("/tasks")
@blueprint.guard("task.list")
@blueprint.arguments(TaskQuery, location="query")
@blueprint.response(200, TaskOut(many=True))
def list_tasks(query: dict[str, Any]) -> Any:
    """List tasks: a worker sees his own, the office those of its area."""
    actor = current_actor()
    rows = list_records(
        current_session(), actor, Task, "task.list", limit=query["limit"],
        cursor=query["cursor"], filters=_filters(query), own=to_do(actor, now_ms()),
    )  # fmt: skip
    return page(rows, query["limit"], lambda row: (row["id"],))


def _filters(query: dict[str, Any]) -> list[sa.ColumnElement[bool]]:
    wanted: list[sa.ColumnElement[bool]] = []
    for name in ("grid", "assignee", "task_kind"):
        if query[name] is not None:
            wanted.append(getattr(Task, name) == query[name])
    for name in ("household", "batch"):
        if query[name]:
            wanted.append(getattr(Task, name) == str(query[name]))
    if query["state"]:
        states = OPEN_STATES if query["state"] == "open" else (query["state"],)
        wanted.append(Task.state.in_(states))
    if query["due_before"]:
        wanted.append(Task.due_at < query["due_before"])
    return wanted


@blueprint.route("/tasks/<uuid:record>")
@blueprint.guard("task.read")
@blueprint.response(200, TaskOut)
@blueprint.alt_response(304, description="You have this version")
def read_task(record: UUID) -> Any:
    """Read one task."""
    return with_etag(_read(str(record)))


def _read(record: str) -> dict[str, Any]:
    actor = current_actor()
    return read_record(
        current_session(), actor, Task, record, "task.read",
        own_when=lambda task: may_act(actor, task, now_ms()),
    )  # fmt: skip


@blueprint.route("/tasks", methods=["POST"])
@blueprint.guard("task.create", Mode.WRITE)
@blueprint.arguments(TaskNew)
@blueprint.response(201, TaskOut)
def create_task(body: dict[str, Any]) -> Any:
    """Assign a task; every phone of the grid learns of it at its next contact."""
    session, actor = current_session(), current_actor()
    return _read(services.create(session, actor, body))


@blueprint.route("/tasks/<uuid:record>", methods=["PATCH"])
@blueprint.guard("task.update", Mode.WRITE)
@blueprint.arguments(TaskChange)
@blueprint.response(200, TaskOut)
def change_task(body: dict[str, Any], record: UUID) -> Any:
    """Change a task of which you saw the version in If-Match."""
    shown = _read(str(record))
    writing.change_seen(current_session(), current_actor(), "task", shown, body)
    return with_etag(_read(str(record)))


@blueprint.route("/tasks/<uuid:record>/moves", methods=["POST"])
@blueprint.guard("task.read", Mode.WRITE)
@blueprint.arguments(MoveBody)
@blueprint.response(200, TaskOut)
def move_task(body: dict[str, Any], record: UUID) -> Any:
    """Take a task one step on: accept, start, report, verify, return, cancel."""
    services.move(current_session(), current_actor(), _read(str(record)), body)
    return with_etag(_read(str(record)))
