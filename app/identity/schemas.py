"""The shapes of identity in the REST interface."""

from datetime import UTC, datetime
from typing import Any

from marshmallow import Schema, fields, post_load, validate

from app.core.actor import ROLES
from app.core.pagination import PageQuery
from app.core.settings import current_settings
from app.identity.appointments import NewPost, NewUser
from app.identity.models import MODES
from app.identity.phones import Phone
from app.identity.rules import ACCESS_LIFE
from app.identity.signing_in import SignIn

ID_MAX = 2**62
PASSWORD_FIELD_MAX = 256
TOKEN_MAX = 200
CODE_MAX = 40
EARLIEST, LATEST = datetime(2000, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)
LOGIN = r"^[A-Za-z0-9][A-Za-z0-9._@-]{1,63}\Z"


def _text(most: int, **kwargs: Any) -> fields.String:
    return fields.String(validate=validate.Length(1, most), **kwargs)


def _moment() -> fields.AwareDateTime:
    limits = validate.Range(EARLIEST, LATEST)
    return fields.AwareDateTime(load_default=None, allow_none=True, validate=limits)


class SignInIn(Schema):
    """Login and password of an office user, with a code of the second factor if he has one."""

    login = _text(100, required=True)
    password = _text(PASSWORD_FIELD_MAX, required=True, load_only=True)
    code = _text(
        CODE_MAX, load_default=None, allow_none=True, load_only=True,
        metadata={"description": "six digits of the second factor, or a code for recovery"},
    )  # fmt: skip
    known = _text(
        TOKEN_MAX, load_default=None, allow_none=True,
        metadata={"description": "`known` of the last sign-in from this computer: nobody else's "
                  "wrong attempts shut the door for it"},
    )  # fmt: skip

    @post_load
    def _build(self, values: dict[str, Any], **_: Any) -> SignIn:
        return SignIn(**values)


class RefreshIn(Schema):
    """A refresh token; a phone proves with its key that the token is where it belongs.

    The proof is the ECDSA signature (P-256, SHA-256, DER, base64url) of the three lines
    ``wangge refresh``, the refresh token, and ``at`` in decimal digits.
    """

    refresh_token = _text(TOKEN_MAX, required=True)
    proof = _text(TOKEN_MAX, load_default=None, allow_none=True)
    at = fields.Integer(
        strict=True, load_default=None, allow_none=True, validate=validate.Range(0, 2**53),
        metadata={"description": "the phone's corrected time in ms since 1970; with `proof`"},
    )  # fmt: skip


class SignOutIn(Schema):
    """The session to end, by its refresh token."""

    refresh_token = _text(TOKEN_MAX, required=True)


class EnrolIn(Schema):
    """A one-time code, and the phone that uses it with its public key (P-256, SPKI, base64)."""

    code = _text(64, required=True)
    install_id = _text(64, required=True)
    public_key = _text(400, required=True)
    model = fields.String(load_default="", validate=validate.Length(max=100))
    app = fields.String(load_default="", validate=validate.Length(max=40))

    @post_load
    def _build(self, values: dict[str, Any], **_: Any) -> tuple[str, Phone]:
        return values.pop("code"), Phone(**values)


class TokensOut(Schema):
    """A session: use the access token for ten minutes, then refresh."""

    token_type = fields.Constant("Bearer", required=True)
    access_token = fields.String(required=True)
    expires_in = fields.Constant(
        int(ACCESS_LIFE.total_seconds()), required=True, metadata={"description": "seconds"}
    )
    refresh_token = fields.String(required=True)
    refresh_until = fields.AwareDateTime(required=True, attribute="idle_until")
    session_id = fields.String(required=True)
    enrolment_id = fields.String(required=True, allow_none=True)
    user = fields.Method("_user", required=True)
    owes = fields.String(
        required=True, allow_none=True,
        metadata={"description": "what must be done before anything else: "
                  "`password_change_needed` or `second_factor_not_set`"},
    )  # fmt: skip
    known = fields.String(
        required=True, allow_none=True,
        metadata={"description": "of a sign-in: keep it here and send it the next time"},
    )  # fmt: skip
    max_offline_days = fields.Method(
        "_lease", required=True, allow_none=True,
        metadata={"description": "a phone that has not synced for so many days erases its copies"},
    )  # fmt: skip
    now = fields.AwareDateTime(required=True)

    def _user(self, tokens: Any) -> dict[str, Any]:
        return {"id": tokens.user_id, "name": tokens.name}

    def _lease(self, tokens: Any) -> int | None:
        return current_settings().max_offline_days if tokens.enrolment_id else None


class PostIn(Schema):
    """Who serves where, from when to when."""

    role = fields.String(required=True, validate=validate.OneOf(ROLES))
    area_id = fields.Integer(required=True, strict=True, validate=validate.Range(1, ID_MAX))
    starts = _moment()
    ends = _moment()
    reason = fields.String(load_default="", validate=validate.Length(max=200))
    mode = fields.String(load_default=MODES[0], validate=validate.OneOf(MODES))
    covers = fields.Integer(
        strict=True, load_default=None, allow_none=True, validate=validate.Range(1, ID_MAX),
        metadata={"description": "of a cover: the colleague who is away; else the whole area"},
    )  # fmt: skip

    @post_load
    def _build(self, values: dict[str, Any], **_: Any) -> NewPost:
        return NewPost(**values)


class UserIn(Schema):
    """A person to be taken on."""

    name = fields.String(
        required=True, validate=[validate.Length(1, 100), validate.Regexp(r"\S(.*\S)?\Z")]
    )
    login = fields.String(
        load_default=None, allow_none=True, validate=validate.Regexp(LOGIN),
        metadata={"description": "with a password: office access"},
    )  # fmt: skip
    password = _text(PASSWORD_FIELD_MAX, load_default=None, allow_none=True, load_only=True)
    phone = _text(40, load_default=None, allow_none=True)
    post = fields.Nested(PostIn, required=True)

    @post_load
    def _build(self, values: dict[str, Any], **_: Any) -> NewUser:
        return NewUser(**values)


class PostOut(Schema):
    """A post of a person."""

    id = fields.Integer(required=True)
    user_id = fields.Integer(required=True)
    role = fields.String(required=True, validate=validate.OneOf(ROLES))
    area_id = fields.Integer(required=True)
    starts = fields.AwareDateTime(required=True)
    ends = fields.AwareDateTime(required=True, allow_none=True)
    reason = fields.String(required=True)
    mode = fields.String(required=True, validate=validate.OneOf(MODES))
    covers = fields.Integer(required=True, allow_none=True)


class UserOut(Schema):
    """A person as the asker may see him."""

    id = fields.Integer(required=True)
    name = fields.String(required=True)
    login = fields.String(required=True, allow_none=True)
    active = fields.Boolean(required=True)
    posts = fields.List(fields.Nested(PostOut), required=True)


class UserDetailOut(UserOut):
    """A person with the telephone number."""

    phone = fields.String(required=True, allow_none=True)


class UserQuery(PageQuery):
    """Which people to list."""

    area_id = fields.Integer(load_default=None, validate=validate.Range(1, ID_MAX))
    role = fields.String(load_default=None, validate=validate.OneOf(ROLES))


class HeldPostOut(Schema):
    """A post as its holder sees it, with the path of its area."""

    role = fields.String(required=True, validate=validate.OneOf(ROLES))
    area_id = fields.Integer(required=True)
    path = fields.String(required=True)
    level = fields.String(required=True)
    starts = fields.AwareDateTime(required=True)
    ends = fields.AwareDateTime(required=True, allow_none=True)


class MeOut(Schema):
    """Who asks: posts held now or later, roles of now, and the widest right for each action."""

    id = fields.Integer(required=True)
    name = fields.String(required=True)
    roles = fields.List(fields.String(), required=True)
    posts = fields.List(fields.Nested(HeldPostOut), required=True)
    rights = fields.Dict(
        keys=fields.String(), values=fields.String(), required=True,
        metadata={"description": "cells of the authorisation table by action"},
    )  # fmt: skip
    session_id = fields.String(required=True)
    enrolment_id = fields.String(required=True, allow_none=True)
    owes = fields.String(required=True, allow_none=True)
    proven_until = fields.AwareDateTime(
        required=True, allow_none=True,
        metadata={"description": "until then no further proof is asked for on this session"},
    )  # fmt: skip
    max_offline_days = fields.Integer(required=True, allow_none=True)


class CodeOut(Schema):
    """An enrolment code; it is shown this once."""

    code = fields.String(required=True)
    qr = fields.String(required=True, metadata={"description": "the text of the QR code"})
    user_id = fields.Integer(required=True)
    name = fields.String(required=True)
    expires = fields.AwareDateTime(required=True)


class DeviceOut(Schema):
    """An enrolled phone."""

    id = fields.String(required=True)
    user_id = fields.Integer(required=True)
    user_name = fields.String(required=True)
    model = fields.String(required=True)
    app = fields.String(required=True)
    made = fields.AwareDateTime(required=True)
    revoked_at = fields.AwareDateTime(required=True, allow_none=True)
    wipe_asked_at = fields.AwareDateTime(required=True, allow_none=True)
    drain_until = fields.AwareDateTime(
        required=True, allow_none=True,
        metadata={"description": "until then it may send what it holds, and nothing else"},
    )  # fmt: skip
    wiped_at = fields.AwareDateTime(
        required=True, allow_none=True, metadata={"description": "its own receipt of the wipe"}
    )
    wiped_unsent = fields.Integer(
        required=True, allow_none=True, metadata={"description": "edits it could not send before"}
    )


class WipeIn(Schema):
    """How a phone is to be erased."""

    drain = fields.Boolean(
        load_default=False, truthy={True}, falsy={False},
        metadata={"description": "let it send what it holds first; never for a stolen phone"},
    )  # fmt: skip


class DismissalOut(Schema):
    """What a dismissal has set going."""

    user_id = fields.Integer(required=True)
    dismissed_at = fields.AwareDateTime(required=True)
    drain_until = fields.AwareDateTime(required=True)
    phones = fields.Integer(
        required=True, metadata={"description": "phones that may still send what they hold"}
    )


class WipedIn(Schema):
    """A phone's word that it has erased itself."""

    ticket = _text(TOKEN_MAX, required=True)
    unsent = fields.Integer(strict=True, load_default=0, validate=validate.Range(0, 10**9))


class IdempotencyHeader(Schema):
    """A key of the caller's own; the same request again makes nothing twice."""

    idempotency_key = fields.String(
        data_key="Idempotency-Key", load_default=None, validate=validate.Regexp(r"^[!-~]{1,64}\Z")
    )
