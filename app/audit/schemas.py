"""What the audit interface takes and shows."""

from marshmallow import Schema, fields, validate

from app.core.audit import ACCESS, ACT, DONE, READ, REFUSED, SYSTEM
from app.core.pagination import PageQuery

ID_MAX = 36


class AuditEventQuery(PageQuery):
    """Which rows of the log."""

    begins = fields.AwareDateTime(data_key="from", load_default=None)
    ends = fields.AwareDateTime(data_key="to", load_default=None)
    user = fields.Integer(load_default=None, validate=validate.Range(0, 2**53))
    event = fields.String(
        load_default=None, validate=validate.Length(1, 60),
        metadata={"description": "the event, or its beginning up to a dot: `auth.`"},
    )  # fmt: skip
    subject = fields.String(load_default=None, validate=validate.Length(1, 80))
    session = fields.String(load_default=None, validate=validate.Length(1, ID_MAX))
    enrolment = fields.String(load_default=None, validate=validate.Length(1, ID_MAX))
    sort = fields.String(load_default=None, validate=validate.OneOf((READ, ACCESS, ACT, SYSTEM)))
    result = fields.String(load_default=None, validate=validate.OneOf((DONE, REFUSED)))


class AuditEventOut(Schema):
    """One row of the log."""

    id = fields.Integer()
    uid = fields.String(allow_none=True)
    at = fields.AwareDateTime(metadata={"description": "the server's time"})
    event = fields.String()
    sort = fields.String(allow_none=True)
    result = fields.String(allow_none=True)
    user_id = fields.Integer(allow_none=True)
    session_id = fields.String(allow_none=True)
    enrolment = fields.String(allow_none=True, metadata={"description": "the phone"})
    device = fields.String(allow_none=True)
    subject = fields.String(allow_none=True)
    scope = fields.String(allow_none=True)
    reason = fields.String(allow_none=True)
    address = fields.String(allow_none=True)
    phone_ms = fields.Integer(
        allow_none=True,
        metadata={"description": "what the phone said of the time; decides nothing"},
    )
    details = fields.Dict()


class AuditFindingOut(Schema):
    """Something that is wrong with the log."""

    code = fields.String()
    n = fields.Integer(allow_none=True)
    words = fields.String()


class AuditVerdictOut(Schema):
    """What a check has found."""

    ok = fields.Boolean()
    rows = fields.Integer()
    last = fields.Integer()
    public_key = fields.String()
    findings = fields.List(fields.Nested(AuditFindingOut))


class AuditExportIn(Schema):
    """Why the log is to leave the house."""

    reason = fields.String(required=True, validate=validate.Length(5, 200))


class AuditExportOut(Schema):
    """A wish to export the log, and how far it is."""

    id = fields.UUID()
    reason = fields.String()
    asked_by = fields.Integer()
    asked_at = fields.AwareDateTime()
    state = fields.String()
    decided_by = fields.Integer(allow_none=True)


class AuditVerdictIn(Schema):
    """The second person's word."""

    verdict = fields.String(required=True, validate=validate.OneOf(("approved", "refused")))


class AuditBreachQuery(Schema):
    """Whose reading, and between which moments: name one of user, device and session."""

    user = fields.Integer(load_default=None, validate=validate.Range(1, 2**53))
    device = fields.String(load_default=None, validate=validate.Length(1, ID_MAX))
    session = fields.String(load_default=None, validate=validate.Length(1, ID_MAX))
    begins = fields.AwareDateTime(data_key="from", required=True)
    ends = fields.AwareDateTime(data_key="to", required=True)


class AuditMinorOut(Schema):
    """A person under age and the contact to be told."""

    person = fields.UUID()
    household = fields.UUID(allow_none=True)
    guardian = fields.UUID(allow_none=True)


class AuditAffectedOut(Schema):
    """Whom records are about: ids and counts, no names."""

    kinds = fields.Dict()
    households = fields.List(fields.UUID())
    persons = fields.List(fields.UUID())
    contacts = fields.List(fields.UUID())
    minors = fields.List(fields.Nested(AuditMinorOut))
    with_children = fields.List(fields.UUID())


class AuditBreachOut(Schema):
    """What was open and what was read."""

    user = fields.Integer(attribute="whose.user_id")
    enrolment = fields.String(attribute="whose.enrolment", allow_none=True)
    session = fields.String(attribute="whose.session_id", allow_none=True)
    begins = fields.AwareDateTime(data_key="from")
    ends = fields.AwareDateTime(data_key="to")
    scopes = fields.List(fields.String())
    could = fields.Nested(AuditAffectedOut)
    did = fields.Nested(AuditAffectedOut)
    holds = fields.Nested(AuditAffectedOut)
    rows = fields.Integer(metadata={"description": "rows of the log that `did` rests on"})
    unlisted = fields.Dict(metadata={"description": "by kind: reads that name no record"})
    notice = fields.Dict(metadata={"description": "template of the legal notice, zh and en"})
