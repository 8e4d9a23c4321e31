"""The shapes of keys on the wire."""

from marshmallow import Schema, fields, validate

from app.core.algorithms import AES, ALGORITHMS
from app.identity.approvals import APPROVED, REFUSED


class RotationIn(Schema):
    """The wish that all keys be changed."""

    reason = fields.String(required=True, validate=validate.Length(5, 200))
    algorithm = fields.String(load_default=AES, validate=validate.OneOf(ALGORITHMS))


class RotationDecisionIn(Schema):
    """The second person's word."""

    verdict = fields.String(required=True, validate=validate.OneOf((APPROVED, REFUSED)))


class RotationOut(Schema):
    """A wish, and what became of it."""

    id = fields.String(required=True)
    subject = fields.String(required=True)
    reason = fields.String(required=True)
    asked_by = fields.Integer(required=True)
    asked_at = fields.AwareDateTime(required=True)
    state = fields.String(required=True, metadata={"description": "waiting, approved, refused"})


class KeyOut(Schema):
    """A key, without what it is made of, and how far the sealing anew with it has come."""

    number = fields.Integer(required=True)
    algorithm = fields.String(required=True)
    state = fields.String(
        required=True, metadata={"description": "current, old, retired, destroyed"}
    )
    root = fields.Integer(required=True, metadata={"description": "the root key that wraps it"})
    made_at = fields.AwareDateTime(required=True, allow_none=True)
    total = fields.Integer(required=True)
    done = fields.Integer(required=True)
    resealed_at = fields.AwareDateTime(required=True, allow_none=True)
    ended_at = fields.AwareDateTime(required=True, allow_none=True)
