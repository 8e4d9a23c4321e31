"""The office's way to let households move in and out, split, merge and be corrected."""

from typing import Any
from uuid import UUID

from marshmallow import Schema, fields, validate

from app.core.actor import current_actor
from app.core.database import Mode, current_session
from app.core.pagination import PageQuery, page
from app.core.web import Blueprint
from app.households.act_models import PEOPLE_MAX, HouseholdAct
from app.households.verbs import VERBS
from app.office import writing
from app.office.reading import list_records, read_record
from app.office.schemas import out_schema
from sync.acts import DONE, UNDONE

blueprint = Blueprint(
    "acts", __name__, url_prefix="/api/v1", description="What households go through"
)

ActOut = out_schema(HouseholdAct, "HouseholdAct")


class ActIn(Schema):
    """What happens to a household."""

    id = fields.UUID(metadata={"description": "of yours; left out, the server makes one"})
    verb = fields.String(required=True, validate=validate.OneOf(VERBS))
    other = fields.UUID(
        metadata={"description": "where people come from or go to; of a split, the new id"}
    )
    people = fields.List(fields.UUID(), validate=validate.Length(max=PEOPLE_MAX))
    changes = fields.Dict(metadata={"description": "facts of the household that change"})
    reason = fields.String(validate=validate.Length(1, 200))
    dry_run = fields.Boolean(
        load_default=False, truthy={True}, falsy={False},
        metadata={"description": "do everything, tell what it did, and undo it"},
    )  # fmt: skip


@blueprint.route("/households/<uuid:household>/acts", methods=["POST"])
@blueprint.guard("household.update", Mode.WRITE)
@blueprint.arguments(ActIn)
@blueprint.response(201, ActOut)
def act(body: dict[str, Any], household: UUID) -> Any:
    """Let something happen to a household as one act, or see beforehand what it would do."""
    session, actor, dry = current_session(), current_actor(), body.pop("dry_run")
    said = {name: _plain(value) for name, value in body.items()}
    values = {**said, "household": str(household), "state": DONE}
    record = writing.create(session, actor, "household_act", values)
    shown = read_record(session, actor, HouseholdAct, record, "household.read")
    if dry:
        session.rollback()
    return shown


@blueprint.route("/household-acts/<uuid:record>/undo", methods=["POST"])
@blueprint.guard("household.update", Mode.WRITE)
@blueprint.response(200, ActOut)
def undo(record: UUID) -> Any:
    """Undo an act, if all that it changed still stands as it left it."""
    session, actor = current_session(), current_actor()
    shown = read_record(session, actor, HouseholdAct, str(record), "household.read")
    writing.change(session, actor, "household_act", str(record), {"state": UNDONE},
                   base=shown["rv"])  # fmt: skip
    return read_record(session, actor, HouseholdAct, str(record), "household.read")


@blueprint.route("/households/<uuid:household>/acts")
@blueprint.guard("household.list")
@blueprint.arguments(PageQuery, location="query")
@blueprint.response(200, ActOut(many=True))
def list_acts(query: dict[str, Any], household: UUID) -> Any:
    """List what a household went through, oldest first."""
    rows = list_records(
        current_session(), current_actor(), HouseholdAct, "household.list", limit=query["limit"],
        cursor=query["cursor"], filters=[HouseholdAct.household == str(household)],
    )  # fmt: skip
    return page(rows, query["limit"], lambda row: (row["id"],))


def _plain(value: Any) -> Any:
    if isinstance(value, UUID):
        return str(value)
    return [str(one) for one in value] if isinstance(value, list) else value
