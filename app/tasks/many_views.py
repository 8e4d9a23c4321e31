"""The office's view of many tasks at once: batches with their roll-up, and recurring rules."""

from datetime import date
from typing import Any
from uuid import UUID

from marshmallow import Schema, ValidationError, fields, post_load, validate, validates_schema

from app.core.actor import current_actor
from app.core.bounds import day_field, moment_field
from app.core.database import Mode, current_session
from app.core.moments import now_ms
from app.core.pagination import PageQuery, page
from app.core.web import Blueprint
from app.office.writing import idempotency_key
from app.tasks import batches, task_rules
from app.tasks.batches import Wish
from app.tasks.handing_out import POOL, WORKERS, moment
from app.tasks.recurring import EVERY, EVERY_MAX, MONTHLY, PATTERNS, WEEKLY, Pattern, today_of
from app.tasks.task_rules import NewRule

blueprint = Blueprint(
    "many tasks", __name__, url_prefix="/api/v1", description="Many tasks in one act, and again"
)
NAMED_MAX = 1_000
ID_MAX = 2**53
DAYS_MAX = 3_660


class TaskErrandIn(Schema):
    """What everybody is asked to do."""

    task_kind = fields.String(required=True, validate=validate.Length(1, 40))
    title = fields.String(
        load_default=None, validate=validate.Length(1, 120),
        metadata={"description": "left out: the name of the kind of task"},
    )  # fmt: skip
    instructions = fields.String(load_default=None, validate=validate.Length(max=2000))
    assign = fields.String(
        load_default=WORKERS, validate=validate.OneOf((WORKERS, POOL)),
        metadata={"description": "to the worker of each grid, or to the pool to be claimed"},
    )  # fmt: skip
    unseen_days = fields.Integer(
        strict=True, load_default=None, validate=validate.Range(1, DAYS_MAX),
        metadata={"description": "only households that nobody has looked at for so many days"},
    )  # fmt: skip


class TaskWishIn(TaskErrandIn):
    """Tasks for a list of grids or households, or for all of an area."""

    due_at = moment_field(load_default=None)
    area = fields.Integer(strict=True, load_default=None, validate=validate.Range(1, ID_MAX))
    grids = fields.List(
        fields.Integer(strict=True, validate=validate.Range(1, ID_MAX)),
        load_default=(), validate=validate.Length(1, NAMED_MAX),
    )  # fmt: skip
    households = fields.List(fields.UUID(), load_default=(), validate=validate.Length(1, NAMED_MAX))

    @validates_schema
    def _one_place(self, values: dict[str, Any], **_: Any) -> None:
        named = [name for name in ("area", "grids", "households") if values.get(name)]
        if len(named) != 1:
            raise ValidationError("Give area, grids or households.", "area")
        if values.get("unseen_days") is not None and named != ["area"]:
            raise ValidationError("Give it with an area.", "unseen_days")

    @post_load
    def _build(self, values: dict[str, Any], **_: Any) -> Wish:
        named = tuple(str(one) for one in values.pop("households"))
        return Wish(**{**values, "grids": tuple(values["grids"])}, households=named)


class TaskPreviewOut(Schema):
    """How many tasks there would be."""

    tasks = fields.Integer(required=True)
    grids = fields.Integer(required=True)
    unserved = fields.Integer(
        required=True, metadata={"description": "of them in grids that nobody serves: to the pool"}
    )


class TaskBatchOut(Schema):
    """Tasks that were assigned in one act."""

    id = fields.UUID(required=True)
    way = fields.String(required=True, validate=validate.OneOf((*batches.WAYS, task_rules.RULE)))
    area_id = fields.Integer(required=True)
    task_kind = fields.String(required=True)
    title = fields.String(required=True)
    tasks = fields.Integer(required=True)
    unserved = fields.Integer(required=True)
    rule_id = fields.UUID(required=True, allow_none=True)
    day = fields.Date(required=True, allow_none=True)
    made_by = fields.Integer(required=True)
    made = fields.AwareDateTime(required=True)


class TasksBelowOut(Schema):
    """How far the tasks below one area have come."""

    area_id = fields.Integer(required=True)
    name = fields.String(required=True)
    tasks = fields.Integer(required=True)
    states = fields.Dict(keys=fields.String(), values=fields.Integer(), required=True)


class TaskRollUpOut(Schema):
    """How far the tasks of a batch have come, for each area right below one."""

    batch = fields.Nested(TaskBatchOut, required=True)
    area_id = fields.Integer(required=True)
    states = fields.Dict(keys=fields.String(), values=fields.Integer(), required=True)
    below = fields.List(fields.Nested(TasksBelowOut), required=True)


class TaskRollUpQuery(Schema):
    """Whose children to show."""

    area = fields.Integer(load_default=None, validate=validate.Range(1, ID_MAX))


class TaskBatchCancelIn(Schema):
    """Why the tasks are not to be done."""

    reason = fields.String(required=True, validate=validate.Length(1, 500))


class TasksCancelledOut(Schema):
    """How many tasks were cancelled; those that were done or over stay."""

    cancelled = fields.Integer(required=True)


class TaskRuleIn(TaskErrandIn):
    """A task that comes again."""

    area = fields.Integer(required=True, strict=True, validate=validate.Range(1, ID_MAX))
    pattern = fields.String(required=True, validate=validate.OneOf(PATTERNS))
    days = fields.List(
        fields.Integer(strict=True, validate=validate.Range(1, 31)), load_default=(),
        validate=validate.Length(max=31),
        metadata={"description": "weekly: 1 is Monday; monthly: a short month ends earlier"},
    )  # fmt: skip
    every = fields.Integer(strict=True, load_default=1, validate=validate.Range(1, EVERY_MAX))
    shifts = fields.Boolean(
        truthy={True}, falsy={False}, load_default=False,
        metadata={"description": "what falls on a day off comes on the next working day"},
    )  # fmt: skip
    starts = day_field(load_default=None)
    ends = day_field(load_default=None, metadata={"description": "the last day"})
    due_days = fields.Integer(strict=True, required=True, validate=validate.Range(0, 366))

    @validates_schema
    def _days_fit(self, values: dict[str, Any], **_: Any) -> None:
        pattern, days = values["pattern"], values["days"]
        if (pattern in (WEEKLY, MONTHLY)) != bool(days) or (pattern == WEEKLY and max(days) > 7):
            raise ValidationError("Days belong to weekly (1 to 7) and monthly (1 to 31).", "days")
        if pattern != EVERY and values["every"] != 1:
            raise ValidationError("It belongs to the pattern `every`.", "every")


class TaskRuleOut(Schema):
    """A rule of recurring tasks."""

    id = fields.UUID(required=True)
    area_id = fields.Integer(required=True)
    task_kind = fields.String(required=True)
    title = fields.String(required=True)
    pattern = fields.String(required=True)
    days = fields.Function(lambda rule: sorted(task_rules.pattern_of(rule).days))
    every = fields.Integer(required=True)
    shifts = fields.Boolean(required=True)
    starts = fields.Date(required=True)
    ends = fields.Date(required=True, allow_none=True)
    due_days = fields.Integer(required=True)
    assign = fields.String(required=True)
    unseen_days = fields.Integer(required=True, allow_none=True)
    made_by = fields.Integer(required=True)
    ended_at = fields.AwareDateTime(required=True, allow_none=True)


@blueprint.route("/task-batches/preview", methods=["POST"])
@blueprint.guard("task.create")
@blueprint.arguments(TaskWishIn)
@blueprint.response(200, TaskPreviewOut)
def preview_batch(wish: Wish) -> Any:
    """Count the tasks that a wish would make, and make none."""
    return batches.preview(current_session(), current_actor(), wish)


@blueprint.route("/task-batches", methods=["POST"])
@blueprint.guard("task.create", Mode.WRITE)
@blueprint.arguments(TaskWishIn)
@blueprint.response(201, TaskBatchOut)
def create_batch(wish: Wish) -> Any:
    """Hand out a task to every grid of an area, to a list, or to households long unseen."""
    return batches.create(current_session(), current_actor(), wish, key=idempotency_key())


@blueprint.route("/task-batches")
@blueprint.guard("task.list")
@blueprint.arguments(PageQuery, location="query")
@blueprint.response(200, TaskBatchOut(many=True))
def list_batches(query: dict[str, Any]) -> Any:
    """List what was handed out in one act within your area."""
    rows = batches.listed(current_session(), current_actor(), **query)
    return page(rows, query["limit"], lambda row: (row.id,))


@blueprint.route("/task-batches/<uuid:batch>")
@blueprint.guard("task.list")
@blueprint.arguments(TaskRollUpQuery, location="query")
@blueprint.response(200, TaskRollUpOut)
def roll_up_batch(query: dict[str, Any], batch: UUID) -> Any:
    """Show how far the tasks of a batch have come, area by area."""
    return batches.rolled_up(current_session(), current_actor(), str(batch), query["area"])


@blueprint.route("/task-batches/<uuid:batch>/cancellation", methods=["POST"])
@blueprint.guard("task.cancel", Mode.WRITE)
@blueprint.arguments(TaskBatchCancelIn)
@blueprint.response(200, TasksCancelledOut)
def cancel_batch(body: dict[str, str], batch: UUID) -> Any:
    """Cancel all tasks of a batch that nobody has done yet."""
    session, actor = current_session(), current_actor()
    return {"cancelled": batches.cancel(session, actor, str(batch), body["reason"])}


@blueprint.route("/task-rules", methods=["POST"])
@blueprint.guard("task.create", Mode.WRITE)
@blueprint.arguments(TaskRuleIn)
@blueprint.response(201, TaskRuleOut)
def create_rule(body: dict[str, Any]) -> Any:
    """Let a task come again by the calendar."""
    new = NewRule(_wish_of(body), _pattern_of(body), body["due_days"])
    return task_rules.create(current_session(), current_actor(), new, key=idempotency_key())


def _wish_of(body: dict[str, Any]) -> Wish:
    names = ("task_kind", "assign", "title", "instructions", "area", "unseen_days")
    return Wish(**{name: body[name] for name in names})


def _pattern_of(body: dict[str, Any]) -> Pattern:
    starts: date = body["starts"] or today_of(moment(now_ms()))
    return Pattern(body["pattern"], starts, body["ends"], frozenset(body["days"]), body["every"],
                   shifts=body["shifts"])  # fmt: skip


@blueprint.route("/task-rules")
@blueprint.guard("task.list")
@blueprint.arguments(PageQuery, location="query")
@blueprint.response(200, TaskRuleOut(many=True))
def list_rules(query: dict[str, Any]) -> Any:
    """List the rules of your area, ended ones too."""
    rows = task_rules.listed(current_session(), current_actor(), **query)
    return page(rows, query["limit"], lambda row: (row.id,))


@blueprint.route("/task-rules/<uuid:rule>", methods=["DELETE"])
@blueprint.guard("task.cancel", Mode.WRITE)
@blueprint.response(204)
def end_rule(rule: UUID) -> Any:
    """End a rule now; the tasks that it has made stay."""
    task_rules.end(current_session(), current_actor(), str(rule))
