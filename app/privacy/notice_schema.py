"""The shape of the public notice on the wire; ``app.privacy.notice`` writes it."""

from typing import Any

from marshmallow import Schema, fields

from app.privacy.notice import SAID


class Words(Schema):
    """One text in both languages."""

    zh = fields.String(required=True)
    en = fields.String(required=True)


class NoticePurpose(Words):
    """One purpose, and whether it is open."""

    purpose = fields.String(required=True)
    open = fields.Boolean(required=True)
    from_notice = fields.Integer(
        required=True, metadata={"description": "the notice from which consents count"}
    )
    days_at_most = fields.Integer(
        required=True, allow_none=True, metadata={"description": "how long a consent holds"}
    )
    sensitive = fields.Boolean(required=True)


class NoticeRequests(Schema):
    """What one may ask, and how soon the answer comes."""

    kinds = fields.List(fields.String(), required=True)
    target_working_days = fields.Integer(required=True)
    due_working_days = fields.Integer(required=True)


NoticeField: Any = Schema.from_dict(
    {
        "table": fields.String(required=True),
        "field": fields.String(required=True),
        "of": fields.String(required=True, metadata={"description": "of whom"}),
        "class": fields.String(required=True),
        "purpose": fields.Nested(Words, required=True),
        "basis": fields.String(required=True),
        "retention": fields.String(required=True),
        "on_phones": fields.Boolean(required=True),
        "need": fields.Nested(Words, metadata={"description": "of sensitive fields: why"}),
        "effect": fields.Nested(Words, metadata={"description": "of sensitive fields: on whom"}),
    },
    name="NoticeField",
)
READ_OUT: dict[str, Any] = {
    "version": fields.Integer(required=True),
    "from": fields.Date(required=True),
    "zh": fields.String(required=True),
    "en": fields.String(required=True),
}
"""One version of the text that is read out before somebody is asked."""
NoticeVersion: Any = Schema.from_dict(READ_OUT, name="NoticeVersion")
NoticeDocument: Any = Schema.from_dict(
    {
        **READ_OUT,
        "who": fields.String(required=True),
        "contact": fields.String(required=True),
        **{name: fields.Nested(Words, required=True) for name in SAID},
        "requests": fields.Nested(NoticeRequests, required=True),
        "purposes": fields.List(fields.Nested(NoticePurpose), required=True),
        "fields": fields.List(fields.Nested(NoticeField), required=True),
        "versions": fields.List(fields.Nested(NoticeVersion), required=True),
        "digest": fields.String(required=True),
    },
    name="NoticeDocument",
)
