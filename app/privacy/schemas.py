"""The shapes of people's rights, notices, purposes and hand-overs on the wire."""

from typing import Any

from marshmallow import Schema, ValidationError, fields, validate, validates_schema

from app.core.pagination import PageQuery
from app.households.consents import PURPOSES
from app.identity.approvals import APPROVED, REFUSED
from app.office.schemas import in_schema, out_schema
from app.privacy.models import SubjectRequest
from app.privacy.rules import REFUSE, STATES, VERDICTS

RequestOut = out_schema(SubjectRequest, "SubjectRequest")
RequestNew = in_schema(SubjectRequest, "SubjectRequestNew", creating=True)
REASON = validate.Length(5, 500)


class RequestQuery(PageQuery):
    """Which requests to list."""

    state = fields.String(load_default=None, validate=validate.OneOf(STATES))
    overdue = fields.Boolean(
        load_default=False, truthy={"true", "1"}, falsy={"false", "0"},
        metadata={"description": "only those that are open and past their due date"},
    )  # fmt: skip


class AnswerIn(Schema):
    """What is proposed as the answer."""

    verdict = fields.String(required=True, validate=validate.OneOf(VERDICTS))
    reason = fields.String(load_default=None, validate=REASON)

    @validates_schema
    def a_refusal_says_why(self, data: dict[str, Any], **_: Any) -> None:
        """Refuse a refusal without a reason."""
        if data.get("verdict") == REFUSE and not data.get("reason"):
            raise ValidationError("Missing data for required field.", "reason")


class AnswerOut(Schema):
    """An answer, and how far it is."""

    id = fields.String(required=True)
    request = fields.String(required=True)
    verdict = fields.String(required=True)
    state = fields.String(
        required=True,
        metadata={"description": "waiting (for a second person), refused (by him), queued, ready "
                  "(to be fetched within a day), done, expired"},
    )  # fmt: skip
    asked_by = fields.Integer(required=True)
    asked_at = fields.AwareDateTime(required=True)
    decided_by = fields.Integer(required=True, allow_none=True)
    size_bytes = fields.Integer(required=True, allow_none=True)
    expires_at = fields.AwareDateTime(required=True, allow_none=True)


class SecondWordIn(Schema):
    """The second person's word."""

    verdict = fields.String(required=True, validate=validate.OneOf((APPROVED, REFUSED)))


class PublishedIn(Schema):
    """A new notice: what is read out from now on."""

    zh = fields.String(required=True, validate=validate.Length(10, 2000))
    en = fields.String(required=True, validate=validate.Length(10, 2000))
    renews = fields.List(
        fields.String(validate=validate.OneOf(PURPOSES)), load_default=list,
        validate=validate.Length(max=len(PURPOSES)),
        metadata={"description": "purposes of which purpose, way or kinds have changed: their "
                  "older consents do not count any more"},
    )  # fmt: skip


class OpeningIn(Schema):
    """The impact assessment on which a sensitive purpose is opened."""

    assessment = fields.String(required=True, validate=validate.Length(3, 60))
    assessed_on = fields.Date(required=True)


class PurposeOut(Schema):
    """How one purpose stands."""

    purpose = fields.String(required=True)
    open = fields.Boolean(required=True)
    from_notice = fields.Integer(required=True)
    assessment = fields.String(required=True, allow_none=True)
    assessed_on = fields.Date(required=True, allow_none=True)
    waits = fields.Boolean(
        required=True, metadata={"description": "a second person has not decided yet"}
    )


class HandOverIn(Schema):
    """Data given to somebody else."""

    area = fields.Integer(
        required=True, strict=True, validate=validate.Range(1, 2**53), attribute="area_id"
    )
    recipient = fields.String(required=True, validate=validate.Length(2, 120))
    purpose = fields.String(required=True, validate=validate.Length(2, 200))
    kinds = fields.List(
        fields.String(validate=validate.Length(2, 60)), required=True,
        validate=validate.Length(1, 20),
    )  # fmt: skip
    agreement = fields.String(
        required=True, validate=validate.Length(3, 60),
        metadata={"description": "the number of the agreement with the recipient"},
    )  # fmt: skip
    basis = fields.String(
        required=True, validate=validate.Length(3, 120),
        metadata={"description": "separate consent, or the duty of law"},
    )  # fmt: skip
    people = fields.Integer(required=True, strict=True, validate=validate.Range(0, 10**8))


class HandOverOut(HandOverIn):
    """A hand-over as it is kept."""

    id = fields.String(required=True)
    made_at = fields.AwareDateTime(required=True)
    made_by = fields.Integer(required=True)
