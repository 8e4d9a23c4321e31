"""The bodies of the office's view of forms."""

from marshmallow import Schema, fields, validate

from app.core.pagination import PageQuery
from app.forms.models import STATES

KEY = validate.Regexp(r"[a-z][a-z0-9_]{0,39}\Z")


class FormQuery(PageQuery):
    """Which forms to list."""

    key = fields.String(load_default=None, validate=KEY)
    state = fields.String(load_default=None, validate=validate.OneOf(STATES))


class FormLine(Schema):
    """A version of a form, without its questions."""

    key = fields.String()
    version = fields.Integer()
    state = fields.String()
    title = fields.Dict(metadata={"description": "in zh and en"})
    digest = fields.String(metadata={"description": "SHA-256 of the definition"})
    made_at = fields.AwareDateTime()
    published_at = fields.AwareDateTime(allow_none=True)
    retired_at = fields.AwareDateTime(allow_none=True)


class FormOut(Schema):
    """A version of a form, whole."""

    key = fields.String()
    version = fields.Integer()
    definition = fields.Dict(metadata={"description": "see docs/forms.md"})
    schema = fields.Dict(metadata={"description": "JSON Schema of the answers"})


class DraftBody(Schema):
    """A draft."""

    definition = fields.Dict(required=True)


class PreviewBody(Schema):
    """Answers to try a form with; nothing is kept."""

    answers = fields.Dict(required=True, validate=validate.Length(max=200))


class PreviewOut(Schema):
    """What the answers come to."""

    values = fields.Dict(metadata={"description": "as they would be kept"})
    relevant = fields.List(fields.String())
    complete = fields.Boolean()
    errors = fields.List(fields.Dict())
