"""The shapes of what somebody does about his own access, and of sessions."""

from typing import Any

from marshmallow import Schema, fields, validate

from app.core.pagination import PageQuery
from app.identity.schemas import CODE_MAX, ID_MAX, PASSWORD_FIELD_MAX, TOKEN_MAX
from app.office.schemas import reason

KINDS = ("phone", "office")


def _secret(most: int, **kwargs: Any) -> fields.String:
    return fields.String(validate=validate.Length(1, most), load_only=True, **kwargs)


class FactorOut(Schema):
    """A new second factor; it is shown this once, and counts when it is confirmed."""

    secret = fields.String(required=True, metadata={"description": "base32, to be typed"})
    uri = fields.String(required=True, metadata={"description": "otpauth://…"})
    qr_svg = fields.String(required=True, metadata={"description": "the same as a QR code in SVG"})


class CodeIn(Schema):
    """A code of the second factor."""

    code = _secret(CODE_MAX, required=True)


class RecoveryOut(Schema):
    """Codes for the day on which the second factor is lost; each is good for one time."""

    codes = fields.List(fields.String(), required=True)


class PasswordIn(Schema):
    """The password of now and the one to come."""

    password = _secret(PASSWORD_FIELD_MAX, required=True)
    new_password = _secret(PASSWORD_FIELD_MAX, required=True)


class StepUpIn(Schema):
    """A fresh proof: in the office password and code, on a phone its signature.

    The proof is the ECDSA signature (P-256, SHA-256, DER, base64url) of the three lines
    ``wangge step-up``, the id of the session, and ``at`` in decimal digits.
    """

    password = _secret(PASSWORD_FIELD_MAX)
    code = _secret(CODE_MAX)
    proof = _secret(TOKEN_MAX)
    at = fields.Integer(
        strict=True, validate=validate.Range(0, 2**53),
        metadata={"description": "the phone's corrected time in ms since 1970; with `proof`"},
    )  # fmt: skip


class ProvenOut(Schema):
    """Until when no further proof is asked for on this session."""

    proven_until = fields.AwareDateTime(required=True)


class ReasonIn(Schema):
    """Why."""

    reason = reason()


class TemporaryOut(Schema):
    """A first password, shown this once; with it its person can only choose his own."""

    user_id = fields.Integer(required=True)
    password = fields.String(required=True)
    until = fields.AwareDateTime(required=True)


class SessionQuery(PageQuery):
    """Whose sessions to list."""

    user_id = fields.Integer(load_default=None, validate=validate.Range(1, ID_MAX))


class SessionOut(Schema):
    """One signed-in person on one device."""

    id = fields.UUID(required=True)
    user_id = fields.Integer(required=True)
    user_name = fields.String(required=True)
    kind = fields.String(required=True, validate=validate.OneOf(KINDS))
    enrolment_id = fields.UUID(required=True, allow_none=True)
    model = fields.String(required=True, allow_none=True)
    app = fields.String(required=True, allow_none=True)
    made = fields.AwareDateTime(required=True)
    refreshed = fields.AwareDateTime(required=True)
    ends = fields.AwareDateTime(required=True)
    current = fields.Boolean(required=True, metadata={"description": "the one that asks"})
