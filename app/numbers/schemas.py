"""The shapes of numbers on the wire."""

from typing import Any

from marshmallow import Schema, fields, validate

from app.core.bounds import day_field, moment_field
from app.core.pagination import PageQuery
from app.numbers.definitions import BY_CODE
from app.numbers.periods import KINDS

AREA_MAX = 2**53
STOCKS = ("tasks_open", "incidents_open")


class TableQuery(Schema):
    """Which numbers, of which area and period."""

    area = fields.Integer(
        load_default=None, validate=validate.Range(1, AREA_MAX),
        metadata={"description": "the area whose children are compared; default: the asker's own"},
    )  # fmt: skip
    period = fields.String(load_default="month", validate=validate.OneOf(KINDS))
    day = day_field(
        load_default=None, metadata={"description": "any day of the period; default: today"}
    )
    number = fields.String(
        load_default=None, validate=validate.OneOf(BY_CODE),
        metadata={"description": "one number only; default: all"},
    )  # fmt: skip


class RowsQuery(PageQuery):
    """Which of the rows behind a number to list."""

    area = fields.Integer(required=True, validate=validate.Range(1, AREA_MAX))
    period = fields.String(load_default="month", validate=validate.OneOf(KINDS))
    day = day_field(load_default=None)
    of = fields.String(load_default="all", validate=validate.OneOf(("all", "met", "not_met")))


class DefinitionOut(Schema):
    """What a number counts, of what, and why."""

    code = fields.String(required=True)
    zh = fields.String(required=True)
    en = fields.String(required=True)
    counts_zh = fields.String(required=True)
    counts = fields.String(required=True)
    why_zh = fields.String(required=True)
    why = fields.String(required=True)
    is_share = fields.Function(
        lambda number: number.met is not None,
        metadata={"description": "a numerator of a denominator; else a plain count"},
    )


class CellOut(Schema):
    """The number of one area; of a hidden one nothing is said."""

    area = fields.Integer(required=True, attribute="area.id")
    name = fields.String(required=True, attribute="area.name")
    level = fields.String(required=True, attribute="area.level")
    hidden = fields.Boolean(required=True)
    numerator = fields.Integer(required=True, allow_none=True)
    denominator = fields.Integer(
        required=True, allow_none=True, metadata={"description": "null for a plain count"}
    )
    value = fields.Float(required=True, allow_none=True)
    rows = fields.String(
        required=True, allow_none=True,
        metadata={"description": "the list behind it; null for whoever may not see rows"},
    )  # fmt: skip


class LineOut(Schema):
    """One number of the area and of each child."""

    code = fields.String(required=True, attribute="number.code")
    zh = fields.String(required=True, attribute="number.zh")
    en = fields.String(required=True, attribute="number.en")
    total = fields.Nested(CellOut, required=True)
    areas = fields.List(fields.Nested(CellOut), required=True)


class TableOut(Schema):
    """Numbers of an area for a period."""

    area = fields.Integer(required=True, attribute="area.id")
    name = fields.String(required=True, attribute="area.name")
    period = fields.String(required=True, attribute="period.kind")
    first = fields.Date(required=True, attribute="period.first")
    after = fields.Date(required=True, attribute="period.after")
    at = fields.AwareDateTime(required=True, attribute="period.now")
    smallest = fields.Integer(
        required=True, metadata={"description": "what is smaller, but not nothing, is hidden"}
    )
    numbers = fields.List(fields.Nested(LineOut), required=True)


class StockQuery(Schema):
    """Of which area, and at which moment."""

    area = fields.Integer(load_default=None, validate=validate.Range(1, AREA_MAX))
    at = moment_field(required=True)
    number = fields.String(load_default=None, validate=validate.OneOf(STOCKS))


class StockRowsQuery(PageQuery):
    """Of which area and moment, and of which stock."""

    area = fields.Integer(required=True, validate=validate.Range(1, AREA_MAX))
    at = moment_field(required=True)
    number = fields.String(required=True, validate=validate.OneOf(STOCKS))


class RowsOut(Schema):
    """The records behind a number, each as its own list shows it to the reader."""

    kind = fields.String(required=True)
    rows: Any = fields.List(fields.Dict(), required=True)


class AreaDayQuery(Schema):
    """An area and a day."""

    area = fields.Integer(load_default=None, validate=validate.Range(1, AREA_MAX))
    day = day_field(load_default=None)


class AskedOut(Schema):
    """What one kind of task asked."""

    code = fields.String(required=True)
    zh = fields.String(required=True)
    en = fields.String(required=True)
    tasks = fields.Integer(required=True)
    fields_each = fields.Integer(required=True)
    seconds_each = fields.Integer(required=True, metadata={"description": "an estimate"})
    fields_asked = fields.Integer(required=True, attribute="fields")
    fields_answered = fields.Integer(
        required=True, allow_none=True, attribute="answered",
        metadata={"description": "in forms of tasks that are done; null where it is not told: "
                                 "fewer than five tasks, or wider than a township"},
    )  # fmt: skip
    minutes = fields.Integer(required=True)


class BurdenOut(Schema):
    """What the office asked of an area in a month."""

    area = fields.Integer(required=True, attribute="area.id")
    name = fields.String(required=True, attribute="area.name")
    first = fields.Date(required=True, attribute="period.first")
    after = fields.Date(required=True, attribute="period.after")
    minutes = fields.Integer(required=True)
    kinds = fields.List(fields.Nested(AskedOut), required=True)


class MarkOut(Schema):
    """Work of one grid that somebody should look at; it is not added up for anybody."""

    mark = fields.String(
        required=True, metadata={"description": "`burst`: ten or more within five minutes; "
                                 "`at_once`: done within ten seconds of being accepted or claimed"},
    )  # fmt: skip
    area = fields.Integer(required=True)
    first = fields.AwareDateTime(required=True)
    last = fields.AwareDateTime(required=True)
    count = fields.Integer(required=True)
    kind = fields.String(required=True, metadata={"description": "task or incident"})
    ids = fields.List(fields.String(), required=True)
    tasks = fields.List(fields.String(), required=True)


class HealthIn(Schema):
    """What a phone says of itself after a sync."""

    device = fields.UUID(required=True)
    unsent = fields.Integer(required=True, strict=True, validate=validate.Range(0, 1_000_000))
    photos_waiting = fields.Integer(
        required=True, strict=True, validate=validate.Range(0, 1_000_000)
    )
    app = fields.String(load_default=None, validate=validate.Length(1, 60))
    schema = fields.Integer(required=True, strict=True, validate=validate.Range(1, 10_000))


class HealthOut(Schema):
    """How a phone syncs."""

    id = fields.String(required=True, metadata={"description": "as in /api/v1/devices"})
    device = fields.String(required=True, allow_none=True)
    area = fields.Integer(required=True)
    area_name = fields.String(required=True)
    model = fields.String(required=True)
    app = fields.String(required=True)
    schema = fields.Integer(required=True, allow_none=True)
    synced = fields.AwareDateTime(required=True, allow_none=True)
    unsent = fields.Integer(required=True, allow_none=True)
    photos_waiting = fields.Integer(required=True, allow_none=True)
    photos_owed = fields.Integer(required=True)
    parked = fields.Integer(required=True)
    conflicts = fields.Integer(required=True, metadata={"description": "open ones in its grid"})
