"""The shapes of exports on the wire."""

from typing import Any

from marshmallow import Schema, ValidationError, fields, validate, validates_schema

from app.exports.layers import GRIDS, NAMES
from app.exports.making import WRITERS
from app.identity.approvals import APPROVED, REFUSED

REASON = validate.Length(5, 200)


class ExportIn(Schema):
    """What to export."""

    layer = fields.String(required=True, validate=validate.OneOf(NAMES))
    format = fields.String(required=True, validate=validate.OneOf(tuple(WRITERS)))
    area = fields.Integer(required=True, strict=True, validate=validate.Range(1, 2**53))
    personal = fields.Boolean(
        load_default=False, truthy={True}, falsy={False},
        metadata={"description": "with addresses, exact positions and texts: needs a reason and "
                  "the approval of a second person"},
    )  # fmt: skip
    reason = fields.String(load_default=None, validate=REASON)

    @validates_schema
    def personal_ones_have_a_reason(self, data: dict[str, Any], **_: Any) -> None:
        """Refuse personal fields without a reason, and of grids, which have none."""
        if data.get("personal") and not data.get("reason"):
            raise ValidationError("Missing data for required field.", "reason")
        if data.get("personal") and data.get("layer") == GRIDS:
            raise ValidationError("A grid has no personal fields.", "personal")


class DecisionIn(Schema):
    """The second person's word."""

    verdict = fields.String(required=True, validate=validate.OneOf((APPROVED, REFUSED)))


class ExportOut(Schema):
    """An export and how far it is."""

    id = fields.String(required=True)
    layer = fields.String(required=True)
    format = fields.String(required=True)
    area = fields.Integer(required=True, attribute="area_id")
    personal = fields.Boolean(required=True)
    reason = fields.String(required=True)
    state = fields.String(
        required=True,
        metadata={"description": "waiting (for a second person), queued, making, ready, refused, "
                  "failed, expired"},
    )  # fmt: skip
    fault = fields.String(required=True, allow_none=True)
    rows_done = fields.Integer(required=True)
    rows_total = fields.Integer(required=True, allow_none=True)
    size_bytes = fields.Integer(required=True, allow_none=True)
    asked_at = fields.AwareDateTime(required=True)
    expires_at = fields.AwareDateTime(required=True, allow_none=True)


class ToDecideOut(Schema):
    """Somebody else's export that waits for a second person: who asks, for what, and why."""

    id = fields.String(required=True)
    layer = fields.String(required=True)
    format = fields.String(required=True)
    area = fields.Integer(required=True, attribute="area_id")
    reason = fields.String(required=True)
    state = fields.String(required=True)
    asked_by = fields.Integer(required=True, attribute="user_id")
    asked_at = fields.AwareDateTime(required=True)
